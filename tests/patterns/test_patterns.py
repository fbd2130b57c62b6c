"""Patterns whose truth is known: planted ones are found neuron by neuron, nothing where none is."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.planted import Planted, planted
from gelu.packed import PackedActivations
from gelu.patterns import testing as pattern_tests
from gelu.patterns.factors import Pattern, associated, find_patterns, jaccard
from gelu.patterns.permutation import (
    ByToken,
    best_threshold,
    cells_explained,
    chance_of_counts,
    explained,
)
from gelu.patterns.testing import (
    Half,
    PatternStudy,
    SearchSettings,
    judge,
    study_patterns,
)

SETTINGS = SearchSettings(seed=1, fdr=0.05, max_patterns=50, null_draws=0)


def study(data: Planted, settings: SearchSettings = SETTINGS) -> PatternStudy:
    """Return what the product finds in planted data."""
    return study_patterns(all_of(data), settings)


def all_of(data: Planted) -> Half:
    rows = np.arange(len(data.active))
    return Half(PackedActivations.from_bool(data.active), rows, data.tokens, data.prompts)


def sorted_groups(groups: list[NDArray[np.int64]]) -> list[list[int]]:
    return sorted(group.tolist() for group in groups)


def test_columns_are_those_of_the_matrix() -> None:
    matrix = np.random.default_rng(0).random((7, 21)) < 0.5
    chosen = np.array([20, 0, 9, 8])
    packed = PackedActivations.from_bool(matrix)
    assert np.array_equal(packed.columns(chosen), matrix[:, chosen])
    assert packed.columns(chosen[:0]).shape == (7, 0)
    rows = np.array([6, 0, 6])
    assert np.array_equal(packed.columns(chosen, rows), matrix[rows][:, chosen])


def test_the_chance_of_counts_is_that_of_all_outcomes() -> None:
    rates = np.array([[0.2, 0.7, 0.0, 1.0], [0.5, 0.5, 0.1, 0.9]])
    expected = np.zeros((2, 5))
    for outcome in product((0, 1), repeat=4):
        chance = np.where(np.array(outcome) == 1, rates, 1 - rates).prod(axis=1)
        expected[:, sum(outcome)] += chance
    assert np.allclose(chance_of_counts(rates), expected)


def test_the_mean_over_permutations_is_that_of_many_drawn() -> None:
    rng = np.random.default_rng(0)
    by_token = ByToken.of(np.repeat([5, 2, 9], [30, 12, 1]))
    active = rng.random((43, 6)) < 0.4
    active[:10] = True
    worth = cells_explained(6, 4)
    exact = explained(active, by_token, 4)
    drawn = [worth[by_token.permuted(rng, active).sum(axis=1)].sum() for _ in range(3000)]
    error = np.std(drawn) / np.sqrt(len(drawn))
    assert abs(np.mean(drawn) - exact.by_chance.sum()) < 4 * error
    assert exact.observed.sum() == worth[active.sum(axis=1)].sum()


def test_permuting_keeps_how_often_each_neuron_fires_with_each_token() -> None:
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 4, 50)
    active = rng.random((50, 8)) < 0.3
    by_token = ByToken.of(tokens)
    permuted = by_token.permuted(rng, active)
    assert np.array_equal(by_token.sums(permuted), by_token.sums(active))
    assert not np.array_equal(permuted, active)


def test_the_threshold_is_the_best_of_all() -> None:
    rng = np.random.default_rng(3)
    on = rng.random(400) < 0.2
    active = (on[:, None] & (rng.random((400, 9)) < 0.8)) | (rng.random((400, 9)) < 0.05)
    by_token = ByToken.of(rng.integers(0, 5, 400))
    gains = {}
    for threshold in range(5, 10):
        result = explained(active, by_token, threshold)
        gains[threshold] = result.observed.sum() - result.by_chance.sum()
    threshold, gain = best_threshold(active, by_token)
    assert threshold == max(gains, key=lambda one: gains[one])
    assert gain == pytest.approx(gains[threshold])


def test_association_is_the_correlation_left_after_the_tokens() -> None:
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 3, 300)
    active = rng.random((300, 5)) < np.array([0.1, 0.5, 0.9])[tokens][:, None]
    active[:, 1] = active[:, 0] ^ (rng.random(300) < 0.1)
    rest = active - np.stack([active[tokens == token].mean(axis=0) for token in tokens])
    expected = np.asarray(np.corrcoef(rest.T))
    phi = associated(
        PackedActivations.from_bool(active), ByToken.of(tokens), np.arange(5)
    ).toarray()
    assert np.allclose(phi, np.where(expected >= 0.2, expected, 0), atol=1e-5)
    # By their tokens alone, neurons 2 and 3 correlate, too.
    assert np.corrcoef(active[:, 2], active[:, 3])[0, 1] > 0.2 and phi[2, 3] == 0


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"overlap": 0.4},
        {"drop": 0.3, "sizes": (12, 20, 30)},
        {"share_on": 0.02, "sizes": (12, 20, 30)},
        {"by_token": True, "sizes": (8, 12, 20, 30)},
    ],
    ids=["noise", "shared neurons", "much noise", "rare", "on more at some tokens"],
)
def test_planted_patterns_are_recovered_exactly(settings: dict[str, object]) -> None:
    data = planted(7, n_prompts=200, **settings)  # type: ignore[arg-type]
    kept = [one.pattern.neurons for one in study(data).kept]
    assert sorted_groups(kept) == sorted_groups(data.patterns)


def test_planted_patterns_are_on_where_they_were_put() -> None:
    data = planted(7, n_prompts=200)
    activations = PackedActivations.from_bool(data.active)
    for one in study(data).kept:
        truth = next(
            on
            for neurons, on in zip(data.patterns, data.on.T, strict=True)
            if np.array_equal(neurons, one.pattern.neurons)
        )
        on = one.pattern.counts(activations) >= one.pattern.threshold
        assert (on & truth).sum() / (on | truth).sum() > 0.8
        assert one.found_in == 2 and one.likeness == 1
        assert one.low <= one.share_beyond <= one.high
        assert one.share_beyond > 0.8


@pytest.mark.parametrize("seed", range(3))
def test_groups_of_one_token_are_not_patterns(seed: int) -> None:
    assert study(planted(seed, sizes=(), token_groups=10)).kept == []


def test_a_group_of_one_token_does_not_pass_the_test_if_proposed() -> None:
    data = planted(0, sizes=(), token_groups=1)
    group = np.arange(data.active.shape[1] - 10, data.active.shape[1])
    result = judge(Pattern(group, 5), all_of(data), ByToken.of(data.tokens))
    assert result.n_on > 50 and result.explained > 500
    assert abs(result.share_beyond) < 0.05 and result.p_value > 0.01


def test_nothing_is_kept_in_permuted_data() -> None:
    settings = SearchSettings(seed=3, fdr=0.05, max_patterns=50, null_draws=3)
    result = study(planted(5), settings)
    assert len(result.kept) >= 4
    assert result.n_kept_permuted == [0, 0, 0]


def test_the_same_seed_finds_the_same() -> None:
    data = planted(2, n_prompts=30)
    first, second = study(data), study(data)
    assert [one.p_value for one in first.kept] == [one.p_value for one in second.kept]
    groups = [[one.pattern.neurons.tolist() for one in each.kept] for each in (first, second)]
    assert groups[0] == groups[1]


def test_data_without_neurons_to_search_have_no_patterns() -> None:
    silent = PackedActivations.from_bool(np.zeros((50, 16), bool))
    assert find_patterns(silent, np.zeros(50, np.int64), 5) == []
    always = PackedActivations.from_bool(np.ones((50, 16), bool))
    assert find_patterns(always, np.zeros(50, np.int64), 5) == []


def test_passages_that_many_neurons_share_crowd_no_pattern_out() -> None:
    data = planted(7, n_prompts=100, sizes=(8, 12, 20), n_neurons=3000)
    others = np.setdiff1d(np.arange(3000), np.concatenate(data.patterns))
    shuffled = np.random.default_rng(0).permutation(others)
    for prompt in range(10):
        passage = np.flatnonzero(data.prompts == prompt)[:20]
        data.active[np.ix_(passage, shuffled[280 * prompt : 280 * (prompt + 1)])] = True
    activations, most = PackedActivations.from_bool(data.active), 6
    found = find_patterns(activations, data.tokens, most, prompts=data.prompts)
    neurons = [one.neurons.tolist() for one in found]
    assert all(pattern.tolist() in neurons for pattern in data.patterns)
    assert max(map(len, neurons)) < 100
    # Counted by samples, passages explain most.
    found = find_patterns(activations, data.tokens, most)
    assert sum(len(pattern.neurons) > 100 for pattern in found) == most


def test_a_pattern_that_explains_no_more_than_chance_has_no_surprise() -> None:
    pattern = Pattern(np.arange(3), 2)
    tested = pattern_tests.Tested(pattern, 50.0, 60.0, -0.2, -0.3, -0.1, 4, 9, 1.0)
    assert tested.surprise_bits == 0
    # 60 against 50 is little for so many cells; 60 against 5 is much.
    more = [replace(tested, explained=60.0, by_chance=chance) for chance in (50.0, 5.0)]
    assert 0 < more[0].surprise_bits < 3 and more[1].surprise_bits > 100


def test_more_neurons_than_can_be_permuted_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pattern_tests, "MOST_NEURONS_PERMUTED", 30)
    found = study(planted(3, n_prompts=30), replace(SETTINGS, null_draws=1))
    assert found.n_neurons_permuted == 30 and found.n_kept_permuted == [0]


def test_jaccard_of_sets() -> None:
    assert jaccard(np.array([1, 2, 3]), np.array([2, 3, 4])) == 0.5
    assert jaccard(np.array([], np.int64), np.array([], np.int64)) == 0
