"""Other ways to find groups of neurons that fire together, for `patterns.py` to compare.

Each takes samples x neurons (bool), how many groups to find and a seed, and returns the groups.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Groups = list[NDArray[np.int64]]
LEAST = 3


def nmf(active: NDArray[np.bool_], most: int, seed: int, cut: float = 0.5) -> Groups:
    """Non-negative factorisation (Lee and Seung 1999; scikit-learn's coordinate descent).

    A factor's neurons are those with `cut` of its largest loading or more.
    """
    from sklearn.decomposition import NMF

    model = NMF(most, init="random", random_state=seed, max_iter=300, tol=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it stopped before it converged
        model.fit(active.astype(np.float32))
    loadings = model.components_
    groups = [np.flatnonzero(row >= cut * row.max()) for row in loadings if row.max() > 0]
    return [group for group in groups if len(group) >= LEAST]


def asso(active: NDArray[np.bool_], most: int, seed: int) -> Groups:
    """ASSO (Miettinen et al. 2008): confidence rows cut at a height, chosen greedily by cover.

    Weights 1 for active and for silent cells; of five heights the one that covers most.
    """
    x = active.astype(np.float32)
    confidence = (x.T @ x) / np.maximum(x.sum(axis=0), 1)[:, None]
    best: tuple[float, Groups] = (-1.0, [])
    for height in (0.3, 0.4, 0.5, 0.6, 0.7):
        best = max(best, _asso_at(x, confidence >= height, most), key=lambda result: result[0])
    return best[1]


def _asso_at(x: Any, candidates: Any, most: int) -> tuple[float, Groups]:
    candidates = np.unique(candidates[candidates.sum(axis=1) >= LEAST], axis=0)
    worth, total = np.where(x > 0, 1.0, -1.0).astype(np.float32), 0.0
    groups: Groups = []
    while len(candidates) and len(groups) < most:
        gains = np.maximum(worth @ candidates.T.astype(np.float32), 0)
        best = int(gains.sum(axis=0).argmax())
        if gains[:, best].sum() <= 0:
            break
        total += float(gains[:, best].sum())
        worth[np.ix_(gains[:, best] > 0, candidates[best])] = 0
        groups.append(np.flatnonzero(candidates[best]))
    return total, groups


def grecond(active: NDArray[np.bool_], most: int, seed: int) -> Groups:
    """GreConD (Belohlavek and Vychodil 2010): closed frequent itemsets, greedily by new cells.

    A factor is a formal concept: a closed itemset with all samples that have every item.
    """
    x = active.astype(np.float32)
    left = x.copy()
    groups: Groups = []
    for _ in range(5 * most):  # a factor of one or two neurons explains cells, but is no group
        rows, items = _concept(x, left)
        left[np.ix_(rows, items)] = 0
        if len(items) >= LEAST:
            groups.append(items)
        if len(items) == 0 or len(groups) == most:
            break
    return groups


def _concept(x: Any, left: Any) -> tuple[Any, Any]:
    rows, items, best = np.arange(len(x)), np.zeros(0, np.int64), 0.0
    while True:
        together = x[rows].T @ x[rows]
        closed = (together == np.diag(together)[:, None]) & (np.diag(together) > 0)[:, None]
        gains = ((x[rows].T @ left[rows]) * closed).sum(axis=1)
        item = int(gains.argmax())
        if gains[item] <= best:
            return rows, items
        best, items = float(gains[item]), np.flatnonzero(closed[item])
        rows = rows[x[rows, item] > 0]


def panda(active: NDArray[np.bool_], most: int, seed: int, noise: float = 0.4) -> Groups:
    """After PaNDa+ (Lucchese, Orlando and Perego 2014): a dense core, extended while cost falls.

    The cost of a pattern is its neurons and samples and the cells it gets wrong; a sample or neuron
    may be silent in the share `noise` of the pattern.
    """
    x = active.astype(np.float32)
    left = x.copy()
    groups: Groups = []
    for _ in range(4 * most):
        rows, items = _core(left)
        rows, items = _extended(x, left, rows, items, noise)
        if len(rows) * len(items) == 0 or len(groups) == most:
            break
        left[np.ix_(rows, items)] = 0
        if len(items) >= LEAST:
            groups.append(items)
    return groups


def _core(left: Any) -> tuple[Any, Any]:
    first = int(left.sum(axis=0).argmax())
    rows, items = np.flatnonzero(left[:, first]), [first]
    while True:
        counts = left[rows].sum(axis=0)
        counts[items] = 0
        item = int(counts.argmax())
        if counts[item] * (len(items) + 1) - counts[item] <= len(rows) * (len(items) - 1):
            return rows, np.array(items)
        items.append(item)
        rows = rows[left[rows, item] > 0]


def _extended(x: Any, left: Any, rows: Any, items: Any, noise: float) -> tuple[Any, Any]:
    for _ in range(10):
        new_rows = np.flatnonzero(x[:, items].mean(axis=1) >= 1 - noise)
        if len(new_rows) == 0:
            return rows, items
        inside = x[new_rows].mean(axis=0)
        new = np.flatnonzero((inside >= 1 - noise) & (left[new_rows].sum(axis=0) > 0))
        if len(new) == 0 or np.array_equal(new, items):
            return new_rows, items
        rows, items = new_rows, new
    return rows, items


SLOW = ("Boolean: GreConD (closed itemsets)",)
METHODS: dict[str, Callable[..., Groups]] = {
    "non-negative (NMF)": nmf,
    "Boolean: ASSO": asso,
    "Boolean: GreConD (closed itemsets)": grecond,
    "Boolean: PaNDa+": panda,
}
