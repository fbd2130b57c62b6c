"""Draw the neurons that were active for chosen samples of a dataset, one picture a sample.

Example:
  python visualize_sample_activations.py --dataset_dir dataset --sample_ids 0,50,200 \\
      --export_dir sample_pictures --model_type gpt2-demo

Reading a picture: each square is a layer, each cell in it a neuron of that layer's MLP: dimension 0
top left, then row by row. --vis_mode
  default            red cells are active (value after GELU > 0), blue ones are not; above them the
                     sample's number, its input text, the completion so far, the token it became,
                     and how many neurons are active in all and in each layer
  cinematic          white cells on black ones, nothing behind them (transparent), the input text;
                     a grey line around each layer, so that both show on light and dark pages
  cinematic_no_text  the same without text
A cell is a whole number of pixels, never less than one: look at the picture at its own size. All
pictures of one command have the same size, so that they can be flipped through or filmed. A line
break in a text is shown as a sign; a character that no installed font has, as an escape (\\u4f60).

Writes to --export_dir: {m}_sample_{id}_activation.png, with the mode's name at the end for the
other modes, {m}_sample_{id}_activation_cinematic.png. Reads the dataset alone, not the model.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gelu.cli import (
    add_device_argument,
    add_either,
    add_model_argument,
    add_output_argument,
    build_parser,
    positive_int,
    run_script,
)
from gelu.errors import UserError
from gelu.places import existing_directory

if TYPE_CHECKING:
    import pandas as pd

    from gelu.artifacts import Artifacts
    from gelu.model.source import ModelSource
    from gelu.neurons import Geometry
    from gelu.packed import PackedActivations
    from gelu.plots.samples import SampleText

VIS_MODES = ("default", "cinematic", "cinematic_no_text")


def main() -> None:
    """Parse the command line and draw the samples."""
    parser = build_parser(__doc__)
    parser.required.add_argument(
        "--dataset_dir", required=True, metavar="FOLDER", help="folder of the dataset script"
    )
    add_either(
        parser.required,
        "--sample_ids",
        required=True,
        metavar="IDS",
        help="which samples: 0,50,200 or 0-9 or both",
    )
    add_output_argument(parser, "--export_dir", "folder for the pictures")
    add_model_argument(parser, of_folder=True)
    parser.often.add_argument(
        "--figure_rows",
        type=positive_int,
        default=1,
        metavar="N",
        help="in how many rows the layers stand",
    )
    parser.often.add_argument("--vis_mode", choices=VIS_MODES, default="default", help="see above")
    add_device_argument(parser, works=False)
    arguments = parser.parse_args()

    from gelu.model.of_folder import DATASET_FILES, model_of_folder

    folder, model_type = arguments.dataset_dir, arguments.model_type
    draw_samples(
        folder,
        arguments.sample_ids,
        arguments.export_dir,
        model_of_folder(model_type, folder, "dataset_dir", DATASET_FILES),
        arguments.figure_rows,
        arguments.vis_mode,
    )


def draw_samples(
    dataset_dir: str,
    sample_ids: str,
    export_dir: str,
    model_type: "str | ModelSource",
    figure_rows: int,
    vis_mode: str,
) -> None:
    """Draw the named samples; nothing is drawn where one of them is not there."""
    from gelu.artifacts import (
        read_activation_rows,
        read_dataset,
        read_stated,
        run_files,
    )
    from gelu.model.outputs import output_files
    from gelu.model.source import find_model
    from gelu.samples.matching import check_counts, check_stated, check_table, check_totals
    from gelu.samples.reading import dataset_files, dataset_geometry
    from gelu.samples.sample_ids import parse_sample_ids, select_sample_ids

    ranges = parse_sample_ids(sample_ids)
    folder = existing_directory(dataset_dir, "dataset_dir")
    source = find_model(model_type)
    model = source.name
    dataset, activation_file = dataset_files(folder, model)
    stated = read_stated([folder], model)
    check_stated(stated)
    geometry = dataset_geometry(stated, source)
    if figure_rows > geometry.n_layer:
        raise UserError(f"--figure_rows {figure_rows}: the model has {geometry.n_layer} layers")
    table = read_dataset(dataset, geometry)
    check_table(table, dataset, stated)
    chosen = select_sample_ids(ranges, table["sample_id"].tolist())
    texts = _sample_texts(dataset, table, chosen)
    activations, all_of_file = read_activation_rows(activation_file, geometry.n_neurons, chosen)
    rows = table.set_index("sample_id").loc[chosen].reset_index()
    check_counts(rows, dataset, activations, geometry, activation_file)
    check_totals(all_of_file.sample_ids, all_of_file.counts, stated, activation_file)
    endings = [picture_ending(sample_id, vis_mode) for sample_id in chosen]
    files = output_files(export_dir, "export_dir", source, endings, run_files([folder], model))
    _draw(files, texts, activations, geometry, figure_rows, vis_mode)


def picture_ending(sample_id: int, vis_mode: str) -> str:
    """Return what a sample's picture is called by, behind the model's name."""
    suffix = "" if vis_mode == "default" else f"_{vis_mode}"
    return f"sample_{sample_id}_activation{suffix}.png"


def _sample_texts(path: Path, table: "pd.DataFrame", chosen: list[int]) -> "list[SampleText]":
    """Return what the dataset says about each chosen sample."""
    from gelu.plots.samples import SampleText
    from gelu.samples.grouping import completions_so_far

    if "input_text" not in table.columns:
        raise UserError(f"{path}: the column input_text is missing")
    completions = completions_so_far(table, chosen)
    rows = table.set_index("sample_id").loc[chosen]
    fields = zip(chosen, rows["input_text"], completions, rows["output"], strict=True)
    return [SampleText(*values) for values in fields]


def _draw(
    files: "Artifacts",
    texts: "Sequence[SampleText]",
    activations: "PackedActivations",
    geometry: "Geometry",
    figure_rows: int,
    vis_mode: str,
) -> None:
    """Draw and write one picture a sample; activations: a row a text, in their order."""
    from gelu.artifacts import write_picture
    from gelu.plots.figures import png_bytes
    from gelu.plots.samples import sample_figure, sample_layout
    from gelu.progress import progress_bar

    layout = sample_layout(texts, geometry, figure_rows, vis_mode)
    with progress_bar("drawing samples", len(texts), "picture") as bar:
        for row, text in enumerate(texts):
            active = activations.rows([row]).reshape(geometry.n_layer, geometry.d_mlp)
            png = png_bytes(sample_figure(files.model, text, active, layout))
            path = files.path(picture_ending(text.sample_id, vis_mode))
            write_picture(path, png)
            bar.write(f"{path}: {active.sum():,} of {active.size:,} neurons active")
            bar.update(1)


if __name__ == "__main__":
    run_script(main)
