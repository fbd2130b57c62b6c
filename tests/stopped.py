"""A script run with a signal at one of its calls; light, so that a process can begin with it.

    python -m tests.stopped LOG IMPORT SIGNAL SCRIPT ARGUMENTS...

IMPORT counts the modules that are imported from the moment the script's own main begins.
"""

import os
import runpy
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def run(
    argv: list[str], log: str, stop_at: int, by: int, output: str = "log", of: str = "calls"
) -> None:
    """Run the script argv[0]; all it prints, and the number of its calls, goes to `log`.

    stop_at: the call, from 1 on, at which it gets the signal `by`; 0 for none, -1 to count none,
    which is faster. output: where standard output goes, `log`, `full` (a full disk) or `pipe` (one
    that nobody reads). of: what is counted, `calls` or `imports`, each of a module for the first
    time, which is faster than to count the many calls of libraries that are being imported.
    """
    os.chdir(ROOT)
    sys.argv = argv
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    if output != "log":
        os.dup2(_lossy(output), 1)
    # Where Ctrl-C is ignored, as in a fork server or in the background, the children ignore it too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    counted = _Counted(stop_at, by)
    if of == "imports":
        sys.addaudithook(counted.audit)
    elif stop_at >= 0:
        sys.setprofile(counted.profile)
    try:
        runpy.run_path(argv[0], run_name="__main__")
    finally:
        sys.setprofile(None)
        Path(log).with_suffix(".calls").write_text(str(counted.count))


class _Counted:
    """Counts what happens from the first of the script's main on, and sends a signal at one."""

    def __init__(self, stop_at: int, by: int) -> None:
        self.count, self._stop_at, self._by = 0, stop_at, by
        self._begun = False

    def profile(self, frame: FrameType, event: str, _: Any) -> None:
        self._begun = self._begun or frame.f_code.co_name == "main"
        if self._begun and event in ("call", "c_call"):
            self._pass()

    def audit(self, event: str, _: tuple[Any, ...]) -> None:
        if event == "import":
            self._begun = self._begun or _is_in_main(sys._getframe())
            if self._begun:
                self._pass()

    def _pass(self) -> None:
        self.count += 1
        if self.count == self._stop_at:
            os.kill(os.getpid(), self._by)


def _is_in_main(frame: FrameType | None) -> bool:
    while frame is not None and frame.f_code.co_name != "main":
        frame = frame.f_back
    return frame is not None


def _lossy(output: str) -> int:
    if output == "full":
        return os.open("/dev/full", os.O_WRONLY)
    read, write = os.pipe()
    os.close(read)
    return write


if __name__ == "__main__":
    run(sys.argv[4:], sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), of="imports")
