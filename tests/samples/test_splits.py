"""Splits and intervals by prompt."""

from typing import get_args

import numpy as np
import pytest
import scipy.stats

from benchmarks.coverage import designs
from gelu.errors import UserError
from gelu.samples.splits import (
    Scale,
    coverage_note,
    interval,
    prompt_groups,
    split_parts,
    split_prompts,
    sums_by_group,
)


def test_no_prompt_is_on_both_sides() -> None:
    groups = np.repeat(np.arange(50), 7)
    held_out = split_prompts(groups, 0.2, seed=1)
    assert held_out.sum() == 70
    assert not set(groups[held_out]) & set(groups[~held_out])


def test_the_seed_decides_and_order_of_samples_does_not() -> None:
    groups = np.repeat(np.arange(50), 3)
    shuffled = np.random.default_rng(0).permutation(groups)
    first, second = split_prompts(groups, 0.3, 5), split_prompts(shuffled, 0.3, 5)
    assert set(groups[first]) == set(shuffled[second])
    assert set(groups[first]) != set(groups[split_prompts(groups, 0.3, 6)])


@pytest.mark.parametrize(("share", "expected"), [(0.01, 1), (0.99, 2)])
def test_both_sides_have_a_prompt(share: float, expected: int) -> None:
    assert split_prompts([0, 1, 2], share, 0).sum() == expected


def test_one_prompt_cannot_be_split() -> None:
    with pytest.raises(UserError, match="1 prompts; two"):
        split_prompts([4, 4, 4], 0.2, 0)


def test_three_parts_share_no_prompt_and_leave_nothing_out() -> None:
    groups = np.repeat(np.arange(80), 3)
    parts = split_parts(groups, 0.2, seed=3)
    sides = [set(groups[rows]) for rows in (parts.learn, parts.validate, parts.held_out)]
    assert [len(side) for side in sides] == [56, 8, 16]
    assert len(set.union(*sides)) == 80
    assert sorted([*parts.training, *parts.held_out]) == list(range(240))
    assert (np.bincount(parts.held_out_groups) == 3).all()


def test_three_prompts_are_enough_and_two_are_not() -> None:
    parts = split_parts([0, 1, 2], 0.9, seed=0)
    assert [len(rows) for rows in (parts.learn, parts.validate, parts.held_out)] == [1, 1, 1]
    with pytest.raises(UserError, match="2 prompts of different texts; three"):
        split_parts([0, 1], 0.5, seed=0)


def test_equal_and_prefix_equal_texts_are_one_prompt() -> None:
    texts = ["I think", "You", "I think love is", "I think", "I thin air", "Young"]
    groups = prompt_groups([10, 11, 12, 13, 14, 15], texts)
    assert groups[0] == groups[2] == groups[3]
    assert groups[1] == groups[5]
    assert len({groups[0], groups[1], groups[4]}) == 3


def test_groups_without_texts_are_the_prompts() -> None:
    assert prompt_groups([7, 7, 3, 9]).tolist() == [1, 1, 0, 2]
    assert prompt_groups([], []).tolist() == []


def test_sums_by_group() -> None:
    sums = sums_by_group([[1, 2], [3, 4], [5, 6]], [9, 2, 9])
    assert sums.tolist() == [[3, 4], [6, 8]]


@pytest.mark.parametrize("n_prompts", [3, 5, 7, 13, 30])
@pytest.mark.parametrize("name", list(designs()))
def test_intervals_hold_the_truth_as_often_as_they_say(name: str, n_prompts: int) -> None:
    design, rng = designs()[name], np.random.default_rng(n_prompts)
    held, widths, estimates = [], [], []
    for _ in range(60):
        above, below = design.draw(rng, n_prompts, 20)
        if np.count_nonzero(below) < 2:
            continue
        low, high = interval(above, below, design.scale)
        held.append((low <= design.truth) & (design.truth <= high))
        widths.append(high - low)
        estimates.append(above.sum(axis=0) / below.sum())
    # Where a few prompts are far worse than all others, no number of few prompts shows it.
    hard = name in ("heavy-tailed losses", "longer prompts are worse")
    assert np.mean(held) >= (0.83 if hard else 0.91)
    if n_prompts == 30:
        ideal = 2 * 1.96 * np.std(np.concatenate(estimates))
        assert np.median(np.concatenate(widths)) < 1.35 * ideal


def test_interval_of_a_mean_over_samples_is_students() -> None:
    effects = np.random.default_rng(0).normal(0, 1, 12)
    low, high = interval(effects * 10, np.full(12, 10))
    error = scipy.stats.sem(effects)
    assert (low, high) == pytest.approx(scipy.stats.t.interval(0.95, 11, effects.mean(), error))


def test_interval_of_unequal_prompts_is_bell_and_mccaffreys() -> None:
    rng = np.random.default_rng(3)
    sums, sizes = rng.random(6) * 9, np.array([1.0, 2, 3, 5, 8, 20])
    share = sizes / sizes.sum()
    # The estimated variance as a quadratic form in the prompts' means, written out.
    form = np.zeros((6, 6))
    for prompt in range(6):
        residual = (np.arange(6) == prompt) - share
        form += share[prompt] ** 2 / (1 - share[prompt]) * np.outer(residual, residual)
    means = sums / sizes
    freedom = np.trace(form) ** 2 / np.trace(form @ form)
    reach = scipy.stats.t.ppf(0.975, freedom) * np.sqrt(means @ form @ means)
    centre = sums.sum() / sizes.sum()
    assert interval(sums, sizes) == pytest.approx((centre - reach, centre + reach))


def test_interval_of_a_share_is_wilsons_where_prompts_are_single_trials() -> None:
    right = np.repeat([1, 0], [63, 37])
    low, high = interval(right, np.ones(100), "share")
    wilson = scipy.stats.binomtest(63, 100).proportion_ci(method="wilson")
    # Student's t for 99 degrees of freedom, and the variance's divisor, make it a little wider.
    assert (low, high) == pytest.approx((wilson.low, wilson.high), abs=0.003)


@pytest.mark.parametrize("right", [0, 1])
def test_a_share_of_all_or_nothing_is_not_certain(right: int) -> None:
    low, high = interval(np.full(5, 20 * right), np.full(5, 20), "share")
    assert 0.3 < high - low < 0.6 and (high if right else low) == pytest.approx(right)


def test_no_interval_leaves_what_is_possible() -> None:
    rng = np.random.default_rng(2)
    sums = rng.exponential(1, (4, 50)) ** 3
    low, high = interval(sums, np.full(4, 30), "positive")
    assert (low >= 0).all() and (low < sums.sum(axis=0) / 120).all() and (high > low).all()
    assert interval([0, 0, 0], [4, 5, 6], "positive") == (0, 0)
    low, high = interval(rng.integers(0, 3, (3, 50)), [2, 2, 2], "share")
    assert (low >= 0).all() and (high <= 1).all()


def test_interval_of_several_columns_is_that_of_each() -> None:
    sums, counts = np.random.default_rng(1).random((30, 2)), np.arange(1, 31)
    for scale in get_args(Scale):
        low, high = interval(sums, counts, scale)
        for column in range(2):
            alone = interval(sums[:, column], counts, scale)
            assert alone == pytest.approx((low[column], high[column]))


def test_one_prompt_has_no_interval() -> None:
    assert np.isnan(interval([3.0], [2])).all()
    assert np.isnan(interval([3.0, 1.0], [2, 0], "positive")).all()
    low, high = interval([[3.0, 1.0]], [2])
    assert np.isnan([low, high]).all() and low.shape == (2,)


def test_few_prompts_are_called_a_rough_guide() -> None:
    assert coverage_note(128) == "95 % intervals are over 128 held-out prompts."
    assert "over 29 held-out prompts: a rough guide" in coverage_note(29)
    assert "over one there is none" in coverage_note(1)
    assert "over 4 to 64 held-out prompts: a rough guide" in coverage_note(4, 64)
