"""A disk that is full at any file: one line, what is done is kept, with room it is finished."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import run_script_here, save_gpt2, user_error, write_prompts

SCRIPT = "generate_activation_dataset.py"


def mount(folder: Path, options: str) -> None:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount(folder, "size=4m")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("full")
    save_gpt2(folder / "model")
    write_prompts(folder / "prompts.csv", ("a", 30, 4), ("bc", 30, 4), ("def", 30, 4))
    return folder


@pytest.fixture(scope="module")
def undisturbed(work: Path) -> dict[str, bytes]:
    run_script_here(SCRIPT, *arguments(work, work / "undisturbed"))
    return contents(work / "undisturbed")


def arguments(work: Path, out: Path) -> list[Any]:
    given = ["--model_type", work / "model", "--input_csv", work / "prompts.csv"]
    return [*given, "--export_dir", out, "--batch_size", 4]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def fill(disk: Path, room: int) -> Path:
    """Leave so many bytes on the disk."""
    filler = disk / "filler"
    filler.write_bytes(b"x" * (shutil.disk_usage(disk).free - room))
    return filler


@pytest.mark.parametrize(
    ("formats", "named"),
    [
        ("csv,npz,pickle,json", {"activation_matrix.npz", "neuron_activations.pickle"}),
        ("csv", {"activation_dataset.csv", "neuron_frequency.csv", "neuron_edges.el"}),
    ],
)
def test_each_file_that_finds_no_room_is_named_and_the_run_goes_on_with_room(
    formats: str, named: set[str], work: Path, disk: Path
) -> None:
    """Little by little more room, so that the disk is full at ever later files."""
    full, room, out = set(), 0, disk / "out"
    wanted = work / formats
    more = ["--formats", formats]
    run_script_here(SCRIPT, *arguments(work, wanted), *more)
    while True:
        filler = fill(disk, room)
        result = run_script_here(SCRIPT, *arguments(work, out), *more, check=False)
        filler.unlink()
        if result.returncode == 0:
            break
        assert result.returncode == 2 and "Traceback" not in result.stderr
        said = result.stderr.splitlines()[-1]
        assert said.startswith("error: ") and ("bytes" in said or "No space left" in said), said
        full.add(Path(said.removeprefix("error: ").split(": ")[0]).name)
        assert not list(out.glob(".model_*.partial"))
        room += 4 * 1024
    assert contents(out) == contents(wanted)
    assert any(name.endswith(".shard") for name in full)
    assert full >= {f"model_{name}" for name in named}


def test_room_alone_completes_it(work: Path, undisturbed: dict[str, bytes], disk: Path) -> None:
    filler = fill(disk, 80 * 1024)
    said = run_script_here(SCRIPT, *arguments(work, disk / "out"), check=False).stderr
    assert "batches are done and kept in" in said.splitlines()[-1]
    filler.unlink()
    run_script_here(SCRIPT, *arguments(work, disk / "out"))
    assert contents(disk / "out") == undisturbed


def test_the_graph_says_before_it_writes_that_there_is_no_room(disk: Path) -> None:
    arguments = ("--model_type", "gpt2-demo", "--output_dir", disk / "graph")
    error = user_error("a_generate_gelu_graph.py", *arguments)
    assert ("needs 28,2" in error and "free" in error) or "bytes" in error
    assert not list(disk.rglob("*.el"))


def test_a_disk_that_may_not_be_written_is_said_before_the_model_loads(
    work: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "read only"
    folder.mkdir()
    mount(folder, "ro,size=1m")
    try:
        for out in (folder, folder / "deeper"):
            error = user_error(SCRIPT, *arguments(work / "absent", out))
            assert "absent" in error
            error = user_error(SCRIPT, *arguments(work, out))
            assert str(folder) in error
    finally:
        subprocess.run(["umount", str(folder)], check=True)
