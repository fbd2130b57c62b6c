"""Which Pythons are supported: everything says the same, and make takes the one that is asked for.

The Pythons that make finds here are shell scripts that note what they are asked.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.helpers import ROOT

SUPPORTED = ["3.11", "3.12", "3.13"]
SCRIPTS = sorted(path.name for path in ROOT.glob("*.py"))

FAKE = """#!/bin/sh
case "$*" in
    "-m venv --clear "*)
        rm -rf "$4"; mkdir -p "$4/bin"; cp "$0" "$4/bin/python"
        echo "version = {version}.1" > "$4/pyvenv.cfg" ;;
    *"import gelu"*) {import_gelu} ;;
    *version_info*) echo {version} ;;
    "-m "*) echo "{version} $*" >> {log} ;;
esac
{end}
"""


def told(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("version", ["3.10.13", "3.14.0", "4.0.0"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_other_pythons_are_refused_in_one_line(script: str, version: str) -> None:
    info = (*map(int, version.split(".")), "final", 0)
    ended = told(
        f"import runpy, sys; sys.version_info = {info}; sys.version = '{version} (main)'\n"
        f"sys.path.insert(0, '.'); sys.argv = ['{script}', '--help']\n"
        f"runpy.run_path('{script}', run_name='__main__')"
    )
    assert ended.returncode == 2 and ended.stdout == ""
    assert ended.stderr == (
        f"error: this is Python {version}; the scripts run on Python 3.11, 3.12 and 3.13 "
        "(make setup PYTHON=python3.13)\n"
    )


@pytest.mark.parametrize("version", SUPPORTED)
def test_supported_pythons_are_taken(version: str) -> None:
    info = (*map(int, version.split(".")), 0, "final", 0)
    assert told(f"import sys; sys.version_info = {info}; import gelu").returncode == 0


def test_all_that_names_the_pythons_names_the_same() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    first, last = SUPPORTED[0], SUPPORTED[-1]
    beyond = f"3.{int(last.split('.')[1]) + 1}"
    classified = [
        found[1]
        for text in project["project"]["classifiers"]
        if (found := re.search(r":: (3\.\d+)$", text))
    ]
    assert project["project"]["requires-python"] == f">={first},<{beyond}"
    assert classified == SUPPORTED
    assert re.findall(r"^PYTHONS := (.*)", makefile, re.MULTILINE) == [" ".join(SUPPORTED)]
    # What runs on the first runs on all of them.
    assert project["tool"]["ruff"]["target-version"] == "py" + first.replace(".", "")
    assert project["tool"]["mypy"]["python_version"] == first
    named = ", ".join(SUPPORTED[:-1]) + f" or {last}"
    for text in (makefile, (ROOT / "README.md").read_text(encoding="utf-8")):
        assert f"Python {named}" in " ".join(text.replace("\n# ", " ").split())


class Machine:
    """A folder with our Makefile, a PATH with some Pythons on it, and pyenv's."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path, self.pyenv = folder, folder / "path", folder / "pyenv"
        self.log = folder / "log"
        self.path.mkdir()
        for name in ("Makefile", "requirements.txt"):
            (folder / name).write_bytes((ROOT / name).read_bytes())
        for tool in ("make", "sh", "sed", "touch", "rm", "mkdir", "cp"):
            (self.path / tool).symlink_to(shutil.which(tool) or tool)
        for name in ("python3.12", "python3.13"):
            self.put(self.path / name, "9.9", end="exit 127")  # as pyenv's are on the PATH

    def put(self, path: Path, version: str, end: str = "exit 0", import_gelu: str = ":") -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            FAKE.format(version=version, end=end, import_gelu=import_gelu, log=self.log)
        )
        path.chmod(0o755)

    def make(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run make with only these Pythons; `notes` then has what they were asked to run."""
        self.log.unlink(missing_ok=True)
        environment = {
            "PATH": str(self.path),
            "PYENV_ROOT": str(self.pyenv),
            "HOME": str(self.folder),
        }
        return subprocess.run(
            ["make", *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def notes(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def installed(self) -> list[str]:
        """Return the Pythons for which packages were installed by the last make."""
        return [note.split()[0] for note in self.notes() if " -m pip install" in note]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_an_environment_is_made_anew_for_another_python_only(machine: Machine) -> None:
    machine.put(machine.path / "python3.11", "3.11")
    machine.put(machine.path / "python3.12", "3.12")
    assert machine.make("setup", "PYTHON=python3.12").returncode == 0
    assert machine.installed() == ["3.12"]
    # What is there is used, whatever would be taken for a new one.
    for given in ([], ["PYTHON=python3.12"], [f"PYTHON={machine.path}/python3.12"]):
        assert machine.make("setup", *given).returncode == 0 and machine.installed() == []
    assert machine.make("setup", "PYTHON=python3.11").returncode == 0
    assert machine.installed() == ["3.11"]


def test_an_environment_whose_python_is_gone_or_unsupported_is_made_anew(machine: Machine) -> None:
    machine.put(machine.path / "python3.11", "3.11")
    for spoil in ("gone", "unsupported"):
        assert machine.make("setup").returncode == 0
        if spoil == "gone":
            (machine.folder / ".venv" / "bin" / "python").unlink()
            (machine.folder / ".venv" / "bin" / "python").symlink_to("nowhere")
        else:
            (machine.folder / ".venv" / "pyvenv.cfg").write_text("version = 3.10.2\n")
        assert machine.make("setup").returncode == 0 and machine.installed() == ["3.11"], spoil
        assert machine.make("setup").returncode == 0 and machine.installed() == [], spoil


def test_what_a_link_leads_to_is_not_cleared(machine: Machine) -> None:
    machine.put(machine.path / "python3.11", "3.11")
    assert machine.make("setup").returncode == 0
    shared = (machine.folder / ".venv").rename(machine.folder / "shared")
    (machine.folder / ".venv").symlink_to(shared)
    assert machine.make("setup").returncode == 0  # up to date, it serves
    later = (shared / ".installed").stat().st_mtime + 10
    os.utime(machine.folder / "requirements.txt", (later, later))
    ended = machine.make("setup")
    assert ended.returncode == 2 and "is a link and out of date; run make setup" in ended.stderr
    assert machine.installed() == [] and (shared / ".installed").exists()


def test_without_a_choice_the_first_that_runs_is_taken_also_from_pyenv(machine: Machine) -> None:
    machine.put(machine.pyenv / "versions" / "3.13.0" / "bin" / "python3.13", "3.13")
    assert machine.make("setup").returncode == 0 and machine.installed() == ["3.13"]
    machine.put(machine.path / "python3.11", "3.11")
    assert machine.make("clean", "setup").returncode == 0 and machine.installed() == []


def test_a_python_that_is_not_here_or_not_supported_is_one_line(machine: Machine) -> None:
    ended = machine.make("setup", "PYTHON=python3.13")
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1 and "PYTHON=python3.13: no Python" in ended.stderr
    machine.put(machine.path / "python3.14", "3.14", import_gelu="echo error: no 3.14 >&2; exit 2")
    ended = machine.make("setup", "PYTHON=python3.14")
    assert ended.returncode == 2 and machine.notes() == []
    assert ended.stderr.startswith("error: no 3.14\n") and not (machine.folder / ".venv").exists()


def test_test_pythons_tests_each_that_is_here_and_names_the_others(machine: Machine) -> None:
    machine.put(machine.path / "python3.11", "3.11")
    machine.put(machine.pyenv / "versions" / "3.13.0" / "bin" / "python3.13", "3.13")
    ended = machine.make("test-pythons", "TESTS=tests/test_cli.py")
    assert ended.returncode == 0, ended.stderr
    assert machine.installed() == ["3.11", "3.13"]
    run = [note for note in machine.notes() if "-m pytest" in note]
    assert run == [f"{version} -m pytest tests/test_cli.py" for version in ("3.11", "3.13")]
    assert ended.stdout.splitlines()[-1] == "== tested: 3.11 3.13; not here: 3.12; failed: none"
    # Each keeps its environment; one that fails does not keep the next from being tested.
    machine.put(machine.folder / ".venv-3.11" / "bin" / "python", "3.11", end="exit 1")
    ended = machine.make("test-pythons")
    assert ended.returncode == 2 and machine.installed() == []
    assert "3.13 -m pytest" in machine.notes()
    assert ended.stdout.splitlines()[-1].endswith("failed: 3.11")


def test_test_pythons_without_any_fails(machine: Machine) -> None:
    ended = machine.make("test-pythons")
    assert ended.returncode == 2 and "none of Python 3.11 3.12 3.13 is here" in ended.stderr
