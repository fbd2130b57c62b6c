"""Completions compared, within prompts and between them."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gelu.plots.charts import (
    COLOURS,
    GRID,
    MARGIN,
    TEXT,
    TOP,
    add_axes,
    chart,
    label_rows,
    name_axes,
    say_nothing,
)
from gelu.plots.figures import FAINT_INK, points
from gelu.plots.text import drawable

SQUARE, LABEL_ROOM, MOST_LABELS = 600, 230, 32
BINS = 30
EMPTY = "#f2f2f2"


def similarities_figure(
    model: str,
    prompt_similarities: pd.DataFrame,
    texts: Mapping[int, str],
    within: NDArray[np.float64],
    between: NDArray[np.float64],
    p_value: float | None,
) -> Figure:
    """Return the prompts' mean similarities, and all pairs of completions as two histograms.

    texts: each prompt's; within, between: the Jaccard indices of pairs; p_value: of the permutation
    test, None where there was none.
    """
    verdict = "" if p_value is None else f" Permutation test over completions: p = {p_value:.2g}."
    subtitle = (
        "The Jaccard index of two completions: of the neurons active in either, the share active "
        f"in both. Higher is more alike.{verdict}"
    )
    with chart(f"{model}: completions compared", subtitle, TOP + SQUARE + 150) as figure:
        left = MARGIN + LABEL_ROOM + 20
        axes = add_axes(figure, left, TOP + 50, SQUARE, SQUARE, "Prompts, mean over pairs")
        _draw_matrix(figure, axes, prompt_similarities, texts)
        left += SQUARE + 190
        axes = add_axes(figure, left, TOP + 50, 430, SQUARE, "Pairs of completions")
        _draw_histograms(axes, within, between)
    return figure


def _draw_matrix(figure: Figure, axes: Axes, table: pd.DataFrame, texts: Mapping[int, str]) -> None:
    prompts = np.unique(table[["prompt_a", "prompt_b"]].to_numpy())
    place = {prompt: index for index, prompt in enumerate(prompts.tolist())}
    grid = np.full((len(prompts), len(prompts)), np.nan)
    rows = table["prompt_a"].map(place).to_numpy()
    columns = table["prompt_b"].map(place).to_numpy()
    grid[rows, columns] = grid[columns, rows] = table["mean_jaccard"].to_numpy(float)
    colours = colormaps["viridis"].with_extremes(bad=EMPTY)
    image = axes.imshow(grid, cmap=colours, interpolation="nearest")
    step = max(1, -(-len(prompts) // MOST_LABELS))
    shown = range(0, len(prompts), step)
    names = [f"{prompts[row]} {drawable(texts[int(prompts[row])])}".strip() for row in shown]
    label_rows(axes, shown, names, LABEL_ROOM)
    axes.set_xticks(list(shown), [str(prompts[row]) for row in shown])
    axes.tick_params(axis="x", rotation=90 if len(shown) > 12 else 0)
    name_axes(axes, "prompt")
    if np.isfinite(grid).any():
        box = axes.get_position()
        key = figure.add_axes((box.x1 + 0.01, box.y0, 0.012, box.height))
        figure.colorbar(image, cax=key).outline.set_visible(False)
        key.tick_params(labelsize=points(TEXT))
        key.set_ylabel("mean Jaccard index", fontsize=points(TEXT), color=FAINT_INK)


def _draw_histograms(axes: Axes, within: NDArray[np.float64], between: NDArray[np.float64]) -> None:
    groups = [("of two prompts", between, COLOURS[1]), ("of one prompt", within, COLOURS[0])]
    values = np.concatenate([within, between])
    if len(values) == 0:
        say_nothing(axes, "No pair of completions.")
        return
    low, high = float(values.min()), float(values.max())
    spread = max(high - low, 0.02)
    edges = np.linspace(low - 0.05 * spread, low + 1.05 * spread, BINS + 1)
    for name, group, colour in groups:
        if len(group) == 0:
            continue
        label = f"{name}: {len(group):,} pairs,\nmedian {np.median(group):.2f}"
        weights = np.full(len(group), 100 / len(group))
        options = {"bins": edges, "weights": weights, "color": colour}
        axes.hist(group, histtype="stepfilled", alpha=0.35, **options)  # type: ignore[arg-type]
        axes.hist(group, histtype="step", lw=2, label=label, **options)  # type: ignore[arg-type]
    axes.grid(axis="y", color=GRID)
    top = axes.get_ylim()[1]
    axes.set_ylim(0, top * 1.3)
    axes.legend(frameon=False, fontsize=points(TEXT), loc="upper right")
    name_axes(axes, "Jaccard index", "% of the pairs")
