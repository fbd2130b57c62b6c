"""A bound on the tail of a count over all circular shifts within completions.

    p_values = shift_bound(labelled, active, completions)

Each completion's activity is turned in a circle by an offset of its own, all offsets as likely. The
count of samples that are labelled and active is then a sum of independent terms, each of which
takes as many values as its completion has tokens; the chance of so many or more is at most
exp(-t k) times the product of the means of exp(t term), for every t > 0 (Chernoff 1952, *Annals of
Mathematical Statistics* 23). The bound is the least over a grid of t. It is exact where no shift
gives more, and there far below what a variance tells: a neuron that is on for half of a completion
has but one offset in many at which it fits.
"""

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from gelu.samples.completions import Completions

TILTS = np.geomspace(1 / 64, 64, 25)
BLOCK_VALUES = 1 << 21


def shift_bound(
    labelled: NDArray[np.bool_], active: NDArray[np.bool_], completions: Completions
) -> NDArray[np.float64]:
    """Return an upper bound on each pair's p-value, (pairs,).

    labelled, active: (n, pairs), the label's samples and the neuron's.
    """
    step = max(1, BLOCK_VALUES // max(1, completions.n_samples))
    parts = [
        _bound(labelled[:, first : first + step], active[:, first : first + step], completions)
        for first in range(0, labelled.shape[1], step)
    ]
    return np.concatenate([np.empty(0), *parts])


def _bound(
    labelled: NDArray[np.bool_], active: NDArray[np.bool_], completions: Completions
) -> NDArray[np.float64]:
    log_tail = np.zeros((len(TILTS), labelled.shape[1]))
    for _, rows in completions.by_length():
        counts = _turned(labelled[rows], active[rows])
        most = counts.max(axis=1)
        # exp of differences from the largest, so that nothing overflows.
        below = counts - most[:, None]
        excess = (most - counts[:, 0]).sum(axis=0)
        for number, tilt in enumerate(TILTS):
            log_tail[number] += np.log(np.exp(tilt * below).mean(axis=1)).sum(axis=0)
            log_tail[number] += tilt * excess
    return np.asarray(np.exp(np.minimum(log_tail.min(axis=0), 0.0)))


def _turned(labelled: NDArray[np.bool_], active: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return how many samples are labelled and active after each shift, (completions, shifts,
    pairs), the first shift being none; labelled, active: (completions, length, pairs)."""
    length = labelled.shape[1]
    first = scipy.fft.rfft(labelled.astype(np.float32), axis=1)
    second = scipy.fft.rfft(active.astype(np.float32), axis=1)
    turned = scipy.fft.irfft(first * second.conj(), n=length, axis=1)
    return np.rint(turned).astype(np.float64)
