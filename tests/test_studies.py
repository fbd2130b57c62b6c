"""Each study as a notebook calls it: values in, tables and figures out, nothing printed, and
nothing written but where it is told to write."""

from pathlib import Path

import pytest

from gelu.analysis.output import save_analysis, write_analysis
from gelu.analysis.run import analyse_dataset
from gelu.analysis.settings import AnalysisSettings
from gelu.artifacts import EDGES, GRAPH_PICTURE_FILES, PICKLE, Artifacts
from gelu.drawing.graph_run import (
    choose_graph,
    graph_figures,
    save_graph_pictures,
    write_graph_pictures,
)
from gelu.drawing.samples_run import choose_samples, sample_figures, write_sample_pictures
from gelu.drawing.settings import GraphSettings
from gelu.errors import UserError
from gelu.findings.run import write_findings
from gelu.generation.run import GenerationOptions, Sharing, generate_dataset
from gelu.generation.trace import trace_text, write_trace
from gelu.graph.output import write_graph
from gelu.learning.activations_run import predict_activations, write_activation_prediction
from gelu.learning.next_token_run import predict_next_token
from gelu.learning.settings import ActivationSettings, NextTokenSettings
from gelu.patterns.output import save_patterns
from gelu.patterns.run import extract_patterns
from gelu.patterns.settings import PatternSettings, SearchSettings
from gelu.temperatures.run import compare_temperatures
from tests.helpers import run_script_here, save_gpt2, write_prompts
from tests.picture_helpers import random_active, write_dataset, write_random_edges
from tests.scripts.test_analyze_activations import MODEL, write_toy


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy(tmp_path_factory.mktemp("studies") / "dataset", 8, 2, 8)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_analysis_is_tables_and_its_notes(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(dataset)
    settings = AnalysisSettings(fdr=0.1)
    first, second = (analyse_dataset(dataset, MODEL, settings) for _ in range(2))
    assert len(first.analysis.important) == first.read.samples.geometry.n_neurons
    # What a run notes is in its result, and the samples that it was given stay as they are.
    assert first.analysis.notes.skipped == second.analysis.notes.skipped
    with pytest.raises(TypeError):
        first.read.samples.skipped["a"] = "b"  # type: ignore[index]
    assert capsys.readouterr().out == "" and contents(dataset) == before
    written = save_analysis(first, tmp_path / "one")
    write_analysis(dataset, tmp_path / "two", settings=settings)
    assert written.summary["tests"][0]["fdr"] == 0.1
    assert contents(tmp_path / "one") == contents(tmp_path / "two") != {}
    assert capsys.readouterr().out == ""


def test_patterns_are_tables(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    search = SearchSettings(seed=0, fdr=0.05, max_patterns=2, null_draws=0)
    run = extract_patterns(dataset, MODEL, PatternSettings(search, 5))
    assert len(run.analysis.patterns) == run.analysis.document["summary"]["counts"]["kept"]
    written = save_patterns(run, tmp_path)
    assert all(path.is_file() for path in written.paths)
    assert capsys.readouterr().out == ""


def test_predictions_are_tables(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(dataset)
    small = ActivationSettings(history=3, width=8, token_width=8, epochs=1, least_steps=1)
    run = predict_activations(dataset, MODEL, small, "cpu")
    assert {"predictor", "log_loss_bits"} <= set(run.study.layers.columns)
    tokens = predict_next_token(dataset, MODEL, NextTokenSettings(epochs=1), "cpu")
    assert {"predictor", "cross_entropy_bits"} <= set(tokens.study.scores.columns)
    # The toy's model is not at hand: the result says what is therefore unknown.
    assert "tokens of the prompts" in run.inputs.notes.skipped
    assert "the model's weights" in tokens.inputs.notes.skipped
    printed = capsys.readouterr()
    assert printed.out == "" and "note:" not in printed.err and contents(dataset) == before


@pytest.fixture
def graph(tmp_path: Path) -> Artifacts:
    """A dataset with its edges, cut short, and without the pickle."""
    files = write_dataset(tmp_path / "graph", random_active(9, 3, 20))
    lines = write_random_edges(files, 3, 20).read_text().splitlines(keepends=True)
    files.path(EDGES).write_text("".join(lines[:-3]))
    files.path(PICKLE).unlink()
    return files


def quiet(capsys: pytest.CaptureFixture[str]) -> bool:
    """Whether nothing was printed but progress bars."""
    printed = capsys.readouterr()
    bars = [line for line in printed.err.replace("\r", "\n").splitlines() if line.strip()]
    return printed.out == "" and all("%|" in line or "it/s" in line for line in bars)


def test_a_graph_is_tables_figures_and_its_notes(
    graph: Artifacts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(graph.folder)
    run = choose_graph(graph.folder, settings=GraphSettings(max_nodes=12, max_edges=7))
    assert len(run.subgraph.neurons) == 12 and len(run.subgraph.edges) == 7
    assert run.n_edges == 797 and len(graph_figures(run)) == 2
    assert run.notes == (
        f"{graph.path(PICKLE)} is missing; using toy_activation_matrix.npz",
        f"{graph.path(EDGES)}: neurons have 17 to 20 edges; a list of these scripts has as many "
        "for each, so this one may be cut short",
    )
    assert contents(graph.folder) == before and quiet(capsys)
    written = save_graph_pictures(run, tmp_path / "out")
    assert {*contents(tmp_path / "out")} == {f"toy_{ending}" for ending in GRAPH_PICTURE_FILES}
    assert written.lines == ["12 of 60 neurons", "7 of 797 edges"]
    assert written.notes == [*run.notes] and quiet(capsys)
    # What the script calls writes the same.
    write_graph_pictures(graph.folder, tmp_path / "b", settings=GraphSettings(None, 12, 7))
    assert contents(tmp_path / "b") == contents(tmp_path / "out")
    assert contents(graph.folder) == before and quiet(capsys)


def test_samples_are_figures(
    graph: Artifacts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(graph.folder)
    chosen = choose_samples(graph.folder, "2,4-5")
    assert [text.sample_id for text in chosen.texts] == [2, 4, 5]
    assert chosen.active(1) == random_active(9, 3, 20)[4].sum()
    figures = list(sample_figures(chosen, figure_rows=3, vis_mode="cinematic"))
    assert len(figures) == 3 and len(chosen.notes) == 1 and quiet(capsys)
    written = write_sample_pictures(graph.folder, "2,4-5", tmp_path / "out")
    assert [path.name for path in written.paths] == [
        f"toy_sample_{number}_activation.png" for number in (2, 4, 5)
    ]
    assert {*contents(tmp_path / "out")} == {path.name for path in written.paths}
    assert written.notes == [*chosen.notes]
    assert contents(graph.folder) == before and quiet(capsys)


def test_what_runs_the_model_prints_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_gpt2(tmp_path / "m")
    capsys.readouterr()
    model, prompts = str(tmp_path / "m"), write_prompts(tmp_path / "p.csv", ("ab", 3, 2))
    (tmp_path / "data" / ".shards").mkdir(parents=True)
    (tmp_path / "data" / ".shards" / "mine").touch()
    options = GenerationOptions(edges="none", device="cpu")
    outcome = generate_dataset(prompts, tmp_path / "data", model, options)
    assert outcome.written is not None and outcome.written.n_samples == 6
    left = tmp_path / "data" / ".shards" / "mine"
    assert outcome.notes == (f"{left}: not of this run, left where it is",)
    study = compare_temperatures(prompts, (0.5, 0), tmp_path / "t", model, options)
    assert [*dict.fromkeys(study.study["temperature"])] == [0, 0.5]
    assert len(study.lines) == 2 and all(path.is_file() for path in study.paths)
    assert {path.name for path in (tmp_path / "t").iterdir()} == {
        *("t_0", "t_0.5", "m_temperature_study.csv", "m_temperature_study.png")
    }
    found = write_findings([tmp_path / "t"], model)
    assert found.path.is_file() and found.notes == []
    assert len(write_graph(tmp_path / "g", model, "strongest", 2, "cpu").lines) == 2
    trace = trace_text("abc", model, "cpu")
    written = write_trace("abc", tmp_path / "trace", model, "cpu")
    assert written.trace.layers.equals(trace.layers) and len(written.paths) == 2
    assert written.lines[3].startswith("all layers: ") and quiet(capsys)


def test_errors_name_parameters_and_no_flags(dataset: Path, tmp_path: Path) -> None:
    many = AnalysisSettings(clusters=10**6)
    with pytest.raises(UserError, match="`clusters` 1000000: there are"):
        analyse_dataset(dataset, MODEL, many)
    with pytest.raises(UserError, match="`history` 9999: the model has read"):
        predict_activations(dataset, MODEL, ActivationSettings(history=9999))
    with pytest.raises(UserError, match="give `dataset_dir` to learn from, or `predict`"):
        write_activation_prediction(None, tmp_path, MODEL)
    with pytest.raises(UserError, match=r"`dataset_dir` .*no such folder"):
        extract_patterns(tmp_path / "none", MODEL, PatternSettings(SearchSettings(0, 0.1, 1, 0), 5))
    with pytest.raises(UserError, match=r"^give `dataset_dir`, or `dataset_csv` and"):
        write_analysis(None, tmp_path)
    with pytest.raises(UserError, match="`merge` goes with neither `shard` nor `overwrite`"):
        Sharing(merge=True, overwrite=True)


def test_what_was_noted_before_an_error_goes_with_it(graph: Artifacts, tmp_path: Path) -> None:
    note = f"{graph.path(PICKLE)} is missing; using toy_activation_matrix.npz"
    with pytest.raises(UserError) as graph_error:
        choose_graph(graph.folder, settings=GraphSettings(9))
    with pytest.raises(UserError) as samples_error:
        choose_samples(graph.folder, "9")
    with pytest.raises(UserError) as analysis_error:
        write_analysis(graph.folder, tmp_path, settings=AnalysisSettings(clusters=99))
    graph.path("activation_matrix.npz").write_bytes(b"")
    with pytest.raises(UserError) as folder_error:
        analyse_dataset(graph.folder, MODEL)
    for error in (graph_error, samples_error, analysis_error, folder_error):
        assert error.value.__notes__ == [note]
    result = run_script_here(
        "visualize_sample_activations.py",
        *("--dataset_dir", graph.folder, "--sample_ids", "0", "--export_dir", tmp_path / "out"),
        check=False,
    )
    assert result.returncode == 2
    first, second = result.stderr.splitlines()
    assert first == f"note: {note}" and second.startswith("error: ")


def test_errors_of_what_is_drawn_name_no_flags(graph: Artifacts, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^give `dataset_dir`, or `graph_dir` and"):
        choose_graph(graph_dir=graph.folder)
    with pytest.raises(UserError, match=r"^`sample_id` 9: not there; the samples are 0 to 8"):
        choose_graph(graph.folder, settings=GraphSettings(9))
    with pytest.raises(UserError, match=r"^`figure_rows` 4: the model has 3 layers"):
        write_sample_pictures(graph.folder, "0", tmp_path / "out", figure_rows=4)
    with pytest.raises(UserError, match=r"^`vis_mode` 'dark' is none of default, cinematic"):
        write_sample_pictures(graph.folder, "0", tmp_path / "out", vis_mode="dark")
    with pytest.raises(UserError, match=r"^`edges` 'none' is none of full, strongest"):
        write_graph(tmp_path / "out", edges="none")
    assert not (tmp_path / "out").exists()
