"""Do the readout's weights agree with what the model itself adds to each token's logit?

    direct = direct_path(w_out, final_scale, unembedding)
    table = compare_weights(readout_weights, direct, layers, seed)

What one unit of a neuron's activation adds to a token's logit by the direct path, through the
residual stream alone, is `W_out[neuron] . (ln_f.weight * W_U[token])` (Elhage et al. 2021); the
final norm's own scale, one factor for a whole sample, is left out, and a layer norm's subtraction
of the mean is taken off W_out. The null deals the neurons of a layer out anew, or the tokens.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

DRAWS = 1000

Floats = NDArray[np.floating]


def direct_path(
    w_out: Floats, final_scale: Floats, unembedding: Floats, centring: bool = True
) -> NDArray[np.float32]:
    """Return what each neuron adds to each token's logit, (w, C), the mean over tokens taken off.

    w_out: (w, n_embd); final_scale: (n_embd,), the last norm's weight; unembedding: (C, n_embd).
    centring: whether that norm takes the mean off, as a layer norm does and an RMS norm does not.
    """
    written = w_out - w_out.mean(axis=1, keepdims=True) if centring else w_out
    added = (written * final_scale) @ unembedding.T
    return np.asarray(added - added.mean(axis=1, keepdims=True), np.float32)


def compare_weights(
    readout: Floats, direct: Floats, layers: NDArray[np.int64], seed: int, draws: int = DRAWS
) -> pd.DataFrame:
    """Return a row for each layer: how alike readout and direct path are, and by chance.

    readout, direct: (w, C), a row for each neuron; layers: (w,). correlation is the mean over a
    layer's neurons of Pearson's over tokens; null_neurons and null_tokens are its mean and standard
    deviation when neurons, or tokens, are dealt out anew `draws` times, with one-sided p-values.
    Neurons whose weights are all equal in one of the two are left out.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for layer in np.unique(layers):
        here = layers == layer
        mine, theirs = _normed(readout[here]), _normed(direct[here])
        usable = (mine != 0).any(axis=1) & (theirs != 0).any(axis=1)
        rows.append(
            {"layer": int(layer), **_compared(mine[usable], theirs[usable], rng, draws)},
        )
    return pd.DataFrame(rows)


def _compared(mine: Floats, theirs: Floats, rng: np.random.Generator, draws: int) -> dict[str, Any]:
    n_neurons = len(mine)
    if n_neurons < 2:
        return {"n_neurons": n_neurons}
    between_neurons = mine @ theirs.T
    between_tokens = mine.T @ theirs / n_neurons
    own = np.diagonal(between_neurons).astype(np.float64)
    result: dict[str, Any] = {
        "n_neurons": n_neurons,
        "n_tokens": mine.shape[1],
        "correlation": float(own.mean()),
        "share_positive": float((own > 0).mean()),
    }
    for name, pairs, total in (
        ("neurons", between_neurons, n_neurons),
        ("tokens", between_tokens, 1),
    ):
        order = np.arange(len(pairs))
        null = np.array([pairs[order, rng.permutation(order)].sum() for _ in range(draws)]) / total
        result[f"null_{name}_mean"] = float(null.mean())
        result[f"null_{name}_sd"] = float(null.std())
        result[f"p_{name}"] = float((1 + (null >= result["correlation"]).sum()) / (1 + draws))
    return result


def _normed(weights: Floats) -> NDArray[np.float32]:
    """Return the rows with mean 0 and length 1, 0 for a row without variance."""
    centred = weights - weights.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    # What rounding leaves of equal numbers is no variance.
    usable = length > 1e-6 * np.abs(weights).max(initial=1e-30)
    return np.where(usable, centred / np.maximum(length, 1e-30), 0).astype(np.float32)


def token_carriers(
    readout: Floats,
    direct: Floats | None,
    neurons: NDArray[np.int64],
    tokens: Sequence[int],
    strength: Floats,
    each: int = 5,
) -> pd.DataFrame:
    """Return the `each` neurons that speak most for each token, strongest first.

    readout, direct: (w, C); neurons: (w,) ids; tokens: (C,), numbers that stand for the tokens;
    strength: (w,), the standard deviation of each neuron's activity. effect is weight times that.
    direct_rank is the neuron's place among those given when ordered by the direct path's weight for
    that token, 1 for the largest; without `direct` it is left out.
    """
    effect = readout * strength[:, None]
    frames = []
    for column, token in enumerate(tokens):
        best = np.argsort(-effect[:, column], kind="stable")[:each]
        frame = {
            "token_id": [int(token)] * len(best),
            "neuron_id": neurons[best],
            "readout_weight": readout[best, column],
            "readout_effect": effect[best, column],
        }
        if direct is not None:
            values = direct[best, column]
            frame["direct_weight"] = values
            frame["direct_rank"] = 1 + (direct[:, column][None] > values[:, None]).sum(axis=1)
        frames.append(pd.DataFrame(frame))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
