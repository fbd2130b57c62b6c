"""A table and an activations file that belong together, partly do, or do not."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gelu.errors import UserError
from gelu.neurons import Geometry
from gelu.packed import PackedActivations
from gelu.samples.matching import check_counts, match_samples

GEOMETRY = Geometry(2, 4, 5, 64)
FILE = Path("m_activations.npz")
CSV = Path("m_dataset.csv")


def table(ids: list[int], **columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"sample_id": ids} | columns)


def packed(ids: list[int]) -> PackedActivations:
    """Return a row for each id, in which the neurons say which id it is."""
    return PackedActivations.from_bool(np.array(ids)[:, None] >> np.arange(10) & 1 == 1)


def ids_of(activations: PackedActivations) -> list[int]:
    return (activations.rows(slice(None)) @ (1 << np.arange(10))).tolist()


some_ids = st.lists(st.integers(0, 30), min_size=1, max_size=20, unique=True)


@given(some_ids, some_ids)
def test_the_rows_that_both_have_in_the_tables_order(wanted: list[int], there: list[int]) -> None:
    shared = [sample for sample in wanted if sample in there]
    rows = table(wanted, output=[f"o{sample}" for sample in wanted])
    if not shared:
        with pytest.raises(UserError, match=r"none of the samples of m_dataset\.csv"):
            match_samples(rows, CSV, there, packed(there), FILE)
        return
    matched = match_samples(rows, CSV, there, packed(there), FILE)
    assert matched.table["sample_id"].tolist() == ids_of(matched.activations) == shared
    assert matched.table["output"].tolist() == [f"o{sample}" for sample in shared]
    assert matched.table.index.tolist() == list(range(len(shared)))
    missing, extra = len(wanted) - len(shared), len(there) - len(shared)
    expected = {
        name: f"{count} left out"
        for name, count in [
            ("samples without activations", missing),
            ("activations without a row in the dataset CSV", extra),
        ]
        if count
    }
    assert {name: text.partition(":")[0] for name, text in matched.left_out.items()} == expected


def test_rows_in_place_are_not_copied() -> None:
    activations = packed([3, 5, 4])
    matched = match_samples(table([3, 5, 4]), CSV, [3, 5, 4], activations, FILE)
    assert matched.activations.bits is activations.bits and matched.left_out == {}


def test_what_is_left_out_is_named_up_to_five() -> None:
    matched = match_samples(
        table(list(range(10))), CSV, [20, 8, 9, 21], packed([20, 8, 9, 21]), FILE
    )
    assert matched.left_out == {
        "samples without activations": "8 left out: sample 0, 1, 2, 3, 4 and 3 more",
        "activations without a row in the dataset CSV": "2 left out: sample 20, 21",
    }


@pytest.mark.parametrize("there", [[], [7]])
def test_files_that_share_no_sample_are_refused(there: list[int]) -> None:
    activations = PackedActivations(np.zeros((len(there), 2), np.uint8), 10)
    with pytest.raises(UserError, match="are they of one run"):
        match_samples(table([1, 2]), CSV, there, activations, FILE)


def test_counts_that_agree_pass() -> None:
    ids = [0b1100001, 0b11]
    counts = {"layer_0_num_active_neurons": [1, 2], "layer_1_num_active_neurons": [2, 0]}
    check_counts(table(ids, **counts), CSV, packed(ids), GEOMETRY, FILE)


def test_counts_that_disagree_are_refused_by_sample_and_layer() -> None:
    ids = [0b1100001, 0b11]
    counts = {"layer_0_num_active_neurons": [1, 2], "layer_1_num_active_neurons": [2, 1]}
    told = r"m_activations.npz: sample 3 has 0 active neurons in layer 1, m_dataset.csv says 1"
    with pytest.raises(UserError, match=told):
        check_counts(table(ids, **counts), CSV, packed(ids), GEOMETRY, FILE)


def test_a_table_without_counts_says_nothing_and_one_with_some_is_compared() -> None:
    check_counts(table([1]), CSV, packed([1]), GEOMETRY, FILE)
    check_counts(table([1], layer_1_num_active_neurons=[0]), CSV, packed([1]), GEOMETRY, FILE)
    with pytest.raises(UserError, match=r"1 active neurons in layer 0, m_dataset\.csv says 5"):
        check_counts(table([1], layer_0_num_active_neurons=[5]), CSV, packed([1]), GEOMETRY, FILE)


def test_a_table_of_a_model_with_more_layers_is_refused() -> None:
    with pytest.raises(UserError, match="of layer 2: they are of two models"):
        check_counts(table([1], layer_2_num_active_neurons=[0]), CSV, packed([1]), GEOMETRY, FILE)
