"""The neurons of a GPT-2 that are active at the last token of one text.

Example:
  python b_trace_gelu_activations.py --model_type gpt2-demo \\
      --input_text "I think love is" --output_dir activations

A neuron is active where its value after the GELU is > 0. Prints how many are active in each layer
and the five likeliest next tokens. Writes {m}_activations.pkl (a NumPy uint8 vector, 1 where
active, by neuron id) and {m}_active_neurons.txt (the active ids, one a line).
"""

from typing import TYPE_CHECKING, Any

from gelu.cli import (
    add_device_argument,
    add_model_argument,
    add_output_argument,
    build_parser,
    run_script,
)
from gelu.errors import UserError

if TYPE_CHECKING:
    from gelu.neurons import Geometry

N_LIKELIEST = 5


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
    from gelu.artifacts import TRACE_IDS, TRACE_VECTOR, output_files
    from gelu.model.config import read_geometry
    from gelu.model.loading import load_model, pick_device
    from gelu.model.source import find_model
    from gelu.model.tokenizer import load_tokenizer

    source = find_model(model_type)
    geometry = read_geometry(source)
    tokenizer = load_tokenizer(source)
    token_ids = _encode(tokenizer, input_text, geometry)
    files = output_files(
        output_dir, "output_dir", source.name, [TRACE_VECTOR, TRACE_IDS], source.files()
    )
    model = load_model(source, pick_device(device))
    active, probabilities = _forward(model, token_ids)
    _print_layers(active.reshape(geometry.n_layer, geometry.d_mlp))
    _print_likeliest(tokenizer, probabilities)
    for path in files.write_trace(active):
        print(path)


def _encode(tokenizer: Any, text: str, geometry: "Geometry") -> tuple[int, ...]:
    from gelu.model.tokenizer import encode_text

    token_ids = encode_text(tokenizer, text, geometry, "`input_text`")
    if not token_ids:
        raise UserError("--input_text: the text is empty; give at least one character")
    if len(token_ids) > geometry.n_positions:
        raise UserError(
            f"--input_text: {len(token_ids)} tokens; the model has {geometry.n_positions} positions"
        )
    return token_ids


def _forward(model: Any, token_ids: tuple[int, ...]) -> tuple[Any, Any]:
    """Return (active neurons, next token's probabilities) at the last position, on the host."""
    import torch

    from gelu.model.hooks import GeluRecorder

    ids = torch.tensor([token_ids], device=model.device)
    with torch.inference_mode(), GeluRecorder(model, positions=-1) as recorder:
        logits = model(ids)[0].float()
    return recorder.take()[0].cpu().numpy(), logits.softmax(dim=-1).cpu()


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
