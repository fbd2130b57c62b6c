"""The full edge list against a raw write of the same bytes; the strongest edges of a large model.

Example:
  python benchmarks/edges.py --repeats 3

The list of gpt2's shape, 1.19 GB, by `write_full_edges` as the scripts call it; and as many bytes
from memory, a block of the list again and again, to a file that is synced and renamed likewise.
Then `a_generate_gelu_graph.py` as a process: its memory for the full list, and for the strongest
edges of --model (6.2 GB of random weights on disk for gpt2-xl).
"""

import argparse
import statistics
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SCRIPT = ROOT / "a_generate_gelu_graph.py"


def main() -> None:
    """Time both, measure the memory, and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3, help="counted rounds")
    parser.add_argument("--model", default="gpt2-xl", help="shape of the strongest edges")
    arguments = parser.parse_args()
    from benchmarks.measuring import report

    with tempfile.TemporaryDirectory() as folder:
        full = _full(Path(folder), arguments.repeats)
    strongest = _strongest(arguments.model)
    report("Edge lists", full + "\n\n" + strongest)


def _full(folder: Path, repeats: int) -> str:
    from benchmarks.measuring import in_turns, ratio, run_measured, table
    from gelu.artifacts import Artifacts, full_edge_bytes
    from gelu.artifacts.edge_lists import full_edge_blocks
    from gelu.graph.output import write_full_edges
    from gelu.model.source import HUB_GEOMETRIES

    geometry = HUB_GEOMETRIES["gpt2"]
    files, size = Artifacts(folder, "gpt2"), full_edge_bytes(geometry)
    block = bytes(next(iter(full_edge_blocks(geometry))))
    ways: dict[str, Any] = {
        "full edge list": partial(write_full_edges, files, geometry),
        "raw write of as many bytes": partial(_raw, folder / "raw", block, size),
    }
    seconds = in_turns(ways, repeats)
    lines = [
        [name, f"{statistics.median(s):.2f}", f"{size / statistics.median(s) / 1e6:,.0f}"]
        for name, s in seconds.items()
    ]
    raw, ours = seconds["raw write of as many bytes"], seconds["full edge list"]
    command = [sys.executable, SCRIPT, "--model_type", "gpt2", "--output_dir", folder]
    usage = run_measured(command)
    return "\n\n".join(
        [
            f"{size:,} bytes, synced to the disk.",
            table(["way", "s", "MB/s"], lines),
            f"Share of the raw write's speed, round by round: {ratio(raw, ours)}. "
            f"The script as a process: {usage.seconds:.2f} s, {usage.megabytes:,.0f} MB at most.",
        ]
    )


def _raw(path: Path, block: bytes, size: int) -> None:
    from gelu.artifacts.files import complete_file

    with complete_file(path, size) as file:
        for _ in range(size // len(block)):
            file.write(block)
        file.write(block[: size % len(block)])


def _strongest(name: str) -> str:
    from benchmarks.measuring import run_measured
    from benchmarks.shapes import model_folder

    with model_folder(name) as folder, tempfile.TemporaryDirectory() as output:
        weights = sum(file.stat().st_size for file in Path(folder).glob("*.safetensors")) / 1e6
        command = [sys.executable, SCRIPT, "--model_type", folder, "--output_dir", output]
        usage = run_measured([*command, "--edges", "strongest"])
    return (
        f"Strongest edges of {name}'s shape, 10 a neuron, as a process: {usage.seconds:.0f} s, "
        f"{usage.megabytes:,.0f} MB at most, {usage.megabytes - weights:,.0f} MB above the weights "
        f"({weights:,.0f} MB)."
    )


if __name__ == "__main__":
    main()
