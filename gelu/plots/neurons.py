"""The most important neurons, and what each layer's neurons are like."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

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
    note_figure,
    write,
)
from gelu.plots.figures import points

MOST_NEURONS = 30
ROW = 34
INFORMATION = {
    "mi_output_bits": ("token written", COLOURS[0], "o"),
    "mi_context_bits": ("token just read", COLOURS[1], "s"),
    "mi_prompt_bits": ("prompt", COLOURS[2], "^"),
    "mi_position_bits": ("position", COLOURS[3], "D"),
}
KINDS = {
    "n_selective": ("selective", COLOURS[0]),
    "n_always_on": ("always on", COLOURS[1]),
    "n_dead": ("dead", "#bbbbbb"),
}


def top_neurons_figure(model: str, table: pd.DataFrame) -> Figure:
    """Return the picture of the most important neurons of an important_neurons table."""
    top = table[table["kind"] == "selective"].head(MOST_NEURONS)
    title = f"{model}: the most telling neurons"
    if len(top) == 0:
        return note_figure(model, "The most telling neurons", "No neuron is selective.")
    subtitle = (
        "What a neuron's being active tells about each token, in bits beyond chance; the grey bar "
        "is the most it could tell. The percentage is the share of samples in which it is active."
    )
    height = TOP + 90 + ROW * len(top) + 80
    with chart(title, subtitle, height) as figure:
        axes = add_axes(figure, MARGIN + 180, TOP + 60, WIDTH - 2 * MARGIN - 200, ROW * len(top))
        rows = np.arange(len(top))
        axes.barh(rows, top["entropy_bits"], color="#ededed", height=0.8)
        for column, (_, colour, marker) in INFORMATION.items():
            axes.plot(
                top[column], rows, marker, color=colour, markersize=points(13), alpha=0.9, mew=0
            )
        axes.set_ylim(len(top) - 0.5, -0.5)
        axes.set_xlim(0, max(1e-9, top["entropy_bits"].max()) * 1.02)
        axes.grid(axis="x", color=GRID)
        names = [
            f"L{row.layer}.{row.dimension}  {row.activation_frequency:.0%}"
            for row in top.itertuples()
        ]
        label_rows(axes, rows.tolist(), names, 200)
        name_axes(axes, "bits")
        handles = [
            Line2D([], [], marker=marker, color=colour, lw=0, label=label, markersize=points(13))
            for label, colour, marker in INFORMATION.values()
        ]
        handles.append(Line2D([], [], color="#dddddd", lw=8, label="entropy: the most possible"))
        axes.legend(
            handles=handles,
            loc="lower left",
            bbox_to_anchor=(0, 1.0),
            ncols=5,
            frameon=False,
            fontsize=points(TEXT),
        )
    return figure


def importance_by_layer_figure(model: str, layers: pd.DataFrame) -> Figure:
    """Return the picture of a layer table: kinds of neurons, mean activity, mean importance."""
    subtitle = (
        "Left: neurons that are active for some samples, all, or none. Middle: the share of a "
        "layer's neurons that is active in a sample. Right: how much a selective neuron tells."
    )
    width, height = 390, 480
    with chart(f"{model}: layer by layer", subtitle, TOP + height + 170) as figure:
        panels = [
            add_axes(figure, MARGIN + 80 + index * 510, TOP + 50, width, height, heading)
            for index, heading in enumerate(
                ("Neurons by kind", "Mean activity", "Mean importance of selective ones")
            )
        ]
        _draw_kinds(panels[0], layers)
        panels[1].plot(layers["layer"], 100 * layers["mean_activity"], "o-", color=COLOURS[0])
        panels[2].plot(layers["layer"], layers["mean_importance_bits"], "o-", color=COLOURS[0])
        units = ("neurons", "% of the layer's neurons", "bits")
        for axes, unit in zip(panels, units, strict=True):
            axes.grid(axis="y", color=GRID)
            axes.set_ylim(bottom=0)
            axes.xaxis.set_major_locator(MaxNLocator(12, integer=True))
            name_axes(axes, "layer", unit)
    return figure


def _draw_kinds(axes: Axes, layers: pd.DataFrame) -> None:
    below = np.zeros(len(layers))
    total = layers[list(KINDS)].sum(axis=1).max()
    for column, (label, colour) in KINDS.items():
        axes.bar(
            layers["layer"],
            layers[column],
            bottom=below,
            color=colour,
            label=f"{label} {layers[column].sum():,}",
        )
        if len(layers) <= 12:
            for layer, start, count in zip(layers["layer"], below, layers[column], strict=True):
                if count > 0.06 * total:
                    write(
                        axes,
                        layer,
                        start + count / 2,
                        f"{count:,}",
                        ha="center",
                        size=14,
                        color="white",
                    )
        below += layers[column].to_numpy()
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.12),
        ncols=3,
        frameon=False,
        fontsize=points(TEXT),
    )
