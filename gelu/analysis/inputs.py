"""The samples that an analysis is of: those of a dataset's folder, or of two files.

read = read_named("dataset", None, dataset_csv=None, activations_file=None)
"""

from dataclasses import replace
from pathlib import Path

from gelu.artifacts import DATASET, find_activation_file
from gelu.errors import UserError, noted
from gelu.model.of_folder import DATASET_FILES, model_of_file, model_of_folder
from gelu.model.source import ModelSource
from gelu.places import existing_file
from gelu.samples.reading import FolderSamples, dataset_files, read_samples


def read_named(
    dataset_dir: str | Path | None,
    model_type: str | ModelSource | None,
    dataset_csv: str | Path | None,
    activations_file: str | Path | None,
) -> FolderSamples:
    """Return the samples of two files; what is not named is looked for in `dataset_dir`."""
    notes: list[str] = []
    source = _model_of(model_type, dataset_dir, dataset_csv)
    with noted(notes):
        table_path, activation_path = dataset_files(
            dataset_dir, source.name, dataset_csv, activations_file
        )
        table_path = existing_file(table_path, "dataset_csv")
        activation_path = find_activation_file(activation_path, notes.append)
        read = read_samples(table_path, activation_path, source)
    return replace(read, notes=tuple(notes))


def _model_of(
    model_type: str | ModelSource | None,
    dataset_dir: str | Path | None,
    dataset_csv: str | Path | None,
) -> ModelSource:
    if dataset_dir is not None:
        return model_of_folder(model_type, dataset_dir, "dataset_dir", DATASET_FILES)
    if dataset_csv is None:
        raise UserError("give `dataset_dir`, or `dataset_csv` and `activations_file`")
    return model_of_file(model_type, dataset_csv, DATASET)
