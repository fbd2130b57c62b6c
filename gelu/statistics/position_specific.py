"""Neurons whose activity depends on the position in the sequence.

A neuron passes if at some range of positions it is active more, or less, often than chance allows:
every range of 1, 2, 4, ... neighbouring positions is tested like a token is (module `enrichment`),
and the least p-value is multiplied by the number of tests (Bonferroni). The null is that of
circular shifts within and over completions, so a neuron that merely stays on for a while does not
pass. How much the position tells is the mutual information (Voita, Ferrando and Nalmpantis 2023,
*Neurons in Large Language Models: Dead, N-gram, Positional*).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse
from numpy.typing import NDArray

from gelu.statistics.enrichment import Labels, enriched, one_hot, selective_blocks
from gelu.statistics.multiple_testing import benjamini_hochberg
from gelu.statistics.samples import Samples

COLUMNS = (
    "neuron_id",
    "layer",
    "dimension",
    "mi_bits",
    "p_value",
    "q_value",
    "range_start",
    "range_end",
    "frequency_inside",
    "frequency_outside",
)
# Ranges begin and end at so many places at most, then each end is moved to its best neighbour.
MOST_BORDERS = 128


@dataclass(frozen=True)
class PositionTests:
    """What passed, columns as in the file contract; n_tests: neurons tested; n_ranges: for each."""

    table: pd.DataFrame
    n_tests: int
    n_ranges: int


def position_specific_neurons(
    samples: Samples, information: NDArray[np.float64], fdr: float
) -> PositionTests:
    """Test every selective neuron; ordered by information, most first.

    information: (n_neurons,) mutual information with the position in bits.
    """
    positions = samples.positions()
    if positions is None:
        return PositionTests(pd.DataFrame(columns=list(COLUMNS)), 0, 0)
    ranges = ranges_to_test(positions)
    if ranges.shape[0] == 0:
        samples.skipped["position-specific neurons"] = "all samples have the same position"
        return PositionTests(pd.DataFrame(columns=list(COLUMNS)), 0, 0)
    neurons, p_values = _p_values(samples, ranges, fdr)
    counts = samples.activations.counts()
    n_tests = int(((counts > 0) & (counts < len(samples))).sum())
    q_values = benjamini_hochberg(p_values, n_tests)
    passed = q_values <= fdr
    table = _describe(samples, positions, neurons[passed], counts)
    table["mi_bits"] = information[neurons[passed]]
    table["p_value"], table["q_value"] = p_values[passed], q_values[passed]
    order = np.lexsort((table["neuron_id"], -table["mi_bits"]))
    table = table[list(COLUMNS)].iloc[order].reset_index(drop=True)
    return PositionTests(table, n_tests, ranges.shape[0])


def ranges_to_test(positions: NDArray[np.int64]) -> scipy.sparse.csr_array:
    """Return the samples of each tested range, (ranges, n): blocks of 1, 2, 4, ... positions.

    Blocks of two or more also begin half a block later. Ranges without samples, or with all of
    them, are left out.
    """
    distinct, codes = np.unique(positions, return_inverse=True)
    span = int(distinct[-1] - distinct[0]) + 1
    offset = distinct - distinct[0]
    blocks = []
    width = 1
    while width < span:
        for begin in {0, width // 2}:
            numbers = np.unique((offset + begin) // width, return_inverse=True)[1]
            blocks.append(one_hot(numbers[codes], int(numbers[-1]) + 1))
        width *= 2
    if not blocks:
        return scipy.sparse.csr_array((0, len(positions)), dtype=np.float32)
    ranges = scipy.sparse.csr_array(scipy.sparse.vstack(blocks))
    return ranges[ranges.sum(axis=1) < len(positions)]


def _p_values(
    samples: Samples, ranges: scipy.sparse.csr_array, fdr: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return (neurons, p-values) of those that come out at `fdr` or less."""
    labels = Labels.from_indicator(ranges, samples.completions)
    n_looks = 2 * len(labels)  # at every range, for more activity and for less
    best = np.ones(samples.activations.n_neurons)
    for neurons, active in selective_blocks(samples.activations):
        for shown in (active, ~active):
            found = enriched(labels, shown, samples.completions, fdr / n_looks)
            np.minimum.at(best, neurons[found.neuron], found.p_value * n_looks)
    passed = np.flatnonzero(best <= fdr)
    return passed, best[passed]


def _describe(
    samples: Samples,
    positions: NDArray[np.int64],
    neurons: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> pd.DataFrame:
    """Return neuron, layer, dimension, the best range and the frequencies in and out of it."""
    distinct, both = counts_by_position(samples, positions, neurons)
    sizes = np.unique(positions, return_counts=True)[1]
    first, end = best_ranges(both, sizes, counts[neurons])
    inside, n_inside = _RangeSearch.of(both, sizes, counts[neurons]).inside(first, end)
    n_outside = len(samples) - n_inside
    d_mlp = samples.geometry.d_mlp
    return pd.DataFrame(
        {
            "neuron_id": neurons,
            "layer": neurons // d_mlp,
            "dimension": neurons % d_mlp,
            "range_start": distinct[first],
            "range_end": distinct[end - 1] + 1,
            "frequency_inside": inside / n_inside,
            "frequency_outside": (counts[neurons] - inside) / n_outside,
        }
    )


def counts_by_position(
    samples: Samples, positions: NDArray[np.int64], neurons: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (positions there are (P,), samples there with each neuron active (P, neurons))."""
    distinct, codes = np.unique(positions, return_inverse=True)
    indicator = one_hot(codes, len(distinct))
    result = np.empty((len(distinct), len(neurons)), np.int64)
    for first, block in samples.activations.neuron_blocks():
        places = np.flatnonzero((neurons >= first) & (neurons < first + block.shape[1]))
        active = block[:, neurons[places] - first].astype(np.float32)
        result[:, places] = indicator @ active
    return distinct, result


def best_ranges(
    both: NDArray[np.int64], sizes: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (first, end), each (neurons,): the positions that activity correlates with most (phi).

    both: (P, neurons), sizes: (P,), counts: (neurons,). The range is first..end-1 of the P, never
    all of them; of equal ones the shortest, then the earliest. Beyond `MOST_BORDERS` positions
    ranges are first sought at that many borders, then each end is moved to a better place nearby.
    """
    search = _RangeSearch.of(both, sizes, counts)
    borders = np.unique(np.linspace(0, len(sizes), MOST_BORDERS + 1).astype(np.int64))
    first, end = search.best_of(*_ranges_between(borders))
    step = int(np.diff(borders).max())
    while step > 1:
        step = step // 2
        for _ in range(2):
            first, end = search.refined(first, end, step)
    return first, end


def _ranges_between(borders: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return every range from one border to a later one but the whole, shortest first."""
    first, end = (grid.ravel() for grid in np.meshgrid(borders, borders, indexing="ij"))
    chosen = (first < end) & (end - first < borders[-1])
    order = np.lexsort((first[chosen], (end - first)[chosen]))
    return first[chosen][order], end[chosen][order]


@dataclass(frozen=True)
class _RangeSearch:
    """Sums up to each position, of active samples (P + 1, neurons) and of all (P + 1,)."""

    active_before: NDArray[np.int64]
    samples_before: NDArray[np.int64]
    counts: NDArray[np.int64]

    @classmethod
    def of(
        cls, both: NDArray[np.int64], sizes: NDArray[np.int64], counts: NDArray[np.int64]
    ) -> "_RangeSearch":
        active = np.concatenate([np.zeros((1, both.shape[1]), np.int64), both.cumsum(axis=0)])
        return cls(active, np.concatenate([[0], sizes.cumsum()]), counts)

    def inside(
        self, first: NDArray[np.int64], end: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return (active samples, samples) in each neuron's range, both (neurons,)."""
        column = np.arange(len(self.counts))
        active = self.active_before[end, column] - self.active_before[first, column]
        return active, self.samples_before[end] - self.samples_before[first]

    def best_of(
        self, first: NDArray[np.int64], end: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return each neuron's best of the ranges first, end (ranges,), the earlier of equals."""
        best = np.zeros(len(self.counts), np.int64)
        score = np.full(len(self.counts), -np.inf)
        for index, (start, stop) in enumerate(zip(first.tolist(), end.tolist(), strict=True)):
            active = self.active_before[stop] - self.active_before[start]
            size = np.int64(self.samples_before[stop] - self.samples_before[start])
            new = self._score(active, size)
            better = new > score + 1e-9
            best[better], score[better] = index, new[better]
        return first[best], end[best]

    def refined(
        self, first: NDArray[np.int64], end: NDArray[np.int64], step: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return each range with its ends moved by `step` or not, whichever is best."""
        n_positions = len(self.samples_before) - 1
        best_first, best_end = first, end
        score = self._score(*self.inside(first, end))
        for left in (0, step, -step):
            for right in (0, -step, step):
                start = np.clip(first + left, 0, n_positions - 1)
                stop = np.clip(end + right, start + 1, n_positions)
                stop = np.where(stop - start == n_positions, stop - 1, stop)
                new = self._score(*self.inside(start, stop))
                better = new > score + 1e-9
                best_first = np.where(better, start, best_first)
                best_end = np.where(better, stop, best_end)
                score = np.where(better, new, score)
        return best_first, best_end

    def _score(
        self, active: NDArray[np.int64], size: NDArray[np.int64] | np.int64
    ) -> NDArray[np.float64]:
        # phi without the factor that a neuron has in all ranges alike.
        n = int(self.samples_before[-1])
        covariance = active * n - size * self.counts
        return np.asarray(covariance / np.sqrt(size.astype(float) * (n - size)), np.float64)
