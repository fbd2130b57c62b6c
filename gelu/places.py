"""Files and folders that a caller names: they are there, or an error names the parameter."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gelu.errors import UserError


def existing_file(path: str | Path, argument: str) -> Path:
    """Return `path` if it is a file; `UserError` naming the argument otherwise."""
    path = Path(path)
    with _possible(path, argument):
        if path.is_dir():
            raise UserError(f"`{argument}` {path}: this is a folder, a file is needed")
        if not path.is_file():
            raise UserError(f"`{argument}` {path}: no such file")
    return path


def existing_directory(path: str | Path, argument: str) -> Path:
    """Return `path` if it is a folder; `UserError` naming the argument otherwise."""
    path = Path(path)
    with _possible(path, argument):
        if not path.is_dir():
            reason = "this is a file, a folder is needed" if path.exists() else "no such folder"
            raise UserError(f"`{argument}` {path}: {reason}")
    return path


def output_directory(path: str | Path, argument: str) -> Path:
    """Return `path` as a writable folder, made with its parents if missing."""
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        _probe_writable(path)
    except FileExistsError:
        raise UserError(f"`{argument}` {path}: this is a file, a folder is needed") from None
    except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
        reason = getattr(error, "strerror", error)
        raise UserError(f"`{argument}` {path}: cannot write there ({reason})") from None
    return path


@contextmanager
def _possible(path: Path, argument: str) -> Iterator[None]:
    """Name the argument where the system has no such names at all: too long, or with a NUL."""
    try:
        yield
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", error)
        raise UserError(f"`{argument}` {path}: {reason}") from None


def _probe_writable(folder: Path) -> None:
    # Creating a file is the only test that holds for root, ACLs and read-only mounts alike; with
    # a name of its own, as other processes may be probing.
    with tempfile.TemporaryFile(dir=folder):
        pass
