"""Patterns found in one half of the prompts and tested on the other, which had no say in them.

    study = study_patterns(samples, settings)

Each half of the prompts is searched, and what is found there is tested on the other half. A pattern
is kept if it explains more cells there (module `pattern_null`) than in the mean over permutations
of each neuron among the samples of its context token. The p-value is of a one-sided t-test over the
prompts of that half, of cells explained beyond chance for each sample: samples of a prompt depend
on one another, prompts do not. q-values (Benjamini and Hochberg 1995) hold over all patterns
tested. Where both halves find a like pattern, the one that explains more stays.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from gelu.packed import PackedActivations
from gelu.patterns.factors import Pattern, eligible_neurons, find_patterns, jaccard
from gelu.patterns.permutation import ByToken, Explained, explained
from gelu.patterns.settings import SearchSettings
from gelu.samples.splits import interval, split_prompts, sums_by_group
from gelu.statistics.multiple_testing import benjamini_hochberg

LEAST_PROMPTS = 8
MOST_SEARCHED = 10_000  # samples of a half that are searched
MOST_NEURONS_PERMUTED = 4_096
SAME = 0.5  # Jaccard index from which patterns of the two halves are one


@dataclass(frozen=True)
class Tested:
    """A pattern and what became of it on the half of the prompts that it was not found in.

    explained, by_chance: cells in all; share_beyond, low, high: the share of the explained cells
    that tokens alone do not explain, with its 95 % interval over the n_prompts prompts in which it
    explains any, NaN with fewer than two; n_on: samples there in which it is on; found_in: 0 or 1,
    the half, 2 both; likeness: the Jaccard index of its neurons with those of the likest pattern
    found in the other half.
    """

    pattern: Pattern
    explained: float
    by_chance: float
    share_beyond: float
    low: float
    high: float
    n_prompts: int
    n_on: int
    p_value: float
    q_value: float = 1.0
    found_in: int = 0
    likeness: float = 0.0

    @property
    def surprise_bits(self) -> float:
        """How far the cells explained are from those by chance, as the deviance of a Poisson count.

        Half of the likelihood ratio statistic, in bits: a small pattern that never comes by chance
        stands before a large one that explains twice what chance does. Cells of one sample are not
        independent, so it orders patterns and is no test.
        """
        chance = max(self.by_chance, 1.0)
        if self.explained <= chance:
            return 0.0
        ratio = self.explained / chance
        return self.explained * float(np.log2(ratio)) - (self.explained - chance) / float(np.log(2))


@dataclass(frozen=True)
class PatternStudy:
    """kept: what passes, the most surprising first; n_found: in each half; n_tested:
    patterns tested; n_searched: samples searched in each half; n_distinct: samples that differ;
    n_kept_permuted: patterns kept in each permuted data set; n_neurons_permuted: neurons in it."""

    kept: list[Tested]
    n_found: tuple[int, int]
    n_tested: int
    n_searched: tuple[int, int]
    n_distinct: int
    n_kept_permuted: list[int]
    n_neurons_permuted: int


@dataclass(frozen=True)
class Half:
    """One half's samples, in no order.

    activations: of all samples of both halves; rows: (n,), this half's; tokens: (n,), their context
    tokens; groups: (n,), their prompts.
    """

    activations: PackedActivations
    rows: NDArray[np.int64]
    tokens: NDArray[np.int64]
    groups: NDArray[np.int64]

    def columns(self, neurons: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return in which of its samples each of the neurons is active, (n, len(neurons))."""
        return self.activations.columns(neurons, self.rows)

    def first(self, n: int) -> "Half":
        """Return its first n samples, with the activations of these alone."""
        rows = self.rows[:n]
        return Half(
            self.activations.taken(rows), np.arange(len(rows)), self.tokens[:n], self.groups[:n]
        )


def study_patterns(
    samples: Half, settings: SearchSettings, done: Callable[[], object] = lambda: None
) -> PatternStudy:
    """Search both halves, test, and do the same to permuted data.

    samples: all of both halves, in order, no two with the same tokens before them. `done` is called
    after each half searched: twice, and twice for each permuted data set. Raises `UserError` for
    fewer than two prompts.
    """
    halves = _halves(samples, settings.seed)
    tested, n_found = _search_and_test(halves, settings, done)
    kept = [one for one in tested if one.q_value <= settings.fdr]
    small = [half.first(MOST_SEARCHED) for half in halves]
    n_kept, n_neurons = _permuted(small, settings, done)
    return PatternStudy(
        sorted(kept, key=lambda one: -one.surprise_bits),
        n_found,
        len(tested),
        (len(small[0].rows), len(small[1].rows)),
        len(samples.rows),
        n_kept,
        n_neurons,
    )


def _halves(samples: Half, seed: int) -> list[Half]:
    """Return two halves of the prompts, each one's samples shuffled, so that any number of the
    first ones is a random part."""
    second = split_prompts(samples.groups, 0.5, seed)
    shuffled = np.random.default_rng(seed).permutation(len(samples.rows))
    return [
        Half(samples.activations, samples.rows[part], samples.tokens[part], samples.groups[part])
        for part in (shuffled[~second[shuffled]], shuffled[second[shuffled]])
    ]


def _search_and_test(
    halves: list[Half], settings: SearchSettings, done: Callable[[], object]
) -> tuple[list[Tested], tuple[int, int]]:
    """Return every pattern found, tested, those found twice once; and how many were in each."""
    found: list[list[Tested]] = []
    for half, other in ((halves[0], halves[1]), (halves[1], halves[0])):
        part = half.first(MOST_SEARCHED)
        patterns = find_patterns(
            part.activations, part.tokens, settings.max_patterns, prompts=part.groups
        )
        by_token = ByToken.of(other.tokens)
        found.append([judge(pattern, other, by_token) for pattern in patterns])
        done()
    tested = _merge(found)
    p_values = np.array([one.p_value for one in tested])
    q_values = benjamini_hochberg(p_values, len(tested)).tolist()
    both = zip(tested, q_values, strict=True)
    return [_replaced(one, q_value=q) for one, q in both], (len(found[0]), len(found[1]))


def _replaced(one: Tested, **values: object) -> Tested:
    return Tested(**{**one.__dict__, **values})


def judge(pattern: Pattern, half: Half, by_token: ByToken) -> Tested:
    """Return how a pattern fares on samples that it was not found in."""
    active = half.columns(pattern.neurons)
    result = explained(active, by_token, pattern.threshold)
    n_on = int((active.sum(axis=1) >= pattern.threshold).sum())
    p_value, sums = _over_prompts(result, half.groups)
    # What chance explains of it is 0 or more, so that the share beyond is 1 at most.
    least, most = interval(sums[:, 1], sums[:, 0], "positive")
    total, by_chance = sums.sum(axis=0)
    return Tested(
        pattern,
        explained=float(total),
        by_chance=float(by_chance),
        share_beyond=float(1 - by_chance / total) if total > 0 else 0.0,
        low=1 - most,
        high=1 - least,
        n_prompts=int(np.count_nonzero(sums[:, 0])),
        n_on=n_on,
        p_value=p_value,
    )


def _over_prompts(
    result: Explained, groups: NDArray[np.int64]
) -> tuple[float, NDArray[np.float64]]:
    """Return (p-value, each prompt's cells explained and by chance (G, 2))."""
    sums = sums_by_group(np.stack([result.observed, result.by_chance], axis=1), groups)
    # By sample: one long prompt, or many of one beginning, would else outweigh all others.
    beyond = (sums[:, 0] - sums[:, 1]) / np.unique(groups, return_counts=True)[1]
    spread = beyond.std(ddof=1) / np.sqrt(len(beyond)) if len(beyond) > 1 else 0.0
    if spread == 0:
        return 1.0, sums
    freedom = len(beyond) - 1
    return float(special.stdtr(freedom, -beyond.mean() / spread)), sums


def _merge(found: list[list[Tested]]) -> list[Tested]:
    """Return the patterns of both halves, each with its likest of the other half; of two alike
    that which explains more."""
    sizes = (len(found[0]), len(found[1]))
    likeness = np.zeros(sizes)
    for row, first in enumerate(found[0]):
        for column, second in enumerate(found[1]):
            likeness[row, column] = jaccard(first.pattern.neurons, second.pattern.neurons)
    marked = [
        _replaced(one, found_in=half, likeness=_largest(likeness if half == 0 else likeness.T, row))
        for half, patterns in enumerate(found)
        for row, one in enumerate(patterns)
    ]
    marked.sort(key=lambda one: one.by_chance - one.explained)
    kept: list[Tested] = []
    for one in marked:
        alike = any(jaccard(one.pattern.neurons, other.pattern.neurons) >= SAME for other in kept)
        if not alike:
            kept.append(_replaced(one, found_in=2) if one.likeness >= SAME else one)
    return kept


def _largest(likeness: NDArray[np.float64], row: int) -> float:
    return float(likeness[row].max(initial=0.0))


def _permuted(
    halves: list[Half], settings: SearchSettings, done: Callable[[], object]
) -> tuple[list[int], int]:
    """Return how many patterns are kept in each permuted data set, and its number of neurons."""
    rng = np.random.default_rng([settings.seed, 1])
    eligible = eligible_neurons(halves[0].activations)
    if len(eligible) > MOST_NEURONS_PERMUTED:
        eligible = np.sort(rng.choice(eligible, MOST_NEURONS_PERMUTED, replace=False))
    n_kept = []
    for _ in range(settings.null_draws):
        drawn = [permuted(half, eligible, rng) for half in halves]
        tested, _ = _search_and_test(drawn, settings, done)
        n_kept.append(sum(one.q_value <= settings.fdr for one in tested))
    return n_kept, len(eligible)


def permuted(half: Half, neurons: NDArray[np.int64], rng: np.random.Generator) -> Half:
    """Return the samples with these neurons alone, each permuted within the context tokens."""
    by_token = ByToken.of(half.tokens)
    parts = [
        np.packbits(by_token.permuted(rng, half.columns(neurons[first : first + 512])), axis=1)
        for first in range(0, len(neurons), 512)
    ]
    empty = np.empty((len(half.tokens), 0), np.uint8)
    bits = np.concatenate([empty, *parts], axis=1)
    rows = np.arange(len(bits))
    return Half(PackedActivations(bits, len(neurons)), rows, half.tokens, half.groups)
