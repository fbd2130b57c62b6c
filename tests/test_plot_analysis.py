"""The analysis' pictures: what they draw, that nothing covers anything, any text, any size."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from gelu.plots.charts import note_figure
from gelu.plots.clusters import clusters_figure
from gelu.plots.figures import png_bytes
from gelu.plots.neurons import importance_by_layer_figure, top_neurons_figure
from gelu.plots.positions import position_heatmap_figure
from gelu.plots.similarities import similarities_figure
from gelu.plots.tokens import token_specific_figure

TOKENS = [" the", "\n", "$x$", "你", "<b>", " ", "\t", "a" * 80, "é", "$"]


def inside(figure: Figure) -> None:
    """Assert that no text runs out of the figure."""
    bounds = figure.bbox
    labels = [axis.label for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]
    for text in [*figure.texts, *figure.findobj(Annotation), *labels]:
        if text.get_text():
            box = text.get_window_extent()
            assert box.x0 >= bounds.x0 - 1 and box.x1 <= bounds.x1 + 1, text
            assert box.y0 >= bounds.y0 - 1 and box.y1 <= bounds.y1 + 1, text


def cluster_table(n: int, n_clusters: int = 6) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "sample_id": range(n),
            "x": rng.normal(size=n),
            "y": rng.normal(size=n),
            "cluster": rng.integers(0, n_clusters, n),
            "output": [TOKENS[number % len(TOKENS)] for number in range(n)],
            "input_text": "a long prompt with $ signs that goes on and on and on and on",
            "prompt_idx": rng.integers(0, 40, n),
        }
    )


@pytest.mark.parametrize("n", [1, 300, 2500])
def test_labels_of_clusters_do_not_cover_one_another(n: int) -> None:
    figure = clusters_figure("m", cluster_table(n), "cluster", "")
    plane = figure.axes[0]
    boxes = [text.get_window_extent() for text in plane.findobj(Annotation)]
    assert len(boxes) >= min(n, 50)
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    drawn = sum(np.shape(points.get_offsets())[0] for points in plane.collections)
    assert drawn == n
    inside(figure)


def test_samples_not_laid_out_are_counted_and_many_prompts_fit_the_legend() -> None:
    table = cluster_table(200)
    table.loc[50:, ["x", "y"]] = np.nan
    figure = clusters_figure("m", table, "prompt", "")
    assert any("50 generated tokens of 200" in text.get_text() for text in figure.texts)
    assert any("more, colours repeat" in t.get_text() for t in figure.axes[1].texts)
    inside(figure)


def neuron_table(n: int, missing: bool = False) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    names = [f"mi_{name}_bits" for name in ("output", "context", "prompt", "position")]
    return pd.DataFrame(
        {
            "layer": rng.integers(0, 48, n),
            "dimension": rng.integers(0, 6400, n),
            "kind": "selective",
            "activation_frequency": rng.random(n),
            "entropy_bits": 1.0,
            **{name: np.full(n, np.nan) if missing else rng.random(n) for name in names},
        }
    )


@pytest.mark.parametrize("missing", [False, True])
def test_top_neurons_are_at_most_thirty_rows(missing: bool) -> None:
    figure = top_neurons_figure("m", neuron_table(100, missing))
    names = [text.get_text() for text in figure.axes[0].findobj(Annotation)]
    assert len(names) == 30
    assert all(name.startswith("L") for name in names)
    inside(figure)
    assert "No neuron is selective." in [
        text.get_text() for text in top_neurons_figure("m", neuron_table(0)).texts
    ]


@pytest.mark.parametrize("n_layer", [1, 4, 48])
def test_layers_are_all_there(n_layer: int) -> None:
    layers = pd.DataFrame(
        {
            "layer": range(n_layer),
            "n_dead": 10,
            "n_always_on": 5,
            "n_selective": 6000,
            "mean_activity": 0.2,
            "mean_importance_bits": [np.nan] + [0.1] * (n_layer - 1),
        }
    )
    figure = importance_by_layer_figure("m", layers)
    assert len(figure.axes[0].patches) == 3 * n_layer
    assert np.size(figure.axes[1].lines[0].get_xdata()) == n_layer
    inside(figure)


def test_tokens_of_any_text_and_empty_roles_are_drawn() -> None:
    rows = [
        {"role": "context", "token": token, "token_id": number, "layer": 47, "dimension": 6399}
        | {"n_token": 5, "phi": 1 - 0.02 * number - 0.3 * rank}
        for number, token in enumerate(TOKENS * 4)
        for rank in range(3)
    ]
    table = pd.DataFrame(rows)
    figure = token_specific_figure("m", table, 0.05)
    assert any(text.get_text() == "No neuron passes." for text in figure.axes[0].texts)
    labels = [text.get_text() for text in figure.axes[1].findobj(Annotation)]
    assert labels.count("L47.6399") == 25
    assert any(label.startswith("␣the") for label in labels)
    inside(figure)
    empty = pd.DataFrame(columns=table.columns)
    inside(token_specific_figure("m", empty, 0.05))


@pytest.mark.parametrize(("n_layer", "positions"), [(1, [4]), (4, [4, 5, 9]), (48, range(1000))])
def test_position_maps_leave_absent_positions_blank(n_layer: int, positions: Sequence[int]) -> None:
    places = np.array(positions)
    frequency = np.full((n_layer, len(places)), 0.25)
    specific = np.ones((n_layer, len(places)), np.int64)
    figure = position_heatmap_figure("m", places, frequency, specific)
    grid = figure.axes[0].images[0].get_array()
    assert grid is not None
    assert grid.shape == (n_layer, places[-1] - places[0] + 1)
    assert int(np.ma.count_masked(np.ma.masked_invalid(grid))) == n_layer * (
        grid.shape[1] - len(places)
    )
    inside(figure)


@pytest.mark.parametrize("n_prompts", [1, 3, 200])
def test_similarities_are_symmetric(n_prompts: int) -> None:
    first, second = np.triu_indices(n_prompts)
    table = pd.DataFrame({"prompt_a": first, "prompt_b": second, "mean_jaccard": 0.5})
    texts = {number: f"$prompt {number} with a rather long text" for number in range(n_prompts)}
    values = np.random.default_rng(0).random(50)
    figure = similarities_figure("m", table, texts, values, values[:0], 0.012)
    grid = figure.axes[0].images[0].get_array()
    assert grid is not None and (grid == grid.T).all()
    assert any("p = 0.012" in text.get_text() for text in figure.texts)
    inside(figure)


def test_the_same_figure_is_the_same_bytes_and_a_note_says_why() -> None:
    table = cluster_table(60)
    first, second = (png_bytes(clusters_figure("m", table, "cluster", "")) for _ in range(2))
    assert first == second
    note = note_figure("m", "Positions", "the dataset CSV has no column absolute_position")
    assert any("absolute_position" in text.get_text() for text in note.texts)
