"""Texts that a spreadsheet would run as formulas, made plain text on request, and back again.

A spreadsheet takes a cell that begins with one of `FORMULA_STARTS` for a formula, quoted or not,
and tokens begin with anything. `make_csv_safe` puts an apostrophe before such texts, and before
those that begin with an apostrophe, so that `undo_csv_safe` gives back every text exactly. A
further last column, `csv_safe`, says that this was done. Numbers stay as they are.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from gelu.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

MARK = "csv_safe"
GUARD = "'"
# The signs as such, and in the full width that spreadsheets in East Asian languages take as well.
FORMULA_STARTS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"


def make_csv_safe(table: "pd.DataFrame") -> "pd.DataFrame":
    """Return the table with its texts guarded, and the column that says so."""
    texts = _text_columns(table)
    guarded = {name: _guarded(table[name]) for name in texts}
    return table.assign(**guarded, **{MARK: 1})


def undo_csv_safe(table: "pd.DataFrame", path: Path) -> "pd.DataFrame":
    """Return a table that was read with its texts as they were, and without the column.

    Raises `UserError` for a text that `make_csv_safe` cannot have written.
    """
    if MARK not in table.columns:
        return table
    if len(table) and not (table[MARK].dtype.kind == "i" and (table[MARK] == 1).all()):
        raise UserError(f"{path}: the column {MARK} is not 1 in every row")
    texts = {}
    for name in _text_columns(table):
        column = table[name].astype(object)
        wrong = _begins(column, FORMULA_STARTS).to_numpy()
        if wrong.any():
            raise UserError(
                f"{path}, row {int(wrong.argmax()) + 1}: {name} lacks the apostrophe that the "
                f"column {MARK} promises"
            )
        guarded = _begins(column, GUARD)
        column[guarded] = column[guarded].map(lambda text: text[1:])
        texts[name] = column.astype(table[name].dtype)
    return table.assign(**texts).drop(columns=MARK)


def _text_columns(table: "pd.DataFrame") -> list[str]:
    import pandas as pd

    return [name for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]


def _guarded(column: "pd.Series[str]") -> "pd.Series[str]":
    column = column.astype(object)
    guarded = _begins(column, FORMULA_STARTS + GUARD)
    column[guarded] = GUARD + column[guarded]  # a missing text stays missing
    return column


def _begins(column: "pd.Series[str]", signs: str) -> "pd.Series[bool]":
    # A damaged column of numbers is neither numeric nor text.
    return column.map(lambda cell: isinstance(cell, str) and cell[:1] in {*signs}).astype(bool)
