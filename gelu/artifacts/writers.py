"""The files of one model in one folder, and the one writer of each.

files = Artifacts(folder, "gpt2-demo")
with files.json_writer(n_neurons) as add:
    add([0, 1, 2], active)                          # block by block: memory does not grow
"""

import csv
import json
import pickle
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gelu.artifacts.csv_safe import make_csv_safe
from gelu.artifacts.files import complete_file, write_bytes
from gelu.artifacts.names import (
    ATTRIBUTES,
    DATASET,
    FREQUENCY,
    JSON,
    MATRIX,
    PICKLE,
    REPORT,
    RUN,
    RUN_FILES,
    SUMMARY,
    TRACE_FILES,
)
from gelu.neurons import Geometry, dimension_of, layer_of, neuron_id

if TYPE_CHECKING:
    import networkx as nx
    import pandas as pd

# Takes the ids of some samples and their active neurons, (samples, n_neurons) bool.
AddActive = Callable[[Sequence[int], NDArray[np.bool_]], None]


@dataclass(frozen=True)
class Artifacts:
    """The files of one model in one folder; `model` is the model's artifact name.

    csv_safe: texts in its dataset are guarded against spreadsheets (`gelu.artifacts.csv_safe`).
    """

    folder: Path
    model: str
    csv_safe: bool = False

    def path(self, ending: str) -> Path:
        """Return the path of `{m}_ending`."""
        return self.folder / f"{self.model}_{ending}"

    def write_attributes(self, geometry: Geometry) -> Path:
        """Write `node_id,layer,dimension`, one row per neuron."""
        lines = (
            f"{neuron_id(layer, dimension, geometry.d_mlp)},{layer},{dimension}\n"
            for layer in range(geometry.n_layer)
            for dimension in range(geometry.d_mlp)
        )
        path = self.path(ATTRIBUTES)
        write_bytes(path, [b"node_id,layer,dimension\n", "".join(lines).encode()])
        return path

    @contextmanager
    def dataset_writer(self) -> "Iterator[Callable[[pd.DataFrame], None]]":
        """Give a function that takes the dataset's table in parts, a row per sample."""
        with complete_file(self.path(DATASET)) as file:
            first = True

            def add(part: "pd.DataFrame") -> None:
                nonlocal first
                _write_rows(file, part, first, self.csv_safe)
                first = False

            yield add

    @contextmanager
    def pickle_writer(self) -> Iterator[AddActive]:
        """Give a function that takes blocks of samples for the pickled dict of active ids."""
        with complete_file(self.path(PICKLE)) as file:
            # Written opcode by opcode: `pickle.dump` needs the whole dict, 36 bytes an id.
            file.write(b"\x80\x04}")
            yield lambda ids, block: file.writelines(_pickle_chunks(ids, block))
            file.write(b".")

    @contextmanager
    def json_writer(self, n_neurons: int) -> Iterator[AddActive]:
        """Give a function that takes blocks of samples for the dict of active ids in JSON."""
        names = np.array([str(neuron) for neuron in range(n_neurons)], dtype=object)
        with complete_file(self.path(JSON)) as file:
            separator = "{"

            def add(ids: Sequence[int], block: NDArray[np.bool_]) -> None:
                nonlocal separator
                for sample_id, row in zip(ids, block, strict=True):
                    file.write(f'{separator}"{sample_id}": [{", ".join(names[row])}]'.encode())
                    separator = ",\n"

            yield add
            file.write(b"{}\n" if separator == "{" else b"}\n")

    @contextmanager
    def matrix_writer(self, n_neurons: int, sample_ids: Sequence[int]) -> Iterator[AddActive]:
        """Give a function that takes blocks of samples for the compressed bool matrix.

        sample_ids: of all rows to come.
        """
        with complete_file(self.path(MATRIX)) as file, _new_archive(file) as archive:
            with _new_array(archive, "matrix", np.dtype(bool), (len(sample_ids), n_neurons)) as add:
                yield lambda ids, block: add(block)
            for name, ids in (("sample_ids", sample_ids), ("neuron_ids", range(n_neurons))):
                array = np.asarray(ids, np.int64)
                with _new_array(archive, name, array.dtype, array.shape) as add:
                    add(array)

    def write_frequency(
        self, counts: NDArray[np.int64], n_samples: int, geometry: Geometry
    ) -> Path:
        """Write how often each neuron is active, never-active ones included.

        counts: (n_neurons,), in how many of the `n_samples` samples each is active.
        """
        path = self.path(FREQUENCY)
        lines = (
            f"{neuron},{layer_of(neuron, geometry.d_mlp)},{dimension_of(neuron, geometry.d_mlp)},"
            f"{count},{count / max(1, n_samples)!r}\n"
            for neuron, count in enumerate(counts.tolist())
        )
        header = b"neuron_id,layer,dimension,activation_count,activation_frequency\n"
        write_bytes(path, [header, "".join(lines).encode()])
        return path

    def write_run(self, run: Mapping[str, Any]) -> Path:
        """Write what made the folder, keys sorted."""
        return write_document(self.path(RUN), run)

    def write_summary(self, summary: Mapping[str, Any]) -> Path:
        """Write the analysis' headline numbers, keys sorted."""
        return write_document(self.path(SUMMARY), summary)

    def write_report(self, html: str, ending: str = REPORT) -> Path:
        """Write a page, the analysis' where nothing else is said."""
        path = self.path(ending)
        write_bytes(path, [html.encode()])
        return path

    def write_trace(self, active: NDArray[np.bool_]) -> tuple[Path, Path]:
        """Write one text's active neurons as a uint8 vector and as a list of ids."""
        vector, ids = map(self.path, TRACE_FILES)
        write_bytes(vector, [pickle.dumps(active.astype(np.uint8), protocol=4)])
        write_bytes(ids, [f"{neuron}\n".encode() for neuron in np.flatnonzero(active)])
        return vector, ids


def run_files(folders: Iterable[Path], model: str) -> list[Path]:
    """Return the paths of all files that runs of a model have in these folders, there or not."""
    return [Artifacts(folder, model).path(ending) for folder in folders for ending in RUN_FILES]


def _pickle_chunks(sample_ids: Sequence[int], block: NDArray[np.bool_]) -> Iterator[bytes]:
    """Yield the opcodes that add a block of samples to a pickled dict."""
    opcode, width = (b"M", "<u2") if block.shape[1] <= 1 << 16 else (b"J", "<i4")
    entry = np.dtype([("opcode", "S1"), ("value", width)])
    yield b"("
    for sample_id, row in zip(sample_ids, block, strict=True):
        ids = np.flatnonzero(row)
        entries = np.empty(len(ids), entry)
        entries["opcode"], entries["value"] = opcode, ids
        yield _pickled_int(int(sample_id)) + b"](" + entries.tobytes() + b"e"
    yield b"u"


def _pickled_int(number: int) -> bytes:
    if number < 1 << 31:
        return b"J" + number.to_bytes(4, "little")
    return b"\x8a\x08" + number.to_bytes(8, "little")


def write_document(path: Path, content: Mapping[str, Any]) -> Path:
    """Write a JSON document, keys sorted. Raises `ValueError` for NaN."""
    # NaN is no JSON: whoever passes one has not said what is missing.
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_bytes(path, [text.encode(), b"\n"])
    return path


def _new_archive(file: IO[bytes]) -> zipfile.ZipFile:
    return zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, allowZip64=True, compresslevel=1)


@contextmanager
def _new_array(
    archive: zipfile.ZipFile, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> Iterator[Callable[[NDArray[Any]], None]]:
    """Give a function that takes an array of the archive in parts, by rows."""
    # zipfile stamps members opened by name with 1980-01-01, so the archive holds no time of day.
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
        header = {
            "descr": np.lib.format.dtype_to_descr(dtype),
            "fortran_order": False,
            "shape": shape,
        }
        np.lib.format.write_array_header_1_0(member, header)
        yield lambda part: _write_all(member, np.ascontiguousarray(part).data)


def _write_all(file: IO[bytes], data: memoryview) -> None:
    file.write(data)


def write_table(path: Path, table: "pd.DataFrame", csv_safe: bool = False) -> Path:
    """Write a table as CSV: the columns' names, then its rows. A missing value is an empty cell.

    csv_safe: guard its texts against spreadsheets.
    """
    with complete_file(path) as file:
        _write_rows(file, table, True, csv_safe)
    return path


def _write_rows(file: IO[bytes], table: "pd.DataFrame", header: bool, csv_safe: bool) -> None:
    if csv_safe:
        table = make_csv_safe(table)
    if header:
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


def write_picture(path: Path, png: bytes) -> Path:
    """Write a picture's PNG bytes to `path`."""
    write_bytes(path, [png], len(png))
    return path


def remove_picture(path: Path) -> None:
    """Delete the picture that an earlier run left at `path`, where there is one."""
    path.unlink(missing_ok=True)


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
