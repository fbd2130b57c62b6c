"""Scripts run in processes that are forked from one with everything imported, and stopped there.

    run = forked(argv, log, stop_at=1234, by=signal.SIGKILL)
    run.exitcode, log.read_text()

Moments are counted in calls of functions, Python's and C's, and not in seconds: so each is hit
again whatever else the machine does, and writes, renames and deletions are moments of their own.
"""

import multiprocessing
import os
import runpy
import signal
import sys
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tests.helpers import ROOT

PRELOADED = [
    "tests.helpers",
    "gelu.dataset_run",
    "gelu.generation",
    "gelu.export",
    "gelu.dataset",
    "gelu.graph_output",
    "gelu.run_folder",
    "gelu.plan",
    "gelu.team",
]


def forked(
    arguments: Sequence[object],
    log: Path,
    stop_at: int = 0,
    by: signal.Signals = signal.SIGKILL,
    wait: bool = True,
) -> BaseProcess:
    """Run a script, arguments[0]; all it prints, and the number of its calls, goes to `log`.

    stop_at: the call, from 1 on, at which it gets the signal `by`; 0 for none. wait: until it ends.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    argv = [str(ROOT / str(arguments[0])), *map(str, arguments[1:])]
    process = context.Process(target=_run, args=(argv, str(log), stop_at, int(by)))
    process.start()
    if wait:
        process.join()
    return process


def calls(log: Path) -> int:
    """Return how many calls an undisturbed run has made."""
    return int(log.with_suffix(".calls").read_text())


def said(log: Path) -> list[str]:
    """Return the lines a run has printed, progress bars left out."""
    lines = log.read_text().replace("\r", "\n").splitlines()
    return [line for line in lines if line.strip() and "it/s" not in line and "|" not in line]


def _run(argv: list[str], log: str, stop_at: int, by: int) -> None:
    import torch

    torch.set_num_threads(1)
    os.chdir(ROOT)
    sys.argv = argv
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    # The fork server ignores Ctrl-C, and its children with it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    count = 0

    def profile(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        if event in ("call", "c_call"):
            count += 1
            if count == stop_at:
                os.kill(os.getpid(), by)

    sys.setprofile(profile)
    try:
        runpy.run_path(argv[0], run_name="__main__")
    finally:
        sys.setprofile(None)
        Path(log).with_suffix(".calls").write_text(str(count))
