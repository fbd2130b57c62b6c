"""Plain values of results: what JSON has, and null for what is missing."""

import json

import numpy as np
import pandas as pd
import pytest

from gelu.artifacts.plain import plain, records


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.bool_(True), True),
        (np.int64(2**62), 2**62),
        (np.float32(0.5), 0.5),
        (np.float64(0.1), 0.1),
        (np.str_("a"), "a"),
        (7, 7),
        ("é", "é"),
        *[(missing, None) for missing in (None, pd.NA, np.nan, float("inf"), np.float32(-np.inf))],
    ],
)
def test_values_become_those_of_json(value: object, expected: object) -> None:
    found = plain(value)
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize("value", [[1], 1j, np.arange(2), np.datetime64("2020-01-01"), b"a"])
def test_what_is_no_plain_value_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="is no number, truth value or text"):
        plain(value)


def test_a_table_becomes_a_dict_for_each_row() -> None:
    table = pd.DataFrame(
        {
            "n": np.array([1, 2], np.uint8),
            "id": pd.array([None, 3], "Int64"),
            "share": [np.nan, 0.25],
            "text": ["a", None],
        }
    )
    found = records(table)
    assert found == [
        {"n": 1, "id": None, "share": None, "text": "a"},
        {"n": 2, "id": 3, "share": 0.25, "text": None},
    ]
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert records(table.iloc[:0]) == []
