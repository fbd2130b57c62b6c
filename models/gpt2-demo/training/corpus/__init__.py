"""A seeded writer of English documents; the same seed gives the same bytes."""

import random
from collections.abc import Iterator
from functools import partial
from itertools import islice
from multiprocessing import get_context

from .english import polish
from .kinds import KINDS
from .rules import new_scope

SEPARATOR = "<|endoftext|>"
CHUNK_BYTES = 250_000
HELD_OUT_OFFSET = 1_000_003

_NAMES = list(KINDS)
_WEIGHTS = [weight for weight, _ in KINDS.values()]


def document(kind: str, rng: random.Random) -> str:
    """Return one document of the kind."""
    return polish(KINDS[kind][1](new_scope(rng)))


def documents(seed: int, chunk: int = 0) -> Iterator[str]:
    """Yield documents of all kinds for ever; a chunk is an independent stream of the same seed."""
    rng = random.Random(f"{seed}/{chunk}")
    while True:
        yield document(rng.choices(_NAMES, _WEIGHTS)[0], rng)


def first_documents(seed: int, number: int) -> list[str]:
    """Return the first documents of a seed."""
    return list(islice(documents(seed), number))


def _chunk(seed: int, chunk: int) -> list[str]:
    """Return the documents of one chunk: CHUNK_BYTES of UTF-8 text, or a little more."""
    found, size = [], 0
    for text in documents(seed, chunk):
        found.append(text)
        size += len(text.encode())
        if size >= CHUNK_BYTES:
            return found
    raise AssertionError("documents() never ends")


def corpus(seed: int, n_bytes: int, processes: int = 1) -> Iterator[str]:
    """Yield at least n_bytes of documents (UTF-8); the number of processes changes nothing."""
    chunks = range(-(-n_bytes // CHUNK_BYTES))
    if processes == 1:
        for chunk in chunks:
            yield from _chunk(seed, chunk)
        return
    # Not forked from this process, which has torch's threads in it.
    with get_context("forkserver").Pool(processes) as pool:
        for texts in pool.imap(partial(_chunk, seed), chunks):
            yield from texts
