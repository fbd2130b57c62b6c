"""The edge list, `.el`: a line an edge, `source target` or `source target weight`.

    write_full_edge_list(path, geometry, bars)
    write_edge_list(path, sources, targets, weights)
    for block in read_edge_blocks(path, geometry, notes.append):
        ...                             # block.sources, block.targets, block.weights

Full lists are written and all are read block by block, in memory that does not grow with the file.
"""

import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gelu.artifacts.files import write_bytes
from gelu.errors import UserError
from gelu.neurons import Geometry, layer_of, layer_range
from gelu.progress import Bars

EDGE_CHUNK_BYTES = 1 << 24
FLOAT = rb"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"


# Writing


def write_full_edge_list(path: Path, geometry: Geometry, bars: Bars) -> Path:
    """Write every neuron's edges to all neurons of the next layer.

    bars: gives the progress bar, in bytes, once it is known that the disk has room.
    """
    size = full_edge_bytes(geometry)

    def counted() -> Iterator[bytes]:
        with bars("edges", size, "B") as done:
            for block in full_edge_blocks(geometry):
                yield block
                done(len(block))

    write_bytes(path, counted(), size)
    return path


def write_edge_list(
    path: Path,
    sources: NDArray[np.int64],
    targets: NDArray[np.int64],
    weights: NDArray[np.float32],
) -> Path:
    """Write edges with their weights, in the order given; all arrays: (edges,)."""
    blocks = _weighted_lines(sources, targets, weights)
    write_bytes(path, blocks, sum(map(len, blocks)))
    return path


def full_edge_bytes(geometry: Geometry) -> int:
    """Return the exact size in bytes of the full edge list."""
    d_mlp, pairs = geometry.d_mlp, range(geometry.n_layer - 1)
    digits = [_digits(layer_range(layer, d_mlp)) for layer in range(geometry.n_layer)]
    return sum(d_mlp * (digits[layer] + digits[layer + 1]) + 2 * d_mlp**2 for layer in pairs)


def _digits(numbers: range) -> int:
    """Return how many decimal digits the numbers have in all."""
    return sum(width * (last - first) for width, first, last in _width_runs(numbers))


def _width_runs(numbers: range) -> Iterator[tuple[int, int, int]]:
    """Yield (digits, first, last + 1) for each run of equally long numbers."""
    start = numbers.start
    while start < numbers.stop:
        width = len(str(start))
        end = min(numbers.stop, 10**width)
        yield width, start, end
        start = end


def full_edge_blocks(geometry: Geometry) -> Iterator[bytes]:
    """Yield the full edge list in blocks, `source target` a line, by source, then target."""
    d_mlp = geometry.d_mlp
    for layer in range(geometry.n_layer - 1):
        following = layer_range(layer + 1, d_mlp)
        for width, first, last in _width_runs(layer_range(layer, d_mlp)):
            yield from _source_blocks(width, first, last, following.start, following.stop)


def _source_blocks(width: int, first: int, last: int, start: int, stop: int) -> Iterator[bytes]:
    """Yield the lines of the sources in [first, last), all of `width` digits, to [start, stop).

    All sources' lines are the same but for the source's digits, and from one source to the next
    few digits change: so the lines are laid out once and only the changed columns are written.
    """
    runs = list(_width_runs(range(start, stop)))
    buffer = np.empty(sum((width + w + 2) * (b - a) for w, a, b in runs), np.uint8)
    tables, offset = [], 0
    for target_width, a, b in runs:
        line = width + target_width + 2
        table = buffer[offset : offset + line * (b - a)].reshape(b - a, line)
        text = "".join(f"{first} {target}\n" for target in range(a, b))
        table[:] = np.frombuffer(text.encode(), np.uint8).reshape(table.shape)
        tables.append(table)
        offset += table.size
    written = str(first)
    for source in range(first, last):
        digits = str(source)
        for column in range(width):
            if digits[column] != written[column]:
                for table in tables:
                    table[:, column] = ord(digits[column])
        written = digits
        yield buffer.tobytes()


def _weighted_lines(
    sources: NDArray[np.int64], targets: NDArray[np.int64], weights: NDArray[np.float32]
) -> list[bytes]:
    """Return the weighted edge list in blocks of lines, weights in their shortest exact form."""
    blocks = []
    for start in range(0, len(sources), 100_000):
        part = slice(start, start + 100_000)
        rows = zip(
            sources[part].tolist(), targets[part].tolist(), weights[part].astype(str), strict=True
        )
        blocks.append("".join(f"{s} {t} {w}\n" for s, t, w in rows).encode())
    return blocks


# Reading


@dataclass(frozen=True)
class EdgeBlock:
    """Some lines of an edge list: neuron ids, and the weights where the file has them."""

    sources: NDArray[np.int64]
    targets: NDArray[np.int64]
    weights: NDArray[np.float64] | None


def edges_have_weights(path: Path) -> bool:
    """Return whether an edge list's lines are `source target weight`, as its first line is."""
    with path.open("rb") as file:
        first_line = file.readline()
    return bool(first_line) and _edge_columns(path, first_line) == 3


def read_edge_blocks(
    path: Path,
    geometry: Geometry,
    note: Callable[[str], object],
    progress: Callable[[int], object] = lambda n_bytes: None,
    stated_by: Path | None = None,
) -> Iterator[EdgeBlock]:
    """Yield an edge list block by block.

    The first line decides whether there are weights. Raises `UserError` naming the first line that
    is not `source target` or `source target weight`, or is no edge from one layer to the next.
    note: told of a list in which some neurons have more edges than others, which the writers make
    none of: it may have been cut. progress: told the bytes of each block. stated_by: the file that
    the geometry is from, named beside the list.
    """
    line_number, columns = 1, 0
    n_edges = np.zeros(geometry.n_neurons, np.int64)
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
            _check_edges(path, block, geometry, line_number, stated_by)
            line_number += len(fields)
            n_edges += np.bincount(block.sources, minlength=geometry.n_neurons)
            yield block
    listed = n_edges[: -geometry.d_mlp]  # the last layer has none
    if listed.size and listed.min() < listed.max():
        note(
            f"{path}: neurons have {listed.min()} to {listed.max()} edges; a list of these scripts "
            "has as many for each, so this one may be cut short"
        )


def _edge_columns(path: Path, chunk: bytes) -> int:
    columns = len(chunk.split(b"\n", 1)[0].split())
    if columns not in (2, 3):
        raise UserError(f"{path}: line 1 is not `source target` or `source target weight`")
    return columns


def _edge_fields(path: Path, chunk: bytes, columns: int, line_number: int) -> NDArray[Any]:
    """Return a chunk's numbers, (lines, columns): int64, or float64 where there are weights."""
    if b"\r" in chunk:
        chunk = chunk.replace(b"\r\n", b"\n")
    chunk = chunk.rstrip() + b"\n"
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
    ids = fields[:, :2]
    # As floats, ids beyond are not exact, let alone neurons.
    return fields if columns == 2 or ((ids % 1 == 0).all() and (ids < 1e15).all()) else None


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


def _check_edges(
    path: Path, block: EdgeBlock, geometry: Geometry, line_number: int, stated_by: Path | None
) -> None:
    n_neurons, d_mlp = geometry.n_neurons, geometry.d_mlp
    outside = (np.minimum(block.sources, block.targets) < 0) | (
        np.maximum(block.sources, block.targets) >= n_neurons
    )
    wrong = outside | (layer_of(block.targets, d_mlp) != layer_of(block.sources, d_mlp) + 1)
    if not wrong.any():
        return
    row = int(wrong.argmax())
    edge = f"{path}: line {line_number + row}: {block.sources[row]} to {block.targets[row]}"
    if outside[row]:
        whose = "the model's neurons" if stated_by is None else f"the neurons of {stated_by}"
        raise UserError(f"{edge}: {whose} are 0 to {n_neurons - 1}")
    where = "" if stated_by is None else f" in {stated_by}"
    raise UserError(f"{edge} does not go from a layer to the next ({d_mlp} neurons a layer{where})")
