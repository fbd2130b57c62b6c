"""How much of the next token the active neurons hold. Tables in, figures out."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gelu.plots.charts import (
    COLOURS,
    GRID,
    MARGIN,
    TOP,
    add_axes,
    bars_note,
    chart,
    label_rows,
    legend_below,
    name_axes,
    write,
)
from gelu.plots.figures import FAINT_INK, points

NAMES = {
    "unigram": "unigram: no context",
    "bigram": "bigram: last token",
    "trigram": "trigram: last two tokens",
    "linear": "linear readout, all neurons",
    "hidden_layer": "readout with a hidden layer",
    "model": "the model itself",
}
COLOUR_OF = {"linear": COLOURS[0], "hidden_layer": COLOURS[4], "model": COLOURS[2]}
BASELINE_COLOUR = "#9a9a9a"
LABEL_ROOM, ROW, GAP = 270, 40, 120


def next_token_figure(model: str, scores: pd.DataFrame, direct: pd.DataFrame | None) -> Figure:
    """Return the picture of a next-token study; the tables: of `gelu.learning.token_study`."""
    subtitle = (
        "Tested on held-out prompts. Bits are the mean surprise at the token that came, 0 for "
        "certainty; fewer are better. " + bars_note(int(scores["n_prompts"].max()))
    )
    whole = scores[scores["neurons"].isin(["none", "all", "model"])]
    layers = scores[scores["neurons"].str.startswith("layer")]
    best = scores[scores["neurons"].str.startswith("best")]
    top = TOP + 60
    left_height = ROW * len(whole)
    second = top + left_height + 170
    marks = _marks(scores)
    panels: dict[str, Callable[[Axes], None]] = {}
    if len(layers):
        panels["Layers"] = partial(_layers, layers=layers, scores=scores, marks=marks)
    else:
        subtitle += " There is one layer."
    if len(best):
        panels["The best k neurons"] = partial(_best, best=best, scores=scores, marks=marks)
    else:
        subtitle += " There are ten neurons or fewer."
    if direct is not None and "correlation" in direct.columns:
        panels["Readout and direct path"] = partial(_direct, direct=direct)
    else:
        subtitle += " The direct path needs the model's weights."
    height = second + 360 + 110 if panels else second - 60
    with chart(f"{model}: the next token from its neurons", subtitle, height) as figure:
        left, width = MARGIN + LABEL_ROOM, 420
        _bits(add_axes(figure, left, top, width, left_height, "Surprise"), whole)
        right = left + width + GAP
        axes = add_axes(figure, right, top, 1550 - right, left_height, "Right at the first guess")
        _hits(axes, whole)
        for number, (heading, draw) in enumerate(panels.items()):
            draw(add_axes(figure, MARGIN + 80 + 510 * number, second, 400, 360, heading))
    return figure


def _marks(scores: pd.DataFrame) -> dict[str, float]:
    """Return the surprise of each baseline and of the model, by name."""
    chosen = scores[scores["predictor"].isin(["bigram", "trigram", "model"])]
    return dict(zip(chosen["predictor"], chosen["cross_entropy_bits"], strict=True))


def _bits(axes: Axes, rows: pd.DataFrame) -> None:
    places = np.arange(len(rows))
    values = rows["cross_entropy_bits"].to_numpy(float)
    axes.barh(places, values, 0.6, color=_colours(rows), **_errors(rows, "cross_entropy_bits"))
    highs = np.nan_to_num(rows["cross_entropy_bits_high"].to_numpy(float))
    for place, value, high in zip(places.tolist(), values, np.maximum(values, highs), strict=True):
        write(axes, high, place, f"{value:.2f}", (8, 0))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(0, float(np.nanmax(values)) * 1.18)
    axes.grid(axis="x", color=GRID)
    label_rows(axes, list(places), [NAMES[name] for name in rows["predictor"]], LABEL_ROOM - 20)
    name_axes(axes, "cross-entropy (bits per token)")


def _hits(axes: Axes, rows: pd.DataFrame) -> None:
    places = np.arange(len(rows))
    for measure, width, alpha in (("top5", 0.6, 0.35), ("top1", 0.6, 1.0)):
        values = rows[measure].to_numpy(float)
        axes.barh(places, np.nan_to_num(values), width, color=_colours(rows), alpha=alpha)
    for place, first, five in zip(places.tolist(), rows["top1"], rows["top5"], strict=True):
        text = "unknown" if np.isnan(first) else f"{first:.0%}, {five:.0%}"
        write(axes, 0 if np.isnan(five) else five, place, text, (8, 0))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(0, 1.2)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.set_yticks([])
    axes.grid(axis="x", color=GRID)
    name_axes(axes, "share of tokens; pale: among the first five guesses")


def _colours(rows: pd.DataFrame) -> list[str]:
    return [COLOUR_OF.get(name, BASELINE_COLOUR) for name in rows["predictor"]]


def _errors(rows: pd.DataFrame, measure: str, axis: str = "xerr") -> dict[str, Any]:
    values = rows[measure].to_numpy(float)
    low, high = (rows[f"{measure}_{end}"].to_numpy(float) for end in ("low", "high"))
    errors = np.nan_to_num(np.maximum([values - low, high - values], 0))
    return {axis: errors, "ecolor": FAINT_INK}


def _layers(
    axes: Axes, layers: pd.DataFrame, scores: pd.DataFrame, marks: dict[str, float]
) -> None:
    alone = layers[layers["neurons"].str.startswith("layer ")]
    number = alone["neurons"].str.removeprefix("layer ").astype(int).to_numpy()
    whole = scores[(scores["predictor"] == "linear") & (scores["neurons"] == "all")]
    first = alone.iloc[:1]
    joined = pd.concat([first, layers[layers["neurons"].str.startswith("layers")], whole])
    for rows, colour, marker, name in (
        (alone, COLOURS[1], "s", "this layer alone"),
        (joined, COLOURS[0], "o", "all layers up to it"),
    ):
        axes.errorbar(
            number,
            rows["cross_entropy_bits"].to_numpy(float),
            color=colour,
            marker=marker,
            ms=points(10),
            label=name,
            **_errors(rows, "cross_entropy_bits", "yerr"),
        )
    axes.set_xticks(number[:: -(-len(number) // 12)])
    name_axes(axes, "layer", "cross-entropy (bits per token)")
    _finish(axes, marks)


def _best(axes: Axes, best: pd.DataFrame, scores: pd.DataFrame, marks: dict[str, float]) -> None:
    whole = scores[(scores["predictor"] == "linear") & (scores["neurons"] == "all")]
    rows = pd.concat([best, whole]).sort_values("n_neurons")
    axes.errorbar(
        rows["n_neurons"].to_numpy(float),
        rows["cross_entropy_bits"].to_numpy(float),
        color=COLOURS[0],
        marker="o",
        ms=points(10),
        label="linear readout",
        **_errors(rows, "cross_entropy_bits", "yerr"),
    )
    axes.set_xscale("log")
    numbers = rows["n_neurons"].astype(int).tolist()
    # The last one, all neurons, is named; a neighbour too near to it is not.
    ticks = [number for number in numbers[:-1] if number * 1.6 < numbers[-1]] + numbers[-1:]
    axes.set_xticks(ticks, [_short(tick) for tick in ticks])
    axes.minorticks_off()
    name_axes(axes, "neurons that are read (logarithmic)", "cross-entropy (bits per token)")
    _finish(axes, marks)


def _short(number: int) -> str:
    return str(number) if number < 1000 else f"{number / 1000:.3g}k"


def _finish(axes: Axes, marks: dict[str, float]) -> None:
    """Draw the baselines as lines, named at their right ends."""
    top = max([axes.get_ylim()[1], *(value * 1.08 for value in marks.values())])
    axes.set_ylim(0, top)
    left, right = axes.get_xlim()
    for name, value in marks.items():
        axes.axhline(value, color=FAINT_INK, lw=1, ls="--")
        write(axes, right, value, name, (-4, 9), 14, ha="right", color=FAINT_INK)
    axes.set_xlim(left, right)
    axes.grid(axis="y", color=GRID)
    legend_below(axes, 2)


def _direct(axes: Axes, direct: pd.DataFrame) -> None:
    rows = direct.dropna(subset=["correlation"])
    x = rows["layer"].to_numpy(float)
    axes.bar(x, rows["correlation"].to_numpy(float), 0.6, color=COLOURS[0], label="as they are")
    for name, shift, marker, colour in (
        ("neurons", -0.12, "D", COLOURS[1]),
        ("tokens", 0.12, "^", COLOURS[3]),
    ):
        spread = 2 * rows[f"null_{name}_sd"].to_numpy(float)
        axes.errorbar(
            x + shift,
            rows[f"null_{name}_mean"].to_numpy(float),
            spread,
            fmt=marker,
            ms=points(9),
            color=colour,
            label=f"{name} dealt out anew",
        )
    axes.axhline(0, color=FAINT_INK, lw=1)
    axes.set_xticks(x[:: -(-len(x) // 12)])
    axes.grid(axis="y", color=GRID)
    name_axes(axes, "layer", "correlation (mean over neurons)")
    legend_below(axes, 2, size=14)
