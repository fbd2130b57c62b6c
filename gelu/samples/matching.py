"""Are these files of one run? Samples, their counts, and what the folder's own files state.

    stated = read_stated([folder], model)           # frequency table, run description, neurons
    check_stated(stated)                            # with each other
    check_table(table, table_path, stated)          # the dataset CSV
    matched = match_samples(table, table_path, sample_ids, activations, path)
    check_counts(matched.table, table_path, matched.activations, geometry, path)
    check_totals(sample_ids, counts, stated, path)  # the activations

Each raises `UserError` for the first sample or neuron that disagrees, naming both files and both
numbers. A run's samples are 0 to n - 1; a table or activations of some of them agree with the run
if its other samples can make up the difference.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gelu.artifacts import Frequency, Stated, layers_stated
from gelu.errors import UserError
from gelu.neurons import Geometry
from gelu.packed import PackedActivations

SHOWN_IDS = 5
APART = "they are not of the same run"


@dataclass(frozen=True)
class Matched:
    """The samples that both have, in the table's order; left_out: what only one has, in words."""

    table: pd.DataFrame
    activations: PackedActivations
    left_out: dict[str, str]


def match_samples(
    table: pd.DataFrame,
    table_path: Path,
    sample_ids: list[int],
    activations: PackedActivations,
    path: Path,
) -> Matched:
    """Return the samples that table and activations share; neither has a sample twice.

    Raises `UserError` where they share none.
    """
    ids = np.asarray(sample_ids, np.int64)
    order = np.argsort(ids, kind="stable")
    ordered = ids[order]
    wanted = table["sample_id"].to_numpy()
    place = np.minimum(np.searchsorted(ordered, wanted), max(0, len(ordered) - 1))
    found = ordered[place] == wanted if len(ordered) else np.zeros(len(wanted), bool)
    if not found.any():
        raise UserError(f"{path}: has none of the samples of {table_path}; are they of one run?")
    left_out = {}
    if not found.all():
        left_out["samples without activations"] = _in_words(wanted[~found])
    if len(extra := np.setdiff1d(ids, wanted)):
        left_out["activations without a row in the dataset CSV"] = _in_words(extra)
    taken = activations.taken(order[place[found]])
    return Matched(table[found].reset_index(drop=True), taken, left_out)


def _in_words(ids: NDArray[np.int64]) -> str:
    shown = ", ".join(map(str, ids[:SHOWN_IDS].tolist()))
    more = f" and {len(ids) - SHOWN_IDS:,} more" if len(ids) > SHOWN_IDS else ""
    return f"{len(ids):,} left out: sample {shown}{more}"


def check_counts(
    table: pd.DataFrame,
    table_path: Path,
    activations: PackedActivations,
    geometry: Geometry,
    path: Path,
) -> None:
    """Refuse activations that are not those of the table: their counts would disagree.

    table, activations: the same samples row by row; a table without counts says nothing.
    """
    layers = layers_stated(table)
    if layers and layers[-1] >= geometry.n_layer:
        raise UserError(
            f"{path}: the model has {geometry.n_layer} layers, {table_path} counts the neurons of "
            f"layer {layers[-1]}: they are of two models"
        )
    counts = activations.layer_counts(geometry.n_layer)
    compared = {f"layer_{layer}_num_active_neurons": counts[:, layer] for layer in layers}
    compared["number_of_active_neurons"] = counts.sum(axis=1)
    for name in [name for name in compared if name in table.columns]:
        found, stated = compared[name], table[name].to_numpy()
        if (found != stated).any():
            row = int((found != stated).argmax())
            layer = f" in layer {name.split('_')[1]}" if name.startswith("layer_") else ""
            raise UserError(
                f"{path}: sample {table['sample_id'].iloc[row]} has {found[row]} active neurons"
                f"{layer}, {table_path} says {stated[row]}: {APART}"
            )


def check_stated(stated: Stated) -> None:
    """Refuse files of which one states another number of samples than the next."""
    numbers = list(stated.samples().items())
    for path, number in numbers[1:]:
        other, others = numbers[0]
        if number != others:
            raise UserError(f"{path}: tells of {number:,} samples, {other} of {others:,}: {APART}")


def check_table(table: pd.DataFrame, path: Path, stated: Stated) -> None:
    """Refuse a dataset CSV that is not of the run that `stated` is of; `path`: where it is from.

    It may have some of the run's samples alone.
    """
    _check_ids(table["sample_id"].to_numpy(), stated, path)
    for frequency in stated.frequencies:
        _check_layer_sums(table, path, frequency, stated.geometry)


def _check_layer_sums(
    table: pd.DataFrame, path: Path, frequency: Frequency, geometry: Geometry | None
) -> None:
    if geometry is None or frequency.n_samples is None:
        return
    known = table[table["sample_id"] < frequency.n_samples]
    by_layer = frequency.counts.reshape(geometry.n_layer, geometry.d_mlp).sum(axis=1)
    most_missing = (frequency.n_samples - len(known)) * geometry.d_mlp
    for layer in [layer for layer in layers_stated(table) if layer < geometry.n_layer]:
        found = int(known[f"layer_{layer}_num_active_neurons"].sum())
        if not 0 <= by_layer[layer] - found <= most_missing:
            raise UserError(
                f"{path}: its {len(known):,} samples have {found:,} active neurons in layer "
                f"{layer}, {frequency.path} says {by_layer[layer]:,} in {frequency.n_samples:,} "
                f"samples: {APART}"
            )


def check_totals(
    sample_ids: Sequence[int], counts: NDArray[np.int64], stated: Stated, path: Path
) -> None:
    """Refuse activations that are not of the run that `stated` is of; `path`: where they are from.

    sample_ids: all that the file has; counts: (n_neurons,), in how many of them each neuron is
    active. A shift within a layer, which the counts by layer hide, shows here.
    """
    ids = np.asarray(sample_ids, np.int64)
    _check_ids(ids, stated, path)
    for frequency in stated.frequencies:
        # Without a number of samples the table is taken for one of all that the file has or more.
        n_samples = len(ids) if frequency.n_samples is None else frequency.n_samples
        shared = int((ids < n_samples).sum())
        missing = n_samples - shared if frequency.n_samples else int(frequency.counts.max())
        difference = counts - frequency.counts
        wrong = (difference < -missing) | (difference > len(ids) - shared)
        if wrong.any():
            neuron = int(wrong.argmax())
            of = "" if frequency.n_samples is None else f" of {n_samples:,}"
            raise UserError(
                f"{path}: neuron {neuron} is active in {counts[neuron]:,} of {len(ids):,} samples, "
                f"{frequency.path} says in {frequency.counts[neuron]:,}{of}: {APART}"
            )


def _check_ids(ids: NDArray[np.int64], stated: Stated, path: Path) -> None:
    """Refuse samples that the run's description does not have."""
    for run in stated.runs:
        if run.n_samples is not None and (ids >= run.n_samples).any():
            raise UserError(
                f"{path}: has sample {ids[ids >= run.n_samples][0]}, {run.path} tells of "
                f"{run.n_samples:,} samples, 0 to {run.n_samples - 1}: {APART}"
            )
