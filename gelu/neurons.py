"""The neurons of a model's MLPs: how many there are, their ids, layers and dimensions."""

from dataclasses import dataclass
from typing import Any

# What no GPT-2 has, and what would take the memory of the machine before a weight is read.
LARGEST = {"n_layer": 1000, "vocab_size": 1 << 24, "n_positions": 1 << 24}
LARGEST_WIDTH = 1 << 20
LARGEST_N_NEURONS = (1 << 31) - 1  # the files' neuron ids have 32 bits


@dataclass(frozen=True)
class Geometry:
    """The shape of a GPT-2's MLP neurons. `neuron_id = layer * d_mlp + dimension`, 0-based."""

    n_layer: int
    n_embd: int
    d_mlp: int
    n_positions: int
    vocab_size: int = 50257

    @property
    def n_neurons(self) -> int:
        """Number of neurons of the whole model."""
        return self.n_layer * self.d_mlp


def layer_of(neuron_ids: Any, d_mlp: int) -> Any:
    """Return the layer of each neuron, 0-based; of one id or an array."""
    return neuron_ids // d_mlp


def dimension_of(neuron_ids: Any, d_mlp: int) -> Any:
    """Return each neuron's place within its layer, 0-based; of one id or an array."""
    return neuron_ids % d_mlp


def neuron_id(layer: Any, dimension: Any, d_mlp: int) -> Any:
    """Return the id of a neuron by its layer and its place there; of numbers or arrays."""
    return layer * d_mlp + dimension


def layer_range(layer: int, d_mlp: int) -> range:
    """Return the ids of a layer's neurons; a picture or file of a layer begins at its `start`."""
    return range(layer * d_mlp, (layer + 1) * d_mlp)


def layer_width(n_neurons: int, n_layer: int) -> int:
    """Return `d_mlp`, the neurons of one layer, of those of the whole model."""
    return n_neurons // n_layer


def neuron_name(layer: Any, dimension: Any) -> str:
    """Return what people call a neuron, such as L3.499."""
    return f"L{layer}.{dimension}"
