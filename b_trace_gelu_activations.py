"""The neurons of a GPT-2 that are active at the last token of one text.

Example:
  python b_trace_gelu_activations.py --model_type gpt2-demo \\
      --input_text "I think love is" --output_dir activations

A neuron is active where its value after the GELU is > 0. Prints how many are active in each layer
and the five likeliest next tokens. Writes {m}_activations.pkl (a NumPy uint8 vector, 1 where
active, by neuron id) and {m}_active_neurons.txt (the active ids, one a line).
"""

from typing import TYPE_CHECKING, Any

from gelu.cli import add_device_argument, add_model_argument, build_parser, run_script

if TYPE_CHECKING:
    pass

N_LIKELIEST = 5


def main() -> None:
    """Parse the command line and trace the text."""
    parser = build_parser(__doc__)
    add_model_argument(parser)
    parser.add_argument("--input_text", default="Hello, how are you?", help="the text to read")
    parser.add_argument("--output_dir", default="activations", help="folder for the two files")
    add_device_argument(parser)
    arguments = parser.parse_args()
    trace(arguments.model_type, arguments.input_text, arguments.output_dir, arguments.device)


def trace(model_type: str, input_text: str, output_dir: str, device: str) -> None:
    """Trace one text through one model: print the counts, write the active neurons."""
    from gelu.artifacts import TRACE_IDS, TRACE_VECTOR, output_files
    from gelu.model.config import read_geometry
    from gelu.model.loading import load_model, pick_device
    from gelu.model.recording import after_last_token
    from gelu.model.source import find_model
    from gelu.model.tokenizer import encode_text, load_tokenizer

    source = find_model(model_type)
    geometry = read_geometry(source)
    tokenizer = load_tokenizer(source)
    token_ids = encode_text(tokenizer, input_text, geometry, "`input_text`")
    files = output_files(
        output_dir, "output_dir", source.name, [TRACE_VECTOR, TRACE_IDS], source.files()
    )
    model = load_model(source, pick_device(device))
    active, logits = after_last_token(model, token_ids)
    _print_layers(active.cpu().numpy().reshape(geometry.n_layer, geometry.d_mlp))
    _print_likeliest(tokenizer, logits.float().softmax(dim=-1).cpu())
    for path in files.write_trace(active.cpu().numpy()):
        print(path)


def _print_layers(active: Any) -> None:
    for layer, row in enumerate(active):
        print(f"layer {layer}: {int(row.sum()):,} of {row.size:,} neurons active")
    print(f"all layers: {int(active.sum()):,} of {active.size:,} neurons active")


def _print_likeliest(tokenizer: Any, probabilities: Any) -> None:
    from gelu.model.tokenizer import decode_token

    likeliest = probabilities.topk(min(N_LIKELIEST, len(probabilities)))
    print("likeliest next tokens:")
    for probability, token_id in zip(*map(list, likeliest), strict=True):
        print(f"  {float(probability):6.1%}  {decode_token(tokenizer, int(token_id))!r}")


if __name__ == "__main__":
    run_script(main)
