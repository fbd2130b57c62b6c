"""`extract_patterns.py` from the command line: files, known patterns, nothing, refusals."""

import json
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.planted import Planted, planted
from gelu.artifacts import DATASET, Artifacts, write_table
from gelu.neurons import Geometry
from gelu.packed import PackedActivations
from gelu.patterns import run as pattern_analysis
from gelu.patterns import testing as pattern_tests
from tests.helpers import run_script, run_script_here, user_error, write_activations
from tests.picture_helpers import pixels

SCRIPT = "extract_patterns.py"
MODEL = "toy"
N_LAYER, LENGTH, N_COMPLETIONS = 4, 20, 2
PATTERN_COLUMNS = (
    "pattern,n_neurons,threshold,layer_0_neurons,layer_1_neurons,layer_2_neurons,layer_3_neurons,"
    "n_on,share_on,n_prompts_on,found_in,likeness_other_half,n_on_held_out,cells_explained,"
    "cells_by_chance,surprise_bits,share_beyond_tokens,share_low,share_high,p_value,q_value,"
    "context_token,context_token_lift,context_token_q_value,previous_token,previous_token_lift,"
    "previous_token_q_value,output_token,output_token_lift,output_token_q_value,range_start,"
    "range_end,range_lift,range_q_value,prompt_idx,prompt_lift,prompt_q_value,n_prompts_held_out"
)
NEURON_COLUMNS = "pattern,neuron_id,layer,dimension,frequency_on,frequency_off"
ENDINGS = {
    "patterns.csv",
    "pattern_neurons.csv",
    "patterns.json",
    "patterns.png",
    "patterns_report.html",
}


def write_dataset(folder: Path, data: Planted, active: Any = None) -> Path:
    """Write planted data as a dataset; texts try to break the page and the tables."""
    active = data.active if active is None else active
    n = len(active)
    geometry = Geometry(N_LAYER, 0, active.shape[1] // N_LAYER, 0)
    packed = PackedActivations.from_bool(active)
    counts = packed.layer_counts(N_LAYER)
    texts = np.array([f" <b>{number}&" for number in range(60)], object)
    texts[:4] = ["NA", "\n", ' "', "$x$"]
    output = np.roll(data.tokens, -1)
    place = np.arange(n) % LENGTH
    table = {
        "sample_id": np.arange(n),
        "prompt_sample_idx": data.completions % N_COMPLETIONS,
        "token_position": place,
        "input_text": [f"p{number}<script>alert(1)</script>" for number in data.prompts],
        "output": texts[output],
        "output_id": output,
        "number_of_active_neurons": counts.sum(axis=1),
        **{f"layer_{layer}_num_active_neurons": counts[:, layer] for layer in range(N_LAYER)},
        "prompt_idx": data.prompts,
        "context_token": texts[data.tokens],
        "context_token_id": data.tokens,
        "absolute_position": place + 3,
    }
    folder.mkdir(parents=True)
    files = Artifacts(folder, MODEL)
    write_table(files.path(DATASET), pd.DataFrame(table))
    write_activations(files, range(n), packed, ["pickle", "npz"])
    files.write_attributes(geometry)
    return folder


def extract(folder: Path, output: Path, *arguments: object, run: Any = run_script_here) -> Any:
    model = output.parent / MODEL
    model.mkdir(exist_ok=True)
    return run(
        SCRIPT,
        *("--dataset_dir", folder, "--output_dir", output, "--model_type", model, *arguments),
    )


def read(folder: Path, ending: str) -> pd.DataFrame:
    return pd.read_csv(folder / f"{MODEL}_{ending}", keep_default_na=False)


def document_of(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / f"{MODEL}_patterns.json").read_text("utf-8"))
    return content


class Tags(HTMLParser):
    """Collects the names of all tags."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)


@pytest.fixture(scope="module")
def data() -> Planted:
    return planted(7, n_prompts=100, sizes=(8, 12, 20, 30), by_token=True, share_on=0.08)


@pytest.fixture(scope="module")
def dataset(data: Planted, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("planted") / "dataset", data)


@pytest.fixture(scope="module")
def extracted(dataset: Path) -> Path:
    output = dataset.parent / "patterns"
    result = extract(dataset, output, "--null_draws", 1)
    assert "4 kept at a false-discovery rate of 0.05\nkept in permuted data: 0\n" in result.stdout
    assert "patterns: 100%" in result.stderr and "search" in result.stderr
    return output


def test_it_writes_the_files_of_the_contract(extracted: Path) -> None:
    assert {path.name.removeprefix(f"{MODEL}_") for path in extracted.iterdir()} == ENDINGS
    assert ",".join(read(extracted, "patterns.csv").columns) == PATTERN_COLUMNS
    assert ",".join(read(extracted, "pattern_neurons.csv").columns) == NEURON_COLUMNS


def test_the_planted_patterns_are_found_neuron_by_neuron(data: Planted, extracted: Path) -> None:
    neurons = read(extracted, "pattern_neurons.csv")
    found = [sorted(group["neuron_id"]) for _, group in neurons.groupby("pattern")]
    assert sorted(found) == sorted(group.tolist() for group in data.patterns)
    d_mlp = data.active.shape[1] // N_LAYER
    assert (neurons["layer"] * d_mlp + neurons["dimension"] == neurons["neuron_id"]).all()
    assert (neurons["frequency_on"] > neurons["frequency_off"]).all()
    patterns = read(extracted, "patterns.csv")
    per_layer = patterns[[f"layer_{layer}_neurons" for layer in range(N_LAYER)]]
    assert (per_layer.sum(axis=1) == patterns["n_neurons"]).all()
    assert (patterns["q_value"] <= 0.05).all()


def test_the_tokens_that_turn_patterns_on_are_named(extracted: Path) -> None:
    for pattern in document_of(extracted)["patterns"]:
        named = pattern["tokens"]["context"]
        assert named and all(row["token_id"] % 10 == 0 and row["lift"] > 1 for row in named)
        row = named[0]
        lift = row["n_both"] * 4000 / (row["n_token"] * row["n_on"])
        assert row["lift"] == pytest.approx(lift)


def test_contexts_are_the_strongest_with_their_token(data: Planted, extracted: Path) -> None:
    table = pd.read_csv(
        extracted.parent / "dataset" / f"{MODEL}_{DATASET}", keep_default_na=False
    ).set_index("sample_id")
    for pattern in document_of(extracted)["patterns"]:
        ids = [row["neuron_id"] for row in pattern["neurons"]]
        counts = data.active[:, ids].sum(axis=1)
        contexts = pattern["contexts"]
        assert [row["n_active"] for row in contexts] == sorted(counts)[::-1][:10]
        for row in contexts:
            sample = table.loc[row["sample_id"]]
            assert counts[row["sample_id"]] == row["n_active"] >= pattern["threshold"]
            assert row["token"] == sample["context_token"] and row["output"] == sample["output"]
            assert row["after"].startswith(row["output"])


def test_equal_commands_write_equal_bytes(dataset: Path, extracted: Path) -> None:
    again = dataset.parent / "again"
    extract(dataset, again, "--null_draws", 1, run=run_script)
    for path in extracted.iterdir():
        assert path.read_bytes() == (again / path.name).read_bytes(), path.name


def test_the_page_escapes_what_comes_from_data(extracted: Path) -> None:
    html = (extracted / f"{MODEL}_patterns_report.html").read_text("utf-8")
    parser = Tags()
    parser.feed(html)
    assert "mark" in parser.seen and not parser.seen & {"script", "b"}
    assert "&lt;b&gt;" in html and "Pattern 3" in html


def test_one_page_has_the_three_studies_and_escapes_what_comes_from_data(
    dataset: Path, extracted: Path, tmp_path: Path
) -> None:
    model, results = extracted.parent / MODEL, tmp_path / "results"
    shutil.copytree(extracted, results)
    given = ("--model_type", model, "--dataset_dir", dataset, "--output_dir", results)
    run_script_here("predict_activations.py", *given, "--epochs", 1, "--width", 16)
    made = run_script_here("predict_next_token.py", *given, "--epochs", 1)
    assert "note: without the model no direct path" in made.stderr
    scores = read(results, "next_token_prediction.csv")
    assert not (scores["predictor"] == "model").any()  # the dataset has no output_logprob
    run_script_here("report_findings.py", "--model_type", model, "--results_dir", results)
    page = (results / f"{MODEL}_findings.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64") == 3
    assert "it has not been run: analyze" in page and page.count("has not been run") == 1
    assert "the temperature is not on record" in page and "no column output_logprob" in page
    assert "<script>alert" not in page and "<b>1" not in page and " nan" not in page
    (results / f"{MODEL}_patterns.png").write_bytes(b"GIF89a")
    error = user_error("report_findings.py", "--model_type", model, "--results_dir", results)
    assert "patterns.png: not a PNG picture" in error
    (results / f"{MODEL}_patterns.png").unlink()
    (results / f"{MODEL}_next_token_prediction.csv").write_bytes(b"\xff")
    error = user_error("report_findings.py", "--model_type", model, "--results_dir", results)
    assert "next_token_prediction.csv: not a table of this project" in error


def test_the_page_of_patterns_alone_names_what_else_there_could_be(
    extracted: Path, tmp_path: Path
) -> None:
    shutil.copytree(extracted, tmp_path / "results")
    model = ("--model_type", extracted.parent / MODEL)
    run_script_here("report_findings.py", *model, "--results_dir", tmp_path / "results")
    page = (tmp_path / "results" / f"{MODEL}_findings.html").read_text(encoding="utf-8")
    for script in ("predict_activations.py", "predict_next_token.py"):
        assert f"Not there, because it has not been run: {script}." in page
    assert page.count("data:image/png;base64") == 1
    assert "Pattern 3" in page


def test_of_a_large_half_a_part_is_searched_and_all_is_tested(
    dataset: Path, data: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (pattern_analysis, pattern_tests):
        monkeypatch.setattr(module, "MOST_SEARCHED", 1_000)
    (tmp_path / MODEL).mkdir()
    given = ("--model_type", tmp_path / MODEL, "--dataset_dir", dataset)
    run_script_here(SCRIPT, *given, "--output_dir", tmp_path, "--null_draws", 0)
    summary = document_of(tmp_path)["summary"]
    assert "at most 1,000 samples of each half" in summary["subsampled"]["search for patterns"]
    found = read(tmp_path, "patterns.csv")
    assert 3 <= len(found) <= 4
    # Which samples a pattern is on in is decided for all of them, not for those searched.
    assert found["n_on"].sum() > 0.9 * data.on.sum() * len(found) / data.on.shape[1]


def test_the_picture_has_its_size(extracted: Path) -> None:
    assert pixels(extracted / f"{MODEL}_patterns.png").shape[1] == 1600


def test_shuffled_data_have_no_pattern_and_all_files_but_the_picture(
    data: Planted, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    shuffled = rng.permuted(data.active, axis=0)
    folder = write_dataset(tmp_path / "dataset", data, shuffled)
    (tmp_path / "patterns").mkdir()
    (tmp_path / "patterns" / f"{MODEL}_patterns.png").write_bytes(b"of an earlier run")
    result = extract(folder, tmp_path / "patterns", "--null_draws", 0)
    assert " 0 kept at" in result.stdout
    assert "not drawn: patterns.png: no pattern" in result.stdout
    assert len(read(tmp_path / "patterns", "patterns.csv")) == 0
    assert ",".join(read(tmp_path / "patterns", "patterns.csv").columns) == PATTERN_COLUMNS
    assert document_of(tmp_path / "patterns")["patterns"] == []
    names = {path.name.removeprefix(f"{MODEL}_") for path in (tmp_path / "patterns").iterdir()}
    assert names == ENDINGS - {"patterns.png"}
    page = (tmp_path / "patterns" / f"{MODEL}_patterns_report.html").read_text("utf-8")
    assert "Not drawn: toy_patterns.png: no pattern" in page and "<img" not in page


def test_without_optional_columns_it_says_what_it_cannot_compute(
    dataset: Path, tmp_path: Path
) -> None:
    shutil.copytree(dataset, tmp_path / "dataset")
    path = tmp_path / "dataset" / f"{MODEL}_{DATASET}"
    table = pd.read_csv(path, keep_default_na=False)
    kept = [name for name in table.columns if not str(name).startswith("context_")]
    write_table(path, table[kept])
    made = extract(tmp_path / "dataset", tmp_path / "out", "--null_draws", 1)
    assert "not computed: permutation within context tokens: context tokens are unkn" in made.stdout
    found = read(tmp_path / "out", "patterns.csv")
    assert len(found) and (found["context_token"] == "").all()
    assert set(document_of(tmp_path / "out")["summary"]["skipped"]) >= {"context tokens"}


def test_too_few_prompts_are_refused(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "dataset", planted(0, n_prompts=5))
    (tmp_path / MODEL).mkdir()
    said = user_error(
        SCRIPT,
        *("--dataset_dir", folder, "--output_dir", tmp_path / "out"),
        *("--model_type", tmp_path / MODEL),
    )
    assert "5 prompts" in said and "8 or more" in said
    assert not (tmp_path / "out").exists()


def test_a_folder_without_a_dataset_is_refused(tmp_path: Path) -> None:
    said = user_error(
        SCRIPT, "--dataset_dir", tmp_path, "--output_dir", tmp_path, "--model_type", "gpt2-demo"
    )
    assert "gpt2-demo_activation_dataset.csv" in said
