"""Files as such: complete under their name or absent, hashed, read as text."""

import errno
import hashlib
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from gelu.errors import UserError

PARTIAL = ".partial"
PARTIAL_NAME = re.compile(r"\.(.+)\.[0-9a-f]{8}\.partial")
# No space, over the quota, over the largest file allowed.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class DiskFullError(UserError):
    """The disk has no room for a file."""


@contextmanager
def complete_file(path: Path, size: int | None = None) -> Iterator[IO[bytes]]:
    """Give a binary file to write that takes the name `path` when the block ends without error.

    size: the bytes to come, where known; a disk that cannot hold them is refused beforehand. A link
    of that name is replaced; what it points to stays as it is.
    """
    if size is not None and (free := shutil.disk_usage(path.parent).free) < size:
        raise DiskFullError(
            f"{path}: needs {size:,} bytes and the disk has {free:,} free; make room or choose "
            "another folder"
        )
    # Random: processes of several machines may share the folder, and process numbers.
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        with partial.open("xb") as file:  # never through a link that is there
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
        # Writing to a file that is open names none, renaming names the one that is renamed.
        if error.filename in (None, str(partial)):
            error.filename = str(path)
        raise
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()


def _words(size: int | None, partial: Path) -> str:
    if size is not None:
        return f"its {size:,} bytes"
    return f"more than {partial.stat().st_size:,} bytes of it"


def refuse_link(path: Path) -> None:
    """Raise `UserError` where a folder that a run makes itself is a symbolic link.

    What it points to may be anyone's, and is not to be written to, let alone deleted.
    """
    if path.is_symlink():
        raise UserError(
            f"{path}: is a symbolic link to {path.readlink()}; nothing is written or deleted "
            "through it: remove the link, or choose another folder"
        )


IsMade = Callable[[str], bool]  # Is this the name of a file that a run makes?


def made_files(folder: Path, is_made: IsMade) -> list[Path]:
    """Return a folder's files of such names, half-written ones included.

    Never links or folders; none where there is no such folder.
    """

    def is_ours(path: Path) -> bool:
        half = PARTIAL_NAME.fullmatch(path.name)
        return is_made(half[1] if half else path.name) and _is(stat.S_ISREG, path)

    return [path for path in _entries(folder) if is_ours(path)]


def half_written_files(folder: Path, is_made: IsMade) -> list[Path]:
    """Return those of `made_files` that are half-written."""
    return [path for path in made_files(folder, is_made) if PARTIAL_NAME.fullmatch(path.name)]


def removable_folders(folder: Path, is_made: IsMade) -> list[Path]:
    """Return the folder, and what killed processes left of it while they deleted it.

    Only those that hold anything of such names, or nothing.
    """
    halves = [
        path
        for path in _entries(folder.parent)
        if (match := PARTIAL_NAME.fullmatch(path.name)) and match[1] == folder.name.lstrip(".")
    ]
    return [
        path
        for path in (folder, *halves)
        if _is(stat.S_ISDIR, path) and (made_files(path, is_made) or not _entries(path))
    ]


def remove_files(paths: Iterable[Path]) -> None:
    """Delete files; one that is gone already is no error."""
    for path in paths:
        path.unlink(missing_ok=True)


def remove_folder(folder: Path, is_made: IsMade) -> list[Path]:
    """Delete a folder with the files of such names in it; return what else is there and is left.

    Where there is nothing else it is gone at once for others, not file by file.
    """
    made = made_files(folder, is_made)
    if others := sorted({*_entries(folder)} - {*made}):
        remove_files(made)
        return others
    if PARTIAL_NAME.fullmatch(folder.name) is None:
        doomed = folder.with_name(f".{folder.name.lstrip('.')}.{secrets.token_hex(4)}{PARTIAL}")
        try:
            folder.rename(doomed)
        except FileNotFoundError:
            return []
        folder = doomed
    remove_files(made_files(folder, is_made))
    with suppress(OSError):  # something else has come into it meanwhile
        folder.rmdir()
    return []


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []


def _is(kind: Callable[[int], bool], path: Path) -> bool:
    try:
        return kind(path.lstat().st_mode)
    except FileNotFoundError:
        return False


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
    # Asked once: another process may put the file there between two questions.
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if path.is_symlink():
            raise UserError(f"{path}: a link that leads nowhere, a file is needed") from None
        if isinstance(error, (FileNotFoundError, NotADirectoryError)):
            return False
        raise
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "no regular file"
        raise UserError(f"{path}: this is {kind}, a file is needed")
    return True


def read_text(path: Path, what: str = "UTF-8 text") -> str:
    """Return a UTF-8 file's text, line ends as they are, a byte order mark dropped.

    what: what the file should be, for the `UserError` where it is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not {what} (no UTF-8 at byte {error.start})") from None
