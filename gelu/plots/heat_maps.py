"""Matrices as heat maps: one cell a value, the colours' key beside them."""

from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from gelu.plots.charts import TEXT
from gelu.plots.figures import FAINT_INK, points

EMPTY = "#f2f2f2"  # where there is no value
KEY_GAP, KEY_WIDTH = 16, 20  # pixels


def draw_heat_map(
    figure: Figure, axes: Axes, values: NDArray[np.float64], unit: str = "", **options: Any
) -> None:
    """Draw a matrix into the axes, its first row on top; cell (row, column) ends at (+1, +1).

    NaN is left grey. unit: what the key beside the axes says, "" for no key. options: of
    `seaborn.heatmap`, colours from viridis where nothing else is said.
    """
    key = _key_axes(figure, axes) if unit else None
    axes.set_facecolor(EMPTY)
    sns.heatmap(
        values,
        ax=axes,
        mask=np.isnan(values),
        cbar=key is not None,
        cbar_ax=key,
        xticklabels=False,
        yticklabels=False,
        **{"cmap": "viridis", **options},
    )
    if key is not None:
        whole = not (values[~np.isnan(values)] % 1).any()
        key.tick_params(labelsize=points(TEXT))
        key.yaxis.set_major_locator(MaxNLocator(6, integer=whole))
        key.set_ylabel(unit, fontsize=points(TEXT), color=FAINT_INK)


def _key_axes(figure: Figure, axes: Axes) -> Axes:
    width, box = figure.bbox.width, axes.get_position()
    return figure.add_axes((box.x1 + KEY_GAP / width, box.y0, KEY_WIDTH / width, box.height))
