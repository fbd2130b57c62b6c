"""The README's commands, run as written, in a copy of the repository."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
# This very test is part of `make test`.
NOT_RUN = {"make test"}


def shell_blocks() -> list[str]:
    """Return the README's bash blocks, in order, without the lines that are not run here."""
    blocks = re.findall(r"^```bash\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    kept = ["\n".join(line for line in b.splitlines() if line not in NOT_RUN) for b in blocks]
    return [block for block in kept if block.strip()]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like a fresh clone after `make setup`."""
    folder = tmp_path_factory.mktemp("clone")
    for entry in ROOT.iterdir():
        if entry.name not in {".git", ".venv", "demo_output"}:
            (folder / entry.name).symlink_to(entry)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


def run(block: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    # The make that runs these tests may have been told of another environment than this one.
    told = ("MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS", "PYTHON", "VENV")
    environment = {name: value for name, value in os.environ.items() if name not in told}
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", block],
        cwd=folder,
        env=environment | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_command_runs_and_every_named_output_is_there(copy: Path) -> None:
    blocks = shell_blocks()
    assert len(blocks) >= 6
    for block in blocks:
        result = run(block, copy)
        assert result.returncode == 0, f"{block}\n{result.stderr[-2000:]}"
        if block.strip() == "make demo":
            opened = re.findall(r"^  (demo_output/\S+)", result.stdout, re.MULTILINE)
            assert len(opened) >= 4
            assert all((copy / path).stat().st_size > 0 for path in opened)


def test_the_scripts_and_their_arguments_are_named() -> None:
    for script in sorted(ROOT.glob("*.py")):
        assert script.name in README
        shown = subprocess.run(
            [sys.executable, script, "--help"], capture_output=True, text=True, check=True
        ).stdout
        for argument in set(re.findall(r"--[a-z_]+", shown)) - {"--help"}:
            assert argument in README, f"{script.name} {argument}"


def test_the_files_it_links_to_are_there() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
