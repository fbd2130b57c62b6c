"""One text read by a model: the neurons at its last token, and the tokens likeliest to come.

trace = trace_text("I think love is", "gpt2-demo")
trace.layers                            # how many neurons of each layer are active
written = write_trace("I think love is", "activations", "gpt2-demo")
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from gelu.artifacts import TRACE_FILES
from gelu.limits import DEVICE, require, text
from gelu.model.config import read_geometry
from gelu.model.loading import load_model, pick_device
from gelu.model.outputs import output_files
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
class WrittenTrace:
    """paths: of the vector and of the list of ids; lines: layers and likeliest tokens, as text."""

    trace: TextTrace
    paths: tuple[Path, ...]

    @property
    def lines(self) -> list[str]:
        """How many neurons are active, in each layer and in all, and the likeliest tokens."""
        active = self.trace.active
        tokens = self.trace.likeliest[["token", "probability"]].itertuples(index=False)
        return [
            *(
                f"layer {layer}: {found:,} of {neurons:,} neurons active"
                for layer, found, neurons in self.trace.layers.itertuples(index=False)
            ),
            f"all layers: {int(active.sum()):,} of {active.size:,} neurons active",
            "likeliest next tokens:",
            *(f"  {probability:6.1%}  {token!r}" for token, probability in tokens),
        ]


@dataclass(frozen=True)
class ReadText:
    """A text as its model's tokens; no weights are loaded yet."""

    source: ModelSource
    geometry: Geometry
    tokenizer: Any
    token_ids: tuple[int, ...]


def _read_text(input_text: str, model_type: str | ModelSource, device: str) -> ReadText:
    """Return the text's tokens; `UserError` for a text that the model cannot read."""
    require("device", device, DEVICE)
    require("input_text", input_text, text)
    source = find_model(model_type)
    geometry = read_geometry(source)
    tokenizer = load_tokenizer(source)
    token_ids = encode_text(tokenizer, input_text, geometry, "`input_text`")
    return ReadText(source, geometry, tokenizer, token_ids)


def trace_text(
    input_text: str, model_type: str | ModelSource = "gpt2", device: str = "auto"
) -> TextTrace:
    """Return which neurons are active at the text's last token, and what comes next.

    Raises `UserError` for a text that the model cannot read, and where it cannot be loaded.
    """
    return _trace_tokens(_read_text(input_text, model_type, device), device)


def write_trace(
    input_text: str,
    output_dir: str | Path,
    model_type: str | ModelSource = "gpt2",
    device: str = "auto",
) -> WrittenTrace:
    """Trace a text and write its active neurons, as a vector and as a list of ids.

    Raises `UserError` as `trace_text` does, and for a folder that cannot be written to, before the
    model is loaded.
    """
    read = _read_text(input_text, model_type, device)
    files = output_files(output_dir, "output_dir", read.source, TRACE_FILES)
    trace = _trace_tokens(read, device)
    return WrittenTrace(trace, files.write_trace(trace.active))


def _trace_tokens(read: ReadText, device: str) -> TextTrace:
    model = load_model(read.source, pick_device(device))
    neurons, logits = after_last_token(model, read.token_ids)
    active, geometry = neurons.cpu().numpy(), read.geometry
    by_layer = active.reshape(geometry.n_layer, geometry.d_mlp).sum(axis=1)
    layers = pd.DataFrame(
        {"layer": np.arange(geometry.n_layer), "active": by_layer, "neurons": geometry.d_mlp}
    )
    return TextTrace(active, layers, _likeliest(logits, read.tokenizer))


def _likeliest(logits: torch.Tensor, tokenizer: Any) -> pd.DataFrame:
    chances = logits.float().softmax(dim=-1).cpu()
    best = chances.topk(min(N_LIKELIEST, len(chances)))
    ids = best.indices.tolist()
    tokens = [decode_token(tokenizer, token_id) for token_id in ids]
    return pd.DataFrame({"token_id": ids, "token": tokens, "probability": best.values.tolist()})
