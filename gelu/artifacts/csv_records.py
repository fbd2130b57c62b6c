"""CSV record by record, strictly, with the place of each: for messages that name it.

records = csv_records(text, path)
header = next(records)                      # Record(line=1, fields=["prompts", ...])
for place, fields in whole_records(records, len(header.fields), path): ...
"""

import csv
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from gelu.errors import UserError


class Record(NamedTuple):
    """The line a record starts in, from 1, and its fields."""

    line: int
    fields: list[str]


def csv_records(text: str, path: Path) -> Iterator[Record]:
    """Yield the records of a CSV's text, blank lines left out. Raises `UserError` naming a line."""
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
            yield Record(first_line, fields)
        first_line = reader.line_num + 1


def whole_records(
    records: Iterator[Record], n_columns: int, path: Path
) -> Iterator[tuple[str, list[str]]]:
    """Yield (place, fields) of the records below a header.

    Raises `UserError` where one has other than `n_columns` fields.
    """
    for row, (line, fields) in enumerate(records, start=1):
        place = f"{path}, row {row} (line {line})"
        if len(fields) != n_columns:
            raise UserError(
                f"{place}: {len(fields)} fields where the header has {n_columns}; a text with "
                "commas needs double quotes around it"
            )
        yield place, fields
