"""Models of real shapes with random weights: speed does not depend on the values.

with model_folder("pythia-160m") as folder:     # or a folder, or a .gguf file, of a real model
    ...
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, GPT2Config

from gelu.model.source import HUB_GEOMETRIES

HEADS = {"gpt2": 12, "gpt2-medium": 16, "gpt2-large": 20, "gpt2-xl": 25}
# The config.json of each where it says more than the defaults of its family.
OTHERS: dict[str, dict[str, Any]] = {
    "pythia-160m": {
        "model_type": "gpt_neox",
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "max_position_embeddings": 2048,
        "vocab_size": 50304,
        "bos_token_id": 0,
        "eos_token_id": 0,
    },
    "opt-125m": {
        "model_type": "opt",
        "hidden_size": 768,
        "ffn_dim": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "max_position_embeddings": 2048,
        "vocab_size": 50272,
        "word_embed_proj_dim": 768,
        "bos_token_id": 2,
        "eos_token_id": 2,
    },
    "qwen2.5-0.5b": {
        "model_type": "qwen2",
        "hidden_size": 896,
        "intermediate_size": 4864,
        "num_hidden_layers": 24,
        "num_attention_heads": 14,
        "num_key_value_heads": 2,
        "max_position_embeddings": 32768,
        "vocab_size": 151936,
        "tie_word_embeddings": True,
        "bos_token_id": 151643,
        "eos_token_id": 151643,
    },
}
SHAPES = (*HEADS, *OTHERS)


def random_model(name: str, seed: int = 0) -> Any:
    """Return transformers' model of a shape with seeded random weights, on the CPU."""
    torch.manual_seed(seed)
    return AutoModelForCausalLM.from_config(_config(name), dtype=torch.float32).eval()


def _config(name: str) -> Any:
    if name in HEADS:
        geometry = HUB_GEOMETRIES[name]
        return GPT2Config(n_layer=geometry.n_layer, n_embd=geometry.n_embd, n_head=HEADS[name])
    settings = dict(OTHERS[name])
    return AutoConfig.for_model(settings.pop("model_type"), **settings)


@contextmanager
def model_folder(shape: str) -> Iterator[str]:
    """Yield a folder with a model: one of `SHAPES`, made for the time being, or what a path names.

    shape: a name of `SHAPES`, a folder as `save_pretrained` leaves it, or a `.gguf` file, which is
    converted to float32 and kept in the cache. Raises `ValueError` for anything else.
    """
    if shape in SHAPES:
        with tempfile.TemporaryDirectory() as folder:
            random_model(shape).save_pretrained(folder)
            yield folder
        return
    if Path(shape).is_dir():
        yield shape
    elif Path(shape).is_file():
        from gelu.model.gguf import converted_folder

        yield str(converted_folder(Path(shape).resolve()))
    else:
        raise ValueError(f"{shape}: no folder, no .gguf file, and none of {', '.join(SHAPES)}")


def shape_title(shape: str) -> str:
    """Return what a shape is called in a table: no folder of this machine."""
    return shape if shape in SHAPES else Path(shape).absolute().name.removesuffix(".gguf")
