"""Scripts run in forks of a process that has imported the heavy libraries already.

    with Forks(["torch"]) as forks:
        result = forks.run("b_trace_gelu_activations.py", "--help")
        started = forks.start("b_trace_gelu_activations.py", "--help")  # several at once
        os.kill(started.number, signal.SIGINT)
        result = started.end()
        forks.write_python(folder / "python")  # for commands of a shell

Each run has the environment of the moment, and imports for itself what was not named: so the hub
client, which reads its settings when it is imported, reads them anew in each.
"""

import importlib
import json
import os
import runpy
import select
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, Self

ROOT = Path(__file__).resolve().parent.parent
# What the scripts import: all of the library, and what it imports late. Not transformers, which
# only the tests use, and which takes longer than all of that.
_MODULES = (path.relative_to(ROOT).with_suffix("") for path in (ROOT / "gelu").rglob("*.py"))
LIBRARIES = [
    *("torch", "torch._inductor", "tokenizers", "safetensors.torch", "networkx"),
    *("sklearn.cluster", "sklearn.manifold"),
    *sorted(".".join(module.parts).removesuffix(".__init__") for module in _MODULES),
]


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
        self._folder = tempfile.TemporaryDirectory()
        self._address = str(Path(self._folder.name) / "address")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(self._address)
            server.listen()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.forks", str(server.fileno()), *libraries],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                pass_fds=[server.fileno()],
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()
        self._folder.cleanup()

    def run(self, script: str, *arguments: object, check: bool = True) -> Any:
        """Run a script of the repository to its end; with `check`, fail where it fails."""
        result = self.start(script, *arguments).end()
        if check:
            assert result.returncode == 0, result.stderr
        return result

    def start(self, script: str, *arguments: object) -> Started:
        """Start a script of the repository; its `end` must be waited for."""
        return Started(self, [str(ROOT / script), *map(str, arguments)])

    def write_python(self, path: Path) -> None:
        """Write a command that is `python` to a shell, and runs its script in a fork."""
        command = [sys.executable, "-IS", str(ROOT / "tests" / "stand_in.py"), self._address]
        path.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        path.chmod(0o755)

    def ask(self, order: Any) -> int:
        """Give the process an order and return its answer."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def main() -> None:
    """Import what was named, then obey each line of stdin, and whoever connects to a socket.

    A script is started in a fork, whose number is printed; a number is waited for, and how that
    process ended is printed. Who connects is told how its script ended.
    """
    number, *libraries = sys.argv[1:]
    for library in libraries:
        importlib.import_module(library)
    served = []
    with socket.socket(fileno=int(number)) as server:
        while True:
            ready = select.select([sys.stdin, server], [], [])[0]
            if server in ready:
                served.append(_serve(server.accept()[0]))
            if sys.stdin in ready:
                line = sys.stdin.readline()
                if not line:
                    break
                _obey(json.loads(line))
    for child in served:
        os.waitpid(child, 0)


def _obey(order: Any) -> None:
    if isinstance(order, int):
        print(os.waitstatus_to_exitcode(os.waitpid(order, 0)[1]), flush=True)
    elif (child := os.fork()) == 0:
        _become(**order)
    else:
        print(child, flush=True)


def _serve(connection: socket.socket) -> int:
    """Let a fork, whose number is returned, be the script of who is connected.

    It has the streams and the folder of the one that asks.
    """
    with connection:
        if (child := os.fork()) == 0:
            streams = socket.recv_fds(connection, 1, 3)[1]
            order = json.loads(connection.makefile().read())
            os.chdir(order["folder"])
            code = _run(order["argv"], order["environment"], streams)
            connection.send(bytes([code % 256]))
            os._exit(code)
    return child


def _become(argv: list[str], environment: dict[str, str], logs: list[str]) -> NoReturn:
    """Be the script `argv`, as if it had been started from a shell."""
    os._exit(
        _run(argv, environment, [os.open(p, os.O_RDWR | os.O_CREAT) for p in (os.devnull, *logs)])
    )


def _run(argv: list[str], environment: dict[str, str], streams: Sequence[int]) -> int:
    """Run a script, or the code on stdin where it is `-`; return its exit code."""
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, stream in enumerate(streams):
        os.dup2(stream, descriptor)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = argv
    code = 1
    try:
        if argv[0] == "-":
            with open(0, encoding="utf-8", closefd=False) as given:
                exec(compile(given.read(), "<stdin>", "exec"), {"__name__": "__main__"})
        else:
            runpy.run_path(argv[0], run_name="__main__")
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    main()
