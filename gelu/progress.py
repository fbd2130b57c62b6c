"""Progress bars: on stderr, with a rate, so that stdout carries results alone."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from tqdm import tqdm

# Gives a function that counts progress: (description, total, unit).
Bars = Callable[[str, int, str], AbstractContextManager[Callable[[int], object]]]


class _Bar(tqdm):
    """A bar that may be interrupted while it is built: what is half built has no line to end."""

    def __del__(self) -> None:
        if hasattr(self, "start_t"):  # which tqdm sets last
            super().__del__()


def progress_bar(
    description: str,
    total: int,
    unit: str,
    scale: bool = False,
    initial: int = 0,
    quiet: bool = False,
    delay: float = 0,
) -> "tqdm[Any]":
    """Return a tqdm bar; call its `update(n)`.

    scale: show k, M and G. initial: what was done before. quiet: show nothing.
    delay: show nothing for so many seconds.
    """
    return _Bar(
        desc=description,
        total=total,
        unit=unit,
        unit_scale=scale,
        initial=initial,
        disable=quiet,
        delay=delay,
        file=sys.stderr,
    )


@contextmanager
def bars(description: str, total: int, unit: str) -> Iterator[Callable[[int], object]]:
    """Give a function that moves a progress bar on; `Bars`."""
    with progress_bar(description, total, unit, scale=True) as bar:
        yield bar.update
