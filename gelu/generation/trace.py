"""One text read by a model: the neurons at its last token, and the tokens likeliest to come.

trace = trace_text("I think love is", "gpt2-demo")
trace.layers                            # how many neurons of each layer are active
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gelu.model.config import read_geometry
from gelu.model.loading import load_model, pick_device
from gelu.model.recording import after_last_token
from gelu.model.source import find_model
from gelu.model.tokenizer import decode_token, encode_text, load_tokenizer

N_LIKELIEST = 5


@dataclass(frozen=True)
class TextTrace:
    """active: (n_neurons,) bool. layers: layer, active, neurons. likeliest: token_id, token,
    probability, the likeliest first."""

    active: NDArray[np.bool_]
    layers: pd.DataFrame
    likeliest: pd.DataFrame


def trace_text(input_text: str, model_type: str = "gpt2", device: str = "auto") -> TextTrace:
    """Return which neurons are active at the text's last token, and what comes next.

    Raises `UserError` for a text that the model cannot read, and where it cannot be loaded.
    """
    source = find_model(model_type)
    geometry = read_geometry(source)
    tokenizer = load_tokenizer(source)
    token_ids = encode_text(tokenizer, input_text, geometry, "`input_text`")
    neurons, logits = after_last_token(load_model(source, pick_device(device)), token_ids)
    active = neurons.cpu().numpy()
    by_layer = active.reshape(geometry.n_layer, geometry.d_mlp).sum(axis=1)
    layers = pd.DataFrame(
        {"layer": np.arange(geometry.n_layer), "active": by_layer, "neurons": geometry.d_mlp}
    )
    chances = logits.float().softmax(dim=-1).cpu()
    best = chances.topk(min(N_LIKELIEST, len(chances)))
    ids = best.indices.tolist()
    tokens = [decode_token(tokenizer, token_id) for token_id in ids]
    likeliest = pd.DataFrame(
        {"token_id": ids, "token": tokens, "probability": best.values.tolist()}
    )
    return TextTrace(active, layers, likeliest)
