"""Damaged files: refused in one line that names them, or read as plain readers read them."""

import csv
import io
import json
import pickle
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from gelu.artifacts import (
    ATTRIBUTES,
    DATASET,
    EDGES,
    JSON,
    MATRIX,
    PICKLE,
    Artifacts,
    read_activations,
    read_dataset,
    read_document,
    read_edge_blocks,
    read_geometry_table,
    read_stated,
    read_text,
    safe_pickle,
    write_table,
)
from gelu.artifacts.tables import WHOLE_NUMBERS
from gelu.errors import UserError, one_line
from gelu.generation.prompts import parse_prompts
from gelu.neurons import Geometry
from gelu.packed import PackedActivations
from tests.helpers import write_activations
from tests.mutations import Change, fuzzed, mutations, no_hang

GEOMETRY = Geometry(3, 1, 4, 0)
N_NEURONS = GEOMETRY.n_neurons
PROMPTS = b'prompts,number_of_new_tokens,num_samples\n"A, ""b""\nc",5,2\nd e,3,\n"  ",1,7\n'

OUTPUTS = ['"a"', " b,\n", "=1", "NA", "\x00", ""]


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one small file of every kind."""
    folder = tmp_path_factory.mktemp("valid")
    files = Artifacts(folder, "m")
    active = np.random.default_rng(0).random((6, N_NEURONS)) < 0.5
    packed = PackedActivations.from_bool(active)
    write_activations(files, range(6), packed, ["pickle", "json", "npz"])
    write_table(files.path(DATASET), dataset(packed))
    write_table(folder / "safe.csv", dataset(packed), csv_safe=True)
    files.write_attributes(GEOMETRY)
    files.write_frequency(packed.counts(), 6, GEOMETRY)
    files.write_trace(active[0])
    files.write_run({"arguments": {"seed": 42, "temperature": 0.8}, "model": {"name": "m"}})
    edges = [f"{s} {t}" for s in range(8) for t in range(s // 4 * 4 + 4, s // 4 * 4 + 8)]
    (folder / "full.el").write_text("\n".join(edges) + "\n")
    (folder / "weighted.el").write_text(
        "".join(f"{edge} {n - 9.5:g}\n" for n, edge in enumerate(edges))
    )
    (folder / "prompts.csv").write_bytes(PROMPTS)
    return folder


def dataset(packed: PackedActivations) -> pd.DataFrame:
    """Return six samples: two completions of one prompt, one of another, two tokens each."""
    counts = packed.layer_counts(3)
    texts = OUTPUTS
    return pd.DataFrame(
        {
            "sample_id": range(6),
            "prompt_sample_idx": [0, 0, 1, 1, 0, 0],
            "token_position": [0, 1] * 3,
            "input_text": ["x, y"] * 4 + ["'z"] * 2,
            "output": texts,
            "output_id": range(10, 16),
            "number_of_active_neurons": counts.sum(axis=1),
            **{f"layer_{layer}_num_active_neurons": counts[:, layer] for layer in range(3)},
            "prompt_idx": [0, 0, 0, 0, 1, 1],
            "context_token": [" y", texts[0]] * 2 + ["z", texts[4]],
            "context_token_id": [3, 10, 3, 10, 4, 14],
            "absolute_position": [2, 3, 2, 3, 0, 1],
            "output_logprob": [-0.5, -1.25, 0.0, -2.0, -3.5, -0.125],
        }
    )


def attempt(path: Path, content: bytes, read: Callable[[Path], Any]) -> Any:
    """Return what a reader makes of the content; None where it refuses in one line naming it."""
    path.write_bytes(content)
    try:
        with no_hang(), warnings.catch_warnings():
            warnings.simplefilter("error")
            return read(path)
    except UserError as error:
        told = one_line(str(error))
        assert path.name in told and len(told) < 600
        return None


def damaged(valid: Path, name: str, change: Change) -> tuple[Path, bytes]:
    path = valid / f"damaged_{name}"
    return path, change((valid / name).read_bytes())


@fuzzed
@given(mutations())
def test_prompts(valid: Path, change: Change) -> None:
    path, content = damaged(valid, "prompts.csv", change)
    rows = attempt(path, content, lambda path: parse_prompts(read_text(path), path))
    if rows is not None:
        text = content.decode("utf-8-sig")
        expected = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
        columns = [name.strip() for name in expected[0]]
        place = columns.index("prompts")
        assert [row.text for row in rows] == [row[place] for row in expected[1:]]
        assert all(row.text and row.n_new >= 1 and row.n_samples >= 1 for row in rows)


def _expected_cells(content: bytes) -> list[dict[str, str]]:
    text = content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text.lstrip("\r\n"), newline="")))


@fuzzed
@given(mutations())
@pytest.mark.parametrize("name", [f"m_{DATASET}", "safe.csv"])
def test_datasets(valid: Path, name: str, change: Change) -> None:
    path, content = damaged(valid, name, change)
    table = attempt(path, content, read_dataset)
    if table is None:
        return
    assert not table.duplicated("sample_id").any()
    for column in set(WHOLE_NUMBERS) & set(table.columns):
        assert len(table) == 0 or (table[column].dtype.kind == "i" and (table[column] >= 0).all())
    assert not table.isna().any(axis=None)
    cells = _expected_cells(content)
    if len(cells) == len(table):  # Python's reader takes blank lines and bare \r otherwise
        assert [int(row["sample_id"]) for row in cells] == table["sample_id"].tolist()


def _checked_activations(path: Path) -> tuple[list[int], PackedActivations]:
    sample_ids, packed = read_activations(path, N_NEURONS)
    assert len(set(sample_ids)) == len(sample_ids) == len(packed)
    assert all(type(sample_id) is int and sample_id >= 0 for sample_id in sample_ids)
    return sample_ids, packed


@fuzzed
@given(mutations())
def test_pickles(valid: Path, change: Change) -> None:
    attempt(*damaged(valid, f"m_{PICKLE}", change), _checked_activations)


@fuzzed
@given(mutations())
def test_traces(valid: Path, change: Change) -> None:
    attempt(*damaged(valid, "m_activations.pkl", change), _checked_activations)


@fuzzed
@given(mutations())
def test_json(valid: Path, change: Change) -> None:
    path, content = damaged(valid, f"m_{JSON}", change)
    found = attempt(path, content, _checked_activations)
    if found is not None:
        expected = json.loads(content.decode("utf-8-sig"))
        assert [int(key) for key in expected] == found[0]
        rows = [np.flatnonzero(row).tolist() for row in found[1].rows(slice(None))]
        assert [sorted(ids) for ids in expected.values()] == rows


@fuzzed
@given(mutations())
def test_archives(valid: Path, change: Change) -> None:
    path, content = damaged(valid, f"m_{MATRIX}", change)
    found = attempt(path, content, _checked_activations)
    if found is not None:
        with np.load(path, allow_pickle=False) as archive:
            assert archive["sample_ids"].tolist() == found[0]
            assert np.array_equal(archive["matrix"], found[1].rows(slice(None)))


@fuzzed
@given(mutations())
@pytest.mark.parametrize("name", ["full.el", "weighted.el"])
def test_edge_lists(valid: Path, name: str, change: Change) -> None:
    path, content = damaged(valid, name, change)
    blocks = attempt(
        path, content, lambda path: list(read_edge_blocks(path, GEOMETRY, list[str]().append))
    )
    if blocks is None:
        return
    lines = [line.split() for line in content.decode().split("\n") if line.strip()]
    found: list[list[float]] = []
    for block in blocks:
        columns = [block.sources, block.targets]
        columns += [] if block.weights is None else [block.weights]
        found += np.stack(columns, axis=1).astype(float).tolist()
    assert found == [[float(field) for field in line] for line in lines]


@fuzzed
@given(mutations())
@pytest.mark.parametrize("name", [f"m_{ATTRIBUTES}", "m_neuron_frequency.csv"])
def test_neuron_tables(valid: Path, name: str, change: Change) -> None:
    path, content = damaged(valid, name, change)
    geometry = attempt(path, content, read_geometry_table)
    if geometry is not None:
        rows = _expected_cells(content)
        layers = [int(row["layer"]) for row in rows]
        assert layers == [n // geometry.d_mlp for n in range(geometry.n_neurons)]


@fuzzed
@given(mutations())
def test_documents(valid: Path, change: Change) -> None:
    path, content = damaged(valid, "m_run.json", change)
    found = attempt(path, content, read_document)
    assert found is None or found == json.loads(content.decode("utf-8-sig"))


# What the numbers mean


def refused(path: Path, read: Callable[[Path], Any]) -> str:
    with pytest.raises(UserError) as error:
        read(path)
    assert path.name in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("column", "row", "value", "told"),
    [
        ("sample_id", 2, "1", "sample_id 1 stands in more than one row, again in row 3"),
        ("sample_id", 2, "-1", r"row 3 \(line 5\): sample_id is '-1'; a whole number of 0"),
        ("sample_id", 2, "2.5", "row 3 .*sample_id is '2.5'"),
        ("sample_id", 2, "", "row 3 .*sample_id is ''"),
        ("sample_id", 2, "nan", "row 3 .*sample_id is 'nan'"),
        ("sample_id", 2, "9" * 25, "row 3 .*sample_id is '999"),
        ("token_position", 1, "b", "row 2 .*token_position is 'b'; a whole number of 0"),
        ("prompt_sample_idx", 1, "0.5", "row 2 .*prompt_sample_idx is '0.5'; a whole number of 0"),
        ("absolute_position", 1, "x", "row 2 .*absolute_position is 'x'; a whole number of 0"),
        ("token_position", 1, "0", "prompt_idx 0, prompt_sample_idx 0, token_position 0 stands"),
        ("number_of_active_neurons", 0, "-3", "row 1 .*number_of_active_neurons is '-3'"),
        ("number_of_active_neurons", 0, "99", "row 1: number_of_active_neurons is 99, its layers"),
        ("layer_1_num_active_neurons", 5, "-1", "row 6 .*layer_1_num_active_neurons is '-1'"),
        ("output_logprob", 3, "nan", "row 4 .*output_logprob is 'nan'; the log"),
        ("output_logprob", 3, "-inf", "row 4 .*output_logprob is '-inf'; the log"),
        ("output_logprob", 3, "0.5", "row 4 .*output_logprob is '0.5'; the log"),
        ("input_text", 1, "other", "row 2: input_text is not the one that prompt_idx 0 has"),
        ("context_token_id", 3, "3", "context_token is not the one that context_token_id 3 has"),
    ],
)  # fmt: skip
def test_a_dataset_that_means_nothing_is_refused_with_its_row(
    valid: Path, tmp_path: Path, column: str, row: int, value: str, told: str
) -> None:
    table = read_dataset(valid / f"m_{DATASET}").astype(str)
    table.loc[row, column] = value
    path = tmp_path / "d.csv"
    table.to_csv(path, index=False, quoting=csv.QUOTE_ALL)
    assert re.search(told, refused(path, read_dataset))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"0": [1, 12]}, "sample 0 names neuron 12; the model has 0 to 11"),
        ({"0": [-1]}, "sample 0 names neuron -1"),
        ({"0": [3, 1, 3]}, "sample 0 names neuron 3 more than once"),
        ({"0": [1.0]}, "sample 0 is not a list of neuron ids"),
        ({"0": [True]}, "sample 0 is not a list of neuron ids"),
        ({"-1": [1]}, "sample id '-1' is not a whole number of 0 or more"),
        ({"00": [1]}, "sample id '00' is not a whole number"),
        ({"0": [10**30]}, "sample 0 names a neuron beyond"),
    ],
)
def test_activations_that_mean_nothing_are_refused(
    tmp_path: Path, content: object, told: str
) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content))
    assert told in refused(path, lambda path: read_activations(path, N_NEURONS))


def test_neurons_in_any_order_are_one_set(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"5": [11, 0, 3]}')
    sample_ids, packed = read_activations(path, N_NEURONS)
    assert sample_ids == [5] and np.flatnonzero(packed.rows([0])[0]).tolist() == [0, 3, 11]


def test_tables_of_two_models_in_one_folder_are_refused(tmp_path: Path) -> None:
    files = Artifacts(tmp_path, "m")
    files.write_attributes(Geometry(3, 1, 4, 0))
    files.write_frequency(np.zeros(8, int), 1, Geometry(2, 1, 4, 0))
    with pytest.raises(UserError, match=r"3 layers of 4 neurons, .* they are of two models"):
        read_stated([tmp_path], "m")


def test_an_edge_list_that_was_cut_at_a_line_is_noted(valid: Path, tmp_path: Path) -> None:
    path = tmp_path / f"m_{EDGES}"
    for name in ("full.el", "weighted.el"):
        lines = (valid / name).read_text().splitlines(keepends=True)
        notes: list[str] = []
        path.write_text("".join(lines))
        list(read_edge_blocks(path, GEOMETRY, notes.append))
        assert notes == []
        path.write_text("".join(lines[:-3]))
        list(read_edge_blocks(path, GEOMETRY, notes.append))
        assert len(notes) == 1 and notes[0].startswith(f"{path}: neurons have 1 to 4 edges")


def test_prompts_with_a_column_twice_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("prompts,number_of_new_tokens,prompts\na,1,b\n")
    told = refused(path, lambda path: parse_prompts(read_text(path), path))
    assert "line 1: the column prompts stands there more than once" in told


def test_the_files_that_are_damaged_above_are_valid(valid: Path) -> None:
    for ending in (PICKLE, JSON, MATRIX, "activations.pkl"):
        sample_ids, packed = _checked_activations(valid / f"m_{ending}")
        assert len(sample_ids) in (1, 6) and packed.counts().any()
    for name in (f"m_{DATASET}", "safe.csv"):
        assert read_dataset(valid / name)["output"].tolist() == [
            '"a"',
            " b,\n",
            "=1",
            "NA",
            "\x00",
            "",
        ]
    assert read_geometry_table(valid / f"m_{ATTRIBUTES}").n_neurons == N_NEURONS
    for name in ("full.el", "weighted.el"):
        blocks = read_edge_blocks(valid / name, GEOMETRY, list[str]().append)
        assert sum(len(block.sources) for block in blocks) == 32


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"}K\x05](K\x01K\x02es.", {5: [1, 2]}),
        (b"(K\x05(K\x01K\x02ld.", {5: [1, 2]}),
        (b"I01\nI00\n\x86.", (True, False)),
        (b"F1.5\nL7L\n\x86.", (1.5, 7)),
        (b"K\x012\x86.", (1, 1)),
        (b"K\x01(K\x02K\x031.", 1),
        (b"K\x01(K\x0200.", 1),
        (b"]N\x88\x89\x87a.", [(None, True, False)]),
        (b"V\\u00e9\n.", "é"),
        (b"]p7\n0g7\n.", []),
    ],
)
def test_rare_opcodes_mean_what_they_mean_to_python(content: bytes, expected: object) -> None:
    assert safe_pickle.load(io.BytesIO(content)) == expected == pickle.loads(content)
