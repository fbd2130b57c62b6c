"""What decides what the pictures of the graph show. A value out of bounds is a `UserError`."""

from dataclasses import dataclass

from gelu.limits import COUNT, ID, optional, settle


@dataclass(frozen=True)
class GraphSettings:
    """sample_id: the one sample to show, None for the frequency over all; max_nodes, max_edges:
    of the layered graph."""

    sample_id: int | None = None
    max_nodes: int = 200
    max_edges: int = 400

    def __post_init__(self) -> None:
        settle(self, sample_id=optional(ID), max_nodes=COUNT, max_edges=COUNT)
