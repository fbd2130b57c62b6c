"""All that is asked of a dataset, in one go. Samples in, tables and numbers out.

run = analyse_dataset("dataset")
run.analysis.important, run.analysis.tokens.table        # tables
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gelu.analysis.inputs import read_named
from gelu.analysis.settings import AnalysisSettings
from gelu.errors import UserError, noted
from gelu.model.source import ModelSource
from gelu.progress import progress_bar
from gelu.samples.arrays import Samples
from gelu.samples.notes import Notes
from gelu.samples.reading import FolderSamples
from gelu.statistics.clusters import Clusters, cluster_samples
from gelu.statistics.importance import importance_table, layer_table
from gelu.statistics.position_specific import PositionTests, position_specific_neurons
from gelu.statistics.prompt_comparison import PromptComparison, compare_prompts
from gelu.statistics.threads import one_thread
from gelu.statistics.token_specific import TokenTests, token_specific_neurons
from gelu.statistics.tokens_across_prompts import AcrossPrompts, tokens_across_prompts

STEPS = 6


@dataclass(frozen=True)
class PositionActivity:
    """positions: (P,); frequency: (n_layer, P), share of a layer's neurons active there; specific:
    (n_layer, P), position-specific neurons whose range covers it."""

    positions: NDArray[np.int64]
    frequency: NDArray[np.float64]
    specific: NDArray[np.int64]


@dataclass(frozen=True)
class Analysis:
    """The results, each described where it is made. activity: None without positions."""

    clusters: Clusters
    important: pd.DataFrame
    layers: pd.DataFrame
    tokens: TokenTests
    positions: PositionTests
    activity: PositionActivity | None
    prompts: PromptComparison
    across: AcrossPrompts
    notes: Notes


@dataclass(frozen=True)
class AnalysisRun:
    """What was analysed, how, and what came of it."""

    read: FolderSamples
    settings: AnalysisSettings
    analysis: Analysis

    @property
    def notes(self) -> tuple[str, ...]:
        """Which file was read instead of another."""
        return self.read.notes


def analyse_dataset(
    dataset_dir: str | Path | None = None,
    model_type: str | ModelSource | None = None,
    settings: AnalysisSettings | None = None,
    *,
    dataset_csv: str | Path | None = None,
    activations_file: str | Path | None = None,
) -> AnalysisRun:
    """Analyse what `generate_activation_dataset.py` wrote; nothing is written.

    dataset_csv, activations_file: instead of what is in the folder; model_type: None for the model
    whose files are there. Raises `UserError` for a folder without samples, files that do not fit
    each other or the model, and more clusters than samples.
    """
    read = read_named(dataset_dir, model_type, dataset_csv, activations_file)
    return analyse_read(read, settings or AnalysisSettings())


def analyse_read(read: FolderSamples, settings: AnalysisSettings) -> AnalysisRun:
    """Analyse samples that have been read, with a progress bar."""
    with noted(read.notes):
        require_clusters(settings.clusters, len(read.samples))
    with progress_bar("analysis", STEPS, "step") as bar:
        analysis = analyse(read.samples, settings, lambda: bar.update(1))
    return AnalysisRun(read, settings, analysis)


def require_clusters(clusters: int | None, n_samples: int) -> None:
    """Raise `UserError` for as many clusters as samples, or more."""
    if clusters is not None and clusters >= n_samples:
        raise UserError(
            f"`clusters` {clusters}: there are {n_samples} samples, so at most "
            f"{n_samples - 1} clusters"
        )


def analyse(samples: Samples, settings: AnalysisSettings, done: Callable[[], object]) -> Analysis:
    """Compute everything; `done` is called after each of the `STEPS` steps.

    What cannot be computed, and what rests on a part of the samples, the result's `notes` say.
    """
    notes = Notes.of(samples)
    important = importance_table(samples, settings.seed, notes)
    done()
    with one_thread():
        tokens = token_specific_neurons(
            samples,
            settings.min_token_count,
            settings.fdr,
            settings.min_phi,
            settings.top_per_token,
            notes=notes,
        )
    done()
    by_id = important.sort_values("neuron_id")
    positions = position_specific_neurons(
        samples, by_id["mi_position_bits"].to_numpy(), settings.fdr, notes
    )
    done()
    prompts = compare_prompts(samples, settings.fdr, settings.seed, notes)
    done()
    with one_thread():
        across = tokens_across_prompts(samples, settings.fdr, settings.seed, notes)
    done()
    clusters = cluster_samples(samples, settings.clusters, settings.seed, notes)
    done()
    layers = layer_table(important, samples.geometry)
    activity = _position_activity(samples, positions.table)
    return Analysis(
        clusters, important, layers, tokens, positions, activity, prompts, across, notes
    )


def _position_activity(samples: Samples, specific: pd.DataFrame) -> PositionActivity | None:
    positions = samples.positions()
    if positions is None:
        return None
    geometry = samples.geometry
    distinct, codes = np.unique(positions, return_inverse=True)
    active = np.zeros((len(distinct), geometry.n_layer))
    np.add.at(active, codes, samples.activations.layer_counts(geometry.n_layer))
    frequency = active.T / (np.bincount(codes) * geometry.d_mlp)
    covered = np.zeros((geometry.n_layer, len(distinct)), np.int64)
    ranges = specific[["layer", "range_start", "range_end"]].astype(np.int64)
    for layer, start, end in ranges.itertuples(index=False):
        covered[layer] += (distinct >= start) & (distinct < end)
    return PositionActivity(distinct, frequency, covered)
