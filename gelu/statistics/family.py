"""Which pairs of a label and a neuron could pass a test at all.

    least = least_p_values(labels, completions)       # of a neuron that is active at these alone
    family = Family.of(labels.sizes, least, counts, n_samples, fdr)
    family.could_pass(label, n_shown)                 # n_shown: samples in which the neuron shows

A label of few samples has a least p-value, whatever the data, and so has a pair of which the neuron
is active in few samples. Which pairs are tested follows from these sizes and from where the labels
stand, not from what the neurons do there.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from gelu.samples.completions import Completions
from gelu.statistics.attainable import attainable_tests
from gelu.statistics.enrichment import Found, Labels, allowing_for_dependence
from gelu.statistics.fisher import fisher_p_value, least_fisher_p_value

LABELS_AT_A_TIME = 64


def least_p_values(labels: Labels, completions: Completions) -> NDArray[np.float64]:
    """Return the p-value that a neuron has that is active at a label's samples alone, (labels,)."""
    result = np.ones(len(labels))
    for start in range(0, len(labels), LABELS_AT_A_TIME):
        part = labels.taken(np.arange(start, min(start + LABELS_AT_A_TIME, len(labels))))
        numbers, sizes = np.arange(len(part)), part.sizes
        exact = fisher_p_value(sizes, sizes, sizes, completions.n_samples)
        active = part.indicator.toarray().T.astype(bool)
        ideal = Found(numbers, numbers, sizes, exact)
        found = allowing_for_dependence(part, active, completions, ideal, 1.0)
        result[start + found.label] = found.p_value
    return result


def mostly_active(n_active: NDArray[np.int64], n_samples: int) -> NDArray[np.bool_]:
    """Return of which neurons silence is tested: those active in half of the samples or more.

    That a neuron of one token is silent for every other one is no finding of its own.
    """
    return np.asarray(2 * n_active >= n_samples)


def samples_needed(n_samples: int, n_neurons: int, fdr: float) -> int:
    """Return how many samples a label needs for one neuron that is active at these alone to pass
    among `n_neurons`, all samples independent."""
    sizes = np.arange(1, max(2, n_samples // 2 + 1))
    log_ways = special.gammaln(n_samples + 1) - special.gammaln(sizes + 1)
    log_ways -= special.gammaln(n_samples - sizes + 1)
    enough = np.flatnonzero(np.log(2 * n_neurons / fdr) <= log_ways)
    return int(sizes[enough[0]]) if len(enough) else n_samples


@dataclass(frozen=True)
class Family:
    """The pairs that can pass.

    threshold: the least p-value that a pair must be able to reach; n_tests: (labels,), pairs of
    each label that can, for activity and, of neurons that are mostly active, for silence; least,
    sizes: (labels,), of the labels; n_samples: in all.
    """

    threshold: float
    n_tests: NDArray[np.int64]
    least: NDArray[np.float64]
    sizes: NDArray[np.int64]
    n_samples: int

    @classmethod
    def of(
        cls,
        sizes: NDArray[np.int64],
        least: NDArray[np.float64],
        n_active: NDArray[np.int64],
        n_samples: int,
        fdr: float,
    ) -> "Family":
        """Choose the pairs; n_active: (neurons,), each above 0 and below `n_samples`."""
        silent = n_samples - n_active[mostly_active(n_active, n_samples)]
        shown, weights = np.unique(np.r_[n_active, silent], return_counts=True)
        distinct, place = np.unique(sizes, return_inverse=True)
        exact = np.stack(
            [least_fisher_p_value(np.full(len(shown), size), shown, n_samples) for size in distinct]
        )

        def of_labels(p_value: float) -> NDArray[np.int64]:
            of_sizes = (exact <= p_value) @ weights
            return np.where(least <= p_value, of_sizes[place], 0).astype(np.int64)

        threshold, _ = attainable_tests(lambda p_value: int(of_labels(p_value).sum()), fdr)
        return cls(threshold, of_labels(threshold), least, sizes, n_samples)

    def could_pass(self, label: NDArray[np.int64], n_shown: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which pairs are tested, (pairs,)."""
        exact = least_fisher_p_value(self.sizes[label], n_shown, self.n_samples)
        possible: NDArray[np.bool_] = np.maximum(exact, self.least[label]) <= self.threshold
        return possible
