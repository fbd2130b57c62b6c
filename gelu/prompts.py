"""The prompts CSV: `prompts,number_of_new_tokens,num_samples`.

    rows = parse_prompts(read_text(path), path)
    prompts = encode_prompts(rows, tokenizer, geometry, path)

Whatever is wrong with the file is a `UserError` that names the file, the row and its line.
"""

import csv
import io
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gelu.cli import UserError
from gelu.models import Geometry, encode_text

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
    records = _records(text, path)
    header = next(records, (1, []))[1]
    columns = [name.strip() for name in header]
    for name in (PROMPT, NEW_TOKENS):
        if name not in columns:
            raise UserError(
                f"{path}, row 1: the column {name} is missing; the header must be "
                f"{PROMPT},{NEW_TOKENS},{SAMPLES}"
            )
    rows = [
        _parse_row(dict(zip(columns, fields, strict=True)), f"{path}, row {row} (line {line})")
        for row, (line, fields) in enumerate(_whole_records(records, len(columns), path), start=1)
    ]
    if not rows:
        raise UserError(f"{path}: no rows below the header; add at least one prompt")
    return rows


def _records(text: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield (line the record starts in, its fields), blank lines left out."""
    # A cell may be longer than csv's default of 131,072 characters.
    csv.field_size_limit(sys.maxsize)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    first_line = 1
    while True:
        try:
            fields = next(reader, None)
        except csv.Error as error:
            raise UserError(f"{path}, line {first_line}: not CSV ({error})") from None
        if fields is None:
            return
        if fields:
            yield first_line, fields
        first_line = reader.line_num + 1


def _whole_records(
    records: Iterator[tuple[int, list[str]]], n_columns: int, path: Path
) -> Iterator[tuple[int, list[str]]]:
    for row, (line, fields) in enumerate(records, start=1):
        if len(fields) != n_columns:
            raise UserError(
                f"{path}, row {row} (line {line}): {len(fields)} fields where the header has "
                f"{n_columns}; a prompt with commas needs double quotes around it"
            )
        yield line, fields


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
        raise UserError(f"{place}: {column} is {text!r}; a whole number of 1 or more is needed")
    return int(match[1])


def encode_prompts(rows: list[PromptRow], tokenizer: Any, geometry: Geometry) -> list[Prompt]:
    """Return the rows with their tokens. Raises `UserError` for one that does not fit the model."""
    prompts = []
    for row in rows:
        token_ids = encode_text(tokenizer, row.text, geometry, row.place)
        n_all = len(token_ids) + row.n_new
        if n_all > geometry.n_positions:
            raise UserError(
                f"{row.place}: the prompt's {len(token_ids)} tokens and {row.n_new} new ones are "
                f"{n_all}; the model has {geometry.n_positions} positions"
            )
        prompts.append(Prompt(row.text, token_ids, row.n_new, row.n_samples))
    return prompts
