"""Writing the graph's edge list with a progress bar, for the scripts that do."""

from pathlib import Path
from typing import Any

from gelu.artifacts import EDGES, Artifacts, write_edge_list, write_full_edge_list
from gelu.graph.edges import full_edge_count, strongest_edges
from gelu.neurons import Geometry
from gelu.progress import bars, progress_bar


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
