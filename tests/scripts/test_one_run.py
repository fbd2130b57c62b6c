"""Every script that reads two files of one run refuses files of two, before slow work."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from gelu.artifacts import (
    ATTRIBUTES,
    DATASET,
    EDGES,
    FREQUENCY,
    MATRIX,
    PICKLE,
    RUN,
    Artifacts,
    read_activations,
)
from gelu.neurons import Geometry
from gelu.packed import PackedActivations
from tests.helpers import run_script_here, save_gpt2, user_error, write_activations, write_prompts

GRAPH, SAMPLES, ANALYSIS = (
    f"{name}.py"
    for name in ("visualize_gelu_graph", "visualize_sample_activations", "analyze_activations")
)
NEURONS, TOKENS, PATTERNS, STUDY = (
    f"{name}.py"
    for name in (
        "predict_activations",
        "predict_next_token",
        "extract_patterns",
        "compare_temperatures",
    )
)
SCRIPTS = (GRAPH, SAMPLES, ANALYSIS, NEURONS, TOKENS, PATTERNS, STUDY)
N_LAYER, D_MLP, N_SAMPLES = 2, 24, 96


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one run")
    save_gpt2(folder / "m", n_layer=N_LAYER, n_inner=D_MLP)
    write_prompts(folder / "prompts.csv", *((letter * 3, 6, 2) for letter in "abcdefgh"))
    run_script_here(STUDY, *command(STUDY, folder))
    return folder


def command(script: str, work: Path) -> list[Any]:
    """Return arguments under which a script reads the dataset of the study below `work`."""
    dataset, out = work / "study" / "t_0.8", work / "out"
    files = Artifacts(dataset, "m")
    given: dict[str, list[Any]] = {
        STUDY: [
            *("--input_csv", work / "prompts.csv", "--export_dir", work / "study"),
            *("--temperatures", 0.8, "--edges", "strongest", "--device", "cpu"),
        ],
        GRAPH: [
            *("--graph_dir", dataset, "--activation_file", files.path(MATRIX)),
            *("--output_dir", out),
        ],
        SAMPLES: ["--dataset_dir", dataset, "--sample_ids", "0-3", "--export_dir", out],
        ANALYSIS: [
            *("--dataset_csv", files.path(DATASET), "--activations_file", files.path(MATRIX)),
            *("--output_dir", out),
        ],
    }
    rest = ["--dataset_dir", dataset, "--output_dir", out]
    return ["--model_type", work / "m", *given.get(script, rest)]


@pytest.fixture
def copy(work: Path, tmp_path: Path) -> Path:
    return shutil.copytree(work, tmp_path / "copy")


def files_of(work: Path) -> Artifacts:
    return Artifacts(work / "study" / "t_0.8", "m")


def active_in(files: Artifacts) -> NDArray[np.bool_]:
    """Return the dataset's activations, (samples, layers, dimensions)."""
    packed = read_activations(files.path(MATRIX), N_LAYER * D_MLP)[1]
    return packed.rows(slice(None)).reshape(-1, N_LAYER, D_MLP)


def put_activations(files: Artifacts, active: NDArray[np.bool_]) -> None:
    packed = PackedActivations.from_bool(active.reshape(len(active), -1))
    write_activations(files, range(len(active)), packed, ["npz"])


def shift_within_layers(files: Artifacts) -> None:
    put_activations(files, np.roll(active_in(files), 1, axis=2))


def shift_by_a_layer(files: Artifacts) -> None:
    put_activations(files, np.roll(active_in(files), 1, axis=1))


def take_another_order(files: Artifacts) -> None:
    put_activations(files, active_in(files)[::-1])


def take_another_table(files: Artifacts) -> None:
    counts = np.roll(active_in(files).sum(axis=0), 1, axis=1).ravel()
    files.write_frequency(counts, N_SAMPLES, Geometry(N_LAYER, 0, D_MLP, 0))


def count_other_layers(files: Artifacts) -> None:
    path = files.path(DATASET)
    table = pd.read_csv(path, keep_default_na=False)
    names = [f"layer_{layer}_num_active_neurons" for layer in range(N_LAYER)]
    table[names] = table[names[::-1]].to_numpy()
    table.to_csv(path, index=False)


def change_run(files: Artifacts, section: str, name: str, value: Any) -> None:
    run = json.loads(files.path(RUN).read_text())
    run[section][name] = value
    files.path(RUN).write_text(json.dumps(run))


def halve_samples(files: Artifacts) -> None:
    change_run(files, "counts", "samples", N_SAMPLES // 2)


def add_layers(files: Artifacts) -> None:
    change_run(files, "model", "n_layer", 2 * N_LAYER)
    change_run(files, "model", "n_neurons", 2 * N_LAYER * D_MLP)


def add_attributes(files: Artifacts) -> None:
    files.write_attributes(Geometry(N_LAYER, 0, 2 * D_MLP, 0))


# What is changed -> the two files that one line must name.
CHANGES: dict[Callable[[Artifacts], None], tuple[str, str]] = {
    shift_within_layers: (MATRIX, FREQUENCY),
    shift_by_a_layer: (MATRIX, f"{FREQUENCY}|{DATASET}"),
    take_another_order: (MATRIX, DATASET),
    take_another_table: (MATRIX, FREQUENCY),
    count_other_layers: (DATASET, f"{FREQUENCY}|{MATRIX}"),
    halve_samples: (FREQUENCY, RUN),
    add_layers: (RUN, f"{ATTRIBUTES}|{FREQUENCY}"),
    add_attributes: (ATTRIBUTES, FREQUENCY),
}


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_files_of_two_runs_are_refused_in_one_line(
    change: Callable[[Artifacts], None], script: str, copy: Path
) -> None:
    files = files_of(copy)
    change(files)
    (copy / "study" / "m_temperature_study.csv").unlink()
    error = user_error(script, *command(script, copy))
    if script == STUDY and change in (halve_samples, add_layers):
        # The run's description is compared with the command line before anything is read.
        assert "holds another run" in error
        return
    for endings in CHANGES[change]:
        assert any(str(files.path(ending)) in error for ending in endings.split("|")), error
    assert not (copy / "out").exists()
    assert not (copy / "study" / "m_temperature_study.csv").exists()


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_shift_is_said_with_the_neuron_and_both_numbers(script: str, copy: Path) -> None:
    files = files_of(copy)
    counts = active_in(files).sum(axis=0)
    shifted = np.roll(counts, 1, axis=1).ravel()
    first = int((shifted != counts.ravel()).argmax())
    shift_within_layers(files)
    error = user_error(script, *command(script, copy))
    assert error == (
        f"error: {files.path(MATRIX)}: neuron {first} is active in {shifted[first]} of 96 samples, "
        f"{files.path(FREQUENCY)} says in {counts.ravel()[first]} of 96: they are not of the same "
        "run"
    )


def test_the_graph_takes_no_samples_of_another_run_from_elsewhere(copy: Path) -> None:
    """The graph's folder has a run of its own; the activations stand in a folder without files."""
    files, other = files_of(copy), Artifacts(copy / "elsewhere", "m")
    other.folder.mkdir()
    put_activations(other, ~active_in(files))
    given = ["--model_type", copy / "m", "--graph_dir", files.folder, "--output_dir", copy / "out"]
    given += ["--activation_file", other.path(MATRIX)]
    assert str(files.path(FREQUENCY)) in user_error(GRAPH, *given)
    files.path(FREQUENCY).unlink()
    assert str(files.path(DATASET)) in user_error(GRAPH, *given)
    files.path(DATASET).unlink()
    files.path(RUN).unlink()
    run_script_here(GRAPH, *given)


def test_an_edge_list_of_another_model_is_refused(copy: Path) -> None:
    files = files_of(copy)
    list_path, attributes = files.path(EDGES), files.path(ATTRIBUTES)
    for target, told in [
        (2 * D_MLP, f"{list_path}: line 1: 0 to 48: the neurons of {attributes} are 0 to 47"),
        (1, f"does not go from a layer to the next (24 neurons a layer in {attributes})"),
    ]:
        list_path.write_text(f"0 {target} 1.0\n")
        refused = run_script_here(GRAPH, *command(GRAPH, copy), check=False)
        assert refused.returncode == 2 and told in refused.stderr.splitlines()[-1]


@pytest.mark.parametrize("graph", ["dataset", "graph alone"])
def test_a_trace_is_of_no_run(graph: str, copy: Path) -> None:
    files, trace = files_of(copy), Artifacts(copy / "trace", "m")
    trace.folder.mkdir()
    path, _ = trace.write_trace(~active_in(files)[0].ravel())
    if graph == "graph alone":
        for ending in (FREQUENCY, DATASET, RUN):
            files.path(ending).unlink()
    given = ["--model_type", copy / "m", "--graph_dir", files.folder, "--activation_file", path]
    run_script_here(GRAPH, *given, "--output_dir", copy / "out")


def test_some_of_a_runs_rows_and_activations_are_of_it(copy: Path) -> None:
    """Half the table's rows, activations of other samples: the rest of the run is elsewhere."""
    files = files_of(copy)
    table = pd.read_csv(files.path(DATASET), keep_default_na=False)
    table[table["sample_id"] < 60].to_csv(files.path(DATASET), index=False)
    some = np.arange(40, 96)
    packed = PackedActivations.from_bool(active_in(files).reshape(N_SAMPLES, -1)[some])
    write_activations(files, some.tolist(), packed, ["npz", "pickle"])
    for script in (ANALYSIS, GRAPH):
        run_script_here(script, *command(script, copy))
    given = ["--model_type", copy / "m", "--dataset_dir", files.folder, "--sample_ids", "50-51"]
    run_script_here(SAMPLES, *given, "--export_dir", copy / "out")
    # A shift of these is noticed where it makes a neuron more active than it is in the whole run.
    wrong = np.zeros((56, N_LAYER * D_MLP), bool)
    wrong[:, int(active_in(files_of(copy)).sum(axis=0).argmin())] = True
    write_activations(files, some.tolist(), PackedActivations.from_bool(wrong), ["npz"])
    error = user_error(GRAPH, *command(GRAPH, copy))
    assert "of 56 samples" in error and "of 96" in error


def test_a_study_of_some_samples_alone_is_refused(copy: Path) -> None:
    files = files_of(copy)
    table = pd.read_csv(files.path(DATASET), keep_default_na=False)
    table[:-6].to_csv(files.path(DATASET), index=False)
    error = user_error(STUDY, *command(STUDY, copy))
    assert "90 of the run's 96 samples are there" in error and "--overwrite" in error


@pytest.mark.parametrize(("script", "more"), [(TOKENS, []), (NEURONS, ["--predict", "abc"])])
def test_weights_that_did_not_make_the_run_are_refused(
    script: str, more: list[str], copy: Path
) -> None:
    save_gpt2(copy / "other" / "m", seed=1, n_layer=N_LAYER, n_inner=D_MLP)
    given = ["--model_type", copy / "other" / "m", "--dataset_dir", files_of(copy).folder]
    error = user_error(
        script, *given, "--output_dir", copy / "out", "--device", "cpu", *more, run=run_script_here
    )
    assert "the SHA-256 of its weights is " in error and str(files_of(copy).path(RUN)) in error


def test_the_pickle_is_compared_like_the_matrix(copy: Path) -> None:
    files = files_of(copy)
    shift_within_layers(files)
    packed = read_activations(files.path(MATRIX), N_LAYER * D_MLP)[1]
    write_activations(files, range(N_SAMPLES), packed, ["pickle"])
    files.path(MATRIX).unlink()
    for script in (SAMPLES, PATTERNS):
        error = run_script_here(script, *command(script, copy), check=False).stderr
        assert f"{files.path(PICKLE)}: neuron 0 is active in" in error


@pytest.mark.parametrize(
    ("section", "name", "value", "told"),
    [
        ("model", "n_layer", "two", "n_layer is 'two'; a whole number of 1 or more is needed"),
        ("model", "d_mlp", True, "d_mlp is True; a whole number"),
        ("model", "n_neurons", 5, "n_neurons is 5, 2 layers of 24 neurons have 48"),
        ("model", "weights_sha256", 5, "weights_sha256 is 5, a text is needed"),
        ("counts", "samples", 0, "samples is 0; a whole number"),
    ],
)
def test_a_run_file_that_means_nothing_is_refused(
    section: str, name: str, value: Any, told: str, copy: Path
) -> None:
    change_run(files_of(copy), section, name, value)
    error = user_error(ANALYSIS, *command(ANALYSIS, copy))
    assert error.startswith(f"error: {files_of(copy).path(RUN)}: {told}")


@pytest.mark.parametrize("sections", [{}, {"model": {}}, {"counts": {}}])
def test_a_run_file_that_says_less_is_read(sections: dict[str, Any], copy: Path) -> None:
    files_of(copy).path(RUN).write_text(json.dumps(sections))
    run_script_here(SAMPLES, *command(SAMPLES, copy))


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("3,0,3,{n},0.5", "activation_frequency is 0.5, activation_count {n} of 96 samples"),
        ("3,0,3,-1,0.5", "activation_count is '-1'"),
        ("3,0,3,{n},1.5", "activation_frequency is '1.5'; a number from 0 to 1 is needed"),
    ],
)
def test_a_frequency_table_that_contradicts_itself_is_refused(
    row: str, told: str, copy: Path
) -> None:
    path = files_of(copy).path(FREQUENCY)
    lines = path.read_text().splitlines()
    n = lines[4].split(",")[3]
    assert n != "48"
    lines[4] = row.format(n=n)
    path.write_text("\n".join(lines) + "\n")
    error = user_error(GRAPH, *command(GRAPH, copy))
    assert str(path) in error and told.format(n=n) in error
