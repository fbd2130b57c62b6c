"""`analyze_activations.py` from the command line: files, edge cases, refusals."""

import json
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gelu.artifacts import DATASET, JSON, MATRIX, PICKLE, Artifacts, write_table
from gelu.neurons import Geometry
from gelu.packed import PackedActivations
from tests.helpers import run_script, run_script_here, user_error, write_activations

SCRIPT = "analyze_activations.py"
MODEL = "toy"
N_LAYER, D_MLP = 2, 16
COLUMNS = {
    "token_clusters.csv": "sample_id,x,y,cluster,output,input_text,prompt_idx,prompt_sample_idx,"
    "token_position",
    "important_neurons.csv": "neuron_id,layer,dimension,kind,activation_count,"
    "activation_frequency,entropy_bits,mi_output_bits,mi_context_bits,mi_prompt_bits,"
    "mi_position_bits,importance",
    "token_specific_neurons.csv": "role,token,token_id,neuron_id,layer,dimension,n_token,n_active,"
    "n_both,precision,recall,phi,log_odds,p_value,q_value,direction,n_prompts",
    "position_specific_neurons.csv": "neuron_id,layer,dimension,mi_bits,p_value,q_value,"
    "range_start,range_end,frequency_inside,frequency_outside",
    "sample_similarities.csv": "prompt_idx,input_text,sample_a,sample_b,jaccard,intersection,union",
    "prompt_similarities.csv": "prompt_a,prompt_b,n_pairs,mean_jaccard,mean_jaccard_by_token",
    "consistent_neurons.csv": "prompt_idx,input_text,neuron_id,layer,dimension,n_samples,"
    "frequency_this_prompt,frequency_other_prompts,q_value,passes,p_value,"
    "token_share_this_prompt,token_share_other_prompts",
    "token_across_prompts.csv": "token,token_id,n_prompts,n_samples,"
    "jaccard_same_token_other_prompt,jaccard_same_prompt_other_token,p_value,q_value",
}
PICTURES = {
    "token_clusters.png",
    "token_clusters_by_prompt.png",
    "top_neurons.png",
    "neuron_importance_by_layer.png",
    "token_specific_neurons.png",
    "position_layer_heatmap.png",
    "sample_similarities.png",
}
OTHERS = {"analysis_summary.json", "analysis_report.html"}
LETTERS = "abcdefgh"


def write_toy(folder: Path, n_prompts: int, n_completions: int, length: int, seed: int = 0) -> Path:
    """Write a dataset in which neuron 0 is active after an a, 1 from the fifth token on, 2 always.

    Neuron 3 is never active, the others by chance.
    """
    rng = np.random.default_rng(seed)
    n = n_prompts * n_completions * length
    outputs = rng.integers(0, len(LETTERS), (n_prompts, n_completions, length))
    contexts = np.concatenate(
        [np.full((n_prompts, n_completions, 1), 7), outputs[:, :, :-1]], axis=2
    ).ravel()
    place = np.tile(np.arange(length), n_prompts * n_completions)
    active = rng.random((n, N_LAYER * D_MLP)) < 0.3
    active[:, 0], active[:, 1], active[:, 2], active[:, 3] = contexts == 0, place >= 4, True, False
    packed = PackedActivations.from_bool(active)
    counts = packed.layer_counts(N_LAYER)
    prompt = np.repeat(np.arange(n_prompts), n_completions * length)
    table = {
        "sample_id": np.arange(n),
        "prompt_sample_idx": np.tile(np.repeat(np.arange(n_completions), length), n_prompts),
        "token_position": place,
        "input_text": [f"<script>alert({number})</script>" for number in prompt],
        "output": [LETTERS[token] for token in outputs.ravel()],
        "output_id": outputs.ravel(),
        "number_of_active_neurons": counts.sum(axis=1),
        **{f"layer_{layer}_num_active_neurons": counts[:, layer] for layer in range(N_LAYER)},
        "prompt_idx": prompt,
        "context_token": [LETTERS[token] for token in contexts],
        "context_token_id": contexts,
        "absolute_position": place + 3,
    }
    folder.mkdir(parents=True, exist_ok=True)
    files = Artifacts(folder, MODEL)
    write_table(files.path(DATASET), pd.DataFrame(table))
    write_activations(files, range(n), packed, ["pickle", "json", "npz"])
    files.write_attributes(Geometry(N_LAYER, 0, D_MLP, 0))
    return folder


def pictures_of(folder: Path) -> set[str]:
    return {path.name.removeprefix(f"{MODEL}_") for path in folder.glob("*.png")}


def analyse(
    folder: Path,
    output: Path,
    *arguments: object,
    activations: str = MATRIX,
    run: Any = run_script_here,
) -> str:
    files = Artifacts(folder, MODEL)
    model = output.parent / MODEL
    model.mkdir(exist_ok=True)
    printed: str = run(
        SCRIPT,
        *("--dataset_csv", files.path(DATASET), "--activations_file", files.path(activations)),
        *("--output_dir", output, "--model_type", model, *arguments),
    ).stdout
    return printed


def refused(folder: Path, *arguments: object, activations: str = MATRIX) -> str:
    files = Artifacts(folder, MODEL)
    model = folder.parent / MODEL
    model.mkdir(exist_ok=True)
    return user_error(
        SCRIPT,
        *("--dataset_csv", files.path(DATASET), "--activations_file", files.path(activations)),
        *("--output_dir", folder / "analysis", "--model_type", model, *arguments),
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def summary_of(folder: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads((folder / f"{MODEL}_analysis_summary.json").read_text())
    return content


def table_of(folder: Path, ending: str) -> pd.DataFrame:
    return pd.read_csv(folder / f"{MODEL}_{ending}", keep_default_na=False)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy(tmp_path_factory.mktemp("toy") / "dataset", 5, 4, 15)


@pytest.fixture(scope="module")
def analysed(toy: Path) -> Path:
    analyse(toy, toy.parent / "analysis")
    return toy.parent / "analysis"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset with everything in it, of 48 samples."""
    return write_toy(tmp_path_factory.mktemp("small") / "dataset", 3, 2, 8)


def test_every_file_of_the_contract_is_there_with_its_columns(analysed: Path) -> None:
    names = {path.name.removeprefix(f"{MODEL}_") for path in analysed.iterdir()}
    assert names == set(COLUMNS) | PICTURES | OTHERS
    for ending, columns in COLUMNS.items():
        header = (analysed / f"{MODEL}_{ending}").read_text().splitlines()[0]
        assert header == columns, ending
    for ending in PICTURES:
        assert (analysed / f"{MODEL}_{ending}").read_bytes().startswith(b"\x89PNG")


def test_planted_neurons_stand_in_the_tables(analysed: Path) -> None:
    tokens = table_of(analysed, "token_specific_neurons.csv")
    best = tokens[(tokens["role"] == "context") & (tokens["token"] == "a")].iloc[0]
    assert (best["neuron_id"], best["precision"], best["recall"]) == (0, 1.0, 1.0)
    positions = table_of(analysed, "position_specific_neurons.csv").set_index("neuron_id")
    assert tuple(positions[name].to_dict()[1] for name in ("range_start", "range_end")) == (7, 18)
    neurons = table_of(analysed, "important_neurons.csv").set_index("neuron_id")
    assert neurons["kind"].to_dict()[2] == "always_on" and neurons["kind"].to_dict()[3] == "dead"
    assert len(neurons) == N_LAYER * D_MLP
    assert set(neurons.index[:2]) == {0, 1}


def test_the_same_command_writes_the_same_bytes_without_torch_and_the_model(
    toy: Path, analysed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("torch", "transformers"):
        (tmp_path / "blocked" / package).mkdir(parents=True)
        blocker = tmp_path / "blocked" / package / "__init__.py"
        blocker.write_text("raise ImportError('blocked')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "blocked"))
    # In a process of its own, with other hashes of texts; the folder of the model is empty.
    analyse(toy, tmp_path / "again", run=run_script)
    assert contents(tmp_path / "again") == contents(analysed)


def test_every_format_of_the_activations_gives_the_same_analysis(
    small: Path, tmp_path: Path
) -> None:
    for activations in (MATRIX, PICKLE, JSON):
        analyse(small, tmp_path / activations, activations=activations)
    name = f"{MODEL}_analysis_summary.json"
    first, summary = contents(tmp_path / MATRIX), summary_of(tmp_path / MATRIX)
    for activations in (PICKLE, JSON):
        second, other = contents(tmp_path / activations), summary_of(tmp_path / activations)
        assert set(second) == set(first)
        assert {path for path in first if first[path] != second[path]} == {name}
        differing = {key for key in summary if summary[key] != other[key]}
        assert differing == {"arguments", "activations_sha256"}


class _Text(HTMLParser):
    """Collects the names of all tags, and where pictures come from."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]


def test_the_report_needs_nothing_else_and_keeps_prompts_as_text(analysed: Path) -> None:
    page = (analysed / f"{MODEL}_analysis_report.html").read_text(encoding="utf-8")
    parsed = _Text()
    parsed.feed(page)
    assert "script" not in parsed.tags
    assert parsed.tags.count("img") == len(PICTURES)
    assert all(source.startswith(("data:image/png;base64,", "#")) for source in parsed.sources)


def test_fixed_clusters_seed_and_counts_are_obeyed(small: Path, tmp_path: Path) -> None:
    arguments = ["--clusters", 3, "--min_token_count", 1000, "--fdr", 0.01, "--seed", 7]
    analyse(small, tmp_path / "out", *arguments)
    assert table_of(tmp_path / "out", "token_clusters.csv")["cluster"].nunique() == 3
    assert len(table_of(tmp_path / "out", "token_specific_neurons.csv")) == 0
    skipped = summary_of(tmp_path / "out")["skipped"]
    assert isinstance(skipped, dict)
    assert any("1000 samples" in reason for reason in skipped.values())


def test_what_could_not_pass_is_said_everywhere_with_what_is_needed(
    analysed: Path, tmp_path: Path
) -> None:
    folder = write_toy(tmp_path / "dataset", 2, 2, 12)
    printed = analyse(folder, tmp_path / "out")
    tests = summary_of(tmp_path / "out")["tests"]
    assert isinstance(tests, list)
    reasons = {test["what"]: test["unattainable"] for test in tests if test.get("unattainable")}
    page = (tmp_path / "out" / f"{MODEL}_analysis_report.html").read_text(encoding="utf-8")
    for what, needed in (
        ("neurons consistent within a prompt", "completions of each of the 2 prompts"),
        ("completions of one prompt more alike than those of two", "needs 4 of each of the 2"),
    ):
        assert needed in reasons[what]
        assert reasons[what] in printed and reasons[what] in page
    rows = table_of(tmp_path / "out", "consistent_neurons.csv")
    assert len(rows) > 0 and set(rows["passes"]) == {0}
    # Where results could pass, none of this is said.
    tests = summary_of(analysed)["tests"]
    assert isinstance(tests, list)
    assert not any(test.get("unattainable") for test in tests)


def test_pictures_that_would_say_nothing_are_not_drawn_and_stale_ones_go(tmp_path: Path) -> None:
    folder = write_toy(tmp_path / "dataset", 20, 2, 6)
    output = tmp_path / "out"
    output.mkdir()
    for ending in PICTURES:
        (output / f"{MODEL}_{ending}").write_bytes(b"of an earlier run")
    printed = analyse(folder, output, "--min_token_count", 1000)
    reasons = {
        "token_clusters_by_prompt.png": "20 prompts are more than the 12 that colours",
        "token_specific_neurons.png": "no neuron is specific to a token",
    }
    assert pictures_of(output) == PICTURES - set(reasons)
    for path in output.glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")
    not_drawn = summary_of(output)["not_drawn"]
    assert isinstance(not_drawn, dict) and set(not_drawn) == set(reasons)
    page = (output / f"{MODEL}_analysis_report.html").read_text(encoding="utf-8")
    for ending, reason in reasons.items():
        assert reason in not_drawn[ending]
        assert f"not drawn: {ending}: {reason}" in printed
        assert f"Not drawn: {MODEL}_{ending}: {reason}" in page


@pytest.mark.parametrize(
    ("shape", "drawn"),
    [
        ((1, 1, 1), {"neuron_importance_by_layer.png"}),
        ((1, 1, 2), {"position_layer_heatmap.png", "top_neurons.png"}),
        ((1, 3, 12), PICTURES - {"token_clusters_by_prompt.png", "token_specific_neurons.png"}),
        ((2, 1, 12), PICTURES - {"token_specific_neurons.png"}),
    ],
)
def test_small_datasets_have_the_pictures_that_say_something(
    tmp_path: Path, shape: tuple[int, int, int], drawn: set[str]
) -> None:
    folder = write_toy(tmp_path / "dataset", *shape)
    analyse(folder, tmp_path / "out", "--min_token_count", 1000)
    assert pictures_of(tmp_path / "out") == drawn | {"neuron_importance_by_layer.png"}


@pytest.mark.parametrize(
    ("shape", "named"),
    [
        ((1, 1, 1), "clusters"),
        ((1, 3, 12), "one prompt"),
        ((4, 1, 12), "no prompt has two completions"),
        ((1, 1, 2), "completion"),
    ],
)
def test_small_datasets_say_what_they_cannot_tell(
    tmp_path: Path, shape: tuple[int, int, int], named: str
) -> None:
    folder = write_toy(tmp_path / "dataset", *shape)
    printed = analyse(folder, tmp_path / "out")
    skipped = summary_of(tmp_path / "out")["skipped"]
    assert isinstance(skipped, dict)
    assert any(named in f"{what} {why}" for what, why in skipped.items()), skipped
    for what in skipped:
        assert what in printed
    for ending, columns in COLUMNS.items():
        assert list(table_of(tmp_path / "out", ending).columns) == columns.split(","), ending


def test_a_table_without_the_optional_columns_is_analysed_as_far_as_it_goes(
    small: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "dataset"
    shutil.copytree(small, folder)
    path = Artifacts(folder, MODEL).path(DATASET)
    table = pd.read_csv(path, keep_default_na=False)
    kept = ["sample_id", "prompt_sample_idx", "token_position", "output"]
    table[kept].to_csv(path, index=False)
    analyse(folder, tmp_path / "out")
    skipped = summary_of(tmp_path / "out")["skipped"]
    assert isinstance(skipped, dict)
    for what in ("prompts", "context tokens", "positions", "ids of output tokens"):
        assert what in skipped
    neurons = table_of(tmp_path / "out", "important_neurons.csv")
    assert (neurons["mi_position_bits"] == "").all()
    assert set(neurons["kind"]) == {"selective", "always_on", "dead"}


def test_activations_that_miss_samples_or_have_more_are_named(small: Path, tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    shutil.copytree(small, folder)
    path = Artifacts(folder, MODEL).path(JSON)
    content = json.loads(path.read_text())
    del content["5"], content["6"]
    content["9000"] = [1, 2]
    path.write_text(json.dumps(content))
    analyse(folder, tmp_path / "out", activations=JSON)
    skipped = summary_of(tmp_path / "out")["skipped"]
    assert isinstance(skipped, dict)
    assert "2 left out: sample 5, 6" in skipped["samples without activations"]
    assert "sample 9000" in skipped["activations without a row in the dataset CSV"]
    assert len(table_of(tmp_path / "out", "token_clusters.csv")) == 46


def test_a_missing_activations_file_falls_back_to_its_sibling(small: Path, tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    shutil.copytree(small, folder)
    Artifacts(folder, MODEL).path(PICKLE).unlink()
    analyse(folder, tmp_path / "out", activations=PICKLE)
    assert (tmp_path / "out" / f"{MODEL}_analysis_report.html").is_file()


def test_mistakes_are_one_line(small: Path, tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    shutil.copytree(small, folder)
    assert "at most 47 clusters" in refused(folder, "--clusters", 48)
    assert "auto" in refused(folder, "--clusters", 1)
    assert "--fdr" in refused(folder, "--fdr", 0.5)
    assert "--min_token_count" in refused(folder, "--min_token_count", 0)
    path = Artifacts(folder, MODEL).path(DATASET)
    table = pd.read_csv(path, keep_default_na=False)
    table["layer_1_num_active_neurons"] += 1
    table.to_csv(path, index=False)
    assert "row 1: number_of_active_neurons is" in refused(folder)
    table["number_of_active_neurons"] += 1
    table.to_csv(path, index=False)
    assert "sample 0" in refused(folder) and "same run" in refused(folder)
    table["sample_id"] += 100_000
    table.to_csv(path, index=False)
    assert "has none of the samples of" in refused(folder)
    table.iloc[:0].to_csv(path, index=False)
    assert "no samples" in refused(folder)
    path.unlink()
    assert "no such file" in refused(folder)
