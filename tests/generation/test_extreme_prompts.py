"""Prompts at the limits: the shortest, the longest, no letters, other scripts, far too long."""

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import run_script_here, user_error, write_prompts

SCRIPT = "generate_activation_dataset.py"
N_POSITIONS = 256
PROMPTS = {
    "one token": "I",
    "only whitespace": " \n\t  ",
    "only emoji": "\N{GRINNING FACE}\N{ROCKET}\N{SNOWMAN}",
    "right to left": "\u05e9\u05dc\u05d5\u05dd \u202e\u0645\u0631\u062d\u0628\u0627",
    "control characters": "a\x07\x1b[31mb",
    "combining": "e\u0301 \u1100\u1161",
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("extreme")
    write_prompts(folder / "prompts.csv", *((text, 3, 1) for text in PROMPTS.values()))
    run_script_here(SCRIPT, *arguments(folder))
    return folder


def arguments(folder: Path) -> list[object]:
    given = ["--model_type", "gpt2-demo", "--input_csv", folder / "prompts.csv"]
    return [*given, "--export_dir", folder / "dataset"]


def test_they_come_back_from_the_table_as_they_were(dataset: Path) -> None:
    path = dataset / "dataset" / "gpt2-demo_activation_dataset.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(dict.fromkeys(row["input_text"] for row in rows)) == list(PROMPTS.values())
    assert len(rows) == 3 * len(PROMPTS)


def test_they_can_be_drawn_and_analysed(dataset: Path) -> None:
    folder, model = dataset / "dataset", ("--model_type", "gpt2-demo")
    ids = ",".join(str(3 * number) for number in range(len(PROMPTS)))
    drawn = ("--dataset_dir", folder, "--sample_ids", ids, "--export_dir", dataset / "samples")
    run_script_here("visualize_sample_activations.py", *model, *drawn)
    assert len(list((dataset / "samples").glob("*.png"))) == len(PROMPTS)


def test_a_prompt_as_long_as_fits_and_one_token_more(tmp_path: Path) -> None:
    longest = " a" * (N_POSITIONS - 2)
    write_prompts(tmp_path / "prompts.csv", (longest, 2, 1))
    run_script_here(SCRIPT, *arguments(tmp_path))
    write_prompts(tmp_path / "prompts.csv", ("fits", 2, 1), (longest + " a", 2, 1))
    error = user_error(SCRIPT, *arguments(tmp_path))
    assert "row 2" in error and str(N_POSITIONS) in error


def test_a_megabyte_of_text_is_refused_with_its_row(tmp_path: Path) -> None:
    write_prompts(tmp_path / "prompts.csv", ("fits", 2, 1), ("word " * 200_000, 2, 1))
    error = user_error(SCRIPT, *arguments(tmp_path))
    assert "row 2" in error and len(error) < 500


def test_memory_does_not_grow_over_a_thousand_prompts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1,000 prompts x 3 completions: as much after the last batch as after the tenth."""
    from gelu.generation import run as dataset_run

    resident = []
    make = dataset_run._Job._make_batch

    def measured(job: object, *given: object) -> None:
        make(job, *given)  # type: ignore[arg-type]
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        resident.append(pages * 4096 / 1e6)

    monkeypatch.setattr(dataset_run._Job, "_make_batch", measured)
    prompts = [(f"I think number {number} is", 2, 3) for number in range(1000)]
    write_prompts(tmp_path / "prompts.csv", *prompts)
    run_script_here(SCRIPT, *arguments(tmp_path), "--edges", "none", "--formats", "npz")
    assert len(resident) == 47
    assert resident[-1] - resident[9] < 20
    matrix = np.load(tmp_path / "dataset" / "gpt2-demo_activation_matrix.npz")["matrix"]
    assert matrix.shape == (6000, 4096)
