"""Scripts run in processes that are forked from one with everything imported, and stopped there.

    run = forked(argv, log, stop_at=1234, by=signal.SIGKILL)
    run.exitcode, log.read_text()

Moments are counted in calls of functions, Python's and C's, from the first of the script's main
on, and not in seconds: so each is hit again whatever else the machine does, and writes, renames and
deletions are moments of their own.
"""

import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests import stopped
from tests.stopped import ROOT


def forked(
    arguments: Sequence[object],
    log: Path,
    stop_at: int = 0,
    by: signal.Signals = signal.SIGKILL,
    wait: bool = True,
    output: str = "log",
    unprivileged: bool = False,
) -> BaseProcess:
    """Run a script, arguments[0]; all it prints, and the number of its calls, goes to `log`.

    stop_at: as for `stopped.run`, with the signal `by`. wait: until it ends.
    output: where standard output goes, as for `stopped.run`. unprivileged: without root's right to
    other users' files.
    """
    context = multiprocessing.get_context("forkserver")
    argv = [str(ROOT / str(arguments[0])), *map(str, arguments[1:])]
    process = context.Process(
        target=_run, args=(argv, str(log), stop_at, int(by), output, unprivileged)
    )
    process.start()
    if wait:
        process.join()
    return process


def begun_cold(
    arguments: Sequence[object], log: Path, stop_at: int = 0, by: signal.Signals = signal.SIGINT
) -> int:
    """Run a script as `forked` does, its libraries not yet imported; return how it ended.

    stop_at: counted in imports.
    """
    command = [
        sys.executable,
        "-m",
        "tests.stopped",
        log,
        stop_at,
        int(by),
        ROOT / str(arguments[0]),
    ]
    command += arguments[1:]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        list(map(str, command)), cwd=ROOT, env=environment, check=False
    ).returncode


def calls(log: Path) -> int:
    """Return how many calls (`begun_cold`: imports) an undisturbed run has made."""
    return int(log.with_suffix(".calls").read_text())


def _run(argv: list[str], log: str, stop_at: int, by: int, output: str, unprivileged: bool) -> None:
    import torch

    if unprivileged:
        _drop_capabilities()
    torch.set_num_threads(1)
    stopped.run(argv, log, stop_at, by, output)


def _drop_capabilities() -> None:
    """Keep this process's user and give up all capabilities, capset(2)."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    if ctypes.CDLL(None, use_errno=True).capset(header, (ctypes.c_uint32 * 6)()):
        raise OSError(ctypes.get_errno(), "capset")
