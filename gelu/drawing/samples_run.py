"""Chosen samples of a dataset as pictures, one each: which neurons were active.

    chosen = choose_samples("dataset", "0,50,200")      # or [0, 50, 200]
    chosen.table                                        # a row a sample
    figures = list(sample_figures(chosen, figure_rows=2))
    written = write_sample_pictures("dataset", "0,50,200", "sample_pictures")

Nothing is drawn where one of the samples is not there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gelu.artifacts import (
    Stated,
    read_activation_rows,
    read_dataset,
    read_stated,
    run_files,
    sample_picture,
    write_picture,
)
from gelu.errors import UserError
from gelu.limits import COUNT, one_of, require
from gelu.model.of_folder import DATASET_FILES, model_of_folder
from gelu.model.outputs import output_files
from gelu.model.source import ModelSource
from gelu.neurons import Geometry
from gelu.packed import PackedActivations
from gelu.places import existing_directory
from gelu.plots.modes import DEFAULT, MODES
from gelu.progress import progress_bar
from gelu.samples.grouping import completions_so_far
from gelu.samples.matching import check_counts, check_stated, check_table, check_totals
from gelu.samples.reading import dataset_files, dataset_geometry
from gelu.samples.sample_ids import SampleIds, parse_sample_ids, select_sample_ids

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from gelu.plots.samples import SampleText


@dataclass(frozen=True)
class ChosenSamples:
    """texts: what the dataset says about each; activations: a row a text, in their order."""

    source: ModelSource
    geometry: Geometry
    texts: "tuple[SampleText, ...]"
    activations: PackedActivations

    def active(self, row: int) -> int:
        """Return how many neurons are active for a sample."""
        return int(self.activations.rows([row]).sum())

    @property
    def table(self) -> "pd.DataFrame":
        """The samples' texts and how many neurons are active for each, in the order named."""
        import pandas as pd

        table = pd.DataFrame([vars(text) for text in self.texts])
        return table.assign(
            number_of_active_neurons=[self.active(row) for row in range(len(table))]
        )


@dataclass(frozen=True)
class WrittenSamples:
    """paths: of the pictures; lines: how many neurons are active in each, as text."""

    paths: list[Path]
    lines: list[str]


@dataclass(frozen=True)
class _Dataset:
    """A dataset's folder before its samples are read."""

    source: ModelSource
    table: Path
    activations: Path
    stated: Stated
    geometry: Geometry


def choose_samples(
    dataset_dir: str | Path,
    sample_ids: SampleIds,
    model_type: str | ModelSource | None = None,
) -> ChosenSamples:
    """Return samples of the folder that `generate_activation_dataset.py` wrote.

    sample_ids: as in `0,50,200` or `0-9`, a number, or a list of them; model_type: None
    for the model whose files are there. Raises `UserError` for a sample that is not there, and
    files that do not fit each other.
    """
    ranges = parse_sample_ids(sample_ids)
    return _read(_dataset(dataset_dir, model_type), ranges)


def sample_figures(
    chosen: ChosenSamples, figure_rows: int = 1, vis_mode: str = DEFAULT
) -> "Iterator[Figure]":
    """Yield a picture of each sample, all of one size.

    figure_rows: in how many rows the layers stand; vis_mode: one of `gelu.plots.modes.MODES`.
    Raises `UserError` for more rows than layers, and another mode.
    """
    from gelu.plots.samples import sample_figure, sample_layout

    _require_layout(figure_rows, vis_mode, chosen.geometry)
    layout = sample_layout(chosen.texts, chosen.geometry, figure_rows, vis_mode)
    for row, text in enumerate(chosen.texts):
        shape = (chosen.geometry.n_layer, chosen.geometry.d_mlp)
        active = chosen.activations.rows([row]).reshape(shape)
        yield sample_figure(chosen.source.name, text, active, layout)


def write_sample_pictures(
    dataset_dir: str | Path,
    sample_ids: SampleIds,
    export_dir: str | Path,
    model_type: str | ModelSource | None = None,
    figure_rows: int = 1,
    vis_mode: str = DEFAULT,
) -> WrittenSamples:
    """Draw the samples that `choose_samples` would return, and write the pictures.

    Raises `UserError` for what `choose_samples` and `sample_figures` refuse and for a folder that
    cannot, or must not, be written to, before anything is drawn.
    """
    ranges = parse_sample_ids(sample_ids)
    dataset = _dataset(dataset_dir, model_type)
    _require_layout(figure_rows, vis_mode, dataset.geometry)
    chosen = _read(dataset, ranges)
    endings = [sample_picture(text.sample_id, vis_mode) for text in chosen.texts]
    read = run_files([Path(dataset_dir)], chosen.source.name)
    files = output_files(export_dir, "export_dir", chosen.source, endings, read)
    return _write(chosen, list(map(files.path, endings)), figure_rows, vis_mode)


def _require_layout(figure_rows: int, vis_mode: str, geometry: Geometry) -> None:
    require("figure_rows", figure_rows, COUNT)
    if figure_rows > geometry.n_layer:
        raise UserError(f"`figure_rows` {figure_rows}: the model has {geometry.n_layer} layers")
    require("vis_mode", vis_mode, one_of(MODES))


def _dataset(dataset_dir: str | Path, model_type: str | ModelSource | None) -> _Dataset:
    folder = existing_directory(dataset_dir, "dataset_dir")
    source = model_of_folder(model_type, folder, "dataset_dir", DATASET_FILES)
    table, activations = dataset_files(folder, source.name)
    stated = read_stated([folder], source.name)
    check_stated(stated)
    geometry = dataset_geometry(stated, source)
    return _Dataset(source, table, activations, stated, geometry)


def _read(dataset: _Dataset, ranges: Sequence[range]) -> ChosenSamples:
    geometry, stated = dataset.geometry, dataset.stated
    table = read_dataset(dataset.table, geometry)
    check_table(table, dataset.table, stated)
    ids = select_sample_ids(ranges, table["sample_id"].tolist())
    texts = _sample_texts(dataset.table, table, ids)
    path = dataset.activations
    activations, all_of_file = read_activation_rows(path, geometry.n_neurons, ids)
    rows = table.set_index("sample_id").loc[ids].reset_index()
    check_counts(rows, dataset.table, activations, geometry, path)
    check_totals(all_of_file.sample_ids, all_of_file.counts, stated, path)
    return ChosenSamples(dataset.source, geometry, texts, activations)


def _sample_texts(path: Path, table: "pd.DataFrame", ids: list[int]) -> "tuple[SampleText, ...]":
    """Return what the dataset says about each sample."""
    from gelu.plots.samples import SampleText

    if "input_text" not in table.columns:
        raise UserError(f"{path}: the column input_text is missing")
    completions = completions_so_far(table, ids)
    rows = table.set_index("sample_id").loc[ids]
    fields = zip(ids, rows["input_text"], completions, rows["output"], strict=True)
    return tuple(SampleText(*values) for values in fields)


def _write(
    chosen: ChosenSamples, paths: list[Path], figure_rows: int, vis_mode: str
) -> WrittenSamples:
    from gelu.plots.figures import png_bytes

    lines = []
    figures = sample_figures(chosen, figure_rows, vis_mode)
    with progress_bar("drawing samples", len(paths), "picture") as bar:
        for row, (path, figure) in enumerate(zip(paths, figures, strict=True)):
            write_picture(path, png_bytes(figure))
            n_neurons = chosen.geometry.n_neurons
            lines.append(f"{path}: {chosen.active(row):,} of {n_neurons:,} neurons active")
            bar.update(1)
    return WrittenSamples(paths, lines)
