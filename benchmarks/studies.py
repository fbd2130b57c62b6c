"""Time and memory of the predicting scripts on gpt2's shape.

Example:
  python benchmarks/studies.py --samples 2000,10000 --epochs 2

Synthetic datasets (see `synthetic.py`) in a temporary folder: 36,864 neurons, no model and no
tokenizer at hand, so neither the ceiling's accuracy nor the direct path is computed. Peak memory is
the process's, torch included.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

HEADS = ["script", "samples", "epochs", "s", "MB at most"]


def main() -> None:
    """Run both scripts on each size and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", default="2000,10000", help="sizes, comma-separated")
    parser.add_argument("--epochs", default="2", help="passes over the data")
    parser.add_argument(
        "--scripts", default="predict_activations.py,predict_next_token.py", help="which to run"
    )
    arguments = parser.parse_args()
    from benchmarks.measuring import report, table

    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for n_samples in map(int, arguments.samples.split(",")):
            dataset = _dataset(Path(folder) / str(n_samples), n_samples)
            for script in arguments.scripts.split(","):
                lines.append(_measure(script, dataset, n_samples, arguments.epochs))
                # After each, as all of them together take long.
                report("Predicting, on gpt2's shape", table(HEADS, lines))


def _dataset(folder: Path, n_samples: int) -> Path:
    from benchmarks.synthetic import write_synthetic_dataset
    from gelu.model.source import HUB_GEOMETRIES

    # The model's name in file names is its folder's.
    folder = folder / "synthetic"
    folder.mkdir(parents=True)
    write_synthetic_dataset(folder, n_samples, HUB_GEOMETRIES["gpt2"])
    return folder


def _measure(script: str, dataset: Path, n_samples: int, epochs: str) -> list[str]:
    from benchmarks.measuring import run_measured

    command: list[Any] = [sys.executable, ROOT / script, "--model_type", dataset]
    command += ["--dataset_dir", dataset, "--output_dir", dataset / "results"]
    usage = run_measured([*command, "--epochs", epochs])
    return [script, f"{n_samples:,}", epochs, f"{usage.seconds:.0f}", f"{usage.megabytes:,.0f}"]


if __name__ == "__main__":
    main()
