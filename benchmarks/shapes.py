"""GPT-2s of the real shapes with random weights: speed does not depend on the values."""

from typing import Any

import torch
from transformers import GPT2Config, GPT2LMHeadModel

HEADS = {"gpt2": 12, "gpt2-medium": 16, "gpt2-large": 20, "gpt2-xl": 25}


def random_gpt2(name: str, seed: int = 0) -> Any:
    """Return a `GPT2LMHeadModel` of the named size with seeded random weights, on the CPU."""
    from gelu.model.source import HUB_GEOMETRIES

    geometry = HUB_GEOMETRIES[name]
    torch.manual_seed(seed)
    config = GPT2Config(n_layer=geometry.n_layer, n_embd=geometry.n_embd, n_head=HEADS[name])
    return GPT2LMHeadModel(config).eval()
