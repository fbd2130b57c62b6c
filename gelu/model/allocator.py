"""How the C library's allocator treats the large arrays of a learning loop."""

import ctypes
import sys

# Numbers of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_MOST_KEPT = (1 << 31) - 1  # bytes; mallopt takes a C int


def keep_freed_memory() -> bool:
    """Have memory that is freed used again instead of given back; return whether that was possible.

    glibc gives an array of more than 32 MB back to the system when it is freed (mallopt(3)), and
    the next one of that size is cleared anew, a page at a time: at 36,864 neurons a sixth of a
    learning script's time or more. Other allocators are left as they are.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, _MOST_KEPT))
