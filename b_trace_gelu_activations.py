"""The neurons of a GPT-2 that are active at the last token of one text.

Example:
  python b_trace_gelu_activations.py --model_type gpt2-demo \\
      --input_text "I think love is" --output_dir activations

A neuron is active where its value after the GELU is > 0. Prints how many are active in each layer
and the five likeliest next tokens. Writes {m}_activations.pkl (a NumPy uint8 vector, 1 where
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
    trace(arguments.model_type, arguments.input_text, arguments.output_dir, arguments.device)


def trace(model_type: str, input_text: str, output_dir: str, device: str) -> None:
    """Trace one text through one model: print the counts, write the active neurons."""
    from gelu.artifacts import TRACE_IDS, TRACE_VECTOR
    from gelu.generation.trace import read_text, trace_tokens
    from gelu.model.outputs import output_files

    text, endings = read_text(input_text, model_type), [TRACE_VECTOR, TRACE_IDS]
    files = output_files(output_dir, "output_dir", text.source, endings)
    traced = trace_tokens(text, device)
    for layer, active, neurons in traced.layers.itertuples(index=False):
        print(f"layer {layer}: {active:,} of {neurons:,} neurons active")
    print(f"all layers: {int(traced.active.sum()):,} of {traced.active.size:,} neurons active")
    print("likeliest next tokens:")
    for token, probability in traced.likeliest[["token", "probability"]].itertuples(index=False):
        print(f"  {probability:6.1%}  {token!r}")
    for path in files.write_trace(traced.active):
        print(path)


if __name__ == "__main__":
    run_script(main)
