"""Reading active neurons: pickles, JSON, the trace's vector and the bool matrix."""

import json
import pickle
import sys
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gelu import safe_pickle
from gelu.artifacts.files import read_text
from gelu.artifacts.writers import MATRIX, PICKLE, Artifacts
from gelu.cli import UserError
from gelu.packed import PackedActivations, rows_in_block

ACTIVATION_ENDINGS = (".pickle", ".pkl", ".json")


def find_activation_file(path: Path) -> Path:
    """Return `path`, or where it is missing a sibling with another ending, said on stderr."""
    if path.is_dir():
        raise UserError(f"{path}: this is a folder, an activations file is needed")
    if path.is_file():
        return path
    for ending in ACTIVATION_ENDINGS:
        sibling = path.with_suffix(ending)
        if sibling.is_file():
            print(f"note: {path} is missing; using {sibling.name}", file=sys.stderr)
            return sibling
    raise UserError(f"{path}: no such file, nor one ending in {', '.join(ACTIVATION_ENDINGS)}")


def dataset_activation_file(folder: Path, model: str) -> Path:
    """Return the file of a dataset folder to read activations from, the fastest that is there.

    Without the `.pickle` that the dataset script writes, it says on stderr what it uses instead.
    """
    files = Artifacts(folder, model)
    matrix = files.path(MATRIX)
    if not matrix.is_file():
        return find_activation_file(files.path(PICKLE))
    if not files.path(PICKLE).is_file():
        print(f"note: {files.path(PICKLE)} is missing; using {matrix.name}", file=sys.stderr)
    return matrix


def read_activations(path: Path, n_neurons: int) -> tuple[list[int], PackedActivations]:
    """Return (sample ids, activations) of a `.pickle`, `.pkl`, `.json` or `.npz`.

    The trace script's vector is one sample, with id 0. Raises `UserError` for a file that holds
    something else, or neurons that a model of `n_neurons` does not have.
    """
    if path.suffix == ".npz":
        return _read_matrix(path, n_neurons)
    content = _read_json(path) if path.suffix == ".json" else _read_pickle(path)
    if isinstance(content, np.ndarray):
        return [0], _from_vector(path, content, n_neurons)
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds a {type(content).__name__}, not samples' neuron ids")
    sample_ids = [_sample_id(path, key) for key in content]
    for sample_id, ids in zip(sample_ids, content.values(), strict=True):
        _check_ids(path, sample_id, ids, n_neurons)
    return sample_ids, PackedActivations.from_ids(list(content.values()), n_neurons)


def read_activation_rows(path: Path, n_neurons: int, wanted: Sequence[int]) -> PackedActivations:
    """Return the activations of the samples `wanted`, in that order.

    Of a `.npz` these rows alone are held. Raises `UserError` like `read_activations`, and for a
    sample that the file does not have.
    """
    if path.suffix == ".npz":
        sample_ids, activations = _read_matrix(path, n_neurons, set(wanted))
    else:
        sample_ids, activations = read_activations(path, n_neurons)
    row_of = {sample_id: row for row, sample_id in enumerate(sample_ids)}
    missing = [sample_id for sample_id in wanted if sample_id not in row_of]
    if missing:
        raise UserError(f"{path}: has no sample {missing[0]}; the dataset CSV is of another run")
    rows = activations.bits[[row_of[sample_id] for sample_id in wanted]]
    return PackedActivations(rows, n_neurons)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(read_text(path))
    except ValueError as error:
        raise UserError(f"{path}: not a JSON file ({error})") from None


def _read_pickle(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            return safe_pickle.load(file)
    except pickle.UnpicklingError as error:
        raise UserError(f"{path}: refused, nothing in it was run: it asks for {error}") from None
    except Exception as error:  # a damaged pickle raises whatever its opcodes lead to
        raise UserError(f"{path}: not a readable pickle ({type(error).__name__}: {error})") from (
            error
        )


def _from_vector(path: Path, vector: NDArray[Any], n_neurons: int) -> PackedActivations:
    if vector.shape != (n_neurons,) or not np.isin(vector, (0, 1)).all():
        raise UserError(
            f"{path}: an array of shape {vector.shape}; a 0/1 vector of the model's {n_neurons} "
            "neurons is needed (is --model_type the one that made it?)"
        )
    return PackedActivations.from_bool(vector[None].astype(bool))


def _sample_id(path: Path, key: Any) -> int:
    if isinstance(key, int) and not isinstance(key, bool):
        return key
    if isinstance(key, str) and key.isascii() and key.isdigit():
        return int(key)
    raise UserError(f"{path}: sample id {key!r} is not a whole number")


def _check_ids(path: Path, sample_id: int, ids: Any, n_neurons: int) -> None:
    try:
        array = np.asarray(ids)
    except ValueError:  # lists of lists of several lengths
        array = np.empty((0, 0))
    listed = isinstance(ids, (list, tuple, np.ndarray)) and array.ndim == 1
    if not listed or (array.size and array.dtype.kind not in "iu"):
        raise UserError(f"{path}: sample {sample_id} is not a list of neuron ids")
    outside = array[(array < 0) | (array >= n_neurons)]
    if outside.size:
        raise UserError(
            f"{path}: sample {sample_id} names neuron {outside[0]}; the model has 0 to "
            f"{n_neurons - 1} (is --model_type the one that made it?)"
        )


def _read_matrix(
    path: Path, n_neurons: int, wanted: set[int] | None = None
) -> tuple[list[int], PackedActivations]:
    """Return (sample ids, activations), only of the samples `wanted` where these are named."""
    bits: list[NDArray[np.uint8]] = [np.empty((0, (n_neurons + 7) // 8), np.uint8)]
    n_rows = 0
    try:
        with zipfile.ZipFile(path) as archive:
            with archive.open("sample_ids.npy") as member:
                sample_ids = np.lib.format.read_array(member, allow_pickle=False)
            _require_integer_ids(path, sample_ids)
            kept = np.isin(sample_ids, sample_ids if wanted is None else list(wanted))
            for block in _matrix_blocks(archive):
                _require_width(path, block, n_neurons)
                rows = kept[n_rows : n_rows + len(block)]
                bits.append(np.packbits(block[: len(rows)][rows], axis=1))
                n_rows += len(block)
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, EOFError, OSError) as error:
        raise UserError(f"{path}: not an activation matrix ({error})") from None
    if n_rows != len(sample_ids):
        raise UserError(f"{path}: sample_ids do not name the {n_rows} rows of matrix")
    return sample_ids[kept].tolist(), PackedActivations(np.concatenate(bits), n_neurons)


def _require_integer_ids(path: Path, sample_ids: NDArray[Any]) -> None:
    if sample_ids.ndim != 1 or sample_ids.dtype.kind not in "iu":
        raise UserError(f"{path}: sample_ids are not a list of whole numbers")


def _require_width(path: Path, block: NDArray[np.bool_], n_neurons: int) -> None:
    if block.shape[1] != n_neurons:
        raise UserError(
            f"{path}: has {block.shape[1]} neurons, the model {n_neurons} "
            "(is --model_type the one that made it?)"
        )


def _matrix_blocks(archive: zipfile.ZipFile) -> Iterator[NDArray[np.bool_]]:
    """Yield the bool matrix in blocks of rows: `np.load` would unpack it whole, a byte a neuron."""
    with archive.open("matrix.npy") as member:
        np.lib.format.read_magic(member)
        shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(member)
        if len(shape) != 2 or fortran_order or dtype != np.dtype(bool):
            raise ValueError(f"matrix is {dtype} of shape {shape}")
        step = rows_in_block(shape[1])
        for start in range(0, shape[0], step):
            rows = min(step, shape[0] - start)
            data = member.read(rows * shape[1])
            if len(data) != rows * shape[1]:
                raise EOFError(f"ends in row {start + len(data) // max(1, shape[1])}")
            yield np.frombuffer(data, np.bool_).reshape(rows, shape[1])
