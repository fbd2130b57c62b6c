"""The samples of a dataset folder, and which folder and model they are of.

read = read_folder("dataset", "gpt2-demo", ("output_id", "context_token_id"))
read.samples, read.groups           # arranged by completion; prompts that may not be separated
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gelu.artifacts import (
    DATASET,
    Stated,
    dataset_activation_file,
    file_hash,
    read_activations,
    read_dataset,
    read_stated,
    require_model_file,
)
from gelu.errors import UserError
from gelu.model.config import known_geometry, read_geometry
from gelu.model.loading import hashed_files
from gelu.model.of_folder import DATASET_FILES, model_of_folder
from gelu.model.source import ModelSource
from gelu.neurons import Geometry
from gelu.places import existing_directory
from gelu.samples.arrays import Samples, arrange
from gelu.samples.matching import (
    Matched,
    check_counts,
    check_stated,
    check_table,
    check_totals,
    match_samples,
)
from gelu.samples.splits import prompt_groups


@dataclass(frozen=True)
class FolderSamples:
    """source: the model that they are of; samples: in the order of their completions; groups:
    (n,), their prompts as in `gelu.samples.splits.prompt_groups`; stated: by the folder's other
    files; inputs: names and hashes of the files read, for a summary; paths: of these two files;
    notes: which file was read instead of another."""

    source: ModelSource
    samples: Samples
    groups: NDArray[np.int64]
    stated: Stated
    inputs: dict[str, Any]
    paths: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()


def read_folder(
    dataset_dir: str | Path,
    model_type: str | ModelSource | None = None,
    needed_columns: Sequence[str] = (),
) -> FolderSamples:
    """Return the samples of the folder that `generate_activation_dataset.py` wrote.

    model_type: None for the model whose files are there. Raises `UserError` for a folder without
    samples, files that do not fit each other or the model, and a table without one of
    `needed_columns`.
    """
    folder = existing_directory(dataset_dir, "dataset_dir")
    source = model_of_folder(model_type, folder, "dataset_dir", DATASET_FILES)
    return read_samples(*dataset_files(folder, source.name), source, needed_columns)


def read_samples(
    table_path: Path,
    activation_path: Path,
    source: ModelSource,
    needed_columns: Sequence[str] = (),
) -> FolderSamples:
    """Return the samples that a dataset CSV and an activations file of one run share, arranged.

    Raises `UserError` as `read_run_samples` does.
    """
    run = read_run_samples(table_path, activation_path, source, needed_columns)
    matched = run.matched
    samples = arrange(matched.table, matched.activations, run.geometry, matched.left_out)
    inputs = {
        "dataset_csv": table_path.name,
        "dataset_csv_sha256": file_hash(table_path),
        "activations_file": activation_path.name,
        "activations_sha256": file_hash(activation_path),
    }
    prompts = samples.completions.prompts_of_samples()
    texts = samples.table["input_text"].tolist() if "input_text" in samples.table else None
    groups, paths = prompt_groups(prompts, texts), (table_path, activation_path)
    return FolderSamples(source, samples, groups, run.stated, inputs, paths)


def dataset_files(
    folder: str | Path | None,
    model: str,
    table: str | Path | None = None,
    activations: str | Path | None = None,
) -> tuple[Path, Path]:
    """Return the dataset CSV and the activations file of a model in the folder `dataset_dir`.

    table, activations: these files instead, wherever they are; with both, no folder is needed.
    Raises `UserError` where one that is looked for in the folder is not there.
    """
    if table is not None and activations is not None:
        return Path(table), Path(activations)
    if folder is None:
        raise UserError("give `dataset_dir`, or both of the files that it stands for")
    home = existing_directory(folder, "dataset_dir")
    return (
        require_model_file(home, model, DATASET) if table is None else Path(table),
        dataset_activation_file(home, model) if activations is None else Path(activations),
    )


@dataclass(frozen=True)
class Run:
    """The samples of a run as they are matched, and what its other files state."""

    matched: Matched
    geometry: Geometry
    stated: Stated


def read_run_samples(
    table_path: Path,
    activation_path: Path,
    source: ModelSource,
    needed_columns: Sequence[str] = (),
) -> Run:
    """Return the samples that a dataset CSV and an activations file of one run share.

    Both are compared with each other and with the files beside them. Raises `UserError` where they
    disagree, where there are no samples, and where one of `needed_columns` is missing.
    """
    stated = read_stated([table_path.parent, activation_path.parent], source.name)
    check_stated(stated)
    geometry = dataset_geometry(stated, source)
    table = read_dataset(table_path, geometry)
    if len(table) == 0:
        raise UserError(f"{table_path}: holds no samples")
    missing = [name for name in needed_columns if name not in table.columns]
    if missing:
        raise UserError(
            f"{table_path}: the column {missing[0]} is missing; write the dataset anew with "
            "generate_activation_dataset.py"
        )
    check_table(table, table_path, stated)
    sample_ids, activations = read_activations(activation_path, geometry.n_neurons)
    matched = match_samples(table, table_path, sample_ids, activations, activation_path)
    check_counts(matched.table, table_path, matched.activations, geometry, activation_path)
    if stated.frequencies:
        check_totals(sample_ids, activations.counts(), stated, activation_path)
    return Run(matched, geometry, stated)


def check_weights(stated: Stated, source: ModelSource) -> None:
    """Refuse weights of another model than the one that `stated` says made the run.

    Weights that are not at hand are not compared.
    """
    hashes = {run.path: run.weights_sha256 for run in stated.runs if run.weights_sha256}
    if not hashes:
        return
    try:
        weights = hashed_files(source)
    except UserError:  # whoever needs them says so
        return
    found = file_hash(*weights)
    for path, digest in hashes.items():
        if found != digest:
            raise UserError(
                f"`model_type` {source.name}: the SHA-256 of its weights is {found[:12]}..., "
                f"{path} says {digest[:12]}...; name the model that made the dataset"
            )


def dataset_geometry(stated: Stated, source: ModelSource) -> Geometry:
    """Return the geometry of the model that wrote the dataset in these folders.

    Layers and neurons are what the folders' own files state, else the model's; tokens and positions
    are the model's where these agree and it is at hand without asking the hub, else 0. Raises
    `UserError` where nothing is known.
    """
    if stated.geometry is None:
        return read_geometry(source)
    known, n_layer, d_mlp = known_geometry(source), stated.geometry.n_layer, stated.geometry.d_mlp
    if known and (known.n_layer, known.d_mlp) == (n_layer, d_mlp):
        return known
    return Geometry(n_layer, 0, d_mlp, 0, 0)
