"""Each study as a notebook calls it: values in, tables and figures out, nothing printed, and
nothing written but where it is told to write."""

import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

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
from gelu.findings.run import gather_findings, write_findings
from gelu.generation.run import GenerationOptions, Sharing, generate_dataset
from gelu.generation.trace import trace_text, write_trace
from gelu.graph.output import neuron_graph, write_graph
from gelu.learning.activations_run import predict_activations, write_activation_prediction
from gelu.learning.next_token_run import predict_next_token, write_next_token
from gelu.learning.settings import ActivationSettings, NextTokenSettings
from gelu.patterns.output import save_patterns, write_patterns
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
    torch.set_deterministic_debug_mode("warn")
    run = predict_activations(dataset, MODEL, small, "cpu")
    assert {"predictor", "log_loss_bits"} <= set(run.study.layers.columns)
    tokens = predict_next_token(dataset, MODEL, NextTokenSettings(epochs=1), "cpu")
    assert {"predictor", "cross_entropy_bits"} <= set(tokens.study.scores.columns)
    assert torch.get_deterministic_debug_mode() == 1  # "warn": as the caller had it
    torch.set_deterministic_debug_mode("default")
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
    assert len(figures) == 3 and quiet(capsys)
    written = write_sample_pictures(graph.folder, "2,4-5", tmp_path / "out")
    assert [path.name for path in written.paths] == [
        f"toy_sample_{number}_activation.png" for number in (2, 4, 5)
    ]
    assert {*contents(tmp_path / "out")} == {path.name for path in written.paths}
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
    note = f"{graph.path(PICKLE)} is missing; using toy_neuron_activations.json"
    folder, named = graph.folder, graph.path(PICKLE)
    with pytest.raises(UserError) as graph_error:
        choose_graph(graph_dir=folder, activation_file=named, settings=GraphSettings(9))
    with pytest.raises(UserError) as analysis_error:
        many = AnalysisSettings(clusters=99)
        write_analysis(folder, tmp_path, settings=many, activations_file=named)
    for error in (graph_error, analysis_error):
        assert error.value.__notes__ == [note]
    result = run_script_here(
        "visualize_gelu_graph.py",
        *("--graph_dir", folder, "--activation_file", named, "--sample_id", "9"),
        *("--output_dir", tmp_path / "out"),
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


NO_TEXT = "\udc80"  # half of a pair, as bytes of a shell that are no UTF-8 reach Python
# What makes the value, and the parameter that its error names; `folder` is nowhere.
WRONG: list[tuple[Callable[[Path], object], str]] = [
    (lambda folder: AnalysisSettings(fdr=2), "fdr"),
    (lambda folder: AnalysisSettings(fdr=0), "fdr"),
    (lambda folder: AnalysisSettings(fdr=-1), "fdr"),
    (lambda folder: AnalysisSettings(fdr=float("nan")), "fdr"),
    (lambda folder: AnalysisSettings(fdr="0.1"), "fdr"),  # type: ignore[arg-type]
    (lambda folder: AnalysisSettings(seed=-1), "seed"),
    (lambda folder: AnalysisSettings(seed=1.5), "seed"),  # type: ignore[arg-type]
    (lambda folder: AnalysisSettings(seed=True), "seed"),
    (lambda folder: AnalysisSettings(seed=1 << 53), "seed"),
    (lambda folder: AnalysisSettings(min_token_count=0), "min_token_count"),
    (lambda folder: AnalysisSettings(top_per_token=-1), "top_per_token"),
    (lambda folder: AnalysisSettings(min_phi=1.1), "min_phi"),
    (lambda folder: AnalysisSettings(clusters=0), "clusters"),
    (lambda folder: AnalysisSettings(clusters="auto"), "clusters"),  # type: ignore[arg-type]
    (lambda folder: ActivationSettings(held_out=2), "held_out"),
    (lambda folder: ActivationSettings(held_out=-1), "held_out"),
    (lambda folder: ActivationSettings(held_out=0), "held_out"),
    (lambda folder: ActivationSettings(history=0), "history"),
    (lambda folder: ActivationSettings(history=1), "history"),
    (lambda folder: ActivationSettings(width=0), "width"),
    (lambda folder: ActivationSettings(token_width=0), "token_width"),
    (lambda folder: ActivationSettings(epochs=0), "epochs"),
    (lambda folder: ActivationSettings(batch_size=0), "batch_size"),
    (lambda folder: ActivationSettings(learning_rate=0), "learning_rate"),
    (lambda folder: ActivationSettings(dropout=1), "dropout"),
    (lambda folder: NextTokenSettings(held_out=1), "held_out"),
    (lambda folder: NextTokenSettings(epochs=0), "epochs"),
    (lambda folder: NextTokenSettings(epochs=10_001), "epochs"),
    (lambda folder: NextTokenSettings(max_classes=0), "max_classes"),
    (lambda folder: NextTokenSettings(min_token_count=-1), "min_token_count"),
    (lambda folder: NextTokenSettings(rank=0), "rank"),
    (lambda folder: SearchSettings(fdr=0.5), "fdr"),
    (lambda folder: SearchSettings(max_patterns=0), "max_patterns"),
    (lambda folder: SearchSettings(null_draws=-1), "null_draws"),
    (lambda folder: PatternSettings(min_token_count=0), "min_token_count"),
    (lambda folder: GraphSettings(max_nodes=-1), "max_nodes"),
    (lambda folder: GraphSettings(max_nodes=0), "max_nodes"),
    (lambda folder: GraphSettings(max_edges=0), "max_edges"),
    (lambda folder: GraphSettings(sample_id=-1), "sample_id"),
    (lambda folder: GenerationOptions(edges="bogus"), "edges"),
    (lambda folder: GenerationOptions(formats=()), "formats"),
    (lambda folder: GenerationOptions(formats="csv"), "formats"),  # type: ignore[arg-type]
    (lambda folder: GenerationOptions(formats=("csv", "xml")), "formats"),
    (lambda folder: GenerationOptions(seed=1.5), "seed"),  # type: ignore[arg-type]
    (lambda folder: GenerationOptions(temperature=-1), "temperature"),
    (lambda folder: GenerationOptions(temperature=1e-40), "temperature"),
    (lambda folder: GenerationOptions(top_k=-1), "top_k"),
    (lambda folder: GenerationOptions(top_edges=-1), "top_edges"),
    (lambda folder: GenerationOptions(batch_size=0), "batch_size"),
    (lambda folder: GenerationOptions(device="foo"), "device"),
    (lambda folder: GenerationOptions(device="a\nb"), "device"),
    (lambda folder: GenerationOptions(dtype="foo"), "dtype"),
    (lambda folder: Sharing((3, 1)), "shard"),
    (lambda folder: Sharing((2, 2)), "shard"),
    (lambda folder: Sharing((-1, 2)), "shard"),
    (lambda folder: Sharing(5), "shard"),  # type: ignore[arg-type]
    (lambda folder: compare_temperatures(folder, (-1,), folder), "temperatures"),
    (lambda folder: compare_temperatures(folder, (0.5, 1, 0.5), folder), "temperatures"),
    (lambda folder: compare_temperatures(folder, (), folder), "temperatures"),
    (lambda folder: compare_temperatures(folder, ["a"], folder), "temperatures"),  # type: ignore[list-item]
    (lambda folder: trace_text(NO_TEXT, "gpt2-demo"), "input_text"),
    (lambda folder: trace_text(5, "gpt2-demo"), "input_text"),  # type: ignore[arg-type]
    (lambda folder: write_trace("a", folder, "gpt2-demo", device="foo"), "device"),
    (lambda folder: neuron_graph("gpt2-demo", "strongest", top_edges=0), "top_edges"),
    (lambda folder: write_graph(folder, "gpt2-demo", device="foo"), "device"),
    (lambda folder: predict_activations(folder, device="foo"), "device"),
    (lambda folder: write_activation_prediction(folder, folder, device="foo"), "device"),
    (lambda folder: predict_next_token(folder, device="foo"), "device"),
    (lambda folder: write_next_token(folder, folder, device="foo"), "device"),
    (write_findings, "results_dir"),
    (lambda folder: write_findings([]), "results_dir"),
    (lambda folder: write_findings(5), "results_dir"),  # type: ignore[arg-type]
    (lambda folder: gather_findings([folder]), "results_dir"),
    (lambda folder: choose_samples(folder, []), "sample_ids"),
    (lambda folder: choose_samples(folder, -1), "sample_ids"),
    (lambda folder: choose_samples(folder, [1, 1.5]), "sample_ids"),  # type: ignore[list-item]
    (lambda folder: write_sample_pictures(folder, True, folder), "sample_ids"),
]


@pytest.mark.parametrize("number", range(len(WRONG)))
def test_a_wrong_value_is_one_line_that_names_it(number: int, tmp_path: Path) -> None:
    use, name = WRONG[number]
    with pytest.raises(UserError) as error:
        use(tmp_path / "none")
    line = str(error.value)
    assert line.startswith(f"`{name}` ") and "\n" not in line
    assert list(tmp_path.iterdir()) == []


def test_samples_are_drawn_in_a_number_of_rows_from_1_on(graph: Artifacts, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^`figure_rows` 0 is not a whole number of 1 or more"):
        write_sample_pictures(graph.folder, "0", tmp_path / "out", figure_rows=0)
    with pytest.raises(UserError, match=r"^`predict` '.udc80' is no UTF-8 text"):
        write_activation_prediction(None, tmp_path / "out", "gpt2-demo", predict=NO_TEXT)
    assert not (tmp_path / "out").exists()


def test_values_that_numpy_gives_are_kept_as_plain_ones() -> None:
    settings = AnalysisSettings(np.int64(3), np.float64(0.1), min_phi=np.float32(0.5))  # type: ignore[arg-type]
    assert settings == AnalysisSettings(3, 0.1, min_phi=0.5)
    assert [type(value) for value in (settings.seed, settings.fdr)] == [int, float]
    options = GenerationOptions(formats=["npz", "csv"], temperature=-0.0)  # type: ignore[arg-type]
    assert options.formats == ("csv", "npz") and str(options.temperature) == "0.0"
    assert ActivationSettings(width=8).token_width == 8
    assert ActivationSettings(width=100).token_width == 64


@pytest.mark.parametrize("ids", ["2,4-5", [2, 4, 5], (2, 4, 5), range(2, 6, 1), np.array([4, 2])])
def test_samples_are_named_as_text_or_as_numbers(graph: Artifacts, ids: Any) -> None:
    named = {"2,4-5": [2, 4, 5]}.get(ids, ids) if isinstance(ids, str) else list(ids)
    assert choose_samples(graph.folder, ids).table["sample_id"].tolist() == list(named)


def test_one_sample_is_a_table_of_one_row(graph: Artifacts) -> None:
    table = choose_samples(graph.folder, 5).table
    assert table["sample_id"].tolist() == [5]
    assert table["number_of_active_neurons"].tolist() == [random_active(9, 3, 20)[5].sum()]


def test_a_dataset_is_read_back_as_a_table(tmp_path: Path) -> None:
    save_gpt2(tmp_path / "m")
    prompts = write_prompts(tmp_path / "p.csv", ("ab", 3, 2))
    call = (prompts, tmp_path / "data", str(tmp_path / "m"), GenerationOptions(device="cpu"))
    first, again = generate_dataset(*call), generate_dataset(*call)
    assert first.written is not None and again.written is None
    for outcome in (first, again):
        table, active = outcome.table(), outcome.activations()
        assert table["sample_id"].tolist() == [*range(6)]
        assert active.counts().tolist() == first.written.counts.tolist()
        assert (
            active.rows(range(6)).sum(axis=1).tolist() == table["number_of_active_neurons"].tolist()
        )
    part = generate_dataset(prompts, tmp_path / "part", *call[2:], Sharing(shard=(0, 2)))
    with pytest.raises(UserError, match=r"^`shard`: the dataset is not complete"):
        part.table()


@pytest.mark.parametrize(("edges", "n_edges"), [("full", 2 * 64 * 64), ("strongest", 2 * 64 * 3)])
def test_a_graph_of_neurons_is_what_its_files_say(tmp_path: Path, edges: str, n_edges: int) -> None:
    save_gpt2(tmp_path / "m")
    model = str(tmp_path / "m")
    graph = neuron_graph(model, edges, 3, "cpu")
    neurons, path = write_graph(tmp_path / "g", model, edges, 3, "cpu").paths
    assert graph.neurons.equals(pd.read_csv(neurons))
    written = pd.read_csv(path, sep=" ", header=None)
    assert len(graph.edges) == len(written) == n_edges
    assert np.array_equal(graph.edges.iloc[:, :2], written.iloc[:, :2])
    assert np.allclose(graph.edges.iloc[:, 2:], written.iloc[:, 2:])


def test_what_is_written_can_be_gathered(dataset: Path, tmp_path: Path) -> None:
    write_analysis(dataset, tmp_path)
    found = gather_findings(tmp_path)  # one folder, and no model named
    assert found.analysis is not None and found.temperatures is None and found.notes == []
    assert write_findings(tmp_path).path == write_findings([tmp_path]).path


# A call that returns tables, and the one that writes what it would return.
CALLS: list[tuple[Callable[..., object], Callable[..., object]]] = [
    (trace_text, write_trace),
    (neuron_graph, write_graph),
    (choose_graph, write_graph_pictures),
    (choose_samples, write_sample_pictures),
    (analyse_dataset, write_analysis),
    (extract_patterns, write_patterns),
    (predict_activations, write_activation_prediction),
    (predict_next_token, write_next_token),
    (gather_findings, write_findings),
]


@pytest.mark.parametrize(("compute", "write"), CALLS)
def test_both_calls_of_a_stage_take_the_same(
    compute: Callable[..., object], write: Callable[..., object]
) -> None:
    """Inputs, then where to write, then model and settings, all of these with a default."""
    taken, written = (inspect.signature(it).parameters for it in (compute, write))
    places = {"output_dir", "export_dir"}
    names = [name for name in written if name not in places]
    assert names[: len(taken)] == list(taken) or set(taken) <= set(names)
    order = list(written)
    after = order[order.index("model_type") :]
    assert all(written[name].default is not inspect.Parameter.empty for name in after)
    for name in set(taken) & set(after):
        assert taken[name].default == written[name].default, name
    if folder := places & set(order):
        assert order.index(folder.pop()) == order.index("model_type") - 1


STOPPED = "stopped where the work begins"
# A script with what it needs, and the call that it ends in.
SCRIPTS: list[tuple[list[str], str]] = [
    (["a_generate_gelu_graph.py"], "gelu.graph.output.write_graph"),
    (["analyze_activations.py", "--dataset_dir"], "gelu.analysis.output.write_analysis"),
    (["extract_patterns.py", "--dataset_dir"], "gelu.patterns.output.write_patterns"),
    (
        ["predict_activations.py", "--dataset_dir"],
        "gelu.learning.activations_run.write_activation_prediction",
    ),
    (["predict_next_token.py", "--dataset_dir"], "gelu.learning.next_token_run.write_next_token"),
    (
        ["visualize_gelu_graph.py", "--dataset_dir"],
        "gelu.drawing.graph_run.write_graph_pictures",
    ),
    (
        ["visualize_sample_activations.py", "--sample_ids=0", "--dataset_dir"],
        "gelu.drawing.samples_run.write_sample_pictures",
    ),
    (["generate_activation_dataset.py", "--input_csv"], "gelu.generation.run.generate_dataset"),
]
DEFAULTS: dict[str, object] = {
    "write_analysis": AnalysisSettings(),
    "write_patterns": PatternSettings(),
    "write_activation_prediction": ActivationSettings(),
    "write_next_token": NextTokenSettings(),
    "write_graph_pictures": GraphSettings(),
}


@pytest.mark.parametrize(("words", "call"), SCRIPTS)
def test_defaults_are_those_of_the_script(
    words: list[str], call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, _, name = call.rpartition(".")
    original = getattr(importlib.import_module(module), name)
    given: dict[str, Any] = {}

    def note(*values: Any, **named: Any) -> None:
        given.update(inspect.signature(original).bind(*values, **named).arguments)
        raise UserError(STOPPED)

    # A script may have imported the call before, and must not keep this one.
    script = importlib.import_module(words[0].removesuffix(".py"))
    monkeypatch.setattr(
        script if hasattr(script, name) else importlib.import_module(module), name, note
    )
    here = ["x"] if words[1:] else []
    result = run_script_here(*words, *here, "--output_dir", "x", check=False)
    assert STOPPED in result.stderr
    taken = inspect.signature(original).parameters
    for parameter in set(given) - {"dataset_dir", "output_dir", "export_dir", "input_csv"}:
        value = given[parameter]
        if parameter == "settings":
            assert value == DEFAULTS[name]
        elif parameter != "sample_ids":
            assert value == taken[parameter].default, parameter
