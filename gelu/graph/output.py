"""Writing the neurons' table and the edge list, with a progress bar.

written = write_graph("gpt2-demo", "gelu_graph", edges="strongest", top_edges=3)
written.lines                       # what was written, as text
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gelu.artifacts import (
    ATTRIBUTES,
    EDGES,
    Artifacts,
    write_edge_list,
    write_full_edge_list,
)
from gelu.errors import UserError
from gelu.graph.edges import full_edge_count, strongest_edges
from gelu.model.config import read_geometry
from gelu.model.loading import load_model, pick_device
from gelu.model.outputs import output_files
from gelu.model.source import ModelSource, find_model
from gelu.neurons import Geometry
from gelu.progress import bars, progress_bar

EDGE_KINDS = ("full", "strongest")


@dataclass(frozen=True)
class WrittenGraph:
    """paths: of the neurons' table and of the edge list; lines: what is in them, as text."""

    paths: list[Path]
    lines: list[str]


def write_graph(
    model_type: str | ModelSource,
    output_dir: str | Path,
    edges: str = "full",
    top_edges: int = 10,
    device: str = "auto",
) -> WrittenGraph:
    """Write the neurons' table and the edge list of one model.

    edges: one of `EDGE_KINDS`; top_edges, device: for the strongest, which need the weights. Raises
    `UserError` for a model that cannot be loaded and a folder that cannot be written to.
    """
    if edges not in EDGE_KINDS:
        raise UserError(f"`edges` {edges}: there are {' and '.join(EDGE_KINDS)}")
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


def write_full_edges(files: Artifacts, geometry: Geometry) -> tuple[Path, int]:
    """Write the full edge list; return its path and number of edges. Constant memory."""
    path = write_full_edge_list(files.path(EDGES), geometry, bars)
    return path, full_edge_count(geometry)


def write_strongest_edges(
    files: Artifacts, model: Any, geometry: Geometry, top_edges: int
) -> tuple[Path, int]:
    """Write each neuron's strongest edges; return the list's path and number of edges."""
    n_sources = geometry.d_mlp * (geometry.n_layer - 1)
    with progress_bar("strongest edges", n_sources, "neurons") as bar:
        sources, targets, weights = strongest_edges(model, top_edges, bar.update)
    return write_edge_list(files.path(EDGES), sources, targets, weights), len(sources)
