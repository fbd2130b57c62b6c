"""Calls that end in time, whatever the other side does.

    with Caller() as caller:
        response = caller.call(ask, seconds=60)
        for block in at_least_rate(response.iter_raw(), caller, window=30):
            ...

A limit on silence alone is none: who sends a byte now and then is never silent, and can go on for
years.
"""

import threading
import time
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import Any, Self, TypeVar

from gelu.errors import UserError

Value = TypeVar("Value")
LEAST_RATE = 1000  # bytes a second
SLICE = 0.25  # seconds between two looks at a result


class TooSlowError(UserError):
    """What was asked for comes, but not in time."""


class Caller:
    """Calls functions in a thread of its own, so that one which does not end can be left alone.

    waited: seconds spent so far. A process that was stopped meanwhile (Ctrl-Z, a closed laptop) has
    not waited. After a `TooSlowError` the caller is of no more use; its thread ends with what it
    does, or with the process.
    """

    def __init__(self) -> None:
        self.waited = 0.0
        self._orders: SimpleQueue[Callable[[], Any] | None] = SimpleQueue()
        self._results: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
        threading.Thread(target=self._work, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._orders.put(None)

    def _work(self) -> None:
        while (function := self._orders.get()) is not None:
            try:
                self._results.put((function(), None))
            except BaseException as error:  # raised where it was called for
                self._results.put((None, error))

    def call(self, function: Callable[[], Value], seconds: float) -> Value:
        """Return what a function returns, or raise what it raises; `TooSlowError` after `seconds`.

        The function must write nothing: it may go on after that.
        """
        self._orders.put(function)
        end = self.waited + seconds
        while self.waited < end:
            began = time.monotonic()
            try:
                value, error = self._results.get(timeout=SLICE)
            except Empty:
                continue
            finally:
                self.waited += min(SLICE, time.monotonic() - began)
            if error is not None:
                raise error
            result: Value = value
            return result
        raise TooSlowError(f"no whole answer within {seconds:.0f} s")


def at_least_rate(blocks: Iterator[bytes], caller: Caller, window: float) -> Iterator[bytes]:
    """Yield blocks as long as `LEAST_RATE` holds over each `window` seconds of waiting.

    `TooSlowError` otherwise, and where a block takes longer than that: between two of them there
    may be bytes that are none of the file's.
    """
    began, received = caller.waited, 0
    while (block := caller.call(lambda: next(blocks, None), window)) is not None:
        yield block
        received += len(block)
        if caller.waited - began >= window:
            if received < LEAST_RATE * window:
                raise TooSlowError(f"{received:,} bytes in {window:.0f} s")
            began, received = caller.waited, 0
