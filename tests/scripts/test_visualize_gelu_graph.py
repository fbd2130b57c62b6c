"""The graph's pictures and files, through the command line."""

import pickle
import re
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
from matplotlib.collections import PathCollection
from PIL import Image

from gelu.artifacts import Artifacts
from gelu.drawing.graph_run import WrittenGraphPictures, write_graph_pictures
from gelu.drawing.settings import GraphSettings
from gelu.errors import UserError
from gelu.plots.figures import png_bytes
from gelu.plots.graph import (
    COLOURS,
    MOST_EDGES_NAMED,
    SMALL,
    GraphView,
    _arrange_for_screen,
    layered_figure,
    neurons_figure,
)
from tests.graph.test_subgraph import subgraph
from tests.helpers import run_script, run_script_here, user_error
from tests.picture_helpers import (
    MODEL,
    count_colour,
    pixels,
    random_active,
    write_dataset,
    write_random_edges,
)

SCRIPT = "visualize_gelu_graph.py"
SHAPE = (3, 20)
OUTPUTS = ("gelu_graph.gexf", "gelu_graph.graphml", "gelu_graph.png", "gelu_graph_neurons.png")


@pytest.fixture
def data(tmp_path: Path) -> Artifacts:
    files = write_dataset(tmp_path / "data", random_active(9, *SHAPE))
    write_random_edges(files, *SHAPE)
    return files


def draw(
    data: Artifacts, output: Path, activation_file: Path | None = None, **options: Any
) -> WrittenGraphPictures:
    settings = GraphSettings(**{"max_nodes": 12, "max_edges": 10, **options})
    path = activation_file or data.path("neuron_activations.pickle")
    return write_graph_pictures(
        None, output, MODEL, settings, graph_dir=data.folder, activation_file=path
    )


def read_graph(output: Path) -> "nx.DiGraph[int]":
    return nx.DiGraph(nx.read_graphml(output / "toy_gelu_graph.graphml", node_type=int))


def test_the_command_line_writes_four_files_and_names_them(data: Artifacts, tmp_path: Path) -> None:
    output = tmp_path / "new" / "out"
    result = run_script(
        SCRIPT,
        *("--model_type", MODEL, "--graph_dir", data.folder, "--output_dir", output),
        *("--activation_file", data.path("neuron_activations.pickle"), "--max_nodes", "12"),
    )
    assert sorted(path.name for path in output.iterdir()) == [f"toy_{name}" for name in OUTPUTS]
    lines = result.stdout.splitlines()
    assert {*lines[:4]} == {str(path) for path in output.iterdir()}
    assert lines[4] == "12 of 60 neurons" and lines[5].endswith(" of 800 edges")
    assert "Warning" not in result.stderr


def test_both_files_read_back_as_the_same_graph(data: Artifacts, tmp_path: Path) -> None:
    draw(data, tmp_path / "out")
    graph = read_graph(tmp_path / "out")
    other = nx.read_gexf(tmp_path / "out" / "toy_gelu_graph.gexf", node_type=int)
    assert len(graph) == 12 and graph.number_of_edges() == 10
    assert {*graph.edges} == {*other.edges}
    frequency = random_active(9, *SHAPE).mean(axis=0).ravel()
    for neuron, attributes in graph.nodes(data=True):
        assert attributes["layer"] * 20 + attributes["dimension"] == neuron
        assert attributes["frequency"] == frequency[neuron] == other.nodes[neuron]["frequency"]
        assert 0 < attributes["bits"] <= 1
        assert other.nodes[neuron]["label"] == f"L{neuron // 20}.{neuron % 20}"
    edges = [line.split() for line in data.path("neuron_edges.el").read_text().splitlines()]
    weights = {(int(source), int(target)): float(weight) for source, target, weight in edges}
    for source, target, attributes in graph.edges(data=True):
        assert attributes["weight"] == weights[source, target]
        assert other.edges[source, target]["weight"] == weights[source, target]


def test_the_same_bytes_every_time_without_a_date(data: Artifacts, tmp_path: Path) -> None:
    for name in ("a", "b"):
        draw(data, tmp_path / name)
    for ending in OUTPUTS:
        first, second = ((tmp_path / it / f"toy_{ending}").read_bytes() for it in "ab")
        assert first == second
        assert re.search(rb"20[0-9][0-9]-[01][0-9]|lastmodified|Software", first) is None


@pytest.mark.parametrize("ending", ["neuron_activations.json", "activation_matrix.npz"])
def test_every_format_of_the_activations_gives_the_same(
    data: Artifacts, tmp_path: Path, ending: str
) -> None:
    draw(data, tmp_path / "a")
    draw(data, tmp_path / "b", data.path(ending))
    for name in OUTPUTS:
        assert (tmp_path / "a" / f"toy_{name}").read_bytes() == (
            tmp_path / "b" / f"toy_{name}"
        ).read_bytes()


def test_a_sibling_of_a_missing_activation_file_is_used_and_named(
    data: Artifacts, tmp_path: Path
) -> None:
    missing = data.path("neuron_activations.pickle")
    missing.unlink()
    note = f"{missing} is missing; using toy_neuron_activations.json"
    assert draw(data, tmp_path / "out").notes == [note]
    given = ("--graph_dir", data.folder, "--activation_file", missing)
    result = run_script_here(SCRIPT, *given, "--output_dir", tmp_path / "out")
    assert result.stderr.splitlines()[-1] == f"note: {note}"
    # Where the folder stands for its files nobody named the one that is not there.
    whole = ("--dataset_dir", data.folder, "--output_dir", tmp_path / "out")
    result = run_script_here(SCRIPT, *whole)
    assert "note:" not in result.stderr


def test_one_sample_shows_its_active_neurons(data: Artifacts, tmp_path: Path) -> None:
    draw(data, tmp_path / "out", sample_id=4)
    active = random_active(9, *SHAPE)[4].ravel()
    graph = read_graph(tmp_path / "out")
    assert len(graph) == 12
    for neuron, attributes in graph.nodes(data=True):
        assert active[neuron]
        assert attributes["bits"] == pytest.approx(-np.log2(attributes["frequency"]))


def test_a_trace_shows_its_active_neurons(data: Artifacts, tmp_path: Path) -> None:
    active = random_active(1, *SHAPE)[0].ravel()
    vector, _ = data.write_trace(active)
    draw(data, tmp_path / "out", vector)
    graph = read_graph(tmp_path / "out")
    assert all(active[neuron] for neuron in graph)
    assert {bits for _, bits in graph.nodes(data="bits")} == {1.0}
    image = pixels(tmp_path / "out" / "toy_gelu_graph_neurons.png")
    assert lit_neurons(image, *SHAPE) == active.sum()


def lit_neurons(image: np.ndarray, n_layer: int, d_mlp: int) -> float:
    """Return how many cells have the colour of active ones, the legend's swatches left out."""
    on, off = (
        count_colour(image, COLOURS(value, bytes=True)) - SMALL**2  # type: ignore[arg-type]
        for value in (1.0, 0.0)
    )
    return on / ((on + off) / (n_layer * d_mlp))


@pytest.mark.parametrize("shape", [(1, 5), (4, 1024), (48, 6400)])
def test_every_neuron_has_a_cell_in_the_picture_of_all(
    tmp_path: Path, shape: tuple[int, int]
) -> None:
    active = random_active(1, *shape)[0]
    figure = neurons_figure(GraphView("toy", 7, 3), active / 7, active)
    (tmp_path / "a.png").write_bytes(png_bytes(figure))
    image = pixels(tmp_path / "a.png")
    assert lit_neurons(image, *shape) == active.sum()
    assert 1600 <= image.shape[1] <= 4000


def test_the_picture_of_all_shows_the_frequency_and_its_unit(tmp_path: Path) -> None:
    frequency = np.array([[0, 0.25, 0.25, 1.0]])
    figure = neurons_figure(GraphView("toy", 1234, None), frequency, None)
    texts = [it.get_text() for it in figure.texts]
    assert "toy: how often each neuron is active" in texts
    assert "1,234 samples; 1 layer of 4 neurons, 4 in all; never active 1, always 1" in texts
    assert "share of samples in which the neuron is active" in figure.axes[0].get_xlabel()
    (tmp_path / "a.png").write_bytes(png_bytes(figure))
    quarter = COLOURS(0.5, bytes=True)  # the square root of 0.25
    cell = 24 * 24
    assert cell * 2 <= count_colour(pixels(tmp_path / "a.png"), quarter) <= cell * 2 + 1000  # type: ignore[arg-type]


def test_an_edge_list_without_weights_is_said_to_have_none(data: Artifacts, tmp_path: Path) -> None:
    edges = write_random_edges(data, *SHAPE, weighted=False)
    notes = draw(data, tmp_path / "out").notes
    assert notes == [f"{edges} has no weights: neurons are chosen without it"]
    graph = read_graph(tmp_path / "out")
    assert graph.number_of_edges() == 10
    assert all("weight" not in attributes for _, _, attributes in graph.edges(data=True))
    bits = sorted(float(attributes["bits"]) for _, attributes in graph.nodes(data=True))
    share = random_active(9, *SHAPE).mean(axis=0)
    entropy = -(share * np.log2(share.clip(1e-9)) + (1 - share) * np.log2((1 - share).clip(1e-9)))
    assert bits == pytest.approx(sorted(np.sort(entropy, axis=1)[:, -4:].ravel()), abs=1e-6)


@pytest.mark.parametrize("n_layer", [4, 12, 48])
def test_titles_and_labels_do_not_overlap(data: Artifacts, n_layer: int) -> None:
    d_mlp = 1000
    rng = np.random.default_rng(0)
    picks = rng.permuted(np.tile(np.arange(d_mlp), (n_layer, 1)), axis=1)[:, : 200 // n_layer]
    neurons = np.sort((picks + np.arange(n_layer)[:, None] * d_mlp).ravel())
    edges = [
        (int(a), int(b), 1.0) for a, b in zip(neurons, neurons[200 // n_layer :], strict=False)
    ]
    graph = subgraph(neurons.tolist(), d_mlp, edges)
    figure = layered_figure(GraphView("toy", 5, None), graph, n_layer, len(edges))
    png_bytes(figure)
    labels = [it for it in figure.axes[0].texts if it.get_text().startswith("L")]
    titles = [it for it in figure.texts if it.get_text().startswith("layer ")]
    assert len(labels) >= 15 and len(titles) == n_layer
    for texts in (labels, titles):
        boxes = [it.get_window_extent() for it in texts]
        assert all(it.x0 >= 0 and it.x1 <= figure.bbox.width for it in boxes)
        overlapping = [
            (a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.padded(-3).overlaps(b)
        ]
        assert not overlapping


@pytest.mark.parametrize(("n_layer", "each"), [(2, 100), (4, 50), (12, 16), (48, 4)])
def test_both_ends_of_the_thickest_edges_are_named_beside_them(n_layer: int, each: int) -> None:
    d_mlp = 7000
    rng = np.random.default_rng(0)
    picks = np.stack([rng.choice(d_mlp, each, replace=False) for _ in range(n_layer)])
    neurons = np.sort((picks + np.arange(n_layer)[:, None] * d_mlp).ravel()).tolist()
    pairs = {
        (int(source), int(neurons[(source // d_mlp + 1) * each + rng.integers(each)]))
        for source in rng.choice(neurons[:-each], 150)
    }
    edges = [(*pair, float(rng.normal())) for pair in sorted(pairs)]
    graph = subgraph(neurons, d_mlp, edges)
    figure = layered_figure(GraphView("toy", 5, None), graph, n_layer, len(edges))
    axes = figure.axes[0]
    png_bytes(figure)
    labels = {it.get_text(): it.get_window_extent() for it in axes.texts}
    circles = next(it for it in axes.collections if isinstance(it, PathCollection))
    places = axes.transData.transform(np.asarray(circles.get_offsets()))
    radii = np.sqrt(circles.get_sizes()) / 2 * figure.dpi / 72
    assert MOST_EDGES_NAMED == 12
    for source, target, _ in sorted(edges, key=lambda edge: -abs(edge[2]))[:12]:
        for neuron in (source, target):
            box = labels[f"L{neuron // d_mlp}.{neuron % d_mlp}"]
            x, y = places[neurons.index(neuron)]
            away = np.hypot(max(box.x0 - x, 0, x - box.x1), max(box.y0 - y, 0, y - box.y1))
            assert away < radii[neurons.index(neuron)] + 10
    boxes = list(labels.values())
    for number, box in enumerate(boxes):
        assert not any(box.padded(-3).overlaps(other) for other in boxes[:number])


@pytest.mark.parametrize(("n_layer", "rows"), [(12, 3), (24, 4), (36, 4), (48, 6), (7, 2)])
def test_the_layers_of_the_picture_of_all_lie_in_equal_rows(n_layer: int, rows: int) -> None:
    layout = _arrange_for_screen(n_layer, 3072, (f"layer {n_layer - 1}", "mean 100.0%"))
    lengths = layout.row_lengths
    assert len(lengths) == rows and max(lengths) - min(lengths) <= (n_layer == 7)


def test_signs_have_colours_that_the_legend_names(data: Artifacts, tmp_path: Path) -> None:
    draw(data, tmp_path / "out")
    image = Image.open(tmp_path / "out" / "toy_gelu_graph.png").convert("RGBA")
    colours = {colour for _, colour in image.getcolors(1 << 24) or []}
    assert (217, 95, 2, 255) in colours and (44, 111, 187, 255) in colours


def refusal(data: Artifacts, tmp_path: Path, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        draw(data, tmp_path / "out", **options)
    assert not list((tmp_path / "out").glob("*"))
    return str(caught.value)


def test_what_a_person_can_have_got_wrong_is_named(data: Artifacts, tmp_path: Path) -> None:
    assert "`sample_id` 9: not there; the samples are 0 to 8" in refusal(
        data, tmp_path, sample_id=9
    )
    missing = tmp_path / "nothing.pickle"
    assert "nothing.pickle: no such file" in refusal(data, tmp_path, activation_file=missing)
    vector, _ = Artifacts(tmp_path, "b").write_trace(np.ones(61, bool))
    assert "60 neurons is needed" in refusal(data, tmp_path, activation_file=vector)
    vector, _ = Artifacts(tmp_path, "c").write_trace(np.zeros(60, bool))
    assert "no neuron is active" in refusal(data, tmp_path, activation_file=vector)
    empty = tmp_path / "empty.pickle"
    empty.write_bytes(pickle.dumps({}))
    assert "empty.pickle: holds no samples" in refusal(data, tmp_path, activation_file=empty)
    edges = data.path("neuron_edges.el")
    edges.write_text("0 20 1.0\n1 two 3\n")
    assert "toy_neuron_edges.el: line 2 is '1 two 3'" in refusal(data, tmp_path)
    data.path("neuron_attributes.csv").write_text("node_id,layer,dimension\n0,0,1\n")
    assert "toy_neuron_attributes.csv" in refusal(data, tmp_path)
    edges.unlink()
    assert "toy_neuron_edges.el: no such file" in refusal(data, tmp_path)


def test_a_wrong_command_line_is_one_line(data: Artifacts, tmp_path: Path) -> None:
    arguments = (
        *("--graph_dir", data.folder, "--output_dir", tmp_path / "out"),
        *("--activation_file", data.path("neuron_activations.pickle")),
    )
    assert "'0' is not a whole number of 1" in user_error(SCRIPT, *arguments, "--max_nodes", "0")
    line = user_error(SCRIPT, *arguments, "--model_type", "gpt2")
    assert "gpt2_neuron_attributes.csv: no such file; there is one of --model_type toy" in line


def test_samples_that_are_all_alike_show_what_is_active(tmp_path: Path) -> None:
    active = np.zeros((3, *SHAPE), bool)
    active[:, :, :2] = True
    files = write_dataset(tmp_path / "data", active)
    write_random_edges(files, *SHAPE)
    for more in ((), ("--sample_id", 1)):
        result = run_script_here(
            *(SCRIPT, "--model_type", MODEL, "--graph_dir", files.folder),
            *("--activation_file", files.path("neuron_activations.pickle")),
            *("--output_dir", tmp_path / "out", *more),
        )
        assert "all samples are alike" in result.stderr


def test_samples_without_any_active_neuron_are_refused(tmp_path: Path) -> None:
    files = write_dataset(tmp_path / "data", np.zeros((3, *SHAPE), bool))
    write_random_edges(files, *SHAPE)
    assert "no neuron is active" in refusal(files, tmp_path)
