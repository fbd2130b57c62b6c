"""A run that is killed or interrupted at any moment goes on to the bytes of an undisturbed one."""

import random
import shutil
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import save_gpt2, write_prompts
from tests.interruptions import begun_cold, calls, forked

SCRIPT = "generate_activation_dataset.py"
N_BATCHES = 12
FINAL = "model_run.json"


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("interrupted")
    save_gpt2(folder / "model", n_layer=2)
    write_prompts(folder / "prompts.csv", ("a", 5, 4), ("bcd", 7, 4), ("ef", 6, 4))
    return folder


def command(work: Path, out: Path, *more: object) -> list[Any]:
    given = [SCRIPT, "--model_type", work / "model", "--input_csv", work / "prompts.csv"]
    return [*given, "--export_dir", out, "--batch_size", 1, "--device", "cpu", *more]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def alone(work: Path) -> Path:
    # The first run may compile modules, and then makes more calls than any after it.
    for name in ("first", "alone"):
        assert forked(command(work, work / name), work / f"{name}.log").exitcode == 0
    return work / "alone"


@pytest.fixture(scope="module")
def made(work: Path) -> Path:
    """Return a folder with all shards and no files; its merge has its calls in merge.log's."""
    run = forked(command(work, work / "made", "--shard", "0/1"), work / "made.log")
    assert run.exitcode == 0
    shutil.copytree(work / "made", work / "merged")
    assert forked(command(work, work / "merged", "--merge"), work / "merge.log").exitcode == 0
    return work / "made"


def phase(out: Path) -> str:
    """Return how far a run has come, by what it has left in its folder."""
    if (out / FINAL).exists():
        return "cleaning up"
    if any(out.glob("model_*")):
        return "some files"
    shards = len(list(out.glob(".shards/*.shard")))
    return ("no shards", "some shards", "all shards")[(shards > 0) + (shards == N_BATCHES)]


def moments(rng: random.Random, n_calls: int, n: int) -> list[int]:
    """Return random moments of a run: a third of them the closer to the end the likelier.

    Each part of the run has its own; the first is the earliest and within its first calls.
    """
    late = [n_calls - int(n_calls**share) + 1 for share in spread(rng, n // 3)]
    early = int(n_calls ** (0.5 * rng.random()))
    return [early, *(int(share * n_calls) + 1 for share in spread(rng, n - n // 3 - 1)), *late]


def test_50_kills_leave_the_bytes_of_an_undisturbed_run(
    work: Path, alone: Path, made: Path
) -> None:
    rng, seen, log = random.Random(0), Counter[str](), work / "killed.log"
    whole, merge = (calls(work / name) for name in ("alone.log", "merge.log"))
    # Each: further arguments, the folder to begin with, the moments, and how many kills on end.
    plans: list[tuple[list[str], Path | None, list[int], int]] = [
        ([], None, moments(rng, whole, 25), 5),
        (["--merge"], made, moments(rng, merge, 13), 5),
        (["--merge"], made, [merge - round(1000**share) for share in spread(rng, 12)], 1),
    ]
    for more, start, times, chain in plans:
        # The earliest comes first, when nothing is there yet.
        ordered = [times[0], *rng.sample(times[1:], len(times) - 1)]
        out = work / "killed"
        for number, planned in enumerate(ordered):
            moment = planned
            if number % chain == 0:
                out = fresh(out, start)
            killed = forked(command(work, out, *more), log, moment)
            while killed.exitcode == 0:  # a run that goes on makes fewer calls: it came to its end
                assert contents(out) == contents(alone)
                out, moment = fresh(out, start), min(moment, calls(log))
                killed = forked(command(work, out, *more), log, moment)
                moment = moment * 9 // 10
            assert killed.exitcode == -signal.SIGKILL
            seen[phase(out)] += 1
        assert forked(command(work, out, *more), log).exitcode == 0, log.read_text()
        assert contents(out) == contents(alone)
    assert seen.total() == 50
    # What each kill left behind: none of the run's phases is spared.
    assert set(seen) == {"no shards", "some shards", "all shards", "some files", "cleaning up"}


def spread(rng: random.Random, n: int) -> list[float]:
    """Return n random numbers in [0, 1), one in each of n equal parts."""
    return [(part + rng.random()) / n for part in range(n)]


def fresh(out: Path, start: Path | None) -> Path:
    shutil.rmtree(out, ignore_errors=True)
    if start is not None:
        shutil.copytree(start, out)
    return out


def test_parts_of_a_job_array_that_are_killed_go_on(work: Path, alone: Path, made: Path) -> None:
    rng, out, log = random.Random(3), work / "array", work / "array.log"
    whole, ends = calls(work / "made.log"), []
    for part in range(2):
        given = command(work, out, "--shard", f"{part}/2")
        for moment in moments(rng, whole * 2 // 3, 5):
            ends.append(forked(given, log, moment).exitcode)
        assert forked(given, log).exitcode == 0, log.read_text()
        assert len(list(out.glob(".shards/*.shard"))) == N_BATCHES // 2 * (part + 1)
    # A run that goes on makes fewer calls than a whole one, and may have come to its end.
    assert set(ends) <= {-signal.SIGKILL, 0} and ends.count(-signal.SIGKILL) >= 6
    assert forked(command(work, out, "--merge"), log).exitcode == 0, log.read_text()
    assert contents(out) == contents(alone)


def test_ctrl_c_at_random_moments_is_one_line_and_loses_nothing(work: Path, alone: Path) -> None:
    rng, out, log = random.Random(1), work / "interrupted", work / "interrupted.log"
    for moment in moments(rng, calls(work / "alone.log"), 20):
        shutil.rmtree(out, ignore_errors=True)
        run = forked(command(work, out), log, moment, signal.SIGINT)
        there = len(list(out.glob(".shards/*.shard")))
        if run.exitcode == 0:  # nothing is left to interrupt when the script has come to its end
            assert contents(out) == contents(alone)
        else:
            check_interrupted(run.exitcode, log)
            told = (
                f"{there} of {N_BATCHES} batches are done and kept in {out / '.shards'}; the same"
            )
            assert not there or told in log.read_text()
        assert forked(command(work, out), log).exitcode == 0, log.read_text()
        assert contents(out) == contents(alone)


def check_interrupted(exit_code: int | None, log: Path) -> None:
    assert exit_code == 130, (exit_code, log.read_text())
    # It stands behind a progress bar where the interrupt has hit the bar's own last newline.
    told = log.read_text()
    assert told.count("interrupted: ") == 1 and told.endswith("\n")
    assert "Traceback" not in told and "ignored" not in told


def test_ctrl_c_while_libraries_are_imported_is_one_line(work: Path) -> None:
    rng, log = random.Random(2), work / "cold.log"
    assert begun_cold(command(work, work / "cold"), log) == 0, log.read_text()
    whole = calls(log)
    for share in spread(rng, 3):
        shutil.rmtree(work / "cold", ignore_errors=True)
        code = begun_cold(command(work, work / "cold"), log, int(whole * share) + 1)
        check_interrupted(code, log)
