"""Neuron ids, layers and dimensions turn into each other."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gelu.neurons import dimension_of, layer_of, layer_range, layer_width, neuron_id


@given(st.integers(1, 40), st.integers(1, 9000))
def test_ids_count_through_the_layers(n_layer: int, d_mlp: int) -> None:
    assert layer_width(n_layer * d_mlp, n_layer) == d_mlp
    ids = [layer_range(layer, d_mlp) for layer in range(n_layer)]
    assert [it.start for it in ids[1:]] == [it.stop for it in ids[:-1]]
    assert (ids[0].start, ids[-1].stop) == (0, n_layer * d_mlp)
    for layer in (0, n_layer - 1):
        for dimension in (0, d_mlp - 1):
            one = neuron_id(layer, dimension, d_mlp)
            assert one == ids[layer][dimension]
            assert (layer_of(one, d_mlp), dimension_of(one, d_mlp)) == (layer, dimension)


def test_arrays_go_element_by_element() -> None:
    ids = np.arange(6)
    assert neuron_id(layer_of(ids, 3), dimension_of(ids, 3), 3).tolist() == ids.tolist()
    assert layer_of(ids, 3).tolist() == [0, 0, 0, 1, 1, 1]
