"""The patterns of a dataset: found, tested, described. Samples in, tables and plain values out.

run = extract_patterns("dataset")
run.analysis.patterns, run.analysis.neurons         # tables
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gelu.artifacts.plain import records
from gelu.errors import UserError
from gelu.model.source import ModelSource
from gelu.neurons import dimension_of, layer_of
from gelu.patterns.factors import LEAST_ACTIVE, MOST_ACTIVE
from gelu.patterns.meaning import (
    ROLES,
    Meaning,
    context_of,
    meaning,
    strongest_contexts,
)
from gelu.patterns.settings import PatternSettings
from gelu.patterns.testing import (
    LEAST_PROMPTS,
    MOST_SEARCHED,
    Half,
    PatternStudy,
    Tested,
    study_patterns,
)
from gelu.progress import progress_bar
from gelu.samples.arrays import Samples
from gelu.samples.notes import Notes
from gelu.samples.reading import FolderSamples, read_folder
from gelu.samples.splits import coverage_note

HALVES = ("first half", "second half", "both halves")
MOST_LISTED = 10  # tokens of a role, prompts
TEST = (
    "found in one half of the prompts, tested on the other: cells explained beyond the exact mean "
    "over permutations of each neuron among the samples of its context token; one-sided t-test "
    "over prompts; Benjamini and Hochberg (1995) over all patterns tested"
)

NEURONS_SEARCHED = (
    f"active in {LEAST_ACTIVE} or more of the samples searched, and in no more than "
    f"{MOST_ACTIVE:.0%} of them"
)


@dataclass(frozen=True)
class PatternAnalysis:
    """patterns, neurons: tables as in the file contract; document: all of it as plain values."""

    patterns: pd.DataFrame
    neurons: pd.DataFrame
    document: dict[str, Any]


@dataclass(frozen=True)
class PatternsRun:
    """What was searched, how, and what came of it."""

    read: FolderSamples
    settings: PatternSettings
    analysis: PatternAnalysis

    @property
    def notes(self) -> tuple[str, ...]:
        """Which file was read instead of another."""
        return self.read.notes


def extract_patterns(
    dataset_dir: str | Path,
    model_type: str | ModelSource | None = None,
    settings: PatternSettings | None = None,
) -> PatternsRun:
    """Find the patterns of the folder that `generate_activation_dataset.py` wrote.

    Nothing is written. model_type: None for the model whose files are there. Raises `UserError`
    for a folder without samples, files that do not fit each other or the model, and too few
    prompts.
    """
    return patterns_of(read_folder(dataset_dir, model_type), settings or PatternSettings())


def patterns_of(read: FolderSamples, settings: PatternSettings) -> PatternsRun:
    """Find the patterns of samples that have been read, with a progress bar."""
    require_prompts(read.groups)
    with progress_bar("patterns", n_steps(settings), "search") as bar:
        analysis = extract(read.samples, read.groups, settings, lambda: bar.update(1))
    return PatternsRun(read, settings, analysis)


def n_steps(settings: PatternSettings) -> int:
    """Return how many steps `extract` reports."""
    return 2 * (1 + settings.search.null_draws) + 1


def extract(
    samples: Samples,
    groups: NDArray[np.int64],
    settings: PatternSettings,
    done: Callable[[], object] = lambda: None,
) -> PatternAnalysis:
    """Find, test and describe the patterns; groups: (n,), prompts not to be separated.

    Raises `UserError` for fewer than `LEAST_PROMPTS` prompts.
    """
    require_prompts(groups)
    notes = Notes.of(samples)
    rows = _distinct_rows(samples)
    tokens = samples.tokens("context")
    codes = np.zeros(len(samples), np.int64) if tokens is None else tokens.codes
    distinct = Half(samples.activations, rows, codes[rows], groups[rows])
    study = study_patterns(distinct, settings.search, done)
    counts = [one.pattern.counts(samples.activations) for one in study.kept]
    on = np.zeros((len(samples), len(counts)), bool)
    for number, one in enumerate(study.kept):
        on[:, number] = counts[number] >= one.pattern.threshold
    found = meaning(samples, on, settings.min_token_count, settings.search.fdr, notes)
    done()
    _name_limits(study, notes)
    neurons = _neuron_table(samples, study, on)
    patterns = _pattern_table(samples, study, on, found)
    document = {
        "summary": _summary(samples, groups, settings, study, found, notes),
        "patterns": [
            _described(samples, row, neurons, found, counts[number], one.pattern.threshold)
            for number, (one, row) in enumerate(zip(study.kept, records(patterns), strict=True))
        ],
    }
    return PatternAnalysis(patterns, neurons, document)


def require_prompts(groups: NDArray[np.int64]) -> None:
    """Raise `UserError` where there are too few prompts to hold half of them out."""
    n_prompts = len(np.unique(groups))
    if n_prompts < LEAST_PROMPTS:
        raise UserError(
            f"`dataset_dir`: the dataset has {n_prompts} prompts of different texts; patterns are "
            "found in half of the prompts and tested on the other half, which needs "
            f"{LEAST_PROMPTS} or more (parcellation_datasets/varied.csv has hundreds)"
        )


def _distinct_rows(samples: Samples) -> NDArray[np.int64]:
    """Return one row for all that have the same tokens before them, and so the same neurons."""
    prefixes = samples.completions.prefixes
    if prefixes is None:
        return np.arange(len(samples))
    return np.sort(np.unique(prefixes, return_index=True)[1])


def _name_limits(study: PatternStudy, notes: Notes) -> None:
    if study.n_distinct > sum(study.n_searched):
        notes.subsampled["search for patterns"] = (
            f"at most {MOST_SEARCHED:,} samples of each half, drawn at random; every sample of the "
            "other half is tested, and every sample is assigned to patterns"
        )
    if "context tokens" in notes.skipped:
        notes.skipped["permutation within context tokens"] = (
            "context tokens are unknown; neurons are permuted among all samples"
        )


def _pattern_table(
    samples: Samples, study: PatternStudy, on: NDArray[np.bool_], found: Meaning
) -> pd.DataFrame:
    """Return a row for each pattern kept, columns as in the file contract."""
    prompts = samples.completions.prompts_of_samples()
    rows = []
    for number, one in enumerate(study.kept):
        layers = np.bincount(
            layer_of(one.pattern.neurons, samples.geometry.d_mlp),
            minlength=samples.geometry.n_layer,
        )
        rows.append(
            {
                "pattern": number,
                "n_neurons": len(one.pattern.neurons),
                "threshold": one.pattern.threshold,
                **{f"layer_{layer}_neurons": int(count) for layer, count in enumerate(layers)},
                "n_on": int(on[:, number].sum()),
                "share_on": float(on[:, number].mean()),
                "n_prompts_on": len(np.unique(prompts[on[:, number]])),
                **_test_columns(one),
                **_first_of(found, number),
            }
        )
    return pd.DataFrame(rows, columns=_pattern_columns(samples.geometry.n_layer))


def _pattern_columns(n_layer: int) -> list[str]:
    columns = ["pattern", "n_neurons", "threshold"]
    columns += [f"layer_{layer}_neurons" for layer in range(n_layer)]
    columns += ["n_on", "share_on", "n_prompts_on", "found_in", "likeness_other_half"]
    columns += ["n_on_held_out", "cells_explained", "cells_by_chance"]
    columns += ["surprise_bits", "share_beyond_tokens", "share_low", "share_high"]
    columns += ["p_value", "q_value"]
    for role in ROLES:
        columns += [f"{role}_token", f"{role}_token_lift", f"{role}_token_q_value"]
    columns += ["range_start", "range_end", "range_lift", "range_q_value"]
    return [*columns, "prompt_idx", "prompt_lift", "prompt_q_value", "n_prompts_held_out"]


def _test_columns(one: Tested) -> dict[str, Any]:
    return {
        "found_in": HALVES[one.found_in],
        "likeness_other_half": one.likeness,
        "n_on_held_out": one.n_on,
        "n_prompts_held_out": one.n_prompts,
        "cells_explained": one.explained,
        "cells_by_chance": one.by_chance,
        "surprise_bits": one.surprise_bits,
        "share_beyond_tokens": one.share_beyond,
        "share_low": one.low,
        "share_high": one.high,
        "p_value": one.p_value,
        "q_value": one.q_value,
    }


def _first_of(found: Meaning, number: int) -> dict[str, Any]:
    """Return the most significant token of each role, positions and prompt; None where none is."""
    result: dict[str, Any] = {}
    for role in ROLES:
        table = found.tokens
        row = _first(table[(table["pattern"] == number) & (table["role"] == role)])
        result[f"{role}_token"] = row.get("token")
        result[f"{role}_token_lift"] = row.get("lift")
        result[f"{role}_token_q_value"] = row.get("q_value")
    row = _first(found.positions[found.positions["pattern"] == number])
    result["range_start"], result["range_end"] = row.get("range_start"), row.get("range_end")
    result["range_lift"], result["range_q_value"] = row.get("lift"), row.get("q_value")
    row = _first(found.prompts[found.prompts["pattern"] == number])
    result["prompt_idx"] = row.get("prompt_idx")
    result["prompt_lift"], result["prompt_q_value"] = row.get("lift"), row.get("q_value")
    return result


def _first(table: pd.DataFrame) -> dict[str, Any]:
    return {str(name): value for name, value in table.iloc[0].items()} if len(table) else {}


def _neuron_table(samples: Samples, study: PatternStudy, on: NDArray[np.bool_]) -> pd.DataFrame:
    """Return a row for each neuron of each pattern, the strongest of a pattern first."""
    parts = []
    for number, one in enumerate(study.kept):
        active = samples.activations.columns(one.pattern.neurons)
        there = on[:, number]
        inside = active[there].sum(axis=0) / max(1, there.sum())
        outside = active[~there].sum(axis=0) / max(1, (~there).sum())
        part = pd.DataFrame(
            {
                "pattern": number,
                "neuron_id": one.pattern.neurons,
                "layer": layer_of(one.pattern.neurons, samples.geometry.d_mlp),
                "dimension": dimension_of(one.pattern.neurons, samples.geometry.d_mlp),
                "frequency_on": inside,
                "frequency_off": outside,
            }
        )
        order = np.lexsort((part["neuron_id"], outside - inside))
        parts.append(part.iloc[order])
    columns = ["pattern", "neuron_id", "layer", "dimension", "frequency_on", "frequency_off"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _described(
    samples: Samples,
    row: dict[str, Any],
    neurons: pd.DataFrame,
    found: Meaning,
    counts: NDArray[np.int64],
    threshold: int,
) -> dict[str, Any]:
    """Return one pattern and all that belongs to it, as plain values."""
    number = row["pattern"]
    own = neurons[neurons["pattern"] == number].drop(columns="pattern")
    own_tokens = found.tokens[found.tokens["pattern"] == number].drop(columns="pattern")
    return {
        **row,
        "neurons": _records(own),
        "tokens": {
            role: _records(own_tokens[own_tokens["role"] == role].head(MOST_LISTED), ["role"])
            for role in ROLES
        },
        "prompts": _records(found.prompts[found.prompts["pattern"] == number].head(MOST_LISTED)),
        "positions": _records(found.positions[found.positions["pattern"] == number]),
        "contexts": [
            {**context_of(samples, index), "n_active": int(counts[index])}
            for index in strongest_contexts(samples, counts, threshold)
        ],
    }


def _records(table: pd.DataFrame, without: Sequence[str] = ()) -> list[dict[str, Any]]:
    return records(table.drop(columns=["pattern", *without], errors="ignore"))


def _intervals(study: PatternStudy) -> str:
    if not study.kept:
        return "No pattern is kept, and there are no intervals."
    n_prompts = [one.n_prompts for one in study.kept]
    return coverage_note(min(n_prompts), max(n_prompts))


def _summary(
    samples: Samples,
    groups: NDArray[np.int64],
    settings: PatternSettings,
    study: PatternStudy,
    found: Meaning,
    notes: Notes,
) -> dict[str, Any]:
    return {
        "counts": {
            "samples": len(samples),
            "samples_that_differ": study.n_distinct,
            "completions": len(samples.completions.lengths),
            "prompts": len(np.unique(groups)),
            "neurons": samples.geometry.n_neurons,
            "layers": samples.geometry.n_layer,
            "searched_in_each_half": list(study.n_searched),
            "found_in_each_half": list(study.n_found),
            "tested": study.n_tested,
            "kept": len(study.kept),
        },
        "test": TEST,
        "neurons_searched": NEURONS_SEARCHED,
        "fdr": settings.search.fdr,
        "permuted_data": {
            "kept": study.n_kept_permuted,
            "neurons": study.n_neurons_permuted,
            "samples": sum(study.n_searched),
        },
        "tests_of_meaning": dict(found.n_tests),
        "intervals": _intervals(study),
        "skipped": dict(notes.skipped),
        "subsampled": dict(notes.subsampled),
    }
