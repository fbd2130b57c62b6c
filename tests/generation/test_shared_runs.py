"""A run made by one process, by torchrun, by a job array, or in several goes: the same bytes.

What one torchrun writes from the start is compared in tests/test_readme.py, whose commands run one.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gelu.artifacts import folder_lock
from tests.helpers import ROOT, run_script_here, save_gpt2, user_error, write_prompts

SCRIPT = "generate_activation_dataset.py"


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shared")
    save_gpt2(folder / "model")
    prompts = [(text, n, 2) for n, text in enumerate(("a", "bc", "def", "g", "hi"), start=2)]
    write_prompts(folder / "prompts.csv", *prompts)
    return folder


def arguments(work: Path, out: Path, *more: object) -> list[Any]:
    given = ["--model_type", work / "model", "--input_csv", work / "prompts.csv"]
    return [*given, "--export_dir", out, "--batch_size", 3, *more]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def alone(work: Path) -> Path:
    run_script_here(SCRIPT, *arguments(work, work / "alone"))
    return work / "alone"


def refusal(*arguments: object) -> str:
    return user_error(SCRIPT, *arguments)


def torchrun(out: Path, *more: object) -> list[str]:
    command = [Path(sys.executable).parent / "torchrun", "--nproc-per-node", 2, ROOT / SCRIPT]
    return list(map(str, [*command, *more, "--export_dir", out]))


def workers(process: int) -> list[int]:
    """Return the processes that a process has started."""
    children = Path(f"/proc/{process}/task/{process}/children")
    return list(map(int, children.read_text().split()))


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="no list of processes here")
def test_a_torchrun_that_loses_a_process_ends_and_goes_on(work: Path, tmp_path: Path) -> None:
    write_prompts(tmp_path / "many.csv", ("a", 12, 40), ("bc", 10, 40))
    given = ["--model_type", work / "model", "--input_csv", tmp_path / "many.csv"]
    given += ["--batch_size", 1, "--edges", "none", "--device", "cpu"]
    out, shards = tmp_path / "killed", tmp_path / "killed" / ".shards"
    with subprocess.Popen(torchrun(out, *given), cwd=ROOT, stderr=subprocess.PIPE) as run:
        assert run.stderr is not None
        # Both have made a batch: one rank makes the even ones.
        while not {0, 1} <= {int(path.stem[-8:]) % 2 for path in shards.glob("*.shard")}:
            assert run.poll() is None
            time.sleep(0.01)
        os.kill(workers(run.pid)[1], signal.SIGKILL)
        run.stderr.read()
        assert run.wait() != 0
    kept = len(list(shards.glob("*.shard")))
    assert 2 <= kept < 80 and [path.name for path in out.iterdir()] == [".shards"]
    again = subprocess.run(
        torchrun(out, *given), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("active on average") == 1
    run_script_here(SCRIPT, *given, "--export_dir", tmp_path / "alone")
    assert contents(out) == contents(tmp_path / "alone")


def test_a_job_array_and_a_merge_write_the_same_bytes(work: Path, alone: Path) -> None:
    out = work / "array"
    for part in ("2/3", "0/3"):
        made = run_script_here(SCRIPT, *arguments(work, out, "--shard", part))
        assert made.stdout == f"{out}: part {part} is done\n"
        assert [p.name for p in out.iterdir()] == [".shards"]
    missing = refusal(*arguments(work, out, "--merge"))
    assert "1 of 4 batches are missing, the first is 1" in missing
    run_script_here(SCRIPT, *arguments(work, out, "--shard", "1/3"))
    run_script_here(SCRIPT, *arguments(work, out, "--merge"))
    assert contents(out) == contents(alone)


def test_a_merge_takes_the_batch_size_of_the_parts(work: Path) -> None:
    out = work / "batch size"
    run_script_here(SCRIPT, *arguments(work, out, "--shard", "0/1"))
    run_script_here(SCRIPT, *arguments(work, out, "--merge")[:-3], "--merge")
    run = json.loads((out / "model_run.json").read_text())
    assert run["arguments"]["batch_size"] == 3


def test_a_finished_run_says_so_and_changes_nothing(work: Path, alone: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in alone.iterdir()}
    said = run_script_here(SCRIPT, *arguments(work, alone)).stdout
    assert said == f"{alone}: finished already; --overwrite makes it anew\n"
    assert {p: p.stat().st_mtime_ns for p in alone.iterdir()} == before


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--seed", 7], "--seed is 7, there it is 42"),
        (["--temperature", 0.5], "--temperature is 0.5, there it is 0.8"),
        (["--top_k", 4], "--top_k is 4, there it is 0"),
        (["--batch_size", 4], "--batch_size is 4, there it is 3"),
        (["--dtype", "bfloat16"], "--dtype is bfloat16, there it is float32"),
        (["--formats", "csv"], "--formats is csv, there it is csv,npz,pickle,json"),
        (["--input_csv", "other.csv"], "--input_csv has other contents"),
        (["--model_type", "other/model"], "--model_type has other weights"),
    ],
)
def test_another_run_is_never_mixed_in(
    more: list[object], named: str, work: Path, alone: Path
) -> None:
    save_gpt2(work / "other" / "model", seed=1)
    write_prompts(work / "other.csv", ("a", 2, 1))
    more = [work / str(m) if str(m).startswith("other") else m for m in more]
    error = refusal(*arguments(work, alone, *more))
    assert f"{alone}: holds another run: {named}; choose another folder" in error


def test_an_unfinished_run_of_another_seed_is_refused_too(work: Path, tmp_path: Path) -> None:
    run_script_here(SCRIPT, *arguments(work, tmp_path, "--shard", "0/2"))
    error = refusal(*arguments(work, tmp_path, "--seed", 7))
    assert "holds a part of another run: --seed is 7, there it is 42" in error


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"arguments": 5}, "run.json: arguments is 5; an object is needed"),
        ({"arguments": {"batch_size": "3"}}, "arguments.batch_size is '3'; a whole number"),
        ({"arguments": {"batch_size": 3, "device": 1}}, "arguments.device is 1; a text is needed"),
        ({"versions": {"torch": "1.0"}}, "holds another run: versions"),
    ],
)
def test_a_damaged_or_older_description_is_noticed(
    change: dict[str, Any], said: str, work: Path, alone: Path, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(alone, tmp_path / "d"))
    described = out / "model_run.json"
    described.write_text(json.dumps(json.loads(described.read_text()) | change))
    assert said in refusal(*arguments(work, out)[:-2])


def test_true_is_no_number(work: Path, alone: Path, tmp_path: Path) -> None:
    """To Python it is 1, and the seed of another run would be taken for this one's."""
    out = Path(shutil.copytree(alone, tmp_path / "d"))
    described = out / "model_run.json"
    described.write_text(described.read_text().replace('"seed": 42', '"seed": true'))
    error = refusal(*arguments(work, out, "--seed", 1))
    assert "holds another run: --seed is 1, there it is True" in error
    described.write_text(described.read_text().replace('"seed": true', '"seed": 1'))
    assert run_script_here(SCRIPT, *arguments(work, out, "--seed", 1)).returncode == 0


def test_overwrite_drops_the_shards_of_an_unfinished_run(
    work: Path, alone: Path, tmp_path: Path
) -> None:
    run_script_here(SCRIPT, *arguments(work, tmp_path / "d", "--seed", 7, "--shard", "0/2"))
    run_script_here(SCRIPT, *arguments(work, tmp_path / "d", "--overwrite"))
    assert contents(tmp_path / "d") == contents(alone)


def test_overwrite_starts_afresh(work: Path, alone: Path, tmp_path: Path) -> None:
    shutil.copytree(alone, tmp_path / "d")
    run_script_here(SCRIPT, *arguments(work, tmp_path / "d", "--seed", 7, "--overwrite"))
    run_script_here(SCRIPT, *arguments(work, tmp_path / "new", "--seed", 7))
    assert contents(tmp_path / "d") == contents(tmp_path / "new") != contents(alone)


def test_formats_that_are_left_out_are_not_written_and_others_are_the_same(
    work: Path, alone: Path, tmp_path: Path
) -> None:
    run_script_here(SCRIPT, *arguments(work, tmp_path, "--formats", "npz,csv", "--edges", "none"))
    made, full = contents(tmp_path), contents(alone)
    left_out = {f"model_{end}" for end in ("neuron_activations.pickle", "neuron_activations.json")}
    assert set(full) - set(made) == left_out | {"model_neuron_edges.el"}
    made.pop("model_run.json")
    assert made == {name: full[name] for name in made}


def test_a_damaged_shard_is_noticed_and_made_again(work: Path, alone: Path, tmp_path: Path) -> None:
    run_script_here(SCRIPT, *arguments(work, tmp_path, "--shard", "0/1"))
    shards = sorted((tmp_path / ".shards").glob("*.shard"))
    content = bytearray(shards[1].read_bytes())
    content[len(content) // 2] ^= 4
    shards[1].write_bytes(bytes(content))
    shards[2].write_bytes(shards[2].read_bytes()[:-7])
    shutil.copy(shards[0], shards[3])
    error = refusal(*arguments(work, tmp_path, "--merge")).split(": ", 1)[1]
    assert "3 of 4 batches are missing, the first is 1" in error
    run_script_here(SCRIPT, *arguments(work, tmp_path))
    assert contents(tmp_path) == contents(alone)


def test_wrong_ways_of_sharing_are_one_line(work: Path, tmp_path: Path) -> None:
    for more in (["--shard", "2/2"], ["--shard", "1"], ["--formats", "csv,xls"]):
        assert str(more[1]).split(",")[-1] in refusal(*arguments(work, tmp_path, *more))
    error = refusal(*arguments(work, tmp_path, "--merge", "--shard", "0/2"))
    assert "--merge goes with neither" in error


def test_a_second_process_is_refused_while_a_first_one_writes(work: Path, tmp_path: Path) -> None:
    with folder_lock(tmp_path / ".shards"):
        for more in ([], ["--shard", "0/2"], ["--overwrite"]):
            said = refusal(*arguments(work, tmp_path, *more))
            assert f"{tmp_path}: another process is writing there" in said
    with folder_lock(tmp_path / ".shards", shared=True):
        assert "another process" in refusal(*arguments(work, tmp_path))
        run_script_here(SCRIPT, *arguments(work, tmp_path, "--shard", "0/2"))
