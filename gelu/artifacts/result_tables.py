"""Reading back the tables of studies, each by its one reader.

    layers = read_activation_layers(files.path(ACTIVATION_PREDICTION_LAYERS))

Each returns the columns it knows, whatever others there are, and None where there is no such file.
Raises `UserError` naming the row for a cell that the script cannot have written.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gelu.artifacts.checks import SHOWN, Check, Refused, number, text, whole
from gelu.artifacts.csv_records import Record, csv_records, whole_records
from gelu.artifacts.files import is_there, read_text
from gelu.artifacts.tables import LARGEST_LOGPROB
from gelu.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

WHOLE_NUMBER = re.compile("-?[0-9]{1,18}")
NUMBER = re.compile(r"-?[0-9]{1,400}(\.[0-9]{0,400})?([eE][+-]?[0-9]{1,4})?")


@dataclass(frozen=True)
class Column:
    """What the cells of a column are; may_be_empty: an empty cell is a missing number."""

    dtype: Literal["str", "int64", "float64"]
    check: Check
    may_be_empty: bool = False

    def value(self, name: str, cell: str) -> Any:
        """Return a cell's value. Raises `Refused`."""
        if cell == "" and self.may_be_empty:
            return None
        value: Any = cell
        if self.dtype == "int64" and WHOLE_NUMBER.fullmatch(cell):
            value = int(cell)
        if self.dtype == "float64" and NUMBER.fullmatch(cell):
            value = float(cell)
        self.check(name, value)
        return value


def _layer(place: str, value: Any) -> None:
    if value != "all" and re.fullmatch("0|[1-9][0-9]{0,5}", value) is None:
        raise Refused(f"{place} is {ascii(value)[:SHOWN]}; a layer's number, or all, is needed")


TEXT, LAYER, WHOLE = Column("str", text()), Column("str", _layer), Column("int64", whole())
BITS = Column("float64", number(0))
NUMBERS, SHARES = Column("float64", number(), True), Column("float64", number(0, 1), True)

ACTIVATION_LAYERS = {
    "predictor": TEXT,
    "layer": LAYER,
    "log_loss_bits": BITS,
    **dict.fromkeys(("log_loss_low", "log_loss_high", "saved_bits"), NUMBERS),
    **dict.fromkeys(("average_precision", "auc", "calibration_error"), SHARES),
}
TOKEN_SCORES = {
    "predictor": TEXT,
    "neurons": TEXT,
    "n_neurons": WHOLE,
    "cross_entropy_bits": BITS,
    **dict.fromkeys(("cross_entropy_bits_low", "cross_entropy_bits_high"), NUMBERS),
    **dict.fromkeys(("top1", "top5"), SHARES),
}
CARRIERS = {"token_id": WHOLE, "token": TEXT}
FURTHER_OF_CARRIERS = {
    **dict.fromkeys(("n_token", "neuron_id", "layer", "dimension", "direct_rank"), WHOLE),
    **dict.fromkeys(("readout_weight", "readout_effect", "direct_weight"), NUMBERS),
}
DIRECT_PATH = {"layer": WHOLE, "n_neurons": WHOLE}
FURTHER_OF_DIRECT_PATH = {
    **dict.fromkeys(("n_tokens", "correlation"), NUMBERS),
    **dict.fromkeys(("null_neurons_mean", "null_neurons_sd"), NUMBERS),
    **dict.fromkeys(("null_tokens_mean", "null_tokens_sd"), NUMBERS),
    **dict.fromkeys(("share_positive", "p_neurons", "p_tokens"), SHARES),
}

TEMPERATURES = {
    "temperature": Column("float64", number(0)),
    "layer": LAYER,
    "n_samples": Column("int64", whole(1)),
    **dict.fromkeys(("mean_active", "std_active"), BITS),
    **dict.fromkeys(("distinct_neurons", "distinct_output_tokens"), WHOLE),
    "mean_jaccard_between_completions": SHARES,
    "mean_output_logprob": Column("float64", number(most=LARGEST_LOGPROB)),
}


def read_activation_layers(path: Path) -> "pd.DataFrame | None":
    """Return the scores of predicting activations, a row per predictor and layer."""
    return _read(path, ACTIVATION_LAYERS, {}, ["predictor", "layer"])


def read_next_token_scores(path: Path) -> "pd.DataFrame | None":
    """Return the scores of reading the next token, a row per predictor and set of neurons."""
    return _read(path, TOKEN_SCORES, {}, ["predictor", "neurons"])


def read_carriers(path: Path) -> "pd.DataFrame | None":
    """Return which neurons speak for which token; a table without rows has two columns alone."""
    return _read(path, CARRIERS, FURTHER_OF_CARRIERS, ["token_id", "neuron_id"])


def read_direct_path(path: Path) -> "pd.DataFrame | None":
    """Return how alike readout and direct path are, a row per layer."""
    return _read(path, DIRECT_PATH, FURTHER_OF_DIRECT_PATH, ["layer"])


def strongest_neurons(carriers: "pd.DataFrame") -> list[list[int]]:
    """Return [token id, its strongest neuron] of the table of carriers: what its study's document
    repeats of it."""
    if "neuron_id" not in carriers:
        return []
    best = carriers.drop_duplicates("token_id")[["token_id", "neuron_id"]]
    pairs: list[list[int]] = best.to_numpy().tolist()
    return pairs


def read_temperature_study(path: Path) -> "pd.DataFrame | None":
    """Return the study of temperatures, a row per temperature and layer, `all` among the layers.

    Raises `UserError` where a temperature lacks a layer that another has.
    """
    table = _read(path, TEMPERATURES, {}, ["temperature", "layer"])
    if table is None:
        return None
    if len(table) == 0:
        raise UserError(f"{path}: has no rows; run the script that writes it anew")
    layers = [*map(str, range(table["layer"].nunique() - 1)), "all"]
    for temperature, rows in table.groupby("temperature"):
        if rows["layer"].tolist() != layers:
            raise UserError(
                f"{path}: the rows of temperature {temperature:g} are not the layers 0 to "
                f"{len(layers) - 2} and all, in order; run the script that writes it anew"
            )
    return table


def _read(
    path: Path, needed: Mapping[str, Column], further: Mapping[str, Column], keys: list[str]
) -> "pd.DataFrame | None":
    """Return the known columns of a table; keys: what no two rows may share."""
    import pandas as pd

    if not is_there(path):
        return None
    records = csv_records(read_text(path, "a table of this project"), path)
    names = next(records, Record(1, [])).fields
    _require_names(path, names, list(needed))
    known = {name: column for name, column in {**needed, **further}.items() if name in names}
    cells: dict[str, list[Any]] = {name: [] for name in known}
    seen: dict[tuple[Any, ...], str] = {}
    for place, fields in whole_records(records, len(names), path):
        row = dict(zip(names, fields, strict=True))
        for name, column in known.items():
            cells[name].append(_value(place, name, row[name], column))
        key = tuple(cells[name][-1] for name in keys if name in known)
        if (first := seen.setdefault(key, place)) != place:
            raise UserError(f"{place}: the same {', '.join(keys)} as in {first}")
    return pd.DataFrame(
        {name: pd.Series(cells[name], dtype=column.dtype) for name, column in known.items()}
    )[[name for name in names if name in known]]


def _value(place: str, name: str, cell: str, column: Column) -> Any:
    try:
        return column.value(name, cell)
    except Refused as error:
        raise UserError(f"{place}: {error}") from None


def _require_names(path: Path, names: list[str], needed: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{path}: the column {ascii(name)[:SHOWN]} stands there twice")
    for name in needed:
        if name not in names:
            raise UserError(f"{path}: the column {name} is missing")
