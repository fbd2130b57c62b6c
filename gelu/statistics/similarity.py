"""How alike sets of active neurons are: Jaccard indices of all pairs.

    sets = completion_sets(activations, completions)      # a row a completion
    overlap = pairwise_overlap(sets)
    overlap.jaccard()                                     # (rows, rows)

The Jaccard index of two sets is the size of their intersection over that of their union (Jaccard
1901); of two empty sets it is 1: they are equal.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gelu.packed import PackedActivations

MOST_ORDERED = 1_000


@dataclass(frozen=True)
class Overlap:
    """Neurons shared by each pair of sets and by either of them, both (rows, rows) int64."""

    intersection: NDArray[np.int64]
    union: NDArray[np.int64]

    def jaccard(self) -> NDArray[np.float64]:
        """Return the Jaccard index of each pair, (rows, rows)."""
        return np.where(self.union == 0, 1.0, self.intersection / np.maximum(self.union, 1))


def completion_sets(
    activations: PackedActivations, completions: NDArray[np.int64]
) -> PackedActivations:
    """Return for each completion the neurons active at one of its tokens at least.

    completions: (n,), each sample's completion 0..C-1, every one of them there. A row of the result
    is a completion.
    """
    order = np.argsort(completions, kind="stable")
    starts = np.flatnonzero(np.diff(completions[order], prepend=-1))
    sets = np.empty((len(starts), activations.bits.shape[1]), np.uint8)
    for row, rows in enumerate(np.split(order, starts[1:])):
        sets[row] = np.bitwise_or.reduce(activations.bits[rows], axis=0)
    return PackedActivations(sets, activations.n_neurons)


def pairwise_overlap(sets: PackedActivations) -> Overlap:
    """Return how many neurons each pair of rows shares and has in all."""
    n_rows = len(sets)
    intersection = np.zeros((n_rows, n_rows), np.int64)
    for _, block in sets.neuron_blocks():
        active = block.astype(np.float32)
        # Exact: a block has far fewer neurons than float32's 2**24.
        intersection += (active @ active.T).astype(np.int64)
    sizes = intersection.diagonal()
    return Overlap(intersection, sizes[:, None] + sizes[None, :] - intersection)


def cluster_order(similarity: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the order in which like rows of a symmetric matrix (n, n) stand together, (n,).

    The leaves of a hierarchical clustering by average linkage (Sokal and Michener 1958) of 1 -
    similarity, ordered so that neighbours are as alike as the tree allows (Bar-Joseph et al. 2001,
    *Bioinformatics* 17); beyond `MOST_ORDERED` rows that would take minutes, and the tree's own
    order stays. The diagonal is not read. Raises `ValueError` for NaN off it.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage

    n = len(similarity)
    if n < 3:
        return np.arange(n)
    distances = 1 - similarity[np.triu_indices(n, 1)]
    tree = linkage(distances, "average", optimal_ordering=n <= MOST_ORDERED)
    return leaves_list(tree).astype(np.int64)
