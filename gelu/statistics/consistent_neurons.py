"""Neurons active in every completion of a prompt, and less in those of other prompts.

    found = consistent_neurons(samples, fdr, notes)
    found.table                 # ranked, whether or not they pass

The test: completions are what is drawn independently, so if the prompt did not matter to a neuron,
any deal of the completions to the prompts would be as likely. The statistic is the number of tokens
at which the neuron is active in the prompt's completions, and 0 where one of them lacks it; the
p-value is the exact share of deals that give the prompt as much or more (`gelu.statistics.deals`).
Counting tokens tells a prompt's neurons from those that every longer text meets once.

What would make completions unlike without the prompt's doing is taken out first.
- A completion that is longer has more active tokens: only as many first tokens are compared as all
  completions compared have. A prompt that is longer than most others is cut to their median.
- Completions of one prompt that read the very same tokens are one.
- Rows of the prompts CSV with the same text are one prompt.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

from gelu.neurons import dimension_of, layer_of
from gelu.samples.arrays import Samples
from gelu.samples.notes import Notes
from gelu.statistics.attainable import completions_needed, fewest_together
from gelu.statistics.deals import deal_p_values, levels, n_levels
from gelu.statistics.enrichment import one_hot
from gelu.statistics.multiple_testing import benjamini_hochberg

WHAT = "neurons consistent within a prompt"
# More completions of a prompt than these change no verdict and cost the cube of their number.
MOST_TESTED = 16
MOST_LENGTHS = 8
MOST_ROWS = 50_000
LEAST_ROWS_OF_PROMPT = 10


@dataclass(frozen=True)
class Consistency:
    """table: columns as in the file contract, strongest evidence first; n_tests, n_passed: of all
    pairs of a prompt and a neuron, those not in the table included; n_left_out: weaker rows that it
    has no room for; smallest_p: that the numbers of completions allow; fewest_together: how many
    tests must reach it for one to pass; unattainable: why nothing could pass, whatever the data."""

    table: pd.DataFrame
    n_tests: int
    n_passed: int
    n_left_out: int
    smallest_p: float
    fewest_together: int
    unattainable: str | None


def consistent_neurons(samples: Samples, fdr: float, notes: Notes) -> Consistency:
    """Rank the neurons active in all of a prompt's completions and not in all others; test them.

    Tested are prompts with two different completions or more, each with every neuron that is active
    in as many completions as the prompt has, and not in all. First are the smallest
    p-values, then neurons of few completions of other prompts, then those of more tokens here.
    """
    design = _Design.of(samples)
    found = _found(samples, design)
    p_values = np.sort(found.p_values)
    q_values = benjamini_hochberg(p_values, found.n_tests)
    table = _table(samples, design, found.rows, p_values, q_values, fdr)
    n_deals = [comparison.n_deals() for comparison in design.comparisons]
    smallest = 1 / max(n_deals, default=1)
    together = fewest_together(smallest, found.n_tests, fdr)
    reason = _unattainable(design, found, together, fdr)
    if not design.comparisons:
        notes.skipped[WHAT] = str(reason)
    return Consistency(
        table,
        found.n_tests,
        int((q_values <= fdr).sum()),
        found.n_rows - len(table),
        smallest,
        together,
        reason,
    )


@dataclass(frozen=True)
class _Comparison:
    """Prompts tested against c completions, over the first `length` tokens of each.

    tokens: (c, n), 1 for these tokens of each; of: (c,), its unit; tested: (T,), the units to test;
    sizes: (T,), completions of each.
    """

    length: int
    tokens: csr_array
    of: NDArray[np.int64]
    tested: NDArray[np.int64]
    sizes: NDArray[np.int64]

    def n_deals(self) -> int:
        """Return how many different sets of completions a prompt could get, at most."""
        return max(math.comb(len(self.of), size) for size in self.sizes.tolist())


@dataclass(frozen=True)
class _Design:
    """Which completions are compared with which.

    units: (C,), the prompt of each completion, those of equal text taken together, 0..U-1; member:
    (U, C), 1 for a unit's completions; lengths: (C,), tokens of each; tokens: (C, n), 1 for these.
    """

    units: NDArray[np.int64]
    member: csr_array
    lengths: NDArray[np.int64]
    tokens: csr_array
    comparisons: list[_Comparison]

    @classmethod
    def of(cls, samples: Samples) -> "_Design":
        units, completions = samples.prompt_units(), samples.completions
        member = one_hot(units, int(units.max()) + 1)
        comparisons = _comparisons(samples, units)
        tokens = one_hot(completions.of_samples(), len(units))
        return cls(units, member, completions.lengths, tokens, comparisons)

    def sizes(self) -> NDArray[np.int64]:
        """Return how many completions each unit has, (U,)."""
        return np.bincount(self.units)


def _comparisons(samples: Samples, units: NDArray[np.int64]) -> list[_Comparison]:
    """Return every prompt that can be tested in one comparison, with others of its length."""
    lengths = samples.completions.lengths
    cuts = _cuts(lengths)
    chosen: dict[int, list[int]] = {}
    for unit in range(int(units.max()) + 1):
        own = units == unit
        if own.sum() >= 2 and not own.all():
            others = np.sort(lengths[~own])
            limit = min(lengths[own].min(), others[(len(others) - 1) // 2])
            chosen.setdefault(int(cuts[cuts <= limit][-1]), []).append(unit)
    comparisons = (_comparison(samples, units, length, chosen[length]) for length in sorted(chosen))
    return [comparison for comparison in comparisons if len(comparison.tested)]


def _cuts(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the lengths that completions may be cut to, ascending, the shortest one first."""
    distinct = np.unique(lengths)
    places = np.linspace(0, len(distinct) - 1, min(len(distinct), MOST_LENGTHS))
    return np.asarray(distinct[np.rint(places).astype(np.int64)], np.int64)


def _comparison(
    samples: Samples, units: NDArray[np.int64], length: int, wanted: Sequence[int]
) -> _Comparison:
    kept = np.flatnonzero(samples.completions.lengths >= length)
    kept = kept[samples.first_of_equal(kept, length)]
    earlier = pd.Series(units[kept]).groupby(units[kept]).cumcount().to_numpy()
    kept = kept[earlier < MOST_TESTED]
    sizes = np.bincount(units[kept], minlength=int(units.max()) + 1)
    tested = np.array([unit for unit in wanted if 2 <= sizes[unit] < len(kept)], np.int64)
    place = np.full(len(units), -1)
    place[kept] = np.arange(len(kept))
    of_samples = samples.completions.of_samples()
    early = np.arange(len(samples)) - samples.completions.starts()[of_samples] < length
    tokens = one_hot(np.where(early, place[of_samples], -1), len(kept))
    return _Comparison(length, tokens, units[kept], tested, sizes[tested])


@dataclass(frozen=True)
class _Rows:
    """Pairs of a prompt's unit and a neuron active in all its completions, each array (rows,).

    others: share of the other prompts' completions in which it is active; tokens_here,
    tokens_others: shares of tokens; p_value: NaN where there is no test.
    """

    unit: NDArray[np.int64]
    neuron: NDArray[np.int64]
    others: NDArray[np.float64]
    tokens_here: NDArray[np.float64]
    tokens_others: NDArray[np.float64]
    p_value: NDArray[np.float64]

    @classmethod
    def joined(cls, parts: Sequence["_Rows"]) -> "_Rows":
        return cls(
            *(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls))
        )

    def strongest(self, most: int) -> "_Rows":
        """Return the first `most` rows of each prompt, strongest evidence first.

        A missing p-value counts as the largest.
        """
        gain = self.tokens_here - self.tokens_others
        order = np.lexsort((self.neuron, self.unit, -gain, self.others, self.p_value))
        of = self.unit[order]
        order = order[pd.Series(of).groupby(of).cumcount().to_numpy() < most]
        return _Rows(*(getattr(self, field.name)[order] for field in fields(self)))


@dataclass(frozen=True)
class _Found:
    """rows: to be shown; p_values: of all n_rows rows that are tested; the other tests' are 1.

    n_neurons: those in a test.
    """

    rows: _Rows
    p_values: NDArray[np.float64]
    n_rows: int
    n_tests: int
    n_neurons: int


def _found(samples: Samples, design: _Design) -> _Found:
    most = max(LEAST_ROWS_OF_PROMPT, MOST_ROWS // len(design.sizes()))
    parts, p_values, n_rows, n_tests, n_neurons = [], [], 0, 0, 0
    for first, active in samples.activations.neuron_blocks():
        marks = active.astype(np.float32)  # holds whole numbers up to 2**24 exactly
        counts = np.asarray(design.tokens @ marks, np.int64)
        tests = _p_values(marks, counts, design)
        rows = _rows(counts, first, tests, design)
        parts.append(rows.strongest(most))
        p_values.append(rows.p_value[np.isfinite(rows.p_value)])
        n_rows += len(rows.unit)
        n_tests += int(np.isfinite(tests).sum())
        n_neurons += int(np.isfinite(tests).any(axis=0).sum())
    kept = _Rows.joined(parts).strongest(most)
    return _Found(kept, np.concatenate(p_values), n_rows, n_tests, n_neurons)


def _rows(
    counts: NDArray[np.int64], first: int, tests: NDArray[np.float64], design: _Design
) -> _Rows:
    """Return the rows of a block of neurons, `first` the id of its first.

    counts: (C, neurons), active tokens of each completion; tests: (U, neurons), p-values.
    """
    sizes = design.sizes()
    ever = design.member @ (counts > 0).astype(np.float32)
    tokens, n_tokens = design.member @ counts, design.member @ design.lengths
    unit, neuron = np.nonzero((ever == sizes[:, None]) & (ever.sum(axis=0) < len(counts)))
    cells = (unit, neuron)
    n_others, n_tokens_others = len(counts) - sizes[unit], n_tokens.sum() - n_tokens[unit]
    return _Rows(
        unit,
        first + neuron,
        (ever.sum(axis=0)[neuron] - ever[cells]).astype(np.float64) / n_others,
        tokens[cells] / n_tokens[unit],
        (tokens.sum(axis=0)[neuron] - tokens[cells]) / n_tokens_others,
        tests[cells],
    )


def _p_values(
    marks: NDArray[np.float32], counts: NDArray[np.int64], design: _Design
) -> NDArray[np.float64]:
    """Return the p-value of each unit and neuron of a block, (U, neurons); NaN: no test.

    marks: (n, neurons), 1 where active; counts: (C, neurons), their sums over whole completions.
    """
    result = np.full((len(design.sizes()), marks.shape[1]), np.nan)
    lacking = ~(counts > 0).all(axis=0)
    for comparison in design.comparisons:
        counts = np.asarray(comparison.tokens @ marks, np.int64)
        n_active = (counts > 0).sum(axis=0)
        some = (n_active >= comparison.sizes.min()) & (n_active < len(counts))
        chosen = np.flatnonzero(some & lacking)
        p_values = _deal_tests(comparison, counts[:, chosen])
        p_values[comparison.sizes[:, None] > n_active[chosen]] = np.nan
        result[np.ix_(comparison.tested, chosen)] = p_values
    return result


def _deal_tests(comparison: _Comparison, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the p-values (T, neurons); counts: (c, neurons)."""
    sizes, n_neurons = comparison.sizes, counts.shape[1]
    n = n_levels(int(sizes.max()), comparison.length)
    scores = levels(counts, n, comparison.length)
    cells = scores + (n + 1) * np.arange(n_neurons)
    histogram = np.bincount(cells.ravel(), minlength=(n + 1) * n_neurons)
    histogram = histogram.reshape(n_neurons, n + 1).T[1:]
    tails = deal_p_values(histogram, len(scores), sizes.tolist())
    result = np.ones((len(sizes), n_neurons))
    for row, (unit, size) in enumerate(zip(comparison.tested, sizes.tolist(), strict=True)):
        own = scores[comparison.of == unit]
        active = np.flatnonzero((own > 0).all(axis=0))
        result[row, active] = tails[size][own[:, active].sum(axis=0), active]
    return result


def _table(
    samples: Samples,
    design: _Design,
    rows: _Rows,
    p_values: NDArray[np.float64],
    q_values: NDArray[np.float64],
    fdr: float,
) -> pd.DataFrame:
    """p_values, q_values: of all tests that matter, ascending."""
    tested = np.isfinite(rows.p_value)
    q_value = np.full(len(tested), np.nan)
    q_value[tested] = q_values[np.searchsorted(p_values, rows.p_value[tested])]
    d_mlp = samples.geometry.d_mlp
    first = np.unique(design.units, return_index=True)[1]
    prompt = samples.completions.prompts[first][rows.unit]
    return pd.DataFrame(
        {
            "prompt_idx": samples.prompt_ids[prompt],
            "input_text": np.array(samples.prompt_texts(), object)[prompt],
            "neuron_id": rows.neuron,
            "layer": layer_of(rows.neuron, d_mlp),
            "dimension": dimension_of(rows.neuron, d_mlp),
            "n_samples": design.sizes()[rows.unit],
            "frequency_this_prompt": np.ones(len(tested)),
            "frequency_other_prompts": rows.others,
            "q_value": q_value,
            "passes": (q_value <= fdr).astype(np.int64),
            "p_value": rows.p_value,
            "token_share_this_prompt": rows.tokens_here,
            "token_share_other_prompts": rows.tokens_others,
        }
    )


def _unattainable(design: _Design, found: _Found, together: int, fdr: float) -> str | None:
    """Say why no result could pass, and what would be needed; None where one could.

    A neuron can have the smallest p-value for one prompt alone, so at most all neurons have it.
    """
    n_prompts = len(design.sizes())
    if n_prompts == 1:
        return "there is only one prompt; needs two or more, with two completions or more each"
    if not design.comparisons:
        return "no prompt has two completions that differ; needs " + _needed(
            n_prompts, n_prompts * found.n_rows, fdr
        )
    if found.n_tests == 0:
        return "no neuron is active in as many completions as a prompt has without being in all"
    if together <= found.n_neurons:
        return None
    n_deals = max(comparison.n_deals() for comparison in design.comparisons)
    return (
        f"the smallest p-value that the numbers of completions allow is 1/{n_deals:,}, against "
        f"{found.n_tests:,} tests; needs {_needed(n_prompts, found.n_tests, fdr)}"
    )


def _needed(n_prompts: int, n_tests: int, fdr: float) -> str:
    number = completions_needed(n_prompts, n_tests, fdr)
    return f"{number} completions of each of the {n_prompts} prompts, for one neuron alone to pass"
