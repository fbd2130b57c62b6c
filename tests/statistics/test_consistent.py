"""Neurons that all completions of a prompt share: exact by listing all deals, false at the rate."""

import math
from itertools import combinations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.prompt_worlds import WITHOUT_EFFECT, WORLDS, Shape
from gelu.samples.arrays import Samples
from gelu.samples.notes import Notes
from gelu.statistics.attainable import completions_needed, fewest_together, partitions
from gelu.statistics.consistent_neurons import consistent_neurons
from gelu.statistics.deals import deal_p_values, levels, n_levels
from tests.statistics_helpers import arranged, contract_columns, samples_of, table_of

MODULE = "gelu.statistics.consistent_neurons"


def p_value_of_all_deals(scores: NDArray[np.int64], own: list[int]) -> float:
    """List every set of completions that a prompt could get."""
    if (scores[own] == 0).any():
        return 1.0
    deals = [list(deal) for deal in combinations(range(len(scores)), len(own))]
    total = scores[own].sum()
    as_much = [(scores[deal] > 0).all() and scores[deal].sum() >= total for deal in deals]
    return float(np.mean(as_much))


@given(st.lists(st.integers(0, 4), min_size=2, max_size=9), st.integers(1, 5))
def test_counting_subsets_by_sum_is_listing_them(scores: list[int], size: int) -> None:
    size = min(size, len(scores))
    histogram = np.bincount(scores, minlength=5)[1:, None]
    tails = deal_p_values(histogram, len(scores), [1, size])
    assert set(tails) == {1, size} and tails[size].shape == (4 * size + 1, 1)
    subsets = [subset for subset in combinations(scores, size) if all(subset)]
    for total, found in enumerate(tails[size][:, 0]):
        expected = sum(sum(subset) >= total for subset in subsets) / math.comb(len(scores), size)
        assert found == pytest.approx(expected)


def test_of_high_scores_fewer_levels_are_told_apart_in_order() -> None:
    assert n_levels(5, 20) == 20 and n_levels(16, 1_000) < 20 and n_levels(16, 3) == 3
    for highest in (7, 20, 1_000):
        n = n_levels(12, highest)
        found = levels(np.arange(highest + 1), n, highest)
        assert found[0] == 0 and found[1] == 1 and found.max() <= n
        assert (np.diff(found) >= 0).all() and (np.diff(found) <= 1).all()


MEASURES = ["n_samples", "frequency_this_prompt", "frequency_other_prompts"]
MEASURES += ["token_share_this_prompt", "token_share_other_prompts"]
SIZES, LENGTH = [4, 3, 3, 1], 6


def small_dataset() -> tuple[Samples, NDArray[np.bool_], NDArray[np.int64]]:
    """Neurons 0 to 2 belong to a prompt; 10 and 11 are always and never active."""
    rng = np.random.default_rng(0)
    prompts = np.repeat(np.arange(4), SIZES)
    of = np.repeat(np.arange(11), LENGTH)
    active = rng.random((len(of), 40)) < rng.choice([0.05, 0.3, 0.6], 40)
    for prompt in range(3):
        active[:, prompt] |= (prompts[of] == prompt) & (rng.random(len(of)) < 0.8)
    active[:, [10, 11]] = [True, False]
    outputs = rng.integers(0, 1_000, len(of)).tolist()
    return samples_of([LENGTH] * 11, prompts.tolist(), outputs, active), active, prompts


@pytest.mark.parametrize("block_bytes", [1, 1 << 25])
def test_rows_and_p_values_are_those_of_all_deals(
    block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gelu.packed.BLOCK_BYTES", block_bytes)
    samples, active, prompts = small_dataset()
    counts = active.reshape(11, LENGTH, 40).sum(axis=1)
    ever = counts > 0
    found = consistent_neurons(samples, 0.2, notes=Notes.of(samples))
    assert list(found.table.columns) == contract_columns("consistent_neurons")
    expected, p_values = {}, {}
    for prompt, neuron in np.ndindex(4, 40):
        own = np.flatnonzero(prompts == prompt)
        others = np.flatnonzero(prompts != prompt)
        if len(own) > 1 and len(own) <= ever[:, neuron].sum() < 11:
            p_values[prompt, neuron] = p_value_of_all_deals(counts[:, neuron], own.tolist())
        if ever[own, neuron].all() and not ever[others, neuron].all():
            expected[prompt, neuron] = (
                len(own),
                1.0,
                ever[others, neuron].mean(),
                counts[own, neuron].mean() / LENGTH,
                counts[others, neuron].mean() / LENGTH,
            )
    q_values = scipy.stats.false_discovery_control(list(p_values.values()))
    q_value = dict(zip(p_values, q_values.tolist(), strict=True))
    rows = found.table.set_index(["prompt_idx", "neuron_id"])
    assert set(rows.index) == set(expected) and len(rows) > 20
    assert (rows["n_samples"] == 1).any() and (rows["passes"] == 1).any()
    for row in found.table.to_dict("records"):
        key = (row["prompt_idx"], row["neuron_id"])
        assert tuple(row[name] for name in MEASURES) == pytest.approx(expected[key])
        if key in p_values:
            assert row["p_value"] == pytest.approx(p_values[key])
            assert row["q_value"] == pytest.approx(q_value[key])
        else:
            assert np.isnan([row["p_value"], row["q_value"]]).all()
        assert row["passes"] == (q_value.get(key, 1) <= 0.2)
    assert found.n_tests == len(p_values)
    assert found.n_passed == sum(q <= 0.2 for q in q_value.values()) == rows["passes"].sum()
    assert found.smallest_p == pytest.approx(1 / math.comb(11, 4))
    order = found.table[["p_value", "frequency_other_prompts"]].fillna(2).to_numpy().tolist()
    assert order == sorted(order)


def test_the_strongest_rows_of_each_prompt_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    samples, _, _ = small_dataset()
    whole = consistent_neurons(samples, 0.2, notes=Notes.of(samples))
    monkeypatch.setattr(f"{MODULE}.MOST_ROWS", 12)
    monkeypatch.setattr(f"{MODULE}.LEAST_ROWS_OF_PROMPT", 1)
    few = consistent_neurons(samples, 0.2, notes=Notes.of(samples))
    assert whole.n_left_out == 0
    assert few.n_left_out == len(whole.table) - len(few.table) > 0
    expected = whole.table.groupby("prompt_idx").head(3).reset_index(drop=True)
    assert few.table.equals(expected)
    assert (few.n_tests, few.n_passed) == (whole.n_tests, whole.n_passed)


@pytest.mark.parametrize("shape", [Shape(3, 5, 20), Shape(12, 3, 20), Shape(12, 10, 12)])
@pytest.mark.parametrize("world", WITHOUT_EFFECT)
def test_without_an_effect_hardly_any_dataset_has_a_finding(world: str, shape: Shape) -> None:
    found = []
    for seed in range(12):
        samples, truth = WORLDS[world](np.random.default_rng(1_000 + seed), shape)
        assert not truth.any()
        found.append(consistent_neurons(samples, 0.05, notes=Notes.of(samples)).n_passed > 0)
    # At a rate of 5 % more than two of twelve have a chance of 2 %.
    assert sum(found) <= 2


@pytest.mark.parametrize("world", ["planted, strong", "rows of equal text", "one unlike all"])
def test_planted_neurons_are_found_and_few_others(world: str) -> None:
    false, n_found, n_planted = [], 0, 0
    for seed in range(10):
        samples, truth = WORLDS[world](np.random.default_rng(seed), Shape(3, 5, 20))
        rows = consistent_neurons(samples, 0.05, notes=Notes.of(samples)).table.query("passes == 1")
        true = truth[rows["prompt_idx"], rows["neuron_id"]]
        false.append((~true).sum() / max(1, len(true)))
        n_found, n_planted = n_found + int(true.sum()), n_planted + int(truth.sum())
    assert np.mean(false) <= 0.05
    assert n_found >= (0.1 if world == "one unlike all" else 0.9) * n_planted


def equal_completions(n_different: int) -> Samples:
    """Two prompts, five completions each, of which all but so many have the very same tokens."""
    outputs = np.zeros((10, 6), int)
    outputs[:, 1] = np.minimum(np.tile(np.arange(5), 2), n_different - 1)
    active = np.zeros((10, 6, 8), bool)
    active[:5, :, 0] = True
    return samples_of([6] * 10, [0] * 5 + [1] * 5, outputs.ravel().tolist(), active.reshape(-1, 8))


def test_completions_with_the_same_tokens_count_once() -> None:
    greedy = consistent_neurons(equal_completions(1), 0.05, notes=Notes())
    assert len(greedy.table) == 1 and np.isnan(greedy.table["q_value"][0])
    assert greedy.unattainable is not None and "differ" in greedy.unattainable
    assert consistent_neurons(
        equal_completions(3), 0.05, notes=Notes()
    ).smallest_p == pytest.approx(1 / math.comb(6, 3))
    different = consistent_neurons(equal_completions(5), 0.2, notes=Notes())
    assert different.table["p_value"][0] == pytest.approx(1 / math.comb(10, 5))
    assert different.n_passed == 1


def test_longer_completions_are_cut_and_shorter_ones_left_out() -> None:
    # A neuron at every tenth token: long completions all have it, short ones by chance.
    lengths = np.repeat([2, 6, 6, 40, 40], 4)
    prompts = np.repeat(np.arange(5), 4)
    place = np.concatenate([np.arange(length) for length in lengths])
    active = np.stack([place % 10 == 5, place == 1, place > 30, place % 2 == 0], axis=1)
    outputs = np.arange(len(place)).tolist()
    samples = samples_of(lengths.tolist(), prompts.tolist(), outputs, active)
    found = consistent_neurons(samples, 0.05, notes=Notes.of(samples)).table
    rows = {(r["neuron_id"], r["prompt_idx"]): r for r in found.to_dict("records")}
    # The first six tokens have it once in all but the shortest, which are not compared.
    assert np.isnan([rows[0, prompt]["p_value"] for prompt in (1, 3)]).all()
    assert {neuron for neuron, _ in rows} == {0, 2}
    assert [rows[2, prompt]["frequency_other_prompts"] for prompt in (3, 4)] == [0.25, 0.25]


def test_where_nothing_could_pass_the_reason_is_given() -> None:
    assert fewest_together(1 / 3_003, 10_062, 0.05) == 68
    assert fewest_together(1e-9, 10_062, 0.05) == 1
    assert completions_needed(3, 10_062, 0.05) == 8
    assert math.comb(21, 7) * 0.05 < 10_062 <= math.comb(24, 8) * 0.05
    assert completions_needed(1, 100, 0.05) is None
    assert partitions([2, 2]) == pytest.approx(3) and partitions([3, 2]) == pytest.approx(10)
    assert partitions([500] * 500) == math.inf
    rng = np.random.default_rng(0)
    for n_prompts, size, possible in ((3, 2, False), (3, 3, True), (60, 1, False), (4, 5, True)):
        n = n_prompts * size
        active = rng.random((n * 8, 60)) < 0.1
        prompts = np.repeat(np.arange(n_prompts), size).tolist()
        outputs = rng.integers(0, 100, n * 8).tolist()
        found = consistent_neurons(
            samples_of([8] * n, prompts, outputs, active), 0.05, notes=Notes()
        )
        assert (found.unattainable is None) == possible, (n_prompts, size)
        assert not found.table.empty and found.n_passed == 0
        if not possible:
            assert f"completions of each of the {n_prompts} prompts" in str(found.unattainable)


def test_without_texts_prompts_are_told_apart_by_their_number() -> None:
    samples, active, prompts = small_dataset()
    table = table_of([LENGTH] * 11, prompts.tolist(), list(range(66))).drop(columns="input_text")
    found, expected = (
        consistent_neurons(arranged(table, active), 0.2, notes=Notes()),
        consistent_neurons(samples, 0.2, notes=Notes.of(samples)),
    )
    assert (found.table["input_text"] == "").all()
    columns = ["prompt_idx", "neuron_id", "p_value", "q_value"]
    assert found.table[columns].equals(expected.table[columns])
