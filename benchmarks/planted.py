"""Binary data with known patterns: groups of neurons that fire together beyond their tokens."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

N_TOKENS = 60
STAY = 0.8  # the chance that a pattern stays on, or off, from one token to the next


@dataclass(frozen=True)
class Planted:
    """active: (n, neurons) bool; tokens: (n,), the context token's number; completions: (n,), the
    completion of each sample; prompts: (n,); patterns: the neurons of each; on: (n, patterns)."""

    active: NDArray[np.bool_]
    tokens: NDArray[np.int64]
    completions: NDArray[np.int64]
    prompts: NDArray[np.int64]
    patterns: list[NDArray[np.int64]]
    on: NDArray[np.bool_]


def planted(
    seed: int,
    n_prompts: int = 100,
    length: int = 20,
    n_completions: int = 2,
    n_neurons: int = 400,
    sizes: tuple[int, ...] = (5, 8, 12, 20, 30),
    share_on: float = 0.05,
    drop: float = 0.1,
    overlap: float = 0.0,
    token_groups: int = 5,
    by_token: bool = False,
) -> Planted:
    """Return samples in the order of their completions.

    drop: share of a pattern's neurons that stay silent while it is on; overlap: share of a
    pattern's neurons that the one before has, too; token_groups: groups of 10 neurons that a set of
    tokens makes fire, together only because the token is the same; by_token: patterns are on five
    times as often at a tenth of the tokens as at the others. The other neurons fire by chance, each
    with a frequency of its own, a third of them persistently.
    """
    rng = np.random.default_rng(seed)
    n_completed = n_prompts * n_completions
    n = n_completed * length
    weights = 1 / np.arange(1, N_TOKENS + 1)
    tokens = rng.choice(N_TOKENS, n, p=weights / weights.sum())
    first = np.arange(n) % length == 0
    active = _background(rng, n, n_neurons, first)
    _add_token_groups(rng, active, tokens, token_groups)
    patterns = _neurons(rng, n_neurons - 10 * token_groups, sizes, overlap)
    on = np.zeros((n, len(patterns)), bool)
    for column in range(len(patterns)):
        on[:, column] = _states(rng, first, share_on)
    if by_token:
        on &= (tokens % 10 == 0)[:, None] | (rng.random(on.shape) < 0.2)
    for column, neurons in enumerate(patterns):
        fires = rng.random((n, len(neurons))) < 1 - drop
        active[:, neurons] |= on[:, [column]] & fires
    completion = np.arange(n) // length
    return Planted(active, tokens, completion, completion // n_completions, patterns, on)


def _background(rng: Any, n: int, n_neurons: int, first: Any) -> Any:
    frequency = rng.beta(1, 12, n_neurons)
    active = rng.random((n, n_neurons), np.float32) < frequency
    for neuron in range(0, n_neurons, 3):
        turned = rng.random(n) < 1 - STAY
        rows = np.maximum.accumulate(np.where(turned | first, np.arange(n), 0))
        active[:, neuron] = active[rows, neuron]
    return active


def _add_token_groups(rng: Any, active: Any, tokens: Any, n_groups: int) -> None:
    n_neurons = active.shape[1]
    for group in range(n_groups):
        theirs = rng.choice(N_TOKENS, 3, replace=False)
        neurons = np.arange(n_neurons - 10 * (group + 1), n_neurons - 10 * group)
        fires = rng.random((len(tokens), 10)) < 0.9
        active[:, neurons] |= np.isin(tokens, theirs)[:, None] & fires


def _neurons(rng: Any, n_neurons: int, sizes: tuple[int, ...], overlap: float) -> list[Any]:
    order = rng.permutation(n_neurons)
    patterns: list[Any] = []
    used = 0
    for size in sizes:
        shared = round(overlap * min(size, len(patterns[-1]))) if patterns else 0
        before = patterns[-1][:shared] if shared else order[:0]
        patterns.append(np.concatenate([order[used : used + size - shared], before]))
        used += size - shared
    return [np.sort(neurons) for neurons in patterns]


def _states(rng: Any, first: Any, share_on: float) -> Any:
    drawn = (rng.random(len(first)) < 1 - STAY) | first
    new = rng.random(len(first)) < share_on
    return new[np.maximum.accumulate(np.where(drawn, np.arange(len(first)), 0))]
