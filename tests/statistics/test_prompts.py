"""Completions of a prompt against one another and against those of other prompts."""

from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import jaccard_score

from benchmarks.prompt_worlds import Shape, copying, copying_from_prompts
from gelu.packed import PackedActivations
from gelu.samples.arrays import Samples
from gelu.samples.notes import Notes
from gelu.statistics.prompt_comparison import compare_prompts, permutation_test
from gelu.statistics.similarity import completion_sets, pairwise_overlap
from gelu.statistics.tokens_across_prompts import tokens_across_prompts
from tests.statistics_helpers import arranged, contract_columns, samples_of, table_of


@given(st.integers(1, 12), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_overlaps_are_those_of_sets(n: int, n_neurons: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    active = rng.random((n, n_neurons)) < rng.random((n, 1))
    completions = np.unique(rng.integers(0, 4, n), return_inverse=True)[1]
    packed = completion_sets(PackedActivations.from_bool(active), completions)
    sets = sets_of(active, completions)
    assert [set(np.flatnonzero(row)) for row in packed.rows(slice(None))] == sets
    overlap = pairwise_overlap(packed)
    jaccard = overlap.jaccard()
    for a, first in enumerate(sets):
        for b, second in enumerate(sets):
            assert overlap.intersection[a, b] == len(first & second)
            assert overlap.union[a, b] == len(first | second)
            rows = packed.rows([a, b])
            assert jaccard[a, b] == jaccard_score(rows[0], rows[1], zero_division=1)


def sets_of(active: NDArray[np.bool_], completions: NDArray[Any]) -> list[set[int]]:
    return [
        set(np.flatnonzero(active[completions == number].any(axis=0)))
        for number in range(completions.max() + 1)
    ]


def jaccard_of(first: set[int], second: set[int]) -> float:
    return len(first & second) / len(first | second) if first | second else 1.0


LENGTHS = [2, 3, 2, 4, 2, 2]
PROMPTS = [0, 0, 0, 1, 1, 2]


def small_dataset() -> tuple[Samples, NDArray[np.bool_]]:
    active = np.random.default_rng(0).random((15, 20)) < 0.2
    return samples_of(LENGTHS, PROMPTS, list(range(15)), active), active


def test_similarities_are_means_over_all_pairs() -> None:
    samples, active = small_dataset()
    found = compare_prompts(samples, 0.05, 0, notes=Notes.of(samples))
    of = samples.completions.of_samples()
    sets = sets_of(active, of)
    tokens = [active[of == number] for number in range(6)]
    pairs = [(a, b) for a in range(6) for b in range(a + 1, 6)]
    jaccard = {(a, b): jaccard_of(sets[a], sets[b]) for a, b in pairs}
    by_token = {
        (a, b): np.mean(
            [
                jaccard_of(set(np.flatnonzero(x)), set(np.flatnonzero(y)))
                for x, y in zip(tokens[a], tokens[b], strict=False)
            ]
        )
        for a, b in pairs
    }
    assert list(found.samples.columns) == contract_columns("sample_similarities")
    numbers = [0, 1, 2, 0, 1, 0]
    own = [(a, b) for a, b in pairs if PROMPTS[a] == PROMPTS[b]]
    assert found.samples.to_numpy().tolist() == [
        [
            PROMPTS[a],
            f"prompt {PROMPTS[a]}",
            numbers[a],
            numbers[b],
            pytest.approx(jaccard[a, b]),
            len(sets[a] & sets[b]),
            len(sets[a] | sets[b]),
        ]
        for a, b in own
    ]
    for row in found.prompts.to_dict("records"):
        key = (row["prompt_a"], row["prompt_b"])
        chosen = [pair for pair in pairs if (PROMPTS[pair[0]], PROMPTS[pair[1]]) == key]
        assert row["n_pairs"] == len(chosen)
        if key == (2, 2):
            assert np.isnan(row["mean_jaccard"]) and np.isnan(row["mean_jaccard_by_token"])
        else:
            expected = np.array([(jaccard[pair], by_token[pair]) for pair in chosen], float).mean(
                axis=0
            )
            assert row["mean_jaccard"] == pytest.approx(expected[0])
            assert row["mean_jaccard_by_token"] == pytest.approx(expected[1])
    assert len(found.prompts) == 6
    others = [pair for pair in pairs if pair not in own]
    assert found.within.tolist() == pytest.approx([jaccard[pair] for pair in own])
    assert found.between.tolist() == pytest.approx([jaccard[pair] for pair in others])
    assert found.within_by_token == pytest.approx(np.mean([by_token[pair] for pair in own]))
    assert found.between_by_token == pytest.approx(np.mean([by_token[pair] for pair in others]))
    # The test compares the first two tokens alone, since the shortest completions have no more.
    cut = {
        (a, b): jaccard_of(
            *(set(np.flatnonzero(tokens[c][:2].any(axis=0)).tolist()) for c in (a, b))
        )
        for a, b in pairs
    }
    assert found.test is not None
    assert found.test.within == pytest.approx(np.mean([cut[pair] for pair in own]))
    assert found.test.between == pytest.approx(np.mean([cut[pair] for pair in others]))


def test_of_many_completions_those_of_some_prompts_are_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gelu.statistics.prompt_comparison.MOST_COMPLETIONS", 5)
    monkeypatch.setattr("gelu.statistics.prompt_comparison.MOST_COMPLETIONS_BY_TOKEN", 3)
    samples, _ = small_dataset()
    notes = Notes.of(samples)
    found = compare_prompts(samples, 0.05, 0, notes=notes)
    shown = set(found.prompts["prompt_a"])
    assert shown < {0, 1, 2} and len(found.within) + len(found.between) <= 10
    assert "of 6 completions" in notes.subsampled["completions compared"]
    assert "3 completions" in notes.subsampled["completions compared token by token"]


def test_p_values_of_the_permutation_test_are_uniform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gelu.statistics.prompt_comparison.MOST_PERMUTATIONS", 199)
    prompts = np.repeat(range(5), [2, 3, 4, 4, 5])
    p_values = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        sets = PackedActivations.from_bool(rng.random((18, 60)) < rng.random((18, 1)))
        test = permutation_test(pairwise_overlap(sets).jaccard(), prompts, 0.05, rng)
        assert test.n_permutations == 199
        # p is one of 1/200, 2/200, ..., 1: spread evenly below.
        p_values.append(test.p_value - rng.random() / 200)
    assert scipy.stats.kstest(p_values, "uniform").pvalue > 0.01


def test_a_prompts_own_neurons_give_the_smallest_p_value() -> None:
    rng = np.random.default_rng(0)
    prompts = np.repeat(range(4), 5)
    own = np.arange(60) % 4 == np.repeat(prompts, 6)[:, None]
    active = (rng.random((120, 60)) < 0.05) | (own & (rng.random((120, 60)) < 0.3))
    found = compare_prompts(
        samples_of([6] * 20, prompts.tolist(), list(range(120)), active), 0.05, 0, notes=Notes()
    )
    assert found.test is not None and found.test.within > found.test.between
    assert found.test.p_value == 1 / (1 + found.test.n_permutations)


def test_longer_completions_alone_make_no_prompt_effect() -> None:
    p_values = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        lengths = np.repeat([3, 30], 6).tolist()
        active = rng.random((sum(lengths), 50)) < 0.05
        prompts = np.repeat([0, 1], 6)
        samples = samples_of(lengths, prompts.tolist(), list(range(sum(lengths))), active)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("gelu.statistics.prompt_comparison.MOST_PERMUTATIONS", 199)
            test = compare_prompts(samples, 0.05, seed, notes=Notes.of(samples)).test
            uncut = completion_sets(samples.activations, samples.completions.of_samples())
            whole = permutation_test(pairwise_overlap(uncut).jaccard(), prompts, 0.05, rng)
        assert test is not None and whole.p_value <= 0.05
        p_values.append(test.p_value)
    assert np.mean(np.array(p_values) <= 0.05) <= 0.15
    assert scipy.stats.kstest(p_values, "uniform").pvalue > 0.01


ACROSS = "gelu.statistics.tokens_across_prompts"


def tokens_dataset(
    rng: np.random.Generator, n_prompts: int = 4, planted: bool = False
) -> tuple[Samples, NDArray[np.int64], NDArray[np.bool_]]:
    """Three completions of 12 tokens of each prompt; planted: token 0 has ten neurons."""
    n = n_prompts * 3
    outputs = rng.integers(0, 6, n * 12)
    active = rng.random((n * 12, 40)) < 0.2
    if planted:
        active[:, :10] |= (outputs == 0)[:, None]
    prompts = np.repeat(np.arange(n_prompts), 3)
    return samples_of([12] * n, prompts.tolist(), outputs.tolist(), active), outputs, active


def test_tokens_across_prompts_are_means_over_pairs() -> None:
    samples, outputs, active = tokens_dataset(np.random.default_rng(0), 6, planted=True)
    table = tokens_across_prompts(samples, 0.05, 0, notes=Notes.of(samples)).table
    assert list(table.columns) == contract_columns("token_across_prompts")
    jaccard = pairwise_overlap(PackedActivations.from_bool(active)).jaccard()
    prompts = np.repeat(range(6), 36)
    for row in table.to_dict("records"):
        here = outputs == row["token_id"]
        same = here[:, None] & here & (prompts[:, None] != prompts)
        other = here[:, None] & ~here & (prompts[:, None] == prompts)
        assert (row["token"], row["n_samples"]) == (f"t{row['token_id']}", here.sum())
        assert row["n_prompts"] == len(np.unique(prompts[here]))
        assert row["jaccard_same_token_other_prompt"] == pytest.approx(
            jaccard[same].mean(), rel=1e-5
        )
        assert row["jaccard_same_prompt_other_token"] == pytest.approx(
            jaccard[other].mean(), rel=1e-5
        )
    # The middle one of three p-values that are as small as can be, times three halves.
    assert table["token_id"][0] == 0 and table["p_value"][0] == pytest.approx(1.5 / 2000)
    p_values = table["p_value"].to_numpy()
    assert (np.diff(p_values) >= 0).all() and (table["p_value"][1:] > 0.01).all()
    np.testing.assert_allclose(
        table["q_value"], scipy.stats.false_discovery_control(p_values), rtol=1e-12
    )


def test_p_values_of_independent_tokens_are_not_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{ACROSS}.SHIFTS", 199)
    p_values: list[float] = []
    for seed in range(40):
        samples, _, _ = tokens_dataset(np.random.default_rng(seed))
        p_values.extend(
            tokens_across_prompts(samples, 0.05, seed, notes=Notes.of(samples)).table["p_value"]
        )
    assert len(p_values) == 240
    for level in (0.05, 0.2):
        spread = np.sqrt(level * (1 - level) / len(p_values))
        assert np.mean(np.array(p_values) <= level) <= level + 3 * spread


@pytest.mark.parametrize("shape", [(8, 10, 20), (12, 5, 20)])
def test_a_beginning_that_completions_share_is_no_evidence(
    shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Completions leave the text of their prompt's first one at a random token; neurons know nothing
    # of tokens, and do the same where the tokens so far are the same.
    monkeypatch.setattr(f"{ACROSS}.SHIFTS", 499)
    n_prompts, n_completions, length = shape
    false = n_tests = 0
    for seed in range(4):
        rng = np.random.default_rng(seed)
        outputs = rng.integers(0, 30, shape)
        active = rng.random((*shape, 60)) < 0.2
        for leave in np.argwhere(rng.random((n_prompts, n_completions - 1, length)) < 0.02)[::-1]:
            outputs[leave[0], leave[1] + 1, leave[2] :] += 30 * (leave[1] + 1)
        left = (outputs[:, 1:] >= 30).cumsum(axis=2) > 0
        outputs %= 30
        outputs[:, 1:] = np.where(left, outputs[:, 1:], outputs[:, :1])
        same = ~np.concatenate([np.zeros((n_prompts, n_completions - 1, 1), bool), left], axis=2)
        active[:, 1:] = np.where(same[..., :length, None], active[:, :1], active[:, 1:])
        prompts = np.repeat(range(n_prompts), n_completions).tolist()
        lengths = [length] * len(prompts)
        samples = samples_of(lengths, prompts, outputs.ravel().tolist(), active.reshape(-1, 60))
        table = tokens_across_prompts(samples, 0.05, seed, notes=Notes.of(samples)).table
        false += int((table["q_value"] <= 0.05).sum())
        n_tests += len(table)
    assert n_tests > 80 and false <= 1


@pytest.mark.parametrize("shape", [(12, 5, 40), (6, 10, 40), (24, 3, 20)])
@pytest.mark.parametrize("world", [copying, copying_from_prompts])
def test_neurons_that_look_back_say_nothing_of_the_token_that_comes(
    world: Any, shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Just after the prompt all its completions look back at the prompt.
    monkeypatch.setattr(f"{ACROSS}.SHIFTS", 199)
    for seed in range(3):
        samples = world(np.random.default_rng(seed), Shape(*shape))[0]
        table = tokens_across_prompts(samples, 0.05, seed, notes=Notes.of(samples)).table
        assert len(table) == 8 and (table["q_value"] > 0.05).all()


def test_neurons_that_persist_are_as_likely_just_after_the_token() -> None:
    # Both prompts have the same neurons at the token's place and at the next one, and at no other
    # any that the other has: of all 8 x 8 turns, 2 x 2 find them again.
    outputs = [1, 1, 0, 1, 1, 1, 1, 1] * 2
    active = np.zeros((2, 8, 17), bool)
    for prompt, place in np.ndindex(2, 8):
        active[prompt, place, 16 if place in (2, 3) else 8 * prompt + place] = True
    samples = samples_of([8, 8], [0, 1], outputs, active.reshape(16, 17))
    table = tokens_across_prompts(samples, 0.05, 0, notes=Notes.of(samples)).table
    p_value = table.set_index("token_id")["p_value"][0]
    assert p_value == pytest.approx(4 / 64, abs=4 * np.sqrt(4 / 64 / 2000))


def test_each_p_value_is_of_one_completion_of_each_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    # Token 0 has neurons of its own in the first completions of the prompts, in no other.
    rng = np.random.default_rng(0)
    samples, outputs, active = tokens_dataset(rng, n_prompts=8, planted=True)
    first = np.repeat(np.arange(24) % 3 == 0, 12)
    active[~first] = rng.random((int((~first).sum()), 40)) < 0.2
    n = [12] * 24
    prompts = np.repeat(np.arange(8), 3).tolist()
    samples = samples_of(n, prompts, outputs.tolist(), active)
    table = tokens_across_prompts(samples, 0.05, 0, notes=Notes.of(samples)).table
    # Two of three sets show nothing: the middle one decides.
    assert table.set_index("token_id")["p_value"][0] > 0.05
    alone = samples_of([12] * 8, list(range(8)), outputs[first].tolist(), active[first])
    table = tokens_across_prompts(alone, 0.05, 0, notes=Notes.of(alone)).table
    assert table.set_index("token_id")["p_value"][0] == 1 / 2000


def test_of_many_samples_some_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{ACROSS}.MOST_SAMPLES", 100)
    monkeypatch.setattr(f"{ACROSS}.MOST_SAMPLES_OF_TOKEN", 5)
    monkeypatch.setattr(f"{ACROSS}.PAIRS_AT_A_TIME", 64)
    samples, outputs, _ = tokens_dataset(np.random.default_rng(1), planted=True)
    notes = Notes.of(samples)
    table = tokens_across_prompts(samples, 0.05, 0, notes=notes).table
    # Eight completions of twelve tokens fit; the counts are those of all samples.
    assert "96 of 144 samples" in notes.subsampled["tokens across prompts"]
    assert table.sort_values("token_id")["n_samples"].tolist() == np.bincount(outputs).tolist()
    assert table["token_id"][0] == 0 and table["p_value"][0] < 0.02


def test_a_token_left_under_one_prompt_has_no_p_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{ACROSS}.MOST_SAMPLES", 2)
    samples = samples_of([2, 2], [0, 1], [1, 2, 1, 2], np.eye(4, 8, dtype=bool))
    table = tokens_across_prompts(samples, 0.05, 0, notes=Notes.of(samples)).table
    assert table["token_id"].tolist() == [1, 2]
    columns = ["jaccard_same_token_other_prompt", "p_value", "q_value"]
    assert table[columns].isna().all(axis=None)


def test_neurons_that_read_a_token_after_it_do_not_make_its_places_alike() -> None:
    # All samples are alike but those just after token 0, which its own places never are.
    n_prompts, length = 60, 8
    outputs = np.ones((n_prompts, length), int)
    outputs[np.arange(n_prompts), np.arange(n_prompts) % length] = 0
    active = np.zeros((n_prompts, length, 16), bool)
    active[:, :, :8] = True
    prompt, place = np.nonzero(outputs[:, :-1] == 0)
    active[prompt, place + 1] = ~active[prompt, place + 1]
    samples = samples_of(
        [length] * n_prompts, range(n_prompts), outputs.ravel().tolist(), active.reshape(-1, 16)
    )
    assert (
        tokens_across_prompts(samples, 0.05, 0, notes=Notes.of(samples)).table.set_index(
            "token_id"
        )["p_value"][0]
        == 1
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{ACROSS}.AFTERMATH", 1_000)  # as if labels were turned onto these, too
        table = tokens_across_prompts(samples, 0.05, 0, notes=Notes.of(samples)).table
    assert table.set_index("token_id")["p_value"][0] < 0.01


def test_short_completions_say_that_no_token_can_pass() -> None:
    outputs = [0, 1, 2, 3, 4] * 2 + [5, 6, 7, 8, 9] * 2
    active = np.eye(20, dtype=bool)
    samples = samples_of([5, 5, 5, 5], [0, 1, 2, 3], outputs, active)
    found = tokens_across_prompts(samples, 0.01, 0, notes=Notes.of(samples))
    # Five tokens in each pair of prompts, each turned by 5 - 1 offsets: 16 ways.
    assert found.n_tests == 10 and found.smallest_p == pytest.approx(1 / 16)
    assert found.unattainable is not None
    assert "16 ways" in found.unattainable and "1,000" in found.unattainable
    assert tokens_across_prompts(samples, 0.07, 0, notes=Notes.of(samples)).unattainable is None


def test_prompts_of_equal_text_are_one_prompt_across_and_between() -> None:
    rng = np.random.default_rng(0)
    outputs = rng.integers(0, 5, 48).tolist()
    table = table_of([8] * 6, [0, 0, 1, 1, 2, 2], outputs)
    table.loc[table["prompt_idx"] == 1, "input_text"] = "prompt 0"
    samples = arranged(table, rng.random((48, 8)) < 0.4)
    assert samples.prompt_units().tolist() == [0, 0, 0, 0, 1, 1]
    found = compare_prompts(samples, 0.05, 0, notes=Notes.of(samples))
    assert len(found.within) == 6 + 1 and len(found.between) == 4 * 2
    assert (
        tokens_across_prompts(samples, 0.05, 0, notes=Notes.of(samples)).table["n_prompts"] == 2
    ).all()
    table["input_text"] = "prompt 0"
    one = arranged(table, rng.random((48, 8)) < 0.4)
    assert tokens_across_prompts(one, 0.05, 0, notes=Notes.of(one)).table.empty
    assert compare_prompts(one, 0.05, 0, notes=Notes.of(one)).test is None
    # Texts that are not known are not equal.
    table["input_text"] = ""
    assert arranged(table, one.activations.rows(slice(None))).prompt_units().max() == 2


@pytest.mark.parametrize(
    ("sizes", "ways", "needed"),
    [([2, 2], 3, 4), ([3, 3], 10, 4), ([2, 2, 2], 15, 3), ([2, 1, 1], 6, 3), ([4, 4], 35, None)],
)
def test_too_few_completions_to_deal_out_are_named(
    sizes: list[int], ways: int, needed: int | None
) -> None:
    prompts = np.repeat(np.arange(len(sizes)), sizes)
    same = (prompts[:, None] == prompts) * 0.5 + 0.1
    test = permutation_test(same, prompts, 0.05, np.random.default_rng(0))
    assert test.smallest_p == pytest.approx(1 / ways)
    assert test.p_value == pytest.approx(1 / ways, rel=0.2)
    if needed is None:
        assert test.unattainable is None
    else:
        assert test.unattainable is not None
        assert f"in {ways} ways only" in test.unattainable
        assert f"needs {needed} of each of the {len(sizes)} prompts" in test.unattainable


EDGES = {
    "one sample": ([1], [0], [0]),
    "one prompt": ([2, 2], [0, 0], [0, 1, 0, 1]),
    "one completion of each prompt": ([2, 2], [0, 1], [0, 1, 2, 3]),
    "no token repeated": ([2, 2, 2], [0, 0, 1], [0, 1, 2, 3, 4, 5]),
    "completions that part after the shortest's end": ([2, 2, 1], [0, 0, 1], [0, 1, 2, 3, 4]),
}


@pytest.mark.parametrize("name", EDGES)
def test_small_datasets_have_tables_and_name_what_is_missing(name: str) -> None:
    lengths, prompts, outputs = EDGES[name]
    samples = samples_of(lengths, prompts, outputs, np.eye(len(outputs), 8, dtype=bool))
    notes = Notes.of(samples)
    found, across = (
        compare_prompts(samples, 0.05, 0, notes=notes),
        tokens_across_prompts(samples, 0.05, 0, notes=notes).table,
    )
    assert list(found.samples.columns) == contract_columns("sample_similarities")
    assert list(found.consistent.table.columns) == contract_columns("consistent_neurons")
    assert across.empty
    assert list(across.columns) == contract_columns("token_across_prompts")
    assert "under two prompts" in notes.skipped["tokens across prompts"]
    told = notes.skipped.get("completions within a prompt against those between prompts")
    if name == "one prompt":
        assert told == "there is only one prompt; needs two"
    elif name == "no token repeated":
        assert found.test is not None and told is None
    else:
        assert told is not None
        assert found.samples.empty == (name != "completions that part after the shortest's end")
        assert told.startswith(
            {
                "one sample": "there is only one prompt",
                "one completion of each prompt": "no prompt has two completions; needs 4 of each",
            }.get(name, "no prompt has two completions that differ before the shortest ends")
        )
    assert ("neurons consistent within a prompt" in notes.skipped) == (name != "no token repeated")


def test_without_texts_and_outputs_ids_there_are_tables_too() -> None:
    rng = np.random.default_rng(0)
    table = table_of([3] * 6, [0, 0, 1, 1, 2, 2], rng.integers(0, 3, 18).tolist())
    samples = arranged(table.drop(columns=["input_text", "output_id"]), rng.random((18, 8)) < 0.4)
    assert (
        compare_prompts(samples, 0.05, 0, notes=Notes.of(samples)).samples["input_text"].tolist()
        == [""] * 3
    )
    across = tokens_across_prompts(samples, 0.05, 0, notes=Notes.of(samples)).table
    assert len(across) == 3 and across["token_id"].isna().all()
    assert list(across.columns) == contract_columns("token_across_prompts")
