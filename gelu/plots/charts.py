"""What the analysis' charts share: a heading, axes placed by pixels, labels from data."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gelu.plots.figures import FAINT_INK, INK, draw_line, new_figure, points
from gelu.plots.text import LINE_HEIGHT, drawable, fit_lines, font_families, shorten
from gelu.samples.splits import ENOUGH_PROMPTS

WIDTH, MARGIN = 1600, 50
TITLE, SUBTITLE, HEADING, TEXT = 30, 18, 20, 16  # heights of text in pixels
TOP = 150  # of the first axes' headings
GRID = "#e4e4e4"
# Okabe and Ito's colours: told apart with any kind of colour blindness; black and yellow left out.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


@contextmanager
def chart(title: str, subtitle: str, height: int) -> Iterator[Figure]:
    """Give a figure of `WIDTH` x height pixels with its heading, free of any matplotlibrc."""
    with style.context("default"):
        figure = new_figure(WIDTH, height)
        draw_line(figure, MARGIN, 55, drawable(title), TITLE, weight="bold")
        lines = fit_lines(drawable(subtitle), WIDTH - 2 * MARGIN, SUBTITLE, 2)
        for row, line in enumerate(lines):
            baseline = 90 + row * SUBTITLE * LINE_HEIGHT
            draw_line(figure, MARGIN, baseline, line, SUBTITLE, color=FAINT_INK)
        yield figure
        figure.draw_without_rendering()


def add_axes(
    figure: Figure, left: float, top: float, width: float, height: float, heading: str = ""
) -> Axes:
    """Return axes at pixels from the top left, their heading above them."""
    total = figure.bbox.height
    rectangle = (left / WIDTH, 1 - (top + height) / total, width / WIDTH, height / total)
    axes = figure.add_axes(rectangle)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(FAINT_INK)
    axes.tick_params(labelsize=points(TEXT), colors=INK)
    axes.set_axisbelow(True)
    if heading:
        draw_line(figure, left, top - 14, heading, HEADING, weight="bold")
    return axes


def bars_note(n_prompts: int) -> str:
    """Return what error bars are: intervals over so many prompts, and whether these are few."""
    few = f" (few: a rough guide below {ENOUGH_PROMPTS})" if n_prompts < ENOUGH_PROMPTS else ""
    return f"Bars: 95 % intervals over {n_prompts:,} held-out prompts{few}."


def name_axes(axes: Axes, x: str = "", y: str = "") -> None:
    """Write what the axes show, with units."""
    axes.set_xlabel(x, fontsize=points(TEXT), color=FAINT_INK)
    axes.set_ylabel(y, fontsize=points(TEXT), color=FAINT_INK)


def legend_below(
    axes: Axes, columns: int, drop: float = 0.16, size: float = TEXT, **spacing: float
) -> None:
    """Put the legend below the axes' name; drop: from the axes, as a share of their height."""
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -drop),
        ncols=columns,
        frameon=False,
        fontsize=points(size),
        **spacing,
    )


def label_rows(axes: Axes, places: Sequence[float], labels: Sequence[str], room: float) -> None:
    """Name the rows of axes; labels are data and cut to `room` pixels."""
    axes.set_yticks(list(places))
    # Set one by one: matplotlib would read $ as mathematics, and fonts differ.
    axes.set_yticklabels([""] * len(places))
    for place, label in zip(places, labels, strict=True):
        write(axes, 0, place, shorten(label, room, TEXT), (-8, 0), ha="right", x_in_axes=True)


def write(
    axes: Axes,
    x: float,
    y: float,
    text: str,
    offset: tuple[float, float] = (0, 0),
    size: float = TEXT,
    x_in_axes: bool = False,
    **style_: Any,
) -> Any:
    """Write text from data (already drawable) at a place in the axes; offset: in pixels."""
    options: dict[str, Any] = {"va": "center", "color": INK, **style_}
    return axes.annotate(
        text,
        (x, y),
        xycoords=("axes fraction", "data") if x_in_axes else "data",
        xytext=(points(offset[0]), points(offset[1])),
        textcoords="offset points",
        fontsize=points(size),
        fontfamily=font_families(text),
        parse_math=False,
        annotation_clip=False,
        **options,
    )
