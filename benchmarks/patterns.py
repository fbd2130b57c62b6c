"""Which factorisation recovers planted patterns, how stable it is, and what ours costs at gpt2.

Example:
  python benchmarks/patterns.py --repeats 3
  python benchmarks/patterns.py --dataset_dir dataset --model_type gpt2-demo
  python benchmarks/patterns.py --samples 10000,100000

First: data with planted patterns (see `planted.py`), half of the prompts searched, the other half
used to test what was found with the null of the product, the same for every method. Recovery is
the mean Jaccard index of each planted pattern with the likest kept one, exact the share of planted
patterns found neuron by neuron, false the kept patterns that are like none (below 0.5). Stability
is the mean Jaccard index of each pattern found with the likest one of another run: of another seed
and other 70 % of the samples, or of the other half of the prompts. The others are told how many
groups there are, groups of one token included; ours is not. With --dataset_dir, stability on real
data. With --samples, time and peak memory of `extract_patterns.py` on gpt2's shape, and how many
planted patterns it finds: half of them of neurons that are else on in less than 5 % of the samples,
half of others, dead ones, those always on and those on in most samples among them.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

CONDITIONS: dict[str, dict[str, Any]] = {
    "none silent": {"drop": 0.0},
    "10 % silent": {},
    "30 % silent": {"drop": 0.3},
    "40 % shared neurons": {"overlap": 0.4},
    "on in 2 % of samples": {"share_on": 0.02},
    "on more at some tokens": {"by_token": True},
    "twelve patterns, 20 % silent, 20 % shared": {
        "sizes": (4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 60),
        "drop": 0.2,
        "overlap": 0.2,
        "n_neurons": 600,
    },
    "no pattern": {"sizes": ()},
}
TOKEN_GROUPS = 5
GPT2_PATTERNS = 25  # of each kind
RARE = 0.05
REAL_NEURONS, REAL_SAMPLES, REAL_GROUPS = 1_500, 4_000, 40


def main() -> None:
    """Run what the arguments ask for and report it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--repeats", type=int, default=3, help="data sets for each condition, one for slow methods"
    )
    parser.add_argument("--dataset_dir", help="a dataset folder, for stability on real data")
    parser.add_argument("--model_type", default="gpt2-demo")
    parser.add_argument("--samples", help="sizes on gpt2's shape, comma-separated")
    arguments = parser.parse_args()
    if arguments.samples:
        measure_gpt2([int(size) for size in arguments.samples.split(",")])
    elif arguments.dataset_dir:
        compare_on_dataset(arguments.dataset_dir, arguments.model_type)
    else:
        compare_on_planted(arguments.repeats)


def methods() -> dict[str, Callable[..., list[Any]]]:
    """Return every method as a function of activity, tokens, number of groups and seed."""
    from benchmarks.pattern_methods import METHODS

    others = {
        name: (lambda active, tokens, most, seed, find=find: find(active, most, seed))
        for name, find in METHODS.items()
    }
    return {
        **others,
        "ours, tokens not taken off": lambda active, tokens, most, seed: _ours(active, tokens * 0),
        "ours": lambda active, tokens, most, seed: _ours(active, tokens),
    }


def _ours(active: Any, tokens: Any) -> list[Any]:
    from gelu.packed import PackedActivations
    from gelu.patterns.factors import find_patterns

    found = find_patterns(PackedActivations.from_bool(active), tokens, 100)
    return [pattern.neurons for pattern in found]


def compare_on_planted(repeats: int) -> None:
    """Report recovery, exact, false, stability and time of every method in every condition."""
    from benchmarks.measuring import report, table
    from benchmarks.pattern_methods import SLOW

    lines = []
    for condition, settings in CONDITIONS.items():
        for name, find in methods().items():
            rows = [
                _one_planted(find, settings, seed) for seed in range(1 if name in SLOW else repeats)
            ]
            means = np.mean(rows, axis=0)  # not a number where nothing is planted
            lines.append([condition, name, *map(_number, means)])
            print(*lines[-1], file=sys.stderr, flush=True)
    heads = ["data", "method", "recovery", "exact", "false", "seeds", "halves", "s"]
    report("Patterns planted in synthetic data", table(heads, lines))


def _number(mean: Any) -> str:
    return "" if np.isnan(mean) else f"{mean:.2f}"


def _one_planted(find: Any, settings: dict[str, Any], seed: int) -> list[float]:
    """Return [recovery, exact, false, stability over seeds, over halves, seconds]."""
    from benchmarks.planted import planted

    data = planted(seed, token_groups=TOKEN_GROUPS, **settings)
    most = len(data.patterns) + TOKEN_GROUPS
    first = data.prompts < np.median(data.prompts)
    start = time.perf_counter()
    found = find(data.active[first], data.tokens[first], most, seed)
    seconds = time.perf_counter() - start
    kept = _kept(found, data, first)
    other = _kept(find(data.active[~first], data.tokens[~first], most, seed), data, ~first)
    return [
        _likeness(data.patterns, kept) if data.patterns else np.nan,
        float(np.mean(_likest(data.patterns, kept) == 1)) if data.patterns else np.nan,
        float((_likest(kept, data.patterns) < 0.5).sum()),
        _over_seeds(find, data, most, seed) if data.patterns else np.nan,
        (_likeness(kept, other) + _likeness(other, kept)) / 2 if data.patterns else np.nan,
        seconds,
    ]


def _kept(found: list[Any], data: Any, searched: Any) -> list[Any]:
    """Return the groups that pass the product's test on the samples that were not searched."""
    from gelu.packed import PackedActivations
    from gelu.patterns.factors import Pattern
    from gelu.patterns.permutation import ByToken, best_threshold
    from gelu.patterns.testing import Half, judge
    from gelu.statistics.multiple_testing import benjamini_hochberg

    half = Half(
        PackedActivations.from_bool(data.active),
        np.flatnonzero(~searched),
        data.tokens[~searched],
        data.prompts[~searched],
    )
    learned, held_out = ByToken.of(data.tokens[searched]), ByToken.of(half.tokens)
    p_values = []
    for group in found:
        threshold, _ = best_threshold(data.active[searched][:, group], learned)
        p_values.append(judge(Pattern(group, threshold), half, held_out).p_value)
    q_values = benjamini_hochberg(np.array(p_values), len(found))
    return [group for group, q in zip(found, q_values, strict=True) if q <= 0.05]


def _over_seeds(find: Any, data: Any, most: int, seed: int) -> float:
    found = []
    for run in (0, 1):
        rng = np.random.default_rng([seed, run])
        part = np.sort(rng.permutation(len(data.tokens))[: int(0.7 * len(data.tokens))])
        found.append(find(data.active[part], data.tokens[part], most, 10 * seed + run))
    return (_likeness(*found) + _likeness(*found[::-1])) / 2


def _likest(groups: Sequence[Any], others: Sequence[Any]) -> Any:
    """Return each group's Jaccard index with the likest of the others, 0 where there is none."""
    from gelu.patterns.factors import jaccard

    return np.array([max((jaccard(a, b) for b in others), default=0.0) for a in groups])


def _likeness(groups: Sequence[Any], others: Sequence[Any]) -> float:
    return float(_likest(groups, others).mean()) if len(groups) else 0.0


def compare_on_dataset(dataset_dir: str, model_type: str) -> None:
    """Report each method's stability between the halves of a dataset's prompts, and its time."""
    from benchmarks.measuring import report, table
    from gelu.patterns.factors import eligible_neurons
    from gelu.samples.reading import read_folder
    from gelu.samples.splits import split_prompts

    read = read_folder(dataset_dir, model_type)
    tokens = read.samples.tokens("context")
    assert tokens is not None
    rng = np.random.default_rng(0)
    neurons = eligible_neurons(read.samples.activations)
    neurons = np.sort(rng.permutation(neurons)[:REAL_NEURONS])
    second = split_prompts(read.groups, 0.5, 0)
    halves = []
    for rows in (np.flatnonzero(~second), np.flatnonzero(second)):
        part = np.sort(rng.permutation(rows)[:REAL_SAMPLES])
        active = read.samples.activations.columns(neurons)[part]
        halves.append((active, tokens.codes[part], read.groups[part]))
    lines = []
    for name, find in methods().items():
        start = time.perf_counter()
        found = [find(half[0], half[1], REAL_GROUPS, 0)[:REAL_GROUPS] for half in halves]
        seconds = time.perf_counter() - start
        sizes = np.median([len(group) for group in found[0] + found[1]])
        beyond = [_beyond(found[0], *halves), _beyond(found[1], *halves[::-1])]
        counted = [f"{len(each[0])}, {len(each[1])}" for each in (found, beyond)]
        stable = [
            f"{(_likeness(*each) + _likeness(*each[::-1])) / 2:.2f}" for each in (found, beyond)
        ]
        lines.append([name, counted[0], f"{sizes:.0f}", stable[0], counted[1], stable[1]])
        lines[-1].append(f"{seconds:.1f}")
        print(*lines[-1], file=sys.stderr, flush=True)
    heads = ["method", "found", "neurons", "halves", "beyond", "halves, beyond", "s"]
    text = (
        f"{REAL_NEURONS:,} neurons, {REAL_SAMPLES:,} samples in each half. halves: the mean "
        "Jaccard index of each pattern with the likest of the other half; beyond: those of which "
        "context tokens alone leave open half or more."
    )
    report(f"Patterns of {model_type}", text + "\n\n" + table(heads, lines))


def _beyond(found: list[Any], half: Any, other: Any) -> list[Any]:
    """Return the groups of which tokens alone leave open, on the other half, half or more of what
    they explain: a group that a token makes fire is stable whatever the method."""
    from gelu.packed import PackedActivations
    from gelu.patterns.factors import Pattern
    from gelu.patterns.permutation import ByToken, best_threshold
    from gelu.patterns.testing import Half, judge

    active, tokens, groups = other
    held_out = Half(PackedActivations.from_bool(active), np.arange(len(active)), tokens, groups)
    learned, by_token = ByToken.of(half[1]), ByToken.of(tokens)
    kept = []
    for group in found:
        threshold, _ = best_threshold(half[0][:, group], learned)
        if judge(Pattern(group, threshold), held_out, by_token).share_beyond >= 0.5:
            kept.append(group)
    return kept


def measure_gpt2(sizes: list[int]) -> None:
    """Report time, peak memory and recovery of `extract_patterns.py` on gpt2's shape."""
    import pandas as pd

    from benchmarks.measuring import report, run_measured, table
    from benchmarks.synthetic import write_synthetic_dataset
    from gelu.model.source import HUB_GEOMETRIES

    lines = []
    for n_samples in sizes:
        with tempfile.TemporaryDirectory() as parent:
            folder = Path(parent) / "synthetic"
            folder.mkdir()
            planted: list[list[Any]] = []
            write_synthetic_dataset(
                folder,
                n_samples,
                HUB_GEOMETRIES["gpt2"],
                change=partial(_plant, planted),
                # The test is over prompts: twenty, ten in each half, would show next to nothing.
                completions=1,
            )
            command: list[Any] = [sys.executable, ROOT / "extract_patterns.py"]
            command += ["--dataset_dir", folder, "--model_type", folder]
            usage = run_measured([*command, "--output_dir", folder / "patterns"])
            neurons = pd.read_csv(folder / "patterns" / "synthetic_pattern_neurons.csv")
        found = [np.sort(group["neuron_id"]) for _, group in neurons.groupby("pattern")]
        near = [str(int((_likest(groups, found) >= 0.8).sum())) for groups in planted]
        others = [group for groups in planted for group in groups]
        false = int((_likest(found, others) < 0.5).sum())
        line = [f"{n_samples:,}", f"{usage.seconds:.0f}", f"{usage.megabytes:,.0f}"]
        lines.append([*line, *near, str(len(found)), str(false)])
    heads = [
        "samples",
        "s",
        "MB at most",
        "of 25 in rare neurons",
        "of 25 in others",
        "kept",
        "false",
    ]
    text = (
        "36,864 neurons. A planted pattern counts as found with a Jaccard index of 0.8 or more; a "
        "kept one is false where it is like none (below 0.5)."
    )
    report("Patterns on gpt2's shape", text + "\n\n" + table(heads, lines))


def _plant(planted: list[list[Any]], activations: Any) -> None:
    """Turn patterns on in 3 % of the samples, ten at a time, with a tenth of the neurons silent.

    planted: is given the patterns' neurons: those of rare neurons, and those of others.
    """
    rng = np.random.default_rng(2)
    frequency = activations.counts() / len(activations)
    rare = rng.permutation(np.flatnonzero((frequency > 0) & (frequency < RARE)))
    rest = rng.permutation(np.setdiff1d(np.arange(len(frequency)), rare))
    planted += [
        [np.sort(order[60 * row : 60 * row + 5 + 2 * row]) for row in range(GPT2_PATTERNS)]
        for order in (rare, rest)
    ]
    for neurons in planted[0] + planted[1]:
        starts = np.flatnonzero(rng.random(len(activations) // 10) < 0.03)
        rows = (10 * starts[:, None] + np.arange(10)).ravel()
        for neuron in neurons.tolist():
            fires = rows[rng.random(len(rows)) < 0.9]
            activations.bits[fires, neuron >> 3] |= np.uint8(128 >> (neuron & 7))


if __name__ == "__main__":
    main()
