"""What every model is here, whoever runs its forward: one interface for all families.

    logits = model(ids)                     # (rows, vocabulary), at the last position
    cache = KeyValueCache(rows, positions)
    logits = model(ids, cache)              # the next call goes on after these
    model.mlp_weights(layer).w_out          # what its neurons write to the residual stream

`gelu.model.gpt2` is GPT-2, `gelu.model.pretrained` any other family by transformers' modules.
"""

from abc import abstractmethod
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gelu.model.families import Family
from gelu.neurons import Geometry


class KeyValueCache:
    """What attention needs of the tokens read so far, in memory of fixed size.

    Each layer's keys and values are (rows, key heads, positions, head size); their memory is taken
    when the first of them are known, and zero: padding has weight 0, and 0 times NaN would be NaN.
    length: positions in use.
    """

    def __init__(self, rows: int, positions: int) -> None:
        self.rows, self.positions, self.length = rows, positions, 0
        self._layers: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def extend(
        self, layer: int, keys: torch.Tensor, values: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Keep one layer's new keys and values; return all of them so far.

        `length` stays: the model moves it on when all layers have been through.
        """
        mine = self._layer(layer, keys, values)
        end = self.length + keys.shape[2]
        mine[0][:, :, self.length : end] = keys
        mine[1][:, :, self.length : end] = values
        return mine[0][:, :, :end], mine[1][:, :, :end]

    def _layer(
        self, layer: int, keys: torch.Tensor, values: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return one layer's memory, taken with the heads and sizes of these."""
        if layer not in self._layers:
            shapes = [
                (self.rows, it.shape[1], self.positions, it.shape[3]) for it in (keys, values)
            ]
            self._layers[layer] = (keys.new_zeros(shapes[0]), values.new_zeros(shapes[1]))
        return self._layers[layer]

    def select(self, rows: torch.Tensor) -> "KeyValueCache":
        """Return a cache of these rows alone."""
        chosen = KeyValueCache(len(rows), self.positions)
        chosen.length = self.length
        chosen._layers = {
            layer: (keys[rows], values[rows]) for layer, (keys, values) in self._layers.items()
        }
        return chosen

    def take_over(
        self,
        other: "KeyValueCache",
        from_rows: NDArray[np.int64],
        to_rows: NDArray[np.int64],
        start: int,
    ) -> None:
        """Copy all positions of another cache's rows to rows of this one, `start` and on."""
        end = start + other.length
        for layer, theirs in other._layers.items():
            device = theirs[0].device
            source, target = (torch.as_tensor(r, device=device) for r in (from_rows, to_rows))
            for mine, its in zip(self._layer(layer, *theirs), theirs, strict=True):
                mine[target, :, start:end] = its[source, :, : other.length]


@dataclass(frozen=True)
class Mlp:
    """The modules of one layer's MLP: of its activation function, and the one its neurons go to."""

    activation: nn.Module
    w_out: nn.Module


@dataclass(frozen=True)
class MlpWeights:
    """What one layer's neurons read of the residual stream and write to it, float32.

    w_in: (n_embd, d_mlp), the gate's side where there is one. reads: (n_embd,), the weight of the
    norm before it. w_out: (d_mlp, n_embd). writes: (n_embd,), the weight of the norm behind it, 1
    where there is none. The norms' own scales, one number a token, are left out.
    """

    w_in: torch.Tensor
    reads: torch.Tensor
    w_out: torch.Tensor
    writes: torch.Tensor


class Decoder(nn.Module):
    """A language model in evaluation mode, without gradients."""

    geometry: Geometry
    family: Family

    def forward(
        self,
        ids: torch.Tensor,
        cache: KeyValueCache | None = None,
        positions: torch.Tensor | None = None,
        there: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Read tokens; return the logits after the last one, (rows, vocabulary).

        ids: (rows, new tokens). cache: what was read before, to which these are added; several
        new tokens need an empty one. positions: each token's place in its text, (rows, new
        tokens), by default counted on from the cache. there: which of all tokens so far are no
        padding, bool (rows, all tokens); None for all of them. Each new token reads itself and
        those before it that are there. Raises `ValueError` for several new tokens after others.
        """
        start, n_new = 0 if cache is None else cache.length, ids.shape[1]
        if start and n_new > 1:
            raise ValueError("several new tokens after others: the cache must be empty")
        if positions is None:
            positions = torch.arange(start, start + n_new, device=ids.device)[None]
        logits = self._logits(ids, cache, positions, there)
        if cache is not None:
            cache.length += n_new
        return logits

    @abstractmethod
    def _logits(
        self,
        ids: torch.Tensor,
        cache: KeyValueCache | None,
        positions: torch.Tensor,
        there: torch.Tensor | None,
    ) -> torch.Tensor:
        """Return the logits after the last token; `forward` has checked what it hands over."""

    @abstractmethod
    def pack(self) -> None:
        """Lay out copies of the weights for many fast forwards; they must not change afterwards.

        Takes the weights' memory once more on CPUs, nothing elsewhere, and changes no result.
        """

    @property
    @abstractmethod
    def network(self) -> Any:
        """The model whose modules are called as the family says."""

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """The weights' and so the activations' type."""
        return next(self.parameters()).dtype

    def mlp_weights(self, layer: int) -> MlpWeights:
        """Return the weights of one layer's MLP."""
        family = self.family
        block = part(self.network, family.blocks)[layer]
        before = next(name for name in family.reads if hasattr(block, name))
        return MlpWeights(
            self._matrix(part(block, family.w_in)),
            self._norm_weight(part(block, before)),
            self._matrix(part(block, family.w_out)),
            self._norm_weight(None if family.writes is None else part(block, family.writes)),
        )

    def unembedding(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the last norm's weight, (n_embd,), and the logits' weights, (vocabulary, n_embd).

        Both float32; the second with the projection before it, where a model has one.
        """
        weight = self.network.lm_head.weight.float()
        projection = _project_out(self.network)
        if projection is not None:
            weight = weight @ projection.weight.float()
        return self._norm_weight(part(self.network, self.family.final_norm)), weight

    def _matrix(self, module: Any) -> torch.Tensor:
        """Return a projection's weight as (inputs, outputs)."""
        weight: torch.Tensor = module.weight.float().t()
        return weight

    def _norm_weight(self, norm: Any) -> torch.Tensor:
        """Return what a norm multiplies by: 1 for none, and for one without weights."""
        weight = getattr(norm, "weight", None)
        if weight is None:
            return torch.ones(self.geometry.n_embd, device=self.device)
        scale: torch.Tensor = weight.float() + self.family.norm_offset
        return scale


def part(module: Any, path: str) -> Any:
    """Return the attribute that a path such as `mlp.act` leads to."""
    return reduce(getattr, path.split("."), module)


def mlp_of(network: Any, family: Family) -> list[Mlp]:
    """Return the modules of each layer's MLP, first layer first, of a family's network."""
    return [
        Mlp(part(block, family.activation), part(block, family.w_out))
        for block in part(network, family.blocks)
    ]


def _project_out(network: Any) -> Any:
    # OPT-350m's embedding is narrower than its residual stream.
    return getattr(getattr(getattr(network, "model", None), "decoder", None), "project_out", None)


def padding_mask(there: torch.Tensor, n_new: int) -> torch.Tensor:
    """Return which tokens each new one reads, bool (rows, 1, new tokens, all tokens).

    there: as in `Decoder.forward`. Padding reads itself: a row of attention without any key would
    be no number.
    """
    columns = torch.arange(there.shape[1], device=there.device)
    new = columns[-n_new:, None]
    return ((there[:, None, :] | (columns == new)) & (columns <= new))[:, None]
