"""The way of both learning studies from a dataset's folder, and what they leave in another one."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gelu.artifacts import RUN, Artifacts, read_run
from gelu.errors import UserError
from gelu.learning.settings import ActivationSettings
from gelu.model.source import ModelSource
from gelu.samples.arrays import Samples
from gelu.samples.notes import Notes
from gelu.samples.reading import FolderSamples, read_folder
from gelu.samples.splits import split_parts
from gelu.samples.token_history import NEEDED_COLUMNS, Encoder, prompt_encoder, token_history


@dataclass(frozen=True)
class LearningInputs:
    """A dataset to learn from; encode: a prompt's token ids, None without a tokenizer; history:
    (n, tokens), of `gelu.samples.token_history`."""

    read: FolderSamples
    encode: Encoder | None
    history: NDArray[np.int64]
    notes: Notes


@dataclass(frozen=True)
class WrittenStudy:
    """paths: of the files written; lines: what was found, as text; notes: what is not known,
    and which file was read instead of another."""

    paths: list[Path]
    lines: list[str]
    notes: list[str]


def read_inputs(
    dataset_dir: str | Path,
    model_type: str | ModelSource,
    history: int,
    held_out: float,
    seed: int,
) -> LearningInputs:
    """Return the dataset, and of each sample the last `history` tokens before it.

    Raises `UserError` for a folder without samples, files that do not fit each other or the model,
    a `history` longer than the model's, and too few prompts to hold out the share `held_out`.
    """
    read = read_folder(dataset_dir, model_type, NEEDED_COLUMNS)
    _require_history(history, read.samples)
    # Too few prompts are refused before anything slow is imported.
    split_parts(read.groups, held_out, seed)
    notes = Notes.of(read.samples)
    run = read_run(Artifacts(Path(dataset_dir), read.source.name).path(RUN)) or {}
    chat = bool(run.get("arguments", {}).get("chat"))
    encode = prompt_encoder(read.source, notes, chat)
    return LearningInputs(read, encode, token_history(read.samples, encode, history, notes), notes)


def _require_history(history: int, samples: Samples) -> None:
    """Raise `UserError` for a history longer than anything that the model can have read."""
    n_positions = samples.geometry.n_positions or int(samples.table["absolute_position"].max()) + 1
    if history > max(ActivationSettings.history, n_positions):
        raise UserError(f"`history` {history}: the model has read {n_positions:,} tokens at most")
