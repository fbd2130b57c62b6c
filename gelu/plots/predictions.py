"""How well neurons are predicted from tokens. Tables in, figures out."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gelu.plots.charts import (
    COLOURS,
    GRID,
    MARGIN,
    MARKERS,
    TOP,
    add_axes,
    bars_note,
    chart,
    legend_below,
    name_axes,
    write,
)
from gelu.plots.figures import FAINT_INK, points

NAMES = {
    "base_rate": "base rate",
    "token": "last token",
    "two_tokens": "last two tokens",
    "learned": "learned",
    "learned_token_only": "learned, sees the last token",
    "learned_position_only": "learned, sees the position",
}
SHOWN = ("base_rate", "token", "two_tokens", "learned")
KIND_NAMES = {
    "token": "last token",
    "mostly_token": "mostly last token",
    "position": "position",
    "context": "earlier context",
    "unpredicted": "not predicted",
    "constant": "constant",
}
KIND_COLOURS = {
    "token": COLOURS[0],
    "mostly_token": COLOURS[4],
    "position": COLOURS[1],
    "context": COLOURS[2],
    "unpredicted": "#9a9a9a",
    "constant": "#d8d8d8",
}
PANEL_WIDTH, PANEL_HEIGHT, GAP, LEFT = 600, 380, 150, MARGIN + 80


def activation_prediction_figure(
    model: str, layers: pd.DataFrame, neurons: pd.DataFrame, reliability: pd.DataFrame
) -> Figure:
    """Return the picture of an activation prediction; the tables: of `gelu.learning.prediction`."""
    subtitle = (
        "Tested on prompts that no predictor has seen. Log-loss is the surprise at each neuron's "
        "being active or not, mean over neurons; 0 is certainty. "
        + bars_note(int(layers["n_prompts"].max()))
    )
    top, second = TOP + 60, TOP + 60 + PANEL_HEIGHT + 150
    right = LEFT + PANEL_WIDTH + GAP
    size = (PANEL_WIDTH, PANEL_HEIGHT)
    title = f"{model}: predicting neurons from the tokens alone"
    with chart(title, subtitle, second + PANEL_HEIGHT + 130) as figure:
        by_layer = layers[layers["layer"].astype(str) != "all"]
        _losses(add_axes(figure, LEFT, top, *size, "Log-loss by layer"), by_layer)
        axes = add_axes(figure, right, top, *size, "Are active neurons ranked first?")
        _scores(axes, by_layer)
        _kinds(add_axes(figure, LEFT, second, *size, "What decides the neurons"), neurons)
        if len(reliability):
            heading = "Is 30 % predicted active 30 % of the time?"
            _calibration(add_axes(figure, right, second, *size, heading), reliability)
    return figure


def _losses(axes: Axes, layers: pd.DataFrame) -> None:
    for number, predictor in enumerate(SHOWN):
        rows = layers[layers["predictor"] == predictor]
        x = rows["layer"].to_numpy(float) + (number - 1.5) * 0.08
        mean = rows["log_loss_bits"].to_numpy(float)
        low, high = (rows[f"log_loss_{end}"].to_numpy(float) for end in ("low", "high"))
        errors = np.nan_to_num(np.maximum([mean - low, high - mean], 0))
        axes.errorbar(x, mean, errors, label=NAMES[predictor], **_line(number))
    axes.set_ylim(0)
    _finish(axes, layers, "log-loss (bits per neuron)")


def _scores(axes: Axes, layers: pd.DataFrame) -> None:
    for number, predictor in enumerate(SHOWN):
        rows = layers[layers["predictor"] == predictor]
        axes.plot(
            rows["layer"].to_numpy(float),
            rows["average_precision"].to_numpy(float),
            label=NAMES[predictor],
            **_line(number),
        )
    axes.set_ylim(0, 1)
    _finish(axes, layers, "average precision (mean over neurons)")


def _line(number: int) -> dict[str, Any]:
    return {"color": COLOURS[number], "marker": MARKERS[number], "ms": points(10), "lw": 1.5}


def _finish(axes: Axes, layers: pd.DataFrame, name: str) -> None:
    axes.grid(axis="y", color=GRID)
    ticks = sorted(set(layers["layer"].astype(int)))
    axes.set_xticks(ticks[:: -(-len(ticks) // 12)])
    name_axes(axes, "layer", name)
    _legend(axes, 4)


def _legend(axes: Axes, columns: int) -> None:
    legend_below(axes, columns, handlelength=1.4, columnspacing=1.2)


def _kinds(axes: Axes, neurons: pd.DataFrame) -> None:
    shares = pd.crosstab(neurons["layer"], neurons["decided_by"], normalize="index")
    below = np.zeros(len(shares))
    for kind, colour in KIND_COLOURS.items():
        values = shares[kind].to_numpy() if kind in shares else np.zeros(len(shares))
        axes.bar(shares.index, values, 0.7, below, color=colour, label=KIND_NAMES[kind])
        for layer, start, value in zip(shares.index, below, values, strict=True):
            if value >= 0.06 and len(shares) <= 12:
                ink = "white" if kind in ("token", "context") else "black"
                middle = start + value / 2
                write(axes, layer, middle, f"{value:.0%}", size=15, ha="center", color=ink)
        below += values
    axes.set_ylim(0, 1)
    axes.set_xticks(shares.index[:: -(-len(shares) // 12)])
    name_axes(axes, "layer", "share of the layer's neurons")
    _legend(axes, 3)


def _calibration(axes: Axes, reliability: pd.DataFrame) -> None:
    axes.plot([0, 1], [0, 1], color=FAINT_INK, lw=1, ls="--")
    for number, predictor in enumerate(SHOWN):
        if predictor == "base_rate":
            continue
        rows = reliability[reliability["predictor"] == predictor]
        pooled = rows.assign(
            predicted=rows["predicted"] * rows["n"], observed=rows["observed"] * rows["n"]
        )
        sums = pooled.groupby("range_start")[["predicted", "observed", "n"]].sum()
        x, y = sums["predicted"] / sums["n"], sums["observed"] / sums["n"]
        axes.plot(x.to_numpy(), y.to_numpy(), label=NAMES[predictor], **_line(number))
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.grid(color=GRID)
    name_axes(axes, "predicted probability", "share that was active")
    _legend(axes, 4)
