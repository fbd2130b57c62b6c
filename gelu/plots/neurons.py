"""The most important neurons, and what each layer's neurons are like."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from gelu.neurons import neuron_name
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
    legend_below,
    name_axes,
    write,
)
from gelu.plots.figures import INK, points

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
    """Return the picture of the most important neurons of an important_neurons table.

    One of its neurons at least is selective.
    """
    top = table[table["kind"] == "selective"].head(MOST_NEURONS)
    title = f"{model}: the most informative neurons"
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
                top[column],
                rows,
                marker,
                color=colour,
                markersize=points(13),
                alpha=0.9,
                mew=0,
                clip_on=False,
            )
        axes.set_ylim(len(top) - 0.5, -0.5)
        axes.set_xlim(0, max(1e-9, top["entropy_bits"].max()) * 1.02)
        axes.grid(axis="x", color=GRID)
        names = [
            f"{neuron_name(row.layer, row.dimension)}  {row.activation_frequency:.0%}"
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


def importance_by_layer_figure(model: str, layers: pd.DataFrame, important: pd.DataFrame) -> Figure:
    """Return the picture of each layer: kinds of neurons, how often they are active, importance.

    layers: a layer table; important: an important_neurons table. Where no neuron is selective,
    there is no panel of their importance.
    """
    subtitle = (
        "Left: neurons active for some samples, all, or none. Middle: in how many samples neurons "
        "are active; the box holds half of the layer's neurons, the whiskers 90 %; the line is the "
        "median, the diamond the mean."
    )
    headings = ["Neurons by kind", "How often neurons are active"]
    if selective := layers["mean_importance_bits"].notna().any():
        headings.append("Mean importance of selective ones")
        subtitle += " Right: how much a selective one tells."
    width, height = 390, 480
    with chart(f"{model}: layer by layer", subtitle, TOP + height + 170) as figure:
        panels = [
            add_axes(figure, MARGIN + 80 + index * 510, TOP + 50, width, height, heading)
            for index, heading in enumerate(headings)
        ]
        _draw_kinds(panels[0], layers)
        _draw_frequencies(panels[1], important)
        if selective:
            panels[2].plot(layers["layer"], layers["mean_importance_bits"], "o-", color=COLOURS[0])
        units = ("neurons", "% of the samples", "bits")
        for axes, unit in zip(panels, units, strict=False):
            axes.grid(axis="y", color=GRID)
            axes.set_ylim(bottom=0)
            axes.xaxis.set_major_locator(MaxNLocator(12, integer=True))
            name_axes(axes, "layer", unit)
    return figure


def _draw_frequencies(axes: Axes, important: pd.DataFrame) -> None:
    sns.boxplot(
        x=important["layer"],
        y=100 * important["activation_frequency"],
        native_scale=True,
        whis=(5, 95),
        showfliers=False,
        showmeans=True,
        color=COLOURS[4],
        linecolor=INK,
        linewidth=1,
        meanprops={"marker": "D", "mfc": COLOURS[5], "mec": INK, "ms": points(9)},
        ax=axes,
    )


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
                        color="white" if column == "n_selective" else INK,
                    )
        below += layers[column].to_numpy()
    axes.set_ylim(0, 1.05 * total)
    legend_below(axes, 3, 0.12)
