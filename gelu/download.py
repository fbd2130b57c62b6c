"""One file of the hub: what the hub states of it, its bytes, and whether they are the right ones.

    remote = look_up("gpt2", "config.json", "main")
    receive(remote, partial, Counted(bar))       # goes on where `partial` ends
    has_stated_bytes(partial, remote)

The hub client's own download is not used: it throws a broken file away, checks no hash, and may try
for hours. What is its own here: addresses, log-in, the meaning of headers and of refusals.
"""

import hashlib
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from gelu.cli import UserError

Value = TypeVar("Value")
PAUSES = (1.0, 2.0)  # seconds before the second try and the third, with no byte in between
LONGEST_PAUSE = 30.0  # a hub that asks for more is left alone
PASSING = (408, 429, 500, 502, 503, 504)  # the statuses that waiting may change
SHA256, SHA1 = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}")
LARGE = 1 << 20  # bytes from which on a bar shows at once
BLOCK = 1 << 22


@dataclass(frozen=True)
class Remote:
    """A file as the hub states it.

    commit: of the repository, 40 hex digits. etag: SHA-256 of large files, Git's SHA-1 of small
    ones; None where the repository has no such file. size: in bytes, None where unsaid.
    """

    name: str
    url: str
    commit: str | None
    etag: str | None
    size: int | None


class NotAHubError(UserError):
    """What answers is no hub: the log-in page of a network, a proxy, another server."""


class WrongBytesError(UserError):
    """What came is not the file that the hub states."""


class Counted:
    """A bar's share of one file: bytes count once, however often they come."""

    def __init__(self, bar: Any, position: int) -> None:
        self._bar, self.furthest = bar, position

    def say(self, words: str) -> None:
        """Write other words beside the bar; one that is yet to show does not show for that."""
        self._bar.set_description(words, refresh=not getattr(self._bar, "delay", 0))

    def reach(self, position: int) -> None:
        """Move the bar on to a position in the file, unless it was there."""
        if position > self.furthest:
            self._bar.update(position - self.furthest)
            self.furthest = position


@cache
def client() -> Any:
    """Return the module `huggingface_hub`, quiet; `UserError` for settings it cannot read."""
    # Else it asks the hub, before all else, for a list of programs that might be calling it.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        import huggingface_hub
        from huggingface_hub import constants, file_download, utils
    except ValueError:
        raise UserError(_NO_SECONDS) from None
    if min(constants.HF_HUB_ETAG_TIMEOUT, constants.HF_HUB_DOWNLOAD_TIMEOUT) < 1:
        raise UserError(_NO_SECONDS)
    assert file_download  # imported to be reached through the package
    utils.logging.set_verbosity_error()
    return huggingface_hub


_NO_SECONDS = "HF_HUB_ETAG_TIMEOUT, HF_HUB_DOWNLOAD_TIMEOUT: whole numbers of seconds are needed"


def headers() -> dict[str, str]:
    """Return the headers of a request, with the user's token where there is one."""
    made: dict[str, str] = client().utils.build_hf_headers(library_name="gelu-activations")
    # Said here: the HTTP library's own complaint would repeat the token.
    if re.fullmatch(r"[\x20-\x7e]*", made.get("authorization", "")) is None:
        raise UserError("HF_TOKEN: holds characters that no token has; copy it anew")
    return made


def look_up(hub_id: str, name: str, revision: str) -> Remote:
    """Ask the hub for a file's commit, hash and size; the hub client's errors come through.

    Raises `NotAHubError` for an answer without them.
    """
    library = client()
    url = library.hf_hub_url(hub_id, name, revision=revision)
    try:
        stated = patiently(
            lambda: library.get_hf_file_metadata(
                url, headers=headers(), timeout=library.constants.HF_HUB_ETAG_TIMEOUT
            )
        )
    except library.errors.RemoteEntryNotFoundError as error:
        commit = error.response.headers.get("X-Repo-Commit", "")
        return Remote(name, url, commit if SHA1.fullmatch(commit) else None, None, None)
    # Both become names of files in the cache.
    for header, value, form in (
        ("X-Repo-Commit", stated.commit_hash, SHA1),
        ("ETag", stated.etag, re.compile(r"[0-9A-Za-z_-][0-9A-Za-z._-]{0,150}")),
    ):
        if form.fullmatch(value or "") is None:
            raise NotAHubError(f"its answer has no {header}")
    exact = library.hf_hub_url(hub_id, name, revision=stated.commit_hash)
    return Remote(name, exact, stated.commit_hash, stated.etag, stated.size)


def patiently(attempt: Callable[[], Value], gained: Callable[[], bool] = lambda: False) -> Value:
    """Return what `attempt` returns; after a passing failure wait and try again, thrice in all.

    gained: whether the last attempt got further than those before; then counting starts anew.
    """
    failures = 0
    while True:
        try:
            return attempt()
        except Exception as error:
            failures = 1 if gained() else failures + 1
            if failures > len(PAUSES):
                raise
            pause = _pause_after(error, PAUSES[failures - 1])
            if pause is None:
                raise
        time.sleep(pause)


def _pause_after(error: Exception, usual: float) -> float | None:
    """Return how many seconds to wait after a failure, None where waiting is no use."""
    import httpx2

    if isinstance(
        error, httpx2.TimeoutException | httpx2.NetworkError | httpx2.RemoteProtocolError
    ):
        return usual
    if isinstance(error, client().errors.HfHubHTTPError) and error.response.status_code in PASSING:
        asked = asked_pause(error.response)
        return None if asked > LONGEST_PAUSE else max(asked, usual)
    return None


def asked_pause(response: Any) -> float:
    """Return how many seconds the hub asks to wait; 0 where it does not."""
    limit = client().utils.parse_ratelimit_headers(response.headers)
    if response.status_code == 429 and limit is not None and limit.remaining == 0:
        return float(limit.reset_in_seconds)
    asked = response.headers.get("Retry-After", "")
    return float(asked) if re.fullmatch(r"[0-9]{1,9}", asked) else 0.0


def receive(remote: Remote, partial: Path, counted: Counted) -> None:
    """Fetch what `partial` lacks of the file, also after the connection broke.

    Each byte is written at its place: two processes on one `partial` write the same. The errors of
    the HTTP library and of the hub client come through; what has come by then stays.
    """
    partial.touch()
    before = 0

    def attempt() -> None:
        nonlocal before
        before = counted.furthest
        _receive_once(remote, partial, counted)

    if remote.size is None or partial.stat().st_size < remote.size:
        patiently(attempt, gained=lambda: counted.furthest > before)


def _receive_once(remote: Remote, partial: Path, counted: Counted) -> None:
    library = client()
    start = partial.stat().st_size
    asked = headers() | {"accept-encoding": "identity"} | _range(start)
    seconds = library.constants.HF_HUB_DOWNLOAD_TIMEOUT
    session = library.utils.get_session()
    with session.stream("GET", remote.url, headers=asked, timeout=seconds) as response:
        if response.status_code == 416:  # there is nothing behind what we have: it is not the file
            partial.write_bytes(b"")
            raise WrongBytesError(f"{remote.name} is shorter than what had come of it")
        library.utils.hf_raise_for_status(response)
        with partial.open("r+b") as file:
            file.seek(start if response.status_code == 206 else 0)
            for block in response.iter_bytes():
                file.write(block)
                counted.reach(file.tell())
                if remote.size is not None and file.tell() > remote.size:
                    raise WrongBytesError(f"{remote.name} is longer than its {remote.size:,} bytes")


def _range(start: int) -> dict[str, str]:
    return {"range": f"bytes={start}-"} if start else {}


def has_stated_bytes(path: Path, remote: Remote) -> bool:
    """Return whether a file has the size and the hash that the hub states.

    An etag that is no hash says nothing; 40 digits may be Git's hash or, from mirrors, the plain
    one.
    """
    if remote.size is not None and path.stat().st_size != remote.size:
        return False
    etag = remote.etag or ""
    if SHA256.fullmatch(etag):
        return etag == _digest(path, hashlib.sha256())
    if SHA1.fullmatch(etag):
        git = hashlib.sha1(b"blob %d\0" % path.stat().st_size)
        return etag in (_digest(path, git), _digest(path, hashlib.sha1()))
    return True


def _digest(path: Path, digest: Any) -> str:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    hexadecimal: str = digest.hexdigest()
    return hexadecimal


def delay(total: int) -> float:
    """Return after how many seconds a bar of so many bytes shows: a small one at most if slow."""
    return 0.0 if total >= LARGE else 1.0
