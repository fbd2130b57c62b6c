"""Damaged command lines: a script ends with 0 or with 2 and one line, whatever it is given.

What takes long (the model's forward passes, pictures, statistics) is left out: it comes after all
that a command line can be wrong about.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gelu.artifacts import EDGES, Artifacts, write_bytes
from gelu.generation.run import Outcome
from tests.helpers import run_here, save_gpt2, write_prompts
from tests.mutations import fuzzed, no_hang
from tests.picture_helpers import random_active, write_dataset, write_random_edges

VALUES = [
    "", " ", "-", "--", "-1", "0", "1", "2", "7", "1e999", "1e-999", "nan", "inf", "-inf", "0.5",
    "9" * 18, "9" * 25, "x" * 300, "x/" * 3000, "..", ".", "../../x", "~nobody/x", "~", "\n",
    "a\nb",
    "\0", "a\0b", "\x1b[2J", "é", "٣", "\ud800", "1,2", "0-5", "5-0", "0-" + "9" * 18, "0,,1", ",",
    "=1", "/dev/null", "/dev/zero", "/nonexistent/x", "/proc/self/mem", "auto", "none", "full",
    "cuda", "0/1", "1/0", "gpt2-demo", "m", "m/config.json", "p.csv", "data", "--help",
    "data/m_activation_dataset.csv", "data/m_neuron_activations.json",
    "data/m_activation_matrix.npz",
    "data/m_neuron_attributes.csv", "m/model.safetensors", "data/absent.pickle",
]  # fmt: skip

DATASET, ACTIVE = "data/m_activation_dataset.csv", "data/m_neuron_activations.pickle"
VALID = {
    "a_generate_gelu_graph.py": "--model_type m --output_dir out --edges strongest --top_edges 2"
    " --device cpu",
    "b_trace_gelu_activations.py": "--model_type m --input_text a --output_dir out --device cpu",
    "generate_activation_dataset.py": "--model_type m --input_csv p.csv --export_dir out --seed 1"
    " --temperature 0.8 --top_k 0 --batch_size 2 --edges none --top_edges 3 --device cpu --dtype"
    " float32 --formats csv,npz --shard 0/1 --merge --overwrite --csv_safe",
    "compare_temperatures.py": "--model_type m --input_csv p.csv --temperatures 0,0.5 --export_dir"
    " out --seed 1 --top_k 0 --batch_size 2 --edges none --device cpu --dtype float32 --csv_safe",
    "analyze_activations.py": f"--dataset_dir data --dataset_csv {DATASET} --activations_file"
    f" {ACTIVE} --output_dir out --model_type m --seed 1 --fdr 0.1 --min_token_count 2 --clusters 2"
    " --device cpu --csv_safe",
    "visualize_sample_activations.py": "--model_type m --dataset_dir data --sample_ids 0,2-3"
    " --export_dir out --output_dir out --figure_rows 1 --vis_mode default --device cpu",
    "visualize_gelu_graph.py": "--model_type m --dataset_dir data --graph_dir data"
    f" --activation_file {ACTIVE} --output_dir out --sample_id 1 --sample_ids 1 --max_nodes 5"
    " --max_edges 9 --device cpu",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The current folder, deep enough for `../..`, with a model, its dataset and prompts."""
    here = tmp_path_factory.mktemp("cli") / "a" / "b" / "c"
    here.mkdir(parents=True)
    save_gpt2(here / "m")
    files = write_dataset(here / "data", random_active(6, 3, 64), "m")
    write_random_edges(files, 3, 64)
    write_prompts(here / "p.csv", ("ab", 2, 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        patch.setattr("gelu.model.source.SHIPPED_FOLDER", here / "m")
        patch.setattr("gelu.model.download.PAUSES", ())  # there is no hub to wait for
        patch.setattr("gelu.graph.output.write_full_edges", _no_edges)
        patch.setattr("gelu.generation.run.make_dataset", lambda *_: Outcome("left out"))
        patch.setattr("gelu.temperatures.run._one_temperature", _enough)
        patch.setattr("gelu.analysis.run.analyse", _enough)
        patch.setattr("gelu.drawing.samples_run._write", _enough)
        patch.setattr("gelu.drawing.graph_run._write", _enough)
        yield here


def _no_edges(files: Artifacts, _: Any) -> tuple[Path, int]:
    write_bytes(files.path(EDGES), [])
    return files.path(EDGES), 0


def _enough(*_: Any) -> NoReturn:
    raise SystemExit(0)


def one_change(words: list[str]) -> st.SearchStrategy[list[str]]:
    """Return command lines that differ from `words` in one place."""
    place = st.integers(0, len(words) - 1)
    value = st.sampled_from(VALUES) | st.text(max_size=8)
    return st.one_of(
        st.builds(lambda at, new: [*words[:at], new, *words[at + 1 :]], place, value),
        st.builds(lambda at, new: [*words[:at], new, *words[at:]], place, value),
        st.builds(lambda at: [*words[:at], *words[at + 1 :]], place),
        st.builds(lambda at: [*words[: at + 1], *words[at:]], place),
        st.builds(lambda at: words[:at], place),
        st.builds(lambda at, to: _swapped(words, at, to), place, place),
    )


def _swapped(words: list[str], at: int, to: int) -> list[str]:
    changed = list(words)
    changed[at], changed[to] = changed[to], changed[at]
    return changed


@pytest.mark.parametrize("script", VALID)
def test_the_valid_command_lines_are_valid(folder: Path, script: str) -> None:
    words = VALID[script].replace("--merge --overwrite ", "").split()
    code, _, told = run_here(script, *words)
    assert code == 0, told


@fuzzed
@given(st.data())
@pytest.mark.parametrize("script", VALID)
def test_command_lines(folder: Path, script: str, data: st.DataObject) -> None:
    once = one_change(VALID[script].split())
    words = data.draw(once.flatmap(lambda words: st.just(words) | one_change(words or [""])))
    with no_hang():
        code, out, told = run_here(script, *words)
    assert np.isin(code, (0, 2)), told
    if code == 2:
        errors = [line for line in told.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1 and told.endswith(f"{errors[0]}\n") and len(errors[0]) < 2100
        others = told.splitlines()[:-1]
        assert all(line.startswith("note: ") for line in others), told
        assert errors[0].isprintable() and "Traceback" not in told + out
