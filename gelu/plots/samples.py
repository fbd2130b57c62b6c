"""One sample's picture: which neurons of each layer are active, and the text it belongs to.

layout = sample_layout(texts, geometry, figure_rows=1, mode="default")
figure = sample_figure("gpt2", texts[0], active, layout)        # active (n_layer, d_mlp) bool
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gelu.neurons import Geometry
from gelu.plots.cells import (
    RGBA,
    PanelLayout,
    arrange_panels,
    count_title,
    draw_panels,
    draw_titles,
)
from gelu.plots.figures import FAINT_INK, INK, TRANSPARENT, draw_line, new_figure
from gelu.plots.modes import CINEMATIC, CINEMATIC_NO_TEXT, DEFAULT
from gelu.plots.text import LINE_HEIGHT, drawable, fit_lines, text_width

# (not active, active).
CELL_COLOURS: dict[str, tuple[RGBA, RGBA]] = {
    DEFAULT: ((118, 166, 226, 255), (214, 20, 28, 255)),
    CINEMATIC: ((0, 0, 0, 255), (255, 255, 255, 255)),
    CINEMATIC_NO_TEXT: ((0, 0, 0, 255), (255, 255, 255, 255)),
}
# The grey whose contrast is 4.5 to 1 or more against white as well as against black: of the text,
# and of a line around each layer, without which white cells at its border are lost on a light page
# and the black ones on a dark page.
CINEMATIC_INK = "#767676"
CINEMATIC_OUTLINE: RGBA = (118, 118, 118, 255)
NARROWEST = 1600
MARGIN = 40
MAX_LINES = {DEFAULT: 8, CINEMATIC: 4}
LABELS = ("Input text", "Completion so far", "Output token")
LEGEND = (
    "One cell is one neuron; dimension 0 is top left, row by row.   "
    "Red: active (output of the activation function > 0).   Blue: not active."
)


@dataclass(frozen=True)
class SampleText:
    """What the dataset says about one sample, as it says it."""

    sample_id: int
    input_text: str
    completion: str
    output: str


@dataclass(frozen=True)
class SampleLayout:
    """What all pictures of one command share, so that they can be flipped through or filmed.

    In pixels. block_lines: the lines kept free for each block of text.
    """

    mode: str
    panels: PanelLayout
    width: int
    text_size: int
    block_lines: tuple[int, ...]

    @property
    def line_height(self) -> float:
        """Distance of two baselines of the text."""
        return self.text_size * LINE_HEIGHT

    @property
    def label_width(self) -> float:
        """Width of the column of labels, 0 without labels."""
        if self.mode != DEFAULT:
            return 0
        return max(text_width(label, self.text_size) for label in LABELS) + 1.5 * self.text_size

    @property
    def panels_top(self) -> int:
        """Distance from the picture's top to the panels' titles."""
        if self.mode == CINEMATIC_NO_TEXT:
            return self.margin
        heading = 2.1 * self.line_height if self.mode == DEFAULT else 0
        blocks = sum(self.block_lines) * self.line_height + len(self.block_lines) * self.block_gap
        return math.ceil(MARGIN + heading + blocks + self.text_size / 2)

    @property
    def block_gap(self) -> float:
        """Space after each block of text."""
        return 0.4 * self.text_size

    @property
    def margin(self) -> int:
        """Space around everything."""
        return self.panels.outline if self.mode == CINEMATIC_NO_TEXT else MARGIN

    @property
    def height(self) -> int:
        """Height of the picture."""
        legend = round(2 * self.line_height) if self.mode == DEFAULT else self.margin
        return self.panels_top + self.panels.height + legend


def sample_layout(
    texts: Sequence[SampleText], geometry: Geometry, figure_rows: int, mode: str
) -> SampleLayout:
    """Return the layout that has room for each of these samples."""
    default = mode == DEFAULT
    # Lines between the cells would let a light background shine through the black.
    n_layer, d_mlp = geometry.n_layer, geometry.d_mlp
    widest_title = count_title(n_layer - 1, d_mlp, d_mlp) if default else None
    panels = arrange_panels(
        n_layer, d_mlp, figure_rows, widest_title, lines=default, outlined=not default
    )
    if mode == CINEMATIC_NO_TEXT:
        return SampleLayout(mode, panels, panels.width + 2 * panels.outline, 0, ())
    width = max(NARROWEST, panels.width + 2 * MARGIN)
    size = min(40, max(24, width // (84 if default else 64)))
    layout = SampleLayout(mode, panels, width, size, ())
    lines = [[len(block) for block in _blocks(text, layout)] for text in texts]
    return SampleLayout(mode, panels, width, size, tuple(np.max(lines, axis=0).tolist()))


def _blocks(text: SampleText, layout: SampleLayout) -> list[list[str]]:
    """Return the lines of each block of text."""
    parts = [text.input_text]
    if layout.mode == DEFAULT:
        parts += [text.completion or "(nothing yet: this is the first token)", f"“{text.output}”"]
    width = layout.width - 2 * MARGIN - layout.label_width
    most = MAX_LINES[layout.mode]
    return [fit_lines(drawable(part), width, layout.text_size, most) for part in parts]


def sample_figure(
    model: str, text: SampleText, active: NDArray[np.bool_], layout: SampleLayout
) -> Figure:
    """Return the picture of one sample; active: (n_layer, d_mlp) bool.

    Exactly `cell` x `cell` pixels (less the line between cells) belong to each neuron.
    """
    background = "white" if layout.mode == DEFAULT else TRANSPARENT
    figure = new_figure(layout.width, layout.height, background)
    colours = np.array(CELL_COLOURS[layout.mode], np.uint8)[active.astype(np.uint8)]
    left = (layout.width - layout.panels.width) // 2
    draw_panels(figure, layout.panels, colours, left, layout.panels_top, CINEMATIC_OUTLINE)
    if layout.mode == DEFAULT:
        _draw_heading(figure, model, text, active, layout)
        counts = active.sum(axis=1).tolist()
        titles = [count_title(layer, n, active.shape[1]) for layer, n in enumerate(counts)]
        draw_titles(figure, layout.panels, titles, left, layout.panels_top)
        _draw_legend(figure, layout)
    if layout.mode != CINEMATIC_NO_TEXT:
        _draw_blocks(figure, text, layout)
    return figure


def _draw_heading(
    figure: Figure,
    model: str,
    text: SampleText,
    active: NDArray[np.bool_],
    layout: SampleLayout,
) -> None:
    size = round(1.3 * layout.text_size)
    count, total = int(active.sum()), active.size
    baseline = MARGIN + size
    title = f"{model}, sample {text.sample_id}"
    draw_line(figure, MARGIN, baseline, title, size, weight="bold")
    share = f"{count:,} of {total:,} neurons active ({count / total:.1%})"
    draw_line(figure, layout.width - MARGIN, baseline, share, size, ha="right")


def _draw_blocks(figure: Figure, text: SampleText, layout: SampleLayout) -> None:
    default = layout.mode == DEFAULT
    top = MARGIN + (2.1 * layout.line_height if default else 0)
    for number, lines in enumerate(_blocks(text, layout)):
        baseline = top + layout.text_size
        if default:
            draw_line(figure, MARGIN, baseline, LABELS[number], layout.text_size, color=FAINT_INK)
        for row, line in enumerate(lines):
            draw_line(
                figure,
                MARGIN + layout.label_width,
                baseline + row * layout.line_height,
                line,
                layout.text_size,
                color=INK if default else CINEMATIC_INK,
            )
        top += layout.block_lines[number] * layout.line_height + layout.block_gap


def _draw_legend(figure: Figure, layout: SampleLayout) -> None:
    size = round(0.8 * layout.text_size)
    baseline = layout.height - layout.text_size * 0.8
    draw_line(figure, MARGIN, baseline, LEGEND, size, color=FAINT_INK)
