"""HTML as elements: whatever is no element is escaped, whatever its type. The one place for markup.

    element("p", "a < b, ", element("code", 3))        # <p>a &lt; b, <code>3</code></p>

Content and attributes come from data; tags and the attributes' names are the program's own.
"""

import re
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd

VOID = {"img", "meta"}
# A line break behind these changes nothing that is seen, and the page can be read and compared.
BLOCKS = {"body", "caption", "div", "figure", "h1", "h2", "h3", "head", "li", "meta", "nav", "ol",
          "p", "section", "style", "table", "tbody", "thead", "title", "tr", "ul"}  # fmt: skip
MINUS = "\N{MINUS SIGN}"
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# Control characters, halves of pairs and what is no character: no HTML, and no UTF-8, holds them.
NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class Html:
    """Markup. Only this module makes it."""

    text: str


def element(tag: str, *content: object, **attributes: object) -> Html:
    """Return an element around `content`: elements as they are, anything else as text.

    attributes: `class_` stands for class, `http_equiv` for http-equiv; one that is None is left
    out. Raises `ValueError` for content in an element that has none.
    """
    named = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{_markup(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    end = "\n" if tag in BLOCKS else ""
    if tag in VOID:
        if content:
            raise ValueError(f"<{tag}> has no content")
        return Html(f"<{tag}{named}>{end}")
    return Html(f"<{tag}{named}>{''.join(map(_markup, content))}</{tag}>{end}")


def as_text(*content: object) -> Html:
    """Return the content one after another, in no element of its own."""
    return Html("".join(map(_markup, content)))


def document(head: Html, body: Html) -> str:
    """Return a whole page."""
    return f'<!DOCTYPE html>\n<html lang="en">\n{head.text}{body.text}</html>\n'


def _markup(content: object) -> str:
    if isinstance(content, Html):
        return content.text
    # Attributes stand in double quotes; single ones mean nothing in either place.
    return escape(shown(content), quote=False).replace('"', "&quot;")


def shown(value: object) -> str:
    """Return any value as text: a missing one as nothing, a float with three digits."""
    if value is None or value is pd.NA or value is pd.NaT:
        return ""
    if isinstance(value, (float, np.floating)):
        return "" if np.isnan(value) else f"{value:.3g}".replace("-", MINUS)
    if isinstance(value, int) and value.bit_length() > 64:
        return hex(value)  # Python refuses to write very large ones in decimal
    return NO_TEXT.sub(REPLACEMENT, str(value))
