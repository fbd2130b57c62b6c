"""Do a label and a neuron go together only because completions of a prompt resemble each other?

    blocks = PromptBlocks.of(completions)                 # None for fewer than three prompts
    squares = blocks.label_squares(indicator)             # a row a label
    for first, moments in blocks.neuron_moments(active):
        count = blocks.moments_of_count(samples, squares[[label]], moments, neurons)

Just after a prompt all its completions have read the same tokens, and later on they repeat one
another in places: a neuron that reads a few tokens back is then active in all of them at once, and
so is a label there in all of them. Their counts are those of a few prompts, not of many samples.

The null lays each prompt's labels on the activity of another prompt, place by place (the first
generated token on the first, ...): what completions of a prompt share stays as it is, on both
sides. The mean and the variance of the count over these pairs of prompts are exact. As a neuron's
activity at each place is kept, a token that stands at one place only goes with no neuron that is
active at that place whatever stands there. Counts are then divided by the design effect (Rao and
Scott 1992, *Biometrics* 48), and a binomial tail is taken. A prompt's part of the count is at most
its samples with the label, and prompts are independent; so the effect, however few prompts it is
worked out from, is at most the samples of the prompt that has most of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from gelu.samples.completions import Completions

# Places further from the prompt are left to the tests that pool all distances.
MOST_PLACES = 64
BLOCK_VALUES = 1 << 23


@dataclass(frozen=True)
class NeuronMoments:
    """Of each neuron's activity beyond its mean, by prompt and place.

    profiles: (U, T, neurons), mean over a prompt's completions; mean: (T, neurons), over prompts;
    squares: (T * T, neurons), sums over prompts of products of two places; spread: (T, neurons),
    mean over prompts of the variance between a prompt's completions; frequency: (neurons,).
    """

    profiles: NDArray[np.float32]
    mean: NDArray[np.float32]
    squares: NDArray[np.float32]
    spread: NDArray[np.float32]
    frequency: NDArray[np.float64]


@dataclass(frozen=True)
class CountMoments:
    """Of a label's count over pairs of different prompts, of samples at the first places.

    n_near: how many of the label's samples stand there; most_of_a_prompt: how many of them in the
    prompt that has most; mean, variance: (neurons,).
    """

    n_near: int
    most_of_a_prompt: int
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]


@dataclass(frozen=True)
class PromptBlocks:
    """Where each sample stands: prompts and places.

    units: (n,), the prompt's text 0..U-1 of each sample; places: (n,), its place after the prompt;
    n_units, n_places: U, T; averaging: (U * T, n) sparse, gives the mean over the completions of a
    prompt; there: (U, T), whether any of them has the place.
    """

    units: NDArray[np.int64]
    places: NDArray[np.int64]
    n_units: int
    n_places: int
    averaging: csr_array
    there: NDArray[np.bool_]

    @classmethod
    def of(cls, completions: Completions) -> "PromptBlocks | None":
        """Return the blocks; None for fewer than three prompts of different texts."""
        numbers = np.unique(completions.unit_texts(), return_inverse=True)[1]
        n_units = int(numbers.max()) + 1
        if n_units < 3:
            return None
        units, places = np.repeat(numbers, completions.lengths), completions.places()
        n_places = min(int(completions.lengths.max()), MOST_PLACES)
        near = np.flatnonzero(places < n_places)
        cells = units[near] * n_places + places[near]
        sizes = np.bincount(cells, minlength=n_units * n_places)
        shape = (n_units * n_places, completions.n_samples)
        averaging = csr_array(((1 / sizes[cells]).astype(np.float32), (cells, near)), shape)
        there = (sizes > 0).reshape(n_units, n_places)
        return cls(units, places, n_units, n_places, averaging, there)

    def label_squares(self, indicator: csr_array) -> csr_array:
        """Return for each label how many pairs of its samples in a prompt stand at each pair of
        places, (labels, T * T) sparse; indicator: (labels, n) sparse."""
        rows = []
        for label in range(indicator.shape[0]):
            first, end = indicator.indptr[label : label + 2]
            samples = self._near(indicator.indices[first:end])
            ones = np.ones(len(samples), np.float32)
            shape = (self.n_units, self.n_places)
            counts = csr_array((ones, (self.units[samples], self.places[samples])), shape)
            rows.append(csr_array(counts.T @ counts).reshape(1, -1).tocsr())
        empty = csr_array((0, self.n_places**2), dtype=np.float32)
        return csr_array(vstack([empty, *rows]))

    def _near(self, samples: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return those at the first places, by prompt."""
        near = samples[self.places[samples] < self.n_places]
        return np.asarray(near[np.argsort(self.units[near], kind="stable")], np.int64)

    def neuron_moments(self, active: NDArray[np.bool_]) -> Iterator[tuple[int, NeuronMoments]]:
        """Yield (first neuron, moments) over the columns of active (n, neurons)."""
        values = self.n_units * self.n_places + self.n_places**2
        step = max(1, BLOCK_VALUES // values)
        for first in range(0, active.shape[1], step):
            yield first, self._moments(active[:, first : first + step])

    def _moments(self, active: NDArray[np.bool_]) -> NeuronMoments:
        n_units, n_places = self.n_units, self.n_places
        frequency = active.mean(axis=0)
        shares = (self.averaging @ active.astype(np.float32)).reshape(n_units, n_places, -1)
        n_there = self.there.sum(axis=0).astype(np.float32)[:, None]
        spread = (shares * (1 - shares)).sum(axis=0) / n_there
        # A place that a prompt does not have says nothing: it counts as the mean.
        profiles = np.where(self.there[:, :, None], shares - frequency.astype(np.float32), 0)
        by_neuron = np.ascontiguousarray(profiles.transpose(2, 1, 0))
        squares = by_neuron @ by_neuron.transpose(0, 2, 1)
        both_there = self.there.T.astype(np.float32) @ self.there.astype(np.float32)
        squares *= n_units / np.maximum(both_there, 1)
        return NeuronMoments(
            profiles,
            profiles.sum(axis=0) / n_there,
            squares.reshape(len(by_neuron), -1).T,
            spread,
            frequency,
        )

    def moments_of_count(
        self,
        samples: NDArray[np.int64],
        squares: csr_array,
        moments: NeuronMoments,
        neurons: NDArray[np.int64],
    ) -> CountMoments:
        """Return the moments of the count of a label's samples in which each neuron is active.

        samples: of the label; squares: its row of `label_squares`, (1, T * T); neurons: columns of
        the moments.
        """
        samples = self._near(samples)
        if len(samples) == 0:
            nothing = np.zeros(len(neurons))
            return CountMoments(0, 0, nothing, nothing)
        units, places, others = self.units[samples], self.places[samples], self.n_units - 1
        first = np.flatnonzero(np.diff(units, prepend=-1))
        of_samples = moments.profiles[units[:, None], places[:, None], neurons]
        own = np.add.reduceat(of_samples, first, axis=0).astype(np.float64)
        mean = np.add.reduceat(moments.mean[places][:, neurons], first, axis=0).astype(np.float64)
        elsewhere = self.n_units * mean - own
        all_squares = squares @ moments.squares[:, neurons]
        other_squares = all_squares[0] - (own**2).sum(axis=0)
        between = (other_squares - (elsewhere**2).sum(axis=0) / others) / (others - 1)
        share = of_samples + moments.frequency[neurons]
        within = self._spread_elsewhere(moments.spread[:, neurons], places, share)
        expected = elsewhere.sum(axis=0) / others + len(samples) * moments.frequency[neurons]
        most = int(np.diff(first, append=len(samples)).max())
        return CountMoments(len(samples), most, expected, np.maximum(between, 0) + within)

    def _spread_elsewhere(
        self, spread: NDArray[np.float32], places: NDArray[np.int64], share: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the sum over a label's samples of the variance between the completions of another
        prompt at their places, mean over these prompts, (neurons,).

        spread: (T, neurons), mean over all prompts; share: (samples, neurons), of the completions
        of the sample's own prompt that are active at its place.
        """
        n_there = self.there.sum(axis=0)[places][:, None]
        others = n_there * spread[places] - share * (1 - share)
        return np.asarray(np.maximum(others / np.maximum(n_there - 1, 1), 0).sum(axis=0))
