"""Time and memory of `analyze_activations.py`, beside a straightforward implementation.

Example:
  python benchmarks/analysis.py --samples 10000,100000

Synthetic datasets (see `synthetic.py`) in a temporary folder, read from the .npz. First both, in
turns, on a dataset small enough for the peer: 1,000 samples of 2 layers of 1,024 neurons. Then this
project's script alone on gpt2's shape, 36,864 neurons, pictures and report included.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

PEER_SAMPLES = 1_000


@dataclass
class Usage:
    """What one run took."""

    seconds: float
    megabytes: float


def main() -> None:
    """Run both and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", default="10000", help="sizes on gpt2's shape, comma-separated")
    arguments = parser.parse_args()
    from benchmarks.shapes import machine
    from gelu.models import HUB_GEOMETRIES, Geometry

    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        _compare(Path(folder) / "small", Geometry(2, 0, 1024, 0))
        for n_samples in map(int, arguments.samples.split(",")):
            files = _dataset(Path(folder) / str(n_samples), n_samples, HUB_GEOMETRIES["gpt2"])
            usage = _run(_ours(files))
            print(f"{n_samples:,} samples x 36,864 neurons: {_in_words(usage)}", flush=True)


def _compare(folder: Path, geometry: Any) -> None:
    files = _dataset(folder, PEER_SAMPLES, geometry)
    csv, npz = _inputs(files)
    peer_script = ROOT / "benchmarks" / "straightforward_analysis.py"
    peer = _run([sys.executable, peer_script, csv, npz])
    ours = _run(_ours(files))
    print(f"{PEER_SAMPLES:,} samples x {geometry.n_neurons:,} neurons")
    print(f"  straightforward: {_in_words(peer)}")
    print(f"  this project: {_in_words(ours)}, {peer.seconds / ours.seconds:.1f} x as fast")


def _dataset(folder: Path, n_samples: int, geometry: Any) -> Any:
    from benchmarks.synthetic import write_synthetic_dataset

    # The model's name in file names is its folder's.
    folder = folder / "synthetic"
    folder.mkdir(parents=True)
    return write_synthetic_dataset(folder, n_samples, geometry)


def _inputs(files: Any) -> tuple[Path, Path]:
    from gelu.artifacts import DATASET, MATRIX

    return files.path(DATASET), files.path(MATRIX)


def _ours(files: Any) -> list[Any]:
    csv, npz = _inputs(files)
    command: list[Any] = [sys.executable, ROOT / "analyze_activations.py", "--dataset_csv", csv]
    command += ["--activations_file", npz, "--output_dir", files.folder / "analysis"]
    return [*command, "--model_type", files.folder]


def _run(command: list[Any]) -> Usage:
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise RuntimeError(errors.decode()[-2000:])
    return Usage(time.perf_counter() - start, usage.ru_maxrss / 1e3)


def _in_words(usage: Usage) -> str:
    return f"{usage.seconds:.1f} s, {usage.megabytes:,.0f} MB at most"


if __name__ == "__main__":
    main()
