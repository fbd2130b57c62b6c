"""One file of the hub: what the hub states of it, its bytes, and whether they are the right ones.

    remote = look_up("gpt2", "config.json", "main")
    receive(remote, partial, Counted(bar, 0))    # goes on where `partial` ends
    has_stated_bytes(partial, remote)

The hub client's own download is not used: it throws a broken file away, checks no hash, and may try
for hours. What is its own here: addresses, log-in, the meaning of headers and of refusals.
"""

import hashlib
import re
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from gelu.errors import UserError
from gelu.model.deadlines import LEAST_RATE, Caller, at_least_rate
from gelu.model.hub_settings import client, fault_of_address, headers, session

Value = TypeVar("Value")
PAUSES = (1.0, 2.0)  # seconds before the second try and the third, with no byte in between
LONGEST_PAUSE = 30.0  # a hub that asks for more is left alone
PASSING = (408, 429, 500, 502, 503, 504)  # the statuses that waiting may change
SHA256, SHA1 = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}")
LARGE = 1 << 20  # bytes from which on a bar shows at once
BLOCK = 1 << 22
# Times the limit on silence that an answer's headers may take, with all redirects, and the window
# over which a body must hold the least rate. A host may have many addresses of which some are dead.
HEADERS_PATIENCE, RATE_WINDOW = 6, 3
REDIRECTS = 20
WEIGHT_ENDINGS = (".safetensors", ".bin")
LARGEST_WEIGHTS = 1 << 34  # bytes of a file of weights whose size the hub does not state
LARGEST_TEXT = 1 << 26  # bytes of any other: configuration, tokenizer, index


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


def look_up(hub_id: str, name: str, revision: str) -> Remote:
    """Ask the hub for a file's commit, hash and size; the hub client's errors come through.

    Raises `NotAHubError` for an answer without them.
    """
    library = client()
    url = library.hf_hub_url(hub_id, name, revision=revision)
    seconds = library.constants.HF_HUB_ETAG_TIMEOUT

    def ask() -> Any:
        session()  # which says what is wrong with the user's settings
        request_headers = headers()
        with Caller() as caller:
            return _answer(
                caller,
                seconds,
                lambda: library.get_hf_file_metadata(url, headers=request_headers, timeout=seconds),
            )

    try:
        stated = patiently(ask)
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
    if stated.size is not None and stated.size > LARGEST_TEXT and not _is_weights(name):
        raise NotAHubError(f"it states {stated.size:,} bytes for {name}")
    exact = library.hf_hub_url(hub_id, name, revision=stated.commit_hash)
    return Remote(name, exact, stated.commit_hash, stated.etag, stated.size)


def _answer(caller: Caller, seconds: float, ask: Callable[[], Value]) -> Value:
    """Return what the hub answers, all redirects included.

    seconds: the limit on silence. `NotAHubError` where an address to which it redirects, or a
    number that it states, is none.
    """
    try:
        return caller.call(ask, seconds * HEADERS_PATIENCE)
    except ValueError as error:
        raise NotAHubError(f"its answer holds what cannot be read: {error}") from None


def _is_weights(name: str) -> bool:
    return name.endswith(WEIGHT_ENDINGS)


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
    if response.status_code == 429:
        limit = client().utils.parse_ratelimit_headers(response.headers)
        if limit is not None and limit.remaining == 0:
            return float(limit.reset_in_seconds)
    asked = response.headers.get("Retry-After", "")
    return float(asked) if re.fullmatch(r"[0-9]{1,9}", asked) else 0.0


def receive(remote: Remote, partial: Path, counted: Counted) -> None:
    """Fetch what `partial` lacks of the file, also after the connection broke.

    Each byte is written at its place: two processes on one `partial` write the same. The errors of
    the HTTP library and of the hub client come through; what has come by then stays.
    """
    partial.touch()
    before, began = 0, 0.0

    def attempt() -> None:
        nonlocal before, began
        before, began = counted.furthest, time.monotonic()
        _receive_once(remote, partial, counted)

    def gained() -> bool:  # else a server that sends a byte and hangs up could do so for years
        return counted.furthest - before >= LEAST_RATE * max(1.0, time.monotonic() - began)

    if remote.size is None or partial.stat().st_size < remote.size:
        patiently(attempt, gained)


def _receive_once(remote: Remote, partial: Path, counted: Counted) -> None:
    start = partial.stat().st_size
    seconds = client().constants.HF_HUB_DOWNLOAD_TIMEOUT
    asked = headers() | {"accept-encoding": "identity"} | _range(start)
    request = session().build_request("GET", remote.url, headers=asked, timeout=seconds)
    with Caller() as caller:
        opened = _answer(caller, seconds, lambda: _open(request))
        with closing(opened) as response:
            if response.status_code == 416:  # nothing is behind what we have: it is not the file
                partial.write_bytes(b"")
                raise WrongBytesError(f"{remote.name} is shorter than what had come of it")
            blocks = at_least_rate(response.iter_raw(), caller, seconds * RATE_WINDOW)
            with partial.open("r+b") as file:
                file.seek(start if response.status_code == 206 else 0)
                for block in blocks:
                    _refuse_too_long(remote, file.tell() + len(block))
                    file.write(block)
                    counted.reach(file.tell())


def _open(request: Any) -> Any:
    """Return the answer that redirects lead to, its body yet to come; raise for a refusal.

    No other body is read: it could be without end, or a few bytes that unpack to gigabytes.
    """
    import httpx2

    for _ in range(REDIRECTS):
        response = session().send(request, stream=True, follow_redirects=False)
        coding = response.headers.get("Content-Encoding", "").strip().lower() or "identity"
        if response.is_success and coding == "identity":
            return response
        response.close()
        if response.is_success:
            raise NotAHubError(f"it compresses ({coding}) what was asked for as it is")
        if fault := fault_of_address(response.headers.get("Location", "")):
            raise NotAHubError(f"it redirects to what is no address: {fault}")
        if response.next_request is None:
            bare = {
                name: text for name, text in response.headers.items() if "-encoding" not in name
            }
            answer = httpx2.Response(response.status_code, headers=bare, request=response.request)
            client().utils.hf_raise_for_status(answer)
            raise NotAHubError(f"it answers {response.status_code} where a file was asked for")
        request = response.next_request
    raise httpx2.TooManyRedirects(f"more than {REDIRECTS} redirects")


def _refuse_too_long(remote: Remote, position: int) -> None:
    kind = LARGEST_WEIGHTS if _is_weights(remote.name) else LARGEST_TEXT
    longest = kind if remote.size is None else remote.size
    if position > longest:
        whose = "the most that such a file has" if remote.size is None else "what the hub states"
        raise WrongBytesError(f"{remote.name} is longer than {longest:,} bytes, {whose}")


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
