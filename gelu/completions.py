"""What had been written before each sample. A table in, texts out."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gelu.cli import UserError


def completion_groups(table: pd.DataFrame) -> NDArray[np.int64]:
    """Return a number for each row that is the same for all rows of one completion.

    A completion is a prompt row's (`prompt_idx`) completion number (`prompt_sample_idx`). Without
    `prompt_idx` two rows with the same text could not be told apart; there a new completion begins
    where, in order of sample_id, text or number change or token_position does not grow.
    """
    if "prompt_idx" in table.columns:
        keys = ["prompt_idx", "prompt_sample_idx"]
        return np.asarray(table.groupby(keys, sort=False).ngroup(), np.int64)
    ordered = table.sort_values("sample_id", kind="stable")
    begins = np.array(ordered["token_position"].diff() <= 0)
    for column in {"input_text", "prompt_sample_idx"} & set(table.columns):
        values = ordered[column].to_numpy()
        begins[1:] |= values[1:] != values[:-1]
    groups = pd.Series(begins.cumsum(), index=ordered.index)
    return np.asarray(groups.loc[table.index], np.int64)


def completions_so_far(table: pd.DataFrame, sample_ids: list[int]) -> list[str]:
    """Return, for each sample, the outputs of its completion before it, in order, joined.

    table: a dataset's table with unique sample_id. Raises `UserError` where token_position or
    prompt_sample_idx are no whole numbers, `KeyError` for an unknown sample.
    """
    for column in ("token_position", "prompt_sample_idx"):
        if table[column].dtype.kind not in "iu":
            raise UserError(f"dataset CSV: the column {column} holds more than whole numbers")
    row_of = pd.Series(np.arange(len(table)), index=table["sample_id"])
    groups, positions = completion_groups(table), table["token_position"].to_numpy()
    outputs = table["output"].to_numpy()
    texts = []
    for sample_id in sample_ids:
        row = row_of[sample_id]
        before = np.flatnonzero((groups == groups[row]) & (positions < positions[row]))
        in_order = before[np.argsort(positions[before], kind="stable")]
        texts.append("".join(outputs[in_order]))
    return texts
