"""From finished batches to all files of a dataset, at 1,000 and at 100,000 samples of gpt2's shape.

Example:
  python benchmarks/export.py --samples 1000,100000

The batches hold synthetic neurons, one in five active, and random tokens: no model is needed. Each
size is exported by a process of its own, which says how far its memory rose above what it had when
the export began. Then each format alone, 10,000 samples. All formats of 100,000 samples take 8 GB,
in a temporary folder (TMPDIR).
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

LENGTH, BATCH, SHARE = 50, 64, 0.2
ALL, SAMPLES_ALONE = "csv,npz,pickle,json", 10_000


def main() -> None:
    """Export each size and report, or be the process that exports one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", default="1000,100000", help="sizes, comma-separated")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one is not None:
        print(json.dumps(_export(int(arguments.one[0]), arguments.one[1].split(","))))
        return
    from benchmarks.measuring import report, table

    runs = [(int(n_samples), ALL) for n_samples in arguments.samples.split(",")]
    runs += [(SAMPLES_ALONE, name) for name in ALL.split(",")]
    heads = ["samples", "formats", "s", "ms a sample", "MB above the start", "kB a sample"]
    report("Export", table(heads, [_line(*run) for run in runs]))


def _line(n_samples: int, formats: str) -> list[str]:
    command = [sys.executable, __file__, "--one", str(n_samples), formats]
    made = json.loads(subprocess.check_output(command))
    sizes = ", ".join(f"{name} {size / 1e3:.1f}" for name, size in made["bytes"].items())
    return [
        f"{n_samples:,}",
        formats,
        f"{made['seconds']:.1f}",
        f"{made['seconds'] / n_samples * 1e3:.2f}",
        f"{made['megabytes']:,.0f}",
        sizes,
    ]


def _export(n_samples: int, formats: list[str]) -> dict[str, Any]:
    from gelu.artifacts import Artifacts, Shards
    from gelu.generation.batches import make_plan
    from gelu.generation.export import FORMATS, export_samples
    from gelu.generation.prompts import Prompt
    from gelu.generation.table import DatasetTable
    from gelu.model.source import HUB_GEOMETRIES, find_model
    from gelu.model.tokenizer import load_tokenizer

    geometry = HUB_GEOMETRIES["gpt2"]
    prompts = [
        Prompt(f"prompt {i}", (1, 2, 3), LENGTH, 10) for i in range(n_samples // LENGTH // 10)
    ]
    plan = make_plan(prompts, BATCH)
    tokenizer = load_tokenizer(find_model("gpt2-demo"))
    with tempfile.TemporaryDirectory() as folder:
        files = Artifacts(Path(folder), "synthetic")
        shards = Shards(Path(folder), b"synthetic", geometry.n_neurons)
        _write_shards(shards, plan, tokenizer.get_vocab_size())
        before = _peak_megabytes()
        start = time.perf_counter()
        samples = DatasetTable(prompts, plan, tokenizer)
        export_samples(files, shards, plan, samples, geometry, formats)
        seconds = time.perf_counter() - start
        sizes = {n: files.path(FORMATS[n]).stat().st_size / n_samples for n in formats}
    assert plan.n_samples == n_samples
    return {"seconds": seconds, "megabytes": _peak_megabytes() - before, "bytes": sizes}


def _write_shards(shards: Any, plan: Any, n_tokens: int) -> None:
    import numpy as np

    rng = np.random.default_rng(0)
    for batch in range(plan.n_batches):
        rows = np.arange(len(plan.completions(batch)))
        with shards.writer(batch, [LENGTH] * len(rows)) as put:
            for number in range(LENGTH):
                records = np.zeros(len(rows), shards.dtype)
                records["id"] = rng.integers(0, n_tokens, len(rows))
                records["logprob"] = -1
                bytes_ = rng.choice(_bytes_of_bits(), records["bits"].shape)
                records["bits"] = bytes_
                put(rows, number, records)


def _bytes_of_bits() -> Any:
    """Return many bytes whose bits are each set with probability `SHARE`."""
    import numpy as np

    bits = np.random.default_rng(1).random((1 << 16, 8)) < SHARE
    return np.packbits(bits, axis=1)[:, 0]


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    main()
