"""Reading a picture back: only a whole PNG, of a size that a browser can show, is one."""

import hashlib
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from gelu.artifacts.files import is_there
from gelu.errors import UserError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_BYTES, MOST_PIXELS = 1 << 28, 1 << 28
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of a pixel, by colour type
BLOCK = 1 << 20


def read_png(path: Path) -> bytes | None:
    """Return a picture's bytes, None where there is none; `UserError` for anything but a PNG."""
    if not is_there(path):
        return None
    if path.stat().st_size > MOST_BYTES:
        raise UserError(f"{path}: not a PNG picture: it has more than {MOST_BYTES:,} bytes")
    content = path.read_bytes()
    try:
        _require_png(content)
    except ValueError as error:
        raise UserError(
            f"{path}: not a PNG picture: {error}; run the script that writes it anew"
        ) from None
    return content


def picture_hash(png: bytes) -> str:
    """Return what a study's document says of its picture."""
    return hashlib.sha256(png).hexdigest()


def _require_png(content: bytes) -> None:
    """Raise `ValueError` for bytes that are no PNG, are cut short, or unpack to another size."""
    chunks = list(_chunks(content))
    if [name for name, _ in chunks[:1]] != [b"IHDR"] or len(chunks[0][1]) != 13:
        raise ValueError("it has no header")
    if chunks[-1] != (b"IEND", b""):
        raise ValueError("it does not end as one")
    size = _unpacked_size(chunks[0][1])
    unpacked = zlib.decompressobj()
    found = 0
    try:
        for data in (data for name, data in chunks if name == b"IDAT"):
            while data and found <= size:
                found += len(unpacked.decompress(data, BLOCK))
                data = unpacked.unconsumed_tail  # noqa: PLW2901
    except zlib.error as error:
        raise ValueError(f"{error}") from None
    if found != size:
        raise ValueError("its pixels are not as many as it says")


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not content.startswith(SIGNATURE):
        raise ValueError("it does not begin as one")
    place = len(SIGNATURE)
    while place < len(content):
        if place + 12 > len(content):
            raise ValueError("it is cut short")
        (length,) = struct.unpack_from(">I", content, place)
        end = place + 8 + length
        if end + 4 > len(content):
            raise ValueError("it is cut short")
        if zlib.crc32(content[place + 4 : end]) != struct.unpack_from(">I", content, end)[0]:
            raise ValueError(f"it is damaged at byte {place}")
        yield content[place + 4 : place + 8], content[place + 8 : end]
        place = end + 4


def _unpacked_size(header: bytes) -> int:
    """Return how many bytes the pixels take, each row with a byte for its filter."""
    width, height, depth, colour, *methods = struct.unpack(">IIBBBBB", header)
    if not 0 < width * height <= MOST_PIXELS or depth not in (8, 16) or colour not in SAMPLES:
        raise ValueError(f"it says {width} x {height} pixels of {depth} bits, colour type {colour}")
    if any(methods):
        raise ValueError("it is interlaced, which pictures of this project are not")
    return int(height * (1 + width * SAMPLES[colour] * depth // 8))
