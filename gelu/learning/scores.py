"""How good predicted probabilities of neurons are: log-loss, ranking, calibration.

    counts = score_counts(logits, active)           # one pass, memory of fixed size
    ranking = rank_scores(counts)                   # AUC and average precision per neuron
    table = reliability(counts.sum(axis=1))

Ranking and calibration are taken from histograms of the logits in steps of 1/32, so that any number
of samples takes the same memory. Logits in one step count as equal.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LOGIT_LIMIT, STEPS_PER_UNIT = 16, 32
N_BINS = 2 * LOGIT_LIMIT * STEPS_PER_UNIT
RELIABILITY_BINS = 20
BITS = 1 / np.log(2)

Floats = NDArray[np.floating]


def logit(probability: Floats) -> Floats:
    """Return log(p / (1 - p)), at most `LOGIT_LIMIT` away from 0."""
    clipped = np.clip(probability, 1e-7, 1 - 1e-7)
    return np.clip(np.log(clipped / (1 - clipped)), -LOGIT_LIMIT, LOGIT_LIMIT)


def log_loss_bits(logits: Floats, active: NDArray[np.bool_]) -> Floats:
    """Return -log2 of the probability given to what was the case, elementwise."""
    # log(1 + exp(z)) without overflow; the sign of z says which outcome it stands for.
    signed = np.where(active, -logits, logits)
    loss: Floats = (np.maximum(signed, 0) + np.log1p(np.exp(-np.abs(signed)))) * BITS
    return loss


def score_counts(logits: Floats, active: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return how often each neuron's logit fell in each step, (2, w, N_BINS).

    logits, active: (m, w). Entry [0] counts where the neuron was not active, [1] where it was.
    """
    width = logits.shape[1]
    steps = np.floor((logits + LOGIT_LIMIT) * STEPS_PER_UNIT).astype(np.int32)
    np.clip(steps, 0, N_BINS - 1, out=steps)
    steps += np.arange(width, dtype=np.int32) * N_BINS
    steps += active * np.int32(width * N_BINS)
    counts = np.bincount(steps.reshape(-1), minlength=2 * width * N_BINS)
    return counts.reshape(2, width, N_BINS)


@dataclass(frozen=True)
class RankScores:
    """auc: (w,), chance that an active sample is ranked above an inactive one, ties half;
    average_precision: (w,). NaN for a neuron that is always or never active."""

    auc: NDArray[np.float64]
    average_precision: NDArray[np.float64]


def rank_scores(counts: NDArray[np.int64]) -> RankScores:
    """Return the ranking scores of each neuron; counts: of `score_counts`.

    Average precision is the sum over distinct logits, highest first, of the recall gained times the
    precision so far.
    """
    inactive, active = counts.astype(np.float64)
    n_inactive, n_active = inactive.sum(axis=1), active.sum(axis=1)
    below = inactive.cumsum(axis=1) - inactive / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        auc = (active * below).sum(axis=1) / (n_active * n_inactive)
        hits = active[:, ::-1].cumsum(axis=1)
        shown = hits + inactive[:, ::-1].cumsum(axis=1)
        precision = np.where(shown > 0, hits / np.maximum(shown, 1), 0)
        average = (precision * active[:, ::-1]).sum(axis=1) / n_active
    selective = (n_active > 0) & (n_inactive > 0)
    return RankScores(np.where(selective, auc, np.nan), np.where(selective, average, np.nan))


@dataclass(frozen=True)
class Reliability:
    """Predicted against observed, in `RELIABILITY_BINS` equal ranges of probability.

    n: (..., bins), predictions; predicted, observed: their mean and the share that was active, NaN
    for an empty range.
    """

    n: NDArray[np.int64]
    predicted: NDArray[np.float64]
    observed: NDArray[np.float64]

    def error(self) -> NDArray[np.float64]:
        """Return the expected calibration error (Naeini et al. 2015): mean distance of the two."""
        gap = np.nan_to_num(np.abs(self.predicted - self.observed))
        total = np.maximum(1, self.n.sum(axis=-1))
        return np.asarray((gap * self.n).sum(axis=-1) / total, np.float64)


def reliability(counts: NDArray[np.int64]) -> Reliability:
    """Return the reliability of counts (2, ..., N_BINS): of a neuron, or summed over many."""
    centre = (np.arange(N_BINS) + 0.5) / STEPS_PER_UNIT - LOGIT_LIMIT
    probability = 1 / (1 + np.exp(-centre))
    ranges = np.minimum((probability * RELIABILITY_BINS).astype(int), RELIABILITY_BINS - 1)
    starts = np.searchsorted(ranges, np.arange(RELIABILITY_BINS))
    both = counts.sum(axis=0)
    n = np.add.reduceat(both, starts, axis=-1)
    active = np.add.reduceat(counts[1], starts, axis=-1)
    expected = np.add.reduceat(both * probability, starts, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return Reliability(n, expected / n, active / n)
