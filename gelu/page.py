"""A page that stands alone: pictures inside it, no script, nothing fetched.

    html = report_html("What the neurons stand for", ["One paragraph."], [Section(...)])

Everything that comes from data is escaped, by `gelu.html`; the page forbids the browser to run or
load anything.
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from gelu.html import Html, document, element
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
code, mark { unicode-bidi: isolate; }
td code { display: inline-block; max-width: 28rem; overflow: hidden; text-overflow: ellipsis; }
"""
TEXT_COLUMNS = ("token", "output", "input_text")


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
    notes: Sequence[str | Html] = field(default_factory=tuple)


@dataclass(frozen=True)
class Prepared:
    """A part of the page made of elements; without its heading."""

    title: str
    content: Sequence[Html]


def report_html(title: str, intro: Sequence[str], sections: Sequence[Section | Prepared]) -> str:
    """Return the whole page as UTF-8 text."""
    contents = [
        element("li", element("a", section.title, href=f"#{_anchor(section.title)}"))
        for section in sections
    ]
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("title", title),
        element("style", STYLE),
    )
    body = element(
        "body",
        element("h1", title),
        *(element("p", text) for text in intro),
        element("nav", element("ul", *contents)),
        *map(_section, sections),
    )
    return document(head, body)


def _anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _section(section: Section | Prepared) -> Html:
    content = section.content if isinstance(section, Prepared) else _content(section)
    return element("section", element("h2", section.title), *content, id=_anchor(section.title))


def _content(section: Section) -> list[Html]:
    return [
        element("p", section.how_to_read),
        *map(picture_html, section.pictures),
        *map(_table, section.tables),
        *bullets(section.notes),
    ]


def bullets(lines: Sequence[str | Html]) -> list[Html]:
    """Return a list of these lines, and nothing where there are none."""
    return [element("ul", *(element("li", line) for line in lines))] if lines else []


def code(text: object) -> Html:
    """Return a text as code, its line breaks and the spaces at its ends as signs."""
    return element("code", show_spaces(str(text)))


def picture_html(picture: Picture | NotDrawn) -> Html:
    """Return a figure with the picture inside it, or in its place why there is none."""
    if isinstance(picture, NotDrawn):
        return element("p", f"Not drawn: {picture.name}: {picture.reason}.")
    data = base64.b64encode(picture.png).decode("ascii")
    return element(
        "figure",
        element("img", src=f"data:image/png;base64,{data}", alt=picture.caption),
        element("figcaption", f"{picture.caption} ({picture.name})"),
    )


def _table(table: Table) -> Html:
    if len(table.frame) == 0:
        return element("p", f"{table.caption}: none.")
    columns = [(str(name), _class(table.frame[name])) for name in table.frame.columns]
    head = (element("th", name.replace("_", " "), class_=kind) for name, kind in columns)
    rows = (
        element(
            "tr",
            *(
                element("td", _cell(name, value), class_=kind)
                for (name, kind), value in zip(columns, row, strict=True)
            ),
        )
        for row in table.frame.itertuples(index=False, name=None)
    )
    return element(
        "div",
        element(
            "table",
            element("caption", table.caption),
            element("thead", element("tr", *head)),
            element("tbody", *rows),
        ),
        class_="table",
    )


def _class(column: "pd.Series[Any]") -> str | None:
    return "number" if pd.api.types.is_numeric_dtype(column) else None


def _cell(column: str, value: Any) -> Any:
    return code(value) if column in TEXT_COLUMNS and isinstance(value, str) else value
