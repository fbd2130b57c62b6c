"""Pictures of what was learned: they draw the tables' numbers, and say what is missing."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from gelu.plots.next_token import next_token_figure
from tests.plots.test_analysis import inside

BITS = {
    ("unigram", "none", 0): 9.0,
    ("bigram", "none", 0): 6.0,
    ("trigram", "none", 0): 5.0,
    ("linear", "all", 36864): 2.5,
    ("hidden_layer", "all", 36864): 2.6,
    ("linear", "best 10", 10): 7.0,
    ("linear", "best 1000", 1000): 3.0,
    ("linear", "best 30000", 30000): 2.75,
    ("model", "model", 0): 1.0,
}
LAYERS = 48


def scores(n_layer: int, best: bool = True) -> pd.DataFrame:
    bits = {key: x for key, x in BITS.items() if best or not key[1].startswith("best")}
    if n_layer > 1:
        bits |= {("linear", f"layer {x}", 768): 6 - x / 16 for x in range(n_layer)}
        bits |= {("linear", f"layers 0-{x}", 768): 6 - x / 15 for x in range(1, n_layer - 1)}
    rows = []
    for (predictor, neurons, n), value in bits.items():
        row = {"predictor": predictor, "neurons": neurons, "n_neurons": n}
        for measure, at in (("cross_entropy_bits", value), ("top1", 0.5), ("top5", 0.75)):
            row |= {measure: at, f"{measure}_low": at - 0.1, f"{measure}_high": at + 0.1}
        rows.append(row | {"n_prompts": 128})
    return pd.DataFrame(rows)


def panel(figure: Figure, title: str) -> Axes:
    """Return the axes that stand right below a heading."""
    heading = next(text for text in figure.texts if text.get_text() == title)
    x, y = heading.get_window_extent().p0
    boxes = {axes: axes.get_window_extent() for axes in figure.axes}
    below = [axes for axes, box in boxes.items() if abs(box.x0 - x) < 5 and box.y1 < y]
    return max(below, key=lambda axes: float(boxes[axes].y1))


def direct_path(n_layer: int) -> pd.DataFrame:
    table = {"layer": range(n_layer), "correlation": np.linspace(0.1, 0.5, n_layer)}
    spread = {"null_neurons_sd": 0.01, "null_tokens_sd": 0.02}
    means = {"null_neurons_mean": 0.0, "null_tokens_mean": 0.0}
    return pd.DataFrame(table).assign(**spread, **means)


def test_the_best_neurons_stand_before_all_of_them() -> None:
    figure = next_token_figure("m", scores(LAYERS), direct_path(LAYERS))
    axes = panel(figure, "The best k neurons")
    line = axes.lines[0]
    assert np.asarray(line.get_xydata()).tolist() == [
        [10, 7],
        [1000, 3],
        [30000, 2.75],
        [36864, 2.5],
    ]
    # All neurons are named; 30,000 stands too near to it.
    labels = [text.get_text() for text in axes.get_xticklabels()]
    assert labels == ["10", "1k", "36.9k"] and axes.get_xscale() == "log"
    inside(figure)


def test_bars_of_the_direct_path_are_its_correlations() -> None:
    figure = next_token_figure("m", scores(LAYERS), direct_path(LAYERS))
    bars = panel(figure, "Readout and direct path").patches
    heights = [bar.get_bbox().height for bar in bars if isinstance(bar, Rectangle)]
    assert heights == pytest.approx(np.linspace(0.1, 0.5, LAYERS))
    inside(figure)


def test_what_there_is_nothing_to_draw_of_is_said() -> None:
    figure = next_token_figure("m", scores(1, best=False), None)
    lines = [text.get_text() for text in figure.texts]
    assert len(figure.axes) == 2 and not {*lines} & {"Layers", "The best k neurons"}
    words = "".join(lines)
    for said in ("There is one layer.", "ten neurons or fewer.", "needs the model's weights."):
        assert said in words
    inside(figure)
