"""Is a neuron active more often with a label than without it?

    labels = Labels.from_indicator(indicator, completions)
    found = enriched(labels, active, completions, alpha)

A label is a set of samples: those of a token, or of a range of positions. The p-value is the
largest of three.
- Fisher's exact test (one-sided) holds where samples are independent.
- Over completions: labels and activity may both persist along a completion, and hang on the prompt.
  Laying each completion's labels on another completion's activity, turned in a circle, gives the
  count a larger variance. Counts are divided by that design effect (Rao and Scott 1992,
  *Biometrics* 48), and a binomial tail at the neuron's overall frequency is taken.
- Within completions: a label may be frequent in the completions in which a neuron is often active
  without the two ever going together. Each completion's activity is turned in a circle, and its
  labels stay. Again by the design effect, with a binomial tail at the expected share; the tail is
  never below that of the several completions' own shares (Hoeffding 1956).
Both variances are worked out exactly, over all shifts at once; no shift is drawn.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from scipy import special

from gelu.packed import PackedActivations
from gelu.statistics.completions import (
    Completions,
    Marks,
    Pairs,
    design_effects,
    measure,
    persistence,
)

LABELS_AT_A_TIME = 64


@dataclass(frozen=True)
class Labels:
    """Sets of samples.

    indicator: (labels, n) sparse, 1 for a label's samples; sizes: (labels,), how many; sums:
    (labels, C) sparse, how many in each completion; shifts: (labels, lag rows) sparse, and pairs:
    their distances, as `measure` gives them.
    """

    indicator: scipy.sparse.csr_array
    sizes: NDArray[np.int64]
    sums: scipy.sparse.csr_array
    shifts: scipy.sparse.csr_array
    pairs: Pairs

    @classmethod
    def from_indicator(
        cls, indicator: scipy.sparse.csr_array, completions: Completions
    ) -> "Labels":
        """Measure the distances between each label's samples. No label may be empty."""
        indicator = indicator.astype(np.float32)
        blocks = [
            measure(indicator[start : start + LABELS_AT_A_TIME].toarray().T, completions)
            for start in range(0, indicator.shape[0], LABELS_AT_A_TIME)
        ]
        pairs = Pairs(
            np.concatenate([block.pairs.by_lag for block in blocks]),
            np.concatenate([block.pairs.twins for block in blocks]),
            np.concatenate([block.pairs.across for block in blocks]),
        )
        sizes = np.asarray(indicator.sum(axis=1), np.int64)
        sums, shifts = (
            scipy.sparse.vstack(
                [scipy.sparse.csr_array(getattr(block, name).T) for block in blocks]
            )
            for name in ("sums", "shifts")
        )
        return cls(indicator, sizes, sums.tocsr(), shifts.tocsr(), pairs)

    def __len__(self) -> int:
        return int(self.indicator.shape[0])

    def counts(self, active: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return in how many of each label's samples each neuron is active, (labels, neurons).

        Exact: float32 holds whole numbers up to 2**24.
        """
        return np.asarray(self.indicator @ active.astype(np.float32), np.int64)


def one_hot(labels: NDArray[np.int64], n_labels: int) -> scipy.sparse.csr_array:
    """Return the indicator (n_labels, n) of samples that have one label each, -1 for none."""
    samples = np.flatnonzero(labels >= 0)
    ones = np.ones(len(samples), np.float32)
    return scipy.sparse.csr_array((ones, (labels[samples], samples)), (n_labels, len(labels)))


@dataclass(frozen=True)
class Found:
    """The tests of a block of neurons that come out at `alpha` or less, each array (found,).

    label, neuron: which; n_both: samples with the label in which the neuron is active. The p-values
    of all other tests are larger than alpha, which is below 0.5.
    """

    label: NDArray[np.int64]
    neuron: NDArray[np.int64]
    n_both: NDArray[np.int64]
    p_value: NDArray[np.float64]

    @classmethod
    def joined(cls, parts: Sequence["Found"]) -> "Found":
        """Return the tests of several blocks as one."""
        none = np.empty(0, np.int64)
        parts = [cls(none, none, none, np.empty(0)), *parts]
        names = (field.name for field in fields(cls))
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def with_neurons(self, neurons: NDArray[np.int64]) -> "Found":
        """Return the same with neuron numbers in a block replaced by ids, (block's neurons,)."""
        return replace(self, neuron=neurons[self.neuron])


def selective_blocks(
    activations: PackedActivations,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.bool_]]]:
    """Yield (neuron ids, their activity (n, ids)) of neurons neither never nor always active."""
    for first, block in activations.neuron_blocks():
        counts = block.sum(axis=0)
        chosen = np.flatnonzero((counts > 0) & (counts < len(block)))
        if len(chosen):
            yield first + chosen, block[:, chosen]


def enriched(
    labels: Labels,
    active: NDArray[np.bool_],
    completions: Completions,
    alpha: float,
) -> Found:
    """Test every label against every column of `active` (n, neurons), none of them constant."""
    n_active = active.sum(axis=0, dtype=np.int64)
    found = fisher_found(labels.counts(active), labels.sizes, n_active, len(active), alpha)
    if len(found.label) == 0:
        return found
    # Only the neurons that a test is left of, numbered anew until the end.
    neurons, place = np.unique(found.neuron, return_inverse=True)
    found = replace(found, neuron=place)
    marks = measure(active[:, neurons].astype(np.float32), completions)
    for p_values in (_over_completions, _within_completions):
        other = p_values(labels, marks, completions, found)
        p_value = np.maximum(found.p_value, other)
        low = p_value <= alpha
        found = Found(found.label[low], found.neuron[low], found.n_both[low], p_value[low])
    return found.with_neurons(neurons)


def _over_completions(
    labels: Labels, marks: Marks, completions: Completions, found: Found
) -> NDArray[np.float64]:
    """Return the p-value of each test found so far where completions are exchangeable."""
    correlations = persistence(marks.pairs, completions)
    sizes = labels.sizes.astype(np.float64)
    effects = design_effects(sizes, labels.pairs, correlations)[found.label, found.neuron]
    frequency = marks.pairs.by_lag[found.neuron, 0] / completions.n_samples
    p_value = clustered_p_value(found.n_both, labels.sizes[found.label], frequency, effects)
    # Where nothing persists, Fisher's test is exact and the binomial tail merely close to it.
    return np.where(effects > 1, p_value, 0.0)


def _within_completions(
    labels: Labels, marks: Marks, completions: Completions, found: Found
) -> NDArray[np.float64]:
    """Return the p-value of each test found so far where each completion is turned in a circle."""
    mean, variance, independent = shift_moments(labels, marks, completions)
    chosen = (found.label, found.neuron)
    # A label that fills its completions, or a neuron that does, is the same after every shift.
    effects = np.maximum(variance[chosen] / np.maximum(independent[chosen], 1e-9), 1.0)
    size = labels.sizes[found.label]
    p_value = clustered_p_value(found.n_both, size, mean[chosen] / size, effects)
    return np.where(found.n_both > mean[chosen] + 1e-6, p_value, 1.0)


def shift_moments(
    labels: Labels, marks: Marks, completions: Completions
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the count's mean and variance over all circular shifts within completions, and its
    variance if a completion's samples were independent, each (labels, neurons)."""
    lengths = completions.lengths.astype(np.float64)
    lag_rows = completions.lag_rows()
    share = marks.sums / lengths[:, None]
    mean = labels.sums @ share
    of_lag = lag_rows.weight / lengths[lag_rows.completion]
    squares = labels.shifts @ (marks.shifts * of_lag[:, None])
    variance = squares - labels.sums.power(2) @ share**2
    return mean, variance, mean - labels.sums @ share**2


def fisher_found(
    n_both: NDArray[np.int64],
    n_label: NDArray[np.int64],
    n_active: NDArray[np.int64],
    n_samples: int,
    alpha: float,
) -> Found:
    """Test every label against every neuron by Fisher's exact test alone.

    n_both: (labels, neurons), n_label: (labels,), n_active: (neurons,).
    """
    log_factorial = special.gammaln(np.arange(n_samples + 1) + 1.0)
    table = _Margins(n_both, n_label[:, None], n_active[None, :], n_samples)
    # The p-value is a sum of probabilities that begins with that of the very count: where this one
    # is above alpha, the sum is not needed.
    likelier = n_both * n_samples > n_label[:, None] * n_active
    log_probability = table.log_probability(log_factorial)
    label, neuron = np.nonzero(likelier & (log_probability <= np.log(alpha) + 1e-9))
    both = n_both[label, neuron]
    p_value = fisher_p_value(both, n_label[label], n_active[neuron], n_samples)
    low = p_value <= alpha
    return Found(label[low], neuron[low], both[low], p_value[low])


def fisher_p_value(
    n_both: NDArray[np.int64],
    n_label: NDArray[np.int64],
    n_active: NDArray[np.int64],
    n_samples: int,
) -> NDArray[np.float64]:
    """Return Fisher's exact p-value that label and activity go together, one-sided, (tests,).

    The hypergeometric tail, summed term by term from the ratio of neighbouring ones; for millions
    of tests that is some fifty times as fast as `scipy.stats.hypergeom.sf`, with which it agrees.
    """
    rarer = n_both * n_samples <= n_label * n_active
    # Below the mean the other tail is summed: that fewer of the label's samples are active.
    table = _Margins(
        np.where(rarer, n_label - n_both + 1, n_both),
        n_label,
        np.where(rarer, n_samples - n_active, n_active),
        n_samples,
    )
    tail = table.upper_tail()
    return np.where(rarer, 1 - np.where(n_both > 0, tail, 0.0), tail)


@dataclass(frozen=True)
class _Margins:
    """2 x 2 tables of label and activity: samples with both, with the label, active, in all."""

    n_both: NDArray[np.int64]
    n_label: NDArray[np.int64]
    n_active: NDArray[np.int64]
    n_samples: int

    def upper_tail(self) -> NDArray[np.float64]:
        """Return the probability of so many in both or more; of impossible tables 0."""
        log_factorial = special.gammaln(np.arange(self.n_samples + 1) + 1.0)
        possible = self.n_both <= np.minimum(self.n_label, self.n_active)
        result = np.zeros(len(self.n_both))
        left = np.flatnonzero(possible)
        table = _Margins(self.n_both[left], self.n_label[left], self.n_active[left], self.n_samples)
        total, term, going = np.ones(len(left)), np.ones(len(left)), np.arange(len(left))
        step = 0
        while len(going):
            term = term * table.ratio_to_next(going, step)
            total[going] += term
            # Above the mean the terms fall ever faster.
            more = term > total[going] * 1e-17
            going, term = going[more], term[more]
            step += 1
        result[left] = np.minimum(total * np.exp(table.log_probability(log_factorial)), 1.0)
        return result

    def log_probability(self, log_factorial: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the natural log of the hypergeometric probability of each table."""
        both, label, active, n = self.n_both, self.n_label, self.n_active, self.n_samples
        return np.asarray(
            (log_factorial[label] + log_factorial[n - label])
            + (log_factorial[active] + log_factorial[n - active] - log_factorial[n])
            - log_factorial[both]
            - log_factorial[label - both]
            - log_factorial[active - both]
            - log_factorial[n - label - active + both]
        )

    def ratio_to_next(self, tests: NDArray[np.int64], step: int) -> NDArray[np.float64]:
        """Return how much likelier `step + 1` more in both are than `step` more, (tests,)."""
        both, label, active = self.n_both[tests] + step, self.n_label[tests], self.n_active[tests]
        neither = self.n_samples - label - active + both
        above = (label - both).astype(np.float64) * (active - both)
        return above / ((both + 1.0) * (neither + 1.0))


def clustered_p_value(
    n_both: NDArray[np.int64],
    n_label: NDArray[np.int64],
    frequency: NDArray[np.float64],
    effects: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the binomial tail of counts divided by their design effects.

    frequency: the share of samples in which the neuron is active. The tail at a count that is no
    whole number is the regularised incomplete beta function, which equals it at whole ones.
    """
    both, size = n_both / effects, n_label / effects
    return np.asarray(special.betainc(both, size - both + 1, frequency), np.float64)
