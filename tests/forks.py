"""Scripts run in forks of a process that has imported the heavy libraries already.

    with Forks(["torch"]) as forks:
        result = forks.run("b_trace_gelu_activations.py", "--help")

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
        assert self._process.stdin is not None and self._process.stdout is not None
        with tempfile.TemporaryDirectory() as folder:
            logs = [str(Path(folder) / name) for name in ("stdout", "stderr")]
            argv = [str(ROOT / script), *map(str, arguments)]
            order = {"argv": argv, "environment": dict(os.environ), "logs": logs}
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            code = int(self._process.stdout.readline())
            out, err = (Path(log).read_bytes().decode() for log in logs)
        if check:
            assert code == 0, err
        return subprocess.CompletedProcess(argv, code, out, err)


def main() -> None:
    """Import what was named, then fork for each line of stdin and print how the fork ended."""
    for library in sys.argv[1:]:
        importlib.import_module(library)
    for line in sys.stdin:
        if (child := os.fork()) == 0:
            _become(**json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


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
