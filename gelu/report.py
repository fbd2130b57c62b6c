"""A page that stands alone: pictures inside it, no script, nothing fetched.

    html = report_html("What the neurons stand for", ["One paragraph."], [Section(...)])

Everything that comes from data is escaped; the page forbids the browser to run or load anything.
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from gelu.plots.text import show_spaces

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
STYLE = """
body { max-width: 72rem; margin: 0 auto; padding: 1.5rem; color: #262626; background: #fff;
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; } h2 { font-size: 1.3rem; margin-top: 3rem; }
nav ul { padding-left: 1.2rem; }
figure { margin: 1.5rem 0; } img { width: 100%; height: auto; border: 1px solid #ddd; }
figcaption, caption { text-align: left; color: #555; padding: .4rem 0; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #e4e4e4; text-align: left; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
code { white-space: pre; background: #f2f2f2; border-radius: 3px; padding: 0 .25rem; }
td code { display: inline-block; max-width: 28rem; overflow: hidden; text-overflow: ellipsis; }
"""
TEXT_COLUMNS = ("token", "output", "input_text")
MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Picture:
    """A PNG with the sentence that stands under it; name: its file's."""

    name: str
    png: bytes
    caption: str


@dataclass(frozen=True)
class NotDrawn:
    """A picture that would say nothing, and why; name: its file's."""

    name: str
    reason: str


@dataclass(frozen=True)
class Table:
    """A table, with what it shows above it."""

    caption: str
    frame: pd.DataFrame


@dataclass(frozen=True)
class Section:
    """One part of the page; notes: a list at its end."""

    title: str
    how_to_read: str
    pictures: Sequence[Picture | NotDrawn] = field(default_factory=tuple)
    tables: Sequence[Table] = field(default_factory=tuple)
    notes: Sequence[str] = field(default_factory=tuple)


@dataclass(frozen=True)
class Prepared:
    """A part of the page that is HTML already, escaped by whoever made it; without its heading."""

    title: str
    html: str


def report_html(title: str, intro: Sequence[str], sections: Sequence[Section | Prepared]) -> str:
    """Return the whole page as UTF-8 text."""
    paragraphs = "".join(f"<p>{escape(text)}</p>\n" for text in intro)
    contents = "".join(
        f'<li><a href="#{_anchor(section.title)}">{escape(section.title)}</a></li>\n'
        for section in sections
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n{paragraphs}<nav><ul>\n{contents}</ul></nav>\n"
        + "".join(map(_section, sections))
        + "</body>\n</html>\n"
    )


def _anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _section(section: Section | Prepared) -> str:
    if isinstance(section, Prepared):
        return (
            f'<section id="{_anchor(section.title)}">\n<h2>{escape(section.title)}</h2>\n'
            f"{section.html}</section>\n"
        )
    notes = "".join(f"<li>{escape(note)}</li>\n" for note in section.notes)
    return (
        f'<section id="{_anchor(section.title)}">\n<h2>{escape(section.title)}</h2>\n'
        f"<p>{escape(section.how_to_read)}</p>\n"
        + "".join(map(picture_html, section.pictures))
        + "".join(map(_table, section.tables))
        + (f"<ul>\n{notes}</ul>\n" if notes else "")
        + "</section>\n"
    )


def picture_html(picture: Picture | NotDrawn) -> str:
    """Return a figure with the picture inside it, or in its place why there is none."""
    if isinstance(picture, NotDrawn):
        return f"<p>Not drawn: {escape(picture.name)}: {escape(picture.reason)}.</p>\n"
    data = base64.b64encode(picture.png).decode("ascii")
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="{escape(picture.caption)}">'
        f"<figcaption>{escape(picture.caption)} ({escape(picture.name)})</figcaption></figure>\n"
    )


def _table(table: Table) -> str:
    if len(table.frame) == 0:
        return f"<p>{escape(table.caption)}: none.</p>\n"
    columns = [(str(name), _is_number(table.frame[name])) for name in table.frame.columns]
    head = "".join(
        f"<th{_class(number)}>{escape(name.replace('_', ' '))}</th>" for name, number in columns
    )
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td{_class(number)}>{_cell(name, value)}</td>"
            for (name, number), value in zip(columns, row, strict=True)
        )
        + "</tr>\n"
        for row in table.frame.itertuples(index=False, name=None)
    )
    return (
        f'<div class="table"><table>\n<caption>{escape(table.caption)}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n"
    )


def _is_number(column: "pd.Series[Any]") -> bool:
    return pd.api.types.is_numeric_dtype(column)


def _class(number: bool) -> str:
    return ' class="number"' if number else ""


def _cell(column: str, value: Any) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, (float, np.floating)):
        return f"{value:.3g}".replace("-", MINUS)
    if column not in TEXT_COLUMNS:
        return escape(str(value))
    return f"<code>{escape(show_spaces(str(value)))}</code>"
