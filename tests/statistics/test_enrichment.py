"""Tests of labels against neurons: exact by reference, calibrated on data where nothing is true."""

from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import comb
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import matthews_corrcoef, precision_score, recall_score

from gelu.packed import PackedActivations
from gelu.samples.arrays import Samples
from gelu.samples.completions import Completions, measure
from gelu.samples.notes import Notes
from gelu.statistics.attainable import attainable_tests
from gelu.statistics.enrichment import (
    Found,
    Labels,
    clustered_p_value,
    enriched,
    fisher_found,
    one_hot,
    selective_blocks,
    shift_variance,
)
from gelu.statistics.fisher import fisher_p_value
from gelu.statistics.multiple_testing import benjamini_hochberg
from gelu.statistics.prompt_blocks import PromptBlocks
from gelu.statistics.token_specific import effect_sizes, find_enriched, token_specific_neurons
from tests.statistics_helpers import (
    arranged,
    contract_columns,
    equal_lengths,
    persistent_activity,
    persistent_tokens,
    samples_of,
    table_of,
)


@st.composite
def counts(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """Samples with both, with the label, active, in all: a table that can be."""
    n = draw(st.integers(2, 80))
    label, active = draw(st.integers(1, n - 1)), draw(st.integers(1, n - 1))
    both = draw(st.integers(max(0, label + active - n), min(label, active)))
    return both, label, active, n


@given(counts())
def test_the_p_value_is_fishers(table: tuple[int, int, int, int]) -> None:
    both, label, active, n = table
    (found,) = fisher_p_value(np.array([both]), np.array([label]), np.array([active]), n)
    cells = [[both, label - both], [active - both, n - label - active + both]]
    assert found == pytest.approx(scipy.stats.fisher_exact(cells, "greater").pvalue, rel=1e-9)
    tail = range(both, min(label, active) + 1)
    ways = sum(comb(active, k) * comb(n - active, label - k) for k in tail)
    assert found == pytest.approx(float(Fraction(ways, comb(n, label))), rel=1e-9)


@pytest.mark.parametrize("n_samples", [1_000, 20_000])
def test_tiny_p_values_keep_their_digits(n_samples: int) -> None:
    rng = np.random.default_rng(n_samples)
    label, active = rng.integers(1, n_samples, (2, 200))
    least, most = np.maximum(0, label + active - n_samples), np.minimum(label, active)
    both = rng.integers(least, most + 1)
    found = fisher_p_value(both, label, active, n_samples)
    expected = scipy.stats.hypergeom.sf(both - 1, n_samples, active, label)
    assert (expected < 1e-50).any()
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-290)


@given(st.integers(2, 40), st.integers(0, 2**32 - 1), st.sampled_from([1e-4, 0.01, 0.05, 0.4, 1.0]))
def test_no_test_that_passes_is_left_out(n: int, seed: int, alpha: float) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.random((4, n)) < rng.random((4, 1))
    active = rng.random((n, 6)) < rng.random((1, 6))
    active[:, 0] = labels[0]
    labels = labels[labels.any(axis=1)]
    both = labels.astype(int) @ active
    sizes, n_active = labels.sum(axis=1), active.sum(axis=0)
    found = fisher_found(both, sizes, n_active, n, alpha)
    expected = {}
    for label, neuron in product(range(len(labels)), range(6)):
        k, size, count = both[label, neuron], sizes[label], n_active[neuron]
        p_value = scipy.stats.hypergeom.sf(k - 1, n, count, size)
        # Counts at the mean or below have p-values above 0.4, and are no findings at any rate.
        if p_value <= alpha and k * n > size * count:
            expected[label, neuron] = (k, pytest.approx(p_value))
        assert p_value > 0.4 or k * n > size * count
    tests = zip(found.label.tolist(), found.neuron.tolist(), strict=True)
    values = zip(found.n_both.tolist(), found.p_value.tolist(), strict=True)
    assert dict(zip(tests, values, strict=True)) == expected


@given(st.integers(1, 50), st.integers(1, 50), st.floats(0.01, 0.99))
def test_without_dependence_the_clustered_p_value_is_binomial(
    size: int, both: int, frequency: float
) -> None:
    both = min(both, size)
    arrays = np.array([both]), np.array([size]), np.array([frequency])
    (found,) = clustered_p_value(*arrays, np.ones(1))
    assert found == pytest.approx(scipy.stats.binom.sf(both - 1, size, frequency))
    (half,) = clustered_p_value(2 * arrays[0], 2 * arrays[1], arrays[2], np.array([2.0]))
    assert half == pytest.approx(found)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(1, 30))
def test_q_values_are_those_of_benjamini_and_hochberg(values: list[float], k: int) -> None:
    p_values = np.array(values)
    expected = scipy.stats.false_discovery_control(p_values)
    np.testing.assert_allclose(benjamini_hochberg(p_values, len(p_values)), expected, atol=1e-15)
    # Of the k smallest alone, those that pass at any rate below the next p-value are the same.
    order = np.argsort(p_values, kind="stable")
    following = p_values[order[k]] if k < len(order) else np.inf
    found = benjamini_hochberg(p_values[order[:k]], len(p_values))
    known = found < following
    np.testing.assert_allclose(found[known], expected[order[:k]][known], atol=1e-15)
    assert (expected[order[:k]][~known] >= following * (1 - 1e-12)).all()
    assert (expected[order[k:]] >= following * (1 - 1e-12)).all()


def test_no_tests_have_no_q_values() -> None:
    assert benjamini_hochberg(np.empty(0), 5).tolist() == []


@given(st.integers(4, 60), st.integers(0, 2**32 - 1))
def test_effect_sizes_are_the_reference_ones(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    token, active = rng.random((2, n)) < rng.random((2, 1))
    token[:2], active[:2] = [True, False], [True, False]
    both = int((token & active).sum())
    tallies = np.array([[both], [token.sum()], [active.sum()]])
    sizes = effect_sizes(tallies[0], tallies[1], tallies[2], n)
    assert sizes["phi"][0] == pytest.approx(matthews_corrcoef(token, active), abs=1e-12)
    assert sizes["phi"][0] == pytest.approx(np.corrcoef(token, active)[0, 1], abs=1e-12)
    assert sizes["precision"][0] == pytest.approx(precision_score(token, active))
    assert sizes["recall"][0] == pytest.approx(recall_score(token, active))
    assert [sizes[name][0] for name in ("n_token", "n_active", "n_both")] == [
        token.sum(),
        active.sum(),
        both,
    ]


def test_log_odds_with_half_a_sample_in_each_cell() -> None:
    # Both 3, token alone 1, active alone 2, neither 4.
    (found,) = effect_sizes(np.array([3]), np.array([4]), np.array([5]), 10)["log_odds"]
    assert found == pytest.approx(np.log(3.5 * 4.5 / (1.5 * 2.5)))
    (none,) = effect_sizes(np.array([0]), np.array([2]), np.array([2]), 4)["log_odds"]
    assert none == pytest.approx(np.log(0.5 * 0.5 / (2.5 * 2.5)))


def labels_of(codes: NDArray[np.int64], setup: Completions) -> Labels:
    return Labels.from_indicator(one_hot(codes, int(codes.max()) + 1), setup)


def test_variance_of_the_count_over_all_shifts_within_completions() -> None:
    rng = np.random.default_rng(0)
    lengths = [3, 4, 1, 2]
    setup = Completions(np.array(lengths), np.array([0, 0, 1, 1]))
    codes = np.array([0, 0, 1, 0, 1, 1, 2, 0, 1, 2])
    active = rng.random((10, 5)) < 0.5
    active[:, 4] = codes == 1
    marks = measure(active.astype(np.float32), setup)
    variance, independent = shift_variance(labels_of(codes, setup), marks, setup)
    totals = []
    for offsets in product(*map(range, lengths)):
        turned = [
            np.roll(part, offset, axis=0)
            for part, offset in zip(np.split(active, setup.starts()[1:]), offsets, strict=True)
        ]
        totals.append((codes == np.arange(3)[:, None]) @ np.concatenate(turned).astype(int))
    np.testing.assert_allclose(variance, np.var(totals, axis=0), atol=1e-5)
    shares = np.add.reduceat(active, setup.starts(), axis=0) / np.array(lengths)[:, None]
    spread = (shares * (1 - shares))[setup.of_samples()]
    expected = (codes == np.arange(3)[:, None]).astype(float) @ spread
    np.testing.assert_allclose(independent, expected, atol=1e-5)


@pytest.mark.parametrize("block_bytes", [1, 16 * 120])
def test_blocks_do_not_matter(block_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    setup = equal_lengths(3, 4, 10)
    codes = np.repeat(rng.integers(0, 4, 60), 2)
    active = rng.random((120, 53)) < 0.3
    active[:, ::2] |= codes[:, None] == np.arange(27) % 4
    active[:, [5, 30]] = [True, False]
    packed, labels = PackedActivations.from_bool(active), labels_of(codes, setup)
    whole = find_enriched(labels, packed, setup, 0.4)
    assert len(whole.label) > 10 and whole.neuron.max() > 40
    assert not {5, 30} & set(whole.neuron.tolist())
    monkeypatch.setattr("gelu.packed.BLOCK_BYTES", block_bytes)
    assert len(list(selective_blocks(packed))) > 3
    pieced = find_enriched(labels, packed, setup, 0.4)
    for first, second in zip(rows_of(whole), rows_of(pieced), strict=True):
        assert first[:3] == second[:3] and first[3] == pytest.approx(second[3], rel=1e-4)


def rows_of(found: Found) -> list[tuple[Any, ...]]:
    columns = (found.label, found.neuron, found.n_both, found.p_value)
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


def test_nothing_found_joins_to_nothing() -> None:
    assert len(Found.joined([]).p_value) == 0


@dataclass(frozen=True)
class Scenario:
    """Tokens and neurons that have nothing to do with one another, but for the prompt."""

    token_stays: float
    neuron_stays: float
    prompt_effect: float = 0.0
    n_prompts: int = 8
    n_completions: int = 4
    copies: int = 1
    finds: int = 0  # what Fisher's test alone finds in all runs, at least


SCENARIOS = {
    "independent": Scenario(0.0, 0.0),
    "persistent": Scenario(0.8, 0.9, finds=300),
    "strongly persistent": Scenario(0.9, 0.97, finds=300),
    "prompt effects": Scenario(0.5, 0.8, prompt_effect=1.5, finds=300),
    "few prompts": Scenario(0.8, 0.9, prompt_effect=1.5, n_prompts=3, finds=300),
    "one prompt": Scenario(0.8, 0.9, n_prompts=1, n_completions=8, finds=300),
    "twins": Scenario(0.0, 0.0, n_completions=2, copies=4, finds=300),
    "persistent twins": Scenario(0.8, 0.9, n_completions=2, copies=4, finds=300),
}
LENGTH, TOKENS, NEURONS, SEEDS = 30, 20, 120, 20


@dataclass(frozen=True)
class Null:
    """A drawn dataset; tokens: (n,), active: (n, neurons), none of them constant."""

    completions: Completions
    tokens: NDArray[np.int64]
    active: NDArray[np.bool_]


def draw_null(scenario: Scenario, seed: int) -> Null:
    """Draw tokens by rank, the frequency of neurons between 0.003 and 0.9 on a log scale."""
    rng = np.random.default_rng(seed)
    setup = equal_lengths(scenario.n_prompts, scenario.n_completions, LENGTH)
    shape = (len(setup.lengths), LENGTH)
    prompts = setup.prompts
    effect = scenario.prompt_effect * rng.standard_normal((scenario.n_prompts, TOKENS + NEURONS))
    weights = np.exp(effect[prompts, :TOKENS]) / np.arange(1, TOKENS + 1)
    share = np.exp(rng.uniform(np.log(0.003), np.log(0.9), NEURONS))
    odds = share / (1 - share) * np.exp(effect[prompts, TOKENS:])
    tokens = persistent_tokens(rng, shape, scenario.token_stays, weights)
    active = persistent_activity(rng, shape, scenario.neuron_stays, odds / (1 + odds))
    # A completion that was drawn several times: equal tokens, equal activity, equal prefixes.
    rows = np.repeat(np.arange(tokens.size).reshape(shape), scenario.copies, axis=0).ravel()
    prompts = np.repeat(prompts, scenario.copies)
    lengths = np.full(len(prompts), LENGTH)
    active = active[rows]
    selective = active.any(axis=0) & ~active.all(axis=0)
    prefixes = rows if scenario.copies > 1 else None
    return Null(Completions(lengths, prompts, prefixes), tokens.ravel()[rows], active[:, selective])


def labels_of_frequent(tokens: NDArray[np.int64], setup: Completions) -> Labels:
    """Return the tokens with three samples or more."""
    frequent = np.flatnonzero(np.bincount(tokens, minlength=TOKENS) >= 3)
    number = np.full(TOKENS, -1)
    number[frequent] = np.arange(len(frequent))
    return Labels.from_indicator(one_hot(number[tokens], len(frequent)), setup)


@pytest.mark.parametrize("name", SCENARIOS)
def test_where_nothing_is_true_nothing_is_found(name: str) -> None:
    scenario = SCENARIOS[name]
    runs_with_findings = fisher_finds = 0
    shares = []
    for seed in range(SEEDS):
        null = draw_null(scenario, seed)
        labels = labels_of_frequent(null.tokens, null.completions)
        n_tests = len(labels) * null.active.shape[1]
        found = enriched(labels, null.active, null.completions, 0.05)
        q_values = benjamini_hochberg(found.p_value, n_tests)
        runs_with_findings += bool((q_values <= 0.05).any())
        shares.append((found.p_value <= 0.01).sum() / n_tests)
        n_active = null.active.sum(axis=0)
        counts, n_samples = labels.counts(null.active), len(null.active)
        alone = fisher_found(counts, labels.sizes, n_active, n_samples, 0.05)
        fisher_finds += int((benjamini_hochberg(alone.p_value, n_tests) <= 0.05).sum())
    assert runs_with_findings <= 0.05 * SEEDS
    spread = float(np.std(shares)) / np.sqrt(SEEDS)
    assert np.mean(shares) <= 0.01 + 3 * spread
    assert fisher_finds >= scenario.finds


@pytest.mark.parametrize("name", ["persistent", "prompt effects", "few prompts", "one prompt"])
def test_a_neuron_that_fires_on_a_token_is_found(name: str) -> None:
    null = draw_null(SCENARIOS[name], 0)
    token = int(np.bincount(null.tokens).argmax())
    assert len(np.unique(null.completions.of_samples()[null.tokens == token])) > 4
    active = null.active.copy()
    active[:, 7] = null.tokens == token
    lengths, prompts = null.completions.lengths.tolist(), null.completions.prompts.tolist()
    samples = samples_of(lengths, prompts, null.tokens.tolist(), active)
    table = token_specific_neurons(samples, 3, 0.05, notes=Notes.of(samples)).table
    best = table[(table["role"] == "output") & (table["token_id"] == token)].iloc[0]
    assert (best["neuron_id"], best["token"]) == (7, f"t{token}")
    assert best["phi"] == best["precision"] == best["recall"] == pytest.approx(1.0)
    assert (table["q_value"] <= 0.05).all() and (table["q_value"] >= table["p_value"]).all()


def test_findings_are_ordered_and_hold_in_each_role() -> None:
    rng = np.random.default_rng(0)
    outputs = rng.integers(0, 5, 400)
    table = table_of([20] * 20, np.repeat(range(5), 4).tolist(), outputs.tolist())
    output, context = table["output_id"].to_numpy(), table["context_token_id"].to_numpy()
    flipped = rng.random((3, 400)) < [[0.0], [0.05], [0.1]]
    active = np.stack([(output == 1) ^ f for f in flipped] + [context == 2] * 2, axis=1)
    active = np.concatenate([active, np.tile([True, False, False], (400, 1))], axis=1)
    result = token_specific_neurons(arranged(table, active, 2), 3, 0.05, notes=Notes())
    found = result.table
    assert found[["role", "token_id", "neuron_id"]].to_numpy().tolist()[:3] == [
        ["output", 1, 0],
        ["output", 1, 1],
        ["output", 1, 2],
    ]
    assert found.iloc[3:][["role", "token_id", "neuron_id"]].to_numpy().tolist() == [
        ["context", 2, 3],
        ["context", 2, 4],
    ]
    assert found["layer"].tolist() == [0, 0, 0, 0, 1]
    assert found["dimension"].tolist() == [0, 1, 2, 3, 0]
    # The prompts' own last token stands at the first place alone, so no neuron can be told from
    # one of that place.
    assert result.n_tokens == {"output": 5, "context": 5}
    # Output and context tokens with every neuron that is active in some samples.
    assert result.n_tests == {"output": 25, "context": 25}
    row = found.iloc[1]
    assert row["n_both"] == (active[:, 1] & (output == 1)).sum()
    assert row["phi"] == pytest.approx(matthews_corrcoef(output == 1, active[:, 1]))


def test_tokens_that_are_rare_or_in_all_samples_are_not_tested() -> None:
    table = table_of([4, 4], [0, 1], [1, 1, 2, 2, 1, 1, 2, 3]).drop(columns="context_token")
    active = (table["output_id"] == 1).to_numpy()[:, None]
    samples = arranged(table, active)
    notes = Notes.of(samples)
    result = token_specific_neurons(samples, 4, 0.05, notes=notes)
    assert result.n_tokens == result.n_tests == {"output": 0, "context": 0}
    assert "a token needs 3 samples at least, more where" in (result.unattainable or "")
    assert "context tokens" in notes.skipped
    assert "neurons specific to context tokens" not in notes.skipped
    samples = arranged(table.assign(output="same", output_id=1), active)
    notes = Notes.of(samples)
    result = token_specific_neurons(samples, 4, 0.05, notes=notes)
    assert result.table.empty and result.n_tests == {"output": 0, "context": 0}
    assert list(result.table.columns) == contract_columns("token_specific_neurons")
    assert "samples without it" in notes.skipped["neurons specific to output tokens"]


def test_tokens_without_ids_are_told_apart_by_text() -> None:
    rng = np.random.default_rng(0)
    outputs = rng.integers(0, 3, 100)
    table = table_of([10] * 10, list(range(10)), outputs.tolist()).drop(columns="output_id")
    samples = arranged(table, (outputs == 1)[:, None])
    notes = Notes.of(samples)
    found = token_specific_neurons(samples, 3, 0.05, notes=notes).table
    assert list(found.columns) == contract_columns("token_specific_neurons")
    assert found["token"].tolist()[0] == "t1" and found["token_id"].isna().tolist()[0]
    assert "told apart by their texts" in notes.skipped["ids of output tokens"]


def busy_samples(seed: int = 0) -> tuple[Samples, NDArray[np.int64]]:
    """Return samples of neurons 0: silent at token 1 and active elsewhere, 1: the same in nine
    samples of ten, 2: active at token 2, 3 and 4: busy and rare whatever the token."""
    rng = np.random.default_rng(seed)
    outputs = rng.integers(0, 8, 1200)
    active = rng.random((1200, 5)) < [1, 0.9, 0.02, 0.8, 0.1]
    active[outputs == 1, :2] = False
    active[outputs == 2, 2] = True
    return samples_of([20] * 60, list(range(60)), outputs.tolist(), active), outputs


def test_neurons_that_are_silent_for_a_token_are_named_as_such() -> None:
    samples, outputs = busy_samples()
    table = token_specific_neurons(samples, 3, 0.05, notes=Notes.of(samples)).table
    silent = table[table["direction"] == "silent"]
    outputs_silent = silent[silent["role"] == "output"]
    assert outputs_silent[["token_id", "neuron_id"]].to_numpy().tolist() == [[1, 0], [1, 1]]
    row = outputs_silent.iloc[0]
    assert (row["n_both"], row["recall"], row["n_token"]) == (0, 0, (outputs == 1).sum())
    assert row["phi"] == pytest.approx(-1) and row["log_odds"] < -5
    named = table[(table["direction"] == "active") & (table["role"] == "output")]
    assert (2, 2) in set(zip(named["token_id"], named["neuron_id"], strict=True))
    assert set(table["neuron_id"]) <= {0, 1, 2}


def test_each_token_says_under_how_many_prompts_it_stands() -> None:
    outputs = np.tile([0, 1, 2, 3], 60)
    outputs[:40] = np.where(outputs[:40] == 3, 4, outputs[:40])
    active = np.stack([outputs == 4, outputs == 1, outputs == 2], axis=1)
    rng = np.random.default_rng(0)
    order = rng.permuted(np.arange(240).reshape(24, 10), axis=1).ravel()
    samples = samples_of([10] * 24, list(range(24)), outputs[order].tolist(), active[order])
    table = token_specific_neurons(samples, 3, 0.05, notes=Notes.of(samples)).table
    rows = table[table["role"] == "output"].drop_duplicates("token_id")
    assert len(rows) == 3
    for token, n_prompts in zip(rows["token_id"], rows["n_prompts"], strict=True):
        places = np.flatnonzero(outputs[order] == token)
        assert n_prompts == len(set((places // 10).tolist()))


def test_the_strongest_are_kept_and_the_others_counted() -> None:
    samples, _ = busy_samples()
    whole = token_specific_neurons(samples, 3, 0.05, notes=Notes.of(samples))
    assert whole.n_left_out == 0 and sum(whole.n_passed.values()) == len(whole.table)
    strong = token_specific_neurons(samples, 3, 0.05, min_phi=0.9, notes=Notes.of(samples))
    active = whole.table[whole.table["direction"] == "active"]
    assert strong.n_passed == whole.n_passed
    assert strong.n_left_out == (active["phi"] < 0.9).sum()
    first = token_specific_neurons(samples, 3, 0.05, top_per_token=1, notes=Notes.of(samples)).table
    keys = ["role", "direction", "token_id"]
    pd.testing.assert_frame_equal(
        first, whole.table.drop_duplicates(keys).reset_index(drop=True), check_like=True
    )


@given(st.lists(st.floats(1e-9, 1), min_size=1, max_size=40), st.sampled_from([0.01, 0.05, 0.2]))
def test_only_what_could_pass_is_tested(least: list[float], fdr: float) -> None:
    def n_below(p_value: float) -> int:
        return sum(value <= p_value for value in least)

    threshold, n_tests = attainable_tests(n_below, fdr)
    k = next(k for k in range(1, len(least) + 2) if n_below(fdr / k) <= k)
    assert threshold == pytest.approx(fdr / k) and n_tests == n_below(fdr / k)


def test_counts_over_pairs_of_prompts_have_the_mean_and_variance_worked_out() -> None:
    rng = np.random.default_rng(0)
    n_units, n_completions, length = 5, 3, 6
    setup = equal_lengths(n_units, n_completions, length)
    active = rng.random((setup.n_samples, 4)) < rng.random((1, 4))
    codes = rng.integers(0, 3, setup.n_samples)
    blocks = PromptBlocks.of(setup)
    assert blocks is not None
    indicator = one_hot(codes, 3)
    ((_, moments),) = list(blocks.neuron_moments(active))
    squares = blocks.label_squares(indicator)
    shape = (n_units, n_completions, length)
    shares = active.reshape(*shape, 4).mean(axis=1)
    for label in range(3):
        chosen = (codes == label).reshape(shape).sum(axis=1)
        count = blocks.moments_of_count(
            np.flatnonzero(codes == label), squares[[label]], moments, np.arange(4)
        )
        counts = np.einsum("pt,qtj->pqj", chosen, shares)
        others = [np.delete(counts[p], p, axis=0) for p in range(n_units)]
        spreads = shares * (1 - shares)
        elsewhere = (spreads.sum(axis=0) - spreads) / (n_units - 1)
        spread = np.einsum("pt,ptj->j", chosen, elsewhere)
        assert count.n_near == (codes == label).sum()
        assert count.most_of_a_prompt == chosen.sum(axis=1).max()
        np.testing.assert_allclose(
            count.mean, np.sum([c.mean(axis=0) for c in others], axis=0), rtol=1e-4
        )
        expected = np.sum([c.var(axis=0, ddof=1) for c in others], axis=0) + spread
        np.testing.assert_allclose(count.variance, expected, rtol=1e-3)
    assert PromptBlocks.of(equal_lengths(2, 3, 4)) is None


def shared_in_places(rng: np.random.Generator) -> NDArray[np.int64]:
    """Return tokens of 6 prompts' 10 completions, at four places of five those of the prompt."""
    own, of_prompt = rng.integers(0, 26, (6, 10, 40)), rng.integers(0, 26, (6, 1, 40))
    return np.where(rng.random(own.shape) < 0.8, of_prompt, own)


def test_completions_that_repeat_their_prompts_text_in_places_are_no_evidence() -> None:
    # Tokens and, apart from them, what neurons read follow the prompt at four places of five.
    false = n_found = 0
    for seed in range(4):
        rng = np.random.default_rng(seed)
        outputs = shared_in_places(rng)
        reads = [
            np.isin(shared_in_places(rng), rng.choice(26, rng.integers(1, 13), False))
            for _ in range(40)
        ]
        active = np.stack([each.ravel() for each in reads] + [(outputs == 3).ravel()], axis=1)
        prompts = np.repeat(range(6), 10).tolist()
        samples = samples_of([40] * 60, prompts, outputs.ravel().tolist(), active)
        table = token_specific_neurons(samples, 3, 0.05, notes=Notes.of(samples)).table
        found = table[(table["role"] == "output") & (table["token_id"] == 3)]
        n_found += 40 in set(found["neuron_id"])
        false += int((table["neuron_id"] != 40).sum())
    assert n_found == 4 and false <= 1


def moved_text(rng: np.random.Generator, shape: tuple[int, int, int]) -> NDArray[np.int64]:
    """Return tokens of completions (prompts, completions, length) that write their prompt's text,
    each from one of its first four tokens on, at four places of five."""
    n_prompts, n_completions, length = shape
    outputs = rng.integers(0, 26, shape)
    for prompt, text in enumerate(rng.integers(0, 26, (n_prompts, length + 3))):
        for completion, start in enumerate(rng.integers(0, 4, n_completions)):
            own = rng.random(length) < 0.2
            taken = text[start : start + length]
            outputs[prompt, completion] = np.where(own, outputs[prompt, completion], taken)
    return outputs


def test_a_passage_that_is_written_again_and_again_is_evidence_once() -> None:
    # Neurons read the token two to four before the one just read; tokens are drawn independently.
    false = n_found = 0
    for seed in range(4):
        rng = np.random.default_rng(seed)
        outputs = moved_text(rng, (6, 10, 40))
        columns = []
        for number in range(60):
            back = 3 + number % 3
            read = np.concatenate(
                [rng.integers(0, 26, (6, 1, back)).repeat(10, axis=1), outputs[..., :-back]], axis=2
            )
            columns.append(np.isin(read, rng.choice(26, 4, False)).ravel())
        active = np.stack([*columns, (outputs == 3).ravel()], axis=1)
        prompts = np.repeat(range(6), 10).tolist()
        samples = samples_of([40] * 60, prompts, outputs.ravel().tolist(), active)
        table = token_specific_neurons(samples, 3, 0.05, notes=Notes.of(samples)).table
        found = table[(table["role"] == "output") & (table["token_id"] == 3)]
        n_found += 60 in set(found["neuron_id"])
        false += int((table["neuron_id"] != 60).sum())
    assert n_found >= 3 and false <= 1


def test_passages_are_the_same_token_before_under_the_same_text() -> None:
    outputs = [5, 6, 5, 5, 7, 5, 6, 5, 5, 6]
    samples = samples_of([6, 4], [0, 0], outputs, np.ones((10, 1), bool))
    before = {
        "output": ["p1", 5, 6, "run", 5, 7, "p1", 6, "run", 5],
        "context": ["p2", "p1", 5, 6, "run", 5, "p2", "p1", 6, "run"],
    }
    for role, told in before.items():
        numbers = samples.passages(role)
        for a, b in product(range(10), repeat=2):
            same = told[a] == told[b] and (told[a] != "run" or a == b)
            assert (numbers[a] == numbers[b]) == same, (role, a, b)
    apart = samples_of([6, 4], [0, 1], outputs, np.ones((10, 1), bool))
    assert not set(apart.passages("output")[:6]) & set(apart.passages("output")[6:])


@pytest.mark.parametrize("shape", [(6, 10, 40), (12, 5, 20), (36, 5, 20)])
def test_a_neuron_of_one_token_is_found_wherever_the_token_stands(
    shape: tuple[int, int, int],
) -> None:
    # No other prompt has a token of this kind at the same places.
    rng = np.random.default_rng(1)
    n_prompts, n_completions, length = shape
    outputs = rng.integers(0, 300, shape).ravel()
    spread = rng.permutation(len(outputs))[:40].reshape(5, 8)
    for token, places in enumerate(spread):
        outputs[places] = 1000 + token
    active = outputs[:, None] == 1000 + np.arange(5)
    strays = active | (rng.random(active.shape) < 0.003)
    prompts = np.repeat(range(n_prompts), n_completions).tolist()
    lengths = [length] * len(prompts)
    both = np.concatenate([active, strays], axis=1)
    samples = samples_of(lengths, prompts, outputs.tolist(), both)
    table = token_specific_neurons(samples, 3, 0.05, notes=Notes.of(samples)).table
    table = table[table["role"] == "output"]
    p_values = table.set_index(["token_id", "neuron_id"])["p_value"]
    for token in range(5):
        perfect, with_strays = (p_values[1000 + token, neuron] for neuron in (token, 5 + token))
        assert perfect < 1e-7 and with_strays < 1e-5


def test_detectors_are_found_about_as_often_as_by_fishers_test_where_it_holds() -> None:
    rng = np.random.default_rng(0)
    weights = 1 / np.arange(1, 201)
    outputs = rng.choice(200, 2400, p=weights / weights.sum())
    sizes = np.bincount(outputs, minlength=200)
    tokens = rng.choice(np.flatnonzero((sizes >= 5) & (sizes <= 60)), 80)
    fires = rng.random((2400, 80)) < np.where(outputs[:, None] == tokens, 0.6, 0.05)
    samples = samples_of([40] * 60, list(range(60)), outputs.tolist(), fires)
    table = token_specific_neurons(samples, 3, 0.05, notes=Notes.of(samples)).table
    table = table[table["role"] == "output"]
    found = set(zip(table["token_id"], table["neuron_id"], strict=True))
    both = np.array([(fires[:, j] & (outputs == token)).sum() for j, token in enumerate(tokens)])
    exact = fisher_p_value(both, sizes[tokens], fires.sum(axis=0), 2400)
    n_tests = int((sizes >= 3).sum()) * 80
    passes = exact * n_tests <= 0.05 * np.argsort(np.argsort(exact)) + 0.05
    by_fisher = int(passes.sum())
    hits = sum((int(token), j) in found for j, token in enumerate(tokens))
    assert hits >= 0.85 * by_fisher > 20
