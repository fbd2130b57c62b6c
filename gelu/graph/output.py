"""Writing the graph's edge list with a progress bar, for the scripts that do."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gelu.artifacts import Artifacts
from gelu.graph.edges import (
    edge_lines,
    full_edge_blocks,
    full_edge_bytes,
    full_edge_count,
    strongest_edges,
)
from gelu.neurons import Geometry
from gelu.progress import progress_bar


def write_full_edges(files: Artifacts, geometry: Geometry) -> tuple[Path, int]:
    """Write the full edge list; return its path and number of edges. Constant memory."""
    size = full_edge_bytes(geometry)

    def counted() -> Iterator[bytes]:
        with progress_bar("edges", size, "B", scale=True) as bar:
            for block in full_edge_blocks(geometry):
                yield block
                bar.update(len(block))

    return files.write_edges(counted(), size), full_edge_count(geometry)


def write_strongest_edges(
    files: Artifacts, model: Any, geometry: Geometry, top_edges: int
) -> tuple[Path, int]:
    """Write each neuron's strongest edges; return the list's path and number of edges."""
    n_sources = geometry.d_mlp * (geometry.n_layer - 1)
    with progress_bar("strongest edges", n_sources, "neurons") as bar:
        sources, targets, weights = strongest_edges(model, top_edges, bar.update)
    blocks = edge_lines(sources, targets, weights)
    return files.write_edges(blocks, sum(map(len, blocks))), len(sources)
