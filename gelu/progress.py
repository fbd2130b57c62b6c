"""Progress bars: on stderr, with a rate, so that stdout carries results alone."""

import sys
from typing import Any

from tqdm import tqdm


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
