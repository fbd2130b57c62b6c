"""Every script that reads a file, on damaged ones: it goes on, or ends in one line and exit 2.

What is slow and reads no more files is left out: learning, searching, drawing.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd
import pytest

from gelu.analysis import run as analysis_run
from gelu.drawing import graph_run, samples_run
from gelu.learning import activations_run, token_study
from gelu.patterns import run as pattern_analysis
from gelu.temperatures import run as temperatures_run
from tests.damaged_files import damaged
from tests.helpers import run_here, save_gpt2, write_prompts
from tests.mutations import FUZZING, no_hang

# Of the values tried at each place; with `make fuzz` ever so many.
EVERY = 7 if FUZZING else 151
TABLE, ACTIVE = "data/m_activation_dataset.csv", "data/m_neuron_activations.pickle"
RUN, ATTRIBUTES = "data/m_run.json", "data/m_neuron_attributes.csv"
FREQUENCY, MATRIX = "data/m_neuron_frequency.csv", "data/m_activation_matrix.npz"
MODEL = ["m/config.json", "m/tokenizer.json", "m/model.safetensors"]
LETTERS = "abcdefghij"
STUDY = "--model_type m --dataset_dir data --output_dir out --device cpu"
READS: dict[str, tuple[str, list[str]]] = {
    "generate_activation_dataset.py": (
        "--model_type m --input_csv p.csv --export_dir data --seed 1 --temperature 1"
        " --edges strongest --device cpu",
        ["p.csv", RUN, *MODEL],
    ),
    "compare_temperatures.py": (
        "--model_type m --input_csv p.csv --temperatures 0 --export_dir t --device cpu",
        ["p.csv", "t/t_0/m_run.json", "t/t_0/m_activation_dataset.csv"],
    ),
    "b_trace_gelu_activations.py": (
        "--model_type m --input_text a --output_dir out --device cpu",
        MODEL,
    ),
    "a_generate_gelu_graph.py": (
        "--model_type m --output_dir out --edges strongest --device cpu",
        ["m/config.json", "m/model.safetensors"],
    ),
    "analyze_activations.py": (
        f"--dataset_csv {TABLE} --activations_file {ACTIVE} --output_dir out --model_type m",
        [TABLE, ACTIVE, ATTRIBUTES, FREQUENCY],
    ),
    "visualize_sample_activations.py": (
        "--model_type m --dataset_dir data --sample_ids 0,2-3 --export_dir out",
        [TABLE, MATRIX, ATTRIBUTES, FREQUENCY],
    ),
    "visualize_gelu_graph.py": (
        f"--model_type m --graph_dir data --activation_file {ACTIVE} --output_dir out",
        [ATTRIBUTES, "data/m_neuron_edges.el", ACTIVE],
    ),
    "extract_patterns.py": (STUDY, [TABLE, MATRIX, FREQUENCY]),
    "predict_activations.py": (STUDY, [TABLE, MATRIX, "m/config.json", "m/tokenizer.json"]),
    "predict_next_token.py": (STUDY, [TABLE, MATRIX, RUN, "m/model.safetensors"]),
}


def _enough(*_: Any, **__: Any) -> NoReturn:
    raise SystemExit(0)


def _nothing(*_: Any) -> temperatures_run.WrittenTemperatures:
    return temperatures_run.WrittenTemperatures(pd.DataFrame(), [], [], [])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The current folder, with a model, prompts and a dataset."""
    here = tmp_path_factory.mktemp("inputs")
    save_gpt2(here / "m")
    prompts = [
        (f"{letter}{letter.upper()} {number}", 3, 1) for number, letter in enumerate(LETTERS)
    ]
    write_prompts(here / "p.csv", *prompts)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        patch.setattr("gelu.model.download.PAUSES", ())  # there is no hub to wait for
        patch.setattr(temperatures_run, "_write", _nothing)
        for script in ("generate_activation_dataset.py", "compare_temperatures.py"):
            code, _, told = run_here(script, *READS[script][0].split())
            assert code == 0, told
        patch.setattr(analysis_run, "analyse", _enough)
        patch.setattr(samples_run, "_write", _enough)
        patch.setattr(graph_run, "_write", _enough)
        patch.setattr(activations_run, "learn", _enough)
        patch.setattr(pattern_analysis, "extract", _enough)
        patch.setattr(token_study, "study_next_token", _enough)
        yield here


def run(script: str) -> tuple[int, str]:
    with no_hang(60):
        code, _, told = run_here(script, *READS[script][0].split())
    errors = [line for line in told.splitlines() if line.startswith("error: ")]
    assert (code, len(errors)) in ((0, 0), (2, 1)), told
    assert "Traceback" not in told and (code == 0 or told.splitlines()[-1] == errors[0])
    return code, told


@pytest.fixture
def restored(folder: Path, tmp_path: Path) -> Iterator[Path]:
    """The folder, which is as it was when the test ends."""
    kept = tmp_path / "kept"
    shutil.copytree(folder, kept)
    yield folder
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(kept, folder, dirs_exist_ok=True)


CASES = [(script, name) for script, (_, names) in READS.items() for name in names]


@pytest.mark.parametrize("script", READS)
def test_the_files_that_are_damaged_are_valid(folder: Path, script: str) -> None:
    code, told = run(script)
    assert code == 0, told
    assert all((folder / name).is_file() for name in READS[script][1])


@pytest.mark.parametrize(("script", "name"), CASES)
def test_a_damaged_input_ends_in_one_line(restored: Path, script: str, name: str) -> None:
    valid = (restored / name).read_bytes()
    n_refused = 0
    for what, content in damaged(name, valid, EVERY):
        (restored / name).write_bytes(content)
        try:
            code, _ = run(script)
        except BaseException as error:
            error.add_note(f"{name}: {what}")
            raise
        n_refused += code == 2
    # Without the model's own files predicting goes on, with a note.
    assert n_refused > 3 or (script.startswith("predict") and name in MODEL)


def _folder(path: Path) -> None:
    path.mkdir()


def _link_to_nothing(path: Path) -> None:
    path.symlink_to("nowhere")


def _link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def _link_to_zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize(
    "make", [_folder, os.mkfifo, _link_to_nothing, _link_to_itself, _link_to_zeros]
)
@pytest.mark.parametrize("script", READS)
def test_what_is_no_file_ends_in_one_line(
    restored: Path, script: str, make: Callable[[Path], None]
) -> None:
    for name in READS[script][1]:
        path = restored / name
        content = path.read_bytes()
        path.unlink()
        make(path)
        run(script)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
        path.write_bytes(content)
