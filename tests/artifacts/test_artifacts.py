"""Every format: what is written is read back, and what is wrong is refused."""

import errno
import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gelu.artifacts import (
    DATASET,
    JSON,
    MATRIX,
    PICKLE,
    Artifacts,
    complete_file,
    find_activation_file,
    read_activations,
    read_dataset,
    read_geometry_table,
    safe_pickle,
    write_table,
)
from gelu.artifacts.files import (
    half_written_files,
    removable_folders,
    remove_files,
    remove_folder,
)
from gelu.artifacts.tables import read_counted_neurons
from gelu.errors import UserError, failure_text
from gelu.neurons import Geometry
from gelu.packed import PackedActivations
from tests.helpers import write_activations

matrices = st.tuples(st.integers(0, 9), st.integers(1, 70), st.integers(0, 2**32 - 1)).map(
    lambda shape: np.random.default_rng(shape[2]).random(shape[:2]) < 0.4
)


@given(matrices, st.integers(1, 200), st.data())
def test_activations_come_back_from_every_format(
    tmp_path_factory: pytest.TempPathFactory,
    matrix: np.ndarray[Any, np.dtype[np.bool_]],
    block_bytes: int,
    data: st.DataObject,
) -> None:
    folder = tmp_path_factory.mktemp("a")
    files = Artifacts(folder, "m")
    packed = PackedActivations.from_bool(matrix)
    ids = data.draw(
        st.lists(st.integers(0, 2**31 - 1), min_size=len(matrix), max_size=len(matrix), unique=True)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gelu.packed.BLOCK_BYTES", block_bytes)
        write_activations(files, ids, packed, ["pickle", "json", "npz"])
    expected = {key: np.flatnonzero(row).tolist() for key, row in zip(ids, matrix, strict=True)}
    assert pickle.loads(files.path(PICKLE).read_bytes()) == expected
    assert json.loads(files.path(JSON).read_text()) == {str(k): v for k, v in expected.items()}
    with np.load(files.path(MATRIX), allow_pickle=False) as archive:
        assert archive["matrix"].dtype == bool and np.array_equal(archive["matrix"], matrix)
        assert archive["sample_ids"].dtype == np.int64 and archive["sample_ids"].tolist() == ids
        assert archive["neuron_ids"].tolist() == list(range(matrix.shape[1]))
    for ending in (PICKLE, JSON, MATRIX):
        read_ids, read = read_activations(files.path(ending), matrix.shape[1])
        assert read_ids == ids and np.array_equal(read.rows(slice(None)), matrix)


def test_pickled_ids_are_plain_ints_also_beyond_two_bytes(tmp_path: Path) -> None:
    matrix = np.zeros((1, 70_000), bool)
    matrix[0, [0, 255, 256, 65_535, 65_536, 69_999]] = True
    files = Artifacts(tmp_path, "m")
    packed = PackedActivations.from_bool(matrix.repeat(3, axis=0))
    ids = [3, 2**31 - 1, 2**31]
    write_activations(files, ids, packed, ["pickle"])
    content = pickle.loads(files.path(PICKLE).read_bytes())
    assert content == {key: [0, 255, 256, 65_535, 65_536, 69_999] for key in ids}
    assert {type(value) for value in [*content, *content[3]]} == {int}


def test_frequency_lists_every_neuron(tmp_path: Path) -> None:
    matrix = np.array([[1, 0, 0, 1], [1, 0, 1, 0], [1, 0, 0, 0]], bool)
    files = Artifacts(tmp_path, "m")
    path = files.write_frequency(matrix.sum(axis=0), len(matrix), Geometry(2, 1, 2, 8))
    assert path.read_text().splitlines() == [
        "neuron_id,layer,dimension,activation_count,activation_frequency",
        "0,0,0,3,1.0",
        "1,0,1,0,0.0",
        f"2,1,0,1,{1 / 3!r}",
        f"3,1,1,1,{1 / 3!r}",
    ]
    assert read_geometry_table(path) == Geometry(2, 0, 2, 0)


@pytest.mark.parametrize("rows", [["0,0,0", "1,1,1"], ["0,0,1", "1,0,0"], []])
def test_a_neuron_table_with_gaps_is_refused(tmp_path: Path, rows: list[str]) -> None:
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["neuron_id,layer,dimension", *rows]) + "\n")
    with pytest.raises(UserError, match=r"t\.csv"):
        read_geometry_table(path)


@pytest.mark.parametrize("column", ["layer", "dimension"])
@pytest.mark.parametrize("number", [2, 999_999_999_999_999_999, 2**63 - 1])
def test_a_neuron_that_so_short_a_table_cannot_have_is_named(
    column: str, number: int, tmp_path: Path
) -> None:
    path = tmp_path / "t.csv"
    wrong = f"1,{number},0" if column == "layer" else f"1,0,{number}"
    path.write_text(f"neuron_id,layer,dimension\n0,0,0\n{wrong}\n")
    for read in (read_geometry_table, read_counted_neurons):
        with pytest.raises(UserError, match=rf"t\.csv, row 2: {column} is {number}; 2 rows"):
            read(path)


HARD_TEXTS = ["NA", "null", '"', ",", "\n", "\r", "\r\n", " ", "", "\x00", "nan", "\ufffd", "é😀"]


@given(st.lists(st.sampled_from(HARD_TEXTS) | st.text(st.characters(codec="utf-8")), min_size=1))
def test_any_token_survives_the_csv(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("csv")
    table = pd.DataFrame(
        {
            "sample_id": np.arange(len(texts)),
            "prompt_sample_idx": 0,
            "token_position": np.arange(len(texts)),
            "input_text": texts[::-1],
            "output": texts,
            "output_logprob": -0.125,
        }
    )
    path = write_table(Artifacts(folder, "m").path(DATASET), table)
    pd.testing.assert_frame_equal(read_dataset(path), table, check_dtype=False)
    # Without a dtype pandas takes a column for numbers where every token looks like one.
    plain = pd.read_csv(path, keep_default_na=False, dtype=str)
    assert plain["output"].tolist() == texts


def test_a_damaged_dataset_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    for content, message in [
        (b"", "not a dataset CSV"),
        (b"sample_id,output\n1,a\n", "the column prompt_sample_idx is missing"),
        (b"\xff\xfe\x00", "not a dataset CSV"),
        (b"sample_id,prompt_sample_idx,token_position,output\n1,0,0,a\n1,0,1,b\n", "sample_id 1"),
    ]:
        path.write_bytes(content)
        with pytest.raises(UserError, match=message):
            read_dataset(path)


def test_a_file_appears_only_when_complete(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), complete_file(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
        raise ZeroDivisionError
    assert path.read_bytes() == b"old"
    with complete_file(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.bin"]


def test_a_disk_that_fills_up_is_one_line(tmp_path: Path) -> None:
    full = pytest.raises(UserError, match=r"out\.bin: the disk is full")
    with full, complete_file(tmp_path / "out.bin"):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_replaced_by_a_sibling_and_noted(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    notes: list[str] = []
    assert find_activation_file(tmp_path / "a.json", notes.append) == tmp_path / "a.json"
    assert notes == []
    assert find_activation_file(tmp_path / "a.pickle", notes.append) == tmp_path / "a.json"
    assert notes == [f"{tmp_path / 'a.pickle'} is missing; using a.json"]
    with pytest.raises(UserError, match=r"b\.json: no such file"):
        find_activation_file(tmp_path / "b.json", notes.append)


def test_a_trace_is_one_sample(tmp_path: Path) -> None:
    active = np.arange(20) % 3 == 0
    vector, ids = Artifacts(tmp_path, "m").write_trace(active)
    loaded = pickle.loads(vector.read_bytes())
    assert loaded.dtype == np.uint8 and loaded.tolist() == active.astype(int).tolist()
    assert ids.read_text() == "0\n3\n6\n9\n12\n15\n18\n"
    sample_ids, read = read_activations(vector, 20)
    assert sample_ids == [0] and np.array_equal(read.rows(slice(None))[0], active)
    with pytest.raises(UserError, match="shape"):
        read_activations(vector, 21)


WRONG_CONTENT: list[tuple[object, str]] = [
    ([1, 2], "holds a list"),
    ({"x": [1]}, "sample id 'x'"),
    ({True: [1]}, "sample id True"),
    ({0: [99]}, "sample 0 names neuron 99; the model has 0 to 9"),
    ({0: [-1]}, "sample 0 names neuron -1"),
    ({0: [1.5]}, "sample 0 is not a list"),
    ({0: 7}, "sample 0 is not a list"),
    ({0: [[1], [1, 2]]}, "sample 0 is not a list"),
    ({0: "12"}, "sample 0 is not a list"),
    (np.full(10, 2), "0/1 vector"),
    ({1: [1], "1": [2]}, "sample 1 stands there more than once"),
    ({0: np.ones((2, 2), np.int64)}, "sample 0 is not a list"),
    ({0: np.array([2**64 - 1], np.uint64)}, "sample 0 names neuron"),
]


@pytest.mark.parametrize(("content", "message"), WRONG_CONTENT)
def test_wrong_contents_are_refused(tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "a.pickle"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(UserError, match=r"a\.pickle") as error:
        read_activations(path, 10)
    assert message in str(error.value)


def test_damaged_activation_files_are_refused(tmp_path: Path) -> None:
    files = Artifacts(tmp_path, "m")
    packed = PackedActivations.from_bool(np.ones((3, 10), bool))
    write_activations(files, range(3), packed, ["pickle", "json", "npz"])
    for ending in (PICKLE, JSON, MATRIX):
        path = files.path(ending)
        path.write_bytes(path.read_bytes()[:-20])
        with pytest.raises(UserError, match=path.name):
            read_activations(path, 10)


def test_arrays_of_ids_are_read_like_lists(tmp_path: Path) -> None:
    path = tmp_path / "a.pickle"
    path.write_bytes(pickle.dumps({5: np.array([1, 3], np.uint64), 2: np.array([0], np.int32)}))
    sample_ids, active = read_activations(path, 4)
    assert sample_ids == [5, 2]
    assert active.rows(slice(None)).tolist() == [[0, 1, 0, 1], [1, 0, 0, 0]]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sample_ids": np.arange(2)}, "sample_ids do not name the 3 rows"),
        ({"sample_ids": np.array([0, -1, 2])}, "sample id -1 is not a whole number"),
        ({"sample_ids": np.array([0, 1, 1])}, "more than once"),
        ({"sample_ids": np.zeros((3, 1), np.int64)}, "sample_ids has 2 dimensions, 1 is needed"),
        ({"neuron_ids": np.arange(1, 5)}, "neuron_ids are not 0 to 3, in order"),
        ({"matrix": np.ones(3, bool)}, "matrix has 1 dimensions, 2 are needed"),
        ({"matrix": np.ones((3, 5), bool)}, "5"),
        ({"matrix": np.ones((3, 4))}, "matrix is float64"),
        ({"matrix": np.asfortranarray(np.ones((3, 4), bool))}, "by rows is needed"),
    ],
)
def test_a_matrix_that_means_something_else_is_refused(
    changed: dict[str, Any], message: str, tmp_path: Path
) -> None:
    honest: dict[str, Any] = {"matrix": np.eye(3, 4, dtype=bool)}
    honest |= {"sample_ids": np.arange(3), "neuron_ids": np.arange(4)}
    np.savez(tmp_path / "honest.npz", **honest)
    assert read_activations(tmp_path / "honest.npz", 4)[0] == [0, 1, 2]
    np.savez(tmp_path / "a.npz", **(honest | changed))
    with pytest.raises(UserError, match=r"a\.npz") as error:
        read_activations(tmp_path / "a.npz", 4)
    assert message in str(error.value)


def test_an_error_of_the_disk_names_the_file_and_leaves_nothing(tmp_path: Path) -> None:
    for number, said in ((errno.EIO, str(tmp_path / "a")), (errno.ENOSPC, "no room for its 5 b")):
        error: pytest.ExceptionInfo[Exception]
        with pytest.raises((OSError, UserError)) as error, complete_file(tmp_path / "a", size=5):
            raise OSError(number, "the disk")
        assert said in failure_text(error.value)  # type: ignore[arg-type]
        assert list(tmp_path.iterdir()) == []


def test_what_killed_processes_left_is_cleared_away(tmp_path: Path) -> None:
    half, other = ".a.0123abcd.partial", ".b.0123abcd.partial"
    kept = [other, "a", ".a.partial", ".a.1.partial", ".a.0123abcd.partial.txt"]
    for name in (*kept, half):
        (tmp_path / name).write_text("")
    assert half_written_files(tmp_path, {"a"}.__contains__) == [tmp_path / half]
    remove_files(half_written_files(tmp_path, {"a"}.__contains__))
    assert {path.name for path in tmp_path.iterdir()} == set(kept)


def test_a_folder_goes_with_what_a_run_makes_and_stays_with_anything_else(tmp_path: Path) -> None:
    folder, is_made = tmp_path / ".s", {"a", "b"}.__contains__
    doomed = [tmp_path / f".s.0000000{number}.partial" for number in range(3)]
    for path in (folder, *doomed):
        path.mkdir()
    for path in (folder, *doomed[:2]):
        (path / "a").write_text("")
        (path / ".b.0123abcd.partial").write_text("")
    (doomed[1] / "other").write_text("")
    assert removable_folders(folder, is_made) == [folder, *doomed]
    assert [remove_folder(path, is_made) for path in (folder, *doomed)] == [
        [],
        [],
        [doomed[1] / "other"],
        [],
    ]
    assert list(tmp_path.iterdir()) == [doomed[1]] and removable_folders(folder, is_made) == []
    assert remove_folder(folder, is_made) == []


class _Evil:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("touch executed",)


def test_a_pickle_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.pickle"
    for content in (_Evil(), {0: [_Evil()]}, {0: np.array([_Evil()], dtype=object)}):
        path.write_bytes(pickle.dumps(content))
        with pytest.raises(UserError, match=r"a\.pickle: refused, nothing in it was run"):
            read_activations(path, 10)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("dtype", ["uint8", "int64", ">i4", "bool", "float32"])
def test_arrays_of_numbers_are_read_in_every_protocol(
    tmp_path: Path, protocol: int, dtype: str
) -> None:
    path = tmp_path / "a.pkl"
    array = np.array([[1, 0, 1], [0, 1, 1]], dtype)
    content = {0: array, 1: [np.int64(5)], "t": (1, "ü")}
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    with path.open("rb") as file:
        loaded = safe_pickle.load(file)
    assert (
        np.array_equal(loaded[0], array)
        and loaded[0].dtype == pickle.loads(path.read_bytes())[0].dtype
    )
    assert loaded[1] == [5] and loaded["t"] == (1, "ü")
    assert np.dtype("i4").byteorder == "="  # the process's own dtypes are untouched
