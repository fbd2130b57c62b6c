"""A GPT-2 made of the numbers of its `config.json` and the tensors of its checkpoint."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import torch

from gelu.errors import UserError
from gelu.model.config import config_number
from gelu.model.gpt2 import GPT2, Architecture
from gelu.neurons import Geometry


def architecture_of(config: Mapping[str, Any], geometry: Geometry, place: str) -> Architecture:
    """Return what the configuration says of the computation; `UserError` for what is no GPT-2."""
    if config.get("add_cross_attention"):
        raise UserError(f"{place}: add_cross_attention is on; this is no model of text alone")
    names = [
        field.name for field in fields(Architecture) if field.name not in ("geometry", "n_head")
    ]
    stated = {name: config[name] for name in names if config.get(name) is not None}
    n_head = config_number(config, place, "n_head", "num_attention_heads", default=12)
    try:
        return Architecture(geometry, n_head, **stated)
    except (ValueError, TypeError) as error:
        raise UserError(f"{place}: {error}") from None


def build_gpt2(
    architecture: Architecture, tensors: dict[str, torch.Tensor], device: str, dtype: str
) -> tuple[GPT2 | None, list[str]]:
    """Return the model with these weights, or None and which tensors are missing or misshapen."""
    _name_as_modules(tensors, architecture.tie_word_embeddings)
    with torch.device("meta"):
        model = GPT2(architecture)
    lacking = _unloaded(tensors, model.state_dict())
    if lacking:
        return None, lacking
    kept = {name: tensors[name].to(device, getattr(torch, dtype)) for name in model.state_dict()}
    model.load_state_dict(kept, assign=True)
    model.tie_weights()
    return model, []


def _name_as_modules(tensors: dict[str, torch.Tensor], tied: bool) -> None:
    """Rename tensors of a checkpoint without head: OpenAI's own start at `wte.weight`."""
    for name in list(tensors):
        if not name.startswith(("transformer.", "lm_head.")):
            tensors[f"transformer.{name}"] = tensors.pop(name)
    if tied and "transformer.wte.weight" in tensors:
        tensors["lm_head.weight"] = tensors["transformer.wte.weight"]


def _unloaded(tensors: Mapping[str, torch.Tensor], needed: Mapping[str, torch.Tensor]) -> list[str]:
    # Whole numbers are quantised weights: without their scale they mean nothing.
    return sorted(
        name
        for name, tensor in needed.items()
        if name not in tensors
        or tensors[name].shape != tensor.shape
        or not tensors[name].is_floating_point()
    )
