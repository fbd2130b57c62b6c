"""Draw a model's MLP neurons: all of them, and the most informative ones as a layered graph.

Example:
  python visualize_gelu_graph.py --dataset_dir dataset --output_dir graph_pictures

--graph_dir takes the edges from another folder, --activation_file another file of activations.

Writes to --output_dir:
  {m}_gelu_graph_neurons.png  every neuron of every layer as a cell of whole pixels, dimension 0 top
                              left, then row by row; the lighter, the more samples it is active in
  {m}_gelu_graph.png          --max_nodes neurons as circles, a column a layer, and at most
                              --max_edges edges among them: orange ones push their target up, blue
                              ones down, thicker ones more; both ends of the 12 thickest are named.
                              L2.317 is dimension 317 of layer 2
  {m}_gelu_graph.graphml and .gexf  those neurons and edges, for Gephi, Cytoscape or networkx

How informative a neuron is, is measured in bits: the entropy of its activity over the samples, 1
where it is active in half of them and 0 where it is active in all or in none. Neurons are chosen
along edges: an edge scores |weight| x the bits of both its ends, the pairs of neighbouring layers
take turns, and each layer gets an equal share. With --sample_id, and for the trace script's vector,
only active neurons are shown; with --sample_id a neuron counts more, the fewer of the other samples
it is active in (its surprisal in bits). An edge list without weights (--edges full) has no
strongest edges: there the neurons are chosen by bits alone.
"""

import argparse

from gelu.cli import (
    add_device_argument,
    add_either,
    add_model_argument,
    add_output_argument,
    build_parser,
    chosen,
    non_negative_int,
    positive_int,
    print_notes,
    require_folder_or_files,
    run_script,
)
from gelu.drawing.settings import GraphSettings


def parsed() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = build_parser(__doc__)
    parser.required.add_argument(
        "--dataset_dir",
        metavar="FOLDER",
        help="folder of the dataset script, with its edges; or the next two",
    )
    parser.required.add_argument(
        "--graph_dir", metavar="FOLDER", help="folder with {m}_neuron_edges.el and its attributes"
    )
    add_either(
        parser.required,
        "--activation_file",
        metavar="FILE",
        help="the dataset's .pickle, .pkl, .json or .npz, or the trace's .pkl",
    )
    add_output_argument(parser, "--output_dir", "folder for the four files")
    add_model_argument(parser, of_folder=True)
    add_either(
        parser.often,
        "--sample_id",
        type=_one_sample,
        metavar="ID",
        help="show this sample, not the frequency over all",
    )
    parser.add_argument(
        "--max_nodes",
        type=positive_int,
        default=GraphSettings.max_nodes,
        metavar="N",
        help="neurons in the graph",
    )
    parser.add_argument(
        "--max_edges",
        type=positive_int,
        default=GraphSettings.max_edges,
        metavar="N",
        help="edges in the graph",
    )
    add_device_argument(parser, works=False)
    arguments = parser.parse_args()
    require_folder_or_files(parser, arguments, "dataset_dir", ("graph_dir", "activation_file"))
    return arguments


def main() -> None:
    """Draw the graph."""
    arguments = parsed()
    from gelu.drawing.graph_run import write_graph_pictures

    written = write_graph_pictures(
        arguments.dataset_dir,
        arguments.output_dir,
        arguments.model_type,
        chosen(GraphSettings, arguments),
        graph_dir=arguments.graph_dir,
        activation_file=arguments.activation_file,
    )
    print_notes(written.notes)
    print(*written.paths, *written.lines, sep="\n")


def _one_sample(text: str) -> int:
    try:
        return non_negative_int(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"{text!r} is not the id of one sample") from None


if __name__ == "__main__":
    run_script(main)
