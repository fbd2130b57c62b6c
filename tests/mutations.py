"""Valid inputs, damaged: strategies for hypothesis.

@given(mutations())
def test(change): content = change(valid_bytes)
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

Change = Callable[[bytes], bytes]

# With HYPOTHESIS_PROFILE=fuzz tests of damaged files try all they have.
FUZZING = settings().max_examples >= 10_000
# 10,000 with HYPOTHESIS_PROFILE=fuzz.
fuzzed = settings(max_examples=max(200, settings().max_examples))

# Pieces that files of these kinds give a meaning to.
PIECES = [
    b"", b"\x00", b"\xff", b"\xef\xbb\xbf", b'"', b'""', b",", b"\n", b"\r", b"\r\n", b"\n\n", b" ",
    b"-", b"-1", b"0", b"1", b"99999", b"9" * 25, b"9" * 5000, b"1.5", b"1e5", b"nan", b"NaN",
    b"inf", b"true", b"null", b"'", b"=1", b"[", b"]", b"{", b"}", b":", b"\t", b"#",
    "é".encode(), "٣".encode(), b"\xed\xa0\x80", b"(", b"e", b"u", b".", b"R", b"b", b"h\x00",
]  # fmt: skip


def mutations() -> st.SearchStrategy[Change]:
    """Return changes of a file's bytes, one to four after one another."""
    place = st.floats(0, 1, exclude_max=True)
    one = st.one_of(
        st.tuples(st.just(_flip), place, st.integers(1, 255)),
        st.tuples(st.just(_cut), place, st.integers(1, 40)),
        st.tuples(st.just(_end), place, st.none()),
        st.tuples(st.just(_repeat), place, st.integers(1, 40)),
        st.tuples(st.just(_insert), place, st.sampled_from(PIECES)),
        st.tuples(st.just(_replace_cell), place, st.sampled_from(PIECES)),
        st.tuples(st.just(_swap_cells), place, place),
        st.tuples(st.just(_swap_lines), place, place),
        st.tuples(st.just(_repeat_line), place, st.none()),
        st.tuples(st.just(_drop_line), place, st.none()),
    )
    return st.lists(one, min_size=1, max_size=4).map(_Changes)


class _Changes:
    """Some changes, shown in hypothesis' reports by their names."""

    def __init__(self, steps: list[tuple[Any, Any, Any]]) -> None:
        self._steps = steps

    def __call__(self, content: bytes) -> bytes:
        for step, place, value in self._steps:
            content = step(content, place, value)
        return content

    def __repr__(self) -> str:
        return str([(step.__name__, place, value) for step, place, value in self._steps])


def _flip(content: bytes, place: float, value: int) -> bytes:
    at = int(place * len(content))
    return content[:at] + bytes(byte ^ value for byte in content[at : at + 1]) + content[at + 1 :]


def _cut(content: bytes, place: float, length: int) -> bytes:
    at = int(place * len(content))
    return content[:at] + content[at + length :]


def _end(content: bytes, place: float, _: None) -> bytes:
    return content[: int(place * len(content))]


def _repeat(content: bytes, place: float, length: int) -> bytes:
    at = int(place * len(content))
    return content[: at + length] + content[at:]


def _insert(content: bytes, place: float, piece: bytes) -> bytes:
    at = int(place * len(content))
    return content[:at] + piece + content[at:]


def _lines(content: bytes) -> list[bytes]:
    return content.split(b"\n")


def _cells(content: bytes) -> tuple[list[bytes], bytes]:
    separator = b" " if content.count(b" ") > content.count(b",") else b","
    return content.split(separator), separator


def _replace_cell(content: bytes, place: float, piece: bytes) -> bytes:
    cells, separator = _cells(content)
    cells[int(place * len(cells))] = piece
    return separator.join(cells)


def _swap_cells(content: bytes, first: float, second: float) -> bytes:
    cells, separator = _cells(content)
    a, b = int(first * len(cells)), int(second * len(cells))
    cells[a], cells[b] = cells[b], cells[a]
    return separator.join(cells)


def _swap_lines(content: bytes, first: float, second: float) -> bytes:
    lines = _lines(content)
    a, b = int(first * len(lines)), int(second * len(lines))
    lines[a], lines[b] = lines[b], lines[a]
    return b"\n".join(lines)


def _repeat_line(content: bytes, place: float, _: None) -> bytes:
    lines = _lines(content)
    at = int(place * len(lines))
    return b"\n".join(lines[: at + 1] + lines[at:])


def _drop_line(content: bytes, place: float, _: None) -> bytes:
    lines = _lines(content)
    del lines[int(place * len(lines))]
    return b"\n".join(lines)


@contextmanager
def no_hang(seconds: int = 20) -> Iterator[None]:
    """Fail where what is inside takes longer."""

    def fail(*_: object) -> None:
        raise AssertionError(f"no end within {seconds} s")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
