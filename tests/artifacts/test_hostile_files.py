"""Files made to harm whoever reads them: none runs, each is refused in one line, soon and small."""

import io
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gelu.artifacts import (
    MATRIX,
    PICKLE,
    Artifacts,
    read_activations,
    read_dataset,
    read_geometry_table,
)
from gelu.errors import UserError, one_line
from gelu.packed import PackedActivations
from tests.helpers import ROOT, save_gpt2, user_error, write_activations
from tests.hostile_pickles import CANARY, CODE, COMMAND, GB_10, hostile_pickles
from tests.interruptions import forked
from tests.read_hostile_files import N_NEURONS

# `make coverage` slows everything down.
SECONDS = 2.0 if "COVERAGE_ROOT" not in os.environ else 20.0
BYTES = 500_000_000
BYTES_OF_A_FILE = 100_000_000


def refusals(folder: Path, files: Mapping[str, tuple[str, Path]]) -> dict[str, str]:
    """Read the files (name -> kind, path) in one process of its own; return each refusal.

    Fails where one is read, takes long, or anything ran.
    """
    result = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.path.insert(0, {str(ROOT)!r}); "
            "from tests.read_hostile_files import main; main()",
        ],
        input=json.dumps([[kind, str(path)] for kind, path in files.values()]),
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert result.stderr == ""  # no warning beside the one line
    told = json.loads(result.stdout)
    attempts = dict(zip(files, told["attempts"], strict=True))
    assert not (folder / CANARY).exists()
    assert [name for name, attempt in attempts.items() if attempt["refusal"] is None] == []
    assert [name for name, attempt in attempts.items() if attempt["seconds"] > SECONDS] == []
    # What torch takes to be imported is in it; its CUDA build alone takes more.
    most = max(attempt["bytes"] for attempt in attempts.values())
    assert most - told["imported"] < BYTES_OF_A_FILE
    assert most < max(BYTES, told["imported"] + BYTES_OF_A_FILE)
    return {name: attempt["refusal"] for name, attempt in attempts.items()}


def is_plain(message: str) -> bool:
    """Whether a message, as the scripts print it, is one line of a readable length."""
    shown = one_line(message)
    return shown.isprintable() and len(shown) < 600


def test_no_pickle_of_the_corpus_runs_or_is_read(tmp_path: Path) -> None:
    files = {}
    for number, (name, content) in enumerate(hostile_pickles().items()):
        path = tmp_path / f"{number}.pickle"
        path.write_bytes(content)
        files[name] = ("activations", path)
    assert len(files) > 190
    messages = refusals(tmp_path, files)
    assert all(str(files[name][1]) in message for name, message in messages.items())
    assert [name for name, message in messages.items() if not is_plain(message)] == []
    for name, asked in {
        "os.system, protocol 4": "nothing in it was run: it asks for posix.system",
        "eval, protocol 0": "it asks for __builtin__.eval",
        "persistent id": "it asks for a persistent id",
        "EXT1": "it asks for the extension registry",
        "in an object array, protocol 4": "it asks for a NumPy dtype 'O8'",
        "BYTEARRAY8 of 10 GB": "it says that 10,000,000,000 bytes follow, and 4 do",
    }.items():
        assert asked in messages[name]


def test_the_corpus_is_hostile(tmp_path: Path) -> None:
    """Python's own reader would run it."""
    content = hostile_pickles()["os.system, protocol 4"]
    code = f"import os, pickle; pickle.loads({content!r}); print(os.path.exists({CANARY!r}))"
    printed = subprocess.check_output([sys.executable, "-c", code], text=True, cwd=tmp_path)
    assert printed.strip() == "True"


def test_a_script_refuses_in_one_line(tmp_path: Path) -> None:
    corpus = hostile_pickles()
    files = Artifacts(tmp_path, "m")
    (tmp_path / "m_neuron_attributes.csv").write_text("node_id,layer,dimension\n0,0,0\n1,1,0\n")
    (tmp_path / "m_neuron_edges.el").write_text("0 1 0.5\n")
    model = tmp_path / "m"
    model.mkdir()
    for name in ("os.system, protocol 4", "a name with line breaks and escapes"):
        files.path(PICKLE).write_bytes(corpus[name])
        line = user_error(
            "visualize_gelu_graph.py", "--model_type", model, "--graph_dir", tmp_path,
            "--activation_file", files.path(PICKLE), "--output_dir", tmp_path / "out",
        )  # fmt: skip
        assert "refused, nothing in it was run" in line and "\x1b" not in line
    assert not (ROOT / CANARY).exists()


# Archives


def npy(content: bytes, shape: str = "(1,)", descr: str = "'<i8'") -> bytes:
    """Return a `.npy` that says it is of this type and shape, whatever its content."""
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + content


MATRIX_NPY = npy(bytes(2 * N_NEURONS), f"(2, {N_NEURONS})", "'|b1'")
IDS_NPY = npy(np.arange(2).tobytes(), "(2,)")
NEURONS_NPY = npy(np.arange(N_NEURONS).tobytes(), f"({N_NEURONS},)")
Members = list[tuple[str, bytes]]


def archive(members: Members, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip archive of these members, in this order, names as often as they stand there."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as made:
        for name, content in members:
            made.writestr(zipfile.ZipInfo(name), content, compress_type=method)
    return file.getvalue()


def with_members(**replaced: bytes) -> Members:
    """Return the three members of an honest archive, some replaced."""
    honest = {"matrix": MATRIX_NPY, "sample_ids": IDS_NPY, "neuron_ids": NEURONS_NPY}
    return [(f"{name}.npy", content) for name, content in (honest | replaced).items()]


class _Evil:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        import os

        return os.system, (COMMAND,)


def _saved(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=True, **arrays)
    return file.getvalue()


def _bomb() -> bytes:
    """Return an archive of 20 MB whose matrix unpacks to 20 GB of no activity at all."""
    # The same compressed megabytes over and over would be the smaller file; so is one that lies.
    rows = 65_536
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as made:
        with made.open("matrix.npy", "w", force_zip64=True) as member:
            member.write(npy(b"", f"({rows}, {N_NEURONS})", "'|b1'"))
            for _ in range(rows // 1024):
                member.write(bytes(1024 * N_NEURONS))
        made.writestr("sample_ids.npy", npy(np.arange(rows).tobytes(), f"({rows},)"))
        made.writestr("neuron_ids.npy", NEURONS_NPY)
    return file.getvalue()


def hostile_archives() -> dict[str, bytes]:
    """Return archives in place of `{m}_activation_matrix.npz`."""
    evil = np.array([_Evil()], dtype=object)
    matrix, ids = np.zeros((2, N_NEURONS), bool), np.arange(2)
    honest = archive(with_members())
    lying = bytearray(honest)
    place = lying.rindex(b"PK\x01\x02", 0, lying.index(b"sample_ids", lying.index(b"PK\x01\x02")))
    struct.pack_into("<I", lying, place + 24, 3_000_000_000)
    encrypted = bytearray(honest)
    encrypted[encrypted.index(b"PK\x01\x02") + 8] |= 1
    encrypted[6] |= 1
    named = "'descr': [('a', '|O'), ('b', '<i4')]"
    return {
        "object matrix": _saved(matrix=evil, sample_ids=ids, neuron_ids=np.arange(N_NEURONS)),
        "object sample_ids": _saved(matrix=matrix, sample_ids=evil, neuron_ids=ids),
        "object neuron_ids": _saved(matrix=matrix, sample_ids=ids, neuron_ids=evil),
        "a pickle for an archive": pickle.dumps(_Evil()),
        "a pickle for an array": archive(with_members(sample_ids=pickle.dumps(_Evil()))),
        "records of objects": archive(
            with_members(sample_ids=npy(b"", descr="[('a', '|O'), ('b', '<i4')]"))
        ),
        "huge shape": archive(with_members(matrix=npy(b"", f"({GB_10}, {N_NEURONS})", "'|b1'"))),
        "huge ids": archive(with_members(sample_ids=npy(b"", f"({GB_10},)"))),
        "shape beyond 64 bits": archive(with_members(sample_ids=npy(b"", f"({10**30},)"))),
        "negative shape": archive(with_members(sample_ids=npy(b"", "(-2,)"))),
        "shape of shapes": archive(with_members(sample_ids=npy(b"", "((1,), 2)"))),
        "header of code": archive(
            with_members(sample_ids=npy(b"", descr=CODE.replace("'", '"')))
        ),
        "deep header": archive(with_members(sample_ids=npy(b"", "(" * 5000))),
        "header of minus signs": archive(with_members(sample_ids=npy(b"", "-" * 9000 + "1"))),
        "header with a list as key": archive(with_members(sample_ids=npy(b"", "{[]: 1}"))),
        "a header of Python 2": archive(
            with_members(matrix=npy(bytes(2 * N_NEURONS), f"(2L, {N_NEURONS})", "'|b1'"))
        ),
        "a header that Python warns of": archive(
            with_members(matrix=npy(bytes(2 * N_NEURONS), f"(1if 1else 2, {N_NEURONS})", "'|b1'"))
        ),
        "header that says 64 kB": archive(
            with_members(sample_ids=b"\x93NUMPY\x01\x00\xff\xff" + named.encode())
        ),
        "another version": archive(with_members(matrix=b"\x93NUMPY\x03\x00" + MATRIX_NPY[8:])),
        "three dimensions": archive(
            with_members(matrix=npy(bytes(2 * N_NEURONS), f"(2, {N_NEURONS}, 1)", "'|b1'"))
        ),
        "too long": archive(with_members(matrix=MATRIX_NPY + b"\x01")),
        "too short": archive(with_members(matrix=MATRIX_NPY[:-1])),
        "a sample twice": archive(with_members(sample_ids=npy(bytes(16), "(2,)"))),
        "a sample of less than 0": archive(
            with_members(sample_ids=npy(np.array([-1, 1]).tobytes(), "(2,)"))
        ),
        "neurons in another order": archive(
            with_members(
                neuron_ids=npy(np.arange(N_NEURONS)[::-1].tobytes(), f"({N_NEURONS},)")
            )
        ),
        "duplicated member": archive([*with_members(), ("matrix.npy", MATRIX_NPY)]),
        "no matrix": archive(with_members()[1:]),
        "path tricks": archive([(f"../../{name}", data) for name, data in with_members()]),
        "absolute paths": archive([(f"/tmp/{name}", data) for name, data in with_members()]),
        "BZIP2": archive(with_members(), zipfile.ZIP_BZIP2),
        "LZMA": archive(with_members(), zipfile.ZIP_LZMA),
        "encrypted": bytes(encrypted),
        "a directory that lies": bytes(lying),
        "cut short": honest[:-30],
        "a bomb": _bomb(),
        "nothing": b"",
    }  # fmt: skip


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_no_archive_runs_or_unpacks_a_bomb(tmp_path: Path) -> None:
    files = {}
    for number, (name, content) in enumerate(hostile_archives().items()):
        path = tmp_path / f"{number}.npz"
        path.write_bytes(content)
        files[name] = ("activations", path)
    messages = refusals(tmp_path, files)
    assert all(str(files[name][1]) in message for name, message in messages.items())
    assert all(map(is_plain, messages.values()))
    assert "2 members are called matrix.npy" in messages["duplicated member"]
    assert "no record of activity is so uniform" in messages["a bomb"]
    assert {path.suffix for path in tmp_path.iterdir()} == {".npz"}


def test_an_honest_archive_is_read_also_when_made_by_numpy(tmp_path: Path) -> None:
    matrix = np.random.default_rng(0).random((5, N_NEURONS)) < 0.5
    path = tmp_path / "a.npz"
    ids = {"sample_ids": np.arange(5), "neuron_ids": np.arange(N_NEURONS)}
    for save in (np.savez, np.savez_compressed):
        save(path, matrix=matrix, **ids)  # type: ignore[arg-type]
        assert np.array_equal(read_activations(path, N_NEURONS)[1].rows(slice(None)), matrix)
    write_activations(
        Artifacts(tmp_path, "m"), range(5), PackedActivations.from_bool(matrix), ["npz"]
    )
    assert read_activations(tmp_path / f"m_{MATRIX}", N_NEURONS)[0] == list(range(5))


# Tables

COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip", ".tar", ".tar.gz", ".tar.xz", ".GZ")


@pytest.mark.parametrize("ending", COMPRESSED)
def test_a_tables_name_unpacks_nothing(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"t.csv{ending}"
    path.write_text("sample_id,prompt_sample_idx,token_position,output\n0,0,0,a\n")
    assert read_dataset(path)["output"].tolist() == ["a"]
    path.write_text("neuron_id,layer,dimension\n0,0,0\n")
    assert read_geometry_table(path).n_neurons == 1


def test_compressed_tables_are_refused_as_they_are(tmp_path: Path) -> None:
    """Unpacked they would be a gigabyte of commas."""
    row = b"0," * (1 << 19)
    bomb = zlib.compressobj(9, wbits=31)
    packed = bomb.compress(b"sample_id,prompt_sample_idx,token_position,output\n0,0,0,")
    packed += b"".join(bomb.compress(row) for _ in range(1000)) + bomb.flush()
    assert len(packed) < 2_000_000
    files = {}
    for kind in ("dataset", "neurons"):
        files[kind] = (kind, tmp_path / f"{kind}.csv.gz")
        files[kind][1].write_bytes(packed)
    for kind, message in refusals(tmp_path, files).items():
        assert message.startswith(f"{files[kind][1]}: not a ") and "no UTF-8" in message


# JSON

HOSTILE_JSON: dict[str, str | bytes] = {
    "a huge number as neuron": '{"0": [' + "9" * 5000 + "]}",
    "a number beyond 64 bits": '{"0": [' + "9" * 30 + "]}",
    "a huge sample id": '{"' + "9" * 5000 + '": []}',
    "a sample id beyond 64 bits": '{"' + "9" * 19 + '": []}',
    "deep lists": "[" * 200_000,
    "deep lists, closed": '{"0": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "deep dicts": '{"0":' * 100_000,
    "a sample twice": '{"0": [1], "0": [2]}',
    "a sample twice in other words": '{"0": [1], "00": [2]}',
    "NaN": '{"0": [NaN]}',
    "infinity": '{"0": [1e999]}',
    "true": '{"0": [true, 2]}',
    "a text": '{"0": "12"}',
    "a neuron twice": '{"0": [1, 2, 1]}',
    "a neuron of less than 0": '{"0": [-1]}',
    "a neuron too many": '{"0": [4096]}',
    "a sample of less than 0": '{"-1": [1]}',
    "not UTF-8": '{"0": [1]}'.encode("utf-16"),
    "digits of another script": '{"٣": [1]}',
    "nothing": "",
}


def test_hostile_json_is_refused(tmp_path: Path) -> None:
    files = {}
    for number, (name, content) in enumerate(HOSTILE_JSON.items()):
        path = tmp_path / f"{number}.json"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        files[name] = ("activations", path)
    messages = refusals(tmp_path, files)
    assert all(str(files[name][1]) in message for name, message in messages.items())
    assert all(map(is_plain, messages.values()))


RESULTS = (
    *("activation_prediction", "analysis", "next_token", "patterns", "picture", "predictor"),
    "temperatures",
)


def test_hostile_results_are_refused(tmp_path: Path) -> None:
    files = {}
    corpus = {**HOSTILE_JSON, "a bomb": _picture_bomb(), "a pickle": pickle.dumps(_Evil())}
    for number, (name, content) in enumerate(corpus.items()):
        path = tmp_path / f"{number}.json"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        for kind in RESULTS:
            files[f"{name} as {kind}"] = (kind, path)
    messages = refusals(tmp_path, files)
    assert all(str(files[name][1]) in message for name, message in messages.items())
    assert all(map(is_plain, messages.values()))


def _picture_bomb() -> bytes:
    """Return a PNG of 16 x 16 pixels whose pixels unpack to a gigabyte."""
    squeeze = zlib.compressobj(9)
    pixels = b"".join(squeeze.compress(bytes(1 << 20)) for _ in range(1 << 10)) + squeeze.flush()
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 16, 16, 8, 2, 0, 0, 0)),
        (b"IDAT", pixels),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


# Models


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "honest"
    save_gpt2(folder)
    return folder


def altered(honest: Path, folder: Path, **files: bytes | None) -> Path:
    """Return a copy of a model's folder, with files replaced or left out; `_` stands for `.`."""
    folder.mkdir()
    for path in honest.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    for name, content in files.items():
        path = folder / name.replace("__", ".")
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)
    return folder


def _torch_saved(content: Any) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def _with_pickle(content: bytes) -> bytes:
    """Return what `torch.save` writes, its pickle replaced."""
    saved = zipfile.ZipFile(io.BytesIO(_torch_saved({"a": torch.zeros(1)})))
    return archive(
        [
            (name, content if name.endswith("data.pkl") else saved.read(name))
            for name in saved.namelist()
        ],
        zipfile.ZIP_STORED,
    )


OLD_TORCH = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2)


def hostile_weights() -> dict[str, dict[str, bytes | None]]:
    """Return what to replace in an honest model: file -> content, None to leave it out."""
    corpus = hostile_pickles()
    bins = {
        "os.system": _torch_saved(_Evil()),
        "os.system in a dict": _torch_saved(OrderedDict(a=torch.zeros(1), b=_Evil())),
        "a bare pickle": corpus["os.system, protocol 2"],
        "numbers for tensors": _torch_saved({"transformer.wte.weight": 5}),
        "a list for a dict": _torch_saved([torch.zeros(1)]),
        "numbers for names": _torch_saved({5: torch.zeros(1)}),
        "no archive": b"\x00" * 100,
    }
    for name in (
        "eval, protocol 2",
        "getattr chain, protocol 2",
        "EXT1",
        "persistent id",
        "LONG_BINPUT far out",
        "BINUNICODE of 4 GB",
        "recursion: lists in lists",
    ):
        bins[f"{name} inside"] = _with_pickle(corpus[name])
        # As PyTorch saved before 1.6: pickles one after another, the first two as expected.
        bins[f"{name}, old"] = OLD_TORCH + corpus[name]
    header = struct.Struct("<Q")
    lie = b'{"a": {"dtype": "F32", "shape": [2500000000], "data_offsets": [0, 10000000000]}}'
    tensors = {
        "a header of 10 GB": header.pack(GB_10) + b"{}",
        "a header of 2**64 - 1": header.pack((1 << 64) - 1) + b"{}",
        "a header that is no JSON": header.pack(4) + b"\x80\x04}.",
        "a deep header": header.pack(50_000) + b"[" * 50_000,
        "a tensor of 10 GB": header.pack(len(lie)) + lie,
        "a pickle": corpus["os.system, protocol 4"],
        "nothing": b"",
    }
    return {
        **{
            f"bin: {name}": {"model__safetensors": None, "pytorch_model__bin": content}
            for name, content in bins.items()
        },
        **{f"safetensors: {name}": {"model__safetensors": data} for name, data in tensors.items()},
    }


def hostile_configs(honest: Path) -> dict[str, bytes]:
    """Return contents for `config.json`."""
    config = json.loads((honest / "config.json").read_text())

    def with_values(**values: Any) -> bytes:
        return json.dumps(config | values).encode()

    return {
        "a model of its own": with_values(
            model_type="evil", auto_map={"AutoModelForCausalLM": "evil.Model"}
        ),
        "10**18 layers": with_values(n_layer=10**18),
        "10**400 layers": with_values(n_layer=10**400),
        "10**5000 layers": b'{"model_type": "gpt2", "n_layer": 1' + b"0" * 5000 + b"}",
        "less than no layers": with_values(n_layer=-1),
        "no layers": with_values(n_layer=0),
        "layers in words": with_values(n_layer="twelve"),
        "10**12 wide": with_values(n_embd=10**12),
        "10**12 neurons": with_values(n_inner=10**12),
        "10**12 tokens": with_values(vocab_size=10**12),
        "10**12 positions": with_values(n_positions=10**12),
        "2**31 neurons": with_values(n_layer=1000, n_inner=1 << 20),
        "an activation by another name": with_values(activation_function="__import__('os')"),
        "deep": b"[" * 200_000,
        "a list": b"[]",
        "a key twice": b'{"model_type": "gpt2", "n_layer": 1, "n_layer": 2}',
        "NaN": with_values(layer_norm_epsilon=float("nan")),
        "not UTF-8": b"\xff\xfe",
    }


def test_no_model_folder_runs_or_is_read(honest: Path, tmp_path: Path) -> None:
    replaced = hostile_weights()
    evil = f"{CODE}\nclass Model: pass\n".encode()
    for name, content in hostile_configs(honest).items():
        replaced[f"config: {name}"] = {"config__json": content, "evil__py": evil}
    index = json.dumps({"weight_map": {"a": "../honest/model.safetensors"}}).encode()
    for name, content in {"elsewhere": index, "no index": b"[" * 100_000}.items():
        replaced[f"index: {name}"] = {
            "model__safetensors": None,
            "model__safetensors__index__json": content,
        }
    replaced["tokenizer: no JSON"] = {"tokenizer__json": b"[" * 1000}
    files = {
        name: ("model", altered(honest, tmp_path / f"model_{number}", **parts))
        for number, (name, parts) in enumerate(replaced.items())
    }
    # A saved predictor's weights are such a file too.
    for name in [name for name in files if name.startswith("safetensors: ")]:
        files[f"predictor's {name}"] = ("tensors", files[name][1] / "model.safetensors")
    messages = refusals(tmp_path, files)
    assert all(map(is_plain, messages.values()))
    assert not list(tmp_path.glob(f"**/{CANARY}"))


@pytest.mark.parametrize(
    "change",
    [
        {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}},
        {"normalizer": {"type": "Replace", "pattern": {"String": ""}, "content": "x" * 100}},
    ],
)
def test_a_tokenizer_that_makes_its_library_panic_is_refused(
    change: dict[str, Any], honest: Path, tmp_path: Path
) -> None:
    tokenizer = json.loads((honest / "tokenizer.json").read_text()) | change
    model = altered(honest, tmp_path / "m", tokenizer__json=json.dumps(tokenizer).encode())
    given = ["--model_type", model, "--input_text", "I think", "--output_dir", tmp_path / "out"]
    # In a process of its own: what the library prints of its panic stands above.
    log = tmp_path / "log"
    ended = forked(["b_trace_gelu_activations.py", *given], log, -1)
    told = log.read_text().splitlines()
    assert ended.exitcode == 2 and told[-1].startswith("error: --model_type"), told
    assert not any("Traceback" in line for line in told) and len(told[-1]) < 500


def test_code_beside_a_model_is_never_run(honest: Path, tmp_path: Path) -> None:
    """`auto_map` names the model's own code, which transformers runs with trust_remote_code."""
    config = json.loads((honest / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}
    canary = tmp_path / CANARY
    folder = altered(
        honest,
        tmp_path / "model",
        config__json=json.dumps(config).encode(),
        evil__py=f"open({str(canary)!r}, 'w')\n".encode(),
    )
    from gelu.model.loading import load_model
    from gelu.model.source import find_model

    load_model(find_model(str(folder)), "cpu")
    assert not canary.exists()


def test_no_reader_allows_what_runs_code() -> None:
    sources = {path: path.read_text() for path in [*ROOT.glob("*.py"), *ROOT.glob("gelu/**/*.py")]}
    harmless = ("safe_pickle.load(", ".eval()", "trust_remote_code=False")
    for words in ("allow_pickle=True", "trust_remote_code", "weights_only=False", "np.load(",
                  "pickle.load(", "pickle.loads(", "pd.read_pickle", "joblib", "eval(", "exec(",
                  "os.system", "shell=True"):  # fmt: skip
        found = [
            path.name
            for path, text in sources.items()
            if words in reduce(lambda left, fine: left.replace(fine, ""), harmless, text)
        ]
        assert found == [], words


def test_weights_of_another_kind_are_refused(honest: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    from gelu.model.loading import load_model
    from gelu.model.source import find_model

    tensors = {
        name: t.to(torch.int8) for name, t in load_file(honest / "model.safetensors").items()
    }
    folder = altered(honest, tmp_path / "model")
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(UserError, match="lack or misshape"):
        load_model(find_model(str(folder)), "cpu")
