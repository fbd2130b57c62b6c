"""Interpolated Kneser-Ney n-gram models of a token stream, in NumPy.

Every order has one absolute discount D = n1 / (n1 + 2 n2), where n1 and n2 are the numbers of
n-grams seen once and twice.  The highest order uses counts; lower orders use the number of
different tokens seen before the n-gram.  The chain ends in the uniform distribution.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Tokens: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
MAX_ORDER = 5


def keys(tokens: Tokens, order: int, vocabulary: int) -> Tokens:
    """Return a number for the n-gram that ends at each position from order - 1 on."""
    found = np.zeros(len(tokens) - order + 1, dtype=np.int64)
    for offset in range(order):
        found = found * vocabulary + tokens[offset : len(tokens) - order + 1 + offset]
    return found


@dataclass(frozen=True)
class Level:
    """The tables of one order: n-grams with their counts, contexts with their totals."""

    grams: Tokens
    counts: Tokens
    contexts: Tokens
    totals: Tokens
    kinds: Tokens
    discount: float

    def probability(self, gram: Tokens, context: Tokens, lower: Floats) -> Floats:
        """Return P(last token of each n-gram | its context), given the lower order's answer."""
        count = _look_up(self.grams, self.counts, gram)
        total = _look_up(self.contexts, self.totals, context)
        kinds = _look_up(self.contexts, self.kinds, context)
        seen = np.maximum(total, 1)
        own = np.maximum(count - self.discount, 0.0) / seen
        return np.where(total > 0, own + self.discount * kinds / seen * lower, lower)


def _look_up(table: Tokens, values: Tokens, wanted: Tokens) -> Tokens:
    """Return the value of each wanted key of a sorted table, 0 where it is missing."""
    places = np.minimum(np.searchsorted(table, wanted), len(table) - 1)
    return np.where(table[places] == wanted, values[places], 0)


def _level(grams: Tokens, counts: Tokens, vocabulary: int) -> Level:
    """Return the tables for sorted, distinct n-grams and their counts."""
    contexts, first = np.unique(grams // vocabulary, return_index=True)
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    return Level(
        grams=grams,
        counts=counts,
        contexts=contexts,
        totals=np.add.reduceat(counts, first),
        kinds=np.diff(np.append(first, len(grams))),
        discount=once / (once + 2 * twice) if once and twice else 0.5,
    )


class KneserNey:
    """An interpolated Kneser-Ney model of one order."""

    def __init__(self, tokens: Tokens, order: int, vocabulary: int) -> None:
        if not 1 <= order <= MAX_ORDER:
            raise ValueError(f"order must be 1 to {MAX_ORDER}, not {order}")
        self.order, self.vocabulary = order, vocabulary
        grams, counts = np.unique(keys(tokens, order, vocabulary), return_counts=True)
        levels = [_level(grams, counts, vocabulary)]
        for size in range(order - 1, 0, -1):
            grams, counts = np.unique(grams % vocabulary**size, return_counts=True)
            levels.append(_level(grams, counts, vocabulary))
        self.levels = levels[::-1]

    def bits(self, tokens: Tokens) -> Floats:
        """Return the cost in bits of every token from position MAX_ORDER - 1 of a stream on."""
        size = len(tokens) - MAX_ORDER + 1
        chance: Floats = np.full(size, 1.0 / self.vocabulary)
        for order, level in enumerate(self.levels, 1):
            gram = keys(tokens, order, self.vocabulary)[-size:]
            chance = level.probability(gram, gram // self.vocabulary, chance)
        return -np.log2(chance)
