"""The temperature study, through the script's command line and by hand."""

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from gelu.packed import PackedActivations
from gelu.plots.figures import png_bytes
from gelu.plots.temperature import layer_colours, temperature_figure
from gelu.statistics.temperature import study_table, temperature_rows
from tests.helpers import ROOT, run_script, run_script_here, save_gpt2, user_error, write_prompts
from tests.picture_helpers import pixels

SCRIPT = "compare_temperatures.py"
MODEL, N_LAYER, D_MLP = "tiny", 3, 50  # layers begin within a byte of the packed bits
COLUMNS = [
    *("temperature", "layer", "n_samples", "mean_active", "std_active", "distinct_neurons"),
    *("mean_jaccard_between_completions", "distinct_output_tokens", "mean_output_logprob"),
]
FOLDERS = {0.0: "t_0", 0.5: "t_0.5", 1.0: "t_1"}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a model, prompts, and a study of them in `study`."""
    folder = tmp_path_factory.mktemp("temperatures")
    save_gpt2(folder / MODEL, n_inner=D_MLP)
    # The second and third row are of one text and still two prompts.
    rows = [("I think love is ", 12, 4), ("abc", 5, 1), ("abc", 7, 3)]
    write_prompts(folder / "prompts.csv", *rows)
    study(folder, "1.0,0,0.50", folder / "study")
    return folder


def study(
    work: Path, temperatures: str, out: Path, *more: object, run: Any = run_script_here
) -> str:
    """Run the script on the prompts of `work`; return what it printed."""
    printed: str = run(
        SCRIPT,
        *("--model_type", work / MODEL, "--input_csv", work / "prompts.csv", "--device", "cpu"),
        *("--temperatures", temperatures, "--export_dir", out, *more),
    ).stdout
    return printed


def read_study(folder: Path) -> pd.DataFrame:
    table = pd.read_csv(folder / f"{MODEL}_temperature_study.csv", dtype={"layer": str})
    assert table.columns.tolist() == COLUMNS
    return table


def recomputed(folder: Path, layer: str) -> dict[str, float]:
    """Return a row of the study from a dataset's folder, by plain sets and loops."""
    samples = pd.read_csv(folder / f"{MODEL}_activation_dataset.csv", keep_default_na=False)
    with np.load(folder / f"{MODEL}_activation_matrix.npz") as archive:
        layers = archive["matrix"].reshape(len(samples), N_LAYER, D_MLP)
    part = layers if layer == "all" else layers[:, [int(layer)]]
    sets = [set(np.flatnonzero(row).tolist()) for row in part.reshape(len(samples), -1)]
    counts = [len(active) for active in sets]
    return {
        "n_samples": len(samples),
        "mean_active": float(np.mean(counts)),
        "std_active": float(np.std(counts)),
        "distinct_neurons": len(set.union(*sets)),
        "mean_jaccard_between_completions": mean_jaccard(samples, sets),
        "distinct_output_tokens": len(set(samples["output_id"])),
        "mean_output_logprob": sum(samples["output_logprob"]) / len(samples),
    }


def mean_jaccard(samples: pd.DataFrame, sets: list[set[int]]) -> float:
    indices = []
    for _, prompt in samples.groupby("prompt_idx"):
        unions = [
            set.union(*(sets[row] for row in completion.index))
            for _, completion in prompt.groupby("prompt_sample_idx")
        ]
        indices += [len(a & b) / len(a | b) for a, b in itertools.combinations(unions, 2)]
    return float(np.mean(indices))


def test_the_table_equals_a_recomputation_from_the_written_folders(work: Path) -> None:
    table = read_study(work / "study")
    layers = ["0", "1", "2", "all"]
    keys = list(zip(table["temperature"], table["layer"], strict=True))
    assert keys == list(itertools.product(FOLDERS, layers))
    for (temperature, layer), (_, row) in zip(keys, table.iterrows(), strict=True):
        expected = recomputed(work / "study" / FOLDERS[temperature], layer)
        assert row[list(expected)].to_dict() == pytest.approx(expected, rel=1e-12)
    greedy = table[table["temperature"] == 0]
    assert (greedy["mean_output_logprob"] == 0).all()
    assert (greedy["mean_jaccard_between_completions"] == 1).all()
    hottest = table[table["temperature"] == 1]
    assert (hottest["mean_jaccard_between_completions"] < 1).all()


def test_each_folder_is_what_the_dataset_script_writes(work: Path) -> None:
    out = work / "other"
    options = ("--seed", 7, "--top_k", 5, "--batch_size", 3, "--edges", "strongest")
    printed = study(work, "0.70", out, *options, "--top_edges", 2)
    run_script_here(
        "generate_activation_dataset.py",
        *("--model_type", work / MODEL, "--input_csv", work / "prompts.csv", "--device", "cpu"),
        *("--temperature", 0.7, "--export_dir", work / "alone", *options, "--top_edges", 2),
    )
    alone = {path.name: path.read_bytes() for path in (work / "alone").iterdir()}
    assert len(alone) == 8
    assert {path.name: path.read_bytes() for path in (out / "t_0.7").iterdir()} == alone
    lines = printed.splitlines()
    assert lines[0].startswith(f"{out / 't_0.7'}: 3 prompts, 74 samples, 150 neurons: ")
    names = [f"{MODEL}_temperature_study.{ending}" for ending in ("csv", "png")]
    assert lines[1:] == [str(out / name) for name in names]
    assert sorted(path.name for path in out.iterdir()) == ["t_0.7", *names]


def test_without_edges_and_the_same_twice(work: Path) -> None:
    run_script_here(
        "generate_activation_dataset.py",
        *("--model_type", work / MODEL, "--input_csv", work / "prompts.csv", "--device", "cpu"),
        *("--temperature", 0.5, "--export_dir", work / "half", "--edges", "none"),
    )
    half = {path.name: path.read_bytes() for path in (work / "half").iterdir()}
    first = work / "study"
    assert {path.name: path.read_bytes() for path in (first / "t_0.5").iterdir()} == half
    study(work, "0,0.5,1", work / "again", run=run_script)
    files = [path.relative_to(first) for path in first.rglob("*") if path.is_file()]
    assert len(files) == 3 * 7 + 2
    for file in files:
        assert (first / file).read_bytes() == (work / "again" / file).read_bytes(), file


def test_a_study_small_enough_to_do_by_hand() -> None:
    # Two layers of 3 neurons; prompt 0 has completions of 2 tokens, prompt 1 a lone one.
    table = pd.DataFrame(
        {
            "prompt_idx": [0, 0, 0, 0, 0, 0, 1],
            "prompt_sample_idx": [0, 0, 1, 1, 2, 2, 0],
            "output_id": [5, 6, 5, 5, 9, 6, 5],
            "output_logprob": [-1.0, -2.0, 0.0, -0.5, 0.0, 0.0, 0.0],
        }
    )
    active = [[0, 3], [1, 3], [0], [0, 1], [2], [], [0, 1, 2]]
    rows = temperature_rows(0.8, table, PackedActivations.from_ids(active, 6), 2)
    assert rows["layer"].tolist() == [0, 1, "all"]
    assert rows["mean_active"].tolist() == pytest.approx([9 / 7, 2 / 7, 11 / 7])
    squares = [1 + 1 + 1 + 4 + 1 + 0 + 9, 2, 4 + 4 + 1 + 4 + 1 + 0 + 9]
    means = [9 / 7, 2 / 7, 11 / 7]
    deviations = [(s / 7 - m**2) ** 0.5 for s, m in zip(squares, means, strict=True)]
    assert rows["std_active"].tolist() == pytest.approx(deviations)
    assert rows["distinct_neurons"].tolist() == [3, 1, 4]
    # Layer 0: {0, 1}, {0, 1}, {2}; layer 1: {3}, none, none, and of two empty sets it is 1.
    jaccards = [(1 + 0 + 0) / 3, (0 + 0 + 1) / 3, (2 / 3 + 0 + 0) / 3]
    assert rows["mean_jaccard_between_completions"].tolist() == pytest.approx(jaccards)
    assert (rows["distinct_output_tokens"] == 3).all() and (rows["n_samples"] == 7).all()
    assert rows["mean_output_logprob"].tolist() == pytest.approx([-0.5] * 3)


def test_pairs_of_all_prompts_count_alike() -> None:
    # One prompt with three completions that share nothing, one with two that share all: 1 of 4.
    table = pd.DataFrame(
        {
            "prompt_idx": [3, 3, 3, 8, 8],
            "prompt_sample_idx": [0, 1, 2, 0, 1],
            "output_id": 0,
            "output_logprob": 0.0,
        }
    )
    activations = PackedActivations.from_ids([[0], [1], [2], [0, 1], [0, 1]], 3)
    rows = temperature_rows(1.0, table, activations, 1)
    assert rows["mean_jaccard_between_completions"].tolist() == [0.25, 0.25]


def test_without_two_completions_the_jaccard_index_is_empty(work: Path) -> None:
    path = write_prompts(work / "lone.csv", ("abc", 3, 1), ("abc", 3, 1))
    out = work / "lone"
    run_script_here(
        *(SCRIPT, "--model_type", work / MODEL, "--input_csv", path, "--device", "cpu"),
        *("--temperatures", "0.8", "--export_dir", out),
    )
    assert read_study(out)["mean_jaccard_between_completions"].isna().all()
    assert pixels(out / f"{MODEL}_temperature_study.png").shape == (1240, 1880, 4)


def synthetic_study(n_layer: int, temperatures: list[float]) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    tables = []
    for temperature in temperatures:
        samples = pd.DataFrame(
            {
                "prompt_idx": np.repeat([0, 1], 10),
                "prompt_sample_idx": np.tile([0, 1], 10),
                "output_id": rng.integers(0, 9, 20),
                "output_logprob": -temperature * rng.random(20),
            }
        )
        activations = PackedActivations.from_bool(rng.random((20, n_layer * 10)) < 0.3)
        tables.append(temperature_rows(temperature, samples, activations, n_layer))
    return study_table(tables)


def lines_of(figure: Figure, title_place: int) -> list[np.ndarray]:
    return [np.asarray(line.get_xydata()) for line in figure.axes[title_place].get_lines()]


@pytest.mark.parametrize("n_layer", [1, 4, 48])
def test_the_picture_shows_the_table(n_layer: int) -> None:
    table = synthetic_study(n_layer, [1.1, 0.2, 0.5])
    figure = temperature_figure("toy", table, d_mlp=10)
    temperatures = [0.2, 0.5, 1.1]
    by_layer = {layer: rows for layer, rows in table.groupby("layer", sort=False)}
    for place, column, unit in [
        (0, "mean_active", 10.0),
        (1, "distinct_neurons", 10.0),
        (2, "mean_jaccard_between_completions", 1.0),
    ]:
        lines = lines_of(figure, place)
        for layer in range(n_layer):
            expected = np.column_stack([temperatures, by_layer[layer][column] * unit])
            assert np.allclose(lines[layer], expected)
        whole = by_layer["all"][column] * (unit / n_layer if unit > 1 else 1)
        assert np.allclose(lines[n_layer], np.column_stack([temperatures, whole]))
    for place, column in [(3, "distinct_output_tokens"), (4, "mean_output_logprob")]:
        expected = np.column_stack([temperatures, by_layer["all"][column]])
        assert np.allclose(lines_of(figure, place)[0], expected)
    assert png_bytes(figure) == png_bytes(temperature_figure("toy", table, d_mlp=10))


def test_a_panel_without_pairs_of_completions_is_not_drawn() -> None:
    table = synthetic_study(4, [0.2, 0.5])
    n_axes = len(temperature_figure("toy", table, d_mlp=10).axes)
    table["mean_jaccard_between_completions"] = np.nan
    figure = temperature_figure("toy", table, d_mlp=10)
    assert len(figure.axes) == n_axes - 1
    assert "No prompt has two completions" in "".join(text.get_text() for text in figure.texts)


def test_layers_have_colours_from_dark_to_light_that_differ() -> None:
    for n_layer in (4, 48):
        colours = layer_colours(n_layer)[:, :3]
        luminance = colours @ [0.2126, 0.7152, 0.0722]
        assert (np.diff(luminance) > 0).all() and luminance[-1] < 0.8
    assert (np.abs(np.diff(layer_colours(4), axis=0)).max(axis=1) > 0.2).all()


def test_wrong_arguments_are_one_line_and_nothing_is_written(work: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    right: dict[str, object] = {
        "--model_type": work / MODEL,
        "--input_csv": work / "prompts.csv",
        "--temperatures": "0.2,0.5",
        "--export_dir": out,
    }
    mistakes: list[tuple[dict[str, object], str]] = [
        ({"--temperatures": "0.2,,0.5"}, "'' is not a number"),
        ({"--temperatures": ""}, "'' is not a number"),
        ({"--temperatures": "0.2 0.5"}, "'0.2 0.5' is not a number"),
        ({"--temperatures": "0.2,nan"}, "'nan' is not a finite number of 0 or more"),
        ({"--temperatures": "0.8,0.5,0.80"}, "'0.8,0.5,0.80' names 0.8 more than once"),
        ({"--temperatures": "0,-0"}, "'0,-0' names 0 more than once"),
        ({"--input_csv": tmp_path / "none.csv"}, "none.csv: no such file"),
        ({"--model_type": "./nowhere"}, "no such folder, and not a hub id"),
        ({"--export_dir": work / "prompts.csv"}, "this is a file, a folder is needed"),
        ({"--seed": "x"}, "not a whole number of 0 or more"),
    ]
    for wrong, message in mistakes:
        arguments = itertools.chain.from_iterable((right | wrong).items())
        assert message in user_error(SCRIPT, *arguments)
    del right["--temperatures"]
    needed = list(itertools.chain.from_iterable(right.items()))
    assert "--temperatures" in user_error(SCRIPT, *needed)
    # With a space, argparse would take the number for an argument.
    line = user_error(SCRIPT, *needed, "--temperatures=-0.1,0.5")
    assert "'-0.1' is not a finite number of 0 or more" in line
    assert not out.exists()


def test_a_folder_that_cannot_be_written_is_said_before_the_model_loads(
    work: Path, tmp_path: Path
) -> None:
    (tmp_path / "t_0.5").write_text("")
    line = user_error(
        *(SCRIPT, "--model_type", work / MODEL, "--input_csv", work / "prompts.csv"),
        *("--temperatures", "0.2,0.5", "--export_dir", tmp_path),
    )
    assert "t_0.5: this is a file, a folder is needed" in line


def test_help_imports_no_torch_and_names_every_column() -> None:
    code = (
        "import runpy, sys; sys.modules['torch'] = None; sys.modules['pandas'] = None\n"
        f"sys.argv = [{SCRIPT!r}, '--help']; runpy.run_path({SCRIPT!r}, run_name='__main__')"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    for column in COLUMNS[2:]:
        assert f"\n  {column}" in shown
