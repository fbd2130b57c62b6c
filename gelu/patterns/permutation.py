"""How much of a pattern is left when neurons fire by their tokens alone?

    threshold, gain = best_threshold(active, tokens)    # cells explained beyond chance

The null permutes each neuron's activity among the samples that have the same context token, every
neuron by itself: each keeps how often it fires with each token, and only what neurons do together
beyond that is lost. A group of neurons that one token makes fire explains as much after that as
before; a group that fires together for another reason (the words further back, the subject, the
place in the sentence) does not. Nothing need be drawn: in one sample of a token, whatever the
permutation, a group's neurons are active independently, each with its share of the token's
samples. So the number that fire has a Poisson binomial distribution, and the mean over all
permutations is exact.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ByToken:
    """Samples grouped by their context token.

    codes: (n,), 0..T-1; sizes: (T,); order: (n,) the samples token by token; starts: (T,) where
    each token begins there.
    """

    codes: NDArray[np.int64]
    sizes: NDArray[np.int64]
    order: NDArray[np.int64]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, labels: NDArray[np.int64]) -> "ByToken":
        """Group samples by any numbers, (n,)."""
        _, codes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
        order = np.argsort(codes, kind="stable")
        return cls(codes, sizes, order, sizes.cumsum() - sizes)

    def sums(self, values: NDArray[np.generic]) -> NDArray[np.float32]:
        """Return each token's sums, (T, columns); values: (n, columns)."""
        return np.add.reduceat(values[self.order].astype(np.float32), self.starts, axis=0)

    def means(self, values: NDArray[np.generic]) -> NDArray[np.float32]:
        """Return each token's means, (T, columns)."""
        return np.asarray(self.sums(values) / self.sizes[:, None].astype(np.float32))

    def permuted(self, rng: np.random.Generator, active: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return each column permuted among the samples of each token, (n, columns)."""
        result = np.empty_like(active)
        # Sorted by token and chance, a token's samples are dealt out among its own places. 40 bits
        # of chance leave no ties, whose order would depend on the sorting algorithm.
        own = self.codes[self.order] << 40
        for column in range(active.shape[1]):
            dealt = np.argsort(own + rng.integers(1 << 40, size=len(own)))
            result[self.order, column] = active[self.order[dealt], column]
        return result


def chance_of_counts(rates: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the chance that so many of k independent neurons are active, (T, k + 1).

    rates: (T, k), each neuron's chance. The Poisson binomial distribution, a neuron at a time.
    """
    chance = np.zeros((rates.shape[0], rates.shape[1] + 1))
    chance[:, 0] = 1
    for neuron in range(rates.shape[1]):
        rate = rates[:, neuron : neuron + 1]
        more = chance[:, : neuron + 1] * rate
        chance[:, : neuron + 1] *= 1 - rate
        chance[:, 1 : neuron + 2] += more
    return chance


def cells_explained(n_neurons: int, threshold: int) -> NDArray[np.int64]:
    """Return what a sample adds to what a pattern explains, by its active neurons, (k + 1,).

    Where `threshold` or more are active, the active less the silent ones; else 0.
    """
    active = np.arange(n_neurons + 1)
    return np.where(active >= threshold, 2 * active - n_neurons, 0)


@dataclass(frozen=True)
class Explained:
    """Cells a pattern explains in each sample, as they are and in the mean over permutations."""

    observed: NDArray[np.float64]
    by_chance: NDArray[np.float64]


def explained(active: NDArray[np.bool_], tokens: ByToken, threshold: int) -> Explained:
    """Return what a pattern explains; active: (n, k), its neurons' activity."""
    worth = cells_explained(active.shape[1], threshold)
    chance = chance_of_counts(tokens.means(active)) @ worth
    return Explained(worth[active.sum(axis=1)].astype(float), chance[tokens.codes])


def best_threshold(active: NDArray[np.bool_], tokens: ByToken) -> tuple[int, float]:
    """Return (from how many active neurons on a pattern is best said to be on, cells it explains
    beyond chance then); active: (n, k). Never fewer than half of the neurons, nor than 2."""
    k = active.shape[1]
    counts = np.bincount(active.sum(axis=1), minlength=k + 1)
    by_chance = tokens.sizes @ chance_of_counts(tokens.means(active))
    beyond = (counts - by_chance) * (2 * np.arange(k + 1) - k)
    gains = beyond[::-1].cumsum()[::-1]
    least = min(max(2, (k + 1) // 2), k)
    threshold = least + int(gains[least:].argmax())
    return threshold, float(gains[threshold])
