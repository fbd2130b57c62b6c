"""`pip install .` makes `import gelu` work anywhere, with the shipped model."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CODE = """
import gelu
from gelu.model.loading import load_model
from gelu.model.recording import after_last_token
from gelu.model.source import find_model
from gelu.model.tokenizer import encode_text, load_tokenizer
source = find_model("gpt2-demo")
model = load_model(source, "cpu")
ids = encode_text(load_tokenizer(source), "I think love is", model.architecture.geometry, "text")
print(gelu.__file__, len(after_last_token(model, ids)[0]))
"""


COPIED = ("gelu", "models", "pyproject.toml", "README.md")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone, as far as an installation needs it."""
    source = tmp_path_factory.mktemp("source")
    for name in COPIED:
        if (ROOT / name).is_dir():
            kept_out = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, source / name, ignore=kept_out)
        else:
            shutil.copy(ROOT / name, source / name)
    return source


@pytest.fixture(scope="module")
def installed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages with this one in it; nothing is fetched."""
    folder = tmp_path_factory.mktemp("installed")
    command: list[Any] = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
    ]
    command += ["--no-build-isolation", "--disable-pip-version-check", "--target", folder, source]
    subprocess.run(list(map(str, command)), check=True)
    return folder


def test_it_runs_elsewhere(installed: Path, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(installed)}
    said = subprocess.check_output(
        [sys.executable, "-c", CODE], cwd=tmp_path, env=environment, text=True
    )
    assert said == f"{installed / 'gelu' / '__init__.py'} 4096\n"


def test_every_room_is_installed(installed: Path) -> None:
    there = {path.relative_to(ROOT / "gelu") for path in (ROOT / "gelu").rglob("*.py")}
    assert there <= {path.relative_to(installed / "gelu") for path in installed.rglob("*.py")}


def test_what_pip_leaves_in_the_clone_is_ignored(source: Path, installed: Path) -> None:
    """By git, by mypy, which refuses a package that is there twice, and by `make clean`."""
    left = {path.name for path in source.iterdir()} - {*COPIED}
    assert left == {"build", "gelu_activations.egg-info"}
    assert list((source / "build").rglob("__init__.py"))
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    cleared = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nclean:")[2].split()
    for name in left:
        assert any(fnmatch(f"{name}/", line.lstrip("/")) for line in ignored), name
        assert any(fnmatch(name, word) for word in cleared if word not in "*\\"), name
    excluded = PROJECT["tool"]["mypy"]["exclude"]
    assert any(re.match(pattern, "build/lib/gelu/__init__.py") for pattern in excluded)


def test_the_environment_is_left_alone_by_an_import() -> None:
    """A notebook's pictures stay where its backend draws them."""
    code = "import os, gelu.analysis.run; print(os.environ.get('MPLBACKEND'))"
    for backend in (None, "svg"):
        environment = {k: v for k, v in os.environ.items() if k != "MPLBACKEND"}
        environment |= {"PYTHONPATH": str(ROOT)} | ({"MPLBACKEND": backend} if backend else {})
        said = subprocess.check_output([sys.executable, "-c", code], env=environment, text=True)
        assert said == f"{backend}\n"


def test_what_is_tested_is_within_what_is_asked_for() -> None:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if "==" in line)
    for asked in PROJECT["project"]["dependencies"]:
        name, least = asked.split(">=")
        pin = [int(part) for part in pinned[name].split(".")]
        assert pin >= [int(part) for part in least.split(".")], name
