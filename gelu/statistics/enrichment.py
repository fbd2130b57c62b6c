"""Is a neuron active more often with a label than without it?

    labels = Labels.from_indicator(indicator, completions)
    found = enriched(labels, active, completions, alpha)

A label is a set of samples: those of a token, or of a range of positions. The p-value is the
largest of four.
- Fisher's exact test (one-sided) holds where samples are independent.
- Over completions: labels and activity may both persist along a completion, and hang on the prompt.
  Laying each completion's labels on another completion's activity, turned in a circle, gives the
  count a larger variance. Counts are divided by that design effect (Rao and Scott 1992,
  *Biometrics* 48), and a binomial tail at the neuron's overall frequency is taken. A passage that
  completions of a prompt write again and again, wherever in them, is evidence once.
- Within completions: a label may be frequent in the completions in which a neuron is often active
  without the two ever going together (module `within_completions`).
- Over prompts: completions of a prompt may share both, place by place (module `prompt_blocks`).
The variances are worked out exactly, over all shifts or pairs of prompts at once; none is drawn.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from scipy import special

from gelu.packed import PackedActivations
from gelu.samples.completions import (
    Completions,
    Marks,
    Pairs,
    design_effects,
    measure,
    persistence,
)
from gelu.statistics.fisher import Margins, fisher_p_value
from gelu.statistics.prompt_blocks import PromptBlocks
from gelu.statistics.within_completions import shares_within

LABELS_AT_A_TIME = 64


@dataclass(frozen=True)
class Labels:
    """Sets of samples.

    indicator: (labels, n) sparse, 1 for a label's samples; sizes: (labels,), how many; sums:
    (labels, C) sparse, how many in each completion; shifts: (labels, lag rows) sparse, and pairs:
    their distances, as `measure` gives them; blocks: prompts and places, None where prompts are not
    compared place by place; squares: (labels, places**2) sparse, of `PromptBlocks.label_squares`.
    """

    indicator: scipy.sparse.csr_array
    sizes: NDArray[np.int64]
    sums: scipy.sparse.csr_array
    shifts: scipy.sparse.csr_array
    pairs: Pairs
    blocks: PromptBlocks | None
    squares: scipy.sparse.csr_array | None

    @classmethod
    def from_indicator(
        cls,
        indicator: scipy.sparse.csr_array,
        completions: Completions,
        by_place: bool = True,
        passages: NDArray[np.int64] | None = None,
    ) -> "Labels":
        """Measure the distances between each label's samples. No label may be empty.

        by_place: whether to compare prompts place by place, which labels that are places cannot be.
        passages: (n,), equal for samples that count as one where they have the same label, as
        `Samples.passages` gives them; by default those with the same prefix.
        """
        if passages is not None:
            completions = replace(completions, prefixes=passages)
        indicator = indicator.astype(np.float32).sorted_indices()
        measured = [
            measure(indicator[start : start + LABELS_AT_A_TIME].toarray().T, completions)
            for start in range(0, indicator.shape[0], LABELS_AT_A_TIME)
        ]
        sizes = np.asarray(indicator.sum(axis=1), np.int64)
        sums, shifts = (
            scipy.sparse.vstack(
                [scipy.sparse.csr_array(getattr(block, name).T) for block in measured]
            )
            for name in ("sums", "shifts")
        )
        pairs = Pairs.joined([block.pairs for block in measured])
        blocks = PromptBlocks.of(completions) if by_place else None
        squares = None if blocks is None else blocks.label_squares(indicator)
        return cls(indicator, sizes, sums.tocsr(), shifts.tocsr(), pairs, blocks, squares)

    @classmethod
    def joined(cls, parts: Sequence["Labels"]) -> "Labels":
        """Return the labels of several parts, one or more, of the same completions as one."""

        def stacked(name: str) -> scipy.sparse.csr_array:
            return scipy.sparse.csr_array(scipy.sparse.vstack([getattr(p, name) for p in parts]))

        blocks = parts[0].blocks
        return cls(
            stacked("indicator"),
            np.concatenate([part.sizes for part in parts]),
            stacked("sums"),
            stacked("shifts"),
            Pairs.joined([part.pairs for part in parts]),
            blocks,
            None if blocks is None else stacked("squares"),
        )

    def __len__(self) -> int:
        return int(self.indicator.shape[0])

    def taken(self, rows: NDArray[np.int64]) -> "Labels":
        """Return these labels alone, in this order."""
        return Labels(
            self.indicator[rows],
            self.sizes[rows],
            self.sums[rows],
            self.shifts[rows],
            self.pairs.taken(rows),
            self.blocks,
            None if self.squares is None else self.squares[rows],
        )

    def counts(self, active: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return in how many of each label's samples each neuron is active, (labels, neurons).

        Exact: float32 holds whole numbers up to 2**24.
        """
        return np.asarray(self.indicator @ active.astype(np.float32), np.int64)

    def samples(self, label: int) -> NDArray[np.int64]:
        """Return the label's samples, ascending."""
        first, end = self.indicator.indptr[label : label + 2]
        return np.asarray(self.indicator.indices[first:end], np.int64)


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

    def taken(self, tests: NDArray[np.int64]) -> "Found":
        """Return these tests alone, in this order."""
        return Found(*(getattr(self, field.name)[tests] for field in fields(self)))

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
    return allowing_for_dependence(labels, active, completions, found, alpha)


def allowing_for_dependence(
    labels: Labels,
    active: NDArray[np.bool_],
    completions: Completions,
    found: Found,
    alpha: float,
) -> Found:
    """Return those of the tests that come out at `alpha` or less by the other three, too."""
    if len(found.label) == 0:
        return found
    # Only the neurons that a test is left of, numbered anew until the end.
    neurons, place = np.unique(found.neuron, return_inverse=True)
    found, active = replace(found, neuron=place), active[:, neurons]
    data = _Data(labels, active, measure(active.astype(np.float32), completions), completions)
    for p_values in (_over_completions, _within_completions, _over_prompts):
        other = p_values(data, found)
        p_value = np.maximum(found.p_value, other)
        low = p_value <= alpha
        found = Found(found.label[low], found.neuron[low], found.n_both[low], p_value[low])
    return found.with_neurons(neurons)


@dataclass(frozen=True)
class _Data:
    """What a block of neurons is tested on; active: (n, neurons), marks: their measures."""

    labels: Labels
    active: NDArray[np.bool_]
    marks: Marks
    completions: Completions


def _over_completions(data: _Data, found: Found) -> NDArray[np.float64]:
    """Return the p-value of each test found so far where completions are exchangeable."""
    labels, pairs = data.labels, data.marks.pairs
    correlations = persistence(pairs, data.completions)
    sizes = labels.sizes.astype(np.float64)
    effects = design_effects(sizes, labels.pairs, correlations)[found.label, found.neuron]
    frequency = pairs.by_lag[found.neuron, 0] / data.completions.n_samples
    p_value = clustered_p_value(found.n_both, labels.sizes[found.label], frequency, effects)
    # Where nothing persists, Fisher's test is exact and the binomial tail merely close to it.
    return np.where(effects > 1, p_value, 0.0)


def _within_completions(data: _Data, found: Found) -> NDArray[np.float64]:
    """Return the p-value of each test found so far where labels keep to their completions."""
    labels, marks = data.labels, data.marks
    variance, independent = shift_variance(labels, marks, data.completions)
    expected = labels.sums @ shares_within(marks.sums, data.completions)
    chosen = (found.label, found.neuron)
    # A label that fills its completions, or a neuron that does, is the same after every shift.
    effects = np.maximum(variance[chosen] / np.maximum(independent[chosen], 1e-9), 1.0)
    return _tail_above(found.n_both, labels.sizes[found.label], expected[chosen], effects)


def _over_prompts(data: _Data, found: Found) -> NDArray[np.float64]:
    """Return the p-value of each test found so far where prompts are exchangeable."""
    labels, p_value = data.labels, np.zeros(len(found.label))
    if labels.blocks is None or labels.squares is None:
        return p_value
    for first, moments in labels.blocks.neuron_moments(data.active):
        inside = (found.neuron >= first) & (found.neuron < first + len(moments.frequency))
        for label in np.unique(found.label[inside]):
            tests = np.flatnonzero(inside & (found.label == label))
            neurons = found.neuron[tests] - first
            count = labels.blocks.moments_of_count(
                labels.samples(label), labels.squares[[label]], moments, neurons
            )
            if count.n_near == 0:
                continue
            size = int(labels.sizes[label])
            # Where no other prompt is active at these places there is nothing to expect less than
            # what the neuron does everywhere.
            share = np.maximum(count.mean / count.n_near, moments.frequency[neurons])
            share = np.clip(share, 1e-9, 1 - 1e-9)
            effects = count.variance / (count.n_near * share * (1 - share))
            effects = np.clip(effects, 1.0, count.most_of_a_prompt)
            both = found.n_both[tests]
            p_value[tests] = _tail_above(both, np.full(len(both), size), size * share, effects)
    return p_value


def _tail_above(
    n_both: NDArray[np.int64],
    n_label: NDArray[np.int64],
    expected: NDArray[np.float64],
    effects: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return `clustered_p_value` of counts above what is expected, 1 for the others."""
    p_value = clustered_p_value(n_both, n_label, expected / n_label, effects)
    return np.where(n_both > expected + 1e-6, p_value, 1.0)


def shift_variance(
    labels: Labels, marks: Marks, completions: Completions
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the count's variance over all circular shifts within completions, and its variance if
    a completion's samples were independent, each (labels, neurons)."""
    lengths = completions.lengths.astype(np.float64)
    lag_rows = completions.lag_rows()
    share = marks.sums / lengths[:, None]
    of_lag = lag_rows.weight / lengths[lag_rows.completion]
    squares = labels.shifts @ (marks.shifts * of_lag[:, None])
    variance = squares - labels.sums.power(2) @ share**2
    return variance, labels.sums @ (share - share**2)


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
    table = Margins(n_both, n_label[:, None], n_active[None, :], n_samples)
    # The p-value is a sum of probabilities that begins with that of the very count: where this one
    # is above alpha, the sum is not needed.
    likelier = n_both * n_samples > n_label[:, None] * n_active
    log_probability = table.log_probability(log_factorial)
    label, neuron = np.nonzero(likelier & (log_probability <= np.log(alpha) + 1e-9))
    both = n_both[label, neuron]
    p_value = fisher_p_value(both, n_label[label], n_active[neuron], n_samples)
    low = p_value <= alpha
    return Found(label[low], neuron[low], both[low], p_value[low])


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
