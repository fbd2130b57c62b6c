"""The commands of README and docs, run as written, in a copy of the repository."""

import csv
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.documents import PAGES, README, blocks, sections
from tests.forks import LIBRARIES, Forks
from tests.helpers import ROOT, run_script_here

MOST_WORDS = 1_500
# This very test is part of `make test`; the environment is there already.
NOT_RUN = {"make test", "source .venv/bin/activate"}


def commands() -> list[tuple[str, str]]:
    """Return (page, bash block), in order, without the lines that are not run here."""
    found = [(page, block) for page, text in PAGES.items() for block in blocks(text, "bash")]
    kept = [
        (page, "\n".join(line for line in block.splitlines() if line not in NOT_RUN))
        for page, block in found
    ]
    return [(page, block) for page, block in kept if block.strip()]


def run(block: str, folder: Path, python: Path) -> subprocess.CompletedProcess[str]:
    """Run commands in a folder. python: the folder of the command of this name."""
    path = f"{python}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    # The make that runs these tests may have been told of another environment than this one.
    told = ("MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS", "PYTHON", "VENV")
    environment = {name: value for name, value in os.environ.items() if name not in told}
    # Threads of two scripts at once wait for one another, for many times as long as they work.
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", block],
        cwd=folder,
        env=environment | {"PATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like a fresh clone after `make setup`, in which all commands have run."""
    folder = tmp_path_factory.mktemp("clone")
    for entry in ROOT.iterdir():
        if entry.name not in {".git", ".venv", "demo_output"}:
            (folder / entry.name).symlink_to(entry)
    (folder / ".venv").symlink_to(sys.prefix)
    # What was just installed is newer than what asked for it, whenever this tree was checked out.
    shutil.copy(ROOT / "requirements.txt", folder / "replaced.txt")
    os.utime(folder / "replaced.txt", (0, 0))
    (folder / "replaced.txt").replace(folder / "requirements.txt")
    stand_in = tmp_path_factory.mktemp("bin")
    with Forks(LIBRARIES) as forks:
        forks.write_python(stand_in / "python")
        for page, block in commands():
            # What is run first of all is run as on a machine of one's own, by Python itself.
            python = Path(sys.executable).parent if page == README else stand_in
            result = run(block, folder, python)
            assert result.returncode == 0, f"{page}\n{block}\n{result.stderr[-2000:]}"
            if block.strip() == "make demo":
                opened = re.findall(r"^  (demo_output/\S+)", result.stdout, re.MULTILINE)
                assert len(opened) >= 4
                assert all((folder / path).stat().st_size > 0 for path in opened)
    return folder


def test_every_script_is_run(clone: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    written = "\n".join(block for _, block in commands())
    for script in ROOT.glob("*.py"):
        assert script.name in written or script.name in makefile, script.name
    assert commands()[0] == (README, "make demo") and len(commands()) >= 10


def test_several_processes_have_written_the_bytes_of_one(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (block,) = [block for _, block in commands() if block.startswith("torchrun")]
    words = shlex.split(block.replace("\\\n", " "))
    at = words.index("--export_dir") + 1
    shared, words[at] = clone / words[at], str(tmp_path / "alone")
    monkeypatch.chdir(clone)
    run_script_here(*words[words.index("generate_activation_dataset.py") :])
    assert contents(tmp_path / "alone") == contents(shared)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_readme_is_short() -> None:
    assert len(PAGES[README].split()) <= MOST_WORDS


def test_the_finding_is_what_the_demo_finds(clone: Path) -> None:
    """A rounding at the border of two tokens may change a count or two on another machine."""
    finding = dict(sections(PAGES[README]))["One finding"].replace(",", "").replace("\n", " ")
    said = re.search(
        r"L(\d)\.(\d+) .* active at all (\d+) full stops .* (\d+) tokens follow and at only (\d+) "
        r"of the other (\d+)\. Of these \d+ (\w+) are followed",
        finding,
    )
    assert said is not None
    layer, dimension, stops, tokens, else_active, others = (int(said[i]) for i in range(1, 7))
    dataset = clone / "demo_output" / "dataset"
    samples = pd.read_csv(dataset / "gpt2-demo_activation_dataset.csv", keep_default_na=False)
    with np.load(dataset / "gpt2-demo_activation_matrix.npz") as archive:
        active = archive["matrix"][:, layer * 1024 + dimension]
    stop = (samples["context_token"] == ".").to_numpy()
    elsewhere = samples[active & ~stop]
    assert len(samples) == tokens == stops + others
    assert abs(stop.sum() - stops) <= 2 and (active & stop).sum() == stop.sum()
    assert abs(len(elsewhere) - else_active) <= 2
    followed = int((elsewhere["output"] == " I").sum())
    assert abs(followed - {"seven": 7, "eight": 8, "nine": 9}[said[7]]) <= 2


@pytest.mark.parametrize(
    "name,folder", [("token_specific_neurons", "analysis"), ("sample_50_activation", "samples")]
)
def test_pictures_are_those_of_the_demo(clone: Path, name: str, folder: str) -> None:
    """Where this fails, copy the demo's picture to docs/ and look at it."""
    shown, drawn = (
        np.asarray(Image.open(path).convert("L"), float)
        for path in (
            ROOT / "docs" / f"gpt2-demo_{name}.png",
            clone / "demo_output" / folder / f"gpt2-demo_{name}.png",
        )
    )
    assert shown.shape == drawn.shape
    assert (np.abs(shown - drawn) > 32).mean() < 0.005


def _documented() -> dict[str, list[str]]:
    """Return the columns that docs/files.md names, for each table."""
    result = {}
    for title, body in sections(PAGES["docs/files.md"]):
        if title.startswith("`{m}_") and title.endswith(".csv`"):
            cells = re.findall(r"^\| (`.*?`) \|", body, re.MULTILINE)
            result[title.strip("`").removeprefix("{m}_")] = re.findall(r"`(.*?)`", " ".join(cells))
    return result


def _matches(column: str, documented: str) -> bool:
    pattern = re.escape(documented).replace(r"\{l\}", r"\d+")
    predictors = "base_rate|two_tokens|learned_token_only|learned_position_only|learned|token"
    return re.fullmatch(pattern.replace(r"\{predictor\}", f"({predictors})"), column) is not None


def test_every_column_of_every_table_is_documented(clone: Path) -> None:
    documented = _documented()
    written: dict[str, set[str]] = {}
    for path in sorted(clone.rglob("gpt2-demo_*.csv")):
        if "parcellation_datasets" not in path.parts:
            with path.open(encoding="utf-8", newline="") as file:
                header = next(csv.reader(file))
            written.setdefault(path.name.removeprefix("gpt2-demo_"), set()).update(header)
    assert written.keys() == documented.keys()
    for name, columns in written.items():
        names = documented[name]
        unnamed = [c for c in columns if not any(_matches(c, one) for one in names)]
        stale = [one for one in names if not any(_matches(c, one) for c in columns)]
        assert not unnamed and not stale, f"{name}: not named {unnamed}, not written {stale}"


def test_every_key_of_every_document_is_documented(clone: Path) -> None:
    text = dict(sections(PAGES["docs/files.md"]))
    checked = 0
    for path in sorted(clone.rglob("gpt2-demo_*.json")):
        title = f"`{path.name.replace('gpt2-demo_', '{m}_')}`"
        if title in text:
            keys = pd.read_json(path, typ="series").index
            missing = [key for key in keys if f"`{key}`" not in text[title]]
            assert not missing, f"{title}: {missing}"
            checked += 1
    assert checked >= 5


def test_every_file_is_documented(clone: Path) -> None:
    text = PAGES["docs/files.md"]
    for path in sorted((clone / "demo_output").rglob("gpt2-demo_*")):
        ending = re.sub(r"sample_\d+", "sample_{id}", path.name.removeprefix("gpt2-demo_"))
        if not re.search(r"_cinematic(_no_text)?\.png$", ending) and path.suffix != ".gexf":
            assert f"{{m}}_{ending}" in text, ending
