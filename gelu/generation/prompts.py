"""The prompts CSV: `prompts,number_of_new_tokens,num_samples`.

    rows = parse_prompts(read_text(path), path)
    prompts = encode_prompts(rows, tokenizer, geometry)

Whatever is wrong with the file is a `UserError` that names the file, the row and its line.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gelu.artifacts.csv_records import Record, csv_records, whole_records
from gelu.errors import UserError
from gelu.model.chat import ChatTemplate
from gelu.model.tokenizer import encode_text
from gelu.neurons import Geometry

SHOWN = 60
PROMPT, NEW_TOKENS, SAMPLES = "prompts", "number_of_new_tokens", "num_samples"


@dataclass(frozen=True)
class PromptRow:
    """One row of the CSV; `place` says where it stands, for messages."""

    text: str
    n_new: int
    n_samples: int
    place: str


@dataclass(frozen=True)
class Prompt:
    """One prompt as the model reads it: its text, its tokens, how much to write and how often."""

    text: str
    token_ids: tuple[int, ...]
    n_new: int
    n_samples: int


def parse_prompts(text: str, path: Path) -> list[PromptRow]:
    """Return the rows of a prompts CSV. `num_samples` may be missing or empty, which means 1.

    Blank lines are skipped and further columns ignored. Raises `UserError` for anything else.
    """
    records = csv_records(text, path)
    columns = [name.strip() for name in next(records, Record(1, [])).fields]
    for name in (PROMPT, NEW_TOKENS):
        if name not in columns:
            raise UserError(
                f"{path}, row 1: the column {name} is missing; the header must be "
                f"{PROMPT},{NEW_TOKENS},{SAMPLES}"
            )
    for name in (PROMPT, NEW_TOKENS, SAMPLES):
        if columns.count(name) > 1:
            raise UserError(f"{path}, line 1: the column {name} stands there more than once")
    rows = [
        _parse_row(dict(zip(columns, fields, strict=True)), place)
        for place, fields in whole_records(records, len(columns), path)
    ]
    if not rows:
        raise UserError(f"{path}: no rows below the header; add at least one prompt")
    return rows


def _parse_row(fields: dict[str, str], place: str) -> PromptRow:
    if fields[PROMPT] == "":
        raise UserError(f"{place}: the prompt is empty; give at least one character")
    n_samples = _count(fields[SAMPLES], SAMPLES, place) if fields.get(SAMPLES, "").strip() else 1
    return PromptRow(
        fields[PROMPT], _count(fields[NEW_TOKENS], NEW_TOKENS, place), n_samples, place
    )


def _count(text: str, column: str, place: str) -> int:
    # `5.0` is how pandas writes a whole number of a column that has gaps.
    match = re.fullmatch(r"\+?([0-9]{1,15})(\.0*)?", text.strip())
    if match is None or int(match[1]) == 0:
        raise UserError(
            f"{place}: {column} is {ascii(text)[:SHOWN]}; a whole number of 1 or more is needed"
        )
    return int(match[1])


def encode_prompts(
    rows: list[PromptRow], tokenizer: Any, geometry: Geometry, chat: ChatTemplate | None = None
) -> list[Prompt]:
    """Return the rows with their tokens. Raises `UserError` for one that does not fit the model.

    chat: each prompt is a user's message in it.
    """
    return [
        Prompt(
            row.text,
            encode_text(tokenizer, row.text, geometry, row.place, row.n_new, chat),
            row.n_new,
            row.n_samples,
        )
        for row in rows
    ]
