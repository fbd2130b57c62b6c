"""What the tests of tokens and positions find where the truth is known, and how much is false.

Example:
  python benchmarks/false_findings_tokens.py --sets 20

Datasets without a model (`text_worlds.py`), so many of each design and kind of text, at a
false-discovery rate of 5 %. Columns: rows that pass and false ones among them, mean over sets; the
mean share of false rows (0 where none passes), which is to stay below 5 %; the share of sets with
a false row; the share of planted neurons that is found: detectors of a token with a recall of 1
and of 0.6, whose token has at least 5 samples, and neurons of a range of positions, with the exact
range.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

FDR, LEAST_SAMPLES = 0.05, 5
SIZES = [(60, 1, 40), (24, 3, 20), (12, 5, 40), (36, 5, 20), (3, 5, 20), (6, 10, 40)]
TEXTS = {"tokens drawn independently": 0.0, "text half shared": 0.5, "text mostly shared": 0.9}


class Result(NamedTuple):
    """Of one dataset: rows, false rows; found and planted, in parts."""

    rows: int
    false: int
    found: tuple[int, ...]
    planted: tuple[int, ...]


def main() -> None:
    """Try all texts in all designs and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", type=int, default=20, help="datasets of each kind and design")
    n_sets = parser.parse_args().sets
    from benchmarks.measuring import report, table

    columns = ["text", "prompts x completions x tokens", "rows", "false", "share false"]
    columns += ["sets with a false row", "found"]
    tokens, positions = zip(*_lines(n_sets), strict=True)
    report(
        "False findings about tokens and positions",
        "Tokens; found: detectors with a recall of 1, of 0.6\n\n"
        f"{table(columns, tokens)}\n\n"
        "Positions; found: with the exact range\n\n"
        f"{table(columns, positions)}",
    )


def _lines(n_sets: int) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the lines of tokens and of positions for each text and design."""
    import numpy as np

    from benchmarks.prompt_worlds import Shape
    from benchmarks.text_worlds import draw_world

    for name, shared in TEXTS.items():
        for shape in (Shape(*size) for size in SIZES):
            worlds = (draw_world(np.random.default_rng(n), shape, shared) for n in range(n_sets))
            results = [(_of_tokens(world), _of_positions(world)) for world in worlds]
            tokens, positions = zip(*results, strict=True)
            yield _line(name, shape, tokens), _line(name, shape, positions)


def _of_tokens(world: Any) -> Result:
    from benchmarks.text_worlds import RECALLS
    from gelu.samples.notes import Notes
    from gelu.statistics.token_specific import token_specific_neurons

    table = token_specific_neurons(
        world.samples, LEAST_SAMPLES, FDR, notes=Notes.of(world.samples)
    ).table
    rows = set(zip(table["role"], table["token_id"], table["neuron_id"], strict=True))
    # A detector of one token is silent, or less active, at all others.
    own = {detector.neuron for detector in world.detectors}
    counted = [one for one in world.detectors if _n_samples(world, one) >= LEAST_SAMPLES]
    planted = [[one[:3] for one in counted if one.recall == recall] for recall in RECALLS]
    found = [sum(one in rows for one in of_recall) for of_recall in planted]
    false = [row for row in rows if row[2] not in own]
    return Result(len(rows), len(false), tuple(found), tuple(map(len, planted)))


def _n_samples(world: Any, detector: Any) -> int:
    column = "output_id" if detector.role == "output" else "context_token_id"
    return int((world.samples.table[column] == detector.token).sum())


def _of_positions(world: Any) -> Result:
    import numpy as np

    from gelu.samples.notes import Notes
    from gelu.statistics.position_specific import position_specific_neurons

    information = np.zeros(world.samples.activations.n_neurons)
    table = position_specific_neurons(
        world.samples, information, FDR, notes=Notes.of(world.samples)
    ).table
    columns = (table[name] for name in ("neuron_id", "range_start", "range_end"))
    rows = set(zip(*columns, strict=True))
    neurons = {one.neuron for one in world.positions}
    false = sum(row[0] not in neurons for row in rows)
    found = sum(tuple(one) in rows for one in world.positions)
    return Result(len(rows), false, (found,), (len(world.positions),))


def _line(name: str, shape: Any, results: Any) -> list[str]:
    n = len(results)
    rows, false = (sum(result[place] for result in results) / n for place in (0, 1))
    share = sum(result.false / max(1, result.rows) for result in results) / n
    sets = sum(result.false > 0 for result in results) / n
    found = zip(*(result.found for result in results), strict=True)
    planted = zip(*(result.planted for result in results), strict=True)
    shares = [sum(f) / max(1, sum(p)) for f, p in zip(found, planted, strict=True)]
    shown = ", ".join(f"{share:.2f}" for share in shares)
    line = [name, str(shape), f"{rows:.1f}", f"{false:.2f}", f"{share:.3f}", f"{sets:.2f}", shown]
    print(*line, file=sys.stderr, flush=True)
    return line


if __name__ == "__main__":
    main()
