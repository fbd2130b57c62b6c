"""One text read by a model: the neurons at its last token, and the tokens likeliest to come.

trace = trace_text("I think love is", "gpt2-demo")
trace.layers                            # how many neurons of each layer are active
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from gelu.model.config import read_geometry
from gelu.model.loading import load_model, pick_device
from gelu.model.recording import after_last_token
from gelu.model.source import ModelSource, find_model
from gelu.model.tokenizer import decode_token, encode_text, load_tokenizer
from gelu.neurons import Geometry

N_LIKELIEST = 5


@dataclass(frozen=True)
class TextTrace:
    """active: (n_neurons,) bool. layers: layer, active, neurons. likeliest: token_id, token,
    probability, the likeliest first."""

    active: NDArray[np.bool_]
    layers: pd.DataFrame
    likeliest: pd.DataFrame


@dataclass(frozen=True)
class ReadText:
    """A text as its model's tokens; no weights are loaded yet."""

    source: ModelSource
    geometry: Geometry
    tokenizer: Any
    token_ids: tuple[int, ...]


def read_text(input_text: str, model_type: str) -> ReadText:
    """Return the text's tokens; `UserError` for a text that the model cannot read."""
    source = find_model(model_type)
    geometry = read_geometry(source)
    tokenizer = load_tokenizer(source)
    token_ids = encode_text(tokenizer, input_text, geometry, "`input_text`")
    return ReadText(source, geometry, tokenizer, token_ids)


def trace_text(input_text: str, model_type: str = "gpt2", device: str = "auto") -> TextTrace:
    """Return which neurons are active at the text's last token, and what comes next.

    Raises `UserError` for a text that the model cannot read, and where it cannot be loaded.
    """
    return trace_tokens(read_text(input_text, model_type), device)


def trace_tokens(text: ReadText, device: str) -> TextTrace:
    """Return what `trace_text` does, of a text that has been read."""
    model = load_model(text.source, pick_device(device))
    neurons, logits = after_last_token(model, text.token_ids)
    active, geometry = neurons.cpu().numpy(), text.geometry
    by_layer = active.reshape(geometry.n_layer, geometry.d_mlp).sum(axis=1)
    layers = pd.DataFrame(
        {"layer": np.arange(geometry.n_layer), "active": by_layer, "neurons": geometry.d_mlp}
    )
    return TextTrace(active, layers, _likeliest(logits, text.tokenizer))


def _likeliest(logits: torch.Tensor, tokenizer: Any) -> pd.DataFrame:
    chances = logits.float().softmax(dim=-1).cpu()
    best = chances.topk(min(N_LIKELIEST, len(chances)))
    ids = best.indices.tolist()
    tokens = [decode_token(tokenizer, token_id) for token_id in ids]
    return pd.DataFrame({"token_id": ids, "token": tokens, "probability": best.values.tolist()})
