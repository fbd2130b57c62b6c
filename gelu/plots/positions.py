"""Layers by positions: how active, and how many position-specific neurons."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from gelu.plots.charts import MARGIN, TOP, WIDTH, add_axes, chart, name_axes
from gelu.plots.heat_maps import draw_heat_map

LAYER_HEIGHT, LEAST_HEIGHT, MOST_HEIGHT, BELOW = 60, 180, 700, 150
PANEL_WIDTH = WIDTH - 2 * MARGIN - 200
MOST_POSITIONS_NAMED, MOST_LAYERS_NAMED = 16, 13


def position_heatmap_figure(
    model: str,
    positions: NDArray[np.int64],
    frequency: NDArray[np.float64],
    specific: NDArray[np.int64],
) -> Figure:
    """Return the maps; positions: (P,); frequency: (n_layer, P), the mean share of a layer's
    neurons active there; specific: (n_layer, P), position-specific neurons that cover it. Where
    there are none, the map of these is left out."""
    height = int(np.clip(LAYER_HEIGHT * len(frequency), LEAST_HEIGHT, MOST_HEIGHT))
    maps = [("How active the layer is", 100 * frequency, "% of the layer's neurons", "viridis")]
    subtitle = "A column is a position in the text, counted from 0; the token at it was just read."
    if len(positions) <= positions[-1] - positions[0]:
        subtitle += " Grey: no sample has that position."
    if specific.any():
        heading = "Position-specific neurons whose range covers the position"
        maps.append((heading, specific.astype(float), "neurons", "cividis"))
    else:
        subtitle += " No neuron is specific to a position."
    total = TOP + len(maps) * (height + BELOW)
    with chart(f"{model}: activity by position and layer", subtitle, total) as figure:
        for number, (heading, values, unit, colours) in enumerate(maps):
            top = TOP + 40 + number * (height + BELOW)
            axes = add_axes(figure, MARGIN + 70, top, PANEL_WIDTH, height, heading)
            grid = np.full((len(values), int(positions[-1] - positions[0]) + 1), np.nan)
            grid[:, positions - positions[0]] = values
            draw_heat_map(figure, axes, grid, unit, cmap=colours, vmin=0)
            _name_cells(axes, len(values), int(positions[0]), int(positions[-1]))
    return figure


def _name_cells(axes: Axes, n_layer: int, first: int, last: int) -> None:
    for axis, low, high, most in (
        (axes.xaxis, first, last, MOST_POSITIONS_NAMED),
        (axes.yaxis, 0, n_layer - 1, MOST_LAYERS_NAMED),
    ):
        ticks = map(int, MaxNLocator(most, integer=True).tick_values(low, high))
        named = [tick for tick in ticks if low <= tick <= high]
        axis.set_ticks([tick - low + 0.5 for tick in named], [str(tick) for tick in named])
    name_axes(axes, "absolute position", "layer")
