"""Every neuron of every layer as a square of whole pixels: the grids that both pictures share.

    layout = arrange_panels(geometry.n_layer, geometry.d_mlp, figure_rows=1)
    draw_panels(figure, layout, colours, left=40, top=200)      # colours (n_layer, d_mlp, 4)

Each layer is a panel, a near-square grid filled row by row; the panels stand in `figure_rows` rows.
Nothing is resampled: a cell is `cell` x `cell` pixels, however many neurons there are.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gelu.plots.figures import INK, draw_line, place_image
from gelu.plots.text import LINE_HEIGHT, text_width

WIDEST, TALLEST = 3200, 2600  # of the panels together, in pixels, unless cells of 1 pixel need more
LARGEST_CELL = 24
LEAST_OUTLINE = 2  # pixels
LINED_CELL = 8  # from this size on, a line of background keeps neighbouring cells apart
# Title styles from the roomiest to the tightest: (lines, size in pixels).
TITLE_STYLES = (
    (1, 34),
    (1, 30),
    (1, 26),
    (1, 22),
    (2, 26),
    (2, 22),
    (2, 18),
    (3, 18),
    (3, 16),
    (3, 14),
)

# A layer's title in the parts that can stand below each other: its name, then one or two more.
Title = tuple[str, ...]
RGBA = tuple[int, int, int, int]  # 0 to 255


def grid_shape(d_mlp: int) -> tuple[int, int]:
    """Return (rows, columns) of a layer's grid: as near to a square as d_mlp cells allow."""
    columns = math.isqrt(d_mlp - 1) + 1
    return -(-d_mlp // columns), columns


@dataclass(frozen=True)
class PanelLayout:
    """Where the panels stand, in pixels. row_lengths: how many layers each row of panels holds.

    line: pixels between cells, part of a cell's `cell` pixels. title_lines, title_size: of the
    titles above the panels, 0 lines for none. outline: pixels around each panel's cells that are
    kept for a line.
    """

    n_layer: int
    d_mlp: int
    row_lengths: tuple[int, ...]
    cell: int
    line: int
    gap: int
    pitch: int
    title_lines: int
    title_size: int
    outline: int

    @property
    def panel_height(self) -> int:
        """Height of one panel without its title."""
        return grid_shape(self.d_mlp)[0] * self.cell

    @property
    def panel_width(self) -> int:
        """Width of one panel."""
        return grid_shape(self.d_mlp)[1] * self.cell

    @property
    def title_height(self) -> int:
        """Height of the titles above a row of panels."""
        return math.ceil(self.title_lines * self.title_size * LINE_HEIGHT)

    @property
    def width(self) -> int:
        """Width of all panels together, without the outlines at its sides."""
        return self._row_width(self.row_lengths[0])

    def _row_width(self, length: int) -> int:
        return length * self.pitch - self.gap

    @property
    def height(self) -> int:
        """Height of all panels together, titles included."""
        rows = len(self.row_lengths)
        return rows * (self.title_height + self.panel_height) + (rows - 1) * self.row_gap

    @property
    def row_gap(self) -> int:
        """Pixels between two rows of panels."""
        return max(self.gap, self.title_size)

    def origin(self, layer: int) -> tuple[int, int]:
        """Return (left, top) of the layer's panel below its title.

        A row that holds one panel less than the longest stands in the middle.
        """
        row, first = 0, 0
        while layer >= first + self.row_lengths[row]:
            first += self.row_lengths[row]
            row += 1
        row_height = self.title_height + self.panel_height + self.row_gap
        indent = (self.width - self._row_width(self.row_lengths[row])) // 2
        return indent + (layer - first) * self.pitch, row * row_height + self.title_height


def arrange_panels(
    n_layer: int,
    d_mlp: int,
    figure_rows: int,
    widest_title: Title | None = None,
    lines: bool = True,
    outlined: bool = False,
) -> PanelLayout:
    """Return the layout of `n_layer` panels in `figure_rows` rows (1 to n_layer).

    Cells are as large as a picture of a screen's size allows. widest_title: the title that needs
    most room, None for panels without titles. lines: keep large cells apart by a line of
    background. outlined: keep room for a line around each panel's cells.
    """
    lengths = tuple(len(part) for part in np.array_split(np.arange(n_layer), figure_rows))
    rows, columns = grid_shape(d_mlp)
    across, down = lengths[0] * columns, figure_rows * rows
    cell = max(1, min(LARGEST_CELL, int(0.94 * WIDEST) // across, int(0.9 * TALLEST) // down))
    panel = columns * cell
    outline = max(LEAST_OUTLINE, cell // 4) if outlined else 0
    gap = max(4, panel // 16) + 2 * outline
    style = (0, 0)
    if widest_title is not None:
        style = _title_style(widest_title, panel + gap)
        gap = max(gap, _title_width(widest_title, *style) - panel)
    line = 1 if lines and cell >= LINED_CELL else 0
    return PanelLayout(n_layer, d_mlp, lengths, cell, line, gap, panel + gap, *style, outline)


def _title_style(widest: Title, pitch: int) -> tuple[int, int]:
    fitting = (style for style in TITLE_STYLES if _title_width(widest, *style) <= pitch)
    return next(fitting, TITLE_STYLES[-1])


def _title_width(title: Title, lines: int, size: int) -> int:
    """Return the width of a title, and of the space after it."""
    return math.ceil(max(text_width(text, size) for text in _split(title, lines)) + size / 2)


def count_title(layer: int, count: int, d_mlp: int) -> Title:
    """Return the title of a layer with `count` active neurons."""
    return f"layer {layer}", f"{count:,} of", f"{d_mlp:,}"


def _split(title: Title, lines: int) -> list[str]:
    name, *rest = title
    if lines == 1:
        return [f"{name}: {' '.join(rest)}"]
    return [name, " ".join(rest)] if lines == 2 else [name, *rest]


def draw_panels(
    figure: Figure,
    layout: PanelLayout,
    colours: NDArray[np.uint8],
    left: int,
    top: int,
    outline: RGBA = (0, 0, 0, 0),
) -> None:
    """Put every neuron's cell on the figure, the panels' corner at left, top.

    colours: (n_layer, d_mlp, 4) uint8 RGBA. Where no neuron is, the background stays. outline: the
    colour of the line around the cells, where the layout has one.
    """
    width = layout.outline
    for layer in range(layout.n_layer):
        panel_left, panel_top = layout.origin(layer)
        image = outlined(panel_image(colours[layer], layout.cell, layout.line), width, outline)
        place_image(figure, image, left + panel_left - width, top + panel_top - width)


def panel_image(colours: NDArray[np.uint8], cell: int, line: int) -> NDArray[np.uint8]:
    """Return one layer's cells as an RGBA image, transparent where there is no neuron.

    colours: (d_mlp, 4) uint8. Of a cell's `cell` pixels, `line` are left free on the right and
    below.
    """
    rows, columns = grid_shape(len(colours))
    grid = np.zeros((rows * columns, 4), np.uint8)
    grid[: len(colours)] = colours
    image = grid.reshape(rows, columns, 4).repeat(cell, axis=0).repeat(cell, axis=1)
    for offset in range(cell - line, cell):
        image[offset::cell] = 0
        image[:, offset::cell] = 0
    return image


def outlined(image: NDArray[np.uint8], width: int, colour: RGBA) -> NDArray[np.uint8]:
    """Return an RGBA image with a line of `width` pixels around all that is opaque in it.

    The result is `width` pixels larger on each side.
    """
    padded = np.pad(image, ((width, width), (width, width), (0, 0)))
    opaque = padded[..., 3] > 0
    near = opaque
    for axis in (0, 1):  # the padding keeps what is rolled over the border empty
        shifted = [np.roll(near, shift, axis) for shift in range(-width, width + 1)]
        near = np.logical_or.reduce(shifted)
    padded[near & ~opaque] = colour
    return padded


def draw_titles(
    figure: Figure,
    layout: PanelLayout,
    titles: Sequence[Title],
    left: int,
    top: int,
) -> None:
    """Write each layer's title (see `count_title`) above its panel."""
    size = layout.title_size
    for layer, title in enumerate(titles):
        panel_left, panel_top = layout.origin(layer)
        lines = _split(title, layout.title_lines)
        for number, text in enumerate(reversed(lines)):
            baseline = top + panel_top - size * (0.4 + number * LINE_HEIGHT)
            draw_line(figure, left + panel_left, baseline, text, size, color=INK)
