"""How well neurons are predicted from tokens: every predictor on prompts it has not seen.

    strengths = choose_strengths(activations, contexts, parts, n_layer, bar.update)
    mixtures = choose_mixtures(activations, contexts, parts, strengths, network_logits, bar.update)
    learned = Learned(network_logits, mixtures)
    measured = measure(activations, n_layer, contexts, parts, strengths, learned, bar.update)
    layers, neurons = layer_table(measured), neuron_table(measured, geometry)

Neurons go by in blocks of all samples, unpacked from bits: memory does not grow with their number.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse
from numpy.typing import NDArray

from gelu.learning.backoff import GRID, Contexts, backed_off, base_rate, count_contexts
from gelu.learning.mixture import MOST_VALUES, Mixtures, fit_weights, mixed_steps
from gelu.learning.readout import subset
from gelu.learning.scores import (
    N_BINS,
    RELIABILITY_BINS,
    log_loss_bits,
    logit,
    rank_scores,
    reliability,
    score_counts,
)
from gelu.neurons import Geometry, dimension_of, layer_of, layer_range, layer_width
from gelu.packed import PackedActivations
from gelu.samples.splits import Parts, interval

BASELINES = ("base_rate", "token", "two_tokens")
LEARNED = ("learned", "learned_token_only", "learned_position_only")
PREDICTORS = BASELINES + LEARNED
KINDS = ("token", "mostly_token", "position", "context", "unpredicted", "constant")
# Of what the learned predictor saves, the share that one input alone must save to count as deciding
# the neuron, or most of it; and the share of the base rate's loss that it must save at all.
DECIDING_SHARE, MOST_SHARE, PREDICTED_SHARE = 0.8, 0.5, 0.1


@dataclass(frozen=True)
class Strengths:
    """Of the two back-offs in each layer, (n_layer,)."""

    token: NDArray[np.float32]
    pair: NDArray[np.float32]


@dataclass(frozen=True)
class NetworkLogits:
    """hidden: what the network's last layer reads, by predictor, (m, width); weights: (width,
    n_neurons); biases: (n_neurons,)."""

    hidden: Mapping[str, NDArray[np.float32]]
    weights: NDArray[np.float32]
    biases: NDArray[np.float32]

    def of(self, predictor: str, neurons: slice) -> NDArray[np.float32]:
        """Return the log-odds of these neurons, (m, w)."""
        product: NDArray[np.float32] = self.hidden[predictor] @ self.weights[:, neurons]
        return product + self.biases[neurons]


@dataclass(frozen=True)
class Learned:
    """The network, at the held-out rows, and how it is mixed with the counts."""

    network: NetworkLogits
    mixtures: Mixtures


@dataclass(frozen=True)
class Measured:
    """Results on held-out prompts, by predictor (axis 0, as in `PREDICTORS`).

    loss: (P, n_neurons), mean log-loss in bits; auc, average_precision, calibration_error: the
    same; frequency: (n_neurons,), in held-out samples. group_loss: (P, G, n_layer), sums over a
    prompt's samples of the layer's mean; group_size: (G,), samples. layer_counts: (P, 2, n_layer,
    N_BINS), as in `gelu.learning.scores.score_counts`.
    """

    loss: NDArray[np.float64]
    auc: NDArray[np.float64]
    average_precision: NDArray[np.float64]
    calibration_error: NDArray[np.float64]
    frequency: NDArray[np.float64]
    group_loss: NDArray[np.float64]
    group_size: NDArray[np.float64]
    layer_counts: NDArray[np.int64]


def choose_strengths(
    activations: PackedActivations,
    contexts: Contexts,
    parts: Parts,
    n_layer: int,
    done: Callable[[int], object],
) -> Strengths:
    """Return each layer's strengths with the least log-loss on the validation prompts.

    First the token's, then the pair's on top of it. `done` is called with numbers of neurons.
    """
    d_mlp = layer_width(activations.n_neurons, n_layer)
    losses = np.zeros((2, len(GRID), n_layer))
    for first, active in activations.neuron_blocks():
        layers = layer_of(np.arange(first, first + active.shape[1]), d_mlp)
        base = base_rate(active[parts.learn])
        truth = active[parts.validate]
        token = count_contexts(active, contexts.token, parts.learn, parts.validate)
        pair = count_contexts(active, contexts.pair, parts.learn, parts.validate)
        token_losses = [_loss_by_layer(token.rate(base, s), truth, layers, n_layer) for s in GRID]
        # Each pair strength is tried on the block's best token rate: all grid points would take
        # eight times as long and move the optimum little.
        best = GRID[int(np.argmin(np.sum(token_losses, axis=1)))]
        rate = token.rate(base, best)
        pair_losses = [_loss_by_layer(pair.rate(rate, s), truth, layers, n_layer) for s in GRID]
        losses[0] += np.array(token_losses)
        losses[1] += np.array(pair_losses)
        done(active.shape[1])
    grid = np.array(GRID, np.float32)
    return Strengths(grid[losses[0].argmin(axis=0)], grid[losses[1].argmin(axis=0)])


def _loss_by_layer(
    rates: NDArray[np.float32],
    truth: NDArray[np.bool_],
    layers: NDArray[np.int64],
    n_layer: int,
) -> NDArray[np.float64]:
    loss = log_loss_bits(logit(rates), truth).sum(axis=0)
    return np.bincount(layers, loss, minlength=n_layer).astype(np.float64)


def mixture_rows(validate: NDArray[np.int64], d_mlp: int) -> NDArray[np.int64]:
    """Return the rows that a layer's weights are fitted to: all, or an even choice of them."""
    most = max(1, MOST_VALUES // d_mlp)
    if len(validate) <= most:
        return validate
    return validate[np.linspace(0, len(validate) - 1, most).astype(np.int64)]


def choose_mixtures(
    activations: PackedActivations,
    contexts: Contexts,
    parts: Parts,
    strengths: Strengths,
    network: NetworkLogits,
    done: Callable[[int], object],
) -> Mixtures:
    """Return each layer's weights of counts and network, fitted on the validation prompts.

    network: at the rows that `mixture_rows` returns. `done` is called with numbers of neurons.
    """
    n_layer = len(strengths.token)
    d_mlp = layer_width(activations.n_neurons, n_layer)
    rows = mixture_rows(parts.validate, d_mlp)
    found: dict[str, list[NDArray[np.float32]]] = {predictor: [] for predictor in LEARNED}
    for layer in range(n_layer):
        both = (float(strengths.token[layer]), float(strengths.pair[layer]))
        values: dict[str, list[NDArray[np.float32]]] = {predictor: [] for predictor in LEARNED}
        truth = []
        ids = layer_range(layer, d_mlp)
        for first, active in subset(activations, np.array(ids)).neuron_blocks():
            start = ids.start + first
            neurons = slice(start, start + active.shape[1])
            rates = backed_off(active, contexts, parts.learn, rows, both)
            truth.append(active[rows])
            for predictor in LEARNED:
                base, steps = mixed_steps(predictor, rates, network.of(predictor, neurons))
                values[predictor].append(np.stack([np.broadcast_to(base, steps[0].shape), *steps]))
            done(active.shape[1])
        flat_truth = np.concatenate(truth, axis=1).reshape(-1)
        for predictor in LEARNED:
            joined = np.concatenate(values[predictor], axis=2)
            flat = joined.reshape(len(joined), -1)
            found[predictor].append(fit_weights(flat[0], list(flat[1:]), flat_truth))
    return Mixtures({predictor: np.stack(weights) for predictor, weights in found.items()})


def measure(
    activations: PackedActivations,
    n_layer: int,
    contexts: Contexts,
    parts: Parts,
    strengths: Strengths,
    learned: Learned,
    done: Callable[[int], object],
) -> Measured:
    """Return how well each predictor does on the held-out prompts.

    The baselines are counted on all training prompts. `done` is called with numbers of neurons.
    """
    n_groups = int(parts.held_out_groups.max()) + 1
    found = _empty(activations.n_neurons, n_layer, n_groups, parts)
    rows = np.arange(len(parts.held_out))
    shape = (n_groups, len(rows))
    members = scipy.sparse.csr_array((np.ones(len(rows)), (parts.held_out_groups, rows)), shape)
    d_mlp = layer_width(activations.n_neurons, n_layer)
    for first, active in activations.neuron_blocks():
        neurons = slice(first, first + active.shape[1])
        layers = layer_of(np.arange(first, neurons.stop), d_mlp)
        both = (strengths.token[layers], strengths.pair[layers])
        rates = backed_off(active, contexts, parts.training, parts.held_out, both)
        truth = active[parts.held_out]
        found.frequency[neurons] = truth.mean(axis=0)
        by_count = {"token": rates.token, "two_tokens": rates.pair}
        by_count["base_rate"] = np.broadcast_to(rates.base, truth.shape)
        for number, predictor in enumerate(PREDICTORS):
            if predictor in by_count:
                logits = logit(by_count[predictor])
            else:
                network = learned.network.of(predictor, neurons)
                logits = learned.mixtures.logits(predictor, layers, rates, network)
            _add(found, number, neurons, layers, members, logits, truth)
        done(active.shape[1])
    found.group_loss[:] /= d_mlp
    return found


def _empty(n_neurons: int, n_layer: int, n_groups: int, parts: Parts) -> Measured:
    n = len(PREDICTORS)
    return Measured(
        loss=np.full((n, n_neurons), np.nan),
        auc=np.full((n, n_neurons), np.nan),
        average_precision=np.full((n, n_neurons), np.nan),
        calibration_error=np.full((n, n_neurons), np.nan),
        frequency=np.zeros(n_neurons),
        group_loss=np.zeros((n, n_groups, n_layer)),
        group_size=np.bincount(parts.held_out_groups, minlength=n_groups).astype(np.float64),
        layer_counts=np.zeros((n, 2, n_layer, N_BINS), np.int64),
    )


def _add(
    found: Measured,
    number: int,
    neurons: slice,
    layers: NDArray[np.int64],
    members: scipy.sparse.csr_array,
    logits: NDArray[np.floating],
    truth: NDArray[np.bool_],
) -> None:
    """Enter one predictor's results for one block of neurons."""
    loss = log_loss_bits(logits, truth)
    found.loss[number, neurons] = loss.mean(axis=0, dtype=np.float64)
    counts = score_counts(logits, truth)
    ranks = rank_scores(counts)
    found.auc[number, neurons] = ranks.auc
    found.average_precision[number, neurons] = ranks.average_precision
    found.calibration_error[number, neurons] = reliability(counts).error()
    by_group = members @ loss.astype(np.float64)
    for layer in np.unique(layers):
        here = layers == layer
        found.group_loss[number, :, layer] += by_group[:, here].sum(axis=1)
        found.layer_counts[number, :, layer] += counts[:, here].sum(axis=1)


def layer_table(measured: Measured) -> pd.DataFrame:
    """Return a row for each predictor and layer, and one with layer `all`.

    log_loss_bits has a 95 % interval (low, high) over the n_prompts held-out prompts; saved_bits is
    the loss of the best counting baseline of that layer less this one's, with an interval over the
    prompts' differences. Averages over neurons leave out, for ranking, those that are always or
    never active in held-out samples.
    """
    n_layer = measured.group_loss.shape[2]
    rows = []
    for layer in (*range(n_layer), "all"):
        layers = slice(None) if layer == "all" else slice(int(layer), int(layer) + 1)
        group_loss = measured.group_loss[:, :, layers].mean(axis=2)
        means = group_loss.sum(axis=1) / measured.group_size.sum()
        best = int(np.argmin(means[: len(BASELINES)]))
        low, high = interval(group_loss.T, measured.group_size, "positive")
        saved_low, saved_high = interval((group_loss[best] - group_loss).T, measured.group_size)
        for number, predictor in enumerate(PREDICTORS):
            rows.append(
                {
                    "predictor": predictor,
                    "layer": layer,
                    "log_loss_bits": means[number],
                    "log_loss_low": low[number],
                    "log_loss_high": high[number],
                    "saved_bits": means[best] - means[number],
                    "saved_low": saved_low[number],
                    "saved_high": saved_high[number],
                    **_means_over_neurons(measured, number, layers),
                    "n_prompts": len(measured.group_size),
                }
            )
    return pd.DataFrame(rows)


def _means_over_neurons(measured: Measured, number: int, layers: slice) -> dict[str, float]:
    n_layer = measured.group_loss.shape[2]

    def mean(values: NDArray[np.float64]) -> float:
        chosen = values[number].reshape(n_layer, -1)[layers]
        return float(np.nanmean(chosen)) if np.isfinite(chosen).any() else float("nan")

    counts = measured.layer_counts[number][:, layers].sum(axis=1)
    return {
        "average_precision": mean(measured.average_precision),
        "auc": mean(measured.auc),
        "calibration_error": float(reliability(counts).error()),
    }


def neuron_table(measured: Measured, geometry: Geometry) -> pd.DataFrame:
    """Return a row for each neuron, by id: what decides it, and each predictor's scores."""
    ids = np.arange(geometry.n_neurons)
    columns = {
        "neuron_id": ids,
        "layer": layer_of(ids, geometry.d_mlp),
        "dimension": dimension_of(ids, geometry.d_mlp),
        "decided_by": decided_by(measured),
        "frequency_held_out": measured.frequency,
        **shares_alone(measured),
    }
    for name, values in (
        ("log_loss_bits", measured.loss),
        ("average_precision", measured.average_precision),
        ("auc", measured.auc),
        ("calibration_error", measured.calibration_error),
    ):
        for number, predictor in enumerate(PREDICTORS):
            columns[f"{name}_{predictor}"] = values[number]
    return pd.DataFrame(columns)


def decided_by(measured: Measured) -> NDArray[np.str_]:
    """Return what decides each neuron, one of `KINDS`, (n_neurons,).

    token, position: `DECIDING_SHARE` of what the learned predictor saves over the base rate is also
    saved without the rest of the text (position, where both do: a neuron of the first position also
    follows from the first token); mostly_token: at least `MOST_SHARE`. context: less than that.
    unpredicted: it saves less than `PREDICTED_SHARE` of the base rate's loss. constant: always or
    never active in held-out samples.
    """
    base, learned = (measured.loss[PREDICTORS.index(name)] for name in ("base_rate", "learned"))
    token, position = shares_alone(measured).values()
    kinds = np.full(len(base), "context", dtype="U12")
    kinds[token >= MOST_SHARE] = "mostly_token"
    kinds[token >= DECIDING_SHARE] = "token"
    kinds[position >= DECIDING_SHARE] = "position"
    kinds[base - learned < PREDICTED_SHARE * base] = "unpredicted"
    kinds[(measured.frequency == 0) | (measured.frequency == 1)] = "constant"
    return kinds


def shares_alone(measured: Measured) -> dict[str, NDArray[np.float64]]:
    """Return how much of what is learned the token alone, and the position alone, saves.

    Two arrays (n_neurons,), 1 for all of it, NaN where the learned predictor saves nothing. The
    token's is that of counting or of what is learned from nothing else, whichever is better.
    """
    loss = dict(zip(PREDICTORS, measured.loss, strict=True))
    saved = loss["base_rate"] - loss["learned"]
    saved = np.where(saved > 0, saved, np.nan)
    token = np.minimum(loss["token"], loss["learned_token_only"])
    return {
        "share_token": (loss["base_rate"] - token) / saved,
        "share_position": (loss["base_rate"] - loss["learned_position_only"]) / saved,
    }


def reliability_table(measured: Measured) -> pd.DataFrame:
    """Return predicted against observed, a row for each predictor, layer and range that occurs."""
    edges = np.linspace(0, 1, RELIABILITY_BINS + 1)
    frames = []
    for number, predictor in enumerate(PREDICTORS):
        found = reliability(measured.layer_counts[number])
        for layer in range(found.n.shape[0]):
            frames.append(
                pd.DataFrame(
                    {
                        "predictor": predictor,
                        "layer": layer,
                        "range_start": edges[:-1],
                        "range_end": edges[1:],
                        "n": found.n[layer],
                        "predicted": found.predicted[layer],
                        "observed": found.observed[layer],
                    }
                )
            )
    table = pd.concat(frames)
    return table[table["n"] > 0].reset_index(drop=True)
