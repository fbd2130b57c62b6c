"""How a generated token's record leaves the model's device.

On CUDA neurons are thresholded and packed on the GPU; a step's records leave it in one copy on a
stream of their own, while the next step is computed.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


def pack_bits(active: torch.Tensor) -> torch.Tensor:
    """Return `np.packbits(active, axis=1)`, computed on the tensor's device.

    active: (rows, n) bool; the result is (rows, ceil(n / 8)) uint8.
    """
    n_rows, n = active.shape
    padded = torch.nn.functional.pad(active, (0, -n % 8)).view(n_rows, -1, 8)
    weights = torch.tensor([128, 64, 32, 16, 8, 4, 2, 1], dtype=torch.uint8, device=active.device)
    return (padded * weights).sum(dim=2, dtype=torch.uint8)


class HostCopy:
    """Hands on each step's records in order; on CUDA a step late, so that nothing waits for them.

    Each is returned with the tag it was put in with. `active` may be None: no bit is then set.
    """

    def __init__(self, device: torch.device, dtype: np.dtype[Any]) -> None:
        self._dtype = dtype
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._waiting: deque[tuple[Any, torch.Tensor, torch.cuda.Event]] = deque()

    def put(
        self, tag: Any, ids: torch.Tensor, logprobs: torch.Tensor, active: torch.Tensor | None
    ) -> Iterator[tuple[Any, NDArray[Any]]]:
        """Take one step's results, (rows,), (rows,) and (rows, n_neurons); return what is ready."""
        if self._stream is None:
            return iter([(tag, self._on_host(ids, logprobs, active))])
        self._waiting.append((tag, *self._send(self._stream, ids, logprobs, active)))
        return self._ready(still_waiting=1)

    def rest(self) -> Iterator[tuple[Any, NDArray[Any]]]:
        """Return what has not been handed on yet."""
        return self._ready(still_waiting=0)

    def _on_host(
        self, ids: torch.Tensor, logprobs: torch.Tensor, active: torch.Tensor | None
    ) -> NDArray[Any]:
        records = np.zeros(len(ids), self._dtype)
        records["id"], records["logprob"] = ids.cpu().numpy(), logprobs.cpu().numpy()
        if active is not None:
            records["bits"] = np.packbits(active.cpu().numpy(), axis=1)
        return records

    def _send(
        self,
        stream: torch.cuda.Stream,
        ids: torch.Tensor,
        logprobs: torch.Tensor,
        active: torch.Tensor | None,
    ) -> tuple[torch.Tensor, torch.cuda.Event]:
        """Start the copy of one step's records to pinned memory; return it and its end."""
        bits = ids.new_zeros(len(ids), self._dtype["bits"].shape[0], dtype=torch.uint8)
        if active is not None:
            bits = pack_bits(active)
        parts = [ids[:, None].view(torch.uint8), logprobs[:, None].view(torch.uint8), bits]
        records = torch.cat(parts, dim=1)
        stream.wait_stream(torch.cuda.current_stream(ids.device))
        with torch.cuda.stream(stream):
            host = torch.empty(records.shape, dtype=torch.uint8, pin_memory=True)
            host.copy_(records, non_blocking=True)
            # Its memory must not be handed out again before the copy has read it.
            records.record_stream(stream)
            end = torch.cuda.Event()
            end.record(stream)
        return host, end

    def _ready(self, still_waiting: int) -> Iterator[tuple[Any, NDArray[Any]]]:
        while len(self._waiting) > still_waiting:
            tag, host, end = self._waiting.popleft()
            end.synchronize()
            # A copy: pinned memory is used again for a later step.
            yield tag, np.frombuffer(host.numpy().tobytes(), self._dtype)
