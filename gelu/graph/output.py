"""The graph of all neurons: their table and the edges, as tables or as files.

graph = neuron_graph("gpt2-demo", edges="strongest", top_edges=3)
graph.neurons, graph.edges          # tables
written = write_graph("gelu_graph", "gpt2-demo", edges="strongest", top_edges=3)
written.lines                       # what was written, as text
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gelu.artifacts import (
    ATTRIBUTES,
    EDGES,
    Artifacts,
    write_edge_list,
    write_full_edge_list,
)
from gelu.graph.edges import full_edge_count, strongest_edges
from gelu.limits import COUNT, DEVICE, EDGE_KINDS, one_of, require
from gelu.model.config import read_geometry
from gelu.model.loading import load_model, pick_device
from gelu.model.outputs import output_files
from gelu.model.source import ModelSource, find_model
from gelu.neurons import Geometry, dimension_of, layer_of
from gelu.progress import bars, progress_bar

# Sources, targets and weights, all (n_edges,).
Edges = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]


@dataclass(frozen=True)
class NeuronGraph:
    """neurons: node_id, layer, dimension; edges: source, target and, of the strongest, weight."""

    neurons: pd.DataFrame
    edges: pd.DataFrame


@dataclass(frozen=True)
class WrittenGraph:
    """paths: of the neurons' table and of the edge list; lines: what is in them, as text."""

    paths: list[Path]
    lines: list[str]


def neuron_graph(
    model_type: str | ModelSource = "gpt2",
    edges: str = "full",
    top_edges: int = 10,
    device: str = "auto",
) -> NeuronGraph:
    """Return the neurons of a model and the edges between them; nothing is written.

    edges, top_edges, device: as for `write_graph`. All edges of a large model take more memory
    than most machines have: gpt2 has 104 million, 16 bytes each. Raises `UserError` for a model
    that cannot be loaded.
    """
    _check(edges, top_edges, device)
    source = find_model(model_type)
    geometry = read_geometry(source)
    ids = np.arange(geometry.n_neurons)
    places = {
        "layer": layer_of(ids, geometry.d_mlp),
        "dimension": dimension_of(ids, geometry.d_mlp),
    }
    neurons = pd.DataFrame({"node_id": ids, **places})
    if edges == "full":
        sources = np.repeat(ids[: -geometry.d_mlp], geometry.d_mlp)
        layers = ids.reshape(geometry.n_layer, geometry.d_mlp)
        targets = np.repeat(layers[1:], geometry.d_mlp, axis=0).ravel()
        return NeuronGraph(neurons, pd.DataFrame({"source": sources, "target": targets}))
    model = load_model(source, pick_device(device))
    columns = zip(
        ("source", "target", "weight"), _strongest_edges(model, geometry, top_edges), strict=True
    )
    return NeuronGraph(neurons, pd.DataFrame(dict(columns)))


def write_graph(
    output_dir: str | Path,
    model_type: str | ModelSource = "gpt2",
    edges: str = "full",
    top_edges: int = 10,
    device: str = "auto",
) -> WrittenGraph:
    """Write the neurons' table and the edge list of one model.

    edges: full, or strongest for each neuron's `top_edges` of largest |weight|, which need the
    weights and a device. Raises `UserError` for a model that cannot be loaded and a folder that
    cannot be written to.
    """
    _check(edges, top_edges, device)
    source = find_model(model_type)
    geometry = read_geometry(source)
    files = output_files(output_dir, "output_dir", source, [ATTRIBUTES, EDGES])
    if edges == "full":
        path, n_edges = write_full_edges(files, geometry)
    else:
        model = load_model(source, pick_device(device))
        path, n_edges = write_strongest_edges(files, model, geometry, top_edges)
    attributes = files.write_attributes(geometry)
    lines = [
        f"{attributes}: {geometry.n_neurons:,} neurons",
        f"{path}: {n_edges:,} edges, {path.stat().st_size:,} bytes",
    ]
    return WrittenGraph([attributes, path], lines)


def _check(edges: str, top_edges: int, device: str) -> None:
    require("edges", edges, one_of(EDGE_KINDS))
    require("top_edges", top_edges, COUNT)
    require("device", device, DEVICE)


def write_full_edges(files: Artifacts, geometry: Geometry) -> tuple[Path, int]:
    """Write the full edge list; return its path and number of edges. Constant memory."""
    path = write_full_edge_list(files.path(EDGES), geometry, bars)
    return path, full_edge_count(geometry)


def write_strongest_edges(
    files: Artifacts, model: Any, geometry: Geometry, top_edges: int
) -> tuple[Path, int]:
    """Write each neuron's strongest edges; return the list's path and number of edges."""
    sources, targets, weights = _strongest_edges(model, geometry, top_edges)
    return write_edge_list(files.path(EDGES), sources, targets, weights), len(sources)


def _strongest_edges(model: Any, geometry: Geometry, top_edges: int) -> Edges:
    n_sources = geometry.d_mlp * (geometry.n_layer - 1)
    with progress_bar("strongest edges", n_sources, "neurons") as bar:
        return strongest_edges(model, top_edges, bar.update)
