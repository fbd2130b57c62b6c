"""A model's neurons as pictures: all of them, and the most informative ones as a layered graph.

run = choose_graph("dataset")
run.subgraph.neurons, run.subgraph.edges        # tables
neurons, layers = graph_figures(run)
written = write_graph_pictures("dataset", "graph_pictures")
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gelu import artifacts
from gelu.artifacts import Artifacts, EdgeBlock, edges_have_weights, read_edge_blocks
from gelu.drawing.graph_inputs import Activity, GraphInputs, read_activity, read_graph_inputs
from gelu.drawing.settings import GraphSettings
from gelu.errors import noted
from gelu.graph.subgraph import (
    EdgeCandidates,
    EdgesAmong,
    Subgraph,
    choose_neurons,
    neuron_table,
    to_networkx,
)
from gelu.model.outputs import output_files
from gelu.model.source import ModelSource
from gelu.progress import progress_bar

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class GraphRun:
    """What was read and what came of it. n_edges: of the whole list; notes: what could not be told
    from the files, and which was read instead of another."""

    inputs: GraphInputs
    activity: Activity
    subgraph: Subgraph
    n_edges: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class WrittenGraphPictures:
    """paths: of the files written; lines: how much the graph shows, as text; notes: the run's."""

    paths: list[Path]
    lines: list[str]
    notes: list[str]


def choose_graph(
    dataset_dir: str | Path | None = None,
    model_type: str | ModelSource | None = None,
    settings: GraphSettings | None = None,
    *,
    graph_dir: str | Path | None = None,
    activation_file: str | Path | None = None,
) -> GraphRun:
    """Choose the most informative neurons and the edges among them; nothing is written.

    dataset_dir: where all is; graph_dir, activation_file: instead of what is there. model_type:
    None for the model whose files are there. Raises `UserError` for files that are missing or do
    not fit each other, and a sample that is not there.
    """
    settings = settings or GraphSettings()
    where = {"dataset_dir": dataset_dir, "graph_dir": graph_dir, "activation_file": activation_file}
    notes: list[str] = []
    with noted(notes):
        inputs = read_graph_inputs(notes.append, model_type, **where)
        activity = read_activity(inputs, settings.sample_id, notes.append)
        return _choose(inputs, activity, settings, notes)


def write_graph_pictures(
    dataset_dir: str | Path | None,
    output_dir: str | Path,
    model_type: str | ModelSource | None = None,
    settings: GraphSettings | None = None,
    *,
    graph_dir: str | Path | None = None,
    activation_file: str | Path | None = None,
) -> WrittenGraphPictures:
    """Choose as `choose_graph` does and write all files: what the script does.

    Raises `UserError` for a folder that cannot, or must not, be written to, before the edges are
    read.
    """
    settings = settings or GraphSettings()
    where = {"dataset_dir": dataset_dir, "graph_dir": graph_dir, "activation_file": activation_file}
    notes: list[str] = []
    with noted(notes):
        inputs = read_graph_inputs(notes.append, model_type, **where)
        activity = read_activity(inputs, settings.sample_id, notes.append)
        files = _output(output_dir, inputs)
        return _write(files, _choose(inputs, activity, settings, notes))


def _choose(
    inputs: GraphInputs, activity: Activity, settings: GraphSettings, notes: list[str]
) -> GraphRun:
    """Return what is to be drawn; what is noted is added to `notes`.

    The list is read twice, once for the neurons and once for the edges among them; without weights
    the neurons do not depend on it.
    """
    bits, geometry = activity.bits, inputs.geometry
    candidates = EdgeCandidates(bits, geometry)
    if edges_have_weights(inputs.edges):
        _stream(inputs, candidates.add, notes.append, "choosing neurons")
    else:
        notes.append(f"{inputs.edges} has no weights: neurons are chosen without it")
    neurons = choose_neurons(bits, geometry, candidates.best(), settings.max_nodes)
    among = EdgesAmong(neurons, bits, geometry, settings.max_edges)
    n_edges = _stream(inputs, among.add, notes.append, "choosing edges")
    table = neuron_table(neurons, activity.frequency, bits, geometry)
    # What is noted of the list is noted each time that it is read.
    each_once = tuple(dict.fromkeys(notes))
    return GraphRun(inputs, activity, Subgraph(table, among.table()), n_edges, each_once)


def _stream(
    inputs: GraphInputs,
    add: Callable[[EdgeBlock], None],
    note: Callable[[str], object],
    description: str,
) -> int:
    """Hand every block of the edge list to `add`; return how many edges there are."""
    n_edges, path = 0, inputs.edges
    with progress_bar(description, path.stat().st_size, "B", scale=True) as bar:
        bar.leave = False  # where a line is wrong, the error stands alone
        for block in read_edge_blocks(path, inputs.geometry, note, bar.update, inputs.attributes):
            add(block)
            n_edges += len(block.sources)
        bar.leave = True
    return n_edges


# Drawing


def graph_figures(run: GraphRun) -> "tuple[Figure, Figure]":
    """Return the picture of all neurons, and that of the graph."""
    from gelu.plots.graph import GraphView, layered_figure, neurons_figure

    geometry, activity = run.inputs.geometry, run.activity
    view = GraphView(run.inputs.source.name, activity.n_samples, activity.sample_id)
    shape = (geometry.n_layer, geometry.d_mlp)
    active = None if activity.active is None else activity.active.reshape(shape)
    return (
        neurons_figure(view, activity.frequency.reshape(shape), active),
        layered_figure(view, run.subgraph, geometry.n_layer, run.n_edges),
    )


def save_graph_pictures(run: GraphRun, output_dir: str | Path) -> WrittenGraphPictures:
    """Write the two pictures, and the graph for other programs."""
    return _write(_output(output_dir, run.inputs), run)


def _output(output_dir: str | Path, inputs: GraphInputs) -> Artifacts:
    endings = artifacts.GRAPH_PICTURE_FILES
    return output_files(output_dir, "output_dir", inputs.source, endings, inputs.files)


def _write(files: Artifacts, run: GraphRun) -> WrittenGraphPictures:
    from gelu.plots.figures import png_bytes

    cells, layers = graph_figures(run)
    graph, subgraph = to_networkx(run.subgraph), run.subgraph
    paths = [
        artifacts.write_picture(files.path(artifacts.NEURONS_PICTURE), png_bytes(cells)),
        artifacts.write_picture(files.path(artifacts.GRAPH_PICTURE), png_bytes(layers)),
        artifacts.write_graphml(files.path(artifacts.GRAPHML), graph),
        artifacts.write_gexf(files.path(artifacts.GEXF), graph),
    ]
    lines = [
        f"{len(subgraph.neurons):,} of {run.inputs.geometry.n_neurons:,} neurons",
        f"{len(subgraph.edges):,} of {run.n_edges:,} edges",
    ]
    return WrittenGraphPictures(paths, lines, [*run.notes])
