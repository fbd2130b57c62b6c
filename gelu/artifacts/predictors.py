"""What a learned predictor is kept in.

The weights are a safetensors file, the rest is JSON: nothing in them can run.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gelu.artifacts.files import is_there, write_bytes
from gelu.errors import UserError

if TYPE_CHECKING:
    import torch

# Of a saved predictor: 1 was the network alone.
PREDICTOR_FORMAT = 2


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
