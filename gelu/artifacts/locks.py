"""One writer at a time in a folder, by the operating system's own locks.

    with folder_lock(folder / ".shards"):           # nobody else is in
        ...

The lock is gone when its process ends, however it ends: there is nothing to delete by hand. A file
or folder of that name that is a link is refused: it would lock, or make, something elsewhere.
"""

import errno
import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gelu.artifacts.files import refuse_link
from gelu.errors import UserError

LOCK = "lock"
PART_LOCK = "part_{}_of_{}.lock"


def is_lock(name: str) -> bool:
    """Return whether a file of that name is a lock."""
    return re.fullmatch(r"lock|part_[0-9]+_of_[0-9]+\.lock", name) is not None


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
        refuse_link(folder)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
            descriptor = os.open(folder / name, flags, 0o666)
        except FileNotFoundError:  # the run before has just finished and removed the folder
            continue
        except OSError as error:
            if error.errno == errno.ELOOP:
                refuse_link(folder / name)
            raise
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
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
