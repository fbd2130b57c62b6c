"""Completions of one prompt compared with one another and with those of other prompts.

A completion counts as the set of neurons active at one of its tokens or more. Tokens of a
completion are not independent, completions are: what is dealt out anew in the tests is whole
completions.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gelu.packed import PackedActivations
from gelu.samples.arrays import Samples
from gelu.samples.notes import Notes
from gelu.statistics.attainable import partitions
from gelu.statistics.consistent_neurons import Consistency, consistent_neurons
from gelu.statistics.enrichment import one_hot
from gelu.statistics.similarity import completion_sets, pairwise_overlap

MOST_PERMUTATIONS = 9_999
# A permutation costs as much as there are pairs of completions.
PERMUTED_PAIRS = 4_000_000_000
MOST_COMPLETIONS = 2_000
MOST_COMPLETIONS_BY_TOKEN = 500


@dataclass(frozen=True)
class PermutationTest:
    """Is a pair of completions of one prompt more alike than one of two prompts?

    within, between: the mean Jaccard index of such pairs; p_value: one-sided; smallest_p: that the
    numbers of completions allow; unattainable: why it could not be significant, whatever the data.
    """

    within: float
    between: float
    p_value: float
    n_permutations: int
    smallest_p: float
    unattainable: str | None


@dataclass(frozen=True)
class PromptComparison:
    """samples: Jaccard of each pair of completions of one prompt, columns as in the file contract;
    prompts: means of pairs; consistent: neurons of all completions of a prompt and fewer elsewhere.
    within, between: the Jaccard indices of all pairs; prompts of equal text count as one there."""

    samples: pd.DataFrame
    prompts: pd.DataFrame
    consistent: Consistency
    within: NDArray[np.float64]
    between: NDArray[np.float64]
    test: PermutationTest | None
    within_by_token: float
    between_by_token: float


def compare_prompts(samples: Samples, fdr: float, seed: int, notes: Notes) -> PromptComparison:
    """Compare all completions; where there are too many, those of prompts drawn by `seed`.

    What is left out goes into `notes`.
    """
    rng = np.random.default_rng(seed)
    chosen = _choose_completions(samples, rng, notes)
    sets = completion_sets(_rows(samples, chosen), _renumbered(samples, chosen))
    prompts = samples.completions.prompts[chosen]
    overlap = pairwise_overlap(sets)
    jaccard = overlap.jaccard()
    by_token = _by_token(samples, chosen, rng, notes)
    units = samples.prompt_units()
    same, different = _pair_masks(units[chosen])
    return PromptComparison(
        _sample_table(samples, chosen, overlap.intersection, overlap.union, jaccard),
        _prompt_table(samples, prompts, jaccard, by_token),
        consistent_neurons(samples, fdr, notes),
        jaccard[same],
        jaccard[different],
        _test(samples, chosen, fdr, rng, notes),
        *(_mean(by_token.jaccard[mask]) for mask in _pair_masks(units[by_token.completions])),
    )


def _choose_completions(
    samples: Samples, rng: np.random.Generator, notes: Notes
) -> NDArray[np.int64]:
    """Return the completions, ascending: all, or of as many random prompts as allowed."""
    prompts = samples.completions.prompts
    if len(prompts) <= MOST_COMPLETIONS:
        return np.arange(len(prompts))
    order = rng.permutation(int(prompts.max()) + 1)
    sizes = np.bincount(prompts)[order]
    kept = order[: max(1, int((sizes.cumsum() <= MOST_COMPLETIONS).sum()))]
    chosen = np.flatnonzero(np.isin(prompts, kept))[:MOST_COMPLETIONS]
    notes.subsampled["completions compared"] = (
        f"{len(chosen):,} of {len(prompts):,} completions, of {len(kept):,} prompts drawn at random"
    )
    return chosen


def _rows(samples: Samples, chosen: NDArray[np.int64]) -> PackedActivations:
    return samples.activations.taken(
        np.flatnonzero(np.isin(samples.completions.of_samples(), chosen))
    )


def _renumbered(samples: Samples, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.repeat(np.arange(len(chosen)), samples.completions.lengths[chosen])


def _pair_masks(prompts: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which pairs (a < b) are of one prompt, and which of two, both (C, C)."""
    upper = np.triu(np.ones((len(prompts), len(prompts)), bool), 1)
    same = prompts[:, None] == prompts[None, :]
    return upper & same, upper & ~same


def _mean(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


@dataclass(frozen=True)
class _ByToken:
    """completions: (c,), which; jaccard: (c, c), mean over the token positions that both have, NaN
    where there is none."""

    jaccard: NDArray[np.float64]
    completions: NDArray[np.int64]


def _by_token(
    samples: Samples, chosen: NDArray[np.int64], rng: np.random.Generator, notes: Notes
) -> _ByToken:
    """Compare completions token by token: the first with the first, and so on.

    Tokens are compared where both completions have a sample of that position.
    """
    completions = samples.completions
    if len(chosen) > MOST_COMPLETIONS_BY_TOKEN:
        chosen = np.sort(rng.choice(chosen, MOST_COMPLETIONS_BY_TOKEN, replace=False))
        notes.subsampled["completions compared token by token"] = (
            f"{MOST_COMPLETIONS_BY_TOKEN:,} completions drawn at random"
        )
    rows = np.flatnonzero(np.isin(completions.of_samples(), chosen))
    of = np.repeat(np.arange(len(chosen)), completions.lengths[chosen])
    places = samples.table["token_position"].to_numpy()[rows]
    total, both = np.zeros((2, len(chosen), len(chosen)))
    for place in np.unique(places):
        at = places == place
        there = of[at]
        bits = samples.activations.bits[rows[at]]
        cells = np.ix_(there, there)
        total[cells] += pairwise_overlap(
            PackedActivations(bits, samples.activations.n_neurons)
        ).jaccard()
        both[cells] += 1
    mean = np.divide(total, both, out=np.full_like(total, np.nan), where=both > 0)
    return _ByToken(mean, chosen)


def _sample_table(
    samples: Samples,
    chosen: NDArray[np.int64],
    intersection: NDArray[np.int64],
    union: NDArray[np.int64],
    jaccard: NDArray[np.float64],
) -> pd.DataFrame:
    prompts = samples.completions.prompts[chosen]
    first, second = np.nonzero(_pair_masks(prompts)[0])
    starts = samples.completions.starts()[chosen]
    numbers = samples.table["prompt_sample_idx"].to_numpy()[starts]
    texts = np.array(samples.prompt_texts(), object)
    return pd.DataFrame(
        {
            "prompt_idx": samples.prompt_ids[prompts[first]],
            "input_text": texts[prompts[first]],
            "sample_a": numbers[first],
            "sample_b": numbers[second],
            "jaccard": jaccard[first, second],
            "intersection": intersection[first, second],
            "union": union[first, second],
        }
    )


def _prompt_table(
    samples: Samples,
    prompts: NDArray[np.int64],
    jaccard: NDArray[np.float64],
    by_token: _ByToken,
) -> pd.DataFrame:
    """Return the mean over the pairs of completions of each pair of prompts, a prompt's own too."""
    present = np.unique(prompts)
    mean, n_pairs = _prompt_means(prompts, jaccard, present)
    of_tokens = samples.completions.prompts[by_token.completions]
    token_mean, _ = _prompt_means(of_tokens, by_token.jaccard, present)
    first, second = np.nonzero(np.triu(np.ones_like(mean, bool)))
    return pd.DataFrame(
        {
            "prompt_a": samples.prompt_ids[present[first]],
            "prompt_b": samples.prompt_ids[present[second]],
            "n_pairs": n_pairs[first, second],
            "mean_jaccard": mean[first, second],
            "mean_jaccard_by_token": token_mean[first, second],
        }
    )


def _prompt_means(
    prompts: NDArray[np.int64], jaccard: NDArray[np.float64], present: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return (mean, number of pairs), both (prompts, prompts); NaN where there is no pair."""
    member = (prompts[None, :] == present[:, None]).astype(np.float64)
    known = np.isfinite(jaccard) & ~np.eye(len(jaccard), dtype=bool)
    total = member @ np.where(known, jaccard, 0) @ member.T
    n_pairs = member @ known.astype(np.float64) @ member.T
    mean = np.divide(total, n_pairs, out=np.full_like(total, np.nan), where=n_pairs > 0)
    n_pairs[np.diag_indices_from(n_pairs)] /= 2
    return mean, n_pairs.astype(np.int64)


def _test(
    samples: Samples,
    chosen: NDArray[np.int64],
    level: float,
    rng: np.random.Generator,
    notes: Notes,
) -> PermutationTest | None:
    """Test over completions, all cut to the length of the shortest.

    A longer completion has more neurons active at one of its tokens; where lengths differ between
    prompts, that alone would make completions of one prompt alike. Those of one prompt that read
    the very same tokens up to there are one.
    """
    shortest = int(samples.completions.lengths[chosen].min())
    kept = chosen[samples.first_of_equal(chosen, shortest)]
    units = samples.prompt_units()[kept]
    same, different = _pair_masks(units)
    if not same.any() or not different.any():
        reason = _untestable(len(np.unique(units)), len(kept) < len(chosen), level)
        notes.skipped["completions within a prompt against those between prompts"] = reason
        return None
    sets = completion_sets(*_cut(samples, kept, shortest))
    return permutation_test(pairwise_overlap(sets).jaccard(), units, level, rng)


def _cut(
    samples: Samples, chosen: NDArray[np.int64], length: int
) -> tuple[PackedActivations, NDArray[np.int64]]:
    """Return the activations of so many first tokens of each completion."""
    rows = (samples.completions.starts()[chosen][:, None] + np.arange(length)).ravel()
    bits = samples.activations.bits[rows]
    numbers = np.repeat(np.arange(len(chosen)), length)
    return PackedActivations(bits, samples.activations.n_neurons), numbers


def permutation_test(
    jaccard: NDArray[np.float64],
    prompts: NDArray[np.int64],
    level: float,
    rng: np.random.Generator,
) -> PermutationTest:
    """Test whether pairs of one prompt are more alike, by dealing out prompts to completions anew.

    jaccard: (C, C), symmetric; prompts: (C,), some alike and some not; level: that a p-value must
    reach. The statistic is the mean within prompts minus the mean between; p = (1 + permutations at
    least as large) / (1 + permutations), as Phipson and Smyth (2010) advise.
    """
    same, different = _pair_masks(prompts)
    within, between = float(jaccard[same].mean()), float(jaccard[different].mean())
    n_permutations = min(MOST_PERMUTATIONS, max(199, PERMUTED_PAIRS // jaccard.size))
    # All pairs' sum and number stay the same, so the sum within decides.
    member = one_hot(prompts, int(prompts.max()) + 1)
    member = member[member.sum(axis=1) > 0].toarray().astype(np.float64)
    observed = _sum_within(jaccard, member)
    at_least = 0
    for _ in range(n_permutations):
        order = rng.permutation(len(prompts))
        at_least += _sum_within(jaccard, member[:, order]) >= observed - 1e-9
    p_value = (1 + at_least) / (1 + n_permutations)
    n_ways = partitions([int(size) for size in member.sum(axis=1)])
    reason = None if n_ways * level >= 1 - 1e-9 else _unattainable(n_ways, len(member), level)
    smallest = 1 / min(n_ways, 1 + n_permutations)
    return PermutationTest(within, between, p_value, n_permutations, smallest, reason)


def _untestable(n_prompts: int, equal: bool, level: float) -> str:
    """equal: whether completions were left out that were the same as others."""
    if n_prompts == 1:
        return "there is only one prompt; needs two"
    differ = " that differ before the shortest ends" if equal else ""
    return f"no prompt has two completions{differ}; needs {_needed(n_prompts, level)}"


def _unattainable(n_ways: float, n_prompts: int, level: float) -> str:
    return (
        f"the completions can be dealt out in {n_ways:,.0f} ways only, so that p is never below "
        f"{1 / n_ways:.2g}; needs {_needed(n_prompts, level)}"
    )


def _needed(n_prompts: int, level: float) -> str:
    number = next(size for size in range(2, 1_000) if partitions([size] * n_prompts) * level >= 1)
    return f"{number} of each of the {n_prompts} prompts for p = {level:g}"


def _sum_within(jaccard: NDArray[np.float64], member: NDArray[np.float64]) -> float:
    return float(((member @ jaccard) * member).sum())
