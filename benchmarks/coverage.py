"""How often 95 % intervals over prompts hold the true value, by method and number of prompts.

Example:
  python benchmarks/coverage.py --runs 2000

Draws prompts whose true mean is known, with sums and sizes like those of the studies: losses that
are normal, skewed or heavy-tailed over prompts; prompts of equal and of unequal sizes, also where
long prompts have larger losses; differences of two predictors; shares of tokens that were right,
far from 1 and near it; the share of a pattern's cells beyond tokens, of which many prompts have
none. Each method makes its interval from the same draws. A cell is the share of the runs in which
the interval holds the truth, in per cent, and in brackets its median width, that of `interval` in
gelu/samples/splits.py, which the studies use, being 1. The methods beside it:

percentile    Efron's bootstrap over prompts, percentiles of the resampled ratios
BCa           the same, bias-corrected and accelerated (Efron 1987)
t             linearised standard error of the ratio, Student's t with prompts - 1
jackknife     the jackknife's standard error, Student's t with prompts - 1
bootstrap-t   percentiles of resampled t statistics with the linearised standard error
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import special

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from gelu.samples.splits import Scale

PROMPTS = (3, 5, 7, 13, 30, 128)
COLUMNS = 20  # runs whose prompts have the same sizes
RESAMPLED = 1000
TAILS = (0.025, 0.975)
OURS = "gelu.samples.splits"

Floats = NDArray[np.float64]
Ends = tuple[Floats, Floats]
# Draws the prompts' sizes (G,), and their sums in several runs (G, runs).
Draw = Callable[[np.random.Generator, int, int], tuple[Floats, Floats]]


@dataclass(frozen=True)
class Design:
    """What a study measures: how prompts are drawn, the true ratio of sums, and its scale."""

    draw: Draw
    truth: float
    scale: "Scale"


def _equal(rng: np.random.Generator, n: int) -> Floats:
    return np.full(n, 60.0)


def _unequal(rng: np.random.Generator, n: int) -> Floats:
    return np.ceil(rng.lognormal(np.log(40), 0.8, n))


def _normal(rng: np.random.Generator, n: int, runs: int) -> tuple[Floats, Floats]:
    size = _equal(rng, n)
    return size[:, None] * (1 + 0.3 * rng.standard_normal((n, runs))), size


def _lognormal(sizes: Callable[[np.random.Generator, int], Floats], deviation: float) -> Draw:
    def draw(rng: np.random.Generator, n: int, runs: int) -> tuple[Floats, Floats]:
        size = sizes(rng, n)
        return size[:, None] * rng.lognormal(-(deviation**2) / 2, deviation, (n, runs)), size

    return draw


def _longer_is_worse(rng: np.random.Generator, n: int, runs: int) -> tuple[Floats, Floats]:
    size = np.maximum(rng.lognormal(np.log(40), 0.8, n), 1)
    loss = rng.lognormal(-0.08, 0.4, (n, runs)) * (size[:, None] / 40) ** 0.4
    return size[:, None] * loss, size


def _difference(rng: np.random.Generator, n: int, runs: int) -> tuple[Floats, Floats]:
    size = _unequal(rng, n)
    return size[:, None] * (0.1 + 0.1 * rng.standard_t(3, (n, runs))), size


def _right(share: float, alike: float) -> Draw:
    """Return draws of right guesses; alike: the larger, the less prompts differ (beta)."""

    def draw(rng: np.random.Generator, n: int, runs: int) -> tuple[Floats, Floats]:
        size = _unequal(rng, n)
        own = rng.beta(share * alike, (1 - share) * alike, (n, runs))
        return rng.binomial(size.astype(int)[:, None], own).astype(np.float64), size

    return draw


def _cells_by_chance(rng: np.random.Generator, n: int, runs: int) -> tuple[Floats, Floats]:
    cells = rng.negative_binomial(0.5, 0.01, n).astype(np.float64)
    return cells[:, None] * rng.beta(2, 5, (n, runs)), cells


def designs() -> dict[str, Design]:
    """Return what is simulated, by name."""
    # E[size^1.4] / (E[size] 40^0.4) for lognormal sizes: exact but for sizes below 1, of which
    # one in 300,000 is drawn.
    longer = float(np.exp(0.64 * (1.4**2 - 1) / 2))
    return {
        "normal losses": Design(_normal, 1.0, "positive"),
        "skewed losses": Design(_lognormal(_equal, 0.6), 1.0, "positive"),
        "heavy-tailed losses": Design(_lognormal(_equal, 1.0), 1.0, "positive"),
        "skewed, unequal prompts": Design(_lognormal(_unequal, 0.6), 1.0, "positive"),
        "longer prompts are worse": Design(_longer_is_worse, longer, "positive"),
        "difference of two predictors": Design(_difference, 0.1, "any"),
        "65 % right": Design(_right(0.65, 10), 0.65, "share"),
        "97 % right": Design(_right(0.97, 10), 0.97, "share"),
        "2 % right": Design(_right(0.02, 20), 0.02, "share"),
        "cells by chance": Design(_cells_by_chance, 2 / 7, "positive"),
    }


def _linearised(above: Floats, below: Floats) -> tuple[Floats, Floats]:
    n, total = len(below), below.sum()
    ratio = above.sum(axis=0) / total
    residual = above - ratio * below[:, None]
    return ratio, np.sqrt(n / (n - 1) * (residual**2).sum(axis=0)) / total


def _around(ratio: Floats, error: Floats, n: int) -> Ends:
    reach = special.stdtrit(n - 1, TAILS[1]) * error
    return ratio - reach, ratio + reach


def student(above: Floats, below: Floats) -> Ends:
    """Return t intervals with the linearised standard error, (runs,) each."""
    return _around(*_linearised(above, below), len(below))


def _without_each(above: Floats, below: Floats) -> Floats:
    return (above.sum(axis=0) - above) / np.maximum(below.sum() - below, 1e-9)[:, None]


def jackknife(above: Floats, below: Floats) -> Ends:
    """Return t intervals with the jackknife's standard error, (runs,) each."""
    n = len(below)
    ratio = above.sum(axis=0) / below.sum()
    squares = ((_without_each(above, below) - ratio) ** 2).sum(axis=0)
    return _around(ratio, np.sqrt((n - 1) / n * squares), n)


@dataclass(frozen=True)
class Resampled:
    """ratios, errors: (RESAMPLED, runs), of resampled prompts."""

    ratios: Floats
    errors: Floats

    @classmethod
    def of(cls, above: Floats, below: Floats, rng: np.random.Generator) -> "Resampled":
        """Draw prompts with replacement; draws without any sample are left out."""
        n = len(below)
        weights = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLED).astype(np.float64)
        weights = weights[weights @ below > 0]
        total = (weights @ below)[:, None]
        ratios = weights @ above / total
        squares = weights @ above**2 - 2 * ratios * (weights @ (above * below[:, None]))
        squares += ratios**2 * (weights @ below**2)[:, None]
        errors = np.sqrt(n / (n - 1) * np.maximum(squares, 0)) / total
        return cls(ratios, errors)

    def percentile(self) -> Ends:
        """Return the percentiles of the ratios."""
        low, high = np.quantile(self.ratios, TAILS, axis=0)
        return low, high

    def bca(self, above: Floats, below: Floats) -> Ends:
        """Return bias-corrected and accelerated percentiles."""
        ratio = above.sum(axis=0) / below.sum()
        under = ((self.ratios < ratio).mean(axis=0) + (self.ratios <= ratio).mean(axis=0)) / 2
        bias = special.ndtri(np.clip(under, 1 / RESAMPLED, 1 - 1 / RESAMPLED))
        without = _without_each(above, below)
        apart = without.mean(axis=0) - without
        scale = 6 * (apart**2).sum(axis=0) ** 1.5
        pace = np.divide((apart**3).sum(axis=0), scale, out=np.zeros_like(scale), where=scale > 0)
        ends = []
        for tail in TAILS:
            moved = bias + special.ndtri(tail)
            level = special.ndtr(bias + moved / (1 - pace * moved))
            pairs = zip(self.ratios.T, level, strict=True)
            ends.append(np.array([np.quantile(column, q) for column, q in pairs]))
        return ends[0], ends[1]

    def bootstrap_t(self, above: Floats, below: Floats) -> Ends:
        """Return the ends of studentised ratios; without end where a draw has no spread."""
        ratio, error = _linearised(above, below)
        with np.errstate(invalid="ignore", divide="ignore"):
            studentised = (self.ratios - ratio) / self.errors
        studentised = np.nan_to_num(studentised, nan=0.0, posinf=1e9, neginf=-1e9)
        low, high = np.quantile(studentised, TAILS, axis=0)
        return ratio - high * error, ratio - low * error


def all_ends(
    above: Floats, below: Floats, scale: "Scale", rng: np.random.Generator
) -> Iterator[tuple[str, Ends]]:
    """Yield (method, its intervals' ends (runs,)), each within what the quantity can be."""
    from gelu.samples.splits import interval

    drawn = Resampled.of(above, below, rng)
    ends = {
        "percentile": drawn.percentile(),
        "BCa": drawn.bca(above, below),
        "t": student(above, below),
        "jackknife": jackknife(above, below),
        "bootstrap-t": drawn.bootstrap_t(above, below),
        OURS: interval(above, below, scale),
    }
    least, most = {"any": (-np.inf, np.inf), "positive": (0, np.inf), "share": (0, 1)}[scale]
    for name, (low, high) in ends.items():
        yield name, (np.clip(low, least, most), np.clip(high, least, most))


def measure(design: Design, n_prompts: int, runs: int, seed: int) -> dict[str, tuple[float, float]]:
    """Return each method's (coverage, median width)."""
    rng = np.random.default_rng([seed, n_prompts])
    held: dict[str, list[NDArray[np.bool_]]] = {}
    widths: dict[str, list[Floats]] = {}
    for _ in range(-(-runs // COLUMNS)):
        above, below = design.draw(rng, n_prompts, COLUMNS)
        if np.count_nonzero(below) < 2:  # there is no interval
            continue
        for name, (low, high) in all_ends(above, below, design.scale, rng):
            held.setdefault(name, []).append((low <= design.truth) & (design.truth <= high))
            widths.setdefault(name, []).append(high - low)
    return {
        name: (float(np.mean(held[name])), float(np.median(np.concatenate(widths[name]))))
        for name in held
    }


def main() -> None:
    """Simulate every design and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=2000, help="of each design and number")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    from benchmarks.measuring import report, table

    lines = []
    names: list[str] = []
    for name, design in designs().items():
        for n_prompts in PROMPTS:
            measured = measure(design, n_prompts, arguments.runs, arguments.seed)
            names = list(measured)
            ours = measured[OURS][1]
            cells = [f"{100 * held:.0f} ({width / ours:.2g})" for held, width in measured.values()]
            lines.append([name, str(n_prompts), *cells])
            print(*lines[-1], sep="  ", file=sys.stderr, flush=True)
    heads = ["design", "prompts", *names]
    report("Intervals over prompts", table(heads, lines))


if __name__ == "__main__":
    main()
