"""How often completions dealt to a prompt at random would score as high: exact, nothing is drawn.

Each completion has a whole score, here how many of its tokens a neuron is active at. Dealt anew, a
prompt gets any k of the completions with equal chance, so the p-value is a share of all subsets of
size k. They are not listed but counted by their sum, one score after another: the shift algorithm
of Streitberg and Röhmel (1986, *Statistical Software Newsletter* 12) for Fisher's and Pitman's
permutation test, with completions of equal score taken together. So a p-value can be as small as
one in all subsets, and neither depends on a seed.
"""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

# Multiplications for a neuron, about; more levels of the score and larger subsets cost more.
WORK = 70_000
LEAST_LEVELS = 4


def n_levels(size: int, highest: int) -> int:
    """Return how many levels of a score up to `highest` to tell apart for subsets of `size`.

    The cost grows with the square of the levels and the cube of the size.
    """
    return min(highest, max(LEAST_LEVELS, int(math.sqrt(12 * WORK / max(1, size) ** 3))))


def levels(scores: NDArray[np.int64], n: int, highest: int) -> NDArray[np.int64]:
    """Return scores 0..highest in steps of equal width, 0..n; only 0 becomes 0."""
    width = -(-highest // n)
    return np.asarray(-(-scores // width), np.int64)


def deal_p_values(
    histogram: NDArray[np.int64], n_completions: int, sizes: Iterable[int]
) -> dict[int, NDArray[np.float64]]:
    """Return for each size k the p-value of every sum of scores, (k * levels + 1, neurons).

    histogram: (levels, neurons), how many completions have score 1, 2, ... of `n_completions` in
    all. The p-value of a sum is the share of all subsets of k completions in which no score is 0
    and the scores add up to so much or more.
    """
    distinct = sorted(set(sizes))
    ways = _subsets_by_sum(histogram, distinct[-1])
    highest = len(histogram)
    result = {}
    for size in distinct:
        counted = ways[size, : size * highest + 1]
        result[size] = counted[::-1].cumsum(axis=0)[::-1] / math.comb(n_completions, size)
    return result


def _subsets_by_sum(histogram: NDArray[np.int64], most: int) -> NDArray[np.float64]:
    """Return how many subsets have each size and sum, (most + 1, most * levels + 1, neurons)."""
    highest, n_neurons = histogram.shape
    ways = np.zeros((most + 1, most * highest + 1, n_neurons))
    ways[0, 0] = 1
    for score, there in enumerate(histogram, 1):
        choices = _choices(there.astype(np.float64), min(most, int(there.max(initial=0))))
        # From large to small, so that smaller subsets are still those without this score.
        for size in range(most, 0, -1):
            for taken in range(1, min(size, len(choices)) + 1):
                n_sums = (size - taken) * (score - 1) + 1
                start = score * taken
                ways[size, start : start + n_sums] += (
                    choices[taken - 1] * ways[size - taken, :n_sums]
                )
    return ways


def _choices(there: NDArray[np.float64], most: int) -> list[NDArray[np.float64]]:
    """Return in how many ways 1, 2, ..., `most` can be taken of so many, (neurons,) each."""
    result, ways = [], np.ones_like(there)
    for taken in range(1, most + 1):
        ways = ways * np.maximum(there - taken + 1, 0) / taken
        result.append(ways)
    return result
