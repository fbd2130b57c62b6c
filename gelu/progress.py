"""Progress bars: on stderr, with a rate, so that stdout carries results alone."""

import sys
from typing import Any

from tqdm import tqdm


def progress_bar(description: str, total: int, unit: str, scale: bool = False) -> "tqdm[Any]":
    """Return a tqdm bar; call its `update(n)`. scale: show k, M and G."""
    return tqdm(desc=description, total=total, unit=unit, unit_scale=scale, file=sys.stderr)
