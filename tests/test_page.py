"""The report's page: escaping, numbers, nothing fetched."""

from html.parser import HTMLParser

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from gelu.page import Picture, Section, Table, report_html

VOID = {"meta", "img", "br"}


class _Page(HTMLParser):
    """Checks that every tag is closed, and collects tags and text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(html: str) -> _Page:
    page = _Page()
    page.feed(html)
    page.close()
    assert page.open == []
    return page


def page_of(text: str) -> str:
    frame = pd.DataFrame({"token": [text], "prompt_idx": [3], "q_value": [1.25e-5]})
    section = Section(text, text, [Picture(text, b"png", text)], [Table(text, frame)], [text])
    return report_html(text, [text], [section])


@given(st.text())
def test_any_text_stays_text(text: str) -> None:
    tags = parsed(page_of(text)).tags
    assert tags == parsed(page_of("plain")).tags


def test_a_script_is_shown_and_not_run() -> None:
    html = page_of("<script>alert('x')</script>")
    page = parsed(html)
    assert "script" not in page.tags
    assert "<script>alert('x')</script>" in page.text
    assert "default-src 'none'" in html


def test_tokens_show_their_spaces_and_numbers_three_digits() -> None:
    frame = pd.DataFrame(
        {"token": [" a\n"], "phi": [0.123456], "log_odds": [-1.5], "q_value": [1.25e-5], "n": [7]}
    )
    text = parsed(report_html("t", [], [Section("s", "h", tables=[Table("c", frame)])])).text
    for shown in ("␣a⏎", "0.123", "\N{MINUS SIGN}1.5", "1.25e\N{MINUS SIGN}05", "7"):
        assert shown in text
    assert "0.1234" not in text


def test_an_empty_table_says_so_and_missing_values_are_empty() -> None:
    empty = Table("Found", pd.DataFrame({"token": []}))
    frame = pd.DataFrame({"q_value": [None, 0.5], "token_id": pd.array([1, None], dtype="Int64")})
    text = parsed(report_html("t", [], [Section("s", "h", tables=[empty, Table("c", frame)])])).text
    assert "Found: none." in text
    assert "nan" not in text.lower() and "<NA>" not in text
