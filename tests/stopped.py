"""A script run with a signal at one of its calls; light, so that a process can begin with it.

    python -m tests.stopped LOG CALL SIGNAL SCRIPT ARGUMENTS...

CALL counts from the moment the script's own main begins, libraries not yet imported.
"""

import os
import runpy
import signal
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def run(argv: list[str], log: str, stop_at: int, by: int, output: str = "log") -> None:
    """Run the script argv[0]; all it prints, and the number of its calls, goes to `log`.

    stop_at: the call, from 1 on, at which it gets the signal `by`; 0 for none, -1 to count none,
    which is faster. output: where standard output goes, `log`, `full` (a full disk) or `pipe` (one
    that nobody reads).
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
    count = 0
    begun = False

    def profile(frame: Any, event: str, argument: Any) -> None:
        nonlocal count, begun
        begun = begun or frame.f_code.co_name == "main"
        if begun and event in ("call", "c_call"):
            count += 1
            if count == stop_at:
                os.kill(os.getpid(), by)

    if stop_at >= 0:
        sys.setprofile(profile)
    try:
        runpy.run_path(argv[0], run_name="__main__")
    finally:
        sys.setprofile(None)
        Path(log).with_suffix(".calls").write_text(str(count))


def _lossy(output: str) -> int:
    if output == "full":
        return os.open("/dev/full", os.O_WRONLY)
    read, write = os.pipe()
    os.close(read)
    return write


if __name__ == "__main__":
    run(sys.argv[4:], sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
