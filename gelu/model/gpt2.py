"""GPT-2 for reading and writing text, not for training: small, quick to import, quick to run.

    model = load_model(find_model("gpt2-demo"), "cpu")   # gelu.model.loading
    logits = model(ids)                                 # (rows, vocabulary), at the last position
    cache = KeyValueCache(rows, positions)
    logits = model(ids, cache)                          # the next call goes on after these

Radford et al. 2019, "Language models are unsupervised multitask learners". Modules and tensors have
the names of published checkpoints (`transformer.h.0.mlp.c_fc.weight`). Importing transformers'
model takes three times as long as importing torch; the tests hold this one against it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from gelu.model.decoder import Decoder, KeyValueCache, padding_mask
from gelu.model.families import FAMILIES
from gelu.model.matmul import affine, pack
from gelu.neurons import Geometry

_TANH_GELU = partial(nn.GELU, approximate="tanh")
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "gelu_new": _TANH_GELU,
    "gelu_fast": _TANH_GELU,
    "gelu_pytorch_tanh": _TANH_GELU,
    "gelu": nn.GELU,
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "swish": nn.SiLU,
}


@dataclass(frozen=True)
class Architecture:
    """What a `config.json` says about the computation; names are those of the file.

    Raises `ValueError` for a combination that is no GPT-2.
    """

    geometry: Geometry
    n_head: int
    activation_function: str = "gelu_new"
    layer_norm_epsilon: float = 1e-5
    scale_attn_weights: bool = True
    scale_attn_by_inverse_layer_idx: bool = False
    tie_word_embeddings: bool = True

    def __post_init__(self) -> None:
        if self.geometry.n_embd % self.n_head:
            raise ValueError(
                f"n_embd {self.geometry.n_embd} is no multiple of n_head {self.n_head}"
            )
        if self.activation_function not in ACTIVATIONS:
            raise ValueError(
                f"activation_function is {self.activation_function!r}; known are "
                f"{', '.join(ACTIVATIONS)}"
            )


class _Projection(nn.Module):
    """x @ weight + bias, weight as GPT-2 has it: (n_in, n_out)."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_in, n_out), requires_grad=False)
        self.bias = nn.Parameter(torch.empty(n_out), requires_grad=False)
        self.packed: torch.Tensor | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return affine(x, self.weight, self.bias, self.packed)


class _Vectors(nn.Module):
    """One vector for each token or position, weight (n, n_embd).

    torch's own `Embedding` and `Linear` would draw first weights, which are never used: on the
    meta device that loads torch's whole compiler.
    """

    def __init__(self, n: int, n_embd: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n, n_embd), requires_grad=False)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return functional.embedding(ids, self.weight)


class _Attention(nn.Module):
    def __init__(self, architecture: Architecture, layer: int) -> None:
        super().__init__()
        n_embd, self.n_head, self.layer = architecture.geometry.n_embd, architecture.n_head, layer
        self.scale = (n_embd // self.n_head) ** -0.5 if architecture.scale_attn_weights else 1.0
        if architecture.scale_attn_by_inverse_layer_idx:
            self.scale /= layer + 1
        self.c_attn = _Projection(n_embd, 3 * n_embd)
        self.c_proj = _Projection(n_embd, n_embd)

    def forward(
        self, x: torch.Tensor, cache: KeyValueCache | None, mask: torch.Tensor | None
    ) -> torch.Tensor:
        rows, n_new, n_embd = x.shape
        split = self.c_attn(x).view(rows, n_new, 3, self.n_head, n_embd // self.n_head)
        query, keys, values = split.permute(2, 0, 3, 1, 4)
        if cache is not None:
            keys, values = cache.extend(self.layer, keys, values)
        mixed = functional.scaled_dot_product_attention(
            query, keys, values, mask, is_causal=mask is None and n_new > 1, scale=self.scale
        )
        projected: torch.Tensor = self.c_proj(mixed.transpose(1, 2).reshape(rows, n_new, n_embd))
        return projected


class _Mlp(nn.Module):
    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        geometry = architecture.geometry
        self.c_fc = _Projection(geometry.n_embd, geometry.d_mlp)
        self.act = ACTIVATIONS[architecture.activation_function]()
        self.c_proj = _Projection(geometry.d_mlp, geometry.n_embd)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        written: torch.Tensor = self.c_proj(self.act(self.c_fc(x)))
        return written


class _Block(nn.Module):
    def __init__(self, architecture: Architecture, layer: int) -> None:
        super().__init__()
        n_embd, epsilon = architecture.geometry.n_embd, architecture.layer_norm_epsilon
        self.ln_1 = nn.LayerNorm(n_embd, epsilon)
        self.attn = _Attention(architecture, layer)
        self.ln_2 = nn.LayerNorm(n_embd, epsilon)
        self.mlp = _Mlp(architecture)

    def forward(
        self, x: torch.Tensor, cache: KeyValueCache | None, mask: torch.Tensor | None
    ) -> torch.Tensor:
        x = x + self.attn(self.ln_1(x), cache, mask)
        written: torch.Tensor = x + self.mlp(self.ln_2(x))
        return written


class _Transformer(nn.Module):
    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        geometry = architecture.geometry
        self.wte = _Vectors(geometry.vocab_size, geometry.n_embd)
        self.wpe = _Vectors(geometry.n_positions, geometry.n_embd)
        self.h = nn.ModuleList(_Block(architecture, layer) for layer in range(geometry.n_layer))
        self.ln_f = nn.LayerNorm(geometry.n_embd, architecture.layer_norm_epsilon)


class GPT2(Decoder):
    """A GPT-2 with its language-model head."""

    family = FAMILIES["gpt2"]

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture, self.geometry = architecture, architecture.geometry
        self.transformer = _Transformer(architecture)
        geometry = architecture.geometry
        self.lm_head = _Vectors(geometry.vocab_size, geometry.n_embd)
        self._packed_head: torch.Tensor | None = None
        self._is_packed = False
        self.tie_weights()
        self.requires_grad_(False).eval()

    def tie_weights(self) -> None:
        """Let the head share the embedding's weights, where the architecture says so."""
        if self.architecture.tie_word_embeddings:
            self.lm_head.weight = self.transformer.wte.weight

    def pack(self) -> None:
        """Lay out copies of the weights, as `Decoder.pack` says."""
        if self._is_packed:
            return
        for module in self.modules():
            if isinstance(module, _Projection):
                module.packed = pack(module.weight)
        self._packed_head = pack(self.lm_head.weight.t())
        self._is_packed = True

    @property
    def network(self) -> Any:
        """Itself: its modules have the names of published checkpoints."""
        return self

    def _matrix(self, module: Any) -> torch.Tensor:
        weight: torch.Tensor = module.weight.float()  # (inputs, outputs) as they are
        return weight

    def _logits(
        self,
        ids: torch.Tensor,
        cache: KeyValueCache | None,
        positions: torch.Tensor,
        there: torch.Tensor | None,
    ) -> torch.Tensor:
        x = self.transformer.wte(ids) + self.transformer.wpe(positions)
        mask = None
        if there is not None:
            # Attention would turn bools into this in every layer.
            reads = padding_mask(there, ids.shape[1])
            mask = x.new_zeros(reads.shape).masked_fill_(~reads, float("-inf"))
        for block in self.transformer.h:
            x = block(x, cache, mask)
        last = self.transformer.ln_f(x[:, -1])
        return affine(last, self.lm_head.weight.t(), packed=self._packed_head)
