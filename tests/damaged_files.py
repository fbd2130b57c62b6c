"""Damaged contents of a valid file, each with a name: JSON, CSV and pictures, in a fixed order.

for name, content in damaged_json(valid): ...
"""

import csv
import io
import json
import struct
from collections.abc import Iterator
from typing import Any

REFRESH = '<meta http-equiv="refresh" content="0;url=https://example.org/">'
PLACEHOLDER = "the place of a value"
# As they stand in a file; not all are JSON.
JSON_VALUES = {
    "null": "null",
    "true": "true",
    "a text": '"x"',
    "a number as text": '"5"',
    "markup": json.dumps(REFRESH),
    "half a pair": '"\\ud800"',
    "control characters": '"\\u0000\\u001b[2J\\r\\n"',
    "no text": '""',
    "an empty list": "[]",
    "a list": "[1, [2]]",
    "an empty object": "{}",
    "an object": '{"a": {"b": [null]}}',
    "NaN": "NaN",
    "Infinity": "-Infinity",
    "1e400": "1e400",
    "1e308": "1e308",
    "-1": "-1",
    "0": "0",
    "0.5": "0.5",
    "2**70": str(2**70),
    "10**400": "1" + "0" * 400,
    "10**5000": "1" + "0" * 5000,
    "deep": "[" * 500 + "]" * 500,
}
CELLS = {
    "nothing": "",
    "a text": "x",
    "markup": REFRESH,
    "NaN": "nan",
    "infinity": "inf",
    "1e400": "1e400",
    "1e308": "1e308",
    "-1": "-1",
    "0": "0",
    "0.5": "0.5",
    "True": "True",
    "2**70": str(2**70),
    "10**5000": "1" + "0" * 5000,
    "a list": "[1, 2]",
    "NUL": "\0",
    "spaces": " 1 ",
    "other digits": "\u0663",
    "underscores": "1_0",
}
MORE_THAN_A_FIELD = "a" * 200_000


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of every value below, of a list's items the first and the last."""
    below: list[Any] = []
    if isinstance(value, dict):
        below = list(value)
    elif isinstance(value, list):
        below = sorted({0, len(value) - 1} if value else ())
    for key in below:
        yield (*place, key)
        yield from places(value[key], (*place, key))


def _changed(content: Any, place: tuple[Any, ...], change: str) -> str:
    """Return the document as text with the value at `place` replaced, or left out for ""."""
    copy = json.loads(json.dumps(content))
    parent = copy
    for key in place[:-1]:
        parent = parent[key]
    if change == "":
        del parent[place[-1]]
        return json.dumps(copy)
    parent[place[-1]] = PLACEHOLDER
    return json.dumps(copy).replace(json.dumps(PLACEHOLDER), change)


def damaged_json(valid: bytes, every: int = 1) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content); every: of the values at each place every so-many-th, in turns."""
    yield from damaged_bytes(valid)
    content = json.loads(valid)
    turn = 0
    for place in places(content):
        shown = ".".join(map(str, place))
        for name, value in {"left out": "", **JSON_VALUES}.items():
            turn += 1
            if turn % every == 0:
                yield f"{shown}: {name}", _changed(content, place, value).encode()
        if isinstance(place[-1], str) and turn % every == 0:
            twice = _changed(content, place, f"1, {json.dumps(place[-1])}: 1")
            yield f"{shown}: twice", twice.encode()
    for whole in ([content], "x", None, 0):
        yield f"the whole: {type(whole).__name__}", json.dumps(whole).encode()
    yield "the whole: nothing in it", b"{}"
    yield "deep lists", b'{"a": ' + b"[" * 100_000
    yield "deep objects", b'{"a":' * 100_000


def damaged_bytes(valid: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield what can befall any file."""
    yield "empty", b""
    for share in (1, 3, 5, 7, 9):
        yield f"cut at {share}/10", valid[: len(valid) * share // 10]
    yield "a byte short", valid[:-2]
    yield "BOM", b"\xef\xbb\xbf" + valid
    yield "UTF-16", valid.decode("latin-1").encode("utf-16")
    yield "NUL in front", b"\0" + valid
    yield "NUL inside", valid[:100] + b"\0" + valid[100:]
    yield "not UTF-8", valid[:100] + b"\xff\xfe" + valid[100:]
    yield "CRLF", valid.replace(b"\n", b"\r\n")
    yield "CR", valid.replace(b"\n", b"\r")
    yield "twice", valid + valid
    yield "zeros", bytes(len(valid))


def damaged_csv(valid: bytes, every: int = 1) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content); every: of the cells' values every so-many-th, in turns."""
    yield from damaged_bytes(valid)
    header, *rows = list(csv.reader(io.StringIO(valid.decode(), newline="")))
    turn = 0
    for column, title in enumerate(header):
        for name, cell in CELLS.items():
            turn += 1
            if turn % every == 0:
                row = turn % len(rows)
                changed = [list(fields) for fields in rows]
                changed[row][column] = cell
                yield f"{title}, row {row + 1}: {name}", _written([header, *changed])
        without = [[*fields[:column], *fields[column + 1 :]] for fields in (header, *rows)]
        yield f"without {title}", _written(without)
        twice = [[*fields, fields[column]] for fields in (header, *rows)]
        yield f"{title} twice", _written(twice)
        renamed = [*header[:column], REFRESH, *header[column + 1 :]]
        yield f"{title} renamed", _written([renamed, *rows])
    yield from _damaged_rows(header, rows)


def _damaged_rows(header: list[str], rows: list[list[str]]) -> Iterator[tuple[str, bytes]]:
    yield "no rows", _written([header])
    yield "no header", _written(rows)
    yield "a row missing", _written([header, *rows[1:]])
    yield "a row twice", _written([header, *rows, rows[0]])
    yield "rows the other way round", _written([header, *rows[::-1]])
    yield "columns the other way round", _written([fields[::-1] for fields in (header, *rows)])
    yield "a field more", _written([header, [*rows[0], "1"], *rows[1:]])
    yield "a field less", _written([header, rows[0][:-1], *rows[1:]])
    yield "a column more", _written([[*header, REFRESH], *([*row, REFRESH] for row in rows)])
    yield "a quote that is not closed", _written([header, *rows]) + b'"'
    yield "a long field", _written([header, [MORE_THAN_A_FIELD, *rows[0][1:]], *rows[1:]])
    yield "blank lines", _written([header, *rows]).replace(b"\n", b"\n\n")


def _written(rows: list[list[str]]) -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\n").writerows(rows)
    return file.getvalue().encode()


def damaged_pictures(valid: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of what stands in a PNG's place."""
    yield from damaged_bytes(valid)
    yield "a GIF", b"GIF89a" + valid[6:]
    yield "a page", f"<html>{REFRESH}</html>".encode()
    yield "SVG", b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
    yield "the signature alone", valid[:8]
    yield "markup behind it", valid + REFRESH.encode()
    for place in (18, 22, 25, 26, 45, len(valid) - 20):
        changed = bytes([valid[place] ^ 1])
        yield f"a bit of byte {place}", valid[:place] + changed + valid[place + 1 :]
    huge = struct.pack(">II", 2**31 - 1, 2**31 - 1)
    yield "a huge one", valid[:16] + huge + valid[24:]


def damaged(ending: str, valid: bytes, every: int = 1) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) for a file of this ending."""
    if ending.endswith(".json"):
        return damaged_json(valid, every)
    if ending.endswith(".csv"):
        return damaged_csv(valid, every)
    return damaged_pictures(valid) if ending.endswith(".png") else damaged_bytes(valid)
