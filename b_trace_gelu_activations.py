"""The neurons of a model that are active at the last token of one text.

Example:
  python b_trace_gelu_activations.py --model_type gpt2-demo \\
      --input_text "I think love is" --output_dir activations

A neuron is active where its activation function's output is > 0. Prints how many are active in each
layer and the five likeliest next tokens. Writes {m}_activations.pkl (a NumPy uint8 vector, 1 where
active, by neuron id) and {m}_active_neurons.txt (the active ids, one a line).
"""

from gelu.cli import (
    add_device_argument,
    add_model_argument,
    add_output_argument,
    build_parser,
    run_script,
)


def main() -> None:
    """Parse the command line and trace the text."""
    parser = build_parser(__doc__)
    add_model_argument(parser)
    parser.often.add_argument(
        "--input_text", default="Hello, how are you?", help="the text to read"
    )
    add_output_argument(parser, "--output_dir", "folder for the two files", "activations")
    add_device_argument(parser)
    arguments = parser.parse_args()

    from gelu.generation.trace import write_trace

    written = write_trace(
        arguments.input_text, arguments.output_dir, arguments.model_type, arguments.device
    )
    print(*written.lines, *written.paths, sep="\n")


if __name__ == "__main__":
    run_script(main)
