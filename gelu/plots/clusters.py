"""The samples laid out in the plane, a point a generated token."""

from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from gelu.plots.charts import COLOURS, MARGIN, MARKERS, TEXT, TOP, WIDTH, add_axes, chart, write
from gelu.plots.figures import points
from gelu.plots.text import drawable, shorten, show_spaces, text_width

HEIGHT, SIDE, PLANE_HEIGHT = 1250, 330, 1050
LABEL = 15
LABEL_ROOM, LABEL_GAP = 120, 4
AWAY, POINT_RADIUS = 7, 4  # of a label's beginning from its point; of a point
MOST_IN_LEGEND = 20
MOST_PROMPT_COLOURS = 12  # each colour with two marks


def clusters_figure(
    model: str, table: pd.DataFrame, colour_by: Literal["cluster", "prompt"], note: str
) -> Figure:
    """Return the picture of a token_clusters table; note: stands in the subtitle.

    Samples without x and y are left out. Tokens are written beside points where they cover no other
    label.
    """
    there = table[table["x"].notna()].reset_index(drop=True)
    column = "cluster" if colour_by == "cluster" else "prompt_idx"
    groups = there[column].to_numpy()
    part = "" if len(there) == len(table) else f" of {len(table):,}, drawn at random"
    subtitle = (
        f"{len(there):,} generated tokens{part}; tokens with like sets of active neurons stand "
        f"close (t-SNE: axes have no unit). Colour: {colour_by}. {note}"
    )
    with chart(f"{model}: tokens by their active neurons", subtitle, HEIGHT) as figure:
        axes = add_axes(figure, MARGIN, TOP, WIDTH - 2 * MARGIN - SIDE, PLANE_HEIGHT)
        axes.set_xticks([])
        axes.set_yticks([])
        _draw_points(axes, there, groups)
        figure.draw_without_rendering()
        label_points(axes, there[["x", "y"]].to_numpy(float), there["output"].tolist())
        _draw_legend(figure, there, groups, colour_by)
    return figure


def _style(rank: int) -> tuple[str, str]:
    """Return colour and marker of a group: colours first, then the next marker."""
    return COLOURS[rank % len(COLOURS)], MARKERS[rank // len(COLOURS) % len(MARKERS)]


def _draw_points(axes: Axes, table: pd.DataFrame, groups: NDArray[np.int64]) -> None:
    size = 30 if len(table) <= 1000 else 14
    for rank, group in enumerate(np.unique(groups)):
        colour, marker = _style(rank)
        rows = table[groups == group]
        axes.scatter(rows["x"], rows["y"], s=size, c=colour, marker=marker, alpha=0.8, linewidths=0)


def label_points(axes: Axes, places: NDArray[np.float64], texts: list[str]) -> list[str]:
    """Write each text beside its point where there is room; return those written.

    places: (n, 2). A label covers neither another one nor any point. Points that stand apart come
    first, since in a crowd a label says little.
    """
    pixels = axes.transData.transform(places)
    bounds = axes.get_window_extent()
    taken = np.empty((0, 4))
    written = []
    for index in _farthest_first(pixels):
        text = shorten(drawable(show_spaces(texts[index])), LABEL_ROOM, LABEL)
        left, middle = pixels[index] + (AWAY, 0)
        box = np.array(
            [left, middle - LABEL / 2, left + text_width(text, LABEL), middle + LABEL / 2]
        )
        if box[2] > bounds.x1 or box[1] < bounds.y0 or box[3] > bounds.y1:
            continue
        near = box + np.array([-1, -1, 1, 1]) * LABEL_GAP
        if _covers(near, taken) or _covers_points(box, pixels):
            continue
        taken = np.vstack([taken, near])
        halo = [withStroke(linewidth=2.5, foreground="white")]
        x, y = places[index]
        write(axes, float(x), float(y), text, (AWAY, 0), LABEL, path_effects=halo)
        written.append(text)
    return written


def _covers_points(box: NDArray[np.float64], pixels: NDArray[np.float64]) -> bool:
    low, high = box[:2] - POINT_RADIUS, box[2:] + POINT_RADIUS
    return bool(((pixels > low) & (pixels < high)).all(axis=1).any())


def _covers(box: NDArray[np.float64], taken: NDArray[np.float64]) -> bool:
    apart = (
        (taken[:, 0] > box[2])
        | (taken[:, 2] < box[0])
        | (taken[:, 1] > box[3])
        | (taken[:, 3] < box[1])
    )
    return not bool(apart.all())


def _farthest_first(pixels: NDArray[np.float64]) -> list[int]:
    """Return the points' order: each next one is the farthest from those before it."""
    distance = np.full(len(pixels), np.inf)
    order: list[int] = []
    current = 0
    for _ in range(len(pixels)):
        order.append(current)
        distance = np.minimum(distance, ((pixels - pixels[current]) ** 2).sum(axis=1))
        distance[current] = -1
        current = int(distance.argmax())
    return order


def _draw_legend(
    figure: Figure, table: pd.DataFrame, groups: NDArray[np.int64], colour_by: str
) -> None:
    left, row_height = WIDTH - MARGIN - SIDE + 20, 44
    distinct, first, sizes = np.unique(groups, return_index=True, return_counts=True)
    shown = min(len(distinct), MOST_IN_LEGEND)
    axes = add_axes(figure, left, TOP, SIDE - 20, row_height * (shown + 2))
    axes.set_axis_off()
    axes.set_xlim(0, SIDE - 20)
    axes.set_ylim(shown + 2, 0)
    write(axes, 0, 0.5, f"{colour_by} (tokens)", weight="bold")
    texts = table["input_text"].to_numpy()
    for rank in range(shown):
        colour, marker = _style(rank)
        axes.plot([8], [rank + 1.5], marker=marker, color=colour, markersize=points(14))
        name = f"{distinct[rank]} ({sizes[rank]:,})"
        if colour_by == "prompt":
            name += f" {drawable(texts[first[rank]])}"
        write(axes, 26, rank + 1.5, shorten(name, SIDE - 50, TEXT))
    if len(distinct) > shown:
        write(axes, 0, shown + 1.5, f"and {len(distinct) - shown:,} more, colours repeat")
