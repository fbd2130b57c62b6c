"""Elements: whatever comes from data is text, whatever its type, in content and in attributes."""

import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gelu.html import Html, as_text, element, shown
from tests.helpers import ROOT

REFRESH = '<meta http-equiv="refresh" content="0;url=https://example.org/">'
BREAKING_OUT = f"\"'>--></style></title></td>]]>{REFRESH}"


class _Parsed(HTMLParser):
    def __init__(self, html: Html) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(html.text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())  # halves of pairs too
    | st.just(BREAKING_OUT)
    | st.binary(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.just(BREAKING_OUT) | st.text(), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(anything)
def test_anything_is_text(value: Any) -> None:
    parsed = _Parsed(element("p", value, id=value))
    assert parsed.tags == ["p"]
    # HTML knows no \r of its own, and the first line break behind a tag is kept here.
    assert parsed.text == shown(value) + "\n"
    assert parsed.attributes == ([] if value is None else [("id", shown(value))])
    assert element("p", value).text.encode("utf-8")


def test_values_of_every_kind_are_shown() -> None:
    values = [None, pd.NA, float("nan"), np.float64("nan"), 0.123456, -2.0, 7, True, "a", 10**5000]
    told = [shown(value) for value in values]
    assert told[:9] == ["", "", "", "", "0.123", "\N{MINUS SIGN}2", "7", "True", "a"]
    assert told[9].startswith("0x") and shown("\x00\ud800\x1b[2J") == "\ufffd\ufffd\ufffd[2J"


def test_elements_stay_elements() -> None:
    line = as_text("a < ", element("b", "b"), 3)
    assert element("td", line, class_="x", title=None).text == '<td class="x">a &lt; <b>b</b>3</td>'
    assert element("img", src="a", alt='"').text == '<img src="a" alt="&quot;">'
    with pytest.raises(ValueError, match="has no content"):
        element("meta", "x")


def test_markup_is_made_nowhere_else() -> None:
    sources = [*ROOT.glob("*.py"), *ROOT.glob("gelu/**/*.py")]
    assert len(sources) > 60
    for path in sources:
        if path == ROOT / "gelu" / "html.py":
            continue
        text = path.read_text(encoding="utf-8")
        found = re.findall(
            r"\bHtml\(|\bimport escape\b|html\.escape|</?(?:p|td|li|h\d|meta|code)\b", text
        )
        assert found == [], path.name
