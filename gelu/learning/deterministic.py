"""The same bits from the same operations, without a trace in the caller's session.

with deterministic_algorithms():
    study = study_activations(samples, groups, history, settings, device, bars)
"""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def deterministic_algorithms() -> Iterator[None]:
    """Let torch take only operations that repeat to the bit; what was set before is set again.

    An operation that has no such form raises a RuntimeError.
    """
    import torch

    # `use_deterministic_algorithms` does the same, and imports torch's compiler for a second.
    before = torch.get_deterministic_debug_mode()
    torch.set_deterministic_debug_mode("error")
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(before)
