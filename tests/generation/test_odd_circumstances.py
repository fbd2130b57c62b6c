"""Two at once, a clock that jumps, a folder that is moved or half deleted, another user."""

import itertools
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from gelu.artifacts import folder_lock
from tests.helpers import run_script_here, save_gpt2, user_error, write_prompts
from tests.interruptions import calls, forked

SCRIPT = "generate_activation_dataset.py"
N_BATCHES = 6
NOBODY = 65534


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("odd")
    save_gpt2(folder / "model", n_layer=2)
    write_prompts(folder / "prompts.csv", ("a", 5, 3), ("bcd", 7, 3))
    for name, more in (("alone", []), ("half", ["--shard", "0/2"]), ("other", ["--seed", 7])):
        run_script_here(SCRIPT, *command(folder, folder / name, *more)[1:])
    return folder


def command(work: Path, out: Path, *more: object) -> list[Any]:
    given = [SCRIPT, "--model_type", work / "model", "--input_csv", work / "prompts.csv"]
    return [*given, "--export_dir", out, "--batch_size", 1, "--device", "cpu", *more]


def refusal(*arguments: object) -> str:
    return user_error(SCRIPT, *arguments)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def ended(log: Path, run: BaseProcess) -> tuple[int | None, str]:
    """Return how a run has ended, and its last line."""
    run.join()
    return run.exitcode, log.read_text().splitlines()[-1]


@pytest.mark.parametrize("more", [[], ["--overwrite"], ["--seed", 7]], ids=str)
def test_of_two_that_start_at_once_one_works_and_one_says_why_not(
    more: list[object], work: Path, tmp_path: Path
) -> None:
    for attempt in range(3):
        out = tmp_path / f"out{attempt}"
        logs = [tmp_path / f"log{attempt}.{number}" for number in range(2)]
        starts = [command(work, out), command(work, out, *more)]
        runs = [forked(given, log, wait=False) for given, log in zip(starts, logs, strict=True)]
        codes = [ended(log, run) for log, run in zip(logs, runs, strict=True)]
        done = [(code, told) for code, told in codes if code == 0]
        refused = [told for code, told in codes if code != 0]
        assert done and {code for code, _ in codes} <= {0, 2}, codes
        for told in refused:
            assert told.startswith(f"error: {out}: "), told
            assert "another process is writing there; wait" in told or "another run: --s" in told
        assert contents(out) in (contents(work / "alone"), contents(work / "other"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_told_to_stop_it_says_what_is_done_and_goes_on(
    number: signal.Signals, work: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    assert forked(command(work, tmp_path / "first"), log).exitcode == 0
    n_calls = calls(log)
    for share in (0.05, 0.4, 0.6, 0.9):
        out = tmp_path / f"out{share}"
        stopped = forked(command(work, out), log, int(share * n_calls), number)
        there = len(list(out.glob(".shards/*.shard")))
        assert stopped.exitcode == 128 + number, log.read_text()
        told = log.read_text()
        assert told.count(f"interrupted by {number.name}: ") == 1 and "Traceback" not in told
        kept = f"{there} of {N_BATCHES} batches are done and kept in {out / '.shards'}; the same"
        assert not there or kept in told
        assert forked(command(work, out), log).exitcode == 0, log.read_text()
        assert contents(out) == contents(work / "alone")


def jumping() -> Callable[[], float]:
    """Return a clock that jumps by years, forwards and backwards."""
    times = itertools.cycle([1.8e9, 0.0, 4.1e9, 1e9, 1e9, 2.5e9])
    return lambda: next(times)


@pytest.mark.parametrize("stamp", [0, 4_000_000_000])
def test_no_clock_matters(
    stamp: int, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Path(shutil.copytree(work / "half", tmp_path / "out"))
    for path in (out, *out.rglob("*")):
        os.utime(path, (stamp, stamp))
    monkeypatch.setattr(time, "time", jumping())
    monkeypatch.setattr("tqdm.std.time", jumping())
    run_script_here(SCRIPT, *command(work, out)[1:])
    assert contents(out) == contents(work / "alone")
    for path in (out, *out.rglob("*")):
        os.utime(path, (stamp, stamp))
    assert "finished already" in run_script_here(SCRIPT, *command(work, out)[1:]).stdout


def test_a_folder_that_is_moved_after_a_kill_goes_on(work: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    forked(command(work, tmp_path / "first"), log)
    n_calls = calls(log)
    # The first share of the calls at which some of the batches are done, and not all.
    for share in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8):
        here = tmp_path / f"here{share}"
        killed = forked(command(work, here), log, int(share * n_calls))
        assert killed.exitcode == -signal.SIGKILL
        if 0 < len(list(here.glob(".shards/*.shard"))) < N_BATCHES:
            break
    else:
        pytest.fail("no kill left a part of the batches")
    there = tmp_path / "deeper" / "there"
    there.parent.mkdir()
    here.rename(there)
    assert forked(command(work, there), log).exitcode == 0
    assert contents(there) == contents(work / "alone")


def _delete(pattern: str) -> Callable[[Path], None]:
    def delete(shards: Path) -> None:
        found = list(shards.glob(pattern))
        assert found
        for path in found:
            path.unlink()

    return delete


def _truncate(shards: Path) -> None:
    for number, path in enumerate(sorted(shards.glob("*.shard"))):
        os.truncate(path, path.stat().st_size * number // 3)


def _forget_and_truncate(shards: Path) -> None:
    (shards / "run.json").unlink()
    _truncate(shards)


@pytest.mark.parametrize(
    "damage",
    [
        _delete("batch_00000002.shard"),
        _delete("*.shard"),
        _delete("run.json"),
        _delete("*lock"),
        _delete("*"),
        _truncate,
        _forget_and_truncate,
        shutil.rmtree,
    ],
)
def test_shards_of_which_some_are_gone_are_made_again(
    damage: Callable[[Path], None], work: Path, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(work / "half", tmp_path / "out"))
    damage(out / ".shards")
    run_script_here(SCRIPT, *command(work, out)[1:])
    assert contents(out) == contents(work / "alone")


def test_a_description_that_was_cut_is_one_line_and_overwritten(work: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(work / "half", tmp_path / "out"))
    described = out / ".shards" / "run.json"
    for content in (described.read_bytes()[:100], b""):
        described.write_bytes(content)
        error = refusal(*command(work, out)[1:])
        assert f"{described}: not a JSON file" in error
        assert error.endswith("; --overwrite starts afresh")
    run_script_here(SCRIPT, *command(work, out, "--overwrite")[1:])
    assert contents(out) == contents(work / "alone")


# Folders of another user of the machine.


@pytest.fixture
def others(work: Path, tmp_path: Path) -> Path:
    if os.getuid() != 0 or not sys.platform.startswith("linux"):
        pytest.skip("only root can give files away, and only Linux has capabilities")
    for name in ("model", "half", "alone"):
        shutil.copytree(work / name, tmp_path / name)
    shutil.copy(work / "prompts.csv", tmp_path)
    for path in tmp_path.rglob("*"):
        os.chown(path, NOBODY, NOBODY)
        path.chmod(0o755)
    return tmp_path


def as_another(work: Path, out: Path, *more: object) -> tuple[int | None, list[str]]:
    """Run the script as a user who is not the files' owner, nor above the law as root is."""
    run = forked(command(work, out, *more), work / "log", -1, unprivileged=True)
    return run.exitcode, (work / "log").read_text().splitlines()


def open_to_all(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o777)


def test_what_is_another_users_is_refused_in_one_line(others: Path) -> None:
    out, before = others / "half", contents(others / "half")
    for more in ([], ["--overwrite"], ["--shard", "1/2"]):
        told = f"error: --export_dir {out}: cannot write there (Permission denied)"
        assert as_another(others, out, *more) == (2, [told])
    # Who may write into the folder may not into `.shards`, whose owner may be at work.
    out.chmod(0o777)
    for more in ([], ["--overwrite"], ["--shard", "1/2"]):
        told = f"error: {out / '.shards' / 'lock'}: Permission denied"
        assert as_another(others, out, *more) == (2, [told])
    assert contents(out) == before


def test_a_lock_that_another_user_holds_is_one_line(others: Path) -> None:
    out = others / "half"
    open_to_all(out)
    with folder_lock(out / ".shards"):
        code, lines = as_another(others, out)
    assert code == 2 and len(lines) == 1
    assert lines[0].startswith(f"error: {out}: another process is writing there")
    assert as_another(others, out)[0] == 0
    assert contents(out) == contents(others / "alone")


@pytest.mark.parametrize("hidden", ["prompts.csv", "model", "model/model.safetensors", "half"])
def test_what_another_user_may_not_read_is_one_line(hidden: str, others: Path) -> None:
    open_to_all(others / "half")
    (others / hidden).chmod(0)
    code, lines = as_another(others, others / "half")
    assert code == 2 and len(lines) == 1, lines
    assert lines[0].startswith("error: ") and Path(hidden).name.split(".")[0] in lines[0]
    assert "ermission denied" in lines[0]
