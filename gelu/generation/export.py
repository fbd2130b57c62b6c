"""From shards to the dataset's files: every format in one pass, memory flat in samples."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gelu.artifacts import DATASET, JSON, MATRIX, PICKLE, Artifacts, Shards
from gelu.generation.batches import Plan
from gelu.generation.table import DatasetTable
from gelu.neurons import Geometry
from gelu.packed import PackedActivations, rows_in_block
from gelu.progress import progress_bar

# The names of `formats`, each with its file.
FORMATS = {"csv": DATASET, "npz": MATRIX, "pickle": PICKLE, "json": JSON}


def export_samples(
    files: Artifacts,
    shards: Shards,
    plan: Plan,
    table: DatasetTable,
    geometry: Geometry,
    formats: Sequence[str],
) -> tuple[NDArray[np.int64], list[Path]]:
    """Write the formats of all samples; return how often each neuron is active, and the files.

    The counts are (n_neurons,), over all samples.
    """
    counts = np.zeros(geometry.n_neurons, np.int64)
    step = rows_in_block(geometry.n_neurons)
    with ExitStack() as stack:
        bar = stack.enter_context(progress_bar("files", plan.n_samples, "samples"))
        add_rows = stack.enter_context(files.dataset_writer()) if "csv" in formats else None
        writers = _active_writers(stack, files, geometry.n_neurons, plan.n_samples, formats)
        first_sample = 0
        for completions in _portions(plan, step):
            records = _read(shards, plan, completions)
            packed = PackedActivations(records["bits"], geometry.n_neurons)
            per_layer = np.empty((len(records), geometry.n_layer), np.int64)
            for start, active in packed.blocks():
                ids = range(first_sample + start, first_sample + start + len(active))
                for add in writers:
                    add(ids, active)
                counts += active.sum(axis=0)
                by_layer = active.reshape(len(active), geometry.n_layer, -1)
                per_layer[start : start + len(active)] = by_layer.sum(axis=2)
                bar.update(len(active))
            if add_rows is not None:
                add_rows(table.rows(completions, first_sample, records, per_layer))
            first_sample += len(records)
    return counts, [files.path(FORMATS[name]) for name in FORMATS if name in formats]


def _active_writers(
    stack: ExitStack, files: Artifacts, n_neurons: int, n_samples: int, formats: Sequence[str]
) -> list[Callable[[Sequence[int], NDArray[np.bool_]], None]]:
    openers = {
        "npz": lambda: files.matrix_writer(n_neurons, range(n_samples)),
        "pickle": files.pickle_writer,
        "json": lambda: files.json_writer(n_neurons),
    }
    return [stack.enter_context(opener()) for name, opener in openers.items() if name in formats]


def _portions(plan: Plan, n_rows: int) -> Iterator[NDArray[np.int64]]:
    """Cut the completions, in order, into runs of about `n_rows` samples."""
    portion = np.cumsum(plan.n_new) // max(1, n_rows)
    ends = np.append(np.flatnonzero(np.diff(portion)) + 1, len(plan))
    start = 0
    for end in ends.tolist():
        yield np.arange(start, end)
        start = end


def _read(shards: Shards, plan: Plan, completions: NDArray[np.int64]) -> NDArray[np.void]:
    batches, first_rows = plan.places
    parts = [
        shards.read(
            int(batches[completion]),
            plan.n_rows(int(batches[completion])),
            int(first_rows[completion]),
            int(plan.n_new[completion]),
        )
        for completion in completions
    ]
    return np.concatenate(parts)
