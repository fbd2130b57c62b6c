"""Every file the scripts exchange: its name, its one writer and its one reader.

    files = Artifacts(folder, "gpt2-demo")
    files.write_activations(sample_ids, packed)
    sample_ids, packed = read_activations(files.path(MATRIX), n_neurons)

A file appears under its final name only when it is complete: it is written beside, synced and
renamed. What a person can have got wrong (a missing file, a wrong format) is a `UserError`.
"""

import csv
import errno
import hashlib
import json
import os
import pickle
import re
import shutil
import sys
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gelu import safe_pickle
from gelu.cli import UserError
from gelu.models import Geometry
from gelu.packed import PackedActivations

if TYPE_CHECKING:
    import networkx as nx
    import pandas as pd

ATTRIBUTES = "neuron_attributes.csv"
EDGES = "neuron_edges.el"
DATASET = "activation_dataset.csv"
PICKLE = "neuron_activations.pickle"
JSON = "neuron_activations.json"
FREQUENCY = "neuron_frequency.csv"
MATRIX = "activation_matrix.npz"
RUN = "run.json"
TRACE_VECTOR = "activations.pkl"
TRACE_IDS = "active_neurons.txt"
GRAPH_PICTURE = "gelu_graph.png"
NEURONS_PICTURE = "gelu_graph_neurons.png"
GRAPHML = "gelu_graph.graphml"
GEXF = "gelu_graph.gexf"

ACTIVATION_ENDINGS = (".pickle", ".pkl", ".json")
TEXT_COLUMNS = ("input_text", "output", "context_token")
EDGE_CHUNK_BYTES = 1 << 24
FLOAT = rb"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"


@contextmanager
def complete_file(path: Path, size: int | None = None) -> Iterator[IO[bytes]]:
    """Give a binary file to write that takes the name `path` when the block ends without error.

    size: the bytes to come, where known; a disk that cannot hold them is refused beforehand.
    """
    if size is not None and shutil.disk_usage(path.parent).free < size:
        free = shutil.disk_usage(path.parent).free
        raise UserError(
            f"{path}: needs {size:,} bytes and the disk has {free:,} free; make room or choose "
            "another folder"
        )
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UserError(f"{path}: the disk is full; make room and run the command again") from None
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()


def write_bytes(path: Path, blocks: Iterable[bytes | memoryview], size: int | None = None) -> None:
    """Write `blocks` one after another to `path`."""
    with complete_file(path, size) as file:
        file.writelines(blocks)


@dataclass(frozen=True)
class Artifacts:
    """The files of one model in one folder; `model` is the model's artifact name."""

    folder: Path
    model: str

    def path(self, ending: str) -> Path:
        """Return the path of `{m}_ending`."""
        return self.folder / f"{self.model}_{ending}"

    def write_attributes(self, geometry: Geometry) -> Path:
        """Write `node_id,layer,dimension`, one row per neuron."""
        lines = (
            f"{layer * geometry.d_mlp + dimension},{layer},{dimension}\n"
            for layer in range(geometry.n_layer)
            for dimension in range(geometry.d_mlp)
        )
        path = self.path(ATTRIBUTES)
        write_bytes(path, [b"node_id,layer,dimension\n", "".join(lines).encode()])
        return path

    def write_edges(self, blocks: Iterable[bytes | memoryview], size: int) -> Path:
        """Write the blocks of an edge list of `size` bytes in all."""
        path = self.path(EDGES)
        write_bytes(path, blocks, size)
        return path

    def write_dataset(self, table: "pd.DataFrame") -> Path:
        """Write the dataset's table, a row per sample."""
        path = self.path(DATASET)
        with complete_file(path) as file:
            file.write((",".join(table.columns) + "\n").encode())
            # All text is quoted: a bare \r would otherwise read back as the end of a row.
            table.to_csv(
                file,
                index=False,
                header=False,
                encoding="utf-8",
                quoting=csv.QUOTE_NONNUMERIC,
                lineterminator="\n",
            )
        return path

    def write_pickle(self, sample_ids: Sequence[int], activations: PackedActivations) -> Path:
        """Write the dict of sample id -> list of active neuron ids, as a pickle."""
        path = self.path(PICKLE)
        write_bytes(path, _pickle_chunks(sample_ids, activations))
        return path

    def write_json(self, sample_ids: Sequence[int], activations: PackedActivations) -> Path:
        """Write the dict of sample id -> list of active neuron ids, as JSON."""
        path = self.path(JSON)
        write_bytes(path, _json_chunks(sample_ids, activations))
        return path

    def write_matrix(self, sample_ids: Sequence[int], activations: PackedActivations) -> Path:
        """Write the bool matrix with its row and column ids, as a compressed .npz."""
        path = self.path(MATRIX)
        n_neurons = activations.n_neurons
        with complete_file(path) as file, _new_archive(file) as archive:
            blocks = (block for _, block in activations.blocks())
            _write_array(archive, "matrix", np.dtype(bool), (len(activations), n_neurons), blocks)
            for name, ids in (("sample_ids", sample_ids), ("neuron_ids", range(n_neurons))):
                array = np.asarray(ids, np.int64)
                _write_array(archive, name, array.dtype, array.shape, [array])
        return path

    def write_frequency(self, activations: PackedActivations, geometry: Geometry) -> Path:
        """Write how often each neuron is active, never-active ones included."""
        path = self.path(FREQUENCY)
        counts = activations.counts().tolist()
        n_samples = max(1, len(activations))
        lines = (
            f"{neuron},{neuron // geometry.d_mlp},{neuron % geometry.d_mlp},"
            f"{count},{count / n_samples!r}\n"
            for neuron, count in enumerate(counts)
        )
        header = b"neuron_id,layer,dimension,activation_count,activation_frequency\n"
        write_bytes(path, [header, "".join(lines).encode()])
        return path

    def write_run(self, run: Mapping[str, Any]) -> Path:
        """Write what made the folder, keys sorted."""
        path = self.path(RUN)
        text = json.dumps(run, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        write_bytes(path, [text.encode()])
        return path

    def write_trace(self, active: NDArray[np.bool_]) -> tuple[Path, Path]:
        """Write one text's active neurons as a uint8 vector and as a list of ids."""
        vector, ids = self.path(TRACE_VECTOR), self.path(TRACE_IDS)
        write_bytes(vector, [pickle.dumps(active.astype(np.uint8), protocol=4)])
        write_bytes(ids, [f"{neuron}\n".encode() for neuron in np.flatnonzero(active)])
        return vector, ids


def _pickle_chunks(sample_ids: Sequence[int], activations: PackedActivations) -> Iterator[bytes]:
    """Yield the opcodes of a pickled dict, a sample at a time.

    `pickle.dump` needs the whole dict in memory, 36 bytes an id; this needs one block of rows.
    """
    opcode, width = (b"M", "<u2") if activations.n_neurons <= 1 << 16 else (b"J", "<i4")
    entry = np.dtype([("opcode", "S1"), ("value", width)])
    yield b"\x80\x04}"
    for start, block in activations.blocks():
        yield b"("
        for sample_id, row in zip(sample_ids[start : start + len(block)], block, strict=True):
            ids = np.flatnonzero(row)
            entries = np.empty(len(ids), entry)
            entries["opcode"], entries["value"] = opcode, ids
            yield b"J" + int(sample_id).to_bytes(4, "little") + b"](" + entries.tobytes() + b"e"
        yield b"u"
    yield b"."


def _json_chunks(sample_ids: Sequence[int], activations: PackedActivations) -> Iterator[bytes]:
    names = np.array([str(neuron) for neuron in range(activations.n_neurons)], dtype=object)
    separator = "{"
    for start, block in activations.blocks():
        for sample_id, row in zip(sample_ids[start : start + len(block)], block, strict=True):
            yield f'{separator}"{sample_id}": [{", ".join(names[row])}]'.encode()
            separator = ",\n"
    yield b"{}\n" if separator == "{" else b"}\n"


def _new_archive(file: IO[bytes]) -> zipfile.ZipFile:
    return zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, allowZip64=True, compresslevel=1)


def _write_array(
    archive: zipfile.ZipFile,
    name: str,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    blocks: Iterable[NDArray[Any]],
) -> None:
    # zipfile stamps members opened by name with 1980-01-01, so the archive holds no time of day.
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
        header = {
            "descr": np.lib.format.dtype_to_descr(dtype),
            "fortran_order": False,
            "shape": shape,
        }
        np.lib.format.write_array_header_1_0(member, header)
        for block in blocks:
            member.write(np.ascontiguousarray(block).data)


# ---------------------------------------------------------------------------------------- readers


def file_hash(*paths: Path) -> str:
    """Return the SHA-256 of the files' bytes, one after another, as 64 hex digits."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 22):
                digest.update(block)
    return digest.hexdigest()


def read_text(path: Path) -> str:
    """Return a UTF-8 file's text, line ends as they are, a byte order mark dropped."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: not UTF-8 text (byte {error.start}); save it as CSV in UTF-8"
        ) from None


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
        step = max(1, (1 << 25) // max(1, shape[1]))
        for start in range(0, shape[0], step):
            rows = min(step, shape[0] - start)
            data = member.read(rows * shape[1])
            if len(data) != rows * shape[1]:
                raise EOFError(f"ends in row {start + len(data) // max(1, shape[1])}")
            yield np.frombuffer(data, np.bool_).reshape(rows, shape[1])


# ------------------------------------------------------------------------ pictures and the graph


def write_picture(path: Path, png: bytes) -> Path:
    """Write a picture's PNG bytes to `path`."""
    write_bytes(path, [png], len(png))
    return path


def write_graphml(path: Path, graph: "nx.DiGraph[int]") -> Path:
    """Write a networkx graph as GraphML, for Gephi, Cytoscape or `networkx.read_graphml`."""
    import networkx as nx

    write_bytes(path, [("\n".join(nx.generate_graphml(graph)) + "\n").encode()])
    return path


def write_gexf(path: Path, graph: "nx.DiGraph[int]") -> Path:
    """Write a networkx graph as GEXF, for Gephi or `networkx.read_gexf`."""
    import networkx as nx

    text = "\n".join(nx.generate_gexf(graph)) + "\n"
    # networkx stamps today's date; two runs of one command write the same bytes.
    write_bytes(path, [re.sub(r' lastmodifieddate="[^"]*"', "", text, count=1).encode()])
    return path


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


def find_geometry(folder: Path, model: str) -> Geometry | None:
    """Return the geometry that a folder's own neuron tables state, None where it has none."""
    files = Artifacts(folder, model)
    tables = [files.path(ending) for ending in (FREQUENCY, ATTRIBUTES)]
    return next((read_geometry_table(path) for path in tables if path.is_file()), None)


@dataclass(frozen=True)
class EdgeBlock:
    """Some lines of an edge list: neuron ids, and the weights where the file has them."""

    sources: NDArray[np.int64]
    targets: NDArray[np.int64]
    weights: NDArray[np.float64] | None


def read_edge_blocks(
    path: Path, geometry: Geometry, progress: Callable[[int], object] = lambda n_bytes: None
) -> Iterator[EdgeBlock]:
    """Yield an edge list block by block, in memory that does not grow with the file.

    The first line decides whether there are weights. Raises `UserError` naming the first line that
    is not `source target` or `source target weight`, or is no edge from one layer to the next.
    progress: told the bytes of each block.
    """
    line_number, columns = 1, 0
    with path.open("rb") as file:
        while chunk := file.read(EDGE_CHUNK_BYTES) + file.readline():
            progress(len(chunk))
            columns = columns or _edge_columns(path, chunk)
            fields = _edge_fields(path, chunk, columns, line_number)
            block = EdgeBlock(
                fields[:, 0].astype(np.int64, copy=False),
                fields[:, 1].astype(np.int64, copy=False),
                fields[:, 2] if columns == 3 else None,
            )
            _check_edges(path, block, geometry, line_number)
            line_number += len(fields)
            yield block


def _edge_columns(path: Path, chunk: bytes) -> int:
    columns = len(chunk.split(b"\n", 1)[0].split())
    if columns not in (2, 3):
        raise UserError(f"{path}: line 1 is not `source target` or `source target weight`")
    return columns


def _edge_fields(path: Path, chunk: bytes, columns: int, line_number: int) -> NDArray[Any]:
    """Return a chunk's numbers, (lines, columns): int64, or float64 where there are weights."""
    chunk = chunk.replace(b"\r\n", b"\n").rstrip() + b"\n"
    fields = _parse_uniform(chunk, columns)
    return _parse_lines(path, chunk, columns, line_number) if fields is None else fields


def _parse_uniform(chunk: bytes, columns: int) -> NDArray[Any] | None:
    """Return the numbers of lines that are laid out as the writers do; None for any other lines."""
    characters = np.frombuffer(chunk, np.uint8)
    separators = characters[characters <= ord(" ")]
    pattern = np.frombuffer(b" " * (columns - 1) + b"\n", np.uint8)
    if len(separators) % columns or (separators.reshape(-1, columns) != pattern).any():
        return None
    dtype = np.dtype(np.int64 if columns == 2 else np.float64)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)
            numbers = np.fromstring(chunk, dtype=dtype, sep=" ")
    except (DeprecationWarning, ValueError):  # something that is no number, by NumPy's age
        return None
    if len(numbers) != len(separators) or not np.isfinite(numbers).all():
        return None
    fields = numbers.reshape(-1, columns)
    return fields if columns == 2 or (fields[:, :2] % 1 == 0).all() else None


def _parse_lines(path: Path, chunk: bytes, columns: int, line_number: int) -> NDArray[np.float64]:
    """Return the numbers line by line, (lines, columns), and so find the line that is wrong."""
    rows = []
    for number, line in enumerate(chunk.splitlines(), start=line_number):
        fields = line.split()
        ids_are_whole = all(re.fullmatch(rb"[0-9]{1,15}", field) for field in fields[:2])
        weights_are_numbers = all(map(_is_finite_number, fields[2:]))
        if len(fields) != columns or not ids_are_whole or not weights_are_numbers:
            shown = line[:60].decode("utf-8", "backslashreplace")
            wanted = "source target weight" if columns == 3 else "source target"
            raise UserError(f"{path}: line {number} is {shown!r}, not `{wanted}` like line 1")
        rows.append([float(field) for field in fields])
    return np.array(rows, np.float64)


def _is_finite_number(field: bytes) -> bool:
    return re.fullmatch(FLOAT, field) is not None and np.isfinite(float(field))


def _check_edges(path: Path, block: EdgeBlock, geometry: Geometry, line_number: int) -> None:
    n_neurons, d_mlp = geometry.n_neurons, geometry.d_mlp
    outside = (np.minimum(block.sources, block.targets) < 0) | (
        np.maximum(block.sources, block.targets) >= n_neurons
    )
    wrong = outside | (block.targets // d_mlp != block.sources // d_mlp + 1)
    if not wrong.any():
        return
    row = int(wrong.argmax())
    edge = f"{path}: line {line_number + row}: {block.sources[row]} to {block.targets[row]}"
    if outside[row]:
        raise UserError(f"{edge}: the model's neurons are 0 to {n_neurons - 1}")
    raise UserError(f"{edge} does not go from a layer to the next ({d_mlp} neurons a layer)")


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
