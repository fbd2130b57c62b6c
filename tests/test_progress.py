"""A bar that is interrupted while it is built says nothing of its own."""

import gc
import sys
from collections.abc import Callable

import pytest

from gelu.progress import progress_bar


@pytest.mark.parametrize("at", ["_get_free_pos", "refresh", "status_printer"])
def test_an_interrupt_while_a_bar_is_built_leaves_no_complaint(
    at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    complaints: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", complaints.append)
    with monkeypatch.context() as patch:
        patch.setattr(f"tqdm.std.tqdm.{at}", interrupt)
        with pytest.raises(KeyboardInterrupt):
            progress_bar("a", 3, "b")
    gc.collect()
    assert not complaints


def test_a_bar_that_is_left_ends_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    def leave(bar: Callable[[], object]) -> None:
        bar()

    leave(lambda: progress_bar("a", 3, "b").update(2))
    gc.collect()
    said = capsys.readouterr().err
    assert "a: " in said and said.endswith("\n")
