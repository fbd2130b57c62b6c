"""Pairs of samples, persistence and design effects against counting one by one."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gelu.samples.completions import (
    Completions,
    Pairs,
    Persistence,
    design_effects,
    measure,
    persistence,
    possible_pairs,
)
from tests.statistics_helpers import arranged, equal_lengths, table_of

ALONE = np.arange(1000)  # prefixes of which no two are equal


@st.composite
def completions(draw: st.DrawFn) -> Completions:
    """One to seven completions of up to three prompts, some with equal tokens at first."""
    lengths = draw(st.lists(st.integers(1, 9), min_size=1, max_size=7))
    prompts = np.sort(draw(st.lists(st.integers(0, 2), min_size=len(lengths), max_size=7)))
    prompts = np.unique(prompts[: len(lengths)], return_inverse=True)[1]
    same_texts = draw(st.sampled_from([None, {0: 0, 1: 0, 2: 1}, {0: 0, 1: 0, 2: 0}]))
    texts = None if same_texts is None else np.array([same_texts[p] for p in prompts.tolist()])
    if not draw(st.booleans()):
        return Completions(np.array(lengths), prompts, None, texts)
    # A completion shares so many first samples with the others of its text.
    alike = draw(st.lists(st.integers(0, 3), min_size=len(lengths), max_size=len(lengths)))
    groups = prompts if texts is None else texts
    prefixes = []
    for number, (length, shared) in enumerate(zip(lengths, alike, strict=True)):
        for place in range(length):
            twin = 10 * int(groups[number]) + place
            prefixes.append(twin if place < shared else 100 + 10 * number + place)
    return Completions(np.array(lengths), prompts, np.array(prefixes), texts)


def counted(marked: np.ndarray, setup: Completions) -> Pairs:
    """Look at every ordered pair of samples."""
    n_lags = int(setup.lengths.max()) // 2 + 1
    by_lag = np.zeros((marked.shape[1], n_lags))
    twins, aligned, across = np.zeros((3, marked.shape[1]))
    of, clusters, texts = setup.of_samples(), setup.clusters(), setup.unit_texts()
    places = np.arange(setup.n_samples) - setup.starts()[of]
    prefixes = ALONE if setup.prefixes is None else setup.prefixes
    for a, b in product(range(setup.n_samples), repeat=2):
        both = marked[a] * marked[b]
        if of[a] == of[b]:
            distance = abs(int(places[a] - places[b]))
            by_lag[:, min(distance, int(setup.lengths[of[a]]) - distance)] += both
        elif prefixes[a] == prefixes[b]:
            twins += both
        elif texts[of[a]] == texts[of[b]] and places[a] == places[b]:
            aligned += both
        elif clusters[of[a]] == clusters[of[b]]:
            across += both
    return Pairs(by_lag, twins, aligned, across)


def assert_equal_pairs(found: Pairs, expected: Pairs) -> None:
    np.testing.assert_allclose(found.by_lag, expected.by_lag, atol=1e-3)
    assert found.twins.tolist() == expected.twins.tolist()
    assert found.aligned.tolist() == expected.aligned.tolist()
    assert found.across.tolist() == expected.across.tolist()


@given(completions(), st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_pairs_are_those_found_one_by_one(setup: Completions, seed: int) -> None:
    share = np.random.default_rng(seed).random((setup.n_samples, 3))
    marked = (share < [0.2, 0.5, 0.9]).astype(np.float32)
    assert_equal_pairs(measure(marked, setup).pairs, counted(marked, setup))
    everything = np.ones((setup.n_samples, 1), np.float32)
    assert_equal_pairs(possible_pairs(setup), counted(everything, setup))
    assert_equal_pairs(measure(everything, setup).pairs, possible_pairs(setup))


@given(completions(), st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_sums_and_shifts_of_each_completion(setup: Completions, seed: int) -> None:
    marked = (np.random.default_rng(seed).random((setup.n_samples, 2)) < 0.5).astype(np.float32)
    marks, lag_rows, row = measure(marked, setup), setup.lag_rows(), 0
    for number, start in enumerate(setup.starts().tolist()):
        length = int(setup.lengths[number])
        own = marked[start : start + length]
        assert marks.sums[number].tolist() == own.sum(axis=0).tolist()
        for lag in range(length // 2 + 1):
            assert (lag_rows.completion[row], lag_rows.lag[row]) == (number, lag)
            # Turned by the lag to the left or to the right; both are one where it is half the way.
            assert lag_rows.weight[row] == len({lag, (length - lag) % length})
            coincide = (own * np.roll(own, lag, axis=0)).sum(axis=0)
            assert marks.shifts[row].tolist() == coincide.tolist()
            row += 1
    assert row == len(lag_rows)


def correlations(active: np.ndarray, setup: Completions) -> Persistence:
    return persistence(measure(active, setup).pairs, setup)


def test_a_neuron_active_in_half_a_circle_and_one_in_every_other_sample() -> None:
    active = np.array([[1, 1], [1, 0], [0, 1], [0, 0]], np.float32)
    found = correlations(active, equal_lengths(1, 1, 4))
    np.testing.assert_allclose(found.by_lag, [[1, 0, -1], [1, -1, 1]], atol=1e-6)
    assert found.across.tolist() == [0, 0]


def test_few_completions_add_what_the_estimated_frequency_takes() -> None:
    # On all through one completion, off all through the other. Of 64 ordered pairs, 24 are of two
    # samples of one completion and correlate by 1; v * 64 = 8 + 24 * (1 + v) gives v = 0.8.
    active = np.repeat([[1], [0]], 4, axis=0).astype(np.float32)
    found = correlations(active, equal_lengths(2, 1, 4))
    np.testing.assert_allclose(found.by_lag, [[1, 1.8, 1.8]], atol=1e-6)


def test_completions_of_a_prompt_correlate_where_the_prompt_decides() -> None:
    # Two completions of two prompts: v * 256 = 16 + (48 + 64) * (1 + v) gives v = 8 / 9.
    active = np.repeat([[1], [0]], 8, axis=0).astype(np.float32)
    found = correlations(active, equal_lengths(2, 2, 4))
    np.testing.assert_allclose(found.across, [1 + 8 / 9], atol=1e-6)
    np.testing.assert_allclose(found.by_lag, [[1, 1 + 8 / 9, 1 + 8 / 9]], atol=1e-6)


def test_twins_are_one_sample_and_no_evidence_that_completions_are_alike() -> None:
    # The same completion twice: v * 64 = 8 + 8 twins + 8 * (-1 + v) + 16 * v gives v = 0.2.
    twice = Completions(np.array([4, 4]), np.array([0, 0]), np.tile(np.arange(4), 2))
    active = np.tile([[1], [1], [0], [0]], (2, 1)).astype(np.float32)
    found = correlations(active, twice)
    np.testing.assert_allclose(found.by_lag, [[1, 0.2, -0.8]], atol=1e-6)
    assert found.across.tolist() == [0]


def shift_variance(label: np.ndarray, active: np.ndarray) -> float:
    """Return the count's variance over all ways to lay each completion's label on another one.

    label, active: (completions, length). Each completion's label gets a completion and an offset of
    its own, so that variances add up.
    """
    total = 0.0
    for pattern in label:
        counts = [
            float((pattern * np.roll(other, offset)).sum())
            for other, offset in product(active, range(active.shape[1]))
        ]
        total += float(np.var(counts))
    return total


@pytest.mark.parametrize(
    ("n_prompts", "n_completions", "length"),
    [(4, 1, 5), (4, 1, 8), (1, 4, 5), (1, 4, 8), (1, 1, 8), (8, 1, 5), (9, 1, 1)],
)
def test_the_design_effect_is_the_variance_over_all_shifts(
    n_prompts: int, n_completions: int, length: int
) -> None:
    rng = np.random.default_rng([n_prompts, n_completions, length])
    setup = equal_lengths(n_prompts, n_completions, length)
    shape = (len(setup.lengths), length)
    # Runs of a label and of a neuron, so that effects above 1 come up.
    drawn = np.sort(rng.random((8, *shape)), axis=2) < rng.random((8, 1, 1))
    chosen = [s for s in drawn if 0 < s.sum() < s.size]
    assert len(chosen) > 2
    marked = np.stack([pattern.ravel() for pattern in chosen], axis=1).astype(np.float32)
    pairs, possible = measure(marked, setup).pairs, possible_pairs(setup)
    frequency = marked.mean(axis=0, dtype=np.float64)
    variance = frequency * (1 - frequency)
    by_lag = pairs.by_lag / np.maximum(possible.by_lag, 1) - frequency[:, None] ** 2
    none = np.zeros(len(chosen))
    plain = Persistence(by_lag / variance[:, None], none, none)
    sizes = marked.sum(axis=0, dtype=np.float64)
    effects = design_effects(sizes, pairs, plain)
    for label, neuron in product(range(len(chosen)), repeat=2):
        exact = shift_variance(chosen[label], chosen[neuron]) / (sizes[label] * variance[neuron])
        assert effects[label, neuron] == pytest.approx(max(exact, 1), rel=1e-4)


def test_the_correction_for_the_estimated_frequency_only_adds_variance() -> None:
    rng = np.random.default_rng(0)
    setup = equal_lengths(5, 1, 8)
    marked = np.sort(rng.random((5, 8, 6)) < 0.5, axis=1).reshape(40, 6).astype(np.float32)
    pairs, neurons = measure(marked, setup).pairs, persistence(measure(marked, setup).pairs, setup)
    frequency = marked.mean(axis=0, dtype=np.float64)
    possible = possible_pairs(setup).by_lag
    plain = pairs.by_lag / possible - frequency[:, None] ** 2
    plain /= (frequency * (1 - frequency))[:, None]
    added = neurons.by_lag[:, 1:] - plain[:, 1:]
    assert (added > -1e-6).all() and added.mean() > 0.01
    np.testing.assert_allclose(added, added[:, :1] * np.ones(added.shape[1]), atol=1e-5)


def test_a_label_with_twins_counts_them_once() -> None:
    # Ten completions with the same first token: its ten samples are one.
    labels = Pairs(np.array([[10.0, 0.0]]), np.array([90.0]), np.zeros(1), np.zeros(1))
    neurons = Persistence(np.array([[1.0, 0.0]]), np.zeros(1), np.zeros(1))
    assert design_effects(np.array([10.0]), labels, neurons).tolist() == [[10.0]]


@given(completions(), st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_shifted_rows_turn_every_completion_in_a_circle(setup: Completions, seed: int) -> None:
    rows = setup.shifted_rows(np.random.default_rng(seed))
    assert sorted(rows.tolist()) == list(range(setup.n_samples))
    for start, length in zip(setup.starts().tolist(), setup.lengths.tolist(), strict=True):
        places = rows[start : start + length] - start
        assert places.tolist() == [(places[0] + step) % length for step in range(length)]


def test_shifted_rows_come_out_at_every_offset() -> None:
    rng = np.random.default_rng(1)
    setup = Completions(np.array([3, 5]), np.array([0, 1]))
    seen = {tuple(setup.shifted_rows(rng)[[0, 3]].tolist()) for _ in range(300)}
    assert seen == {(a, 3 + b) for a in range(3) for b in range(5)}


def test_one_text_makes_each_completion_a_unit_of_its_own() -> None:
    lengths, prompts = np.array([2, 2, 2]), np.array([0, 0, 1])
    assert Completions(lengths, prompts).clusters().tolist() == [0, 0, 1]
    assert Completions(lengths, prompts, None, np.zeros(3, int)).clusters().tolist() == [0, 1, 2]
    assert Completions(lengths, np.zeros(3, int)).clusters().tolist() == [0, 1, 2]


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """A table in any order; prompts 0 and 2 have the same text."""
    lengths = draw(st.lists(st.integers(1, 5), min_size=1, max_size=6))
    n = len(lengths)
    prompts = sorted(draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)))
    total = sum(lengths)
    outputs = draw(st.lists(st.integers(0, 2), min_size=total, max_size=total))
    table = table_of(lengths, prompts, outputs)
    table["input_text"] = table["input_text"].replace("prompt 2", "prompt 0")
    return table.sample(frac=1, random_state=draw(st.integers(0, 99)))


@given(tables(), st.booleans())
@settings(max_examples=60)
def test_equal_prefixes_are_equal_texts_and_equal_tokens_so_far(
    table: pd.DataFrame, with_ids: bool
) -> None:
    if not with_ids:
        table = table.drop(columns="output_id")
    active = np.arange(8) == (table["sample_id"].to_numpy() % 8)[:, None]
    samples = arranged(table, active)
    rows, setup = samples.table, samples.completions
    assert setup.prefixes is not None and setup.texts is not None
    assert np.array_equal(
        samples.activations.rows(slice(None)).argmax(axis=1), rows["sample_id"] % 8
    )
    so_far, of = [], setup.of_samples()
    for row in range(len(rows)):
        start = setup.starts()[of[row]]
        assert row - start == rows["token_position"][row]
        so_far.append((rows["input_text"][row], tuple(rows["output"][start:row])))
    for a, b in product(range(len(rows)), repeat=2):
        assert (setup.prefixes[a] == setup.prefixes[b]) == (so_far[a] == so_far[b])
        assert (setup.texts[of[a]] == setup.texts[of[b]]) == (so_far[a][0] == so_far[b][0])
        same_completion = all(
            rows[column][a] == rows[column][b] for column in ("prompt_idx", "prompt_sample_idx")
        )
        assert (of[a] == of[b]) == same_completion
    assert samples.prompt_ids[setup.prompts_of_samples()].tolist() == rows["prompt_idx"].tolist()


def test_missing_prompt_numbers_are_made_up_from_the_texts_and_named() -> None:
    table = table_of([2, 2, 2], [0, 0, 1], [0, 1, 0, 2, 0, 1])
    active = np.ones((6, 1), bool)
    by_text = arranged(table.drop(columns="prompt_idx"), active)
    assert by_text.completions.prompts.tolist() == [0, 0, 1]
    assert (
        "equal texts count as one prompt"
        in by_text.skipped["rows of the prompts CSV with equal text"]
    )
    bare = arranged(table.drop(columns=["prompt_idx", "input_text"]), active)
    assert bare.completions.prompts.tolist() == [0, 0, 0]
    assert bare.prompt_texts() == [""] and "all samples" in bare.skipped["prompts"]


def test_some_completions_of_equal_texts_stay_one_text() -> None:
    whole = Completions(np.full(4, 2), np.arange(4), ALONE[:8], np.array([0, 0, 1, 0]))
    some = whole.some(np.array([0, 1, 2]))
    assert [one.tolist() for one in some.one_of_each_text(9)] == [[0, 2], [1, 2]]
    assert some.prefixes is None
