"""A dataset as the statistics need it: rows by completion, labels as numbers, gaps named.

    samples = arrange(table, activations, geometry)
    samples.tokens("output")        # TokenLabels, or None where the table cannot tell
    samples.skipped                 # what cannot be computed -> why

Columns that a table may lack are made up for where others say the same; where they cannot be, what
depends on them is left out and named in `skipped`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gelu.neurons import Geometry
from gelu.packed import PackedActivations
from gelu.samples.completions import Completions
from gelu.samples.grouping import completion_groups

Role = Literal["output", "context"]
ROLES: tuple[Role, ...] = ("output", "context")
COLUMNS: Mapping[Role, tuple[str, str]] = {
    "output": ("output", "output_id"),
    "context": ("context_token", "context_token_id"),
}
# How many tokens before the one written the token stands that is just before that of a role.
BEFORE: Mapping[str, int] = {"output": 1, "context": 2, "previous": 3}


@dataclass(frozen=True)
class TokenLabels:
    """The token of each sample.

    codes: (n,), 0..T-1; texts: (T,), as decoded; ids: (T,) token ids, None where the table has none
    and tokens are told apart by their texts.
    """

    codes: NDArray[np.int64]
    texts: list[str]
    ids: list[int] | None

    def sizes(self) -> NDArray[np.int64]:
        """Return how many samples each token has, (T,)."""
        return np.bincount(self.codes, minlength=len(self.texts))


@dataclass(frozen=True)
class Samples:
    """The samples of one dataset, in the order of their completions.

    table: their rows; activations: a row each, in the same order; prompt_ids: (P,), the table's
    number of each prompt; skipped: what cannot be computed of them -> why.
    """

    table: pd.DataFrame
    activations: PackedActivations
    geometry: Geometry
    completions: Completions
    prompt_ids: NDArray[np.int64]
    skipped: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __len__(self) -> int:
        return len(self.table)

    def tokens(self, role: Role) -> TokenLabels | None:
        """Return each sample's token in that role, None where the table has none."""
        text_column, id_column = COLUMNS[role]
        if text_column not in self.table.columns:
            return None
        texts = self.table[text_column]
        if id_column not in self.table.columns:
            codes, distinct = pd.factorize(texts, sort=True)
            return TokenLabels(np.asarray(codes, np.int64), [str(text) for text in distinct], None)
        codes, ids = pd.factorize(self.table[id_column], sort=True)
        first = pd.Series(np.arange(len(self))).groupby(codes).first()
        return TokenLabels(
            np.asarray(codes, np.int64),
            [str(text) for text in texts.to_numpy()[first]],
            [int(token_id) for token_id in ids],
        )

    def passages(self, role: str) -> NDArray[np.int64]:
        """Return a number for each sample, equal for those of one prompt's text that have the same
        token just before that of the role, a key of `BEFORE`, (n,).

        What completions of a prompt write again, wherever in them, has a token and the one before
        it in common each time, and a neuron that reads a few tokens back does the same each time.
        A token of the prompt is told apart from others by its distance alone. In runs of one token
        this holds in any text, and only samples with the same prefix are equal.
        """
        column = "output_id" if "output_id" in self.table.columns else "output"
        outputs = np.asarray(pd.factorize(self.table[column])[0], np.int64)
        own, before = (self._earlier(outputs, BEFORE[role] - back) for back in (1, 0))
        texts = self.completions.unit_texts()[self.completions.of_samples()]
        prefixes = self.completions.prefixes
        alone = np.arange(len(self)) if prefixes is None else prefixes
        run = (own == before) & (own >= 0)
        pairs = np.stack([np.where(run, -1, texts), np.where(run, alone, before)])
        return np.asarray(np.unique(pairs, axis=1, return_inverse=True)[1].ravel(), np.int64)

    def _earlier(self, outputs: NDArray[np.int64], distance: int) -> NDArray[np.int64]:
        """Return the token so many before each output, (n,); below 0 where it is the prompt's, by
        its distance, or its row is missing."""
        positions = self.table["token_position"].to_numpy()
        rows = np.arange(len(self)) - distance
        known = self.completions.places() >= distance
        known &= positions[rows] == positions - distance
        return np.where(known, outputs[rows], np.minimum(positions, distance) - distance - 1)

    def positions(self) -> NDArray[np.int64] | None:
        """Return each sample's absolute position, (n,); None where the table has none."""
        if "absolute_position" not in self.table.columns:
            return None
        return self.table["absolute_position"].to_numpy(np.int64)

    def prompt_units(self) -> NDArray[np.int64]:
        """Return a number for each completion's prompt, 0..U-1 in order, (C,).

        Prompts of equal text are one; those without text are told apart by their number.
        """
        texts = self.prompt_texts()
        keys: list[str | int] = [text or prompt for prompt, text in enumerate(texts)]
        numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        return np.array([numbers[key] for key in keys], np.int64)[self.completions.prompts]

    def first_of_equal(self, completions: NDArray[np.int64], length: int) -> NDArray[np.int64]:
        """Return which of `completions` (c,) to keep, ascending, so that no two are the same.

        Two of one prompt that have the very same tokens before their last of `length` tokens have
        the very same activations up to there; the first of them is kept.
        """
        if self.completions.prefixes is None:
            return np.arange(len(completions))
        units = self.prompt_units()[completions]
        read = self.completions.prefixes[self.completions.starts()[completions] + length - 1]
        return np.sort(np.unique(np.stack([units, read]), axis=1, return_index=True)[1])

    def prompt_texts(self) -> list[str]:
        """Return each prompt's text, "" where the table has none, (P,)."""
        if "input_text" not in self.table.columns:
            return [""] * len(self.prompt_ids)
        numbers = self.completions.prompts_of_samples()
        first = np.unique(numbers, return_index=True)[1]
        return [str(text) for text in self.table["input_text"].to_numpy()[first]]


def arrange(
    table: pd.DataFrame,
    activations: PackedActivations,
    geometry: Geometry,
    left_out: Mapping[str, str] | None = None,
) -> Samples:
    """Return the samples in the order of their completions.

    table: a dataset's table as `gelu.artifacts.read_dataset` returns it, at least one row;
    activations: a row for each of its rows; left_out: what is not there of the files they are from
    -> why.
    """
    skipped: dict[str, str] = {}
    prompts, prompt_ids = _number_prompts(table, skipped)
    groups = completion_groups(table)
    order = np.lexsort((table["token_position"], groups, prompts))
    begins = np.flatnonzero(np.diff(groups[order], prepend=-1))
    lengths = np.diff(begins, append=len(order))
    table = table.iloc[order].reset_index(drop=True)
    texts = prompts[order]
    if "input_text" in table.columns:
        texts = np.asarray(pd.factorize(table["input_text"])[0], np.int64)
    taken = activations.taken(order)
    prefixes = _number_prefixes(table, texts, lengths, taken)
    completions = Completions(lengths, prompts[order][begins], prefixes, texts[begins])
    _name_missing_columns(table, skipped)
    return Samples(
        table,
        taken,
        geometry,
        completions,
        prompt_ids,
        MappingProxyType(skipped | dict(left_out or {})),
    )


def _number_prompts(
    table: pd.DataFrame, skipped: dict[str, str]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return each row's prompt 0..P-1, and the numbers that stand for these in tables."""
    if "prompt_idx" in table.columns:
        codes, ids = pd.factorize(table["prompt_idx"], sort=True)
        return np.asarray(codes, np.int64), np.asarray(ids, np.int64)
    if "input_text" in table.columns:
        skipped["rows of the prompts CSV with equal text"] = (
            "the dataset CSV has no column prompt_idx; equal texts count as one prompt"
        )
        codes, texts = pd.factorize(table["input_text"])
        return np.asarray(codes, np.int64), np.arange(len(texts))
    skipped["prompts"] = (
        "the dataset CSV has neither prompt_idx nor input_text; all samples count as one prompt"
    )
    return np.zeros(len(table), np.int64), np.zeros(1, np.int64)


def _number_prefixes(
    table: pd.DataFrame,
    texts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    activations: PackedActivations,
) -> NDArray[np.int64]:
    """Return a number for each sample, equal where prompt and tokens so far are, (n,).

    texts: (n,), a number for each sample's prompt's text; activations: (n, neurons). After rows
    that are missing, not all tokens so far are known: there the known ones must be equal, at equal
    positions, and the active neurons, too, which hardly ever are after other tokens.
    """
    column = "output_id" if "output_id" in table.columns else "output"
    outputs = pd.factorize(table[column])[0].astype(np.int64)
    starts = lengths.cumsum() - lengths
    positions = table["token_position"].to_numpy()
    distinct, codes = np.unique(positions, return_inverse=True)
    prefixes = np.empty(len(table), np.int64)
    current, n_numbers = texts[starts], 0
    for place in range(int(lengths.max())):
        there = np.flatnonzero(lengths > place)
        if place:
            before = outputs[starts[there] + place - 1]
            current = current[lengths[lengths >= place] > place] * (outputs.max() + 1) + before
        current = np.unique(current, return_inverse=True)[1]
        current = current * len(distinct) + codes[starts[there] + place]
        current = np.unique(current, return_inverse=True)[1]
        prefixes[starts[there] + place] = n_numbers + current
        n_numbers += int(current.max()) + 1
    after_gap = np.flatnonzero(positions != np.arange(len(table)) - np.repeat(starts, lengths))
    if len(after_gap):
        bits = (activations.bits[row].tobytes() for row in after_gap)
        active = b"".join(hashlib.blake2b(row, digest_size=8).digest() for row in bits)
        keys = np.stack([prefixes[after_gap], np.frombuffer(active, np.int64)], axis=1)
        numbers = np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)
        prefixes[after_gap] = n_numbers + numbers
    return prefixes


def _name_missing_columns(table: pd.DataFrame, skipped: dict[str, str]) -> None:
    for role, (text, number) in COLUMNS.items():
        if text not in table.columns:
            skipped[f"{role} tokens"] = f"the dataset CSV has no column {text}"
        elif number not in table.columns:
            skipped[f"ids of {role} tokens"] = (
                f"the dataset CSV has no column {number}; tokens are told apart by their texts"
            )
    if "absolute_position" not in table.columns:
        skipped["positions"] = "the dataset CSV has no column absolute_position"
