"""Bit-packed activations against the bool matrix they stand for."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gelu.packed import PackedActivations

matrices = st.tuples(st.integers(0, 12), st.integers(1, 40), st.integers(0, 2**32 - 1)).map(
    lambda shape: np.random.default_rng(shape[2]).random(shape[:2]) < 0.4
)


@given(matrices, st.integers(1, 200))
def test_counts_and_rows(matrix: np.ndarray[Any, np.dtype[np.bool_]], block_bytes: int) -> None:
    packed = PackedActivations.from_bool(matrix)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gelu.packed.BLOCK_BYTES", block_bytes)
        assert packed.counts().tolist() == matrix.sum(axis=0).tolist()
        assert packed.layer_counts(1)[:, 0].tolist() == matrix.sum(axis=1).tolist()
        blocks = list(packed.blocks())
    pieced = np.zeros_like(matrix)
    for start, block in blocks:
        pieced[start : start + len(block)] |= block
    assert np.array_equal(pieced, matrix) and sum(len(block) for _, block in blocks) == len(matrix)
    rows = [np.flatnonzero(row).tolist() for row in matrix]
    assert np.array_equal(PackedActivations.from_ids(rows, matrix.shape[1]).bits, packed.bits)


def test_layers_that_end_within_a_byte() -> None:
    matrix = np.array([[1, 1, 1, 0, 0, 1], [0, 0, 0, 1, 1, 1]], bool)
    assert PackedActivations.from_bool(matrix).layer_counts(2).tolist() == [[3, 1], [0, 3]]


def test_rows_by_number() -> None:
    matrix = np.eye(5, 11, dtype=bool)
    assert np.array_equal(PackedActivations.from_bool(matrix).rows([4, 0]), matrix[[4, 0]])


def test_rows_taken_are_copied_only_where_they_are_others() -> None:
    active = np.random.default_rng(0).random((6, 11)) < 0.5
    packed = PackedActivations.from_bool(active)
    assert packed.taken(np.arange(6)) is packed
    for rows in ([5, 0, 0, 2], [0, 1, 2], [1, 0, 2, 3, 4, 5], []):
        taken = packed.taken(np.array(rows, np.int64))
        np.testing.assert_array_equal(taken.rows(slice(None)), active[rows])
        assert not np.shares_memory(taken.bits, packed.bits)


def test_bits_that_do_not_fit_and_ids_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        PackedActivations(np.zeros((2, 3), np.uint8), 10)
    with pytest.raises(IndexError):
        PackedActivations.from_ids([[10]], 10)
