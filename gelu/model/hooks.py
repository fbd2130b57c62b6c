"""Recording the neurons behind a GPT-2's activation function.

    with GeluRecorder(model, positions=-1) as recorder:
        model(input_ids)
        active = recorder.take()            # (batch, n_neurons) bool, on the model's device

Nothing else in the project registers a hook. With a key-value cache each forward after the first
sees only the newest token, so `positions=-1` is the context token of the next one in both cases.
"""

from types import TracebackType
from typing import Any, Literal

import torch

Keep = Literal["active", "value"]


def activation_modules(model: Any) -> list[torch.nn.Module]:
    """Return the activation module of each layer's MLP, first layer first.

    Raises `LookupError` for a model that is not built like GPT-2.
    """
    try:
        return [block.mlp.act for block in model.transformer.h]
    except AttributeError as error:
        raise LookupError(
            f"{type(model).__name__} has no transformer.h[i].mlp.act: {error}"
        ) from None


class GeluRecorder:
    """Context manager that records each MLP's activations after its GELU, one entry per forward.

    positions: which positions of a forward to keep: an int (that one, its axis dropped), a slice,
        or None (all).
    keep: `active` records value > 0 as bool, `value` the activations themselves.

    What is not asked for is not kept, and nothing is moved off the model's device. The hooks are
    gone after the block, also when it ends by an exception; what was recorded stays readable.
    """

    def __init__(
        self, model: Any, positions: int | slice | None = None, keep: Keep = "active"
    ) -> None:
        if keep not in ("active", "value"):
            raise ValueError(f"keep is {keep!r}; 'active' and 'value' are known")
        self._modules = activation_modules(model)
        self._positions = slice(None) if positions is None else positions
        self._keep = keep
        self._handles: list[torch.utils.hooks.RemovableHandle] = []
        self._layers: list[list[torch.Tensor]] = [[] for _ in self._modules]

    def __enter__(self) -> "GeluRecorder":
        try:
            for layer, module in enumerate(self._modules):
                self._handles.append(module.register_forward_hook(self._hook(layer)))
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._remove()

    def _remove(self) -> None:
        while self._handles:
            self._handles.pop().remove()

    def _hook(self, layer: int) -> Any:
        entries = self._layers[layer]

        def record(module: torch.nn.Module, inputs: Any, output: torch.Tensor) -> None:
            kept = output[:, self._positions]
            # The slice is a view: clone it, or it would keep the whole activation alive.
            entries.append(_is_active(kept) if self._keep == "active" else kept.detach().clone())

        return record

    def take(self) -> torch.Tensor:
        """Return and forget the oldest recorded forward, layers side by side in neuron order.

        Shape (batch, n_neurons) for an int position, else (batch, positions, n_neurons).
        Raises `LookupError` where no complete forward is recorded.
        """
        if not all(self._layers):
            raise LookupError("no complete forward pass was recorded")
        return torch.cat([entries.pop(0) for entries in self._layers], dim=-1)


def _is_active(values: torch.Tensor) -> torch.Tensor:
    # For as few values as a step has, torch's threads take longer to meet than to compare.
    if values.device.type == "cpu" and values.dtype == torch.float32:
        return torch.from_numpy(values.detach().numpy() > 0)
    return values > 0
