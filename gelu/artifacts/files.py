"""Files as such: complete under their name or absent, hashed, read as text."""

import errno
import glob
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from gelu.cli import UserError

PARTIAL = ".partial"
# No space, over the quota, over the largest file allowed.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class DiskFullError(UserError):
    """The disk has no room for a file."""


@contextmanager
def complete_file(path: Path, size: int | None = None) -> Iterator[IO[bytes]]:
    """Give a binary file to write that takes the name `path` when the block ends without error.

    size: the bytes to come, where known; a disk that cannot hold them is refused beforehand.
    """
    if size is not None and (free := shutil.disk_usage(path.parent).free) < size:
        raise DiskFullError(
            f"{path}: needs {size:,} bytes and the disk has {free:,} free; make room or choose "
            "another folder"
        )
    # Random: processes of several machines may share the folder, and process numbers.
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        if error.errno in FULL:
            raise DiskFullError(
                f"{path}: the disk is full, there is no room for {_words(size, partial)}; "
                "make room and run the command again"
            ) from None
        # Writing to a file that is open names none.
        error.filename = error.filename or str(path)
        raise
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()


def _words(size: int | None, partial: Path) -> str:
    if size is not None:
        return f"its {size:,} bytes"
    return f"more than {partial.stat().st_size:,} bytes of it"


def partial_paths(folder: Path, beginning: str) -> list[Path]:
    """Return what is half-written, or half-deleted, of files and folders whose names begin so."""
    return list(folder.glob(f".{glob.escape(beginning)}*{PARTIAL}"))


def remove_partial_files(folder: Path, beginning: str) -> None:
    """Delete what killed processes left of names that begin so; nobody may be writing."""
    for path in partial_paths(folder, beginning):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def remove_folder(folder: Path) -> None:
    """Delete a folder and all in it: for others it is gone at once, not file by file."""
    doomed = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}{PARTIAL}")
    with suppress(FileNotFoundError):
        folder.rename(doomed)
        shutil.rmtree(doomed)


def write_bytes(path: Path, blocks: Iterable[bytes | memoryview], size: int | None = None) -> None:
    """Write `blocks` one after another to `path`."""
    with complete_file(path, size) as file:
        file.writelines(blocks)


def file_hash(*paths: Path) -> str:
    """Return the SHA-256 of the files' bytes, one after another, as 64 hex digits."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 22):
                digest.update(block)
    return digest.hexdigest()


def is_there(path: Path) -> bool:
    """Return whether the file is there; `UserError` where something else has its name."""
    if path.is_file():
        return True
    if path.is_symlink() and not path.exists():
        raise UserError(f"{path}: a link that leads nowhere, a file is needed")
    if path.exists():
        kind = "a folder" if path.is_dir() else "no regular file"
        raise UserError(f"{path}: this is {kind}, a file is needed")
    return False


def read_text(path: Path, what: str = "UTF-8 text") -> str:
    """Return a UTF-8 file's text, line ends as they are, a byte order mark dropped.

    what: what the file should be, for the `UserError` where it is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not {what} (no UTF-8 at byte {error.start})") from None
