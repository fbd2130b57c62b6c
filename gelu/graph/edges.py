"""The graph of all GELU neurons: edges from every layer to the next.

`full` edges need only the geometry; `strongest` edges are weighed by the path of one unit of a
neuron's activation through the residual stream into the next layer's pre-activations:
`W_out[source] . (ln_2.weight * W_in[:, target])`, the virtual weights of Elhage et al. 2021, "A
mathematical framework for transformer circuits" (the layer norm's scale and the attention between
the two layers left out).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gelu.neurons import Geometry, neuron_id

if TYPE_CHECKING:
    import torch

SOURCE_BLOCK = 1024


def full_edge_count(geometry: Geometry) -> int:
    """Return the number of edges from every neuron to every neuron of the next layer."""
    return max(0, geometry.n_layer - 1) * geometry.d_mlp**2


def strongest_edges(
    model: Any, top_edges: int, progress: Callable[[int], object] = lambda sources: None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Return (sources, targets, weights) of each neuron's `top_edges` edges of largest |weight|.

    By source, strongest first; equal ones by target; all d_mlp where that is fewer than
    `top_edges`. `progress` is told the sources of each block.
    """
    import torch

    from gelu.model.matmul import affine

    blocks = model.transformer.h
    parts: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]] = []
    with torch.inference_mode():
        for layer in range(len(blocks) - 1):
            w_out = blocks[layer].mlp.c_proj.weight.float()
            following = blocks[layer + 1]
            w_in = following.ln_2.weight.float()[:, None] * following.mlp.c_fc.weight.float()
            for first in range(0, len(w_out), SOURCE_BLOCK):
                weights = affine(w_out[first : first + SOURCE_BLOCK], w_in)
                parts.append(_edge_block(weights, layer * len(w_out) + first, layer, top_edges))
                progress(len(weights))
    if not parts:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)
    sources, targets, values = zip(*parts, strict=True)
    return np.concatenate(sources), np.concatenate(targets), np.concatenate(values)


def _edge_block(
    weights: "torch.Tensor", first_source: int, layer: int, top_edges: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Return one block of sources' strongest edges; weights: (sources, targets)."""
    index = strongest_columns(weights, top_edges)
    n_sources, d_mlp = weights.shape
    sources = np.repeat(np.arange(first_source, first_source + n_sources), index.shape[1])
    targets = neuron_id(layer + 1, index.cpu().numpy(), d_mlp)
    return sources, targets.ravel(), weights.gather(1, index).cpu().numpy().ravel()


def strongest_columns(weights: "torch.Tensor", top: int) -> "torch.Tensor":
    """Return the columns of each row's `top` largest |values|, largest first, (rows, top) int64.

    Equal ones go by column: `topk` picks any of them, so rows with a tie at the edge are sorted.
    """
    size = weights.abs()
    values, index = size.topk(min(top + 1, size.shape[1]), dim=1)
    if values.shape[1] > top:
        tied = (values[:, top] == values[:, top - 1]).nonzero()[:, 0]
        values, index = values[:, :top], index[:, :top].contiguous()
        order = size[tied].sort(dim=1, descending=True, stable=True).indices
        index[tied] = order[:, :top].sort(dim=1).values
    index = index.sort(dim=1).values
    by_size = size.gather(1, index).sort(dim=1, descending=True, stable=True).indices
    return index.gather(1, by_size)
