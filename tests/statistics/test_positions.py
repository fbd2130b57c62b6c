"""Neurons that depend on the position, planted exactly, and data in which none does."""

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gelu.samples.arrays import Samples
from gelu.samples.completions import Completions
from gelu.samples.notes import Notes
from gelu.statistics.importance import importance_table
from gelu.statistics.multiple_testing import typical_p_value
from gelu.statistics.position_specific import (
    PositionTests,
    best_ranges,
    position_specific_neurons,
    ranges_to_test,
)
from gelu.statistics.shift_bound import shift_bound
from tests.statistics_helpers import (
    BEFORE,
    arranged,
    contract_columns,
    persistent_activity,
    samples_of,
    table_of,
)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=20))
def test_tested_ranges_are_blocks_of_neighbours(values: list[int]) -> None:
    positions = np.array(values)
    found = {
        tuple(np.unique(positions[row].tolist()).tolist())
        for row in ranges_to_test(positions).toarray().astype(bool)
    }
    distinct = sorted(set(values))
    span = distinct[-1] - distinct[0] + 1
    expected, width = set(), 1
    while width < span:
        for begin in (0, width // 2):
            for start in range(distinct[0] - begin, distinct[-1] + 1, width):
                expected.add(tuple(p for p in distinct if start <= p < start + width))
        width *= 2
    assert found == expected - {(), tuple(distinct)}


def test_every_sample_of_a_range_is_marked_once() -> None:
    ranges = ranges_to_test(np.array([5, 6, 5, 8])).toarray()
    assert ranges.max() == 1 and ranges.shape[1] == 4
    assert [1, 0, 1, 0] in ranges.tolist()


def phi(both: NDArray[Any], sizes: NDArray[Any], count: int, first: int, end: int) -> float:
    inside, size, n = both[first:end].sum(), sizes[first:end].sum(), sizes.sum()
    return float((inside * n - size * count) / np.sqrt(size * (n - size) * count * (n - count)))


@given(st.integers(2, 9), st.integers(0, 2**32 - 1))
def test_the_best_range_is_the_best_of_all(n_positions: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 9, n_positions)
    both = rng.integers(0, sizes[:, None] + 1, (n_positions, 4))
    both[0], both[1] = 0, sizes[1]
    counts = both.sum(axis=0)
    first, end = best_ranges(both, sizes, counts)
    for neuron in range(4):
        ranges = [
            (stop - start, start, stop)
            for start in range(n_positions)
            for stop in range(start + 1, n_positions + 1)
            if stop - start < n_positions
        ]
        scores = {
            (start, stop): phi(both[:, neuron], sizes, int(counts[neuron]), start, stop)
            for _, start, stop in ranges
        }
        best = max(scores.values())
        expected = next(
            (start, stop) for _, start, stop in sorted(ranges) if scores[start, stop] > best - 1e-9
        )
        assert (first[neuron], end[neuron]) == expected


@given(st.integers(0, 99), st.integers(1, 99), st.integers(4, 16))
@settings(max_examples=60)
def test_beyond_the_most_borders_a_single_range_is_found_exactly(
    start: int, width: int, borders: int
) -> None:
    # A range as wide as a border's step or wider.
    end = min(100, start + max(width, 100 // borders + 1))
    start = max(0, min(start, end - 100 // borders - 1))
    if end - start == 100:
        end -= 1
    sizes = np.full(100, 4)
    both = np.where((np.arange(100) >= start) & (np.arange(100) < end), 4, 0)[:, None]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gelu.statistics.position_specific.MOST_BORDERS", borders)
        first, stop = best_ranges(both, sizes, both.sum(axis=0))
    assert (first[0], stop[0]) == (start, end)


LENGTH = 32


def find(samples: Samples) -> PositionTests:
    table = importance_table(samples, 0, notes=Notes.of(samples)).sort_values("neuron_id")
    return position_specific_neurons(
        samples, table["mi_position_bits"].to_numpy(), 0.05, notes=Notes.of(samples)
    )


def dataset(active: NDArray[np.bool_]) -> Samples:
    """Return samples of completions of `LENGTH` tokens, each of a prompt of its own."""
    n = len(active) // LENGTH
    prompts = list(range(n))
    rng = np.random.default_rng(9)
    return samples_of([LENGTH] * n, prompts, rng.integers(0, 30, n * LENGTH).tolist(), active)


def planted() -> NDArray[np.bool_]:
    """24 completions; neurons: dead, always on, a range, one position, every other position, not
    in a range, persistent noise."""
    places = np.tile(np.arange(LENGTH), 24)
    active = np.zeros((len(places), 40), bool)
    active[:, 1] = True
    active[:, 2] = (places >= 7) & (places < 15)
    active[:, 3] = places == 4
    active[:, 4] = places % 2 == 1
    active[:, 5] = (places < 10) | (places >= 21)
    rng = np.random.default_rng(0)
    active[:, 6:] = persistent_activity(rng, (24, LENGTH), 0.9, np.full((24, 34), 0.3))
    return active


def test_planted_ranges_are_found_exactly_and_nothing_else() -> None:
    samples = dataset(planted())
    result = find(samples)
    table = result.table.set_index("neuron_id")
    assert ["neuron_id", *table.columns] == contract_columns("position_specific_neurons")
    assert set(table.index) == {2, 3, 4, 5}
    borders = table[["range_start", "range_end"]].to_numpy().tolist()
    ranges = dict(zip(table.index, borders, strict=True))
    assert ranges[2] == [BEFORE + 7, BEFORE + 15]
    assert ranges[3] == [BEFORE + 4, BEFORE + 5]
    shares = table[["frequency_inside", "frequency_outside"]].to_numpy().tolist()
    frequencies = dict(zip(table.index, shares, strict=True))
    assert frequencies[2] == frequencies[3] == [1, 0]
    # The other positions are two ranges; the wider one is shown.
    assert ranges[5] == [BEFORE + 21, BEFORE + 32]
    assert frequencies[5] == [1, pytest.approx(10 / 21)]
    assert frequencies[4][0] > frequencies[4][1]
    assert (table["q_value"] <= 0.05).all() and (table["q_value"] >= table["p_value"]).all()
    assert result.table["mi_bits"].tolist() == sorted(result.table["mi_bits"], reverse=True)
    assert result.n_tests == 38
    assert result.n_ranges == ranges_to_test(samples.table["absolute_position"].to_numpy()).shape[0]


def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = find(dataset(planted())).table
    monkeypatch.setattr("gelu.packed.BLOCK_BYTES", 1)
    pieced = find(dataset(planted())).table
    np.testing.assert_allclose(pieced.to_numpy(float), whole.to_numpy(float), rtol=1e-4)


def test_where_positions_are_dealt_out_anew_nothing_is_found() -> None:
    runs = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        parts = planted().reshape(24, LENGTH, -1)
        shuffled = np.stack([rng.permutation(part) for part in parts])
        runs += len(find(dataset(shuffled.reshape(24 * LENGTH, -1))).table) > 0
    assert runs <= 1


def test_persistence_alone_is_no_position() -> None:
    runs = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        frequency = rng.uniform(0.02, 0.9, (1, 60)).repeat(24, axis=0)
        active = persistent_activity(rng, (24, LENGTH), 0.95, frequency)
        runs += len(find(dataset(active)).table) > 0
    assert runs <= 1


def test_a_first_token_that_a_prompts_completions_share_is_no_position() -> None:
    # Six prompts of eight completions, whose first two tokens are the same; a neuron fires on one.
    rng = np.random.default_rng(0)
    lengths, prompts = [20] * 48, np.repeat(range(6), 8).tolist()
    outputs = rng.integers(0, 30, (48, 20))
    outputs[:, :2] = 40
    outputs[:16, 0], outputs[16:, 0] = 50, np.repeat(range(60, 64), 8)
    table = table_of(lengths, prompts, outputs.ravel().tolist())
    active = ((table["context_token_id"] == 50) | (rng.random(960) < 0.01)).to_numpy()[:, None]
    assert find(arranged(table, active)).table.empty
    # In as many prompts, the same activity is no coincidence.
    alone = table_of(lengths, list(range(48)), outputs.ravel().tolist())
    assert find(arranged(alone, active)).table["neuron_id"].tolist() == [0]


@dataclass(frozen=True)
class Design:
    n_prompts: int
    n_completions: int
    length: int


SIX = [(60, 1, 40), (24, 3, 20), (12, 5, 40), (36, 5, 20), (3, 5, 20), (6, 10, 40)]


def copying(design: Design, seed: int) -> tuple[Samples, dict[int, list[int]]]:
    """Return samples of neurons that read the token 2, 3 or 5 back, drawn independently, and of
    neurons active at a range of positions alone: id -> range."""
    rng = np.random.default_rng(seed)
    n_completions = design.n_prompts * design.n_completions
    before = rng.integers(0, 12, (design.n_prompts, 8)).repeat(design.n_completions, axis=0)
    tokens = np.concatenate([before, rng.integers(0, 12, (n_completions, design.length))], axis=1)
    columns = []
    for back in (2, 3, 5):
        read = tokens[:, 7 - back : -1 - back].ravel()
        columns += [np.isin(read, rng.choice(12, size, False)) for size in rng.integers(1, 7, 20)]
    places, planted_ranges = np.tile(np.arange(design.length), n_completions), {}
    for width in (1, 3, design.length // 4, design.length // 3):
        start = int(rng.integers(design.length - width))
        planted_ranges[len(columns)] = [BEFORE + start, BEFORE + start + width]
        columns.append((places >= start) & (places < start + width))
    prompts = np.repeat(np.arange(design.n_prompts), design.n_completions).tolist()
    lengths = [design.length] * n_completions
    samples = samples_of(lengths, prompts, tokens[:, 8:].ravel().tolist(), np.stack(columns, 1))
    return samples, planted_ranges


@pytest.mark.parametrize("design", SIX)
def test_neurons_that_look_a_few_tokens_back_are_of_no_position(
    design: tuple[int, int, int],
) -> None:
    false, n_found = 0, 0
    for seed in range(5):
        samples, planted_ranges = copying(Design(*design), seed)
        result = position_specific_neurons(samples, np.zeros(64), 0.05, notes=Notes.of(samples))
        columns = ["range_start", "range_end"]
        rows = result.table.set_index("neuron_id")[columns].astype(int)
        found = dict(zip(rows.index, rows.to_numpy().tolist(), strict=True))
        false += len(set(found) - set(planted_ranges))
        n_found += len(found)
        if design[0] >= 12:
            assert planted_ranges.items() <= found.items()
            assert result.too_few is None
        if design[0] == 3:
            assert "prompts" in (result.too_few or "")
    assert false <= 0.05 * n_found


def test_one_prompt_says_nothing_of_positions() -> None:
    samples, _ = copying(Design(1, 9, 20), 0)
    result = position_specific_neurons(samples, np.zeros(64), 0.05, notes=Notes.of(samples))
    assert result.table.empty and "more prompts" in (result.unattainable or "")


def test_the_bound_is_above_the_chance_over_all_shifts_and_meets_it_at_a_perfect_fit() -> None:
    rng = np.random.default_rng(0)
    setup = Completions(np.array([3, 4, 4]), np.arange(3))
    labelled, active = rng.random((2, 11, 30)) < 0.5
    bound = shift_bound(labelled, active, setup)
    counts = []
    for offsets in product(range(3), range(4), range(4)):
        turned = [
            np.roll(part, offset, axis=0)
            for part, offset in zip(np.split(active, [3, 7]), offsets, strict=True)
        ]
        counts.append((labelled & np.concatenate(turned)).sum(axis=0))
    exact = (np.array(counts) >= (labelled & active).sum(axis=0)).mean(axis=0)
    assert (bound >= exact - 1e-9).all()
    one = np.zeros((11, 1), bool)
    one[[1, 4, 9]] = True
    assert shift_bound(one, one, setup) == pytest.approx(1 / (3 * 4 * 4), rel=1e-6)


def test_p_values_of_several_sets_hold_however_they_depend() -> None:
    rng = np.random.default_rng(0)
    for k in (1, 2, 3, 5, 10):
        alone, together = rng.random((k, 20_000)), np.tile(rng.random(20_000), (k, 1))
        # As many sets as matter, and no more, are small at once.
        rank, small = (k + 1) // 2, 0.05 * ((k + 1) // 2) / k
        chosen = np.argsort(rng.random((k, 20_000)), axis=0) < rank
        hit = rng.random(20_000) < small * k / rank
        worst = np.where(chosen & hit, small * rng.random(20_000), 1.0)
        assert (worst <= small).mean() <= small + 0.005
        assert (typical_p_value(worst) <= 0.05).mean() <= 0.055
        assert (typical_p_value(together) >= together[0] - 1e-12).all()
        assert (typical_p_value(alone) <= 0.05).mean() <= 0.055
    assert typical_p_value(np.array([[0.03], [0.01], [0.5]])) == pytest.approx(0.045)


def test_without_positions_or_with_one_there_is_nothing_to_test() -> None:
    table = table_of([1, 1, 1], [0, 0, 1], [0, 1, 2])
    active = np.array([[1], [0], [1]], bool)
    samples = arranged(table, active)
    notes = Notes.of(samples)
    result = position_specific_neurons(samples, np.zeros(1), 0.05, notes=notes)
    assert result.table.empty and result.n_ranges == 0
    assert "same position" in notes.skipped["position-specific neurons"]
    assert list(result.table.columns) == contract_columns("position_specific_neurons")
    samples = arranged(table.drop(columns="absolute_position"), active)
    notes = Notes.of(samples)
    assert position_specific_neurons(samples, np.zeros(1), 0.05, notes=notes).n_ranges == 0
    assert "positions" in notes.skipped
