"""Scripts run in forks of a process that has imported the heavy libraries already.

    with Forks(["torch"]) as forks:
        result = forks.run("b_trace_gelu_activations.py", "--help")
        started = forks.start("b_trace_gelu_activations.py", "--help")  # several at once
        os.kill(started.number, signal.SIGINT)
        result = started.end()

Each run has the environment of the moment, and imports for itself what was not named: so the hub
client, which reads its settings when it is imported, reads them anew in each.
"""

import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, Self

ROOT = Path(__file__).resolve().parent.parent


class Started:
    """A script that is running; number: of its process."""

    def __init__(self, forks: "Forks", argv: list[str]) -> None:
        self._forks, self._argv = forks, argv
        self._folder = tempfile.TemporaryDirectory()
        self._logs = [str(Path(self._folder.name) / name) for name in ("stdout", "stderr")]
        order = {"argv": argv, "environment": dict(os.environ), "logs": self._logs}
        self.number = forks.ask(order)

    def end(self) -> Any:
        """Wait for its end and return it as a `subprocess.CompletedProcess`."""
        code = self._forks.ask(self.number)
        out, err = (Path(log).read_bytes().decode() for log in self._logs)
        self._folder.cleanup()
        return subprocess.CompletedProcess(self._argv, code, out, err)


class Forks:
    """A process that forks; libraries: what it imports before."""

    def __init__(self, libraries: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.forks", *libraries],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(self, script: str, *arguments: object, check: bool = True) -> Any:
        """Run a script of the repository to its end; with `check`, fail where it fails."""
        result = self.start(script, *arguments).end()
        if check:
            assert result.returncode == 0, result.stderr
        return result

    def start(self, script: str, *arguments: object) -> Started:
        """Start a script of the repository; its `end` must be waited for."""
        return Started(self, [str(ROOT / script), *map(str, arguments)])

    def ask(self, order: Any) -> int:
        """Give the process an order and return its answer."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def main() -> None:
    """Import what was named, then obey each line of stdin.

    A script is started in a fork, whose number is printed; a number is waited for, and how that
    process ended is printed.
    """
    for library in sys.argv[1:]:
        importlib.import_module(library)
    for line in sys.stdin:
        order = json.loads(line)
        if isinstance(order, int):
            print(os.waitstatus_to_exitcode(os.waitpid(order, 0)[1]), flush=True)
        elif (child := os.fork()) == 0:
            _become(**order)
        else:
            print(child, flush=True)


def _become(argv: list[str], environment: dict[str, str], logs: list[str]) -> NoReturn:
    """Be the script `argv`, as if it had been started from a shell."""
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, path in zip((0, 1, 2), (os.devnull, *logs), strict=True):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), descriptor)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = argv
    code = 1
    try:
        runpy.run_path(argv[0], run_name="__main__")
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
