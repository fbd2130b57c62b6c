"""Choosing neurons and edges, against known answers."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from gelu.artifacts import EdgeBlock
from gelu.graph.subgraph import (
    EdgeCandidates,
    EdgesAmong,
    Subgraph,
    choose_neurons,
    layer_order,
    neuron_table,
    to_networkx,
)
from gelu.neurons import Geometry
from gelu.statistics.information import activity_entropy, activity_surprisal

Edge = tuple[int, int, float]


def block(*edges: Edge) -> EdgeBlock:
    sources, targets, weights = zip(*edges, strict=True)
    return EdgeBlock(np.array(sources), np.array(targets), np.array(weights, float))


def choose(
    bits: NDArray[np.float64], geometry: Geometry, edges: list[Edge], max_nodes: int
) -> list[int]:
    candidates = EdgeCandidates(bits, geometry)
    candidates.add(block(*edges))
    return choose_neurons(bits, geometry, candidates.best(), max_nodes).tolist()


def test_entropy_is_0_for_always_and_never_and_1_for_half() -> None:
    bits = activity_entropy(np.array([0, 1, 4, 8]), 8)
    assert bits == pytest.approx([0, 0.5435644431995964, 1, 0])
    assert (np.signbit(bits) == 0).all()


def test_surprisal_counts_active_neurons_alone() -> None:
    active = np.array([True, True, False, True])
    bits = activity_surprisal(np.array([1, 4, 1, 8]), 8, active)
    assert bits.tolist() == [3, 1, 0, 0]


def test_the_strongest_edge_between_informative_neurons_is_chosen() -> None:
    # Neuron 0 is always on, so its huge edge counts for nothing; 3 and 7 tell most by themselves.
    bits = np.array([0, 0.5, 0.5, 1, 0.5, 0.5, 0.5, 1])
    edges = [(0, 4, 100.0), (1, 5, -9.0), (2, 6, 1.0), (3, 7, 0.5)]
    assert choose(bits, Geometry(2, 1, 4, 0), edges, 2) == [1, 5]


@pytest.mark.parametrize(("weight", "target"), [(6.0, 8), (4.0, 9)])
def test_an_edge_from_a_chosen_neuron_counts_double(weight: float, target: int) -> None:
    # Layer 2 has room for one: for 8, which goes on from 4, or for 9, of an edge by itself.
    edges = [(0, 4, 10.0), (4, 8, weight), (5, 9, 10.0)]
    assert choose(np.ones(12), Geometry(3, 1, 4, 0), edges, 5) == [0, 1, 4, 5, target]


def test_no_layer_pair_takes_the_picture() -> None:
    geometry = Geometry(3, 1, 10, 0)
    loud = [(source, 10 + source, 1000.0) for source in range(10)]
    quiet = [(10 + source, 20 + source, 0.001) for source in range(10)]
    chosen = np.array(choose(np.ones(30), geometry, loud + quiet, 9))
    assert np.bincount(chosen // 10).tolist() == [3, 3, 3]


def test_what_edges_leave_free_goes_to_the_most_informative() -> None:
    bits = np.array([0.1, 0.2, 0.9, 0, 0.3, 0.8, 0.8, 0])
    assert choose(bits, Geometry(2, 1, 4, 0), [(0, 4, 1.0)], 4) == [0, 2, 4, 5]


@pytest.mark.parametrize(("max_nodes", "expected"), [(1, 1), (5, 5), (6, 6), (100, 9)])
def test_no_more_than_asked_and_none_that_tells_nothing(max_nodes: int, expected: int) -> None:
    bits = np.array([1.0] + [0] * 7 + [1.0] * 8)
    chosen = choose(bits, Geometry(2, 1, 8, 0), [(0, 8, 1.0)], max_nodes)
    assert len(chosen) == expected and (bits[chosen] > 0).all()


def test_ties_go_by_id_whatever_the_order_of_the_edges() -> None:
    geometry = Geometry(2, 1, 50, 0)
    edges = [(source, target, 1.0) for source in range(50) for target in range(50, 100)]
    backwards = choose(np.ones(100), geometry, edges[::-1], 10)
    assert choose(np.ones(100), geometry, edges, 10) == backwards
    assert backwards == [0, 1, 2, 3, 4, 50, 51, 52, 53, 54]


def random_edges(geometry: Geometry, seed: int = 0) -> list[Edge]:
    rng = np.random.default_rng(seed)
    d_mlp, pairs = geometry.d_mlp, geometry.n_layer - 1
    return [
        (source, (source // d_mlp + 1) * d_mlp + target, float(np.round(rng.normal(), 1)))
        for source in range(pairs * d_mlp)
        for target in range(d_mlp)
    ]


def test_candidates_are_the_best_of_all_however_the_list_is_cut() -> None:
    geometry, rng = Geometry(3, 1, 12, 0), np.random.default_rng(3)
    edges, bits = random_edges(geometry), rng.random(36).round(1)
    candidates = EdgeCandidates(bits, geometry, per_pair=20)
    for start in range(0, len(edges), 7):
        candidates.add(block(*edges[start : start + 7]))
    for pair, found in enumerate(candidates.best()):
        scored = [(-abs(w) * bits[s] * bits[t], s, t) for s, t, w in edges if s // 12 == pair]
        expected = [(s, t) for score, s, t in sorted(scored) if score < 0][:20]
        assert (
            list(zip(found["source"].tolist(), found["target"].tolist(), strict=True)) == expected
        )


def test_edges_among_the_chosen_are_the_strongest_and_shared_among_layer_pairs() -> None:
    geometry = Geometry(3, 1, 12, 0)
    neurons = np.array([0, 3, 5, 12, 14, 17, 24, 25])
    edges = random_edges(geometry, seed=2)
    among = EdgesAmong(neurons, np.ones(36), geometry, 6)
    for start in range(0, len(edges), 11):
        among.add(block(*edges[start : start + 11]))
    expected = []
    for pair in range(2):
        inside = [e for e in edges if e[0] // 12 == pair and {*e[:2]} <= {*neurons.tolist()}]
        expected += sorted(inside, key=lambda e: (-abs(e[2]), e[0], e[1]))[:3]
    assert min(weight for _, _, weight in expected) < 0 < max(weight for _, _, weight in expected)
    table = among.table()
    assert list(table.itertuples(index=False, name=None)) == sorted(expected)


def test_without_weights_the_edges_of_the_most_informative_neurons() -> None:
    bits = np.array([1.0, 0.5, 1.0, 0.5])
    among = EdgesAmong(np.arange(4), bits, Geometry(2, 1, 2, 0), 2)
    among.add(EdgeBlock(np.array([1, 1, 0, 0]), np.array([2, 3, 2, 3]), None))
    table = among.table()
    assert table.columns.tolist() == ["source", "target"]
    assert table.to_numpy().tolist() == [[0, 2], [0, 3]]


def test_a_model_of_one_layer_has_neurons_and_no_edges() -> None:
    bits, geometry = np.array([0.5, 0, 1]), Geometry(1, 1, 3, 0)
    neurons = choose_neurons(bits, geometry, EdgeCandidates(bits, geometry).best(), 5)
    assert neurons.tolist() == [0, 2]
    assert EdgesAmong(neurons, bits, geometry, 5).table().empty


def subgraph(neurons: list[int], d_mlp: int, edges: list[Edge]) -> Subgraph:
    size = max(neurons) + 1
    geometry = Geometry(-(-size // d_mlp), 1, d_mlp, 0)
    table = neuron_table(np.array(neurons), np.full(size, 0.25), np.full(size, 0.5), geometry)
    return Subgraph(table, pd.DataFrame(edges, columns=["source", "target", "weight"]))


def test_the_order_undoes_crossings() -> None:
    crossed = [(0, 9, 1.0), (1, 8, 1.0), (2, 7, 1.0), (3, 6, 1.0), (4, 5, 1.0)]
    places = layer_order(subgraph(list(range(10)), 5, crossed))
    assert sorted(places[:5]) == sorted(places[5:]) == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9])
    assert all(places[source] == places[target] for source, target, _ in crossed)


def test_the_graph_carries_plain_attributes() -> None:
    graph = to_networkx(subgraph([1, 4], 3, [(1, 4, -2.5)]))
    assert isinstance(graph, nx.DiGraph)
    expected = {"label": "L1.1", "layer": 1, "dimension": 1, "frequency": 0.25, "bits": 0.5}
    assert graph.nodes[4] == expected
    assert [type(value) for value in graph.nodes[4].values()] == [str, int, int, float, float]
    assert list(graph.edges(data=True)) == [(1, 4, {"weight": -2.5})]
