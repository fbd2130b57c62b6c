"""How much a neuron's being active tells about a label, in bits.

Mutual information of an active/inactive neuron and a label is estimated from counts, which is too
high by an amount that grows with the number of labels and falls with that of samples. The mean it
would have if the labels were dealt out anew is taken off: that of the hypergeometric model, exact,
as in the adjusted mutual information of Vinh, Epps and Bailey (2010, *JMLR* 11).
"""

import numpy as np
from numpy.typing import NDArray
from scipy import special

# Expected information is worked out for at most so many activation counts, interpolated between.
MOST_EXACT_COUNTS = 1024
# The hypergeometric distribution beyond so many standard deviations adds less than rounding does.
TAIL = 12


def mutual_information(
    n_both: NDArray[np.int64], n_label: NDArray[np.int64], n_active: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the mutual information in bits of each neuron's activity and the label, (neurons,).

    n_both: (labels, neurons), the label's samples in which the neuron is active; n_label: (labels,)
    the label's samples, each sample in one label; n_active: (neurons,).
    """
    n = int(n_label.sum())
    own = _x_log_x(n)
    joint = (own[n_both] + own[n_label[:, None] - n_both]).sum(axis=0)
    total = joint - own[n_label].sum() - own[n_active] - own[n - n_active] + own[n]
    return np.asarray(np.maximum(total / n, 0.0), np.float64)


def expected_mutual_information(
    n_active: NDArray[np.int64], n_label: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the mean information in bits if labels had nothing to do with activity, (neurons,).

    n_active: (neurons,); n_label: (labels,), samples of each label, each sample in one label.
    """
    n = int(n_label.sum())
    # A neuron active in a samples and one silent in a share their expectation.
    rarer = np.minimum(n_active, n - n_active)
    counts = _counts_to_work_out(rarer)
    sizes, how_many = np.unique(n_label, return_counts=True)
    log_factorial = special.gammaln(np.arange(n + 1) + 1.0)
    own = _x_log_x(n)
    joint = np.zeros(len(counts))
    for size, many in zip(sizes.tolist(), how_many.tolist(), strict=True):
        joint += many * _mean_x_log_x(counts, size, n, own, log_factorial)
    exact = joint - own[n_label].sum() - own[counts] - own[n - counts] + own[n]
    return np.interp(rarer, counts, np.maximum(exact, 0.0) / n)


def _x_log_x(largest: int) -> NDArray[np.float64]:
    """Return x log2 x of 0..largest: counts are whole, so looking it up replaces a logarithm."""
    x = np.arange(largest + 1, dtype=np.float64)
    return np.asarray(special.xlogy(x, x) / np.log(2), np.float64)


def _counts_to_work_out(rarer: NDArray[np.int64]) -> NDArray[np.int64]:
    distinct = np.unique(rarer)
    if len(distinct) <= MOST_EXACT_COUNTS:
        return distinct
    # Small counts bend most: they are all there, larger ones ever more thinly.
    places = np.geomspace(1, len(distinct), MOST_EXACT_COUNTS) - 1
    return distinct[np.unique(np.round(places).astype(np.int64))]


def _mean_x_log_x(
    n_active: NDArray[np.int64],
    size: int,
    n: int,
    own: NDArray[np.float64],
    log_factorial: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the mean of k log k + (size - k) log(size - k), k hypergeometric, (counts,)."""
    mean = size * n_active / n
    half = TAIL * int(np.ceil(np.sqrt(mean.max() + 1)))
    first = np.maximum(0, mean.astype(np.int64) - half)
    k = first[:, None] + np.arange(min(size, 2 * half) + 1)
    silent, idle = size - k, n - n_active[:, None] - size + k
    possible = (silent >= 0) & (k <= n_active[:, None]) & (idle >= 0)
    log_probability = (
        (log_factorial[n_active] + log_factorial[n - n_active])[:, None]
        + (log_factorial[size] + log_factorial[n - size] - log_factorial[n])
        - sum(
            log_factorial[np.clip(cell, 0, n)] for cell in (k, silent, n_active[:, None] - k, idle)
        )
    )
    probability = np.where(possible, np.exp(log_probability), 0.0)
    k = np.minimum(k, size)
    return np.asarray((probability * (own[k] + own[size - k])).sum(axis=1), np.float64)


def activity_entropy(counts: NDArray[np.int64], n_samples: int) -> NDArray[np.float64]:
    """Return the entropy in bits of each neuron's being active or not, 0 to 1, (n_neurons,)."""
    share = counts / max(1, n_samples)
    return _bits(share) * share + _bits(1 - share) * (1 - share)


def activity_surprisal(
    counts: NDArray[np.int64], n_samples: int, active: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return -log2 of the share of samples with the neuron active, where it is, else 0."""
    return np.where(active, _bits(counts / max(1, n_samples)), 0.0)


def _bits(share: NDArray[np.float64]) -> NDArray[np.float64]:
    # Adding 0.0 turns -0.0, of a share of 1, into 0.0.
    return -np.log2(np.where(share > 0, share, 1.0)) + 0.0
