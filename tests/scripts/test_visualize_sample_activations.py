"""The sample pictures, pixel by pixel."""

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gelu.drawing.samples_run import write_sample_pictures
from gelu.errors import UserError
from gelu.neurons import Geometry
from gelu.plots.cells import LINED_CELL, PanelLayout
from gelu.plots.figures import png_bytes
from gelu.plots.modes import MODES
from gelu.plots.samples import (
    CELL_COLOURS,
    CINEMATIC_INK,
    CINEMATIC_OUTLINE,
    SampleText,
    sample_figure,
    sample_layout,
)
from tests.helpers import ROOT, run_script, run_script_here, user_error
from tests.picture_helpers import MODEL, count_colour, pixels, random_active, write_dataset

SCRIPT = "visualize_sample_activations.py"
TEXT = SampleText(3, "Once upon a $time", " there was", " a")


def draw(dataset: Path, export: Path, ids: str = "0", **options: Any) -> None:
    arguments: dict[str, Any] = {
        "model_type": MODEL,
        "figure_rows": 1,
        "vis_mode": "default",
    } | options
    write_sample_pictures(str(dataset), ids, str(export), **arguments)


def cell_area(layout: PanelLayout) -> int:
    return (layout.cell - layout.line) ** 2


def figure_texts(active: np.ndarray, mode: str, text: SampleText = TEXT) -> list[str]:
    layout = sample_layout([text], Geometry(active.shape[0], 1, active.shape[1], 0), 1, mode)
    return [it.get_text() for it in sample_figure("toy", text, active, layout).texts]


def test_one_picture_a_sample_from_the_command_line(tmp_path: Path) -> None:
    write_dataset(tmp_path / "data", random_active(6, 2, 10))
    export = tmp_path / "new" / "pictures"
    arguments = ("--dataset_dir", tmp_path / "data", "--export_dir", export, "--model_type", MODEL)
    result = run_script(SCRIPT, *arguments, "--sample_ids", "0,3-4")
    names = [f"toy_sample_{number}_activation.png" for number in (0, 3, 4)]
    assert sorted(path.name for path in export.iterdir()) == names
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == [
        str(export / name) for name in names
    ]
    assert "Traceback" not in result.stderr and "Warning" not in result.stderr


@pytest.mark.parametrize(("n_layer", "d_mlp"), [(3, 10), (12, 3072), (1, 1)])
@pytest.mark.parametrize("figure_rows", [1, 2])
@pytest.mark.parametrize("mode", MODES)
def test_as_many_cells_are_lit_as_neurons_are_active(
    tmp_path: Path, mode: str, figure_rows: int, n_layer: int, d_mlp: int
) -> None:
    figure_rows = min(figure_rows, n_layer)
    active = random_active(1, n_layer, d_mlp)[0]
    layout = sample_layout([TEXT], Geometry(n_layer, 1, d_mlp, 0), figure_rows, mode)
    path = tmp_path / "picture.png"
    path.write_bytes(png_bytes(sample_figure("toy", TEXT, active, layout)))
    image = pixels(path)
    assert image.shape[:2] == (layout.height, layout.width)
    off, on = CELL_COLOURS[mode]
    assert count_colour(image, on) == active.sum() * cell_area(layout.panels)
    assert count_colour(image, off) == (~active).sum() * cell_area(layout.panels)


def test_a_cell_stands_where_its_neuron_belongs(tmp_path: Path) -> None:
    active = np.zeros((2, 5), bool)
    active[0, 1] = active[1, 3] = True
    write_dataset(tmp_path, active[None])
    draw(tmp_path, tmp_path / "out", vis_mode="cinematic_no_text")
    image = pixels(tmp_path / "out" / "toy_sample_0_activation_cinematic_no_text.png")
    line = 6  # a quarter of a cell
    image = image[line:-line, line:-line]
    cell = image.shape[0] // 2  # 5 neurons are 3 columns and 2 rows
    lit = (image == (255, 255, 255, 255)).all(axis=2)
    left, right = lit[:, : 3 * cell], lit[:, -3 * cell :]
    assert left[:cell, cell : 2 * cell].all() and left.sum() == cell * cell
    assert right[cell:, :cell].all() and right.sum() == cell * cell
    empty = image[cell:, 2 * cell : 3 * cell]  # the cell that no neuron has, but for the outline
    assert (empty[line:, line:, 3] == 0).all()


def test_the_default_picture_has_a_white_background_blue_and_red_cells(tmp_path: Path) -> None:
    write_dataset(tmp_path, random_active(1, 2, 10))
    draw(tmp_path, tmp_path / "out")
    image = pixels(tmp_path / "out" / "toy_sample_0_activation.png")
    assert (image[..., 3] == 255).all()
    assert (image[[0, 0, -1, -1], [0, -1, 0, -1]] == 255).all()
    (off_red, _, off_blue, _), (on_red, _, on_blue, _) = CELL_COLOURS["default"]
    assert off_blue > 200 > off_red and on_red > 200 > on_blue


@pytest.mark.parametrize("mode", ["cinematic", "cinematic_no_text"])
def test_cinematic_pictures_are_transparent_but_for_cells_and_text(
    tmp_path: Path, mode: str
) -> None:
    active = random_active(1, 2, 10)
    write_dataset(tmp_path, active)
    draw(tmp_path, tmp_path / "out", vis_mode=mode)
    image = pixels(tmp_path / "out" / f"toy_sample_0_activation_{mode}.png")
    opaque = (image[..., 3] == 255).sum()
    cells = count_colour(image, (0, 0, 0, 255)) + count_colour(image, (255, 255, 255, 255))
    cells += count_colour(image, CINEMATIC_OUTLINE)
    text = int((image[..., 3] > 0).sum()) - cells
    assert (image[..., 3] == 0).any()
    assert text > 0 if mode == "cinematic" else text == 0 and opaque == cells


@pytest.mark.parametrize("shape", [(3, 10), (12, 3072), (48, 6400)])
@pytest.mark.parametrize("everything", [0, 1])
def test_cinematic_cells_show_on_light_and_on_dark_pages(
    tmp_path: Path, shape: tuple[int, int], everything: int
) -> None:
    """All that is next to a cell is a cell or the outline, never the page."""
    active = np.full((1, *shape), bool(everything))
    layout = sample_layout([TEXT], Geometry(shape[0], 1, shape[1], 0), 1, "cinematic_no_text")
    path = tmp_path / "picture.png"
    path.write_bytes(png_bytes(sample_figure("toy", TEXT, active[0], layout)))
    image = np.pad(pixels(path), ((1, 1), (1, 1), (0, 0)))
    cell = (image == (255 * everything,) * 3 + (255,)).all(axis=2)
    page = image[..., 3] == 0
    assert cell.sum() == active.size * layout.panels.cell**2
    for axis in (0, 1):
        for step in (-1, 1):
            assert not (np.roll(cell, step, axis) & page).any()
    outline = luminance(CINEMATIC_OUTLINE[0])
    assert (1 + 0.05) / (outline + 0.05) >= 4.5 and (outline + 0.05) / 0.05 >= 4.5


def luminance(level: float) -> float:
    """Return a grey's relative luminance (WCAG 2)."""
    return ((level / 255 + 0.055) / 1.055) ** 2.4


def test_the_cinematic_text_is_legible_on_light_and_on_dark() -> None:
    grey = luminance(int(CINEMATIC_INK[1:3], 16))
    assert (1 + 0.05) / (grey + 0.05) >= 4.5 and (grey + 0.05) / 0.05 >= 4.5  # WCAG 2, level AA


def test_the_default_text_says_all_there_is_to_say() -> None:
    active = np.zeros((2, 10), bool)
    active[0, :4] = active[1, 0] = True
    texts = figure_texts(active, "default")
    for expected in (
        "toy, sample 3",
        "Once upon a $time",
        " there was",
        "“ a”",
        "5 of 20 neurons active (25.0%)",
    ):
        assert expected in texts
    together = " ".join(texts)
    for expected in ("layer 0", "4 of 10", "layer 1", "1 of 10"):
        assert expected in together


def test_the_first_token_has_no_completion_so_far() -> None:
    texts = figure_texts(np.zeros((1, 4), bool), "default", SampleText(0, "x", "", " a"))
    assert "(nothing yet: this is the first token)" in texts


def test_cinematic_shows_the_input_text_alone() -> None:
    active = np.zeros((2, 10), bool)
    assert figure_texts(active, "cinematic") == ["Once upon a $time"]
    assert figure_texts(active, "cinematic_no_text") == []


def test_texts_do_not_overlap_even_with_48_layers_and_a_long_prompt() -> None:
    text = SampleText(0, "word\n$x$ 你 " * 600, "more " * 900, "\n")
    active = random_active(1, 48, 6400)[0]
    layout = sample_layout([text], Geometry(48, 1, 6400, 0), 1, "default")
    figure = sample_figure("toy", text, active, layout)
    png_bytes(figure)
    boxes = [it.get_window_extent() for it in figure.texts]
    assert min(box.x0 for box in boxes) >= 0 and max(box.x1 for box in boxes) <= layout.width
    titles = [it for it in figure.texts if it.get_text().startswith("layer ")]
    ends = [it.get_window_extent() for it in titles]
    assert len(titles) == 48
    assert all(a.x1 < b.x0 for a, b in pairwise(ends))
    assert layout.panels.title_size >= 14
    assert max(box.y0 for box in ends) < min(
        it.get_window_extent().y0 for it in figure.texts if it.get_text() in ("Output token", "“⏎”")
    )


def test_all_pictures_of_a_command_have_one_size(tmp_path: Path) -> None:
    texts = ["short", "long " * 300]
    write_dataset(tmp_path, random_active(2, 2, 10), input_text=texts, prompt_idx=[0, 1])
    draw(tmp_path, tmp_path / "out", "0,1")
    first, second = (
        pixels(tmp_path / "out" / f"toy_sample_{number}_activation.png") for number in (0, 1)
    )
    assert first.shape == second.shape


def test_texts_of_any_kind_are_drawn(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    nasty = "a $x$ $\\frac{ _b_ \n\t\0 你好 العربية 😀 🦜 é" * 3
    write_dataset(tmp_path, random_active(2, 2, 10), input_text=nasty, output=[nasty, "$"])
    draw(tmp_path, tmp_path / "out", "0-1")
    draw(tmp_path, tmp_path / "out", "0-1", vis_mode="cinematic")
    assert len(list((tmp_path / "out").iterdir())) == 4
    assert [str(it.message) for it in recwarn] == []


def test_the_same_bytes_every_time_and_from_every_activation_file(tmp_path: Path) -> None:
    files = write_dataset(tmp_path, random_active(3, 2, 10))
    draw(tmp_path, tmp_path / "matrix", "2")
    expected = (tmp_path / "matrix" / "toy_sample_2_activation.png").read_bytes()
    files.path("neuron_activations.pickle").rename(files.path("neuron_activations.pkl"))
    draw(tmp_path, tmp_path / "matrix_alone", "2")
    files.path("activation_matrix.npz").unlink()
    draw(tmp_path, tmp_path / "pkl", "2")
    files.path("neuron_activations.pkl").unlink()
    draw(tmp_path, tmp_path / "json", "2")
    for name in ("matrix_alone", "pkl", "json"):
        assert (tmp_path / name / "toy_sample_2_activation.png").read_bytes() == expected
    assert b"Matplotlib" not in expected and b"tIME" not in expected


def test_it_needs_neither_torch_nor_transformers_nor_the_model(tmp_path: Path) -> None:
    for name in ("torch", "transformers", "huggingface_hub"):
        package = tmp_path / "broken" / name
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("raise ImportError('not here')")
    write_dataset(tmp_path / "data", random_active(2, 2, 10), model="unknown_org_model")
    command = [sys.executable, str(ROOT / SCRIPT), "--dataset_dir", str(tmp_path / "data")]
    command += ["--sample_ids", "1", "--export_dir", str(tmp_path / "out")]
    command += ["--model_type", "unknown_org/model"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "broken")}
    subprocess.run(command, check=True, env=environment, capture_output=True)
    assert (tmp_path / "out" / "unknown_org_model_sample_1_activation.png").is_file()


def test_the_neurons_geometry_may_come_from_either_table_or_the_model(tmp_path: Path) -> None:
    files = write_dataset(tmp_path, random_active(1, 12, 3072), model="gpt2")
    for missing in ("neuron_frequency.csv", "neuron_attributes.csv"):
        files.path(missing).unlink()
        draw(tmp_path, tmp_path / missing, model_type="gpt2")
        assert (tmp_path / missing / "gpt2_sample_0_activation.png").is_file()


def test_unknown_samples_are_named_and_nothing_is_drawn(tmp_path: Path) -> None:
    write_dataset(tmp_path / "data", random_active(3, 2, 10))
    line = user_error(
        SCRIPT,
        *("--dataset_dir", tmp_path / "data", "--export_dir", tmp_path / "out"),
        *("--model_type", MODEL, "--sample_ids", "0,7,9-10"),
    )
    assert "no sample 7, 9, 10; the samples are 0 to 2" in line
    assert not (tmp_path / "out").exists()


def refusal(tmp_path: Path, ids: str = "0", **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        draw(tmp_path, tmp_path / "out", ids, **options)
    assert not (tmp_path / "out").exists()
    return str(caught.value)


def test_what_a_person_can_have_got_wrong_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"`dataset_dir` .*nowhere: no such folder"):
        draw(tmp_path / "nowhere", tmp_path / "out")
    files = write_dataset(tmp_path, random_active(2, 2, 10))
    assert "`model_type` toy" in refusal(tmp_path, model_type="gpt2")
    assert "`sample_ids` 'x'" in refusal(tmp_path, "x")
    assert "`figure_rows` 3: the model has 2 layers" in refusal(tmp_path, figure_rows=3)
    files.path("neuron_frequency.csv").write_text("layer,dimension\n0,x\n")
    assert "toy_neuron_frequency.csv" in refusal(tmp_path)
    files.path("neuron_frequency.csv").unlink()
    files.path("activation_matrix.npz").write_bytes(b"nothing")
    assert "toy_activation_matrix.npz: not an activation matrix" in refusal(tmp_path)
    table = pd.read_csv(files.path("activation_dataset.csv"), keep_default_na=False)
    table.drop(columns="input_text").to_csv(files.path("activation_dataset.csv"), index=False)
    assert "the column input_text is missing" in refusal(tmp_path)
    files.path("activation_dataset.csv").write_text("a,b\n1,2\n")
    assert "the column sample_id is missing" in refusal(tmp_path)


def test_activations_of_another_run_are_refused(tmp_path: Path) -> None:
    files = write_dataset(tmp_path, random_active(2, 2, 10))
    other = write_dataset(tmp_path / "other", random_active(2, 2, 10, seed=5))
    other.path("activation_matrix.npz").replace(files.path("activation_matrix.npz"))
    assert "not of the same run" in refusal(tmp_path)
    other = write_dataset(tmp_path / "other", random_active(1, 2, 10))
    other.path("activation_matrix.npz").replace(files.path("activation_matrix.npz"))
    assert "has no sample 1" in refusal(tmp_path, "1")


def test_help_is_instant_and_large_cells_are_kept_apart() -> None:
    assert "--vis_mode" in run_script_here(SCRIPT, "--help").stdout
    small = sample_layout([TEXT], Geometry(2, 1, 10, 0), 1, "default").panels
    large = sample_layout([TEXT], Geometry(48, 1, 6400, 0), 1, "default").panels
    assert small.line == 1 and small.cell >= LINED_CELL
    assert large.line == 0 and large.cell == 1
