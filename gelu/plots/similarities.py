"""Completions compared, within prompts and between them."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gelu.plots.charts import (
    COLOURS,
    GRID,
    MARGIN,
    TEXT,
    TOP,
    WIDTH,
    add_axes,
    chart,
    label_rows,
    name_axes,
)
from gelu.plots.figures import points
from gelu.plots.heat_maps import draw_heat_map
from gelu.plots.text import drawable
from gelu.statistics.similarity import cluster_order

ROW, LEAST_SIDE, MOST_SIDE = 24, 600, 1000  # of the matrix, in pixels
LABEL_ROOM, KEY_ROOM = 300, 120
HISTOGRAM_HEIGHT, NARROWEST_HISTOGRAM = 400, 300
MOST_WRITTEN = 8  # prompts up to which the cells' values are written into them
BINS = 30


def similarities_figure(
    model: str,
    prompt_similarities: pd.DataFrame,
    texts: Mapping[int, str],
    within: NDArray[np.float64],
    between: NDArray[np.float64],
    p_value: float | None,
) -> Figure:
    """Return the prompts' mean similarities, and all pairs of completions as two histograms.

    texts: each prompt's; within, between: the Jaccard indices of pairs, one pair at least; p_value:
    of the permutation test, None where there was none. Like prompts stand together (see
    `cluster_order`). One prompt alone has no matrix.
    """
    prompts, grid = similarity_matrix(prompt_similarities)
    several = len(prompts) > 1
    side = int(np.clip(ROW * len(prompts), LEAST_SIDE, MOST_SIDE)) if several else 0
    left = MARGIN + LABEL_ROOM + side + KEY_ROOM + 70 if several else MARGIN + 70
    beside = WIDTH - MARGIN - left >= NARROWEST_HISTOGRAM
    top = TOP + 50
    if beside:
        place = (left, top, min(WIDTH - MARGIN - left, 800), side or HISTOGRAM_HEIGHT)
    else:
        place = (MARGIN + LABEL_ROOM, top + side + 140, side, HISTOGRAM_HEIGHT)
    verdict = "" if p_value is None else f" Permutation test over completions: p = {p_value:.2g}."
    order = " Like prompts stand together." if several else ""
    if several and np.isnan(grid.diagonal()).any():
        order += " Grey: the prompt has one completion."
    subtitle = (
        "The Jaccard index of two completions: of the neurons active in either, the share active "
        f"in both. Higher is more alike.{order}{verdict}"
    )
    title = f"{model}: completions compared"
    with chart(title, subtitle, int(place[1] + place[3]) + 100) as figure:
        if several:
            where = (MARGIN + LABEL_ROOM, top, side, side)
            axes = add_axes(figure, *where, "Prompts, mean over pairs")
            _draw_matrix(figure, axes, prompts, grid, texts, side)
        _draw_histograms(add_axes(figure, *place, "Pairs of completions"), within, between)
    return figure


def similarity_matrix(table: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return (prompts (P,), mean Jaccard indices (P, P)), like prompts next to one another.

    table: prompt_a, prompt_b, mean_jaccard, each pair once; NaN where a prompt has one completion.
    """
    prompts = np.unique(table[["prompt_a", "prompt_b"]].to_numpy())
    grid = np.full((len(prompts), len(prompts)), np.nan)
    rows, columns = (np.searchsorted(prompts, table[name]) for name in ("prompt_a", "prompt_b"))
    grid[rows, columns] = grid[columns, rows] = table["mean_jaccard"].to_numpy(float)
    order = cluster_order(grid)
    return prompts[order], grid[np.ix_(order, order)]


def _draw_matrix(
    figure: Figure,
    axes: Axes,
    prompts: NDArray[np.int64],
    grid: NDArray[np.float64],
    texts: Mapping[int, str],
    side: int,
) -> None:
    annotated = {"annot": len(prompts) <= MOST_WRITTEN, "fmt": ".2f"}
    sizes = {"annot_kws": {"size": points(TEXT)}}
    draw_heat_map(figure, axes, grid, "mean Jaccard index", **annotated, **sizes)
    step = -(-len(prompts) * (TEXT + 4) // side)  # as many names as there is room for
    shown = list(range(0, len(prompts), step))
    named = prompts[shown].tolist()
    names = [f"{prompt} {drawable(texts[prompt])}".strip() for prompt in named]
    places = [row + 0.5 for row in shown]
    label_rows(axes, places, names, LABEL_ROOM - 20)
    axes.set_xticks(places, [str(prompt) for prompt in named])
    axes.tick_params(axis="x", rotation=90 if len(shown) > 12 else 0)
    name_axes(axes, "prompt" if step == 1 else f"prompt (one in {step} is named)")


def _draw_histograms(axes: Axes, within: NDArray[np.float64], between: NDArray[np.float64]) -> None:
    groups = [
        (f"{what}: {len(values):,} pairs,\nmedian {np.median(values):.2f}", values, colour)
        for what, values, colour in (
            ("of two prompts", between, COLOURS[1]),
            ("of one prompt", within, COLOURS[0]),
        )
        if len(values)
    ]
    names, values, colours = zip(*groups, strict=True)
    codes = np.repeat(np.arange(len(groups)), [len(part) for part in values])
    sns.histplot(
        x=np.concatenate(values),
        hue=pd.Categorical.from_codes(codes, pd.Index(list(names))),
        palette=list(colours),
        bins=BINS,
        stat="percent",
        common_norm=False,
        element="step",
        alpha=0.35,
        ax=axes,
    )
    sns.move_legend(axes, "upper right", frameon=False, fontsize=points(TEXT), title=None)
    axes.grid(axis="y", color=GRID)
    axes.set_ylim(0, axes.get_ylim()[1] * 1.3)
    name_axes(axes, "Jaccard index", "% of the pairs")
