"""Draw a model's GELU neurons: all of them, and the most telling ones as a layered graph.

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

Which neurons are most telling: one that is always or never on tells nothing, so a neuron counts by
the entropy of its activity over the samples, in bits. Neurons are chosen along edges: an edge
scores |weight| x the bits of both its ends, the pairs of neighbouring layers take turns, and each
layer gets an equal share. With --sample_id, and for the trace script's vector, only active neurons
are shown; with --sample_id the rarer a neuron is in the other samples, the more it tells (surprisal
in bits). An edge list without weights (--edges full) has no strongest edges: there the neurons are
chosen by bits alone.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gelu.cli import (
    add_device_argument,
    add_either,
    add_model_argument,
    add_output_argument,
    build_parser,
    non_negative_int,
    positive_int,
    require_folder_or_files,
    run_script,
)
from gelu.errors import UserError
from gelu.places import existing_directory

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gelu.artifacts import Artifacts, EdgeBlock, Stated
    from gelu.graph.subgraph import Subgraph
    from gelu.model.source import ModelSource
    from gelu.neurons import Geometry
    from gelu.packed import PackedActivations
    from gelu.plots.graph import GraphView


def main() -> None:
    """Parse the command line and draw the graph."""
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
        "--max_nodes", type=positive_int, default=200, metavar="N", help="neurons in the graph"
    )
    parser.add_argument(
        "--max_edges", type=positive_int, default=400, metavar="N", help="edges in the graph"
    )
    add_device_argument(parser, works=False)
    arguments = parser.parse_args()
    require_folder_or_files(parser, arguments, "dataset_dir", ("graph_dir", "activation_file"))
    draw_graph(
        *_chosen_files(arguments),
        arguments.output_dir,
        arguments.sample_id,
        arguments.max_nodes,
        arguments.max_edges,
    )


def _one_sample(text: str) -> int:
    try:
        return non_negative_int(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"{text!r} is not the id of one sample") from None


def _chosen_files(arguments: argparse.Namespace) -> "tuple[ModelSource, Path, Path]":
    """Return the model, the graph's folder and the activations, which --dataset_dir stands for."""
    from gelu.artifacts import dataset_activation_file
    from gelu.model.of_folder import DATASET_FILES, GRAPH_FILES, model_of_folder

    argument, endings = "graph_dir", GRAPH_FILES
    if arguments.graph_dir is None:
        argument, endings = "dataset_dir", (*GRAPH_FILES, *DATASET_FILES)
    folder = existing_directory(getattr(arguments, argument), argument)
    source = model_of_folder(arguments.model_type, folder, argument, endings)
    if arguments.activation_file is not None:
        return source, folder, Path(arguments.activation_file)
    dataset = existing_directory(arguments.dataset_dir, "dataset_dir")
    return source, folder, dataset_activation_file(dataset, source.name)


@dataclass(frozen=True)
class Activity:
    """How active each neuron is, all (n_neurons,). active: of the sample shown, None for none."""

    view: "GraphView"
    frequency: "NDArray[np.float64]"
    bits: "NDArray[np.float64]"
    active: "NDArray[np.bool_] | None"


def draw_graph(
    model_type: "str | ModelSource",
    graph_dir: str | Path,
    activation_file: str | Path,
    output_dir: str,
    sample_id: int | None,
    max_nodes: int,
    max_edges: int,
) -> None:
    """Draw both pictures of one model's neurons and write the graph of the second."""
    from gelu.artifacts import (
        ATTRIBUTES,
        DATASET,
        EDGES,
        GRAPH_PICTURE_FILES,
        Artifacts,
        find_activation_file,
        read_stated,
        require_model_file,
        run_files,
    )
    from gelu.model.outputs import output_files
    from gelu.model.source import find_model

    folder = existing_directory(graph_dir, "graph_dir")
    source = find_model(model_type)
    model = source.name
    attributes = require_model_file(folder, model, ATTRIBUTES)
    edges = require_model_file(folder, model, EDGES)
    activations = find_activation_file(Path(activation_file))
    folders = list(dict.fromkeys([folder, activations.parent]))
    stated = read_stated(folders, model)
    geometry = stated.geometry
    assert geometry is not None  # the attributes are there
    tables = [Artifacts(it, model).path(DATASET) for it in folders]
    activity = _read_activity(model, activations, geometry, sample_id, stated, tables)
    read = [activations, *run_files(folders, model)]
    files = output_files(output_dir, "output_dir", source, GRAPH_PICTURE_FILES, read)
    subgraph, n_edges = _choose(edges, attributes, geometry, activity, max_nodes, max_edges)
    _write(files, geometry, activity, subgraph, n_edges)


def _read_activity(
    model: str,
    path: Path,
    geometry: "Geometry",
    sample_id: int | None,
    stated: "Stated",
    tables: Sequence[Path],
) -> Activity:
    """Return how active and how telling every neuron is.

    stated, tables: of the graph's folder and the activations', whose run the samples must be of; a
    trace is of none.
    """
    from gelu.artifacts import read_samples_or_trace
    from gelu.plots.graph import GraphView
    from gelu.samples.sample_ids import describe_samples
    from gelu.statistics.information import activity_entropy, activity_surprisal

    sample_ids, activations = read_samples_or_trace(path, geometry.n_neurons)
    if sample_ids is None:
        sample_ids = [0]
    elif not sample_ids:
        raise UserError(f"{path}: holds no samples")
    else:
        _check_run(path, sample_ids, activations, geometry, stated, tables)
    if sample_id is not None and sample_id not in sample_ids:
        raise UserError(f"--sample_id {sample_id}: not there; {describe_samples(sample_ids)}")
    n_samples, counts = len(sample_ids), activations.counts()
    view = GraphView(model, n_samples, sample_id)
    frequency = counts / n_samples
    if n_samples > 1 and sample_id is None:
        bits = activity_entropy(counts, n_samples)
        return Activity(view, frequency, _telling(path, bits, counts > 0), None)
    row = 0 if sample_id is None else sample_ids.index(sample_id)
    active = activations.rows([row])[0]
    bits = activity_surprisal(counts, n_samples, active)
    return Activity(view, frequency, _telling(path, bits, active, view.lone), active)


def _check_run(
    path: Path,
    sample_ids: list[int],
    activations: "PackedActivations",
    geometry: "Geometry",
    stated: "Stated",
    tables: Sequence[Path],
) -> None:
    """Refuse samples that are not those of the files beside the graph, or beside themselves."""
    from gelu.artifacts import read_dataset
    from gelu.samples.matching import (
        check_counts,
        check_stated,
        check_table,
        check_totals,
        match_samples,
    )

    check_stated(stated)
    check_totals(sample_ids, activations.counts(), stated, path)
    for table_path in [it for it in tables if it.is_file()]:
        table = read_dataset(table_path)
        check_table(table, table_path, stated)
        matched = match_samples(table, table_path, sample_ids, activations, path)
        check_counts(matched.table, table_path, matched.activations, geometry, path)


def _telling(
    path: Path,
    bits: "NDArray[np.float64]",
    active: "NDArray[np.bool_]",
    alone: bool = False,
) -> "NDArray[np.float64]":
    """Return the bits, or 1 for each active neuron where the samples tell none from another."""
    if bits.any():
        return bits
    if not active.any():
        raise UserError(f"{path}: no neuron is active, so there is no graph to draw")
    if not alone:
        print(f"note: {path}: all samples are alike; active neurons count alike", file=sys.stderr)
    return active.astype(float)


def _choose(
    path: Path,
    attributes: Path,
    geometry: "Geometry",
    activity: Activity,
    max_nodes: int,
    max_edges: int,
) -> "tuple[Subgraph, int]":
    """Return the subgraph to draw, and how many edges the list has.

    The list is read twice, once for the neurons and once for the edges among them; without weights
    the neurons do not depend on it.
    """
    from gelu.artifacts import edges_have_weights
    from gelu.graph.subgraph import (
        EdgeCandidates,
        EdgesAmong,
        Subgraph,
        choose_neurons,
        neuron_table,
    )

    bits = activity.bits
    candidates = EdgeCandidates(bits, geometry)
    if edges_have_weights(path):
        _stream(path, attributes, geometry, candidates.add, "choosing neurons")
    else:
        print(f"note: {path} has no weights: neurons are chosen without it", file=sys.stderr)
    neurons = choose_neurons(bits, geometry, candidates.best(), max_nodes)
    among = EdgesAmong(neurons, bits, geometry, max_edges)
    n_edges = _stream(path, attributes, geometry, among.add, "choosing edges")
    table = neuron_table(neurons, activity.frequency, bits, geometry)
    return Subgraph(table, among.table()), n_edges


def _stream(
    path: Path,
    attributes: Path,
    geometry: "Geometry",
    add: "Callable[[EdgeBlock], None]",
    description: str,
) -> int:
    """Hand every block of the edge list to `add`; return how many edges there are."""
    from gelu.artifacts import read_edge_blocks
    from gelu.progress import progress_bar

    n_edges = 0
    with progress_bar(description, path.stat().st_size, "B", scale=True) as bar:
        bar.leave = False  # where a line is wrong, the error stands alone
        for block in read_edge_blocks(path, geometry, bar.update, attributes):
            add(block)
            n_edges += len(block.sources)
        bar.leave = True
    return n_edges


def _write(
    files: "Artifacts",
    geometry: "Geometry",
    activity: Activity,
    subgraph: "Subgraph",
    n_edges: int,
) -> None:
    """Write the two pictures and the two graph files, and say so."""
    from gelu import artifacts
    from gelu.graph.subgraph import to_networkx
    from gelu.plots.figures import png_bytes
    from gelu.plots.graph import layered_figure, neurons_figure

    shape = (geometry.n_layer, geometry.d_mlp)
    active = None if activity.active is None else activity.active.reshape(shape)
    cells = neurons_figure(activity.view, activity.frequency.reshape(shape), active)
    layers = layered_figure(activity.view, subgraph, geometry.n_layer, n_edges)
    graph = to_networkx(subgraph)
    paths = [
        artifacts.write_picture(files.path(artifacts.NEURONS_PICTURE), png_bytes(cells)),
        artifacts.write_picture(files.path(artifacts.GRAPH_PICTURE), png_bytes(layers)),
        artifacts.write_graphml(files.path(artifacts.GRAPHML), graph),
        artifacts.write_gexf(files.path(artifacts.GEXF), graph),
    ]
    print("\n".join(map(str, paths)))
    print(f"{len(subgraph.neurons):,} of {geometry.n_neurons:,} neurons")
    print(f"{len(subgraph.edges):,} of {n_edges:,} edges")


if __name__ == "__main__":
    run_script(main)
