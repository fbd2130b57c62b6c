"""All that is asked of a dataset, in one go. Samples in, tables and numbers out."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gelu.samples.arrays import Samples
from gelu.statistics.clusters import Clusters, cluster_samples
from gelu.statistics.importance import importance_table, layer_table
from gelu.statistics.position_specific import PositionTests, position_specific_neurons
from gelu.statistics.prompt_comparison import PromptComparison, compare_prompts
from gelu.statistics.token_specific import TokenTests, token_specific_neurons
from gelu.statistics.tokens_across_prompts import AcrossPrompts, tokens_across_prompts
from gelu.threads import one_thread

STEPS = 6


@dataclass(frozen=True)
class Settings:
    """seed: of every random step; fdr: the false-discovery rate of each family of tests;
    min_token_count: samples that a tested token has at least; n_clusters: None to choose; min_phi,
    top_per_token: which of the token-specific neurons the table keeps."""

    seed: int
    fdr: float
    min_token_count: int
    n_clusters: int | None
    min_phi: float = 0.0
    top_per_token: int | None = None


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


def analyse(samples: Samples, settings: Settings, done: Callable[[], object]) -> Analysis:
    """Compute everything; `done` is called after each of the `STEPS` steps.

    What cannot be computed, and what rests on a part of the samples, ends up in `samples.skipped`
    and `samples.subsampled`.
    """
    important = importance_table(samples, settings.seed)
    done()
    with one_thread():
        tokens = token_specific_neurons(
            samples,
            settings.min_token_count,
            settings.fdr,
            settings.min_phi,
            settings.top_per_token,
        )
    done()
    by_id = important.sort_values("neuron_id")
    positions = position_specific_neurons(
        samples, by_id["mi_position_bits"].to_numpy(), settings.fdr
    )
    done()
    prompts = compare_prompts(samples, settings.fdr, settings.seed)
    done()
    with one_thread():
        across = tokens_across_prompts(samples, settings.fdr, settings.seed)
    done()
    clusters = cluster_samples(samples, settings.n_clusters, settings.seed)
    done()
    layers = layer_table(important, samples.geometry)
    activity = _position_activity(samples, positions.table)
    return Analysis(clusters, important, layers, tokens, positions, activity, prompts, across)


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
