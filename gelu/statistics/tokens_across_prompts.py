"""The same token generated under different prompts: are its neurons the same?

For each token, the mean Jaccard index of pairs of its samples under two prompts, beside that of its
samples with other tokens of the same prompt. The p-value is for the first's being larger than where
the token stands elsewhere in the same completions: labels are turned in a circle along each
completion, by an offset of its own, so that prompts, completions and runs of a token stay. It is
the larger of two. For one a label is turned to any place, which is exact where tokens and neurons
are independent. For the other it is not turned onto the tokens just after it: there neurons read
the token itself, which where it was written they could not, and what they have of a rare token
makes chance look too unlike. Prompts of equal text are one prompt. Completions of one prompt share
what they read just after it, and write passages of one another again, so one of each prompt at a
time is tested, and these p-values are combined in a way that holds however they depend
(`typical_p_value`).
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gelu.samples.arrays import Samples
from gelu.samples.notes import Notes
from gelu.statistics.multiple_testing import benjamini_hochberg, typical_p_value
from gelu.statistics.similarity import pairwise_overlap

COLUMNS = (
    "token",
    "token_id",
    "n_prompts",
    "n_samples",
    "jaccard_same_token_other_prompt",
    "jaccard_same_prompt_other_token",
    "p_value",
    "q_value",
)
SHIFTS = 1_999
# The share of a completion, just after each of its tokens, that labels are not turned onto.
AFTERMATH = 4
MOST_SAMPLES = 3_000
MOST_SAMPLES_OF_TOKEN = 60
PAIRS_AT_A_TIME = 1 << 22
MOST_SETS = 11  # of one completion of each prompt


@dataclass(frozen=True)
class AcrossPrompts:
    """table: columns as in the file contract; n_tests: of tokens; smallest_p: that the completions
    allow; unattainable: why nothing could pass, whatever the data."""

    table: pd.DataFrame
    n_tests: int
    smallest_p: float
    unattainable: str | None


def tokens_across_prompts(samples: Samples, fdr: float, seed: int, notes: Notes) -> AcrossPrompts:
    """Compare every token generated under two or more prompts.

    Ordered by p-value, then by number of samples. Where there are too many samples, those of some
    completions are compared, and of a frequent token some samples; `notes` say so. A
    token that is then left under one prompt has no Jaccard index and no p-value; one that no set of
    one completion of each prompt has under two has no p-value.
    """
    none = AcrossPrompts(pd.DataFrame(columns=list(COLUMNS)), 0, 1.0, None)
    tokens = samples.tokens("output")
    if tokens is None:
        return none
    prompts = samples.prompt_units()[samples.completions.of_samples()]
    under = np.unique(np.stack([tokens.codes, prompts]), axis=1)[0]
    n_prompts = np.bincount(under, minlength=len(tokens.texts))
    shared = np.flatnonzero(n_prompts >= 2)
    if len(shared) == 0:
        notes.skipped["tokens across prompts"] = "no token was generated under two prompts"
        return none
    compare = _Comparison.of(samples, tokens.codes, np.random.default_rng(seed), notes)
    results = [compare.token(int(token)) for token in shared]
    table = pd.DataFrame(
        {
            "token": np.array(tokens.texts, object)[shared],
            "token_id": None if tokens.ids is None else np.array(tokens.ids)[shared],
            "n_prompts": n_prompts[shared],
            "n_samples": tokens.sizes()[shared],
        }
    )
    table[list(COLUMNS[4:7])] = np.array(results)
    tested = shared[np.isfinite(table["p_value"].to_numpy())]
    floors = np.array([compare.smallest_p(int(token)) for token in tested])
    smallest = float(floors.min(initial=1.0))
    reason = _unattainable(floors, fdr)
    return AcrossPrompts(_with_q_values(table), len(tested), smallest, reason)


def _unattainable(floors: NDArray[np.float64], fdr: float) -> str | None:
    """Say why no token could pass, None where one could; floors: smallest p-value of each test."""
    if len(floors) == 0 or benjamini_hochberg(floors, len(floors)).min() <= fdr:
        return None
    return (
        f"the completions are too short: the tokens that they share can be turned in "
        f"{1 / floors.min():,.0f} ways at most, and for one of {len(floors):,} tests to pass "
        f"alone it takes {math.ceil(len(floors) / fdr):,}"
    )


def _with_q_values(table: pd.DataFrame) -> pd.DataFrame:
    p_values = table["p_value"].to_numpy()
    tested = np.isfinite(p_values)
    q_values = np.full(len(table), np.nan)
    q_values[tested] = benjamini_hochberg(p_values[tested], int(tested.sum()))
    table["q_value"] = q_values
    order = np.lexsort((table.index, -table["n_samples"], p_values))
    return table.iloc[order].reset_index(drop=True)


@dataclass(frozen=True)
class _Comparison:
    """The compared samples: jaccard (n, n); prompts, codes, starts, lengths, places: (n,) each
    sample's prompt, token, its completion's first row and length, and its place in it; sets:
    (sets, n), those of one completion of each prompt; offsets: (2, SHIFTS, n), by how much its
    completion is turned, to any place and past those just after a token."""

    jaccard: NDArray[np.float32]
    prompts: NDArray[np.int64]
    codes: NDArray[np.int64]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    places: NDArray[np.int64]
    sets: NDArray[np.bool_]
    offsets: NDArray[np.int64]
    rng: np.random.Generator

    @classmethod
    def of(
        cls, samples: Samples, codes: NDArray[np.int64], rng: np.random.Generator, notes: Notes
    ) -> "_Comparison":
        chosen = _choose_completions(samples, rng, notes)
        completions = samples.completions.of_samples()
        kept = np.isin(completions, chosen)
        sets = samples.activations.taken(np.flatnonzero(kept))
        sizes = samples.completions.lengths[chosen]
        starts = np.repeat(sizes.cumsum() - sizes, sizes)
        past = rng.integers(_n_turns(sizes), size=(SHIFTS, len(sizes)))
        past = np.where(past > 0, past + sizes // AFTERMATH, 0)
        anywhere = rng.integers(sizes, size=(SHIFTS, len(sizes)))
        return cls(
            pairwise_overlap(sets).jaccard().astype(np.float32),
            samples.prompt_units()[completions][kept],
            codes[kept],
            starts,
            np.repeat(sizes, sizes),
            np.arange(len(starts)) - starts,
            np.array(
                [
                    np.isin(completions[kept], chosen[one])
                    for one in samples.completions.some(chosen).one_of_each_text(MOST_SETS)
                ]
            ),
            np.repeat(np.stack([anywhere, past]), sizes, axis=2),
            rng,
        )

    def token(self, token: int) -> tuple[float, float, float]:
        """Return (same token under another prompt, same prompt with other tokens, p-value)."""
        here = self._some(np.flatnonzero(self.codes == token))
        other = self._same_prompt_other_token(here, token)
        first, second = self._pairs(here)
        if len(first) == 0:
            return np.nan, other, np.nan
        p_values = [self._p_value(one) for one in self._testable(token)]
        p_value = float(typical_p_value(np.array(p_values)[:, None])[0]) if p_values else np.nan
        return self._mean(here[first], here[second]), other, p_value

    def _p_value(self, here: NDArray[np.int64]) -> float:
        here = self._some(here)
        first, second = self._pairs(here)
        observed = self._mean(here[first], here[second])
        at_least = [
            int((self._shifted_means(offsets, here, first, second) >= observed - 1e-9).sum())
            for offsets in self.offsets
        ]
        return (1 + max(at_least)) / (1 + SHIFTS)

    def smallest_p(self, token: int) -> float:
        """Return what one in the ways to turn the token's completions, or in all shifts drawn,
        gives in each set, combined; 1 where there is no test."""
        floors = [self._smallest_of_set(here) for here in self._testable(token)]
        return float(typical_p_value(np.array(floors)[:, None])[0]) if floors else 1.0

    def _smallest_of_set(self, here: NDArray[np.int64]) -> float:
        lengths = self.lengths[here][np.unique(self.starts[here], return_index=True)[1]]
        log_ways = float(np.log(_n_turns(lengths)).sum())
        return math.exp(-min(log_ways, math.log(1 + SHIFTS)))

    def _testable(self, token: int) -> list[NDArray[np.int64]]:
        """Return the token's samples in each set that has it under two prompts."""
        those = [np.flatnonzero(one & (self.codes == token)) for one in self.sets]
        return [here for here in those if len(np.unique(self.prompts[here])) > 1]

    def _some(self, here: NDArray[np.int64]) -> NDArray[np.int64]:
        if len(here) <= MOST_SAMPLES_OF_TOKEN:
            return here
        return np.sort(self.rng.choice(here, MOST_SAMPLES_OF_TOKEN, replace=False))

    def _pairs(self, here: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the pairs of samples under two prompts, as places in `here`."""
        first, second = np.triu_indices(len(here), 1)
        different = self.prompts[here[first]] != self.prompts[here[second]]
        return first[different], second[different]

    def _mean(self, rows: NDArray[np.int64], others: NDArray[np.int64]) -> float:
        return float(self.jaccard[rows, others].mean(dtype=np.float64))

    def _same_prompt_other_token(self, here: NDArray[np.int64], token: int) -> float:
        same = (self.prompts[here][:, None] == self.prompts) & (self.codes != token)
        return float(self.jaccard[here][same].mean(dtype=np.float64)) if same.any() else np.nan

    def _shifted_means(
        self,
        offsets: NDArray[np.int64],
        here: NDArray[np.int64],
        first: NDArray[np.int64],
        second: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """Return the mean over the pairs of `here` after each shift, (SHIFTS,)."""
        turned = (self.places[here] + offsets[:, here]) % self.lengths[here]
        rows = self.starts[here] + turned
        step = max(1, PAIRS_AT_A_TIME // len(first))
        parts = [
            self.jaccard[rows[at : at + step][:, first], rows[at : at + step][:, second]].mean(
                axis=1, dtype=np.float64
            )
            for at in range(0, SHIFTS, step)
        ]
        return np.concatenate(parts)


def _n_turns(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return by how many offsets a completion of each length is turned, 0 among them."""
    return lengths - lengths // AFTERMATH


def _choose_completions(
    samples: Samples, rng: np.random.Generator, notes: Notes
) -> NDArray[np.int64]:
    """Return all completions, ascending, or random ones of `MOST_SAMPLES` samples together."""
    lengths = samples.completions.lengths
    if len(samples) <= MOST_SAMPLES:
        return np.arange(len(lengths))
    order = rng.permutation(len(lengths))
    chosen = np.sort(order[lengths[order].cumsum() <= MOST_SAMPLES])
    notes.subsampled["tokens across prompts"] = (
        f"{lengths[chosen].sum():,} of {len(samples):,} samples, those of completions drawn at "
        f"random; at most {MOST_SAMPLES_OF_TOKEN} samples of a token"
    )
    return chosen
