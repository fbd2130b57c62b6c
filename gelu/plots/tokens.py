"""The neurons of single tokens."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gelu.neurons import neuron_name
from gelu.plots.charts import (
    COLOURS,
    GRID,
    MARGIN,
    TOP,
    add_axes,
    chart,
    label_rows,
    name_axes,
    write,
)
from gelu.plots.figures import FAINT_INK, points
from gelu.plots.text import drawable, show_spaces

MOST_TOKENS, NEURONS_EACH, ROW = 25, 3, 36
PANEL_WIDTH, LABEL_ROOM, NAME_ROOM = 440, 165, 110
HEADINGS = {"output": "The token being written", "context": "The token just read"}


def token_specific_figure(model: str, table: pd.DataFrame, fdr: float) -> Figure:
    """Return the picture of a token_specific_neurons table, a panel for each role that has rows.

    The table has one row at least.
    """
    panels = {role: rows for role in HEADINGS if (rows := _strongest(table, role))}
    n_rows = max(map(len, panels.values()))
    subtitle = (
        "A row is a token, with its number of samples; dots are its three strongest neurons, the "
        "strongest named by layer and dimension. phi is 1 for a neuron active with this token and "
        f"never else. False-discovery rate {fdr:g}."
    )
    subtitle += "".join(
        f" {heading}: no neuron passes." for role, heading in HEADINGS.items() if role not in panels
    )
    with chart(f"{model}: neurons of one token", subtitle, TOP + 60 + ROW * n_rows + 90) as figure:
        for index, (role, tokens) in enumerate(panels.items()):
            left = MARGIN + LABEL_ROOM + 20 + index * (PANEL_WIDTH + NAME_ROOM + LABEL_ROOM + 20)
            height = ROW * len(tokens)
            axes = add_axes(figure, left, TOP + 60, PANEL_WIDTH, height, HEADINGS[role])
            _draw(axes, tokens)
    return figure


def _strongest(table: pd.DataFrame, role: str) -> list[pd.DataFrame]:
    """Return each shown token's strongest neurons, the token with the strongest first."""
    table = table[table["role"] == role]
    key = "token_id" if table["token_id"].notna().all() else "token"
    groups = [
        rows.sort_values("phi", ascending=False, kind="stable").head(NEURONS_EACH)
        for _, rows in table.groupby(key, sort=False)
    ]
    groups.sort(key=lambda rows: -rows["phi"].iloc[0])
    return groups[:MOST_TOKENS]


def _draw(axes: Axes, tokens: list[pd.DataFrame]) -> None:
    axes.set_xlim(0, 1.02)
    axes.set_ylim(len(tokens) - 0.5, -0.5)
    axes.grid(axis="x", color=GRID)
    name_axes(axes, "phi")
    names = []
    for row, neurons in enumerate(tokens):
        best = neurons.iloc[0]
        names.append(f"{drawable(show_spaces(str(best['token'])))}  {best['n_token']}")
        axes.plot([0, best["phi"]], [row, row], color=GRID, lw=1.5, zorder=1)
        axes.plot(neurons["phi"], [row] * len(neurons), "o", color=COLOURS[4], ms=points(11))
        axes.plot([best["phi"]], [row], "o", color=COLOURS[0], ms=points(13))
        # The strongest dot is the rightmost: to the right of it there is nothing else.
        name = neuron_name(best["layer"], best["dimension"])
        write(axes, best["phi"], row, name, (12, 0), 15, ha="left", color=FAINT_INK)
    label_rows(axes, range(len(tokens)), names, LABEL_ROOM)
