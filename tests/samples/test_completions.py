"""The text written before a sample, from a table's rows."""

import pandas as pd

from gelu.samples.grouping import GAP, completions_so_far


def table(**columns: object) -> pd.DataFrame:
    """Two prompt rows with one text, two tokens a completion; the second has two completions."""
    return pd.DataFrame(
        {
            "sample_id": range(6),
            "prompt_sample_idx": [0, 0, 0, 0, 1, 1],
            "token_position": [0, 1, 0, 1, 0, 1],
            "input_text": "same",
            "output": list("abcdef"),
        }
        | columns
    )


def test_the_completion_is_the_outputs_before_in_order() -> None:
    rows = table(prompt_idx=[0, 0, 1, 1, 1, 1])
    assert completions_so_far(rows, list(range(6))) == ["", "a", "", "c", "", "e"]


def test_rows_need_not_be_in_order() -> None:
    rows = table(prompt_idx=0, prompt_sample_idx=0, token_position=range(6))
    assert completions_so_far(rows.iloc[::-1], [5, 0]) == ["abcde", ""]


def test_without_prompt_idx_a_new_completion_begins_where_the_position_falls_back() -> None:
    assert completions_so_far(table(), list(range(6))) == ["", "a", "", "c", "", "e"]
    assert completions_so_far(table().iloc[[3, 1, 0, 2, 5, 4]], [3, 5]) == ["c", "e"]


def test_without_prompt_idx_another_text_is_another_completion() -> None:
    rows = table(input_text=list("xxyyzz"), prompt_sample_idx=0, token_position=range(6))
    # Positions count on, so that the second and the third lack their beginnings.
    assert completions_so_far(rows, [1, 3, 5]) == ["a", f"{GAP}c", f"{GAP}e"]
