"""Names of the files of what is learned, and what a learned predictor is kept in.

The weights are a safetensors file, the rest is JSON: nothing in them can run.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gelu.artifacts.files import is_there, write_bytes
from gelu.errors import UserError

if TYPE_CHECKING:
    import torch

ACTIVATION_PREDICTION = "activation_prediction.json"
ACTIVATION_PREDICTION_LAYERS = "activation_prediction_by_layer.csv"
ACTIVATION_PREDICTION_NEURONS = "activation_prediction_by_neuron.csv"
ACTIVATION_PREDICTION_RELIABILITY = "activation_prediction_reliability.csv"
ACTIVATION_PREDICTION_PICTURE = "activation_prediction.png"
ACTIVATION_PREDICTOR = "activation_predictor.json"
ACTIVATION_PREDICTOR_WEIGHTS = "activation_predictor.safetensors"
# Of a saved predictor: 1 was the network alone.
PREDICTOR_FORMAT = 2
PREDICTED_NEURONS = "predicted_neurons.csv"
NEXT_TOKEN = "next_token_prediction.json"
NEXT_TOKEN_SCORES = "next_token_prediction.csv"
NEXT_TOKEN_NEURONS = "next_token_neurons.csv"
NEXT_TOKEN_DIRECT = "next_token_direct_path.csv"
NEXT_TOKEN_PICTURE = "next_token_prediction.png"
FINDINGS_REPORT = "findings.html"


def write_tensors(path: Path, tensors: "Mapping[str, torch.Tensor]") -> Path:
    """Write tensors as safetensors; equal tensors give equal bytes."""
    from safetensors.torch import save

    content = save({name: tensor.contiguous().cpu() for name, tensor in tensors.items()})
    write_bytes(path, [content], len(content))
    return path


def read_tensors(path: Path) -> "dict[str, torch.Tensor]":
    """Return the tensors of a safetensors file; `UserError` where it is missing or damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not is_there(path):
        raise UserError(f"{path}: no such file; learn with `dataset_dir` first")
    try:
        tensors: dict[str, torch.Tensor] = load_file(path)
    except SafetensorError as error:
        raise UserError(f"{path}: not a safetensors file ({error})") from None
    return tensors
