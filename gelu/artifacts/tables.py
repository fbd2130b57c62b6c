"""Reading the tables: the dataset, and the neurons' own."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gelu.artifacts.files import read_text
from gelu.artifacts.writers import ATTRIBUTES, FREQUENCY, Artifacts
from gelu.cli import UserError
from gelu.models import Geometry

if TYPE_CHECKING:
    import pandas as pd

TEXT_COLUMNS = ("input_text", "output", "context_token")


def read_dataset(path: Path) -> "pd.DataFrame":
    """Return the dataset's table, text columns as text, whatever the tokens are."""
    import pandas as pd

    try:
        table = pd.read_csv(
            path,
            keep_default_na=False,
            dtype=dict.fromkeys(TEXT_COLUMNS, str),
            encoding="utf-8",
            low_memory=False,
        )
    except (ValueError, OSError) as error:  # pandas' parser and decoding errors are ValueErrors
        raise UserError(f"{path}: not a dataset CSV ({error})") from None
    _require_columns(path, table, ("sample_id", "prompt_sample_idx", "token_position", "output"))
    if table["sample_id"].duplicated().any():
        twice = table.loc[table["sample_id"].duplicated(), "sample_id"].iloc[0]
        raise UserError(f"{path}: sample_id {twice} stands in more than one row")
    return table


def _require_columns(path: Path, table: "pd.DataFrame", names: Iterable[str]) -> None:
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise UserError(f"{path}: the column {missing[0]} is missing")


def read_geometry_table(path: Path) -> Geometry:
    """Return the geometry that a neuron attributes or frequency file lists (n_embd, n_positions 0).

    Raises `UserError` where the rows are not every neuron of every layer, by id.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path)
    except (ValueError, OSError) as error:
        raise UserError(f"{path}: not a neuron table ({error})") from None
    _require_columns(path, table, ("layer", "dimension"))
    layers, dimensions = table["layer"].to_numpy(), table["dimension"].to_numpy()
    if len(table) == 0 or layers.dtype.kind != "i" or dimensions.dtype.kind != "i":
        raise UserError(f"{path}: layer and dimension must be whole numbers, in at least one row")
    n_layer, d_mlp = int(layers.max()) + 1, int(dimensions.max()) + 1
    ids = np.arange(len(table))
    if len(table) != n_layer * d_mlp or (layers * d_mlp + dimensions != ids).any():
        raise UserError(f"{path}: the rows are not every neuron of {n_layer} layers, in order")
    return Geometry(n_layer, 0, d_mlp, 0)


def find_geometry(folder: Path, model: str) -> Geometry | None:
    """Return the geometry that a folder's own neuron tables state, None where it has none."""
    files = Artifacts(folder, model)
    tables = [files.path(ending) for ending in (FREQUENCY, ATTRIBUTES)]
    return next((read_geometry_table(path) for path in tables if path.is_file()), None)


def read_document(path: Path) -> dict[str, Any] | None:
    """Return a JSON document's content, None where there is no such file."""
    if not path.is_file():
        return None
    try:
        content = json.loads(read_text(path))
    except ValueError as error:
        raise UserError(f"{path}: not a JSON file ({error})") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds a {type(content).__name__}, not what describes a run")
    return content


def require_model_file(folder: Path, model: str, ending: str) -> Path:
    """Return the path of `{model}_ending` in `folder`.

    Raises `UserError` where it is missing, naming the models whose file is there.
    """
    path = Artifacts(folder, model).path(ending)
    if path.is_file():
        return path
    others = sorted(other.name.removesuffix(f"_{ending}") for other in folder.glob(f"*_{ending}"))
    there = f"; there is one of --model_type {', '.join(others)}" if others else ""
    raise UserError(f"{path}: no such file{there}")
