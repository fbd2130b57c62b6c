"""Runs that are killed or interrupted, at any moment: the same command ends with the same bytes."""

import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import ROOT, run_script_here, save_gpt2, user_error, write_prompts

SCRIPT = "generate_activation_dataset.py"
KILLS = 50
# Forked from a process that has imported all this, a run starts at once.
PRELOADED = ["generate_activation_dataset", "gelu.export", "gelu.generation", "gelu.models"]


def child(arguments: list[str], told: Path) -> None:
    """Run the script as a process of its own would."""
    import generate_activation_dataset
    from gelu.cli import run_script

    with told.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.argv = [SCRIPT, *arguments]
    run_script(generate_activation_dataset.main)


class Runs:
    """Starts runs of one command in one folder, and stops them."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(PRELOADED)

    def start(self, out: Path, *more: str) -> Any:
        given = ["--model_type", self.work / "model", "--input_csv", self.work / "prompts.csv"]
        given += ["--export_dir", out, "--batch_size", 4, *more]
        run = self._context.Process(target=child, args=(list(map(str, given)), self.told))
        run.start()
        return run

    @property
    def told(self) -> Path:
        return self.work / "told.txt"

    def complete(self, out: Path, *more: str) -> None:
        run = self.start(out, *more)
        run.join()
        assert run.exitcode == 0, self.told.read_text()[-2000:]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    work = tmp_path_factory.mktemp("interrupted")
    save_gpt2(work / "model", n_layer=2)
    write_prompts(work / "prompts.csv", *((f"text {n}", 12, 4) for n in range(8)))
    return Runs(work)


@pytest.fixture(scope="module")
def undisturbed(runs: Runs) -> dict[str, bytes]:
    runs.complete(runs.work / "undisturbed")
    return contents(runs.work / "undisturbed")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def n_shards(out: Path) -> int:
    return len(list(out.glob(".shards/*.shard")))


def n_files(out: Path) -> int:
    """Files of the dataset, finished or being written."""
    return len([p for p in out.glob("*") if p.is_file()])


def wait_for(run: Any, there: Callable[[], bool]) -> None:
    while run.is_alive() and not there():
        time.sleep(0.0005)


def phase(out: Path) -> str:
    if n_files(out):
        return "files"
    return "shards" if n_shards(out) else "start"


def test_killed_at_any_moment_a_run_goes_on_and_ends_with_the_same_bytes(
    runs: Runs, undisturbed: dict[str, bytes]
) -> None:
    rng, kills, phases, attempt = random.Random(0), 0, Counter[str](), 0
    while kills < KILLS:
        attempt += 1
        out = runs.work / f"killed {attempt}"
        merging = attempt % 3 == 0
        if merging:
            runs.complete(out, "--shard", "0/1")
        for _ in range(6):
            run = runs.start(out, *(["--merge"] if merging else []))
            shards = n_shards(out)
            # Until the next phase begins, now and then; and then some moment more.
            waits: list[Callable[[], bool]] = [
                lambda: True,
                lambda out=out, shards=shards: n_shards(out) > shards,
                lambda out=out: n_files(out) > 0,
            ]
            wait_for(run, rng.choice(waits))
            time.sleep(rng.random() * 0.06)
            run.kill()
            run.join()
            if run.exitcode == 0:
                break
            kills += 1
            phases[("merge: " if merging else "") + phase(out)] += 1
        runs.complete(out)
        assert contents(out) == undisturbed
    assert {"start", "shards", "files", "merge: files"} <= set(phases), phases


@pytest.mark.parametrize("when", ["generating", "writing files"])
def test_ctrl_c_says_how_much_is_done_and_how_to_go_on(
    when: str, runs: Runs, undisturbed: dict[str, bytes]
) -> None:
    out = runs.work / f"interrupted {when}"
    run = runs.start(out)
    wait_for(run, lambda: (n_shards(out) if when == "generating" else n_files(out)) > 0)
    os.kill(run.pid, signal.SIGINT)
    start = time.monotonic()
    run.join()
    assert time.monotonic() - start < 2
    assert run.exitcode == 130
    last = runs.told.read_text().splitlines()[-1]
    assert last.startswith("interrupted: ") and last.count("of 8 batches are done and kept in") == 1
    assert last.endswith("the same command, without --overwrite, goes on from there")
    runs.complete(out)
    assert contents(out) == undisturbed


@pytest.mark.parametrize("delay", [0.15, 0.4, 0.8, 1.2])
def test_ctrl_c_during_the_start_is_one_line(delay: float, runs: Runs, tmp_path: Path) -> None:
    command = [sys.executable, ROOT / SCRIPT, "--model_type", runs.work / "model"]
    command += ["--input_csv", runs.work / "prompts.csv", "--export_dir", tmp_path / "out"]
    run = subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True)
    time.sleep(delay)
    run.send_signal(signal.SIGINT)
    _, told = run.communicate()
    assert run.returncode == 130, told[-1500:]
    assert "Traceback" not in told and told.splitlines()[-1].startswith("interrupted")


def test_a_second_process_is_refused_and_a_killed_one_leaves_no_lock(
    runs: Runs, undisturbed: dict[str, bytes]
) -> None:
    out = runs.work / "two"
    first = runs.start(out)
    wait_for(first, lambda: n_shards(out) > 0)
    os.kill(first.pid, signal.SIGSTOP)
    arguments = ["--model_type", runs.work / "model", "--input_csv", runs.work / "prompts.csv"]
    arguments += ["--export_dir", out, "--batch_size", 4]
    error = user_error(SCRIPT, *arguments, run=run_script_here)
    assert f"{out}: another process is writing there" in error
    error = user_error(SCRIPT, *arguments, "--shard", "0/2", run=run_script_here)
    assert "another process is writing there" in error
    first.kill()
    first.join()
    runs.complete(out)
    assert contents(out) == undisturbed


def test_shards_of_a_run_survive_a_merge_that_is_killed(
    runs: Runs, undisturbed: dict[str, bytes]
) -> None:
    out = runs.work / "merge"
    runs.complete(out, "--shard", "0/1")
    run = runs.start(out, "--merge")
    wait_for(run, lambda: n_files(out) > 0)
    run.kill()
    run.join()
    assert run.exitcode != 0 and n_shards(out) == 8
    assert json.loads((out / ".shards" / "model_run.json").read_text())["script"] == SCRIPT
    runs.complete(out, "--merge")
    assert contents(out) == undisturbed
