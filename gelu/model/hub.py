"""The files of a model on the Hugging Face hub: from the cache on this machine, or else fetched.

    paths = fetch("gpt2", ["model.safetensors"], advice="")   # a path each, None for no such file

The cache is the hub client's own, in its layout (HF_HOME, HF_HUB_CACHE), so that there is one for
all programs and `hf cache` shows what is in it: `blobs/` by hash, `snapshots/<commit>/` with links
to them, `refs/main` with the commit, `.no_exist/<commit>/` for files that are not there. What is in
it is used as it is, without a word to the hub; a download is checked, and gets its name there last.
"""

import os
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from gelu.errors import UserError
from gelu.model.download import (
    SHA1,
    Counted,
    Remote,
    WrongBytesError,
    delay,
    has_stated_bytes,
    look_up,
    receive,
)
from gelu.model.hub_failures import told_in_one_line
from gelu.model.hub_settings import client
from gelu.progress import progress_bar

BRANCH = "main"
LOCK_TRY = 0.5  # seconds between two looks at how far another process has come
LOCK_PATIENCE = 60.0  # without a byte from it; the lock saves traffic, no result depends on it


def fetch(hub_id: str, names: Sequence[str], advice: str) -> list[Path | None]:
    """Return where files of a repository lie, None for those it has not.

    What is not in the cache is downloaded, of the commit that is in the cache if there is one.
    Raises `HubError` where that fails; advice: what works without the hub.
    """
    with told_in_one_line(hub_id, advice):
        unknown = [name for name in names if _in_cache(hub_id, name) is None]
        if unknown:
            _bring(hub_id, unknown)
        return cached(hub_id, names)


def cached(hub_id: str, names: Sequence[str]) -> list[Path | None]:
    """Return where files of a repository lie in the cache, None for those that are not there."""
    found = [_in_cache(hub_id, name) for name in names]
    return [Path(path) if isinstance(path, str) else None for path in found]


def _in_cache(hub_id: str, name: str) -> Any:
    """Return a path, None if not in the cache, a mark if known not to be in the repository."""
    return client().try_to_load_from_cache(hub_id, name, revision=BRANCH)


def stated_sha256(path: Path) -> str | None:
    """Return the SHA-256 that the hub stated for a file of the cache, None where it stated none."""
    name = path.readlink().name if path.is_symlink() else ""
    return name if len(name) == 64 else None


def _bring(hub_id: str, names: Sequence[str]) -> None:
    """Download files into the cache; mark there what the repository has not."""
    library = client()
    cache = Path(library.constants.HF_HUB_CACHE)
    folder = cache / library.file_download.repo_folder_name(repo_id=hub_id, repo_type="model")
    remotes = _look_up_all(hub_id, names, _known_commit(folder))
    for remote in remotes:
        if remote.commit is not None:
            _note_commit(folder, remote.commit)
        if remote.commit is not None and remote.etag is None:
            _note(folder / ".no_exist" / remote.commit / remote.name, "")
    there = [remote for remote in remotes if remote.etag is not None]
    missing = [remote for remote in there if not (folder / "blobs" / str(remote.etag)).is_file()]
    if missing:
        _download(hub_id, folder, missing)
    for remote in there:
        _link(folder, remote)


def _look_up_all(hub_id: str, names: Sequence[str], commit: str | None) -> list[Remote]:
    """Look files up in one commit: the one that is given, or else the newest."""
    remotes = []
    for name in names:
        remotes.append(look_up(hub_id, name, commit or BRANCH))
        commit = commit or remotes[-1].commit
    return remotes


def _known_commit(folder: Path) -> str | None:
    try:
        commit = (folder / "refs" / BRANCH).read_text(encoding="ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    return commit if SHA1.fullmatch(commit) else None


def _note_commit(folder: Path, commit: str) -> None:
    if _known_commit(folder) != commit:
        _note(folder / "refs" / BRANCH, commit)


def _note(path: Path, text: str) -> None:
    """Write a small file that others may be reading or writing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    partial.write_text(text, encoding="ascii")
    partial.replace(path)


def _download(hub_id: str, folder: Path, remotes: Sequence[Remote]) -> None:
    """Bring blobs, one after another, under one bar for the bytes of all."""
    blobs = folder / "blobs"
    blobs.mkdir(parents=True, exist_ok=True)
    positions = [_size(_partial(blobs, remote)) for remote in remotes]
    total = sum(remote.size or 0 for remote in remotes)
    _refuse_full_disk(hub_id, blobs, total - sum(positions))
    try:
        with _bar(hub_id, total, sum(positions)) as bar:
            for remote, position in zip(remotes, positions, strict=True):
                _download_one(hub_id, blobs, remote, Counted(bar, position))
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"the same command goes on with the download of {hub_id} where it stopped"
        ) from None


@contextmanager
def _bar(hub_id: str, total: int, initial: int) -> Iterator[Any]:
    """Give a bar of bytes that is wiped off where the download fails."""
    # Of several processes of one torchrun, one shows how far they are.
    follower = "TORCHELASTIC_RUN_ID" in os.environ and os.environ.get("RANK", "0") != "0"
    quiet = follower or client().utils.are_progress_bars_disabled()
    words = f"downloading {hub_id}"
    bar = progress_bar(words, total, "B", True, initial, quiet, delay(total - initial))
    try:
        yield bar
    except BaseException:
        bar.leave = False
        raise
    finally:
        bar.close()


def _download_one(hub_id: str, blobs: Path, remote: Remote, counted: Counted) -> None:
    blob, partial = blobs / str(remote.etag), _partial(blobs, remote)
    with _alone(blobs, remote, counted):
        if blob.is_file():  # another process has brought it
            counted.reach(blob.stat().st_size)
            return
        try:
            counted.say(f"downloading {hub_id}")
            receive(remote, partial, counted)
            counted.say(f"checking {hub_id}")
            if not has_stated_bytes(partial, remote):
                raise WrongBytesError(f"{remote.name} is not what the hub states (size or hash)")
        except WrongBytesError:
            partial.unlink(missing_ok=True)
            raise
        counted.say(f"downloading {hub_id}")
        with suppress(FileNotFoundError):  # a process that had no patience with us was quicker
            partial.replace(blob)


@contextmanager
def _alone(blobs: Path, remote: Remote, counted: Counted) -> Iterator[None]:
    """Hold the hub client's lock of a blob, and show how far the process is that holds it now.

    A process that stands still too long is not waited for.
    """
    from filelock import Timeout

    folder = blobs.parent
    lock = folder.parent / ".locks" / folder.name / f"{remote.etag}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    last = time.monotonic()
    with ExitStack() as stack:
        while time.monotonic() - last < LOCK_PATIENCE:
            try:
                stack.enter_context(client().utils.WeakFileLock(lock, timeout=LOCK_TRY))
                break
            except Timeout:
                before = counted.furthest
                counted.reach(max(map(_size, blobs.glob(f"{remote.etag}*.incomplete")), default=0))
                last = time.monotonic() if counted.furthest > before else last
        yield


def _partial(blobs: Path, remote: Remote) -> Path:
    return blobs / f"{remote.etag}.incomplete"


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _refuse_full_disk(hub_id: str, folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"`model_type` {hub_id}: {needed:,} bytes are to be downloaded and the disk of "
            f"{folder} has {free:,} free; make room, or set HF_HOME to a folder on another disk"
        )


def _link(folder: Path, remote: Remote) -> None:
    """Let the commit's folder show a blob under the file's name."""
    blob = folder / "blobs" / str(remote.etag)
    pointer = folder / "snapshots" / str(remote.commit) / remote.name
    pointer.parent.mkdir(parents=True, exist_ok=True)
    try:
        pointer.symlink_to(os.path.relpath(blob, pointer.parent))
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        blob.replace(pointer)
