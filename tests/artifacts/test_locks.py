"""Locks: what races with the end of another run, and what is left when they are not got."""

import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

from gelu.artifacts import folder_lock
from gelu.artifacts.files import remove_folder
from gelu.artifacts.locks import is_lock
from gelu.errors import UserError


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def once(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, before: Any) -> None:
    """Let `before` happen once, right before the next call of a function."""
    function = getattr(module, name)

    def called(*arguments: Any) -> Any:
        monkeypatch.setattr(module, name, function)
        before()
        return function(*arguments)

    monkeypatch.setattr(module, name, called)


@pytest.mark.parametrize(("module", "function"), [(os, "open"), (fcntl, "flock")])
def test_a_folder_that_another_run_removes_meanwhile_is_made_anew(
    module: Any, function: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, before = tmp_path / ".shards", open_files()
    folder.mkdir()
    once(monkeypatch, module, function, lambda: remove_folder(folder, is_lock))
    with folder_lock(folder):
        # It is the lock of the folder that is there now.
        with (
            pytest.raises(UserError, match="another process is writing there"),
            folder_lock(folder),
        ):
            pass
        assert folder.is_dir()
    assert open_files() == before and list(tmp_path.iterdir()) == [folder]


def test_an_interrupted_lock_leaves_no_file_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    before = open_files()
    monkeypatch.setattr(fcntl, "flock", interrupted)
    with pytest.raises(KeyboardInterrupt), folder_lock(tmp_path):
        pass
    assert open_files() == before
