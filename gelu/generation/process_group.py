"""The processes that share one run: alone, or as `torchrun` starts them.

with joined_process_group() as group:
    missing = group.share(lambda: ...)       # rank 0 finds out, all are told
    for batch in missing[group.rank :: group.size]: ...
    group.agree(failure)                     # until all are through, or one has failed
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

from gelu.errors import UserError, failure_text

Value = TypeVar("Value")
# The slowest process may take this much longer than the quickest.
PATIENCE = timedelta(days=7)


class ProcessGroup:
    """One process alone. rank: 0 to size - 1."""

    rank, size = 0, 1

    def share(self, find: Callable[[], Value]) -> Value:
        """Return on all ranks what `find` returns on rank 0, or raise its `UserError`."""
        return find()

    def agree(self, failure: str | None) -> None:
        """Return when all ranks are here; raise `UserError` where one of them has failed.

        failure: what went wrong on this rank, if anything did.
        """
        if failure is not None:
            raise UserError(failure)


class DistributedProcessGroup(ProcessGroup):
    """The processes of one `torchrun`, which talk through torch.distributed (gloo).

    No tensors go between them, so that gloo serves GPUs as well.
    """

    def __init__(self) -> None:
        from torch import distributed

        distributed.init_process_group("gloo", timeout=PATIENCE)
        self.rank, self.size = distributed.get_rank(), distributed.get_world_size()

    def share(self, find: Callable[[], Value]) -> Value:
        """Return on all ranks what `find` returns on rank 0, or raise its `UserError`."""
        from torch import distributed

        broadcast: list[Any] = [None, None]
        if self.rank == 0:
            try:
                broadcast = [None, find()]
            except (UserError, OSError, MemoryError) as error:
                broadcast = [failure_text(error), None]
        distributed.broadcast_object_list(broadcast)
        if broadcast[0] is not None:
            raise UserError(broadcast[0])
        value: Value = broadcast[1]
        return value

    def agree(self, failure: str | None) -> None:
        """Return when all ranks are here; raise `UserError` where one of them has failed."""
        from torch import distributed

        failures: list[Any] = [None] * self.size
        distributed.all_gather_object(failures, failure)
        for rank, text in enumerate(failures):
            if text is not None:
                raise UserError(text if rank == self.rank else f"process {rank} failed: {text}")


@contextmanager
def joined_process_group() -> Iterator[ProcessGroup]:
    """Give the group that the environment names: torchrun sets WORLD_SIZE, RANK and others."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        yield ProcessGroup()
        return
    from torch import distributed

    group = DistributedProcessGroup()
    try:
        yield group
    finally:
        # Its threads abort a process that ends while they run.
        distributed.destroy_process_group()


def device_of_rank(device: str) -> str:
    """Return this process's own GPU where `torchrun` has started several, else `device`."""
    if device != "cuda" or "TORCHELASTIC_RUN_ID" not in os.environ:
        return device
    import torch

    return f"cuda:{int(os.environ['LOCAL_RANK']) % torch.cuda.device_count()}"
