"""The analysis' pictures: what they draw, that nothing covers anything, any text, any size."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from numpy.typing import NDArray

from gelu.plots.clusters import clusters_figure
from gelu.plots.figures import png_bytes
from gelu.plots.neurons import importance_by_layer_figure, top_neurons_figure
from gelu.plots.positions import position_heatmap_figure
from gelu.plots.similarities import similarities_figure, similarity_matrix
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


def cells(axes: Axes) -> NDArray[np.float64]:
    """Return the values of a heat map's cells."""
    return np.asarray(axes.collections[0].get_array(), np.float64)


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
    assert len(boxes) >= min(n, 40)
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    places = np.concatenate([np.asarray(it.get_offsets()) for it in plane.collections])
    assert len(places) == n
    pixels = plane.transData.transform(places)
    for text in plane.findobj(Annotation):
        x, y = plane.transData.transform(text.xy)
        box = text.get_window_extent()
        # It begins where its point ends, and no other point is hidden behind it.
        assert 0 < box.x0 - x < 12 and box.y0 - 6 < y < box.y1 + 6
        inner = (pixels > (box.x0, box.y0)) & (pixels < (box.x1, box.y1))
        assert not inner.all(axis=1).any()
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


@pytest.mark.parametrize("n_layer", [1, 4, 48])
@pytest.mark.parametrize("selective", [True, False])
def test_layers_are_all_there(n_layer: int, selective: bool) -> None:
    frequency = np.random.default_rng(0).random((n_layer, 60)) ** 2
    important = pd.DataFrame(
        {"layer": np.repeat(range(n_layer), 60), "activation_frequency": frequency.ravel()}
    )
    layers = pd.DataFrame(
        {
            "layer": range(n_layer),
            "n_dead": 10,
            "n_always_on": 5,
            "n_selective": 6000,
            "mean_activity": 0.2,
            "mean_importance_bits": [0.1 if selective else np.nan] * n_layer,
        }
    )
    figure = importance_by_layer_figure("m", layers, important)
    assert len(figure.axes[0].patches) == 3 * n_layer
    means = [line for line in figure.axes[1].lines if line.get_marker() == "D"]
    drawn = [float(np.ravel(line.get_ydata())[0]) for line in means]
    assert drawn == pytest.approx(100 * frequency.mean(axis=1))
    assert len(figure.axes) == (3 if selective else 2)  # no panel of nothing
    inside(figure)


def token_table(*roles: str) -> pd.DataFrame:
    rows = [
        {"role": role, "token": token, "token_id": number, "layer": 47, "dimension": 6300 + rank}
        | {"n_token": 5, "phi": 1 - 0.02 * number - 0.3 * rank}
        for role in roles
        for number, token in enumerate(TOKENS * 4)
        for rank in range(3)
    ]
    return pd.DataFrame(rows)


def test_tokens_of_any_text_are_drawn_and_a_role_without_neurons_has_no_panel() -> None:
    figure = token_specific_figure("m", token_table("context"), 0.05)
    assert len(figure.axes) == 1
    labels = [text.get_text() for text in figure.axes[0].findobj(Annotation)]
    assert labels.count("L47.6300") == 25
    assert any(label.startswith("␣the") for label in labels)
    words = " ".join(text.get_text() for text in figure.texts)
    assert "The token being written: no neuron passes." in words
    inside(figure)


def test_the_strongest_neurons_name_touches_its_dot_and_nothing_else() -> None:
    figure = token_specific_figure("m", token_table("output", "context"), 0.05)
    assert len(figure.axes) == 2
    boxes = []
    for axes in figure.axes:
        names = [it for it in axes.findobj(Annotation) if it.get_text() == "L47.6300"]
        assert len(names) == 25
        for row, name in enumerate(names):
            x, y = axes.transData.transform((1 - 0.02 * row, row))
            box = name.get_window_extent()
            assert 0 < box.x0 - x < 16 and box.y0 < y < box.y1  # the dot's radius is 6.5
        boxes += [it.get_window_extent() for it in axes.findobj(Annotation)]
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    inside(figure)


@pytest.mark.parametrize(("n_layer", "positions"), [(1, [4]), (4, [4, 5, 9]), (48, range(1000))])
def test_position_maps_leave_absent_positions_blank(n_layer: int, positions: Sequence[int]) -> None:
    places = np.array(positions)
    frequency = np.full((n_layer, len(places)), 0.25)
    specific = np.ones((n_layer, len(places)), np.int64)
    figure = position_heatmap_figure("m", places, frequency, specific)
    grid = np.ma.masked_invalid(cells(figure.axes[0]))
    assert grid.shape == (n_layer, places[-1] - places[0] + 1)
    assert int(np.ma.count_masked(grid)) == n_layer * (grid.shape[1] - len(places))
    assert len(figure.axes) == 4  # two maps with a key each
    inside(figure)
    none = position_heatmap_figure("m", places, frequency, 0 * specific)
    assert len(none.axes) == 2  # a map of zeros would be an empty dark box
    assert any("No neuron is specific" in text.get_text() for text in none.texts)
    inside(none)


def test_positions_and_layers_stand_where_the_axes_say() -> None:
    frequency = np.arange(12.0).reshape(2, 6) / 100
    figure = position_heatmap_figure("m", np.arange(4, 10), frequency, np.zeros((2, 6), np.int64))
    axes = figure.axes[0]
    assert cells(axes)[1, 3] == pytest.approx(9.0)
    names = {
        text.get_text(): x
        for text, x in zip(axes.get_xticklabels(), axes.get_xticks(), strict=True)
    }
    assert names["7"] == 3.5
    top, bottom = (axes.transData.transform((0, row))[1] for row in axes.get_yticks())
    assert [it.get_text() for it in axes.get_yticklabels()] == ["0", "1"] and top > bottom


@pytest.mark.parametrize("n_prompts", [1, 3, 200])
def test_similarities_are_symmetric(n_prompts: int) -> None:
    first, second = np.triu_indices(n_prompts)
    table = pd.DataFrame({"prompt_a": first, "prompt_b": second, "mean_jaccard": 0.5})
    texts = {number: f"$prompt {number} with a rather long text" for number in range(n_prompts)}
    values = np.random.default_rng(0).random(50)
    figure = similarities_figure("m", table, texts, values, values[:0], 0.012)
    if n_prompts > 1:
        grid = cells(figure.axes[0])
        assert grid.shape == (n_prompts, n_prompts) and (grid == grid.T).all()
    else:
        assert len(figure.axes) == 1  # one cell would say nothing
    assert any("p = 0.012" in text.get_text() for text in figure.texts)
    names = [it.get_window_extent() for it in figure.axes[0].findobj(Annotation)]
    assert not any(a.overlaps(b) for a, b in combinations(names, 2))
    inside(figure)


@pytest.mark.parametrize("n_prompts", [24, 60, 640])
def test_like_prompts_stand_together(n_prompts: int) -> None:
    group = np.random.default_rng(0).permutation(n_prompts) % 4
    first, second = np.triu_indices(n_prompts)
    same = group[first] == group[second]
    noise = np.random.default_rng(1).random(len(first)) / 10
    table = pd.DataFrame({"prompt_a": first, "prompt_b": second, "mean_jaccard": 0.3 + noise})
    table.loc[same, "mean_jaccard"] += 0.3
    prompts, grid = similarity_matrix(table)
    assert np.count_nonzero(np.diff(group[prompts])) == 3  # each group is one block
    assert sorted(prompts) == list(range(n_prompts))
    row, column = 1, n_prompts - 2
    a, b = sorted((prompts[row], prompts[column]))
    pair = table[(table["prompt_a"] == a) & (table["prompt_b"] == b)]
    assert grid[row, column] == pair["mean_jaccard"].item()
    texts = {number: f"prompt {number}" for number in range(n_prompts)}
    values = np.full(3, 0.5)
    figure = similarities_figure("m", table, texts, values, values, None)
    named = [text.get_text() for text in figure.axes[0].findobj(Annotation)]
    assert named[0] == f"{prompts[0]} prompt {prompts[0]}"
    inside(figure)


def test_pairs_of_completions_are_counted_in_per_cent_of_their_kind() -> None:
    table = pd.DataFrame({"prompt_a": [0], "prompt_b": [0], "mean_jaccard": [0.5]})
    within, between = np.linspace(0.5, 0.9, 200), np.linspace(0.1, 0.6, 50)
    figure = similarities_figure("m", table, {0: ""}, within, between, None)
    axes = figure.axes[0]
    legend = axes.get_legend()
    assert legend is not None
    said = [text.get_text() for text in legend.get_texts()]
    assert said == [
        "of two prompts: 50 pairs,\nmedian 0.35",
        "of one prompt: 200 pairs,\nmedian 0.70",
    ]
    alone = similarities_figure("m", table, {0: ""}, within[:1], between[:0], None)
    assert alone.axes[0].get_legend() is not None


def test_the_same_figure_is_the_same_bytes() -> None:
    table = cluster_table(60)
    first, second = (png_bytes(clusters_figure("m", table, "cluster", "")) for _ in range(2))
    assert first == second
