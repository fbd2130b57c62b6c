"""Results as the plain values that JSON has.

plain(np.float32("nan"))            # None: NaN is no JSON
records(table)                      # a dict for each row
"""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

Plain = bool | int | float | str | None


def plain(value: Any) -> Plain:
    """Return a number, a truth value or a text as JSON has it, None for a missing one.

    Missing are None, `pandas.NA`, and floats that are not finite. Raises `TypeError` for what is
    no such value.
    """
    import pandas as pd

    if value is None or value is pd.NA:
        return None
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, str):
        return str(value)
    raise TypeError(f"a {type(value).__name__} is no number, truth value or text")


def records(table: "pd.DataFrame") -> list[dict[str, Plain]]:
    """Return each row as a dict of plain values by column."""
    return [
        {str(name): plain(value) for name, value in row.items()}
        for row in table.to_dict(orient="records")
    ]
