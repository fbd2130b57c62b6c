"""Freed memory that is used again instead of being given back to the system."""

import platform
import subprocess
import sys

import pytest

from tests.helpers import ROOT

# Prints what the function returned, and how many pages the system had to clear for ten arrays of
# 64 MB, each freed before the next.
PROGRAM = """
import resource, sys
import numpy as np
from gelu.model.allocator import keep_freed_memory
kept = keep_freed_memory() if sys.argv[1] == "keep" else None
np.ones(1 << 23)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    np.ones(1 << 23)
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def run(what: str) -> tuple[str, int]:
    command = [sys.executable, "-c", PROGRAM, what]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    kept, faults = shown.split()
    return kept, int(faults)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator")
def test_large_arrays_take_memory_that_was_freed() -> None:
    kept, faults = run("keep")
    assert kept == "True"
    _, otherwise = run("leave")
    assert faults * 10 < otherwise, "each array was cleared anew"


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from gelu.model.allocator import keep_freed_memory

    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()
