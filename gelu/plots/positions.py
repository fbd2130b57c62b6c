"""Layers by positions: how active, and how many position-specific neurons."""

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from gelu.plots.charts import MARGIN, TEXT, TOP, WIDTH, add_axes, chart, name_axes, write
from gelu.plots.figures import FAINT_INK, points

LAYER_HEIGHT, LEAST_HEIGHT, MOST_HEIGHT = 60, 260, 700
PANEL_WIDTH = WIDTH - 2 * MARGIN - 200
EMPTY = "#f2f2f2"


def position_heatmap_figure(
    model: str,
    positions: NDArray[np.int64],
    frequency: NDArray[np.float64],
    specific: NDArray[np.int64],
) -> Figure:
    """Return both maps; positions: (P,); frequency: (n_layer, P), the mean share of a layer's
    neurons active there; specific: (n_layer, P), position-specific neurons that cover it."""
    n_layer = len(frequency)
    height = int(np.clip(LAYER_HEIGHT * n_layer, LEAST_HEIGHT, MOST_HEIGHT))
    subtitle = (
        "A column is a position in the text, counted from 0; the token at it was just read. Grey: "
        "no sample has that position."
    )
    total = TOP + 2 * (height + 150)
    with chart(f"{model}: activity by position and layer", subtitle, total) as figure:
        top = TOP + 40
        axes = add_axes(figure, MARGIN + 70, top, PANEL_WIDTH, height, "How active the layer is")
        _draw(figure, axes, positions, 100 * frequency, "% of the layer's neurons", "viridis")
        top += height + 150
        heading = "Position-specific neurons whose range covers the position"
        axes = add_axes(figure, MARGIN + 70, top, PANEL_WIDTH, height, heading)
        _draw(figure, axes, positions, specific.astype(float), "neurons", "cividis")
        if not specific.any():
            middle = (positions[0] + positions[-1]) / 2
            write(axes, middle, (n_layer - 1) / 2, "No neuron passes.", ha="center", color="white")
    return figure


def _draw(
    figure: Figure,
    axes: Axes,
    positions: NDArray[np.int64],
    values: NDArray[np.float64],
    unit: str,
    colours: str,
) -> None:
    first, last = int(positions[0]), int(positions[-1])
    grid = np.full((len(values), last - first + 1), np.nan)
    grid[:, positions - first] = values
    image = axes.imshow(
        grid,
        aspect="auto",
        interpolation="nearest",
        cmap=colormaps[colours].with_extremes(bad=EMPTY),
        extent=(first - 0.5, last + 0.5, len(values) - 0.5, -0.5),
        vmin=0,
        vmax=max(float(np.nanmax(grid)), 1e-9 if unit != "neurons" else 1),
    )
    axes.xaxis.set_major_locator(MaxNLocator(16, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(13, integer=True))
    name_axes(axes, "absolute position", "layer")
    _draw_key(figure, axes, image, unit)


def _draw_key(figure: Figure, axes: Axes, image: Any, unit: str) -> None:
    box = axes.get_position()
    key = figure.add_axes((box.x1 + 0.015, box.y0, 0.012, box.height))
    bar = figure.colorbar(image, cax=key)
    bar.outline.set_visible(False)
    key.tick_params(labelsize=points(TEXT))
    key.yaxis.set_major_locator(MaxNLocator(6, integer=unit == "neurons"))
    key.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    key.set_ylabel(unit, fontsize=points(TEXT), color=FAINT_INK)
