"""Every script where its output is lost, or where it is told to stop: one line, whole files."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gelu.artifacts import DATASET, Artifacts
from tests.helpers import ROOT, run_script_here, save_gpt2, user_error, write_prompts
from tests.interruptions import forked
from tests.scripts.test_one_run import N_LAYER, STUDY, command

SCRIPTS = sorted(path.name for path in ROOT.glob("*.py"))
EARLY = 1000  # calls, of which every script makes more
LOST = "all files are complete, only what was to be printed is lost"
FULL = f"error: standard output could not be written (No space left on device); {LOST}"


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("every script")
    save_gpt2(folder / "m", n_layer=N_LAYER, n_inner=24)
    write_prompts(folder / "prompts.csv", *((letter * 3, 6, 2) for letter in "abcdefgh"))
    run_script_here(STUDY, *command(STUDY, folder))
    out = folder / "patterns"
    given = ["--dataset_dir", folder / "study" / "t_0.8", "--output_dir", out, "--max_patterns", 2]
    run_script_here("extract_patterns.py", "--model_type", folder / "m", *given)
    return folder


def arguments(script: str, work: Path, out: Path) -> list[Any]:
    """Return a command line under which the script has little to do and writes to `out`."""
    model = ["--model_type", work / "m"]
    csv = ["--input_csv", work / "prompts.csv", "--device", "cpu"]
    given: dict[str, list[Any]] = {
        "a_generate_gelu_graph.py": ["--output_dir", out],
        "b_trace_gelu_activations.py": ["--output_dir", out, "--device", "cpu"],
        "generate_activation_dataset.py": [*csv, "--export_dir", out, "--batch_size", 4],
        STUDY: [*csv, "--export_dir", out, "--temperatures", "0,0.8"],
        "report_findings.py": ["--results_dir", out],
    }
    if script == "report_findings.py":
        shutil.copytree(work / "patterns", out)
    if script in given:
        return [*model, *given[script]]
    small = {
        "extract_patterns.py": ["--max_patterns", 2, "--null_draws", 0],
        "predict_activations.py": ["--epochs", 1, "--width", 8],
        "predict_next_token.py": ["--epochs", 1],
    }
    read = [out if it == work / "out" else it for it in command(script, work)]
    return [*read, *small.get(script, [])]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_lost_output_loses_no_file_and_a_signal_leaves_none_half_written(
    script: str, work: Path, tmp_path: Path
) -> None:
    log, out = tmp_path / "log", tmp_path / "out"
    given = [script, *arguments(script, work, out)]
    assert forked(given, log, -1, output="full").exitcode == 1, log.read_text()
    assert log.read_text().splitlines()[-1] == FULL and log.read_text().count("error") == 1
    assert "Traceback" not in log.read_text() and "ignored" not in log.read_text()
    made = contents(out)
    assert made and not any(name.endswith(".partial") for name in made)
    number = (signal.SIGTERM, signal.SIGHUP)[SCRIPTS.index(script) % 2]
    shutil.rmtree(out)
    given = [script, *arguments(script, work, out)]
    assert forked(given, log, EARLY, number).exitcode == 128 + number, log.read_text()
    assert log.read_text().count(f"interrupted by {number.name}: ") == 1
    assert "the same command" in log.read_text().splitlines()[-1]
    assert "Traceback" not in log.read_text() and "ignored" not in log.read_text()
    assert contents(out).items() <= made.items()


def file_read(script: str, work: Path, out: Path) -> Path:
    """Return a file that the script reads under `arguments`."""
    if script in ("a_generate_gelu_graph.py", "b_trace_gelu_activations.py"):
        return work / "m" / "config.json"
    if script in ("generate_activation_dataset.py", STUDY):
        return work / "prompts.csv"
    if script == "report_findings.py":
        return out / "m_patterns.json"
    return Artifacts(work / "study" / "t_0.8", "m").path(DATASET)


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_cannot_or_must_not_be_written_is_said_before_the_work(
    script: str, work: Path, tmp_path: Path
) -> None:
    """Each name that a run has written is tried: as a folder, and as another name of an input."""
    out = tmp_path / "out"
    given = arguments(script, work, out)
    before = contents(out)
    run_script_here(script, *given)
    made = sorted(name for name, content in contents(out).items() if before.get(name) != content)
    read = file_read(script, work, out)
    content = read.read_bytes()
    for number, name in enumerate(made):
        kept = (out / name).read_bytes()
        (out / name).unlink()
        (out / name / "x").mkdir(parents=True)
        line = user_error(script, *given, run=run_script_here)
        assert line.startswith(f"error: {out / name}: this is a folder, and a file of that name is")
        (out / name / "x").rmdir()
        (out / name).rmdir()
        (out / name).hardlink_to(read) if number % 2 else (out / name).symlink_to(read)
        line = user_error(script, *given, run=run_script_here)
        assert line.startswith(f"error: {out / name}: would be overwritten, and is the same file")
        assert f"{read}, which this command reads; choose another folder" in line
        (out / name).unlink()
        (out / name).write_bytes(kept)
    assert read.read_bytes() == content and made


def test_prompts_that_stand_where_the_dataset_goes_are_kept(work: Path, tmp_path: Path) -> None:
    read = Artifacts(tmp_path, "m").path(DATASET)
    shutil.copy(work / "prompts.csv", read)
    for more in ([], ["--overwrite"]):
        given = ["--model_type", work / "m", "--input_csv", read, "--export_dir", tmp_path, *more]
        user_error("generate_activation_dataset.py", *given, run=run_script_here)
    assert contents(tmp_path) == {read.name: (work / "prompts.csv").read_bytes()}


def test_a_pipe_that_nobody_reads_ends_silently_with_all_files(work: Path, tmp_path: Path) -> None:
    """Four pictures, each of which is printed when it is drawn."""
    script, log = "visualize_sample_activations.py", tmp_path / "log"
    given = [script, *arguments(script, work, tmp_path / "out")]
    assert forked(given, log, -1, output="pipe").exitcode == 141
    assert "rror" not in log.read_text() and "ignored" not in log.read_text()
    assert len(contents(tmp_path / "out")) == 4


def shell(line: str, *more: object) -> "subprocess.CompletedProcess[str]":
    command = ["bash", "-c", f'set -o pipefail; "$@" {line}', "bash", *map(str, more)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_that_cannot_be_shown(script: str) -> None:
    for line, code, told in [
        (">/dev/full", 1, "No space left on device"),
        (">&-", 1, "it is closed"),
        ("| true", 141, None),
        ("2>&- | cat", 0, None),
    ]:
        shown = shell(line, sys.executable, ROOT / script, "--help")
        # A pipe takes a short text whether it is read or not, if it is quick enough.
        assert shown.returncode in ({code, 0} if line == "| true" else {code}), (line, shown)
        whole = f"error: standard output could not be written ({told}); nothing was to be done but "
        assert shown.stderr.startswith(whole) if told else shown.stderr == "", shown.stderr


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        (">&-", 1, f"error: standard output could not be written (it is closed); {LOST}\n"),
        (">&- 2>&-", 1, ""),
        ("<&- >&- 2>&-", 1, ""),
        ("2>&-", 0, ""),
        ("2>/dev/full", 0, ""),
        (">/dev/full 2>/dev/full", 1, ""),
    ],
)
def test_streams_that_are_closed_or_full(
    line: str, code: int, said: str, work: Path, tmp_path: Path
) -> None:
    files, out = Artifacts(work / "study" / "t_0.8", "m"), tmp_path / "out"
    command = [sys.executable, ROOT / "visualize_sample_activations.py", "--sample_ids", 0]
    command += ["--dataset_dir", files.folder, "--export_dir", out, "--model_type", work / "m"]
    ended = shell(line, *command)
    assert ended.returncode == code
    # The progress bar stands before what is said.
    assert ended.stderr.splitlines(keepends=True)[-1:] == ([said] if said else [])
    assert [path.name for path in out.iterdir()] == ["m_sample_0_activation.png"]
    assert out.joinpath("m_sample_0_activation.png").read_bytes().startswith(b"\x89PNG")


def test_no_backend_of_the_environment_matters(work: Path, tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit(7)")
    command = [sys.executable, ROOT / "visualize_sample_activations.py"]
    command += arguments("visualize_sample_activations.py", work, tmp_path / "out")
    made = []
    for backend in (None, "foo", "module://evil"):
        more = {"MPLBACKEND": backend, "PYTHONPATH": str(tmp_path)} if backend else {}
        ended = subprocess.run(
            list(map(str, command)),
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **more},
        )
        assert ended.returncode == 0, ended.stderr
        made.append(contents(tmp_path / "out"))
    assert made[0] == made[1] == made[2] and any(name.endswith(".png") for name in made[0])


def test_a_mistake_is_said_where_the_output_is_lost_too(tmp_path: Path) -> None:
    command = [sys.executable, ROOT / "report_findings.py", "--results_dir", tmp_path / "none"]
    ended = shell(">/dev/full", *command)
    assert ended.returncode == 2 and ended.stderr.endswith("none: no such folder\n")


def test_signals_that_are_ignored_stay_ignored() -> None:
    """As nohup ignores SIGHUP: the script comes to its end."""
    code = (
        "import os, signal, sys; sys.path.insert(0, '.')\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from gelu.cli import run_script\n"
        "run_script(lambda: (os.kill(os.getpid(), signal.SIGHUP), print('done')) and None)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "done\n", "")
