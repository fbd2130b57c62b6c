"""Splits and intervals by prompt."""

import numpy as np
import pytest

from gelu.cli import UserError
from gelu.splits import interval, prompt_groups, split_parts, split_prompts, sums_by_group


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


def test_interval_of_a_mean_over_samples() -> None:
    rng = np.random.default_rng(0)
    effects = rng.normal(0, 1, 400)
    low, high = interval(effects * 10, np.full(400, 10), seed=0)
    # Means of 400 prompts have a standard error of 1/20.
    assert low == pytest.approx(effects.mean() - 1.96 / 20, abs=0.02)
    assert high == pytest.approx(effects.mean() + 1.96 / 20, abs=0.02)


def test_interval_of_several_columns_is_that_of_each() -> None:
    sums, counts = np.random.default_rng(1).random((30, 2)), np.arange(1, 31)
    low, high = interval(sums, counts, seed=3)
    for column in range(2):
        alone = interval(sums[:, column], counts, seed=3)
        assert alone == pytest.approx((low[column], high[column]))


def test_one_prompt_has_no_interval() -> None:
    assert np.isnan(interval([3.0], [2], seed=0)).all()
