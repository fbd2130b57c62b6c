"""How samples depend on one another: tokens of a completion, completions of a prompt.

A neuron that is active tends to stay so along a completion, and tokens repeat; both also depend on
the prompt; and where two completions of a prompt have the same tokens so far, the model computes
the very same thing twice. Samples are therefore not independent, and a test that takes them to be
finds things that are not there. This module measures the dependence, once for labels and once for
neurons.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.sparse import csr_array


@dataclass(frozen=True)
class Completions:
    """Which samples form a completion, and which completions a prompt.

    lengths: (C,), tokens of each completion; the rows of all arrays stand completion by completion,
    in the order of their tokens. prompts: (C,), the prompt 0..P-1 of each completion. prefixes:
    (n,), equal for samples before which the very same tokens stand, so that their activations are
    equal, too. None: no two are equal. texts: (C,), equal for prompts of equal text; these are one
    prompt as far as chance goes. None: no two are equal.
    """

    lengths: NDArray[np.int64]
    prompts: NDArray[np.int64]
    prefixes: NDArray[np.int64] | None = None
    texts: NDArray[np.int64] | None = None

    @property
    def n_samples(self) -> int:
        """Number of samples in all."""
        return int(self.lengths.sum())

    def starts(self) -> NDArray[np.int64]:
        """Return the first row of each completion, (C,)."""
        return np.asarray(self.lengths.cumsum() - self.lengths, np.int64)

    def of_samples(self) -> NDArray[np.int64]:
        """Return the completion of each sample, (n,)."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    def prompts_of_samples(self) -> NDArray[np.int64]:
        """Return the prompt of each sample, (n,)."""
        return np.repeat(self.prompts, self.lengths)

    def clusters(self) -> NDArray[np.int64]:
        """Return the independent unit of each completion, its prompt's text, (C,).

        Where all have the same text, each completion is a unit of its own.
        """
        texts = self.unit_texts()
        return texts if len(np.unique(texts)) > 1 else np.arange(len(self.lengths))

    def unit_texts(self) -> NDArray[np.int64]:
        """Return a number for each completion that is the same for prompts of equal text, (C,)."""
        return self.prompts if self.texts is None else self.texts

    def taken(self, chosen: NDArray[np.int64]) -> "Completions":
        """Return some of the completions, each as a prompt of its own; chosen: (c,), ascending."""
        return Completions(self.lengths[chosen], np.arange(len(chosen)))

    def some(self, chosen: NDArray[np.int64]) -> "Completions":
        """Return some of the completions, their prompts kept; chosen: (c,), ascending."""
        texts = None if self.texts is None else self.texts[chosen]
        return Completions(self.lengths[chosen], self.prompts[chosen], texts=texts)

    def one_of_each_text(self, most: int) -> list[NDArray[np.int64]]:
        """Return sets of completions, one of each text, ascending; `most` sets at the most.

        There are as many sets as a text has completions; texts with fewer give theirs again.
        """
        texts = self.unit_texts()
        groups = [np.flatnonzero(texts == text) for text in np.unique(texts)]
        n_sets = min(max(len(group) for group in groups), most)
        return [
            np.sort([group[number * len(group) // n_sets] for group in groups])
            if n_sets == most
            else np.sort([group[number % len(group)] for group in groups])
            for number in range(n_sets)
        ]

    def places(self) -> NDArray[np.int64]:
        """Return each sample's place in its completion, from 0, (n,)."""
        return np.asarray(
            np.arange(self.n_samples) - np.repeat(self.starts(), self.lengths), np.int64
        )

    def shifted_rows(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return a row for each sample: every completion turned in a circle by a random offset."""
        offsets = np.repeat(rng.integers(self.lengths), self.lengths)
        starts = np.repeat(self.starts(), self.lengths)
        turned = (self.places() + offsets) % np.repeat(self.lengths, self.lengths)
        return np.asarray(starts + turned, np.int64)

    def lag_rows(self) -> "LagRows":
        """Return every distance that two samples of a completion can have."""
        n_lags = self.lengths // 2 + 1
        completion = np.repeat(np.arange(len(self.lengths)), n_lags)
        lag = np.arange(len(completion)) - np.repeat(n_lags.cumsum() - n_lags, n_lags)
        length = self.lengths[completion]
        # Shifts by d and by length - d are the same lag; 0 and half the length are their own.
        weight = np.where((lag == 0) | (2 * lag == length), 1.0, 2.0)
        return LagRows(completion, lag, weight)

    def by_length(self) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Yield (length, rows (completions of that length, length))."""
        starts = self.starts()
        for length in np.unique(self.lengths).tolist():
            yield length, starts[self.lengths == length][:, None] + np.arange(length)


@dataclass(frozen=True)
class LagRows:
    """Each completion's lags 0..length // 2, one after another, (rows,) each: the completion, the
    lag, and in how many directions around the circle it goes."""

    completion: NDArray[np.int64]
    lag: NDArray[np.int64]
    weight: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.lag)

    def pooled(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the sums over completions, (columns, lags); values: (rows, columns)."""
        shape = (int(self.lag.max()) + 1, len(self))
        sums = csr_array((self.weight, (self.lag, np.arange(len(self)))), shape) @ values
        return np.ascontiguousarray(sums.T, np.float64)


@dataclass(frozen=True)
class Pairs:
    """Of how many ordered pairs of samples both are marked; columns are labels or neurons.

    by_lag: (columns, lags), pairs of one completion that are so many tokens apart, the completion
    taken as a circle; lag 0 is a sample with itself. twins: (columns,), pairs with the same prefix.
    aligned: (columns,), other pairs at the same place of two completions of one text. across:
    (columns,), pairs at other places of two completions of one cluster.
    """

    by_lag: NDArray[np.float64]
    twins: NDArray[np.float64]
    aligned: NDArray[np.float64]
    across: NDArray[np.float64]

    def taken(self, columns: NDArray[np.int64]) -> "Pairs":
        """Return these columns alone, in this order."""
        return Pairs(*(getattr(self, field.name)[columns] for field in fields(self)))

    @classmethod
    def joined(cls, parts: Sequence["Pairs"]) -> "Pairs":
        """Return the columns of several blocks as one."""
        names = (field.name for field in fields(cls))
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@dataclass(frozen=True)
class Marks:
    """What `measure` finds; columns are labels or neurons.

    sums: (C, columns), marked samples of each completion; shifts: (rows of `lag_rows`, columns), in
    how many samples a completion's marks and the same marks turned by the lag coincide.
    """

    sums: NDArray[np.float32]
    shifts: NDArray[np.float32]
    pairs: Pairs


def measure(marked: NDArray[np.float32], completions: Completions) -> Marks:
    """Return the sums and pairs of each column of `marked` (n, columns), 0 or 1.

    By the Wiener-Khinchin theorem: the squared Fourier transform of a completion is that of its
    circular autocorrelation. Exact: float32 holds whole numbers up to 2**24.
    """
    lag_rows = completions.lag_rows()
    shifts = np.empty((len(lag_rows), marked.shape[1]), np.float32)
    first = np.flatnonzero(lag_rows.lag == 0)
    for length, rows in completions.by_length():
        series = np.ascontiguousarray(marked[rows].transpose(2, 0, 1))
        spectrum = scipy.fft.rfft(series, axis=2, workers=-1)
        power = spectrum.real**2 + spectrum.imag**2
        turned = scipy.fft.irfft(power, n=length, axis=2, workers=-1)[:, :, : length // 2 + 1]
        places = first[completions.lengths == length][:, None] + np.arange(length // 2 + 1)
        shifts[places] = np.rint(turned).transpose(1, 2, 0)
    sums = np.add.reduceat(marked, completions.starts(), axis=0)
    by_lag = lag_rows.pooled(shifts)
    return Marks(sums, shifts, _pairs(by_lag, sums.astype(np.float64), marked, completions))


def possible_pairs(completions: Completions) -> Pairs:
    """Return the pairs where every sample is marked, as one column; needs no transform."""
    lag_rows = completions.lag_rows()
    lengths = completions.lengths[lag_rows.completion].astype(np.float32)
    by_lag = lag_rows.pooled(lengths[:, None])
    sums = completions.lengths.astype(np.float64)[:, None]
    everything = np.ones((completions.n_samples, 1), np.float32)
    return _pairs(by_lag, sums, everything, completions)


def _pairs(
    by_lag: NDArray[np.float64],
    sums: NDArray[np.float64],
    marked: NDArray[np.float32],
    completions: Completions,
) -> Pairs:
    """Return the pairs; sums: (C, columns), marked samples of each completion."""
    texts = completions.unit_texts()
    clusters = completions.clusters()
    prefixes, of_samples = completions.prefixes, completions.of_samples()
    twins, aligned_twins = np.zeros((2, marked.shape[1]))
    place = completions.places()
    n_places = int(place.max()) + 1
    if prefixes is not None:
        twins = _pairs_within(marked, prefixes)
        aligned_twins = _pairs_within(marked, prefixes * n_places + place)
    same_place = _pairs_within(marked, texts[of_samples] * n_places + place)
    order = np.argsort(clusters, kind="stable")
    first = np.flatnonzero(np.diff(clusters[order], prepend=-1))
    totals = np.add.reduceat(sums[order], first, axis=0)
    of_two = (totals**2).sum(axis=0) - (sums**2).sum(axis=0)
    aligned = same_place - aligned_twins
    # Completions that are clusters of their own have twins and aligned samples all the same.
    return Pairs(by_lag, twins, aligned, np.maximum(of_two - same_place, 0.0))


def _pairs_within(marked: NDArray[np.float32], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return of how many ordered pairs of two samples of a group both are marked, (columns,).

    groups: (n,), a number for each sample.
    """
    numbers, sizes = np.unique(groups, return_counts=True)
    several = np.flatnonzero(np.isin(groups, numbers[sizes > 1]))
    if len(several) == 0:
        return np.zeros(marked.shape[1])
    order = several[np.argsort(groups[several], kind="stable")]
    first = np.flatnonzero(np.diff(groups[order], prepend=-1))
    sums = np.add.reduceat(marked[order], first, axis=0).astype(np.float64)
    return np.asarray((sums**2 - sums).sum(axis=0), np.float64)


@dataclass(frozen=True)
class Persistence:
    """Correlation of a neuron's activity with itself; rows are neurons.

    by_lag: (neurons, lags), between samples of one completion; lag 0 is 1. aligned: (neurons,),
    between samples at the same place of two completions of one text; across: (neurons,), between
    other samples of two completions of one cluster.
    """

    by_lag: NDArray[np.float64]
    aligned: NDArray[np.float64]
    across: NDArray[np.float64]


def persistence(pairs: Pairs, completions: Completions) -> Persistence:
    """Return how each neuron's activity correlates; none of them may be constant.

    The share of active samples is itself estimated from these samples, which draws correlations
    towards 0 the more, the fewer clusters there are; that share of variance is added back.
    """
    possible, n = possible_pairs(completions), completions.n_samples
    frequency = pairs.by_lag[:, 0] / n
    variance = frequency * (1 - frequency)
    excess = pairs.by_lag - possible.by_lag * frequency[:, None] ** 2
    excess_aligned = pairs.aligned - possible.aligned * frequency**2
    excess_across = pairs.across - possible.across * frequency**2
    # Var(mean) / variance = v solves v n^2 = n + twins + sum over other pairs of (correlation + v).
    n_pairs = possible.by_lag[:, 1:].sum() + possible.aligned[0] + possible.across[0]
    others = (excess[:, 1:].sum(axis=1) + excess_aligned + excess_across) / variance
    lost = np.maximum(n + possible.twins[0] + others, 0) / (n**2 - n_pairs)
    by_lag = excess / np.maximum(possible.by_lag, 1) / variance[:, None] + lost[:, None]
    by_lag[:, 0] = 1
    aligned, across = (
        found / max(pairs_there, 1) / variance + lost * (pairs_there > 0)
        for found, pairs_there in (
            (excess_aligned, possible.aligned[0]),
            (excess_across, possible.across[0]),
        )
    )
    return Persistence(by_lag, aligned, across)


def design_effects(
    sizes: NDArray[np.float64], labels: Pairs, neurons: Persistence
) -> NDArray[np.float64]:
    """Return by how much dependence multiplies the variance of each count, (labels, neurons).

    The count is that of a label's samples in which a neuron is active; sizes: (labels,), samples
    of each label. The variance is that over all ways to lay the label's pattern in each completion
    on another one, turned in a circle; relative to independent samples it is 1 plus the sum over
    the label's pairs of samples of the neuron's correlation at their distance, divided by the
    label's size (Kish 1965, *Survey Sampling*, for the design effect); that of two samples with
    the same prefix is 1. Never below 1.
    """
    within = labels.by_lag[:, 1:] @ neurons.by_lag[:, 1:].T
    between = np.outer(labels.aligned, neurons.aligned) + np.outer(labels.across, neurons.across)
    pairs = within + between + labels.twins[:, None]
    return np.maximum(1 + pairs / sizes[:, None], 1.0)
