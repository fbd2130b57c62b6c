"""Sets of active neurons, one bit each.

    activations = PackedActivations.from_bool(matrix)       # (n, n_neurons) bool
    for first_row, block in activations.blocks():           # small bool blocks, one after another
        ...

A million samples of gpt2 are 4.6 GB this way, an eighth of a bool matrix. Whatever needs counts
unpacks a block of rows and lets it go, so memory does not grow with the samples.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BLOCK_BYTES = 1 << 25


def rows_in_block(n_neurons: int) -> int:
    """Return how many rows of a bool matrix (rows, n_neurons) to hold at a time, at least 1."""
    return max(1, BLOCK_BYTES // max(1, n_neurons))


@dataclass(frozen=True)
class PackedActivations:
    """bits: (n, ceil(n_neurons / 8)) uint8, row-wise `np.packbits` of value > 0."""

    bits: NDArray[np.uint8]
    n_neurons: int

    def __post_init__(self) -> None:
        expected = (self.n_neurons + 7) // 8
        if self.bits.ndim != 2 or self.bits.shape[1] != expected:
            raise ValueError(f"bits have shape {self.bits.shape}, (n, {expected}) needed")

    @classmethod
    def from_bool(cls, matrix: NDArray[np.bool_]) -> "PackedActivations":
        """Pack a (n, n_neurons) bool matrix."""
        return cls(np.packbits(matrix, axis=1), matrix.shape[1])

    @classmethod
    def from_ids(
        cls, rows: Sequence[Sequence[int] | NDArray[np.int64]], n_neurons: int
    ) -> "PackedActivations":
        """Pack one list of neuron ids per sample. Raises `IndexError` for an id out of range."""
        bits = np.zeros((len(rows), (n_neurons + 7) // 8), np.uint8)
        for row, ids in enumerate(rows):
            active = np.zeros(n_neurons, bool)
            active[np.asarray(ids, dtype=np.int64)] = True
            bits[row] = np.packbits(active)
        return cls(bits, n_neurons)

    def __len__(self) -> int:
        return len(self.bits)

    def rows(self, index: slice | Sequence[int] | NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return these rows as a bool matrix (rows, n_neurons)."""
        unpacked = np.unpackbits(self.bits[index], axis=1, count=self.n_neurons)
        return unpacked.view(np.bool_)

    def taken(self, rows: NDArray[np.int64]) -> "PackedActivations":
        """Return these rows alone, (m,), in this order; all rows in place share the memory."""
        if np.array_equal(rows, np.arange(len(self))):
            return self
        return PackedActivations(self.bits[rows], self.n_neurons)

    def columns(
        self, neurons: NDArray[np.int64], rows: NDArray[np.int64] | None = None
    ) -> NDArray[np.bool_]:
        """Return in which samples each of the neurons is active, (n, len(neurons)).

        rows: which samples, in which order; None for all.
        """
        of_neurons = neurons >> 3
        taken = self.bits[:, of_neurons] if rows is None else self.bits[rows[:, None], of_neurons]
        shift = (7 - (neurons & 7)).astype(np.uint8)
        return ((taken >> shift) & 1).view(np.bool_)

    def blocks(self) -> Iterator[tuple[int, NDArray[np.bool_]]]:
        """Yield (first row, bool block) over all rows, a block at most 32 MB."""
        step = rows_in_block(self.n_neurons)
        for start in range(0, len(self), step):
            yield start, self.rows(slice(start, start + step))

    def neuron_blocks(self) -> Iterator[tuple[int, NDArray[np.bool_]]]:
        """Yield (first neuron, bool block of all rows) over all neurons, a block at most 32 MB.

        A block has a multiple of 8 neurons, at least 8, but for the last one.
        """
        step = max(1, BLOCK_BYTES // (8 * max(1, len(self))))
        step = min(step, 64)  # wider ones fall out of the processor's caches
        for start in range(0, self.bits.shape[1], step):
            columns = self.bits[:, start : start + step]
            width = min(8 * columns.shape[1], self.n_neurons - 8 * start)
            yield 8 * start, np.unpackbits(columns, axis=1, count=width).view(np.bool_)

    def counts(self) -> NDArray[np.int64]:
        """Return in how many samples each neuron is active, (n_neurons,)."""
        total = np.zeros(self.n_neurons, np.int64)
        for _, block in self.blocks():
            total += block.sum(axis=0, dtype=np.int64)
        return total

    def layer_counts(self, n_layer: int) -> NDArray[np.int64]:
        """Return how many neurons of each layer are active in each sample, (n, n_layer)."""
        result = np.empty((len(self), n_layer), np.int64)
        for start, block in self.blocks():
            per_layer = block.reshape(len(block), n_layer, -1)
            result[start : start + len(block)] = per_layer.sum(axis=2)
        return result
