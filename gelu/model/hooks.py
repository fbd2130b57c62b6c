"""Recording the neurons of a decoder's MLPs.

    with GeluRecorder(model, positions=-1) as recorder:
        model(input_ids)
        active = recorder.take()            # (batch, n_neurons) bool, on the model's device

Whether a neuron is active is decided behind the activation function, on the gate's side where an
MLP has one; its value is what the projection behind reads. Nothing else in the project registers a
hook. With a key-value cache each forward after the first sees only the newest token, so
`positions=-1` is the context token of the next one in both cases.
"""

from types import TracebackType
from typing import Any, Literal

import torch

from gelu.model.decoder import Decoder, Mlp, mlp_of
from gelu.model.families import family_of

Keep = Literal["active", "value"]


def mlp_modules(model: Any) -> list[Mlp]:
    """Return the modules of each layer's MLP, first layer first.

    model: a `Decoder`, or a transformers model of a known family. Raises `LookupError` for any
    other.
    """
    network = model.network if isinstance(model, Decoder) else model
    config = getattr(network, "config", None)
    family = model.family if isinstance(model, Decoder) else config and family_of(config.to_dict())
    if not family:
        raise LookupError(f"{type(model).__name__} is no decoder of a known family")
    return mlp_of(network, family)


class GeluRecorder:
    """Context manager that records each MLP's neurons, one entry per forward.

    positions: which positions of a forward to keep: an int (that one, its axis dropped), a slice,
        or None (all).
    keep: `active` records the activation function's output > 0 as bool, `value` what the neurons
        hand on: that output, in gated MLPs times the other projection.

    What is not asked for is not kept, and nothing is moved off the model's device. The hooks are
    gone after the block, also when it ends by an exception; what was recorded stays readable.
    """

    def __init__(
        self, model: Any, positions: int | slice | None = None, keep: Keep = "active"
    ) -> None:
        if keep not in ("active", "value"):
            raise ValueError(f"keep is {keep!r}; 'active' and 'value' are known")
        self._model, self._mlps = model, mlp_modules(model)
        self._positions = slice(None) if positions is None else positions
        self._keep, self._rows = keep, 0
        self._handles: list[torch.utils.hooks.RemovableHandle] = []
        self._layers: list[list[torch.Tensor]] = [[] for _ in self._mlps]

    def __enter__(self) -> "GeluRecorder":
        try:
            self._handles.append(
                self._model.register_forward_pre_hook(self._count_rows, with_kwargs=True)
            )
            for layer, mlp in enumerate(self._mlps):
                self._handles.append(self._register(mlp, self._layers[layer]))
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

    def _count_rows(self, model: torch.nn.Module, inputs: Any, named: dict[str, Any]) -> None:
        # Some families' MLPs see the tokens of all rows one after another.
        ids = inputs[0] if inputs else named["input_ids"]
        self._rows = len(ids)

    def _register(self, mlp: Mlp, entries: list[torch.Tensor]) -> Any:
        def record(values: torch.Tensor) -> None:
            kept = values.reshape(self._rows, -1, values.shape[-1])[:, self._positions]
            # The slice is a view: clone it, or it would keep the whole activation alive.
            entries.append(_is_active(kept) if self._keep == "active" else kept.detach().clone())

        if self._keep == "active":
            return mlp.activation.register_forward_hook(lambda module, inputs, out: record(out))
        return mlp.w_out.register_forward_pre_hook(lambda module, inputs: record(inputs[0]))

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
