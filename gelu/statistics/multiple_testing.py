"""Many tests at once: the false-discovery rate of Benjamini and Hochberg (1995), and one p-value
for several sets of samples."""

import numpy as np
from numpy.typing import NDArray


def benjamini_hochberg(p_values: NDArray[np.float64], n_tests: int) -> NDArray[np.float64]:
    """Return the q-value of each p-value: the least rate at which it would pass.

    p_values: (k,), the k smallest of `n_tests`; the others need not be known as long as they are
    larger, since a q-value that is below the smallest of theirs does not depend on them.
    """
    if len(p_values) == 0:
        return np.empty(0)
    order = np.argsort(p_values, kind="stable")
    ranks = np.arange(1, len(p_values) + 1)
    stepped = np.minimum.accumulate((p_values[order] * n_tests / ranks)[::-1])[::-1]
    q_values = np.empty(len(p_values))
    q_values[order] = np.minimum(stepped, 1.0)
    return q_values


def typical_p_value(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return one p-value for several of the same null, (tests,), however they depend.

    p_values: (k, tests). It is the middle one, the lower of two, times k over its rank: valid
    whatever the dependence (Rueger 1978, *Metrika* 25; for the median and k large, twice the
    median: Meinshausen, Meier and Buehlmann 2009, *JASA* 104).
    """
    k = len(p_values)
    rank = (k + 1) // 2
    return np.minimum(np.sort(p_values, axis=0)[rank - 1] * k / rank, 1.0)
