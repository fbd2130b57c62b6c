"""Finished batches of a run that is not finished: one file each, complete or absent.

    shards = Shards(folder / ".shards", run, n_neurons)
    with shards.writer(batch, n_new) as put:
        put(rows, number, records)                  # a step of some completions
    damaged_or_absent = not shards.is_whole(batch, n_rows)
    records = shards.read(batch, n_rows, first_row, count)

A file holds fixed-size records (`gelu.artifacts.records`), completion by completion, then a CRC-32
of each, and a BLAKE2b of these, the batch's number and the run. So a shard that was cut short, has
flipped bits, or belongs to another run or batch is noticed.
"""

import errno
import hashlib
import os
import re
import stat
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from gelu.artifacts.files import complete_file
from gelu.artifacts.records import record_type
from gelu.errors import UserError

DIGEST_BYTES = 32
BUFFER_BYTES = 1 << 24


def is_shard(name: str) -> bool:
    """Return whether a file of that name is a shard."""
    return re.fullmatch(r"batch_[0-9]{8,}\.shard", name) is not None


Put = Callable[[NDArray[np.int64], int, NDArray[Any]], None]


class Shards:
    """The shards of one run. `run`: what tells it from every other run, any bytes."""

    def __init__(self, folder: Path, run: bytes, n_neurons: int) -> None:
        self.folder, self._run = folder, run
        self.dtype = record_type(n_neurons)

    def path(self, batch: int) -> Path:
        """Return the path of a batch's shard."""
        return self.folder / f"batch_{batch:08d}.shard"

    def size(self, n_rows: int) -> int:
        """Return the size in bytes of a shard of so many records."""
        return n_rows * (self.dtype.itemsize + 4) + DIGEST_BYTES

    @contextmanager
    def writer(self, batch: int, n_new: Sequence[int]) -> Iterator[Put]:
        """Give a function that takes steps of a batch's completions: (rows, number, records).

        n_new: tokens of each completion. The shard appears when the block ends without error.
        """
        n_rows = sum(n_new)
        with complete_file(self.path(batch), self.size(n_rows)) as file:
            buffer = _Buffer(file, np.array(n_new), self.dtype)
            yield buffer.put
            buffer.flush()
            checks = buffer.checks.tobytes()
            file.seek(n_rows * self.dtype.itemsize)
            file.write(checks)
            file.write(self._digest(batch, checks))

    def is_whole(self, batch: int, n_rows: int) -> bool:
        """Return whether the batch's shard is there, of this run and undamaged; reads it all."""
        try:
            with _open_file(self.path(batch)) as file:
                checks = self._checks(file, batch, n_rows)
                return checks is not None and all(
                    checks[row] == zlib.crc32(file.read(self.dtype.itemsize))
                    for row in range(n_rows)
                )
        except (FileNotFoundError, _NoFileError):
            return False

    def _checks(self, file: IO[bytes], batch: int, n_rows: int) -> NDArray[np.uint32] | None:
        """Return the records' CRCs, None where they are damaged; the file is then at its start."""
        if os.fstat(file.fileno()).st_size != self.size(n_rows):
            return None
        file.seek(n_rows * self.dtype.itemsize)
        checks = file.read(4 * n_rows)
        digest = file.read(DIGEST_BYTES)
        file.seek(0)
        return np.frombuffer(checks, "<u4") if digest == self._digest(batch, checks) else None

    def _digest(self, batch: int, checks: bytes) -> bytes:
        digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
        for part in (self._run, str(batch).encode(), checks):
            digest.update(len(part).to_bytes(8, "little") + part)
        return digest.digest()

    def read(self, batch: int, n_rows: int, first: int, count: int) -> NDArray[Any]:
        """Return `count` records from `first` on of a batch of `n_rows`.

        Raises `UserError` where they are damaged.
        """
        size, path = self.dtype.itemsize, self.path(batch)
        with _open_file(path) as file:
            data = os.pread(file.fileno(), count * size, first * size)
            checks = os.pread(file.fileno(), 4 * count, n_rows * size + 4 * first)
        whole = len(data) == count * size and len(checks) == 4 * count
        if not whole or any(
            zlib.crc32(data[row * size : (row + 1) * size]) != check
            for row, check in enumerate(np.frombuffer(checks, "<u4").tolist())
        ):
            raise UserError(f"{path}: damaged on disk; run the command again, it is then made anew")
        return np.frombuffer(data, self.dtype)


class _NoFileError(UserError):
    """What has a shard's name is a link, a folder, or no file that has an end."""


def _open_file(path: Path) -> IO[bytes]:
    try:
        # Without waiting for whoever may write to a pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _NoFileError(f"{path}: is a symbolic link, no batch of this run") from None
        raise
    file = os.fdopen(descriptor, "rb") if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
    if file is None:
        os.close(descriptor)
        raise _NoFileError(f"{path}: is no file, no batch of this run")
    return file


class _Buffer:
    """Gathers steps, which come across completions, and writes runs of each completion."""

    def __init__(self, file: IO[bytes], n_new: NDArray[np.int64], dtype: np.dtype[Any]) -> None:
        self._file, self._itemsize = file, dtype.itemsize
        self._starts = np.cumsum(n_new) - n_new
        self.checks = np.zeros(int(n_new.sum()), "<u4")
        steps = max(1, BUFFER_BYTES // (dtype.itemsize * len(n_new)))
        self._held = np.empty((len(n_new), min(steps, int(n_new.max()))), dtype)
        self._count = np.zeros(len(n_new), np.int64)
        self._first = 0

    def put(self, rows: NDArray[np.int64], number: int, records: NDArray[Any]) -> None:
        if number == self._first + self._held.shape[1]:
            self.flush()
        self._held[rows, number - self._first] = records
        self._count[rows] += 1

    def flush(self) -> None:
        for row in np.flatnonzero(self._count).tolist():
            records = self._held[row, : self._count[row]]
            start = int(self._starts[row]) + self._first
            self._file.seek(start * self._itemsize)
            self._file.write(records.tobytes())
            self.checks[start : start + len(records)] = [zlib.crc32(r) for r in records]
        self._first += self._held.shape[1]
        self._count[:] = 0
