"""Which run a dataset's folder belongs to: a run goes on where it stopped, and none are mixed.

    folder = RunFolder(files, run)
    with folder.hold():                     # nobody else writes
        if folder.is_finished(endings): ...
        folder.start(overwrite=False)
        shards = folder.shards()
        ...
        folder.finish()

`run` describes the run (the content of `{m}_run.json`). It stands in `.shards/` while the run is
not finished and beside the dataset afterwards. Two runs are the same where all that decides the
tokens is: not the name of the CSV, nor which files are exported from them.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from gelu.artifacts import (
    RUN,
    RUN_FILES,
    Artifacts,
    Shards,
    folder_lock,
    half_written_files,
    made_files,
    read_run,
    refuse_link,
    removable_folders,
    remove_files,
    remove_folder,
    write_document,
)
from gelu.artifacts.locks import PART_LOCK, is_lock
from gelu.artifacts.shards import is_shard
from gelu.errors import UserError

SHARDS = ".shards"
EXPORT_ARGUMENTS = ("csv_safe", "edges", "formats", "top_edges")
UNCOMPARED = ("input_csv", "model_type")


class RunFolder:
    """The folder of one run of one model."""

    def __init__(self, files: Artifacts, run: Mapping[str, Any]) -> None:
        self._files, self._run = files, run
        self._folder = files.folder / SHARDS
        self._description = self._folder / RUN

    @contextmanager
    def hold(self, part: tuple[int, int] | None = None) -> Iterator[None]:
        """Keep other processes out; part: only those that make the same one, (i, n).

        Raises `UserError` where one is in.
        """
        with ExitStack() as stack:
            stack.enter_context(folder_lock(self._folder, shared=part is not None))
            if part is not None:
                stack.enter_context(folder_lock(self._folder, PART_LOCK.format(*part)))
            yield

    def is_finished(self, endings: Sequence[str]) -> bool:
        """Return whether this very run is finished here, its files of these endings all there.

        Raises `UserError` where another run is.
        """
        finished = _read_description(self._files.path(RUN))
        if finished is None:
            return False
        self._refuse(finished, "holds", ignored=())
        return all(self._files.path(ending).is_file() for ending in endings)

    def shards(self) -> Shards:
        """Return this run's shards, whichever are there."""
        digest = hashlib.sha256(json.dumps(_decisive(self._run, EXPORT_ARGUMENTS)).encode())
        return Shards(self._folder, digest.digest(), self._run["model"]["n_neurons"])

    def start(self, overwrite: bool, alone: bool = True) -> None:
        """Begin this run here, or go on with it.

        overwrite: delete what another run, or this one, has left. alone: no other process may be
        writing, so that what killed ones left half-written can be deleted. Raises `UserError`
        where another run's shards are.
        """
        if overwrite:
            remove_files(self._files.path(ending) for ending in RUN_FILES)
            left = made_files(self._folder, _is_made)
            remove_files(path for path in left if not is_lock(path.name))
        if alone:
            self._remove_leftovers()
        begun = None if overwrite else _read_description(self._description)
        if begun is None:
            write_document(self._description, self._run)
        else:
            self._refuse(begun, "holds a part of", ignored=EXPORT_ARGUMENTS)

    def is_clean(self) -> bool:
        """Return whether nothing but finished files is left, as after `finish`."""
        half = half_written_files(self._files.folder, self._is_final)
        return not half and not removable_folders(self._folder, _is_made)

    def finish(self) -> list[str]:
        """Delete the shards, and what a killed process left of them; return notes of what is left.

        Nothing that no run makes is deleted.
        """
        self._remove_leftovers()
        if not (left := remove_folder(self._folder, _is_made)):
            return []
        more = f" and {len(left) - 1} more" if left[1:] else ""
        return [f"{left[0]}{more}: not of this run, left where it is"]

    def _remove_leftovers(self) -> None:
        remove_files(half_written_files(self._folder, _is_made))
        remove_files(half_written_files(self._files.folder, self._is_final))
        for folder in removable_folders(self._folder, _is_made):
            if folder != self._folder:
                remove_folder(folder, _is_made)

    def _is_final(self, name: str) -> bool:
        return name in {self._files.path(ending).name for ending in RUN_FILES}

    def _refuse(self, other: Mapping[str, Any], what: str, ignored: Sequence[str]) -> None:
        difference = find_difference(_decisive(other, ignored), _decisive(self._run, ignored))
        if difference is not None:
            raise UserError(
                f"{self._files.folder}: {what} another run: {difference}; choose another folder, "
                "or `overwrite` to start afresh"
            )


def begun_run(files: Artifacts) -> dict[str, Any] | None:
    """Return what describes the run that is finished or begun in a folder, None for none.

    Raises `UserError` where `.shards` is a link, which may come with a received folder.
    """
    refuse_link(files.folder / SHARDS)
    begun = _read_description(files.folder / SHARDS / RUN)
    return begun if begun is not None else _read_description(files.path(RUN))


def _read_description(path: Path) -> dict[str, Any] | None:
    try:
        return read_run(path)
    except UserError as error:
        raise UserError(f"{error}; `overwrite` starts afresh") from None


def _is_made(name: str) -> bool:
    """Return whether a run makes a file of that name in `.shards`."""
    return name == RUN or is_lock(name) or is_shard(name)


def _decisive(run: Mapping[str, Any], ignored: Sequence[str]) -> dict[str, Any]:
    """Return {place: value} of all that decides what a run writes, in order of place."""
    flat = dict(_flatten("", run))
    left_out = {f"arguments.{name}" for name in (*ignored, *UNCOMPARED)}
    return {place: flat[place] for place in sorted(flat) if place not in left_out}


def _flatten(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from _flatten(f"{place}.{key}".removeprefix("."), below)
    else:
        yield place, value


def find_difference(other: Mapping[str, Any], mine: Mapping[str, Any]) -> str | None:
    """Return in words the first difference of two runs, None for none. Keys are places."""
    for place in sorted(other.keys() | mine.keys(), key=_importance):
        theirs, ours = other.get(place), mine.get(place)
        if not _is_same(theirs, ours):
            return _in_words(place, theirs, ours)
    return None


def _is_same(theirs: Any, ours: Any) -> bool:
    if isinstance(theirs, list) and isinstance(ours, list):
        return len(theirs) == len(ours) and all(map(_is_same, theirs, ours))
    # To Python True is 1.
    return bool(theirs == ours) and isinstance(theirs, bool) == isinstance(ours, bool)


def _importance(place: str) -> tuple[int, str]:
    """Arguments first: a hash that differs says less than the argument that made it differ."""
    order = ("arguments.", "input_csv_sha256", "model.", "versions.", "")
    return next(rank for rank, start in enumerate(order) if place.startswith(start)), place


def _in_words(place: str, theirs: Any, ours: Any) -> str:
    if place == "input_csv_sha256":
        return "`input_csv` has other contents"
    if place == "model.weights_sha256":
        return "`model_type` has other weights"
    if place.startswith("arguments."):
        name = place.removeprefix("arguments.")
        return f"`{name}` is {_shown(ours)}, there it is {_shown(theirs)}"
    return f"{place.replace('.', ' ')} is {_shown(ours)}, there it is {_shown(theirs)}"


def _shown(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
