"""The graph of all MLP neurons of a model: an edge list and a table of the neurons.

Example:
  python a_generate_gelu_graph.py --model_type gpt2-demo --output_dir gelu_graph

Writes {m}_neuron_attributes.csv (node_id,layer,dimension) and {m}_neuron_edges.el:
  full       every neuron of a layer to every neuron of the next, `source target`; needs no weights
  strongest  each neuron's --top_edges edges of largest |weight|, `source target weight`, where the
             weight is what one unit of the source's activation adds to the target's
             pre-activation through the residual stream; loads the model
"""

from gelu.cli import (
    add_device_argument,
    add_edge_arguments,
    add_model_argument,
    add_output_argument,
    build_parser,
    run_script,
)
from gelu.limits import EDGE_KINDS


def main() -> None:
    """Parse the command line and write the graph."""
    parser = build_parser(__doc__)
    add_model_argument(parser)
    add_output_argument(parser, "--output_dir", "folder for the two files", "gelu_graph")
    add_edge_arguments(parser, kinds=EDGE_KINDS, default="full")
    add_device_argument(parser)
    arguments = parser.parse_args()

    from gelu.graph.output import write_graph

    written = write_graph(
        arguments.output_dir,
        arguments.model_type,
        arguments.edges,
        arguments.top_edges,
        arguments.device,
    )
    print(*written.lines, sep="\n")


if __name__ == "__main__":
    run_script(main)
