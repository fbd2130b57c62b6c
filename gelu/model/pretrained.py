"""Decoders of all families but GPT-2: transformers' own modules, with faster matrix products.

    network = build_network(config, tensors, "float32")
    model = PretrainedDecoder(network, geometry, family)

The forward pass is transformers' and so are its results; what is ours is the memory of keys and
values, and on CPUs the library that multiplies. No code of a repository is run, and nothing is
read but what is handed over.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForCausalLM
from transformers.cache_utils import Cache, DynamicLayer
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING
from transformers.utils import logging

from gelu.model.decoder import Decoder, KeyValueCache
from gelu.model.families import Family
from gelu.model.matmul import affine, pack
from gelu.neurons import Geometry

# What a configuration may ask for besides the computation: other outputs, another attention.
_PLAIN = {
    "return_dict": True,
    "output_attentions": False,
    "output_hidden_states": False,
    "attn_implementation": None,
}


class _Layer(DynamicLayer):
    """One layer's keys and values as transformers asks for them, kept in ours."""

    def __init__(self, cache: KeyValueCache, layer: int) -> None:
        super().__init__()
        self._cache, self._layer = cache, layer

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return self._cache.extend(self._layer, key_states, value_states)

    def get_seq_length(self) -> int:
        return self._cache.length


class _Projection(nn.Module):
    """A linear layer with weights laid out for fast products."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias = linear.weight, linear.bias
        self._packed = pack(linear.weight.t())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return affine(x, self.weight.t(), self.bias, self._packed)


class PretrainedDecoder(Decoder):
    """A causal language model of transformers behind the interface of all models here."""

    def __init__(self, network: Any, geometry: Geometry, family: Family) -> None:
        super().__init__()
        self.geometry, self.family = geometry, family
        self._network = network
        self._is_packed = False
        self.requires_grad_(False).eval()

    @property
    def network(self) -> Any:
        """transformers' model."""
        return self._network

    def pack(self) -> None:
        """Lay out copies of the weights, as `Decoder.pack` says."""
        if self._is_packed:
            return
        for module in list(self._network.modules()):
            for name, child in module.named_children():
                if isinstance(child, nn.Linear):
                    setattr(module, name, _Projection(child))
        self._is_packed = True

    def _logits(
        self,
        ids: torch.Tensor,
        cache: KeyValueCache | None,
        positions: torch.Tensor,
        there: torch.Tensor | None,
    ) -> torch.Tensor:
        past = None
        if cache is not None:
            past = Cache(layers=[_Layer(cache, i) for i in range(self.geometry.n_layer)])
        output = self._network(
            input_ids=ids,
            attention_mask=there,
            position_ids=positions,
            past_key_values=past,
            use_cache=past is not None,
            logits_to_keep=1,
        )
        logits: torch.Tensor = output.logits[:, -1]
        return logits


def build_network(
    config: Mapping[str, Any], tensors: dict[str, torch.Tensor], dtype: str
) -> tuple[Any, list[str]]:
    """Return transformers' model of a configuration with these weights, and which it lacks.

    config: of a known family, as `config.json` has it. tensors: named as in published checkpoints.
    The second result names tensors that are missing, of another shape or whole numbers; where it
    names any, the first is None: weights drawn at random in their place would look like any other.
    """
    settings = CONFIG_MAPPING[config["model_type"]].from_dict({**config, **_PLAIN})
    kind: Any = MODEL_FOR_CAUSAL_LM_MAPPING[type(settings)]
    with torch.device("meta"):
        needed = dict(kind(settings).named_parameters())
    # Whole numbers are quantised weights: without their scale they mean nothing.
    prefix = f"{kind.base_model_prefix}."
    whole = sorted(
        name
        for name, tensor in tensors.items()
        if not tensor.is_floating_point() and {name, prefix + name} & needed.keys()
    )
    if whole:
        return None, whole
    # Before memory is taken for what a configuration of a few lines asks for.
    if sum(it.numel() for it in needed.values()) > sum(it.numel() for it in tensors.values()):
        return None, sorted(
            name
            for name, parameter in needed.items()
            if name not in tensors or tensors[name].shape != parameter.shape
        )
    with quiet_transformers():
        network, found = kind.from_pretrained(
            None,
            config=settings,
            state_dict=tensors,
            dtype=getattr(torch, dtype),
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
    unloaded = {*found["missing_keys"], *(name for name, *_ in found["mismatched_keys"])}
    return (None, sorted(unloaded)) if unloaded else (network, [])


def read_gguf(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Return the configuration and the dequantised float32 weights of a file of llama.cpp.

    As `build_network` takes them; tensors that share memory stand there once. Raises whatever the
    reader does for a damaged file, and `ValueError` where tensors are missing.
    """
    network, found = AutoModelForCausalLM.from_pretrained(
        path.parent,
        gguf_file=path.name,
        dtype=torch.float32,
        local_files_only=True,
        output_loading_info=True,
    )
    lacking = sorted({*found["missing_keys"], *(name for name, *_ in found["mismatched_keys"])})
    if lacking:
        raise ValueError(f"it lacks or misshapes {len(lacking)} tensors, first {lacking[0]}")
    config = network.config.to_dict()
    for name in ("quantization_config", "_name_or_path"):
        config.pop(name, None)
    tied = set(network.all_tied_weights_keys)
    tensors = network.state_dict().items()
    return config, {name: it.contiguous() for name, it in tensors if name not in tied}


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Let transformers say nothing: what is wrong is said in our own words."""
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
