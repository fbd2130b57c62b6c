"""The same prompts at several temperatures: a dataset for each, and what differs between them.

    written = compare_temperatures("prompts.csv", (0.2, 0.8), "temperatures", "gpt2-demo")
    written.study                       # a row for each temperature and layer

Torch is imported after what can be refused has been.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gelu import limits
from gelu.errors import UserError
from gelu.generation.run import (
    GenerationOptions,
    PreparedRun,
    Sharing,
    make_dataset,
    prepare_run,
    read_inputs,
)
from gelu.limits import require

if TYPE_CHECKING:
    import pandas as pd

    from gelu.artifacts import Artifacts
    from gelu.model.source import ModelSource


@dataclass(frozen=True)
class WrittenTemperatures:
    """study: the table; paths: of it and of its picture; lines: how each dataset ended, as text;
    notes: what was found in the datasets' folders and left."""

    study: "pd.DataFrame"
    paths: list[Path]
    lines: list[str]
    notes: list[str]


@dataclass(frozen=True)
class _TemperatureDataset:
    """One temperature's dataset. rows: of the study."""

    rows: "pd.DataFrame"
    line: str
    notes: tuple[str, ...]


def temperature_name(temperature: float) -> str:
    """Return the shortest text of the number: 0.8 for 0.80, 1 for 1.0."""
    return repr(float(temperature)).removesuffix(".0")


def compare_temperatures(
    input_csv: str | Path,
    temperatures: float | Sequence[float],
    export_dir: str | Path,
    model_type: "str | ModelSource" = "gpt2",
    options: GenerationOptions | None = None,
    overwrite: bool = False,
) -> WrittenTemperatures:
    """Write a dataset for each temperature, `t_0.8` and so on, the study's table and its picture.

    temperatures: in any order, none twice. options: of every dataset, its temperature replaced;
    None for the default ones without edges. overwrite: make the datasets anew. Raises `UserError`
    for what is wrong with the prompts, the model or a folder, and where a dataset of a finished run
    has changed since.
    """
    from gelu.artifacts import RUN_FILES, TEMPERATURE_FILES, refuse_link
    from gelu.model.outputs import output_files

    csv, argument = Path(input_csv), "export_dir"
    options = options or GenerationOptions(edges="none")
    chosen = require("temperatures", temperatures, limits.temperatures)
    inputs = read_inputs(csv, model_type, options.chat)
    files = output_files(export_dir, argument, inputs.source, TEMPERATURE_FILES, [csv])
    folders = {
        temperature: files.folder / f"t_{temperature_name(temperature)}" for temperature in chosen
    }
    for folder in folders.values():
        refuse_link(folder)
        output_files(folder, argument, inputs.source, RUN_FILES, [csv])
    prepared, sharing = prepare_run(inputs, options), Sharing(overwrite=overwrite)
    datasets = [
        _one_temperature(folder, prepared, replace(options, temperature=temperature), sharing)
        for temperature, folder in folders.items()
    ]
    return _write(files, datasets, prepared)


def _one_temperature(
    folder: Path, prepared: PreparedRun, options: GenerationOptions, sharing: Sharing
) -> _TemperatureDataset:
    """Write one temperature's dataset; return its rows of the study."""
    from gelu.artifacts import DATASET, MATRIX, Artifacts
    from gelu.samples.reading import read_run_samples
    from gelu.statistics.temperature import NEEDED_COLUMNS, temperature_rows

    files = Artifacts(folder, prepared.inputs.source.name, options.csv_safe)
    name = temperature_name(options.temperature)
    outcome = make_dataset(files, prepared, options, sharing, label=f"tokens at {name}")
    # What a folder's headline does not say is which folder it is of.
    line = f"{folder}: {outcome.said}" if outcome.written else str(outcome.said)
    dataset, matrix = files.path(DATASET), files.path(MATRIX)
    # A folder that was finished before is left as it is, and may have been changed since.
    run = read_run_samples(dataset, matrix, prepared.inputs.source, NEEDED_COLUMNS)
    matched, n_samples = run.matched, prepared.inputs.n_samples
    if len(matched.table) != n_samples:
        raise UserError(
            f"{dataset}: {len(matched.table):,} of the run's {n_samples:,} samples are there and "
            f"in {matrix}; `overwrite` makes them anew"
        )
    rows = temperature_rows(
        options.temperature, matched.table, matched.activations, run.geometry.n_layer
    )
    return _TemperatureDataset(rows, line, outcome.notes)


def _write(
    files: "Artifacts", datasets: Sequence[_TemperatureDataset], prepared: PreparedRun
) -> WrittenTemperatures:
    from gelu.artifacts import TEMPERATURE_PICTURE, TEMPERATURE_STUDY, write_picture, write_table
    from gelu.plots.figures import png_bytes
    from gelu.plots.temperature import temperature_figure
    from gelu.statistics.temperature import study_table

    study = study_table([one.rows for one in datasets])
    figure = temperature_figure(files.model, study, prepared.inputs.geometry.d_mlp)
    paths = [
        write_table(files.path(TEMPERATURE_STUDY), study),
        write_picture(files.path(TEMPERATURE_PICTURE), png_bytes(figure)),
    ]
    notes = [note for one in datasets for note in one.notes]
    return WrittenTemperatures(study, paths, [one.line for one in datasets], notes)
