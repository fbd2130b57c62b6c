"""How all benchmarks time, describe the machine and write down what they found."""

import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "RESULTS.md"


def in_turns(ways: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Run every way once a round, so that a machine that drifts drifts for all; return seconds.

    One more round goes before and is not counted.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(repeats + 1):
        for name, run in ways.items():
            start = time.perf_counter()
            run()
            if repeat > 0:
                seconds[name].append(time.perf_counter() - start)
            print(f"round {repeat} of {repeats}: {name}", file=sys.stderr, flush=True)
    return seconds


@contextmanager
def replaced(place: Any, name: str, value: Any) -> Iterator[None]:
    """Put a value in the place of an attribute for a while."""
    before = getattr(place, name)
    setattr(place, name, value)
    try:
        yield
    finally:
        setattr(place, name, before)


def ratio(theirs: Sequence[float], ours: Sequence[float]) -> str:
    """Return their seconds over ours, round by round, as median (least to most)."""
    ratios = [a / b for a, b in zip(theirs, ours, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


@dataclass(frozen=True)
class Usage:
    """What one process took. megabytes: at most, resident."""

    seconds: float
    megabytes: float


def run_measured(command: Sequence[Any]) -> Usage:
    """Run a command to its end. Raises `RuntimeError` with its last words where it fails."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise RuntimeError(errors.decode()[-2000:])
    return Usage(time.perf_counter() - start, usage.ru_maxrss / 1e3)


def machine() -> str:
    """Return one line on the machine and the libraries."""
    import torch

    capability = torch.backends.cpu.get_cpu_capability()
    return (
        f"{_processor()}, {torch.get_num_threads()} threads, {capability}, float32; "
        f"Python {platform.python_version()}, torch {torch.__version__}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    named = re.search(r"^model name\s*:\s*(.+)$", lines, re.MULTILINE)
    return named[1].strip() if named else platform.machine()


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def report(section: str, text: str) -> None:
    """Print a section and put it in place of the one of that name in `RESULTS.md`.

    The command is the one that was run; the machine is described below it.
    """
    # Of a folder elsewhere on this machine the name will do.
    named = [Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:]]
    command = " ".join(["python", os.path.relpath(sys.argv[0], ROOT), *named])
    body = f"## {section}\n\n`{command}`  \n{machine()}\n\n{text.strip()}\n"
    print(body)
    before = RESULTS.read_text(encoding="utf-8")
    pattern = re.compile(rf"^## {re.escape(section)}\n.*?(?=^## |\Z)", re.DOTALL | re.MULTILINE)
    if pattern.search(before):
        after = pattern.sub(lambda _: body + "\n", before)
    else:
        after = before.rstrip("\n") + "\n\n" + body
    RESULTS.write_text(after.rstrip("\n") + "\n", encoding="utf-8")
