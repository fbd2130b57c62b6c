"""How often a neuron is active after a token, and after two: counts, smoothed by backing off.

    contexts = Contexts.of(history)
    rates = backed_off(active, contexts, learn, ask, strengths)

The rate after a token is (active + strength * base rate) / (seen + strength): as if the token had
been seen `strength` more times with the base rate (MacKay and Peto 1995). The rate after two tokens
backs off to that of the last one in the same way. The strengths are chosen on validation prompts.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from gelu.samples.token_history import number_contexts

GRID = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)

Floats = NDArray[np.float32]
Strength = float | NDArray[np.float32]


@dataclass(frozen=True)
class Contexts:
    """token, pair: (n,), the number of the last token and of the last two, 0..T-1 and 0..P-1."""

    token: NDArray[np.int64]
    pair: NDArray[np.int64]

    @classmethod
    def of(cls, history: NDArray[np.int64]) -> "Contexts":
        """Number the contexts of a history of `gelu.samples.token_history`, two columns or more."""
        return cls(*number_contexts(history))


@dataclass(frozen=True)
class Rates:
    """Probabilities of activity: base (w,); token, pair (q, w), for the samples asked for."""

    base: Floats
    token: Floats
    pair: Floats


def base_rate(active: NDArray[np.bool_]) -> Floats:
    """Return each neuron's smoothed rate, (w,); active: (m, w).

    Krichevsky and Trofimov's estimate, half a count for each outcome.
    """
    count = active.sum(axis=0, dtype=np.int64)
    return ((count + 0.5) / (len(active) + 1)).astype(np.float32)


@dataclass(frozen=True)
class ContextCounts:
    """Of one kind of context: how often each was learned from, and each neuron's activity there.

    seen: (q, 1), for each sample asked for; active: (q, w), the same of activity.
    """

    seen: Floats
    active: Floats

    def rate(self, fallback: Floats, strength: Strength) -> Floats:
        """Return the smoothed rates, (q, w); fallback: (w,) or (q, w); strength: one, or (w,)."""
        rates: Floats = (self.active + strength * fallback) / (self.seen + strength)
        return rates


def count_contexts(
    active: NDArray[np.bool_],
    codes: NDArray[np.int64],
    learn: NDArray[np.int64],
    ask: NDArray[np.int64],
) -> ContextCounts:
    """Count in the rows `learn`, look up for the rows `ask`; active: (n, w); codes: (n,)."""
    wanted, place = np.unique(codes[ask], return_inverse=True)
    found = np.searchsorted(wanted, codes[learn])
    found = np.minimum(found, len(wanted) - 1)
    known = wanted[found] == codes[learn]
    rows = learn[known]
    ones = np.ones(len(rows), np.float32)
    where = (found[known], np.arange(len(rows)))
    members = scipy.sparse.csr_array((ones, where), shape=(len(wanted), len(rows)))
    sums = members @ active[rows].astype(np.float32)
    seen = np.asarray(members.sum(axis=1), np.float32).reshape(-1, 1)
    return ContextCounts(seen[place.reshape(-1)], np.asarray(sums)[place.reshape(-1)])


def backed_off(
    active: NDArray[np.bool_],
    contexts: Contexts,
    learn: NDArray[np.int64],
    ask: NDArray[np.int64],
    strengths: tuple[Strength, Strength],
) -> Rates:
    """Return the three baselines for the rows `ask`, learned from the rows `learn`.

    active: (n, w), of some neurons; strengths: of the token's and of the pair's back-off.
    """
    base = base_rate(active[learn])
    token = count_contexts(active, contexts.token, learn, ask).rate(base, strengths[0])
    pair = count_contexts(active, contexts.pair, learn, ask).rate(token, strengths[1])
    return Rates(base, token, pair)
