"""Do a dataset's table and an activations file belong together?"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from gelu.artifacts import layers_stated
from gelu.cli import UserError
from gelu.models import Geometry
from gelu.packed import PackedActivations

SHOWN_IDS = 5


@dataclass(frozen=True)
class Matched:
    """The samples that both have, in the table's order; left_out: what only one has, in words."""

    table: pd.DataFrame
    activations: PackedActivations
    left_out: dict[str, str]


def match_samples(
    table: pd.DataFrame, sample_ids: list[int], activations: PackedActivations, path: Path
) -> Matched:
    """Return the samples that table and activations share.

    Raises `UserError` where they share none, or a sample stands twice in the file `path`.
    """
    ids = np.asarray(sample_ids, np.int64)
    order = np.argsort(ids, kind="stable")
    ordered = ids[order]
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if len(twice):
        raise UserError(f"{path}: sample {twice[0]} stands there more than once")
    wanted = table["sample_id"].to_numpy()
    place = np.minimum(np.searchsorted(ordered, wanted), max(0, len(ordered) - 1))
    found = ordered[place] == wanted if len(ordered) else np.zeros(len(wanted), bool)
    if not found.any():
        raise UserError(f"{path}: has none of the dataset CSV's samples; are they of one run?")
    left_out = {}
    if not found.all():
        left_out["samples without activations"] = _in_words(wanted[~found])
    if len(extra := np.setdiff1d(ids, wanted)):
        left_out["activations without a row in the dataset CSV"] = _in_words(extra)
    taken = activations.taken(order[place[found]])
    return Matched(table[found].reset_index(drop=True), taken, left_out)


def _in_words(ids: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> str:
    shown = ", ".join(map(str, ids[:SHOWN_IDS].tolist()))
    more = f" and {len(ids) - SHOWN_IDS:,} more" if len(ids) > SHOWN_IDS else ""
    return f"{len(ids):,} left out: sample {shown}{more}"


def check_counts(
    table: pd.DataFrame, activations: PackedActivations, geometry: Geometry, path: Path
) -> None:
    """Refuse activations that are not those of the table: their counts would disagree.

    table, activations: the same samples row by row; a table without counts says nothing. Raises
    `UserError` naming the file `path`, the sample and the layer.
    """
    layers = layers_stated(table)
    if layers and layers[-1] >= geometry.n_layer:
        raise UserError(
            f"{path}: the model has {geometry.n_layer} layers, the dataset CSV counts the neurons "
            f"of layer {layers[-1]}: they are of two models"
        )
    counts = activations.layer_counts(geometry.n_layer)[:, layers]
    stated = table[[f"layer_{layer}_num_active_neurons" for layer in layers]].to_numpy()
    wrong = np.argwhere((stated != counts).T)
    if len(wrong):
        column, row = wrong[0]
        raise UserError(
            f"{path}: sample {table['sample_id'].iloc[row]} has {counts[row, column]} active "
            f"neurons in layer {layers[column]}, the dataset CSV says {stated[row, column]}: they "
            "are not of the same run"
        )
