"""Reading the tables: the dataset, and the neurons' own."""

import re
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gelu.artifacts import safe_json
from gelu.artifacts.csv_records import Record, csv_records, whole_records
from gelu.artifacts.csv_safe import undo_csv_safe
from gelu.artifacts.files import is_there, read_text
from gelu.artifacts.writers import Artifacts
from gelu.errors import UserError
from gelu.neurons import LARGEST, Geometry, dimension_of, layer_of

if TYPE_CHECKING:
    import pandas as pd

TEXT_COLUMNS = ("input_text", "output", "context_token")
REQUIRED = ("sample_id", "prompt_sample_idx", "token_position", "output")
WHOLE_NUMBERS = (
    "sample_id",
    "prompt_sample_idx",
    "token_position",
    "output_id",
    "number_of_active_neurons",
    "prompt_idx",
    "context_token_id",
    "absolute_position",
)
LAYER_COUNT = re.compile("layer_(0|[1-9][0-9]{0,8})_num_active_neurons")
# A probability of 1 comes out of floating-point arithmetic as a little more.
LARGEST_LOGPROB = 1e-4
SHOWN = 60


def read_dataset(path: Path, geometry: Geometry | None = None) -> "pd.DataFrame":
    """Return the dataset's table, text columns as text, whatever the tokens are.

    Columns may be missing but for `REQUIRED`, and further ones are kept. Raises `UserError` for
    what cannot be, naming the row: numbers that are none or negative, tokens and positions that the
    model of this geometry (`dataset_geometry`) has not, a sample or a token of a completion that
    stands there twice, counts that do not add up, a text that disagrees with its id. Without a
    geometry, tokens and positions are refused that no model has. What `csv_safe` put before texts
    is taken off.
    """
    table = undo_csv_safe(_read_csv(path, "a dataset CSV", TEXT_COLUMNS), path)
    _require_columns(path, table, REQUIRED)
    counts = [name for name in table.columns if LAYER_COUNT.fullmatch(name)]
    _require_whole_numbers(path, table, [*WHOLE_NUMBERS, *counts])
    require_ranges(path, table, geometry)
    _require_logprobs(path, table)
    _refuse_repeated(path, table, ["sample_id"])
    _refuse_repeated(path, table, ["prompt_idx", "prompt_sample_idx", "token_position"])
    _require_sums(path, table, counts)
    _require_one_text(path, table, "prompt_idx", "input_text")
    _require_one_text(path, table, "output_id", "output")
    _require_one_text(path, table, "context_token_id", "context_token")
    return table


def layers_stated(table: "pd.DataFrame") -> list[int]:
    """Return the layers whose active neurons a dataset's table counts, ascending."""
    found = [LAYER_COUNT.fullmatch(name) for name in table.columns]
    return sorted(int(match[1]) for match in found if match)


def _read_csv(path: Path, what: str, texts: Iterable[str]) -> "pd.DataFrame":
    """Return a table, the columns `texts` as text and others as their cells look."""
    import pandas as pd

    _require_distinct_names(path)
    try:
        with warnings.catch_warnings(), path.open("rb") as file:
            # pandas cuts rows that are longer than the header, with no more than a warning.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            # Of a path pandas would unpack what its ending names, however large it becomes.
            table = pd.read_csv(
                file,
                compression=None,
                keep_default_na=False,
                dtype=dict.fromkeys(texts, str),
                encoding="utf-8",
                index_col=False,
                low_memory=False,
            )
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not {what}: no UTF-8 ({error.reason})") from None
    except (ValueError, pd.errors.ParserWarning) as error:  # pandas' errors are ValueErrors
        raise UserError(f"{path}: not {what} ({error})") from None
    for name in texts:
        if name in table.columns and table[name].isna().any():
            row = int(table[name].isna().to_numpy().argmax()) + 1
            raise UserError(f"{path}, row {row}: has fewer fields than the header")
    return table


def _require_distinct_names(path: Path) -> None:
    # pandas would rename the second of two columns of one name.
    with path.open("rb") as file:
        header = file.readline().decode("utf-8-sig", "replace")
    names = next(csv_records(header, path), Record(1, [])).fields
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{path}: the column {ascii(name)[:SHOWN]} stands there twice")


def _require_columns(path: Path, table: "pd.DataFrame", names: Iterable[str]) -> None:
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise UserError(f"{path}: the column {missing[0]} is missing")


def _require_whole_numbers(path: Path, table: "pd.DataFrame", names: Iterable[str]) -> None:
    """Raise `UserError` for a column with anything but whole numbers of 0 or more."""
    for name in names:
        if name not in table.columns or len(table) == 0:
            continue
        if table[name].dtype.kind != "i" or int(table[name].min()) < 0:
            place, cell = _find_cell(path, name, _is_whole_number)
            raise UserError(f"{place}: {name} is {cell}; a whole number of 0 or more is needed")


def require_ranges(path: Path, table: "pd.DataFrame", geometry: Geometry | None) -> None:
    """Raise `UserError` for a token or a position that the model has not, naming the sample.

    geometry: None, or 0 for what is not known of it, refuses what no model has.
    """
    vocabulary = (geometry and geometry.vocab_size) or LARGEST["vocab_size"]
    n_positions = (geometry and geometry.n_positions) or LARGEST["n_positions"]
    for name, end in {
        "output_id": vocabulary,
        "context_token_id": vocabulary,
        "token_position": n_positions,
        "absolute_position": n_positions,
    }.items():
        if name not in table.columns:
            continue
        if (wrong := (table[name] >= end).to_numpy()).any():
            row = int(wrong.argmax())
            raise UserError(
                f"{path}: sample {table['sample_id'].iloc[row]} has {name} "
                f"{table[name].iloc[row]}; the model has 0 to {end - 1}: name the model that made "
                "the dataset"
            )


def _is_whole_number(cell: str) -> bool:
    return re.fullmatch(r"\s*\+?[0-9]{1,18}\s*", cell, re.ASCII) is not None


def _require_logprobs(path: Path, table: "pd.DataFrame") -> None:
    name = "output_logprob"
    if name not in table.columns or len(table) == 0:
        return
    column = table[name]
    if column.dtype.kind not in "if" or not column.between(-np.inf, LARGEST_LOGPROB, "right").all():
        place, cell = _find_cell(path, name, _is_logprob)
        raise UserError(f"{place}: {name} is {cell}; the log of a probability is needed")


def _is_logprob(cell: str) -> bool:
    try:
        return -np.inf < float(cell) <= LARGEST_LOGPROB
    except ValueError:
        return False


def _find_cell(path: Path, column: str, is_right: Callable[[str], bool]) -> tuple[str, str]:
    """Return where a column's first wrong cell stands, and what it holds; ("path", "") for none.

    Slow: the table has been read already, and is known to have one.
    """
    records = csv_records(read_text(path), path)
    names = next(records, Record(1, [])).fields
    place_of = names.index(column)
    for place, fields in whole_records(records, len(names), path):
        if not is_right(fields[place_of]):
            return place, ascii(fields[place_of])[:SHOWN]
    return str(path), "of no readable kind"


def _refuse_repeated(path: Path, table: "pd.DataFrame", names: list[str]) -> None:
    if set(names) <= set(table.columns) and (repeated := table.duplicated(names).to_numpy()).any():
        row = int(repeated.argmax())
        shown = ", ".join(f"{name} {table[name].iloc[row]}" for name in names)
        raise UserError(f"{path}: {shown} stands in more than one row, again in row {row + 1}")


def _require_sums(path: Path, table: "pd.DataFrame", counts: list[str]) -> None:
    name = "number_of_active_neurons"
    if name not in table.columns or not counts:
        return
    wrong = (table[counts].sum(axis=1) != table[name]).to_numpy()
    if wrong.any():
        row = int(wrong.argmax())
        raise UserError(
            f"{path}, row {row + 1}: {name} is {table[name].iloc[row]}, its layers' sum is "
            f"{table[counts].iloc[row].sum()}"
        )


def _require_one_text(path: Path, table: "pd.DataFrame", number: str, text: str) -> None:
    """Raise `UserError` where rows of one number, such as a token's id, have several texts."""
    if not {number, text} <= set(table.columns):
        return
    pairs = table[[number, text]].drop_duplicates()
    if (repeated := pairs[number].duplicated()).any():
        row = int(pairs.index[repeated][0])
        raise UserError(
            f"{path}, row {row + 1}: {text} is not the one that {number} "
            f"{table[number].iloc[row]} has in another row"
        )


def read_geometry_table(path: Path) -> Geometry:
    """Return the geometry that a neuron attributes or frequency file lists (n_embd, n_positions 0).

    Raises `UserError` where the rows are not every neuron of every layer, by id.
    """
    return _listed_geometry(path, _read_csv(path, "a neuron table", ()))


def read_counted_neurons(
    path: Path,
) -> tuple[Geometry, NDArray[np.int64] | None, NDArray[np.float64] | None]:
    """Return a frequency table's geometry, counts and frequencies, the latter (n_neurons,).

    None for a column that it does not have. Raises `UserError` as `read_geometry_table` does, and
    for counts that are no whole numbers and frequencies outside of 0 to 1.
    """
    table = _read_csv(path, "a neuron table", ())
    geometry = _listed_geometry(path, table)
    _require_whole_numbers(path, table, ("activation_count",))
    name = "activation_frequency"
    if name in table.columns and not (
        table[name].dtype.kind in "if" and table[name].between(0, 1).all()
    ):
        place, cell = _find_cell(path, name, _is_share)
        raise UserError(f"{place}: {name} is {cell}; a number from 0 to 1 is needed")
    counts, shares = (table.get(column) for column in ("activation_count", name))
    return (
        geometry,
        None if counts is None else counts.to_numpy(np.int64),
        None if shares is None else shares.to_numpy(np.float64),
    )


def _is_share(cell: str) -> bool:
    try:
        return 0 <= float(cell) <= 1
    except ValueError:
        return False


def _listed_geometry(path: Path, table: "pd.DataFrame") -> Geometry:
    _require_columns(path, table, ("layer", "dimension"))
    if len(table) == 0:
        raise UserError(f"{path}: layer and dimension must be whole numbers, in at least one row")
    _require_whole_numbers(path, table, ("node_id", "neuron_id", "layer", "dimension"))
    layers, dimensions = table["layer"].to_numpy(), table["dimension"].to_numpy()
    _require_below(path, table, ("layer", "dimension"), len(table))
    n_layer, d_mlp = int(layers.max()) + 1, int(dimensions.max()) + 1
    ids = np.arange(len(table))
    wrong = (layers != layer_of(ids, d_mlp)) | (dimensions != dimension_of(ids, d_mlp))
    for name in {"node_id", "neuron_id"} & set(table.columns):
        wrong |= table[name].to_numpy() != ids
    if len(table) != n_layer * d_mlp or wrong.any():
        row = int(wrong.argmax()) + 1 if wrong.any() else len(table)
        raise UserError(
            f"{path}: the rows are not every neuron of {n_layer} layers, in order (see row {row})"
        )
    return Geometry(n_layer, 0, d_mlp, 0)


def _require_below(path: Path, table: "pd.DataFrame", names: Iterable[str], end: int) -> None:
    for name in names:
        if (wrong := (table[name] >= end).to_numpy()).any():
            row = int(wrong.argmax())
            raise UserError(
                f"{path}, row {row + 1}: {name} is {table[name].iloc[row]}; {end:,} rows, one for "
                f"each neuron of each layer, reach to {end - 1} at most"
            )


def read_document(path: Path) -> dict[str, Any] | None:
    """Return a JSON document's content, None where there is no such file."""
    if not is_there(path):
        return None
    try:
        content = safe_json.parse(read_text(path, "a JSON file"))
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
    others = models_in(folder, [ending])
    there = f"; there is one of `model_type` {', '.join(others)}" if others else ""
    raise UserError(f"{path}: no such file{there}")


def models_in(folder: Path, endings: Iterable[str]) -> list[str]:
    """Return the names of the models that have a file `{m}_ending` in `folder`, in order.

    None for a folder that cannot be read. Only names that a model's files can have: letters,
    digits, `.`, `_` and `-`.
    """
    try:
        files = [path.name for path in folder.iterdir()]
    except (OSError, ValueError):  # whoever opens what should be there says what is wrong
        return []
    called = [
        re.fullmatch(rf"([A-Za-z0-9._-]+)_{re.escape(it)}", f) for it in endings for f in files
    ]
    return sorted({match[1] for match in called if match})
