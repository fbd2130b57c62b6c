"""The patterns with their layers, what their tokens leave unexplained, and their contexts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gelu.plots.charts import (
    COLOURS,
    GRID,
    HEADING,
    MARGIN,
    TOP,
    WIDTH,
    add_axes,
    chart,
    name_axes,
    write,
)
from gelu.plots.figures import FAINT_INK, INK, draw_line, points
from gelu.plots.text import drawable, shorten, show_spaces, text_width
from gelu.samples.splits import ENOUGH_PROMPTS

MOST_PATTERNS, CONTEXTS_EACH, TOKENS_EACH = 15, 3, 2
LEAST_LIFT = 1.5  # of positions worth naming
ROW, LINE, SMALL = 116, 24, 15
NAME_ROOM, LAYERS_LEFT, LAYERS_WIDTH = 120, 175, 180
SHARE_LEFT, SHARE_WIDTH = 395, 180
CONTEXT_LEFT, TOKEN_LEFT = 620, 1130
ROLE_NAMES = {"previous": "before", "context": "read", "output": "written"}


def patterns_figure(model: str, document: Mapping[str, Any]) -> Figure:
    """Return the picture of a patterns document, the first patterns a row each.

    The document has one pattern at least.
    """
    patterns = document["patterns"][:MOST_PATTERNS]
    total = len(document["patterns"])
    subtitle = (
        f"The first {len(patterns)} of {total} patterns, the most surprising first. A pattern is "
        "on where so many of its neurons or more are active, in that share of the samples. Beyond "
        "tokens: the share of what it explains that the token just read (blue) leaves open. "
        "Brackets: lift, only of what passes the test."
    )
    height = TOP + 60 + ROW * len(patterns) + 80
    with chart(f"{model}: neurons that fire together", subtitle, height) as figure:
        top = TOP + 60
        _draw_layers(figure, patterns, top)
        _draw_shares(figure, patterns, top)
        draw_line(figure, MARGIN, top - 14, "Pattern", HEADING, weight="bold")
        draw_line(
            figure, CONTEXT_LEFT, top - 14, "Goes with, and strongest contexts", HEADING,
            weight="bold",
        )  # fmt: skip
        for row, pattern in enumerate(patterns):
            _draw_name(figure, pattern, top + row * ROW)
            _draw_contexts(figure, pattern, top + row * ROW)
    return figure


def _draw_name(figure: Figure, pattern: Mapping[str, Any], top: float) -> None:
    lines = [
        (f"{pattern['pattern']}", INK, HEADING),
        (f"{pattern['n_neurons']} neurons", FAINT_INK, SMALL),
        (f"{pattern['threshold']} or more", FAINT_INK, SMALL),
        (f"on {pattern['share_on']:.1%}", FAINT_INK, SMALL),
    ]
    for number, (text, colour, size) in enumerate(lines):
        baseline = top + 26 + number * LINE
        draw_line(figure, MARGIN, baseline, shorten(text, NAME_ROOM, size), size, color=colour)


def _draw_layers(figure: Figure, patterns: Sequence[Mapping[str, Any]], top: float) -> None:
    names = [name for name in patterns[0] if name.startswith("layer_")]
    counts = np.array([[pattern[name] for name in names] for pattern in patterns])
    shares = counts / counts.sum(axis=1, keepdims=True)
    axes = add_axes(figure, LAYERS_LEFT, top, LAYERS_WIDTH, ROW * len(patterns), "Layers")
    for row, column in np.argwhere(counts > 0).tolist():
        share = float(shares[row, column])
        axes.barh(
            row, 0.9, left=column - 0.45, height=0.6, color=COLOURS[0], alpha=0.1 + 0.9 * share
        )
        if len(names) <= 6:
            ink = "white" if share > 0.5 else INK
            write(axes, column, row, f"{counts[row, column]}", ha="center", size=SMALL, color=ink)
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_ylim(len(patterns) - 0.5, -0.5)
    step = max(1, len(names) // 6)
    axes.set_xticks(range(0, len(names), step))
    axes.set_yticks([])
    _separate(axes, len(patterns))
    name_axes(axes, "layer (neurons)")


def _draw_shares(figure: Figure, patterns: Sequence[Mapping[str, Any]], top: float) -> None:
    axes = add_axes(figure, SHARE_LEFT, top, SHARE_WIDTH, ROW * len(patterns), "Beyond tokens")
    for row, pattern in enumerate(patterns):
        share = 100 * pattern["share_beyond_tokens"]
        low, high = pattern["share_low"], pattern["share_high"]
        axes.barh(row, share, height=0.3, color=COLOURS[4])
        if low is not None and high is not None:
            few = pattern["n_prompts_held_out"] < ENOUGH_PROMPTS
            ends, style = [100 * max(low, 0), 100 * max(high, 0)], ":" if few else "-"
            axes.plot(ends, [row, row], color=INK, lw=points(3), ls=style)
        write(axes, 2, row - 0.3, f"{share:.0f}%", size=SMALL, color=INK)
    axes.set_xlim(0, 100)
    axes.set_ylim(len(patterns) - 0.5, -0.5)
    axes.set_xticks([0, 50, 100])
    axes.set_yticks([])
    axes.grid(axis="x", color=GRID)
    _separate(axes, len(patterns))
    name_axes(axes, f"% of what it explains; 95 %\n(dotted: under {ENOUGH_PROMPTS} prompts)")


def _separate(axes: Axes, n_rows: int) -> None:
    for row in range(1, n_rows):
        axes.axhline(row - 0.5, color=GRID, lw=1)


def _draw_contexts(figure: Figure, pattern: Mapping[str, Any], top: float) -> None:
    words = shorten(goes_with(pattern), WIDTH - MARGIN - CONTEXT_LEFT, SMALL + 1)
    draw_line(figure, CONTEXT_LEFT, top + 26, words, SMALL + 1)
    for number, context in enumerate(pattern["contexts"][:CONTEXTS_EACH]):
        baseline = top + 26 + (number + 1) * LINE
        before = _tail(_flat(context["before"]), TOKEN_LEFT - CONTEXT_LEFT - 4)
        draw_line(figure, TOKEN_LEFT, baseline, before, SMALL, ha="right", color=FAINT_INK)
        token = shorten(_flat(context["token"]), 200, SMALL)
        draw_line(figure, TOKEN_LEFT, baseline, token, SMALL, color=COLOURS[0], weight="bold")
        # Bold is wider than the regular letters that are measured.
        left = TOKEN_LEFT + 1.13 * text_width(token, SMALL)
        after = shorten(_flat(context["after"]), WIDTH - MARGIN - left, SMALL)
        draw_line(figure, left, baseline, after, SMALL, color=FAINT_INK)


def goes_with(pattern: Mapping[str, Any]) -> str:
    """Return in a line which tokens, positions and prompt a pattern goes with (drawable)."""
    parts = []
    for role, name in ROLE_NAMES.items():
        tokens = pattern["tokens"][role][:TOKENS_EACH]
        if tokens:
            named = ", ".join(f"{show_spaces(row['token'])} ({row['lift']:.1f})" for row in tokens)
            parts.append(f"{name}: {named}")
    for row in pattern["positions"][:1]:
        if row["lift"] < LEAST_LIFT:
            continue
        parts.append(
            f"positions {row['range_start']} to {row['range_end'] - 1} ({row['lift']:.1f})"
        )
    return drawable(";  ".join(parts)) or "no single token, position or prompt"


def _flat(text: str) -> str:
    """Return text on one line, spaces as spaces, drawable."""
    return drawable(show_spaces(f"|{text}|")[1:-1])


def _tail(text: str, room: float) -> str:
    """Return as much of the text's end as fits into `room` pixels."""
    while text_width(text, SMALL) > room:
        text = text[1:]
    return text
