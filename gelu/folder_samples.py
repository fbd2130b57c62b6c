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
    dataset_activation_file,
    dataset_geometry,
    file_hash,
    read_activations,
    read_dataset,
    require_model_file,
)
from gelu.cli import UserError, existing_directory
from gelu.matching import check_counts, match_samples
from gelu.models import Geometry, ModelSource, find_model
from gelu.splits import prompt_groups
from gelu.statistics.samples import Samples, arrange


@dataclass(frozen=True)
class FolderSamples:
    """samples: in the order of their completions; groups: (n,), their prompts as in
    `gelu.splits.prompt_groups`; inputs: names and hashes of the files read, for a summary."""

    source: ModelSource
    samples: Samples
    groups: NDArray[np.int64]
    inputs: dict[str, Any]


def read_folder(
    dataset_dir: str, model_type: str, needed_columns: Sequence[str] = ()
) -> FolderSamples:
    """Return the samples of the folder that `generate_activation_dataset.py` wrote.

    Raises `UserError` for a folder without them, files that do not fit each other or the model, and
    a table without one of `needed_columns`.
    """
    folder, source = existing_directory(dataset_dir, "--dataset_dir"), find_model(model_type)
    table_path = require_model_file(folder, source.name, DATASET)
    activation_path = dataset_activation_file(folder, source.name)
    geometry = dataset_geometry([folder], source)
    samples = _read_samples(table_path, activation_path, geometry, needed_columns)
    inputs = {
        "dataset_csv": table_path.name,
        "dataset_csv_sha256": file_hash(table_path),
        "activations_file": activation_path.name,
        "activations_sha256": file_hash(activation_path),
    }
    prompts = samples.completions.prompts_of_samples()
    texts = samples.table["input_text"].tolist() if "input_text" in samples.table else None
    return FolderSamples(source, samples, prompt_groups(prompts, texts), inputs)


def _read_samples(
    table_path: Path, activation_path: Path, geometry: Geometry, needed_columns: Sequence[str]
) -> Samples:
    table = read_dataset(table_path, geometry)
    if len(table) == 0:
        raise UserError(f"{table_path}: holds no samples")
    missing = [name for name in needed_columns if name not in table.columns]
    if missing:
        raise UserError(
            f"{table_path}: the column {missing[0]} is missing; write the dataset anew with "
            "generate_activation_dataset.py"
        )
    sample_ids, activations = read_activations(activation_path, geometry.n_neurons)
    matched = match_samples(table, sample_ids, activations, activation_path)
    check_counts(matched.table, matched.activations, geometry, activation_path)
    samples = arrange(matched.table, matched.activations, geometry)
    samples.skipped.update(matched.left_out)
    return samples
