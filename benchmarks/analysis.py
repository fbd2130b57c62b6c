"""Time and memory of `analyze_activations.py`, beside a straightforward implementation.

Example:
  python benchmarks/analysis.py --samples 10000,100000

Synthetic datasets (see `synthetic.py`) in a temporary folder, read from the .npz. First both, in
turns, on a dataset small enough for the peer: 1,000 samples of 2 layers of 1,024 neurons. Then this
project's script alone on gpt2's shape, 36,864 neurons, pictures and report included.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

PEER_SAMPLES = 1_000


def main() -> None:
    """Run both and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", default="10000", help="sizes on gpt2's shape, comma-separated")
    arguments = parser.parse_args()
    from benchmarks.measuring import report, run_measured, table
    from gelu.model.source import HUB_GEOMETRIES
    from gelu.neurons import Geometry

    with tempfile.TemporaryDirectory() as folder:
        lines = _compare(Path(folder) / "small", Geometry(2, 0, 1024, 0))
        for n_samples in map(int, arguments.samples.split(",")):
            files = _dataset(Path(folder) / str(n_samples), n_samples, HUB_GEOMETRIES["gpt2"])
            lines.append(_line(n_samples, 36_864, "this project", run_measured(_ours(files))))
    report("Analysis", table(["samples", "neurons", "way", "s", "MB at most"], lines))


def _compare(folder: Path, geometry: Any) -> list[list[str]]:
    from benchmarks.measuring import run_measured

    files = _dataset(folder, PEER_SAMPLES, geometry)
    csv, npz = _inputs(files)
    peer: list[Any] = [
        sys.executable,
        ROOT / "benchmarks" / "straightforward_analysis.py",
        csv,
        npz,
    ]
    ways = {"straightforward": peer, "this project": _ours(files)}
    return [
        _line(PEER_SAMPLES, geometry.n_neurons, name, run_measured(command))
        for name, command in ways.items()
    ]


def _line(n_samples: int, n_neurons: int, way: str, usage: Any) -> list[str]:
    return [
        f"{n_samples:,}",
        f"{n_neurons:,}",
        way,
        f"{usage.seconds:.1f}",
        f"{usage.megabytes:,.0f}",
    ]


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


if __name__ == "__main__":
    main()
