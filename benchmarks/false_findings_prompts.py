"""What the tests about prompts find where the truth is known, and how much of it is false.

Example:
  python benchmarks/false_findings_prompts.py --sets 50
  python benchmarks/false_findings_prompts.py --sets 20 --dataset_dir dataset

With --dataset_dir, of what generate_activation_dataset.py wrote: how many neurons pass as
consistent within a prompt, and how many with its completions dealt out to the prompts anew.

Otherwise datasets without a model (`prompt_worlds.py`), so many of each kind and design. First
neurons consistent within a prompt, at a false-discovery rate of 5 %; then, where tokens are drawn
independently of all neurons, which look back, tokens across prompts (whose texts differ) and the
permutation test of completions (of prompts without effect). Columns: rows that pass and false ones
among them, mean over sets; the mean share of false rows (0 where none passes), which is to stay
below 5 %; the share of sets with a false row; the share of true rows that is found.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

FDR = 0.05


def main() -> None:
    """Try all kinds in all designs and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", type=int, default=50, help="datasets of each kind and design")
    parser.add_argument("--dataset_dir", help="a dataset's folder, to deal its completions anew")
    parser.add_argument("--model_type", default="gpt2-demo", help="that wrote it")
    arguments = parser.parse_args()
    if arguments.dataset_dir:
        _print_dealt(arguments.dataset_dir, arguments.model_type, arguments.sets)
        return
    from benchmarks.measuring import report, table
    from benchmarks.prompt_worlds import Shape

    designs = [Shape(p, c, 20) for p in (3, 12, 60) for c in (1, 3, 10)]
    designs += [Shape(3, 5, 20), Shape(12, 5, 40), Shape(36, 5, 20)]
    columns = ["world", "prompts x completions x tokens", "rows", "false", "share false"]
    columns += ["sets with a false row", "found"]
    lines = list(consistency_lines(designs, arguments.sets))
    lines += list(other_lines(arguments.sets))
    report("False findings about prompts", table(columns, lines))


def _print_dealt(dataset_dir: str, model: str, n_sets: int) -> None:
    import numpy as np

    from gelu.samples.notes import Notes
    from gelu.samples.reading import read_folder
    from gelu.statistics.consistent_neurons import consistent_neurons

    samples = read_folder(dataset_dir, model).samples
    as_written = consistent_neurons(samples, FDR, notes=Notes.of(samples))
    print(f"as written: {as_written.n_passed:,} of {as_written.n_tests:,} tests pass")
    dealt = (_dealt(samples, np.random.default_rng(seed)) for seed in range(n_sets))
    passed = [consistent_neurons(one, FDR, notes=Notes.of(one)).n_passed for one in dealt]
    print(f"dealt anew: {sum(map(bool, passed))} of {n_sets} sets have any; rows: {passed}")


def _dealt(samples: Any, rng: Any) -> Any:
    """Return the samples with every completion under the prompt and number of another one."""
    from gelu.samples.arrays import arrange

    completions, table = samples.completions, samples.table.copy()
    order = rng.permutation(len(completions.lengths))
    rows = completions.starts()[order][completions.of_samples()]
    columns = ["prompt_idx", "input_text", "prompt_sample_idx"]
    table[columns] = table[columns].iloc[rows].reset_index(drop=True)
    return arrange(table, samples.activations, samples.geometry)


def consistency_lines(designs: Any, n_sets: int) -> Iterator[list[str]]:
    """Yield a line for each world and design."""
    from benchmarks.prompt_worlds import WORLDS

    for name in WORLDS:
        for shape in designs:
            results = [_consistency(name, shape, seed) for seed in range(n_sets)]
            yield _line(name, shape, results)


def _consistency(name: str, shape: Any, seed: int) -> tuple[int, int, int]:
    """Return rows that pass, false ones among them, and planted rows."""
    import numpy as np

    from benchmarks.prompt_worlds import WORLDS
    from gelu.samples.notes import Notes
    from gelu.statistics.consistent_neurons import consistent_neurons

    samples, truth = WORLDS[name](np.random.default_rng(seed), shape)
    found = consistent_neurons(samples, FDR, notes=Notes.of(samples)).table
    found = found[found["passes"] == 1]
    true = truth[found["prompt_idx"], found["neuron_id"]]
    return len(found), int((~true).sum()), int(truth.sum())


def other_lines(n_sets: int) -> Iterator[list[str]]:
    """Yield a line for each of the two other tests and each design, on copying neurons."""
    import numpy as np

    from benchmarks.prompt_worlds import Shape, copying, copying_from_prompts

    sizes = [(60, 1, 40), (24, 3, 20), (12, 5, 40), (36, 5, 20), (3, 5, 20), (6, 10, 40)]
    for shape in (Shape(*size) for size in sizes):
        worlds = {"tokens across prompts": (copying_from_prompts, _across)}
        if shape.completions > 1:
            worlds["completions within prompts"] = (copying, _within)
        for name, (world, test) in worlds.items():
            seeds = range(n_sets)
            found = [test(world(np.random.default_rng(seed), shape)[0], seed) for seed in seeds]
            yield _line(name, shape, [(n, n, 0) for n in found])


def _across(samples: Any, seed: int) -> int:
    from gelu.samples.notes import Notes
    from gelu.statistics.tokens_across_prompts import tokens_across_prompts

    table = tokens_across_prompts(samples, FDR, seed, notes=Notes.of(samples)).table
    return int((table["q_value"] <= FDR).sum())


def _within(samples: Any, seed: int) -> int:
    from gelu.samples.notes import Notes
    from gelu.statistics.prompt_comparison import compare_prompts

    test = compare_prompts(samples, FDR, seed, notes=Notes.of(samples)).test
    return int(test is not None and test.p_value <= FDR)


def _line(name: str, shape: Any, results: list[tuple[int, int, int]]) -> list[str]:
    n = len(results)
    rows, false = (sum(result[place] for result in results) / n for place in (0, 1))
    shares = sum(result[1] / max(1, result[0]) for result in results) / n
    sets = sum(result[1] > 0 for result in results) / n
    planted = sum(result[2] for result in results) / n
    found = f"{(rows - false) / planted:.2f}" if planted else ""
    print(name, shape, f"{rows:.1f} {false:.2f} {shares:.3f} {sets:.2f}", found, file=sys.stderr)
    return [name, str(shape), f"{rows:.1f}", f"{false:.2f}", f"{shares:.3f}", f"{sets:.2f}", found]


if __name__ == "__main__":
    main()
