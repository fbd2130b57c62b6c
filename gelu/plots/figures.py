"""Figures measured in pixels, and their PNG bytes.

Everything here bypasses pyplot and the user's matplotlibrc where these could change a picture: a
cell must stay the pixels it was drawn as, and two runs of one command write the same bytes.
"""

from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gelu.plots.text import font_families

DPI = 100
TRANSPARENT = (0.0, 0.0, 0.0, 0.0)
INK = "#262626"
FAINT_INK = "#6b6b6b"


def new_figure(width: int, height: int, background: Any = "white") -> Figure:
    """Return an empty figure of exactly width x height pixels."""
    # The hundredth keeps (width / DPI) * DPI from being truncated to width - 1.
    size = ((width + 0.01) / DPI, (height + 0.01) / DPI)
    figure = Figure(figsize=size, dpi=DPI, facecolor=background, edgecolor="none")
    FigureCanvasAgg(figure)
    return figure


def points(pixels: float) -> float:
    """Return a size in pixels as the points that matplotlib takes."""
    return pixels * 72 / DPI


def place_image(figure: Figure, image: NDArray[np.uint8], left: int, top: int) -> None:
    """Put an RGBA image (height, width, 4) on the figure, a pixel on a pixel."""
    height = round(figure.bbox.height)
    figure.figimage(image, xo=left, yo=height - top - image.shape[0], origin="upper")


def draw_line(
    figure: Figure, left: float, baseline: float, text: str, size: float, **style: Any
) -> None:
    """Write one line of text at pixels from the top left; size: its height in pixels."""
    width, height = round(figure.bbox.width), round(figure.bbox.height)
    options: dict[str, Any] = {"color": INK, "va": "baseline", "ha": "left", **style}
    figure.text(
        left / width,
        1 - baseline / height,
        text,
        fontsize=points(size),
        fontfamily=font_families(text),
        parse_math=False,
        **options,
    )


def png_bytes(figure: Figure) -> bytes:
    """Return the figure as a PNG, without the library's version or a date in it."""
    canvas = figure.canvas
    if not isinstance(canvas, FigureCanvasAgg):
        canvas = FigureCanvasAgg(figure)
    buffer = BytesIO()
    # Not savefig: a matplotlibrc may have it crop the picture or change its resolution.
    canvas.print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()
