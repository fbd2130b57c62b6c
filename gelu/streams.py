"""Standard output and error whose loss stops no work: a full disk, a pipe that nobody reads.

    lost = guard_streams()
    ...                                     # prints as ever; what cannot be written is dropped
    error = lost()                          # why standard output lost something, or None

A script's files matter more than the list of them that it prints. So a write that fails is noted
and the work goes on; what could not be written is said at the end.
"""

import errno
import io
import os
import sys
from collections.abc import Callable
from typing import Any


class _Descriptor(io.FileIO):
    """A descriptor that takes all that is written; `lost`: the first error, after which nothing is.

    Of a stream that was closed from the start, `lost` is set by the first write.
    """

    def __init__(self, descriptor: int, closed: bool) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self._was_closed = closed
        self.lost: OSError | None = None

    def write(self, data: Any) -> int:
        if self._was_closed and self.lost is None:
            self.lost = OSError(errno.EBADF, "it is closed")
        if self.lost is None:
            try:
                return super().write(data)
            except OSError as error:
                self.lost = error
        return len(data)


def guard_streams() -> Callable[[], OSError | None]:
    """Replace the standard streams of this process; return what tells the loss of the output.

    Streams that somebody has replaced already, as tests do, are left as they are.
    """
    nowhere = _open_closed_ones()
    sys.stdout, output = _guarded(sys.stdout, nowhere)
    sys.stderr, _ = _guarded(sys.stderr, nowhere)

    def lost() -> OSError | None:
        sys.stdout.flush()
        return None if output is None else output.lost

    return lost


def _open_closed_ones() -> int:
    """Open descriptors 0 to 2 where they are closed, so that no file of ours becomes one of them.

    Returns a descriptor that leads nowhere.
    """
    nowhere = os.open(os.devnull, os.O_RDWR)
    while nowhere <= 2:
        nowhere = os.open(os.devnull, os.O_RDWR)
    return nowhere


def _guarded(stream: Any, nowhere: int) -> tuple[Any, _Descriptor | None]:
    if stream is None:  # it was closed before Python began
        raw = _Descriptor(nowhere, closed=True)
        return io.TextIOWrapper(io.BufferedWriter(raw), "utf-8", "backslashreplace"), raw
    if type(stream) is not io.TextIOWrapper or not isinstance(
        stream.buffer, io.BufferedWriter | io.FileIO
    ):
        return stream, None
    stream.flush()
    raw = _Descriptor(stream.fileno(), closed=False)
    guarded = io.TextIOWrapper(
        io.BufferedWriter(raw),
        stream.encoding,
        stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
    return guarded, raw
