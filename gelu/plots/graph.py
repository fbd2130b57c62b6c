"""The two pictures of a model's neurons: all of them as cells, and a few as a layered graph.

    figure = neurons_figure(view, frequency, active)             # each (n_layer, d_mlp)
    figure = layered_figure(view, subgraph, n_layer, n_edges)

Sizes are in pixels, y downwards.
"""

import math
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from gelu.graph.subgraph import Subgraph, layer_order
from gelu.neurons import neuron_name
from gelu.plots.cells import PanelLayout, arrange_panels, count_title, draw_panels, draw_titles
from gelu.plots.figures import FAINT_INK, INK, draw_line, new_figure, place_image, points
from gelu.plots.text import text_width

COLOURS = colormaps["viridis"]  # perceptually uniform, and safe for the colour-blind
# Most neurons are rarely active: a square-root scale shows differences among these.
SHARE_SCALE = PowerNorm(0.5, vmin=0, vmax=1)
SHARE_TICKS = (0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1)
SHARE_LABEL = "share of samples in which the neuron is active (square-root scale)"
POSITIVE, NEGATIVE, UNKNOWN = "#d95f02", "#2c6fbb", "#8a8a8a"
LONE = 0.75  # place on the colour scale of all neurons of a lone text

MARGIN = 50
HEADING, TEXT, SMALL = 44, 30, 26
HEADER = 170
NARROWEST = 1600
WANTED_PROPORTIONS = 1.5
MOST_OFF = math.log(2)  # how far a picture's proportions may be off for rows of equal length
MOST_LABELS = 36
MOST_EDGES_NAMED = 12
LABEL_SIZES = (22, 18, 15)  # in pixels, the next where none of the places beside a circle is free


@dataclass(frozen=True)
class GraphView:
    """What the pictures show. sample_id: the one sample shown, None for the frequency over all."""

    model: str
    n_samples: int
    sample_id: int | None

    @property
    def lone(self) -> bool:
        """Whether there is one sample alone, and so no frequency."""
        return self.n_samples == 1

    @property
    def name(self) -> str:
        """The model, and the sample if one is shown."""
        if self.lone:
            return f"{self.model}, one text"
        return self.model if self.sample_id is None else f"{self.model}, sample {self.sample_id}"


# -------------------------------------------------------------------------------- all the neurons


def neurons_figure(
    view: GraphView, frequency: NDArray[np.float64], active: NDArray[np.bool_] | None
) -> Figure:
    """Return the picture of every neuron, coloured by its frequency or by one sample.

    frequency: (n_layer, d_mlp), 0 to 1. active: the sample's, (n_layer, d_mlp), None for none.
    """
    n_layer, d_mlp = frequency.shape
    values = frequency if active is None else active.astype(float)
    titles = [_layer_title(layer, row, active is None) for layer, row in enumerate(values)]
    widest = (
        (f"layer {n_layer - 1}", "mean 100.0%")
        if active is None
        else count_title(n_layer - 1, d_mlp, d_mlp)
    )
    panels = _arrange_for_screen(n_layer, d_mlp, widest)
    width = max(NARROWEST, panels.width + 2 * MARGIN)
    figure = new_figure(width, HEADER + panels.height + 170)
    colours = COLOURS(SHARE_SCALE(values), bytes=True)
    left = (width - panels.width) // 2
    draw_panels(figure, panels, colours, left, HEADER)
    draw_titles(figure, panels, titles, left, HEADER)
    _draw_neurons_text(figure, view, frequency, active)
    return figure


def _layer_title(layer: int, values: NDArray[np.float64], is_frequency: bool) -> tuple[str, ...]:
    if is_frequency:
        return f"layer {layer}", f"mean {values.mean():.1%}"
    return count_title(layer, int(values.sum()), len(values))


def _arrange_for_screen(n_layer: int, d_mlp: int, widest_title: tuple[str, ...]) -> PanelLayout:
    """Return the layout of the wanted proportions, rows of equal length before others."""
    layouts = [
        arrange_panels(n_layer, d_mlp, rows, widest_title, lines=False)
        for rows in range(1, n_layer + 1)
    ]

    def misfit(layout: PanelLayout) -> tuple[bool, bool, float]:
        off = abs(math.log(layout.width / layout.height / WANTED_PROPORTIONS))
        return off > MOST_OFF, len(set(layout.row_lengths)) > 1, off

    return min(layouts, key=misfit)


def _draw_neurons_text(
    figure: Figure,
    view: GraphView,
    frequency: NDArray[np.float64],
    active: NDArray[np.bool_] | None,
) -> None:
    n_layer, d_mlp = frequency.shape
    layers = f"{n_layer} layer{'s' if n_layer > 1 else ''}"
    neurons = f"{layers} of {d_mlp:,} neurons, {frequency.size:,} in all"
    bottom = round(figure.bbox.height) - 130
    if active is None:
        never, always = int((frequency == 0).sum()), int((frequency == 1).sum())
        _draw_header(
            figure,
            f"{view.name}: how often each neuron is active",
            f"{view.n_samples:,} samples; {neurons}; never active {never:,}, always {always:,}",
        )
        _draw_colour_bar(figure, MARGIN, bottom, NARROWEST - 2 * MARGIN)
        return
    count = int(active.sum())
    _draw_header(
        figure,
        f"{view.name}: which neurons are active",
        f"{count:,} active ({count / active.size:.1%}); {neurons}",
    )
    _draw_swatches(figure, bottom)


def _draw_header(figure: Figure, title: str, subtitle: str) -> None:
    draw_line(figure, MARGIN, MARGIN + HEADING * 0.8, title, HEADING, weight="bold")
    draw_line(figure, MARGIN, MARGIN + HEADING + TEXT * 1.3, subtitle, TEXT, color=FAINT_INK)


def _draw_colour_bar(figure: Figure, left: float, top: float, width: float) -> None:
    """Draw the scale of SHARE_SCALE, its bar's corner at left, top."""
    total_width, total_height = figure.bbox.width, figure.bbox.height
    axes = figure.add_axes(
        (left / total_width, 1 - (top + 26) / total_height, width / total_width, 26 / total_height)
    )
    mappable = ScalarMappable(SHARE_SCALE, COLOURS)
    bar = figure.colorbar(mappable, cax=axes, orientation="horizontal", ticks=SHARE_TICKS)
    bar.ax.set_xticklabels([f"{tick:.0%}" for tick in SHARE_TICKS])
    bar.ax.tick_params(labelsize=points(SMALL), color=FAINT_INK, labelcolor=INK)
    bar.ax.minorticks_off()
    bar.set_label(SHARE_LABEL, size=points(SMALL), color=INK)
    bar.outline.set_visible(False)


def _draw_swatches(figure: Figure, top: int) -> None:
    """Draw the two colours of a single sample's cells."""
    left = float(MARGIN)
    texts = ("not active", "active (value after GELU > 0)")
    for value, text in zip((0.0, 1.0), texts, strict=True):
        swatch = np.empty((SMALL, SMALL, 4), np.uint8)
        swatch[:] = COLOURS(value, bytes=True)
        place_image(figure, swatch, round(left), top)
        draw_line(figure, left + 1.4 * SMALL, top + 0.85 * SMALL, text, SMALL)
        left += text_width(text, SMALL) + 4 * SMALL


# -------------------------------------------------------------------------------- a few as a graph


@dataclass(frozen=True)
class _Area:
    """Where the layers' columns stand, and how far apart two neurons of the fullest one are."""

    left: float
    top: float
    width: float
    height: float
    n_layer: int
    spacing: float

    def x(self, layer: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the columns' middles."""
        return self.left + (layer + 0.5) * self.width / self.n_layer


def layered_figure(view: GraphView, subgraph: Subgraph, n_layer: int, n_edges: int) -> Figure:
    """Return the layered drawing of the chosen neurons; x is the layer.

    n_layer, n_edges: of the whole model and the whole edge list.
    """
    width = min(4000, max(2400, 84 * n_layer))
    fullest = int(subgraph.neurons["layer"].value_counts().max())
    height = min(2600, max(1100, 30 * fullest))
    figure = new_figure(width, HEADER + 60 + height + 190)
    axes = _pixel_axes(figure)
    area = _Area(MARGIN, HEADER + 60, width - 2 * MARGIN, height, n_layer, height / fullest)
    x = area.x(subgraph.neurons["layer"].to_numpy())
    y = area.top + layer_order(subgraph) * area.height
    _draw_layers(figure, axes, area)
    _draw_edges(axes, subgraph, x, y)
    radii = _radii(view, subgraph, area.spacing)
    _draw_neurons(axes, view, subgraph, x, y, radii)
    _draw_labels(axes, subgraph, x, y, radii, width)
    _draw_graph_text(figure, view, subgraph, n_edges)
    _draw_graph_legend(figure, axes, view, subgraph)
    return figure


def _pixel_axes(figure: Figure) -> Axes:
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, figure.bbox.width)
    axes.set_ylim(figure.bbox.height, 0)
    return axes


def _draw_layers(figure: Figure, axes: Axes, area: _Area) -> None:
    pitch = area.width / area.n_layer
    middles = area.x(np.arange(area.n_layer))
    widest = f"layer {area.n_layer - 1}"
    size = min(TEXT, 0.92 * pitch / text_width(widest, 1))
    for layer, x in enumerate(middles.tolist()):
        draw_line(figure, x, area.top - 26, f"layer {layer}", size, ha="center")
        axes.plot([x, x], [area.top, area.top + area.height], color="#ececec", lw=1, zorder=0)


def _draw_edges(
    axes: Axes, subgraph: Subgraph, x: NDArray[np.float64], y: NDArray[np.float64]
) -> None:
    rows = subgraph.neurons["neuron_id"].to_numpy()
    sources = np.searchsorted(rows, subgraph.edges["source"].to_numpy())
    targets = np.searchsorted(rows, subgraph.edges["target"].to_numpy())
    points_of = np.stack([x, y], axis=1)
    segments = np.stack([points_of[sources], points_of[targets]], axis=1)
    if not subgraph.weighted:
        lines = LineCollection(list(segments), colors=UNKNOWN, linewidths=0.8, alpha=0.5, zorder=1)
        axes.add_collection(lines, autolim=False)
        return
    weights = subgraph.edges["weight"].to_numpy()
    size = np.abs(weights) / max(np.abs(weights).max(initial=0), np.finfo(float).tiny)
    order = np.argsort(size, kind="stable")  # the strongest on top
    lines = LineCollection(
        list(segments[order]),
        colors=[POSITIVE if weight > 0 else NEGATIVE for weight in weights[order]],
        linewidths=[_edge_width(share) for share in size[order].tolist()],
        alpha=(0.35 + 0.6 * size[order]).tolist(),
        capstyle="round",
        zorder=1,
    )
    axes.add_collection(lines, autolim=False)


def _edge_width(share: float) -> float:
    """Return the width in points of an edge of this share of the largest |weight|."""
    return points(1 + 5 * share)


def _radii(view: GraphView, subgraph: Subgraph, spacing: float) -> NDArray[np.float64]:
    """Return the neurons' radii: by frequency, or in one sample by how informative they are."""
    most = min(17, 0.42 * spacing)
    if view.lone:
        return np.full(len(subgraph.neurons), 0.8 * most)
    column = "frequency" if view.sample_id is None else "bits"
    values = subgraph.neurons[column].to_numpy()
    return most * (0.45 + 0.55 * np.sqrt(values / values.max()))


def _draw_neurons(
    axes: Axes,
    view: GraphView,
    subgraph: Subgraph,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    radii: NDArray[np.float64],
) -> None:
    frequency = subgraph.neurons["frequency"].to_numpy()
    places = np.full(len(frequency), LONE) if view.lone else SHARE_SCALE(frequency)
    axes.scatter(
        x,
        y,
        s=(points(2) * radii) ** 2,
        c=COLOURS(places),
        edgecolors=INK,
        linewidths=0.8,
        zorder=2,
    )


Box = tuple[float, float, float, float]  # left, top, right, bottom


def _draw_labels(
    axes: Axes,
    subgraph: Subgraph,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    radii: NDArray[np.float64],
    width: float,
) -> None:
    """Name both ends of the thickest edges, then each layer's most informative neurons.

    A name stands beside its circle where there is a free place; up to `MOST_LABELS` in all.
    """
    taken: list[Box] = list(zip(x - radii, y - radii, x + radii, y + radii, strict=True))
    n_circles = len(taken)
    ends = _thickest_ends(subgraph)
    names = neuron_names(subgraph)
    for row, at_left in (
        {**ends, **dict.fromkeys(_most_informative(subgraph), False), **ends}
    ).items():
        if len(taken) - n_circles == MOST_LABELS:
            return
        # Small letters are for what has to be named.
        for size in LABEL_SIZES if row in ends else LABEL_SIZES[:1]:
            room = (x[row], y[row], radii[row], text_width(names[row], size), size)
            places = [
                box
                for box in _label_places(*room, at_left)
                if box[0] > 0 and box[2] < width and not any(_overlap(box, it) for it in taken)
            ]
            if places:
                taken.append(places[0])
                _draw_label(axes, places[0], names[row], size)
                break


def neuron_names(subgraph: Subgraph) -> list[str]:
    """Return the drawn neurons' names, such as L3.499, in the order of their rows."""
    columns = (subgraph.neurons[name].tolist() for name in ("layer", "dimension"))
    return [neuron_name(*place) for place in zip(*columns, strict=True)]


def _thickest_ends(subgraph: Subgraph) -> dict[int, bool]:
    """Return the rows of the thickest edges' ends, the thickest first; True: name it at the left.

    A source's name stands at the left, a target's at the right, where the edge itself is not.
    Without weights all edges are alike and none is the thickest.
    """
    if not subgraph.weighted:
        return {}
    ids = subgraph.neurons["neuron_id"].to_numpy()
    strength = subgraph.edges["weight"].abs().to_numpy()
    thickest = subgraph.edges.iloc[np.argsort(-strength, kind="stable")[:MOST_EDGES_NAMED]]
    ends: dict[int, bool] = {}
    for source, target in zip(thickest["source"], thickest["target"], strict=True):
        ends.setdefault(int(np.searchsorted(ids, source)), True)
        ends.setdefault(int(np.searchsorted(ids, target)), False)
    return ends


def _most_informative(subgraph: Subgraph) -> list[int]:
    """Return all rows: the most informative neuron of each layer, then its second, and so on."""
    table = subgraph.neurons
    ranks = table.groupby("layer")["bits"].rank(method="first", ascending=False)
    return [int(row) for row in np.lexsort((-table["bits"], ranks))]


def _label_places(
    x: float, y: float, radius: float, width: float, size: float, at_left: bool
) -> list[Box]:
    """Return the places beside a circle: right and left of it (the left first if so wished), below
    and above, and at its corners."""
    away = radius + 4
    right = (x + away, y - size / 2, x + away + width, y + size / 2)
    left = (x - away - width, y - size / 2, x - away, y + size / 2)
    rows = ((y + away, y + away + size), (y - away - size, y - away))
    columns = ((x - width / 2, x + width / 2), (x, x + width), (x - width, x))
    around = [(low, top, high, bottom) for low, high in columns for top, bottom in rows]
    return [*((left, right) if at_left else (right, left)), *around]


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _draw_label(axes: Axes, box: Box, text: str, size: float) -> None:
    label = axes.text(
        box[0],
        (box[1] + box[3]) / 2,
        text,
        fontsize=points(size),
        color=INK,
        va="center_baseline",
        parse_math=False,
        zorder=4,
    )
    label.set_path_effects([withStroke(linewidth=points(6), foreground="white")])


def _draw_graph_text(figure: Figure, view: GraphView, subgraph: Subgraph, n_edges: int) -> None:
    n_neurons = len(subgraph.neurons)
    strongest = "strongest edges" if subgraph.weighted else "edges (the edge list has no weights)"
    what = {
        (False, False): "the most informative neurons",
        (False, True): "active neurons, the rare ones first",
        (True, True): "active neurons",
    }[view.lone, view.lone or view.sample_id is not None]
    shown = f"{n_neurons:,} neurons, {len(subgraph.edges):,} of {n_edges:,} edges"
    samples = "" if view.lone else f"; {view.n_samples:,} samples"
    _draw_header(figure, f"{view.name}: {what}, and their {strongest}", f"{shown}{samples}")


def _draw_graph_legend(figure: Figure, axes: Axes, view: GraphView, subgraph: Subgraph) -> None:
    top = figure.bbox.height - 140
    half = figure.bbox.width / 2
    if subgraph.weighted:
        _draw_key(figure, axes, top + 4, POSITIVE, "positive weight: pushes the target up")
        _draw_key(figure, axes, top + 44, NEGATIVE, "negative weight: pushes it down")
    else:
        _draw_key(figure, axes, top + 4, UNKNOWN, "an edge; its weight and sign are not known")
    draw_line(figure, MARGIN, top + 104, _sizes_text(view, subgraph), SMALL, color=FAINT_INK)
    if view.lone:
        draw_line(figure, half, top + 24, "circles: neurons active in this text", SMALL)
    else:
        _draw_colour_bar(figure, half, top, half - 2 * MARGIN)


def _sizes_text(view: GraphView, subgraph: Subgraph) -> str:
    """Return what an edge's width and a circle's size say."""
    parts = []
    if subgraph.weighted:
        largest = subgraph.edges["weight"].abs().max() if len(subgraph.edges) else 0.0
        parts.append(f"thicker edge: larger |weight|, at most {largest:.3g}")
    if not view.lone:
        often = "more samples" if view.sample_id is None else "fewer samples"
        parts.append(f"larger circle: active in {often}")
    return ";  ".join(parts)


def _draw_key(figure: Figure, axes: Axes, top: float, colour: str, text: str) -> None:
    axes.plot([MARGIN, MARGIN + 70], [top + 10] * 2, color=colour, lw=points(6))
    draw_line(figure, MARGIN + 90, top + 20, text, SMALL)
