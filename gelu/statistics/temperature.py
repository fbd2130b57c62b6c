"""How neurons and tokens change with the temperature: one table row a temperature and layer.

    rows = [temperature_rows(0.2, table, activations, n_layer), ...]
    study = study_table(rows)

A prompt is a row of the prompts CSV, so that all its completions have as many tokens: the neurons
of a longer completion are more, and its Jaccard index with a shorter one is lower for that alone.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gelu.neurons import layer_range, layer_width
from gelu.packed import PackedActivations
from gelu.samples.grouping import completion_groups
from gelu.statistics.similarity import Overlap, completion_sets, pairwise_overlap

ALL_LAYERS = "all"
NEEDED_COLUMNS = ("output_id", "output_logprob", "prompt_idx")


def study_table(rows: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return one table of several temperatures' rows, in order of temperature."""
    ordered = sorted(rows, key=lambda table: float(table["temperature"].iloc[0]))
    return pd.concat(ordered, ignore_index=True)


def temperature_rows(
    temperature: float, table: pd.DataFrame, activations: PackedActivations, n_layer: int
) -> pd.DataFrame:
    """Return one temperature's rows, columns as in the file contract: its layers, then `all`.

    table: the dataset's, a row a sample, in the order of `activations`. Counts are in neurons,
    log-probabilities in nats; the standard deviation is that of the samples themselves (divided by
    their number). `mean_jaccard_between_completions` is NaN where no prompt has two completions.
    """
    per_layer = activations.layer_counts(n_layer)
    active = np.column_stack([per_layer, per_layer.sum(axis=1)])
    distinct = (activations.counts() > 0).reshape(n_layer, -1).sum(axis=1)
    layers: list[Any] = [*range(n_layer), ALL_LAYERS]
    return pd.DataFrame(
        {
            "temperature": temperature,
            "layer": pd.Series(layers, dtype=object),
            "n_samples": len(table),
            "mean_active": active.mean(axis=0),
            "std_active": active.std(axis=0),
            "distinct_neurons": [*distinct, distinct.sum()],
            "mean_jaccard_between_completions": jaccard_between_completions(
                table, activations, n_layer
            ),
            "distinct_output_tokens": table["output_id"].nunique(),
            "mean_output_logprob": table["output_logprob"].mean(),
        }
    )


def jaccard_between_completions(
    table: pd.DataFrame, activations: PackedActivations, n_layer: int
) -> NDArray[np.float64]:
    """Return the mean Jaccard index of two completions of one prompt, (n_layer + 1,), all last.

    The mean is over all pairs of completions of the same prompt, of all prompts together; NaN where
    there is no pair.
    """
    completions = completion_groups(table)
    sets = completion_sets(activations, completions)
    _, first_rows = np.unique(completions, return_index=True)
    prompts = table["prompt_idx"].to_numpy()[first_rows]
    total, n_pairs = np.zeros(n_layer + 1), 0
    for rows in _prompts_with_pairs(prompts):
        one_of_pair = np.triu_indices(len(rows), k=1)
        for place, overlap in enumerate(_layer_overlaps(sets, rows, n_layer)):
            total[place] += overlap.jaccard()[one_of_pair].sum()
        n_pairs += len(one_of_pair[0])
    return total / n_pairs if n_pairs else np.full(n_layer + 1, np.nan)


def _prompts_with_pairs(prompts: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Yield the completions (rows) of each prompt that has two or more; prompts: of each one."""
    for prompt in np.unique(prompts):
        rows = np.flatnonzero(prompts == prompt)
        if len(rows) > 1:
            yield rows


def _layer_overlaps(
    sets: PackedActivations, rows: NDArray[np.int64], n_layer: int
) -> Iterator[Overlap]:
    """Yield the rows' overlap in each layer, then in all: no neuron is in two layers."""
    shape = (len(rows), len(rows))
    intersection, union = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for layer in range(n_layer):
        overlap = pairwise_overlap(_one_layer(sets, rows, layer, n_layer))
        intersection += overlap.intersection
        union += overlap.union
        yield overlap
    yield Overlap(intersection, union)


def _one_layer(
    sets: PackedActivations, rows: NDArray[np.int64], layer: int, n_layer: int
) -> PackedActivations:
    """Return the rows' neurons of one layer, which may begin and end within a byte."""
    ids = layer_range(layer, layer_width(sets.n_neurons, n_layer))
    covering = sets.bits[rows, ids.start // 8 : (ids.stop + 7) // 8]
    bits = np.unpackbits(covering, axis=1)[:, ids.start % 8 : ids.start % 8 + len(ids)]
    return PackedActivations.from_bool(bits.view(np.bool_))
