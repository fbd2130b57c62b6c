"""Choosing the few neurons and edges of a model that a picture can show. Arrays in, tables out.

    bits = activity_entropy(counts, n_samples)
    candidates = EdgeCandidates(bits, geometry)
    for block in read_edge_blocks(path, geometry, notes.append):
        candidates.add(block)
    neurons = choose_neurons(bits, geometry, candidates.best(), max_nodes=200)
    among = EdgesAmong(neurons, bits, geometry, max_edges=400)
    for block in read_edge_blocks(path, geometry, notes.append):
        among.add(block)
    edges = among.table()

How informative a neuron is, in bits: over a dataset, the entropy of its being active or not (0 for
a neuron active in all samples or in none); in one sample of a dataset, the surprisal of its being
active (0 where it is not); in a lone trace, 1 where it is active.

The best neurons by bits alone hardly share an edge, so they are chosen by their edges: an edge
scores |weight| x the bits of both its ends, and the pairs of neighbouring layers take turns.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gelu.neurons import Geometry, dimension_of, layer_of, layer_range, neuron_name

if TYPE_CHECKING:
    import networkx as nx

    from gelu.artifacts import EdgeBlock

CANDIDATES_PER_PAIR = 5000
EDGE_DTYPE = np.dtype(
    [("source", np.int64), ("target", np.int64), ("weight", np.float64), ("score", np.float64)]
)


class _BestEdges:
    """The edges of highest score of each layer pair, of all that were offered.

    It holds `per_pair` edges a pair, so memory does not grow with what is offered. Equal scores go
    by source, then by target.
    """

    def __init__(self, geometry: Geometry, per_pair: int) -> None:
        self._d_mlp = geometry.d_mlp
        self._per_pair = per_pair
        self._kept = [np.empty(0, EDGE_DTYPE) for _ in range(geometry.n_layer - 1)]

    def offer(self, edges: NDArray[Any]) -> None:
        """Take these edges (EDGE_DTYPE) into account."""
        pairs = layer_of(edges["source"], self._d_mlp)
        for pair in np.unique(pairs):
            merged = np.concatenate([self._kept[pair], edges[pairs == pair]])
            self._kept[pair] = _highest(merged, self._per_pair)

    def by_turns(self) -> NDArray[Any]:
        """Return all edges kept: every pair's best one, then every pair's second, and so on."""
        if not self._kept:
            return np.empty(0, EDGE_DTYPE)
        ranks = np.concatenate([np.arange(len(edges)) for edges in self._kept])
        edges = np.concatenate(self._kept)
        return edges[np.lexsort((layer_of(edges["source"], self._d_mlp), ranks))]

    def by_pair(self) -> list[NDArray[Any]]:
        """Return each pair's edges, highest score first."""
        return list(self._kept)


def _highest(edges: NDArray[Any], count: int) -> NDArray[Any]:
    """Return the `count` edges of highest score, in order."""
    if len(edges) > count:
        scores = edges["score"]
        edges = edges[scores >= np.partition(scores, -count)[-count]]
    order = np.lexsort((edges["target"], edges["source"], -edges["score"]))
    return edges[order[:count]]


class EdgeCandidates:
    """The edges that score highest by |weight| x bits of the source x bits of the target.

    Only the order within a layer pair counts, so weights need no common scale. Without weights
    there are no candidates.
    """

    def __init__(
        self, bits: NDArray[np.float64], geometry: Geometry, per_pair: int = CANDIDATES_PER_PAIR
    ) -> None:
        self._bits = bits
        self._best = _BestEdges(geometry, per_pair)

    def add(self, block: "EdgeBlock") -> None:
        """Take a block of the edge list into account."""
        if block.weights is None:
            return
        score = np.abs(block.weights) * self._bits[block.sources] * self._bits[block.targets]
        self._best.offer(_edge_array(block, score, score > 0))

    def best(self) -> list[NDArray[Any]]:
        """Return each layer pair's candidates, highest score first."""
        return self._best.by_pair()


def _edge_array(
    block: "EdgeBlock", score: NDArray[np.float64], chosen: NDArray[np.bool_]
) -> NDArray[Any]:
    edges = np.empty(int(chosen.sum()), EDGE_DTYPE)
    edges["source"], edges["target"] = block.sources[chosen], block.targets[chosen]
    edges["weight"] = np.nan if block.weights is None else block.weights[chosen]
    edges["score"] = score[chosen]
    return edges


def choose_neurons(
    bits: NDArray[np.float64],
    geometry: Geometry,
    candidates: list[NDArray[Any]],
    max_nodes: int,
) -> NDArray[np.int64]:
    """Return at most `max_nodes` neuron ids, ascending, every layer with an equal share.

    The layer pairs take turns. In its turn a pair adds the ends of the edge with the highest score
    for each neuron it would add: one that goes on from a chosen neuron counts double. What then
    is left of a layer's share goes to its most informative neurons. Neurons of 0 bits are left out.
    """
    choice = _Choice(bits, geometry, max_nodes)
    pending = [_Turns(edges, choice) for edges in candidates]
    while pending:
        pending = [turns for turns in pending if turns.take()]
    choice.fill()
    return choice.neurons()


class _Choice:
    """The neurons chosen so far, and how much room each layer has left."""

    def __init__(self, bits: NDArray[np.float64], geometry: Geometry, max_nodes: int) -> None:
        self._bits, self._d_mlp = bits, geometry.d_mlp
        self.chosen: set[int] = set()
        self._room = _shares(bits.reshape(geometry.n_layer, -1) > 0, max_nodes)

    def added(self, *neurons: int) -> list[int] | None:
        """Return which of these are not chosen yet; None where a layer has no room for them."""
        new = [neuron for neuron in neurons if neuron not in self.chosen]
        fits = all(self._room[layer_of(neuron, self._d_mlp)] > 0 for neuron in new)
        return new if fits else None

    def add(self, neurons: list[int]) -> None:
        """Choose these."""
        self.chosen.update(neurons)
        for neuron in neurons:
            self._room[layer_of(neuron, self._d_mlp)] -= 1

    def fill(self) -> None:
        """Give the room that is left to each layer's most informative neurons."""
        for layer, room in enumerate(self._room.copy()):
            ids = layer_range(layer, self._d_mlp)
            bits = self._bits[ids.start : ids.stop]
            by_bits = ids.start + np.argsort(-bits, kind="stable")[: np.count_nonzero(bits)]
            free = (neuron for neuron in by_bits.tolist() if neuron not in self.chosen)
            self.add([neuron for neuron, _ in zip(free, range(room), strict=False)])

    def neurons(self) -> NDArray[np.int64]:
        """Return the chosen ids, ascending."""
        return np.array(sorted(self.chosen), np.int64)


def _shares(informative: NDArray[np.bool_], max_nodes: int) -> NDArray[np.int64]:
    """Return how many neurons each layer may have; what one cannot use goes to the others."""
    there = informative.sum(axis=1)
    shares = np.zeros(len(there), np.int64)
    left = max_nodes
    while left and (shares < there).any():
        open_layers = np.flatnonzero(shares < there)
        each = max(1, left // len(open_layers))
        for layer in open_layers[:left]:
            more = min(each, int(there[layer] - shares[layer]))
            shares[layer] += more
            left -= more
    return shares


class _Turns:
    """One layer pair's candidates, taken one by one."""

    def __init__(self, edges: NDArray[Any], choice: _Choice) -> None:
        fields = (edges["source"].tolist(), edges["target"].tolist(), edges["score"].tolist())
        self._edges = list(zip(*fields, strict=True))
        self._choice = choice

    def take(self) -> bool:
        """Choose the ends of the pair's best edge; False where none adds a neuron any more."""
        best: list[int] = []
        best_score = 0.0
        usable = []
        for index, (source, target, score) in enumerate(self._edges):
            if score <= best_score / 2:  # no later edge can do better, all its ends chosen or not
                usable += self._edges[index:]
                break
            new = self._choice.added(source, target)
            if not new:  # no room, now or later, or chosen already
                continue
            usable.append((source, target, score))
            if score * (2 / len(new)) > best_score:
                best, best_score = new, score * (2 / len(new))
        self._edges = usable
        self._choice.add(best)
        return bool(best)


class EdgesAmong:
    """The edges among chosen neurons: the strongest, or without weights the most informative."""

    def __init__(
        self,
        neurons: NDArray[np.int64],
        bits: NDArray[np.float64],
        geometry: Geometry,
        max_edges: int,
    ) -> None:
        self._chosen = np.zeros(geometry.n_neurons, bool)
        self._chosen[neurons] = True
        self._bits, self._max_edges = bits, max_edges
        self._best = _BestEdges(geometry, max_edges)
        self.weighted = False

    def add(self, block: "EdgeBlock") -> None:
        """Take a block of the edge list into account."""
        among = self._chosen[block.sources] & self._chosen[block.targets]
        self.weighted = block.weights is not None
        if block.weights is None:
            score = self._bits[block.sources] * self._bits[block.targets]
        else:
            score = np.abs(block.weights)
        self._best.offer(_edge_array(block, score, among))

    def table(self) -> pd.DataFrame:
        """Return `source,target` and, with weights, `weight`; by source, then target.

        The layer pairs take turns until there are `max_edges`, so that none takes the picture.
        """
        edges = self._best.by_turns()[: self._max_edges]
        edges = edges[np.lexsort((edges["target"], edges["source"]))]
        columns = ["source", "target", *(["weight"] if self.weighted else [])]
        return pd.DataFrame({name: edges[name] for name in columns})


@dataclass(frozen=True)
class Subgraph:
    """What the layered picture shows.

    neurons: neuron_id, layer, dimension, frequency (share of the samples), bits; by neuron_id.
    edges: source, target (neuron ids) and, where the edge list has it, weight.
    """

    neurons: pd.DataFrame
    edges: pd.DataFrame

    @property
    def weighted(self) -> bool:
        """Whether the edges have weights."""
        return "weight" in self.edges.columns


def neuron_table(
    neurons: NDArray[np.int64],
    frequency: NDArray[np.float64],
    bits: NDArray[np.float64],
    geometry: Geometry,
) -> pd.DataFrame:
    """Return the chosen neurons' table; frequency and bits are those of all neurons."""
    return pd.DataFrame(
        {
            "neuron_id": neurons,
            "layer": layer_of(neurons, geometry.d_mlp),
            "dimension": dimension_of(neurons, geometry.d_mlp),
            "frequency": frequency[neurons],
            "bits": bits[neurons],
        }
    )


def to_networkx(subgraph: Subgraph) -> "nx.DiGraph[int]":
    """Return the subgraph with its neurons' and edges' columns as attributes of plain types."""
    import networkx as nx

    graph: nx.DiGraph[int] = nx.DiGraph()
    for row in _records(subgraph.neurons):
        label = neuron_name(row["layer"], row["dimension"])
        graph.add_node(row.pop("neuron_id"), label=label, **row)
    for row in _records(subgraph.edges):
        graph.add_edge(row.pop("source"), row.pop("target"), **row)
    return graph


def _records(table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    columns = [table[name].tolist() for name in table.columns]
    for values in zip(*columns, strict=True):
        yield dict(zip(table.columns, values, strict=True))


def layer_order(subgraph: Subgraph, sweeps: int = 24) -> NDArray[np.float64]:
    """Return each neuron's place in its layer, 0 to 1, so that few edges cross.

    Barycentre method of Sugiyama et al. 1981: each layer in turn is sorted by the mean place of its
    neighbours in the layer before, then in the layer after; neurons without edges keep their place.
    """
    layers = subgraph.neurons["layer"].to_numpy()
    row_of = {neuron: row for row, neuron in enumerate(subgraph.neurons["neuron_id"].tolist())}
    sources = subgraph.edges["source"].map(row_of).to_numpy(np.int64)
    targets = subgraph.edges["target"].map(row_of).to_numpy(np.int64)
    places = np.zeros(len(layers))
    for layer in np.unique(layers):
        _spread(places, np.flatnonzero(layers == layer), places)
    for sweep in range(sweeps):
        forward = sweep % 2 == 0
        ends = (sources, targets) if forward else (targets, sources)
        for layer in np.unique(layers)[:: 1 if forward else -1]:
            rows = np.flatnonzero(layers == layer)
            _spread(places, rows, _barycentres(places, *ends))
    return places


def _barycentres(
    places: NDArray[np.float64], sources: NDArray[np.int64], targets: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the mean place of each row's sources, its own place where it has none."""
    total = np.bincount(targets, places[sources], len(places))
    count = np.bincount(targets, minlength=len(places))
    return np.where(count > 0, total / np.maximum(count, 1), places)


def _spread(
    places: NDArray[np.float64], rows: NDArray[np.int64], keys: NDArray[np.float64]
) -> None:
    """Space these rows evenly in the order of their keys, in place."""
    in_order = rows[np.argsort(keys[rows], kind="stable")]
    places[in_order] = (np.arange(len(rows)) + 0.5) / len(rows)
