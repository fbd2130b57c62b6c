"""What is known of the tokens before a sample where the dataset CSV lacks rows."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gelu.errors import UserError
from gelu.learning import next_token_run
from gelu.learning.network import UNSEEN, TokenCodes
from gelu.learning.tokens import UNKNOWN_RANK
from gelu.model.loading import load_model
from gelu.model.source import find_model
from gelu.neurons import Geometry
from gelu.packed import PackedActivations
from gelu.patterns.meaning import context_of, labels_in_role
from gelu.samples.arrays import Samples, arrange
from gelu.samples.grouping import GAP, completions_so_far
from gelu.samples.notes import Notes
from gelu.samples.reading import FolderSamples, read_folder
from gelu.samples.token_history import (
    NO_TOKEN,
    UNKNOWN_TOKEN,
    known_tokens,
    number_contexts,
    prompt_encoder,
    token_history,
)
from gelu.statistics.prompt_comparison import compare_prompts
from tests.helpers import run_script_here

MODEL, LENGTH = "gpt2-demo", 12


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> FolderSamples:
    """Return the samples of a small dataset of gpt2-demo."""
    folder = tmp_path_factory.mktemp("history")
    prompts = "prompts,number_of_new_tokens,num_samples\n"
    prompts += f"I think love is,{LENGTH},2\nThe cat sat on the,{LENGTH},1\n"
    (folder / "p.csv").write_text(prompts, encoding="utf-8")
    arguments: list[Any] = ["--model_type", MODEL, "--input_csv", folder / "p.csv", "--seed", 1]
    arguments += ["--edges", "none", "--formats", "csv,npz", "--device", "cpu"]
    run_script_here("generate_activation_dataset.py", *arguments, "--export_dir", folder / "d")
    return read_folder(str(folder / "d"), MODEL)


def encoder(read: FolderSamples) -> Any:
    encode = prompt_encoder(read.source, Notes())
    assert encode is not None
    return encode


def without(read: FolderSamples, keep: Any) -> FolderSamples:
    """Return the samples of the rows that `keep` (table -> mask) keeps."""
    mask = np.asarray(keep(read.samples.table))
    table = read.samples.table[mask].reset_index(drop=True)
    activations = read.samples.activations.taken(np.flatnonzero(mask))
    samples = arrange(table, activations, read.samples.geometry)
    return replace(read, samples=samples, groups=read.groups[mask])


def every(step: int) -> Any:
    return lambda table: table["token_position"] % step == 0


def a_gap(table: pd.DataFrame) -> Any:
    """Keep all but tokens 4 to 6 of the first completion."""
    first = (table["prompt_idx"] == 0) & (table["prompt_sample_idx"] == 0)
    return ~(first & table["token_position"].between(4, 6))


def ranks(read: FolderSamples, notes: Notes | None = None) -> dict[int, int]:
    notes = Notes() if notes is None else notes
    model = load_model(find_model(MODEL), "cpu")
    rows = np.arange(len(read.samples))
    found = next_token_run.ranks_of(model, read, encoder(read), rows, notes=notes)
    return dict(zip(read.samples.table["sample_id"].tolist(), found.tolist(), strict=True))


@pytest.fixture(scope="module")
def true_ranks(read: FolderSamples) -> dict[int, int]:
    """Return every sample's rank from the whole dataset."""
    return ranks(read)


def test_ranks_of_a_whole_dataset_are_all_known(true_ranks: dict[int, int]) -> None:
    assert len(true_ranks) == 3 * LENGTH and min(true_ranks.values()) == 0


def test_ranks_are_known_where_all_tokens_before_are(
    read: FolderSamples, true_ranks: dict[int, int]
) -> None:
    part, notes = without(read, every(3)), Notes()
    known = {sample: rank for sample, rank in ranks(part, notes).items() if rank != UNKNOWN_RANK}
    first = part.samples.table.loc[part.samples.table["token_position"] == 0, "sample_id"]
    assert known == {sample: true_ranks[sample] for sample in first}
    told = "of 9 of 12 held-out samples it is unknown what the model had read"
    assert told in notes.skipped["the model's own guesses"]


def test_a_token_of_a_missing_row_is_known_from_the_row_after(
    read: FolderSamples, true_ranks: dict[int, int]
) -> None:
    part, notes = without(read, every(2)), Notes()
    found = ranks(part, notes)
    assert found == {sample: true_ranks[sample] for sample in found}
    assert "the model's own guesses" not in notes.skipped
    whole, history = (
        token_history(each.samples, encoder(read), 6, notes=Notes.of(each.samples))
        for each in (read, part)
    )
    assert (history == whole[every(2)(read.samples.table)]).all()


def test_a_gap_in_one_completion_leaves_out_what_comes_after_it(
    read: FolderSamples, true_ranks: dict[int, int]
) -> None:
    part = without(read, a_gap)
    unknown = [sample for sample, rank in ranks(part).items() if rank == UNKNOWN_RANK]
    assert unknown == list(range(7, LENGTH))
    known = {sample: rank for sample, rank in ranks(part).items() if rank != UNKNOWN_RANK}
    assert known == {sample: true_ranks[sample] for sample in known}


def test_histories_tell_the_beginning_from_a_gap(
    read: FolderSamples,
) -> None:
    notes = Notes()
    part, whole = (
        without(read, a_gap),
        token_history(read.samples, encoder(read), 12, notes=Notes.of(read.samples)),
    )
    history = token_history(part.samples, encoder(read), 12, notes)
    same = whole[a_gap(read.samples.table)]
    assert (history[:, 0] == same[:, 0]).all()
    unknown = history == UNKNOWN_TOKEN
    assert (history[~unknown] == same[~unknown]).all()
    # Tokens 4 and 5 are gone; 6 is the context of token 7, and they come before it.
    assert np.argwhere(unknown[4:5]).tolist() == [[0, 1], [0, 2]]
    assert (same[unknown] != NO_TOKEN).all() and (history[0, 10:] == NO_TOKEN).all()
    told = "of 5 of 33 samples not all of the last 12 tokens are known"
    assert told in notes.skipped["tokens before some samples"]


def test_without_a_tokenizer_a_prompt_is_unknown_and_not_absent(read: FolderSamples) -> None:
    tokens = next(known_tokens(read.samples, None))
    n_prompt = len(encoder(read)("I think love is"))
    assert tokens.n_prompt == n_prompt
    assert (tokens.ids[: n_prompt - 1] == UNKNOWN_TOKEN).all() and tokens.ids[n_prompt - 1] >= 0
    history = token_history(read.samples, None, 12, notes=Notes.of(read.samples))
    assert (history[0] == NO_TOKEN).sum() == 12 - n_prompt


def test_a_prompt_of_another_length_is_refused(read: FolderSamples) -> None:
    table = read.samples.table.assign(absolute_position=read.samples.table["absolute_position"] + 1)
    with pytest.raises(UserError, match=r"sample 0 has absolute_position .* the tokenizer"):
        list(known_tokens(replace(read.samples, table=table), encoder(read)))


def test_what_is_unknown_is_a_context_of_its_own() -> None:
    history = np.array([[5, UNKNOWN_TOKEN], [5, NO_TOKEN], [4, 5], [5, 0], [5, UNKNOWN_TOKEN]])
    last, pair = number_contexts(history)
    assert last.tolist() == [1, 1, 0, 1, 1] and pair.tolist() == [1, 2, 0, 3, 1]
    codes = TokenCodes.of(history)
    assert codes.ids.tolist() == [0, 4, 5]
    assert codes.encode(np.array([[UNKNOWN_TOKEN]])).tolist() == [[UNSEEN]]


def test_texts_say_where_tokens_are_missing(read: FolderSamples) -> None:
    table, outputs = read.samples.table, read.samples.table["output"].tolist()
    third = table[every(3)(table)]
    so_far = completions_so_far(third, [0, 3, 6])
    assert so_far[0] == ""
    assert so_far[1] == outputs[0] + GAP + outputs[2]
    assert so_far[2] == outputs[0] + GAP + outputs[2] + outputs[3] + GAP + outputs[5]
    assert completions_so_far(table[every(2)(table)], [4]) == ["".join(outputs[:4])]
    assert completions_so_far(table, [7]) == ["".join(outputs[:7])]
    without_contexts = third.drop(columns="context_token")
    assert completions_so_far(without_contexts, [3]) == [outputs[0] + GAP]
    part = without(read, every(3))
    context = context_of(part.samples, 1)
    assert context["before"].endswith(outputs[0] + GAP) and context["token"] == outputs[2]
    assert context["after"] == outputs[3] + GAP + outputs[5] + outputs[6]


def test_the_token_before_a_gap_is_not_the_previous_one(read: FolderSamples) -> None:
    labels = labels_in_role(without(read, a_gap).samples, "previous")
    assert labels is not None
    assert np.flatnonzero(labels[0] < 0).tolist() == [0, 4, 9, 21]


def _two_alike(positions: list[int], other: bool) -> Samples:
    """Return samples of two completions that are known to be alike only where rows are."""
    table = pd.DataFrame(
        {
            "sample_id": range(2 * len(positions)),
            "prompt_sample_idx": np.repeat([0, 1], len(positions)),
            "token_position": positions * 2,
            "input_text": "a",
            "output": "x",
            "output_id": 7,
            "prompt_idx": 0,
        }
    )
    active = np.tile(np.arange(len(positions))[:, None] % 2 == np.arange(4) % 2, (2, 1))
    if other:
        active[len(positions) :] ^= np.arange(4) == 3
    return arrange(table, PackedActivations.from_bool(active), Geometry(1, 0, 4, 0))


@pytest.mark.parametrize(
    ("positions", "other", "alike"),
    [
        ([0, 1, 2], False, [True, True, True]),
        ([0, 1, 2], True, [True, True, True]),
        ([0, 3, 6], False, [True, True, True]),
        ([0, 3, 6], True, [True, False, False]),
        ([1, 2, 3], True, [False, False, False]),
    ],
)
def test_samples_after_a_gap_are_alike_only_with_equal_neurons(
    positions: list[int], other: bool, alike: list[bool]
) -> None:
    prefixes = _two_alike(positions, other).completions.prefixes
    assert prefixes is not None
    first, second = np.split(prefixes, 2)
    assert (first == second).tolist() == alike and len(set(first)) == len(first)


def test_completions_are_compared_at_equal_positions(read: FolderSamples) -> None:
    table = read.samples.table
    # Of the one completion even tokens, of the other odd ones: there is nothing to compare.
    second = table["prompt_sample_idx"] == 1
    part = without(read, lambda table: table["token_position"] % 2 == second)
    both = without(read, lambda table: table["token_position"] % 2 == 0)
    means = [
        compare_prompts(each.samples, 0.05, 0, notes=Notes.of(each.samples)).within_by_token
        for each in (part, both)
    ]
    assert np.isnan(means[0]) and means[1] > 0


@pytest.mark.parametrize("column", ["output_id", "context_token_id"])
def test_the_loaded_models_own_vocabulary_counts(
    read: FolderSamples, tmp_path: Path, column: str
) -> None:
    table = read.samples.table.copy()
    table.loc[5, column] = 1 << 20
    changed = replace(read, samples=replace(read.samples, table=table))
    with pytest.raises(UserError, match=f"sample 5 has {column} 1048576; the model has 0 to"):
        next_token_run.look_inside(changed, encoder(read), "cpu", notes=Notes())
