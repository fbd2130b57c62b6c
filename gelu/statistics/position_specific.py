"""Neurons whose activity depends on the position in the sequence.

A neuron passes if at some range of positions it is active more, or less, often than chance allows:
every range of 1, 2, 4, ... neighbouring positions is tested like a token is (module `enrichment`),
and the least p-value is multiplied by the number of tests (Bonferroni). The null is that of
circular shifts within and over completions, so a neuron that merely stays on for a while does not
pass.

Just after the prompt all its completions have read the same tokens, so a neuron that looks a few
tokens back is active in all of them or in none: at these positions they are one observation, not
many. One completion of each prompt is therefore tested at a time, and the p-values of these sets
are combined in a way that holds however they depend (`typical_p_value`). How much the position
tells is the mutual information (Voita, Ferrando and Nalmpantis 2023, *Neurons in Large Language
Models: Dead, N-gram, Positional*); it and the ranges are taken from all samples.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse
from numpy.typing import NDArray

from gelu.neurons import dimension_of, layer_of
from gelu.samples.arrays import Samples
from gelu.samples.completions import Completions
from gelu.samples.notes import Notes
from gelu.statistics.attainable import fewest_together
from gelu.statistics.enrichment import (
    Found,
    Labels,
    allowing_for_dependence,
    fisher_found,
    one_hot,
    selective_blocks,
)
from gelu.statistics.fisher import fisher_p_value
from gelu.statistics.multiple_testing import benjamini_hochberg, typical_p_value
from gelu.statistics.shift_bound import shift_bound

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
MOST_SETS = 11
MOST_PROMPTS = 256


@dataclass(frozen=True)
class PositionTests:
    """What passed, columns as in the file contract; n_tests: neurons tested; n_ranges: for each;
    n_sets: sets of one completion of each prompt. smallest_p: of a neuron that is active at the
    best tested range and nowhere else; fewest_together: how many of these it takes for any to
    pass; unattainable: why nothing could pass, whatever the data; too_few: what cannot be found
    with so few prompts, and how many it takes, None where there are enough."""

    table: pd.DataFrame
    n_tests: int
    n_ranges: int
    n_sets: int = 0
    smallest_p: float | None = None
    fewest_together: int = 1
    unattainable: str | None = None
    too_few: str | None = None


def position_specific_neurons(
    samples: Samples, information: NDArray[np.float64], fdr: float, notes: Notes
) -> PositionTests:
    """Test every selective neuron; ordered by information, most first.

    information: (n_neurons,) mutual information with the position in bits.
    """
    positions = samples.positions()
    if positions is None:
        return PositionTests(pd.DataFrame(columns=list(COLUMNS)), 0, 0)
    ranges = ranges_to_test(positions)
    if ranges.shape[0] == 0:
        notes.skipped["position-specific neurons"] = "all samples have the same position"
        return PositionTests(pd.DataFrame(columns=list(COLUMNS)), 0, 0)
    sets = samples.completions.one_of_each_text(MOST_SETS)
    if len(sets[0]) < 2:
        reason = "all completions are of one prompt, and share the tokens just after it"
        return PositionTests(
            pd.DataFrame(columns=list(COLUMNS)), 0, 0, unattainable=f"{reason}; use more prompts"
        )
    counts = samples.activations.counts()
    n_tests = int(((counts > 0) & (counts < len(samples))).sum())
    by_set = [_p_values(samples, positions, ranges, chosen, fdr) for chosen in sets]
    p_values = typical_p_value(np.array(by_set))
    neurons = np.flatnonzero(p_values <= fdr)
    q_values = benjamini_hochberg(p_values[neurons], n_tests)
    passed = neurons[q_values <= fdr]
    table = _describe(samples, positions, passed, counts)
    table["mi_bits"] = information[passed]
    table["p_value"], table["q_value"] = p_values[passed], q_values[q_values <= fdr]
    order = np.lexsort((table["neuron_id"], -table["mi_bits"]))
    table = table[list(COLUMNS)].iloc[order].reset_index(drop=True)
    n_all = _n_all_ranges(len(np.unique(positions)))
    limits = _limits(samples.completions, ranges, n_all, sets[0], n_tests, fdr)
    return PositionTests(table, n_tests, ranges.shape[0], len(sets), **limits)


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
    samples: Samples,
    positions: NDArray[np.int64],
    ranges: scipy.sparse.csr_array,
    chosen: NDArray[np.int64],
    fdr: float,
) -> NDArray[np.float64]:
    """Return each neuron's p-value in some completions, one of each prompt, (neurons,).

    Those above `fdr` count as 1.
    """
    activations, completions = samples.activations, samples.completions
    rows = np.flatnonzero(np.isin(completions.of_samples(), chosen))
    own, alone = _inside(ranges, rows), completions.taken(chosen)
    best = np.ones(activations.n_neurons)
    if own.shape[0] == 0:
        return best
    labels = Labels.from_indicator(own, alone, by_place=False)
    n_looks = 2 * ranges.shape[0]  # at every range, for more activity and for less
    for neurons, active in selective_blocks(activations.taken(rows)):
        for shown in (active, ~active):
            n_active = shown.sum(axis=0, dtype=np.int64)
            counts = labels.counts(shown)
            found = fisher_found(counts, labels.sizes, n_active, len(rows), fdr / n_looks)
            likely = np.unique(found.neuron)
            found = allowing_for_dependence(labels, shown, alone, found, fdr / n_looks)
            np.minimum.at(best, neurons[found.neuron], found.p_value * n_looks)
            bounds = _best_range_p_values(positions[rows], shown[:, likely], alone)
            best[neurons[likely]] = np.minimum(best[neurons[likely]], bounds)
    return best


def _best_range_p_values(
    positions: NDArray[np.int64], active: NDArray[np.bool_], completions: Completions
) -> NDArray[np.float64]:
    """Return each neuron's p-value at the range that it goes with best, (neurons,), times the
    number of all ranges.

    Counts divided by a design effect see trends and loose ranges; the bound of `shift_bound` sees
    a range that few prompts keep to exactly. Both are of circular shifts.
    """
    if active.shape[1] == 0:
        return np.empty(0)
    distinct, codes = np.unique(positions, return_inverse=True)
    both = np.asarray(one_hot(codes, len(distinct)) @ active.astype(np.float32), np.int64)
    counts = active.sum(axis=0, dtype=np.int64)
    first, end = best_ranges(both, np.bincount(codes), counts)
    inside = (codes[:, None] >= first) & (codes[:, None] < end)
    sizes = inside.sum(axis=0, dtype=np.int64)
    n_both = (inside & active).sum(axis=0, dtype=np.int64)
    exact = fisher_p_value(n_both, sizes, counts, len(codes))
    p_value = np.maximum(exact, shift_bound(inside, active, completions))
    return np.minimum(p_value * _n_all_ranges(len(distinct)), 1.0)


def _n_all_ranges(n_positions: int) -> int:
    """Return how many ranges there are, for more activity and for less."""
    return n_positions * (n_positions + 1)


def _inside(ranges: scipy.sparse.csr_array, rows: NDArray[np.int64]) -> scipy.sparse.csr_array:
    """Return the ranges in these samples alone, without those that have none or all of them."""
    own = scipy.sparse.csr_array(ranges[:, rows])
    sizes = own.sum(axis=1)
    return own[(sizes > 0) & (sizes < len(rows))]


def _limits(
    completions: Completions,
    ranges: scipy.sparse.csr_array,
    n_all_ranges: int,
    chosen: NDArray[np.int64],
    n_tests: int,
    fdr: float,
) -> dict[str, Any]:
    """Return what these prompts could show at all, as in `PositionTests`."""

    def together(p_value: float) -> int:
        return fewest_together(p_value, n_tests, fdr)

    def enough(n_prompts: int) -> bool:
        ideal = _ideal_p_values(completions, ranges, n_all_ranges, np.resize(chosen, n_prompts))
        return together(float(ideal.max())) == 1

    ideal = _ideal_p_values(completions, ranges, n_all_ranges, chosen)
    smallest, largest = float(ideal.min()), float(ideal.max())
    limits = {"smallest_p": smallest, "fewest_together": together(smallest)}
    if together(largest) == 1:
        return limits
    needed = _fewest(enough, len(chosen), MOST_PROMPTS)
    few = (
        f"with {len(chosen):,} prompts of different texts a neuron that is active at one range of "
        f"positions and nowhere else has a p-value of {smallest:.2g} to {largest:.2g}, by the "
        f"range, among {n_tests:,} tests; for any range to pass it takes "
        + (f"about {needed:,} prompts" if needed else f"more than {MOST_PROMPTS:,} prompts")
    )
    impossible = together(smallest) > n_tests
    return limits | {"too_few": few, "unattainable": few if impossible else None}


def _ideal_p_values(
    completions: Completions,
    ranges: scipy.sparse.csr_array,
    n_all_ranges: int,
    chosen: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the p-values of neurons active at a tested range alone, in these completions.

    chosen: (c,), may name a completion several times. Of the ranges that all of them cover, one of
    each width is tried.
    """
    starts, lengths = completions.starts()[chosen], completions.lengths[chosen]
    rows = np.concatenate([start + np.arange(n) for start, n in zip(starts, lengths, strict=True)])
    own = _inside(ranges, rows)
    alone = Completions(lengths, np.arange(len(chosen)))
    covered = (own @ one_hot(alone.of_samples(), len(chosen)).T).toarray() > 0
    own = own[covered.all(axis=1)]
    if own.shape[0] == 0:
        return np.ones(1)
    sizes = np.asarray(own.sum(axis=1), np.int64)
    tried = np.unique(np.round(np.log2(sizes) * 2), return_index=True)[1]
    own, sizes, numbers = own[tried], sizes[tried], np.arange(len(tried))
    labels = Labels.from_indicator(own, alone, by_place=False)
    ideal = Found(numbers, numbers, sizes, fisher_p_value(sizes, sizes, sizes, len(rows)))
    active = own.toarray().T.astype(bool)
    spread = allowing_for_dependence(labels, active, alone, ideal, 1.0).p_value
    bound = np.maximum(ideal.p_value, shift_bound(active, active, alone))
    return np.minimum(np.minimum(spread * 2 * ranges.shape[0], bound * n_all_ranges), 1.0)


def _fewest(enough: Callable[[int], bool], too_few: int, most: int) -> int | None:
    """Return the least number above `too_few` that is enough, None beyond `most`."""
    low, high = too_few, 2 * too_few
    while not enough(high):
        low, high = high, 2 * high
        if high > most:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


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
            "layer": layer_of(neurons, d_mlp),
            "dimension": dimension_of(neurons, d_mlp),
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
