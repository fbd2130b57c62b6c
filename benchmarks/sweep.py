"""Rows a second over the batch size and over the model's size, against the matrix products' limit.

Example:
  python benchmarks/sweep.py --shapes gpt2,gpt2-medium --batches 1,5,15,50,128

For each shape (as `generation.py --shape` takes it) and batch size, in turns: this project with
recording, Hugging Face `generate` without, and the model's matrix products alone with as many rows
(oneDNN and MKL). One batch of equal prompts of 8 tokens, 20 tokens each. Writes the plot beside
RESULTS.md.
"""

import argparse
import statistics
import sys
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

N_NEW, N_TOKENS = 20, 8
OURS, PEER = "this project, recording", "Hugging Face generate, no recording"
ONEDNN, MKL = "matrix products alone, oneDNN", "matrix products alone, MKL"
PLOT = ROOT / "benchmarks" / "rows_per_second.png"
# Okabe and Ito's colours, told apart by most people.
STYLES = {
    OURS: ("#0072B2", "o", "-"),
    PEER: ("#E69F00", "s", "-"),
    ONEDNN: ("#555555", "", "--"),
    MKL: ("#999999", "", ":"),
}


def main() -> None:
    """Time every size and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shapes", default="gpt2,gpt2-medium", help="comma-separated")
    parser.add_argument("--batches", default="1,5,15,50,128", help="sizes, comma-separated")
    parser.add_argument("--repeats", type=int, default=2, help="counted rounds")
    arguments = parser.parse_args()
    from benchmarks.measuring import report, table

    rows = []
    for name in arguments.shapes.split(","):
        rows += _measure(name, [int(b) for b in arguments.batches.split(",")], arguments.repeats)
    _plot(rows).savefig(PLOT, dpi=110)
    lines = []
    for r in rows:
        rates = [f"{r[name]:,.1f}" for name in STYLES]
        ratios = [f"{r[OURS] / r[other]:.2f}" for other in (PEER, ONEDNN)]
        lines.append([r["model"], str(r["batch"]), *rates, *ratios])
    heads = ["shape", "batch", *STYLES, "ours / peer", "ours / oneDNN"]
    plot = f"Rows a second, medians.\n\n![Rows a second]({PLOT.name})"
    report("Over batch size and model size", plot + "\n\n" + table(heads, lines))


def _measure(name: str, batches: list[int], repeats: int) -> list[dict[str, Any]]:
    from benchmarks import matrix_products
    from benchmarks.measuring import in_turns
    from benchmarks.shapes import model_folder, shape_title
    from benchmarks.workload import (
        Workload,
        load_ours,
        load_theirs,
        write_hugging_face,
        write_ours,
    )

    title = shape_title(name)
    with model_folder(name) as folder:
        ours, theirs = load_ours(folder, title), load_theirs(folder)
    rows, matrices = [], matrix_products.matrices_of(ours)
    for batch in batches:
        work = Workload([list(range(1, N_TOKENS + 1))], batch, N_NEW)
        products = partial(matrix_products.run_products, matrices, batch, N_NEW)
        ways: dict[str, Any] = {
            OURS: partial(write_ours, ours, work, batch),
            PEER: partial(write_hugging_face, theirs, work, batch),
            ONEDNN: partial(products, matrix_products.onednn),
            MKL: partial(products, matrix_products.mkl),
        }
        seconds = in_turns(ways, repeats)
        rates = {way: work.n_rows / statistics.median(s) for way, s in seconds.items()}
        rows.append({"model": title, "batch": batch, **rates})
    return rows


def _plot(rows: list[dict[str, Any]]) -> Any:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    models = list(dict.fromkeys(row["model"] for row in rows))
    figure, axes = pyplot.subplots(
        1, len(models), figsize=(5.5 * len(models), 4.5), sharey=True, squeeze=False
    )
    for axis, model in zip(axes[0], models, strict=True):
        points = [row for row in rows if row["model"] == model]
        for way, (colour, marker, line) in STYLES.items():
            axis.plot(
                [p["batch"] for p in points],
                [p[way] for p in points],
                color=colour,
                marker=marker or None,
                linestyle=line,
                label=way,
            )
        axis.set(xscale="log", yscale="log", title=f"{model}'s shape", xlabel="completions at once")
        batches = [p["batch"] for p in points]
        axis.set_xticks(batches, [str(b) for b in batches], minor=False)
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    axes[0][0].set_ylabel("tokens written a second")
    axes[0][0].yaxis.set_major_formatter("{x:,.0f}")
    axes[0][-1].legend(loc="lower right", fontsize=9)
    figure.tight_layout()
    return figure


if __name__ == "__main__":
    main()
