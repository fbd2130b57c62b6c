"""What the pictures of the graph are of: the files, and how active each neuron is.

inputs = read_graph_inputs(notes.append, "gpt2-demo", dataset_dir="dataset")
activity = read_activity(inputs, sample_id=None, note=notes.append)
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gelu.artifacts import (
    ATTRIBUTES,
    DATASET,
    EDGES,
    Artifacts,
    Stated,
    dataset_activation_file,
    find_activation_file,
    read_dataset,
    read_samples_or_trace,
    read_stated,
    require_model_file,
    run_files,
)
from gelu.errors import UserError
from gelu.model.of_folder import DATASET_GRAPH_FILES, GRAPH_FILES, model_of_folder
from gelu.model.source import ModelSource
from gelu.neurons import Geometry
from gelu.packed import PackedActivations
from gelu.places import existing_directory
from gelu.samples.matching import (
    check_counts,
    check_stated,
    check_table,
    check_totals,
    match_samples,
)
from gelu.samples.sample_ids import describe_samples
from gelu.statistics.information import activity_entropy, activity_surprisal


@dataclass(frozen=True)
class GraphInputs:
    """attributes, edges, activations: the files; stated: by the folders of the graph and of the
    activations."""

    source: ModelSource
    geometry: Geometry
    attributes: Path
    edges: Path
    activations: Path
    stated: Stated

    @property
    def folders(self) -> list[Path]:
        """The graph's folder and that of the activations, which may be the same."""
        return list(dict.fromkeys([self.attributes.parent, self.activations.parent]))

    @property
    def files(self) -> list[Path]:
        """All that is read, and what else runs have in these folders."""
        return [self.activations, *run_files(self.folders, self.source.name)]


@dataclass(frozen=True)
class Activity:
    """How active each neuron is, all (n_neurons,). n_samples: 1 for a trace; bits: how informative
    the neuron is; active: for the sample shown, None where none is."""

    n_samples: int
    sample_id: int | None
    frequency: NDArray[np.float64]
    bits: NDArray[np.float64]
    active: NDArray[np.bool_] | None


def read_graph_inputs(
    note: Callable[[str], object],
    model_type: str | ModelSource | None = None,
    *,
    dataset_dir: str | Path | None = None,
    graph_dir: str | Path | None = None,
    activation_file: str | Path | None = None,
) -> GraphInputs:
    """Find the files of a graph and of the activations, and read what they state.

    note: told which file is read instead of another. dataset_dir: where both are; graph_dir,
    activation_file: instead of what is there. Raises `UserError` where one is missing, or they are
    of different models.
    """
    if dataset_dir is None and (graph_dir is None or activation_file is None):
        raise UserError("give `dataset_dir`, or `graph_dir` and `activation_file`")
    folder, source = _graph_folder(model_type, dataset_dir, graph_dir)
    if activation_file is None:
        assert dataset_dir is not None
        dataset = existing_directory(dataset_dir, "dataset_dir")
        activation_file = dataset_activation_file(dataset, source.name)
    attributes = require_model_file(folder, source.name, ATTRIBUTES)
    edges = require_model_file(folder, source.name, EDGES)
    activations = find_activation_file(Path(activation_file), note)
    stated = read_stated([folder, activations.parent], source.name)
    assert stated.geometry is not None  # the attributes are there
    return GraphInputs(source, stated.geometry, attributes, edges, activations, stated)


def _graph_folder(
    model_type: str | ModelSource | None,
    dataset_dir: str | Path | None,
    graph_dir: str | Path | None,
) -> tuple[Path, ModelSource]:
    """Return the folder of the edges, and the model that they are of."""
    argument, wanted = "graph_dir", GRAPH_FILES
    if graph_dir is None:
        assert dataset_dir is not None
        argument, graph_dir, wanted = "dataset_dir", dataset_dir, DATASET_GRAPH_FILES
    folder = existing_directory(graph_dir, argument)
    return folder, model_of_folder(model_type, folder, argument, wanted)


def read_activity(
    inputs: GraphInputs, sample_id: int | None, note: Callable[[str], object]
) -> Activity:
    """Return how active and how informative every neuron is, over all samples or for one of them.

    note: told where the samples tell no neuron from another. Raises `UserError` for samples that
    are not of the graph's run, and a `sample_id` that is not there.
    """
    path = inputs.activations
    sample_ids, activations = read_samples_or_trace(path, inputs.geometry.n_neurons)
    if sample_ids is None:
        sample_ids = [0]
    elif not sample_ids:
        raise UserError(f"{path}: holds no samples")
    else:
        _check_run(inputs, sample_ids, activations)
    if sample_id is not None and sample_id not in sample_ids:
        raise UserError(f"`sample_id` {sample_id}: not there; {describe_samples(sample_ids)}")
    n_samples, counts = len(sample_ids), activations.counts()
    if n_samples > 1 and sample_id is None:
        active, shown = counts > 0, None
        bits = activity_entropy(counts, n_samples)
    else:
        row = 0 if sample_id is None else sample_ids.index(sample_id)
        active = shown = activations.rows([row])[0]
        bits = activity_surprisal(counts, n_samples, active)
    if not bits.any():
        if not active.any():
            raise UserError(f"{path}: no neuron is active, so there is no graph to draw")
        if n_samples > 1:
            note(f"{path}: all samples are alike; active neurons count alike")
        bits = active.astype(float)
    return Activity(n_samples, sample_id, counts / n_samples, bits, shown)


def _check_run(inputs: GraphInputs, sample_ids: list[int], activations: PackedActivations) -> None:
    """Refuse samples that are not those of the files beside the graph, or beside themselves."""
    path, stated = inputs.activations, inputs.stated
    check_stated(stated)
    check_totals(sample_ids, activations.counts(), stated, path)
    tables = [Artifacts(folder, inputs.source.name).path(DATASET) for folder in inputs.folders]
    for table_path in [it for it in tables if it.is_file()]:
        table = read_dataset(table_path)
        check_table(table, table_path, stated)
        matched = match_samples(table, table_path, sample_ids, activations, path)
        check_counts(matched.table, table_path, matched.activations, inputs.geometry, path)
