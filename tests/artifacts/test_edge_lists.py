"""Edge lists, read block by block: right values, and the line that is wrong."""

from pathlib import Path

import numpy as np
import pytest

from gelu.artifacts import edges_have_weights, read_edge_blocks
from gelu.errors import UserError
from gelu.neurons import Geometry

GEOMETRY = Geometry(3, 1, 4, 0)


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def read(path: Path) -> list[list[float]]:
    """Return the whole list, a row an edge."""
    rows: list[list[float]] = []
    for block in read_edge_blocks(path, GEOMETRY, list[str]().append):
        columns = [block.sources, block.targets]
        columns += [] if block.weights is None else [block.weights]  # type: ignore[list-item]
        assert block.sources.dtype == block.targets.dtype == np.int64
        rows += [list(row) for row in zip(*(it.tolist() for it in columns), strict=True)]
    return rows


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "end"])
def test_lists_with_and_without_weights(tmp_path: Path, ending: str, last: str) -> None:
    plain = ending.join(["0 4", "3 7", "4 11"]) + (ending if last else "")
    assert read(write(tmp_path / "a.el", plain)) == [[0, 4], [3, 7], [4, 11]]
    weighted = ending.join(["0 4 0.1", "3 7 -2.5e-07", "4 11 3"]) + (ending if last else "")
    path = write(tmp_path / "b.el", weighted)
    assert read(path) == [[0, 4, 0.1], [3, 7, -2.5e-07], [4, 11, 3]]
    assert edges_have_weights(path) and not edges_have_weights(tmp_path / "a.el")


def test_tabs_and_several_spaces_are_read_too(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.el", "0\t4\n1  5\n 2 6 \n")) == [[0, 4], [1, 5], [2, 6]]


def test_an_empty_list_has_no_edges(tmp_path: Path) -> None:
    path = write(tmp_path / "a.el", "")
    assert read(path) == [] and not edges_have_weights(path)


def test_blocks_join_to_the_whole_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edges = [(s, t) for s in range(8) for t in range((s // 4 + 1) * 4, (s // 4 + 2) * 4)]
    path = write(tmp_path / "a.el", "".join(f"{s} {t}\n" for s, t in edges))
    monkeypatch.setattr("gelu.artifacts.edge_lists.EDGE_CHUNK_BYTES", 7)
    told: list[int] = []
    blocks = list(read_edge_blocks(path, GEOMETRY, list[str]().append, told.append))
    assert len(blocks) > 10 and sum(told) == path.stat().st_size
    assert read(path) == [list(edge) for edge in edges]


@pytest.mark.parametrize(
    ("lines", "wrong", "why"),
    [
        (["0 4", "1 5", "hello"], 3, "not `source target` like line 1"),
        (["0 4", "1 5 0.5"], 2, "not `source target` like line 1"),
        (["0 4 1.0", "1 5"], 2, "not `source target weight` like line 1"),
        # The numbers are as many as two lines of three, but the lines are not.
        (["0 4 1.0", "1 5", "2 6 1.0 1"], 2, "not `source target weight` like line 1"),
        (["0 4 1.0", "1 5 nan"], 2, "not `source target weight` like line 1"),
        (["0 4 1.0", "1 5 1e999"], 2, "not `source target weight` like line 1"),
        (["0 4 1.0", "1.5 5 1.0"], 2, "not `source target weight` like line 1"),
        (["0 4", "1 5", "2 -6"], 3, "neurons are 0 to 11"),
        (["0 4", "", "2 6"], 2, "not `source target` like line 1"),
        (["# edges", "0 4"], 1, "not `source target` like line 1"),
        (["0", "0 4"], 1, "is not `source target`"),
        (["0 4", "1 12"], 2, "neurons are 0 to 11"),
        (["0 4", "1 99999999999999999999"], 2, "neurons are 0 to 11|not `source target`"),
        (["0 4", "1 5", "1 9"], 3, "does not go from a layer to the next"),
        (["0 4", "4 1"], 2, "does not go from a layer to the next"),
    ],
)
@pytest.mark.parametrize("chunk", [1, 9, 1 << 24])
def test_a_wrong_line_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    chunk: int,
    lines: list[str],
    wrong: int,
    why: str,
) -> None:
    monkeypatch.setattr("gelu.artifacts.edge_lists.EDGE_CHUNK_BYTES", chunk)
    path = write(tmp_path / "toy.el", "\n".join(lines) + "\n")
    message = rf"toy\.el: line {wrong}[ :].*({why})"
    with pytest.raises(UserError, match=message):
        read(path)


def test_lines_are_counted_over_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gelu.artifacts.edge_lists.EDGE_CHUNK_BYTES", 20)
    path = write(tmp_path / "toy.el", "0 4\n" * 29 + "0 9\n" + "0 4\n" * 9)
    with pytest.raises(UserError, match="line 30: 0 to 9"):
        read(path)
