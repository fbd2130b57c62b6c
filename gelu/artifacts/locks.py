"""One writer at a time in a folder, by the operating system's own locks.

    with folder_lock(folder / ".shards"):           # nobody else is in
        ...

The lock is gone when its process ends, however it ends: there is nothing to delete by hand.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gelu.cli import UserError

LOCK = "lock"


@contextmanager
def folder_lock(folder: Path, name: str = LOCK, shared: bool = False) -> Iterator[None]:
    """Hold the lock `name` of a folder, which is made if missing.

    shared: others may hold it too, all of them shared. Raises `UserError` where it is held.
    """
    descriptor = _locked(folder, name, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


def _locked(folder: Path, name: str, kind: int) -> int:
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o666)
        except FileNotFoundError:  # the run before has just finished and removed the folder
            continue
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise UserError(
                f"{folder.parent}: another process is writing there; wait for it to end, or choose "
                "another folder"
            ) from None
        except BaseException:
            os.close(descriptor)
            raise
        if _is_there(folder / name, descriptor):
            return descriptor
        os.close(descriptor)  # a lock on a file that was removed meanwhile keeps nobody out


def _is_there(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
