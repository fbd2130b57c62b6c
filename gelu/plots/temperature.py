"""The temperature study's picture: how neurons and tokens change with the temperature.

    figure = temperature_figure("gpt2-demo", study, d_mlp)      # the study's table

Five panels share one horizontal axis, the temperature; in three of them each layer is a line.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps, style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from gelu.plots.figures import FAINT_INK, INK, draw_line, new_figure, points
from gelu.plots.text import LINE_HEIGHT, MAIN_FAMILY, fit_lines, wrap
from gelu.statistics.temperature import ALL_LAYERS

WIDTH, HEIGHT = 1880, 1240
MARGIN = 40
TITLE, HEADING, TEXT = 32, 23, 18  # heights of text in pixels
PANEL_WIDTH, PANEL_HEIGHT = 490, 380
PANEL_LEFTS = (110, 740, 1350)
PANEL_TOPS = (210, 750)
# Perceptually uniform and safe for the colour-blind; its yellow end is too pale on white.
COLOURS = colormaps["viridis"]
PALEST = 0.88
MOST_LAYER_TICKS = 13
FEW_LAYERS = 12  # up to so many, lines are drawn thick
MINUS = "\N{MINUS SIGN}"
NEAREST_TICKS = 0.08  # of the axis
TICK_STEPS = (1, 2, 5, 10)


@dataclass(frozen=True)
class Panel:
    """One panel's place (row, column), its words, its column of the table and its range."""

    place: tuple[int, int]
    title: str
    unit: str
    column: str
    lowest: float
    highest: float
    whole_numbers: bool = False


SHARE = "% of the layer's neurons"
ACTIVE = Panel((0, 0), "Neurons active for a token, on average", SHARE, "mean_active", 0, 100)
DISTINCT = Panel((0, 1), "Neurons active at least once", SHARE, "distinct_neurons", 0, 100)
JACCARD = Panel(
    (0, 2),
    "Neurons that two completions share",
    "mean Jaccard index",
    "mean_jaccard_between_completions",
    0,
    1,
)
TOKENS = Panel(
    (1, 0), "Different tokens written", "tokens", "distinct_output_tokens", 0, np.inf, True
)
LOGPROB = Panel(
    (1, 1),
    "How sure the model was",
    "mean log-probability (nats)",
    "mean_output_logprob",
    -np.inf,
    0,
)
HOW_TO_READ = (
    "Each dot is a temperature; each coloured line a layer. The dashed black line is the whole "
    "model, its bars one standard deviation over the tokens.",
    "Vertical axes show the range of the values and need not begin at 0.",
    f"Log-probability of the tokens drawn: 0 is certainty, {MINUS}1 is like drawing tokens of "
    f"37 % each, {MINUS}2 of 14 %, {MINUS}3 of 5 %. At temperature 0 it is 0 by definition.",
)
JACCARD_MEANS = (
    "Jaccard index: of the neurons active in either of two completions of one prompt, the share "
    "active in both. 1: the same neurons."
)
NO_PAIRS = "No prompt has two completions, so none are compared."


def temperature_figure(model: str, study: pd.DataFrame, d_mlp: int) -> Figure:
    """Return the picture of a study's table; d_mlp: neurons of a layer."""
    # What a matplotlibrc says is kept out; ticks are made when they are first drawn.
    with style.context("default"):
        figure = new_figure(WIDTH, HEIGHT)
        temperatures = study["temperature"].unique()
        n_layer = study["layer"].nunique() - 1
        _draw_heading(figure, model, study, n_layer, d_mlp)
        share = 100 / d_mlp
        _draw_layer_panel(figure, ACTIVE, study, share, study["std_active"])
        _draw_layer_panel(figure, DISTINCT, study, share)
        no_pairs = study[JACCARD.column].isna().all()
        if not no_pairs:
            _draw_layer_panel(figure, JACCARD, study, None)
        whole = study[study["layer"] == ALL_LAYERS]
        for panel in (TOKENS, LOGPROB):
            axes = _new_panel(figure, panel, temperatures, whole[panel.column])
            _plot(axes, temperatures, whole[panel.column], INK, 2.4)
        _draw_key(figure, n_layer, NO_PAIRS if no_pairs else JACCARD_MEANS)
        figure.draw_without_rendering()
    return figure


def layer_colours(n_layer: int) -> NDArray[np.float64]:
    """Return each layer's RGBA colour, (n_layer, 4), the first layer's the darkest."""
    return np.asarray(COLOURS(np.linspace(0, PALEST, n_layer)), np.float64)


def _draw_heading(
    figure: Figure, model: str, study: pd.DataFrame, n_layer: int, d_mlp: int
) -> None:
    n_samples, n_temperatures = study["n_samples"].max(), study["temperature"].nunique()
    one = n_temperatures == 1
    title = fit_lines(f"{model}: neurons and tokens by temperature", WIDTH - 2 * MARGIN, TITLE, 1)
    draw_line(figure, MARGIN, MARGIN + TITLE, title[0], TITLE, weight="bold")
    what = "One temperature" if one else f"The same prompts at {n_temperatures} temperatures"
    subtitle = (
        f"{what}, {n_samples:,} tokens{'' if one else ' each'}; "
        f"{n_layer} layers of {d_mlp:,} neurons."
    )
    draw_line(figure, MARGIN, MARGIN + 2.4 * TITLE, subtitle, TEXT, color=FAINT_INK)


def _draw_layer_panel(
    figure: Figure,
    panel: Panel,
    study: pd.DataFrame,
    share: float | None,
    deviations: "pd.Series[Any] | None" = None,
) -> None:
    """Draw a line for each layer, and one for the whole model with bars of its deviations.

    share: what turns a layer's neurons into per cent of it; None where values are no counts.
    """
    temperatures = study["temperature"].unique()
    n_layer = study["layer"].nunique() - 1
    is_all = (study["layer"] == ALL_LAYERS).to_numpy()
    factor = 1.0 if share is None else np.where(is_all, share / n_layer, share)
    values = study[panel.column].to_numpy(np.float64) * factor
    spread = np.zeros(len(study)) if deviations is None else deviations.to_numpy() * factor * is_all
    axes = _new_panel(figure, panel, temperatures, [*(values - spread), *(values + spread)])
    width = 2.4 if n_layer <= FEW_LAYERS else 1.2
    by_layer = values[~is_all].reshape(len(temperatures), n_layer)
    for layer, colour in enumerate(layer_colours(n_layer)):
        _plot(axes, temperatures, by_layer[:, layer], colour, width)
    _plot(axes, temperatures, values[is_all], INK, 2.8, linestyle="--")
    if deviations is not None:
        bars: dict[str, Any] = {"fmt": "none", "ecolor": INK, "capsize": 4, "zorder": 1.5}
        axes.errorbar(temperatures, values[is_all], spread[is_all], **bars)


def _new_panel(
    figure: Figure, panel: Panel, temperatures: NDArray[Any], values: Iterable[float]
) -> Axes:
    """Return the panel's axes with its title and unit, its ranges set to hold the values."""
    row, column = panel.place
    left, top = PANEL_LEFTS[column], PANEL_TOPS[row]
    draw_line(figure, left - 70, top - 1.2 * TEXT, panel.title, HEADING, weight="bold")
    axes = _add_axes(figure, left, top, PANEL_WIDTH, PANEL_HEIGHT)
    axes.set_xlim(_limits(temperatures, -np.inf, np.inf, 0.06))
    axes.set_ylim(_limits(values, panel.lowest, panel.highest, 0.08))
    places = _tick_places(temperatures, *axes.get_xlim())
    axes.set_xticks(places, [_number(place) for place in places])
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=TICK_STEPS, integer=panel.whole_numbers))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _number(value)))
    axes.set_xlabel("temperature", fontsize=points(TEXT), color=FAINT_INK)
    axes.set_ylabel(panel.unit, fontsize=points(TEXT), color=FAINT_INK)
    axes.grid(visible=True, color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return axes


def _add_axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Return axes at pixels from the picture's top left."""
    rectangle = (left / WIDTH, 1 - (top + height) / HEIGHT, width / WIDTH, height / HEIGHT)
    axes = figure.add_axes(rectangle)
    axes.tick_params(
        labelsize=points(TEXT), color=FAINT_INK, labelcolor=INK, labelfontfamily=MAIN_FAMILY
    )
    for spine in axes.spines.values():
        spine.set_color(FAINT_INK)
    return axes


def _plot(
    axes: Axes, x: NDArray[Any], y: Any, colour: Any, width: float, linestyle: str = "-"
) -> None:
    dots: dict[str, Any] = {"marker": "o", "markersize": 2.6 * width}
    # Unclipped, so that a dot on the very edge of its range, 0 or 100 %, is shown whole.
    axes.plot(x, y, color=colour, linewidth=width, linestyle=linestyle, clip_on=False, **dots)


def _limits(
    values: Iterable[float], lowest: float, highest: float, margin: float
) -> tuple[float, float]:
    """Return a range around the values that stays within lowest..highest.

    margin: the part of the values' span added at both ends.
    """
    array = np.asarray(list(values), np.float64)
    array = array[np.isfinite(array)]
    if not len(array):
        return lowest, highest
    low, high = float(array.min()), float(array.max())
    extra = (high - low) * margin or max(abs(high) * margin, 0.02)
    return max(lowest, low - extra), min(highest, high + extra)


def _tick_places(temperatures: NDArray[Any], low: float, high: float) -> list[float]:
    """Return the temperatures to name below the axis: all but those too near the one before."""
    places: list[float] = []
    for temperature in temperatures.tolist():
        if not places or temperature - places[-1] >= NEAREST_TICKS * (high - low):
            places.append(temperature)
    return places


def _number(value: float) -> str:
    return f"{value:,.6g}".replace("-", MINUS)


def _draw_key(figure: Figure, n_layer: int, of_pairs: str) -> None:
    """Draw which colour is which layer, and how to read the picture, where a sixth panel would.

    of_pairs: the paragraph on pairs of completions.
    """
    left, top = PANEL_LEFTS[2] - 70, PANEL_TOPS[1]
    draw_line(figure, left, top - 1.2 * TEXT, "Layers, and how to read it", HEADING, weight="bold")
    bar = _add_axes(figure, left + 58, top, 36, PANEL_HEIGHT)
    bar.imshow(layer_colours(n_layer)[:, None], origin="lower", aspect="auto")
    bar.set_xticks([])
    step = -(-n_layer // MOST_LAYER_TICKS)
    bar.set_yticks(range(0, n_layer, step), [str(layer) for layer in range(0, n_layer, step)])
    bar.set_ylabel("layer", fontsize=points(TEXT), color=FAINT_INK)
    text_left = left + 125
    baseline = top + float(TEXT)
    for paragraph in (*HOW_TO_READ[:2], of_pairs, *HOW_TO_READ[2:]):
        for line in wrap(paragraph, WIDTH - MARGIN - text_left, TEXT):
            draw_line(figure, text_left, baseline, line, TEXT)
            baseline += TEXT * LINE_HEIGHT
        baseline += 0.6 * TEXT
