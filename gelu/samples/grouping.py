"""What had been written before each sample. A table in, texts out."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

GAP = "[…]"  # in a text, tokens whose rows the table lacks


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
    """Return, for each sample, the tokens of its completion before it, in order, joined.

    table: a dataset's table as `gelu.artifacts.read_dataset` returns it. Where tokens are unknown,
    because the table lacks rows, `GAP` stands. Raises `KeyError` for an unknown sample.
    """
    row_of = pd.Series(np.arange(len(table)), index=table["sample_id"])
    groups, positions = completion_groups(table), table["token_position"].to_numpy()
    texts = []
    for sample_id in sample_ids:
        row = row_of[sample_id]
        rows = np.flatnonzero((groups == groups[row]) & (positions <= positions[row]))
        texts.append(written_text(table.iloc[rows], 0, int(positions[row])))
    return texts


def written_text(table: pd.DataFrame, first: int, stop: int) -> str:
    """Return a completion's tokens at the positions first..stop-1, joined.

    table: rows of one completion, any of them, in any order. A token is known by its own row, or by
    the row after it, of which it is the context; `GAP` stands for tokens that are not known.
    """
    positions = table["token_position"].to_numpy()
    texts: dict[int, str] = {}
    if "context_token" in table.columns:
        texts.update(zip((positions - 1).tolist(), table["context_token"], strict=True))
    texts.update(zip(positions.tolist(), table["output"], strict=True))
    known = sorted(position for position in texts if first <= position < stop)
    parts, expected = [], first
    for position in known:
        parts.append(("" if position == expected else GAP) + texts[position])
        expected = position + 1
    return "".join(parts) + ("" if expected >= stop else GAP)
