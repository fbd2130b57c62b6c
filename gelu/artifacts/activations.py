"""Reading active neurons: pickles, JSON, the trace's vector and the bool matrix."""

import math
import pickle
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from gelu.artifacts import safe_json, safe_pickle
from gelu.artifacts.files import read_text
from gelu.artifacts.names import MATRIX, PICKLE
from gelu.artifacts.writers import Artifacts
from gelu.errors import UserError
from gelu.packed import PackedActivations, rows_in_block

ACTIVATION_ENDINGS = (".pickle", ".pkl", ".json")
LARGEST_ID = (1 << 63) - 1
SHOWN = 60
# Beyond this size and ratio a compressed array is a zip bomb: even a matrix of which one cell in a
# thousand is set is deflated by less.
BOMB_BYTES = 1 << 28
BOMB_RATIO = 500


def find_activation_file(path: Path, note: Callable[[str], object]) -> Path:
    """Return `path`, or where it is missing a sibling with another ending, of which `note` is told.

    Raises `UserError` where neither is there.
    """
    if path.is_dir():
        raise UserError(f"{path}: this is a folder, an activations file is needed")
    found = _with_any_ending(path)
    if found != path:
        note(f"{path} is missing; using {found.name}")
    return found


def dataset_activation_file(folder: Path, model: str) -> Path:
    """Return the file of a dataset folder to read activations from, the fastest that is there.

    Raises `UserError` where there is none.
    """
    files = Artifacts(folder, model)
    matrix = files.path(MATRIX)
    return matrix if matrix.is_file() else _with_any_ending(files.path(PICKLE))


def _with_any_ending(path: Path) -> Path:
    """Return the path, or the first sibling that is there; `UserError` for none."""
    for candidate in (path, *map(path.with_suffix, ACTIVATION_ENDINGS)):
        if candidate.is_file():
            return candidate
    raise UserError(f"{path}: no such file, nor one ending in {', '.join(ACTIVATION_ENDINGS)}")


def read_activations(path: Path, n_neurons: int) -> tuple[list[int], PackedActivations]:
    """Return (sample ids, activations) of a `.pickle`, `.pkl`, `.json` or `.npz`.

    The trace script's vector is one sample, with id 0. A sample's neurons may stand in any order,
    none twice. Raises `UserError` for a file that holds something else, a sample twice, or neurons
    that a model of `n_neurons` does not have.
    """
    sample_ids, activations = read_samples_or_trace(path, n_neurons)
    return [0] if sample_ids is None else sample_ids, activations


def read_samples_or_trace(path: Path, n_neurons: int) -> tuple[list[int] | None, PackedActivations]:
    """Return what `read_activations` does, for a trace's vector, which is no sample, no ids."""
    if path.suffix == ".npz":
        return _read_matrix(path, n_neurons)
    content = _read_json(path) if path.suffix == ".json" else _read_pickle(path)
    if isinstance(content, np.ndarray):
        return None, _from_vector(path, content, n_neurons)
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds a {type(content).__name__}, not samples' neuron ids")
    sample_ids = [_sample_id(path, key) for key in content]
    _require_unique(path, sample_ids)
    # Each list is let go once it is an array, which takes a tenth of its memory.
    rows = [
        _checked_ids(path, sample_id, content.pop(key), n_neurons)
        for sample_id, key in zip(sample_ids, list(content), strict=True)
    ]
    return sample_ids, PackedActivations.from_ids(rows, n_neurons)


@dataclass(frozen=True)
class Totals:
    """All samples of a file, whichever were read. counts: (n_neurons,), active in how many."""

    sample_ids: list[int]
    counts: NDArray[np.int64]


def read_activation_rows(
    path: Path, n_neurons: int, wanted: Sequence[int]
) -> tuple[PackedActivations, Totals]:
    """Return the activations of the samples `wanted`, in that order, and all samples' totals.

    Of a `.npz` these rows alone are held. Raises `UserError` like `read_activations`, and for a
    sample that the file does not have.
    """
    if path.suffix == ".npz":
        counts = np.zeros(n_neurons, np.int64)
        sample_ids, read, activations = _read_matrix_rows(path, n_neurons, set(wanted), counts)
    else:
        sample_ids, activations = read_activations(path, n_neurons)
        read, counts = sample_ids, activations.counts()
    row_of = {sample_id: row for row, sample_id in enumerate(read)}
    missing = [sample_id for sample_id in wanted if sample_id not in row_of]
    if missing:
        raise UserError(f"{path}: has no sample {missing[0]}; the dataset CSV is of another run")
    rows = np.array([row_of[sample_id] for sample_id in wanted], np.int64)
    return activations.taken(rows), Totals(sample_ids, counts)


def _read_json(path: Path) -> Any:
    try:
        return safe_json.parse(read_text(path, "a JSON file"))
    except ValueError as error:
        raise UserError(f"{path}: not a JSON file ({error})") from None


def _read_pickle(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            return safe_pickle.load(file)
    except pickle.UnpicklingError as error:
        raise UserError(f"{path}: refused, nothing in it was run: it asks for {error}") from None
    except ValueError as error:
        raise UserError(f"{path}: not a readable pickle ({error})") from None


def _from_vector(path: Path, vector: NDArray[Any], n_neurons: int) -> PackedActivations:
    if vector.shape != (n_neurons,) or not np.isin(vector, (0, 1)).all():
        raise UserError(
            f"{path}: an array of shape {vector.shape}; a 0/1 vector of the model's {n_neurons} "
            "neurons is needed (is `model_type` the one that made it?)"
        )
    return PackedActivations.from_bool(vector[None].astype(bool))


def _sample_id(path: Path, key: Any) -> int:
    is_number = isinstance(key, int) and not isinstance(key, bool)
    if is_number or (isinstance(key, str) and re.fullmatch("0|[1-9][0-9]{0,18}", key)):
        sample_id = int(key)
        if 0 <= sample_id <= LARGEST_ID:
            return sample_id
    raise UserError(f"{path}: sample id {ascii(key)[:SHOWN]} is not a whole number of 0 or more")


def _require_unique(path: Path, sample_ids: Sequence[int]) -> None:
    seen: set[int] = set()
    for sample_id in sample_ids:
        if sample_id in seen:
            raise UserError(f"{path}: sample {sample_id} stands there more than once")
        seen.add(sample_id)


def _checked_ids(path: Path, sample_id: int, ids: Any, n_neurons: int) -> NDArray[np.int64]:
    """Return one sample's neuron ids as an array. Raises `UserError` naming what is wrong."""
    if len(array := _id_array(path, sample_id, ids)) == 0:
        return array
    if array.min() < 0 or array.max() >= n_neurons:
        outside = array[(array < 0) | (array >= n_neurons)]
        raise UserError(
            f"{path}: sample {sample_id} names neuron {outside[0]}; the model has 0 to "
            f"{n_neurons - 1} (is `model_type` the one that made it?)"
        )
    if (np.diff(array) <= 0).any():
        ordered = np.sort(array)
        twice = ordered[1:][ordered[1:] == ordered[:-1]]
        if len(twice):
            raise UserError(f"{path}: sample {sample_id} names neuron {twice[0]} more than once")
    return array


def _id_array(path: Path, sample_id: int, ids: Any) -> NDArray[np.int64]:
    if isinstance(ids, np.ndarray):
        if ids.ndim == 1 and ids.dtype.kind in "iu":
            # `uint64` may hold larger ids, which no model has.
            largest = min(LARGEST_ID, np.iinfo(ids.dtype).max)
            return np.minimum(ids, ids.dtype.type(largest)).astype(np.int64)
    # By the types of its items, for NumPy would take True for 1, and walk through lists of lists.
    elif isinstance(ids, (list, tuple)) and set(map(type, ids)) <= {int}:
        try:
            return np.array(ids, np.int64)
        except OverflowError:
            raise UserError(
                f"{path}: sample {sample_id} names a neuron beyond {LARGEST_ID}"
            ) from None
    raise UserError(f"{path}: sample {sample_id} is not a list of neuron ids")


def _read_matrix(path: Path, n_neurons: int) -> tuple[list[int], PackedActivations]:
    sample_ids, _, activations = _read_matrix_rows(path, n_neurons)
    return sample_ids, activations


def _read_matrix_rows(
    path: Path,
    n_neurons: int,
    wanted: set[int] | None = None,
    counts: NDArray[np.int64] | None = None,
) -> tuple[list[int], list[int], PackedActivations]:
    """Return (all sample ids, those read, activations).

    wanted: read these samples alone, None for all. counts: (n_neurons,), to which all samples'
    active neurons are added.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _archived_matrix(path, archive, n_neurons, wanted, counts)
    except UserError:
        raise
    except Exception as error:  # a damaged archive raises whatever its parsers happen to raise
        reason = " ".join(f"{error}".split())[:200] or type(error).__name__
        raise UserError(f"{path}: not an activation matrix ({reason})") from None


def _archived_matrix(
    path: Path,
    archive: zipfile.ZipFile,
    n_neurons: int,
    wanted: set[int] | None,
    counts: NDArray[np.int64] | None,
) -> tuple[list[int], list[int], PackedActivations]:
    _require_honest_members(path, archive)
    with _open_array(archive, "matrix", np.dtype(bool)) as (shape, _):
        _require_width(path, shape, n_neurons)
    sample_ids, neuron_ids = (_read_ids(archive, name) for name in ("sample_ids", "neuron_ids"))
    if len(sample_ids) != shape[0]:
        raise UserError(f"{path}: sample_ids do not name the {shape[0]} rows of matrix")
    if not np.array_equal(neuron_ids, np.arange(n_neurons)):
        raise UserError(f"{path}: neuron_ids are not 0 to {n_neurons - 1}, in order")
    if len(sample_ids) and (least := int(sample_ids.min())) < 0:
        raise UserError(f"{path}: sample id {least} is not a whole number of 0 or more")
    _require_unique(path, sample_ids.tolist())
    kept = np.isin(sample_ids, sample_ids if wanted is None else list(wanted))
    bits = np.empty((int(kept.sum()), (n_neurons + 7) // 8), np.uint8)
    first = filled = 0
    for block in _matrix_blocks(archive):
        if counts is not None:
            counts += block.sum(axis=0, dtype=np.int64)
        packed = np.packbits(block[kept[first : first + len(block)]], axis=1)
        bits[filled : filled + len(packed)] = packed
        first, filled = first + len(block), filled + len(packed)
    activations = PackedActivations(bits, n_neurons)
    return sample_ids.tolist(), sample_ids[kept].tolist(), activations


def _require_honest_members(path: Path, archive: zipfile.ZipFile) -> None:
    """Refuse archives that say one thing to one reader and another to the next, and zip bombs."""
    with path.open("rb") as file:  # a directory at the end suffices for `zipfile`, not for NumPy
        if file.read(4) != b"PK\x03\x04":
            raise ValueError("it does not begin as an archive")
    names = archive.namelist()
    for name in ("matrix.npy", "sample_ids.npy", "neuron_ids.npy"):
        if names.count(name) != 1:
            raise ValueError(f"{names.count(name)} members are called {name}, 1 is needed")
        member = archive.getinfo(name)
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{name} is compressed by another method than deflate")
        if member.file_size > max(BOMB_BYTES, BOMB_RATIO * member.compress_size):
            raise ValueError(
                f"{name} unpacks from {member.compress_size:,} bytes to {member.file_size:,}: no "
                "record of activity is so uniform"
            )


def _read_ids(archive: zipfile.ZipFile, name: str) -> NDArray[np.int64]:
    with _open_array(archive, name, np.dtype(np.int64)) as (shape, member):
        if len(shape) != 1:
            raise ValueError(f"{name} has {len(shape)} dimensions, 1 is needed")
        return np.frombuffer(member.read(), np.int64)


def _require_width(path: Path, shape: tuple[int, ...], n_neurons: int) -> None:
    if len(shape) != 2:
        raise ValueError(f"matrix has {len(shape)} dimensions, 2 are needed")
    if shape[1] != n_neurons:
        raise UserError(
            f"{path}: has {shape[1]} neurons, the model {n_neurons} "
            "(is `model_type` the one that made it?)"
        )


@contextmanager
def _open_array(
    archive: zipfile.ZipFile, name: str, dtype: np.dtype[Any]
) -> Iterator[tuple[tuple[int, ...], IO[bytes]]]:
    """Give an array's shape, and its file behind the header.

    Raises `ValueError` where it is not of this type, row by row, or not as long as it says.
    """
    with archive.open(f"{name}.npy") as member:
        if np.lib.format.read_magic(member) != (1, 0):
            raise ValueError(f"{name} is of another version of NumPy's format than 1.0")
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # at headers that NumPy does not write today
            shape, by_columns, found = np.lib.format.read_array_header_1_0(member)
        if found != dtype or (by_columns and len(shape) > 1):
            raise ValueError(f"{name} is {found} of shape {shape}, {dtype} by rows is needed")
        size = archive.getinfo(f"{name}.npy").file_size - member.tell()
        if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != size:
            raise ValueError(f"{name} has {size:,} bytes, which are not its shape {shape}")
        yield shape, member


def _matrix_blocks(archive: zipfile.ZipFile) -> Iterator[NDArray[np.bool_]]:
    """Yield the bool matrix in blocks of rows: `np.load` would unpack it whole, a byte a neuron."""
    with _open_array(archive, "matrix", np.dtype(bool)) as (shape, member):
        step = rows_in_block(shape[1])
        for start in range(0, shape[0], step):
            rows = min(step, shape[0] - start)
            data = member.read(rows * shape[1])
            yield np.frombuffer(data, np.bool_).reshape(rows, shape[1])
