"""Any text in a picture: measured, wrapped, escaped."""

import unicodedata
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import font_manager

from gelu.plots.figures import draw_line, new_figure, png_bytes
from gelu.plots.text import drawable, fit_lines, font_families, text_width, wrap

NASTY = "a $x$ \\frac{1} _b_ ^ {\n\t\0 \x1b[0m \u200b 你好 العربية 😀 🦜 \ud800 é %s </b>"


def test_signs_and_escapes() -> None:
    assert drawable("a\nb\tc\r\nd\r") == "a⏎b⇥c⏎d\\x0d"
    assert drawable("\0\u200b\ud800\ue000") == "\\x00\\u200b\\ud800\\ue000"
    assert drawable("$x$ _ {") == "$x$ _ {"


def test_a_character_that_no_font_has_becomes_an_escape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gelu.plots.text._has_glyph", lambda family, character: character < "~")
    for cached in ("_family_of", "_drawable_character"):
        wrapped = __import__("gelu.plots.text", fromlist=[cached]).__dict__[cached].__wrapped__
        monkeypatch.setattr(f"gelu.plots.text.{cached}", wrapped)
    assert drawable("a你🦜") == "a\\u4f60\\U0001f99c"


def test_another_installed_font_is_used_where_the_main_one_lacks_a_character() -> None:
    main = set(font_manager.get_font(font_manager.findfont("DejaVu Sans")).get_charmap())
    other = set(font_manager.get_font(font_manager.findfont("STIXGeneral")).get_charmap())
    lacking = (chr(code) for code in sorted(other - main) if code > 0x2000)
    character = next(it for it in lacking if not unicodedata.category(it).startswith("C"))
    assert drawable(character) == character
    assert len(font_families(character)) == 2


@pytest.mark.parametrize("text", [NASTY, "你" * 50, "$" * 9, "$\\frac{}{}$", "\\" * 9])
def test_any_text_is_drawn_without_a_warning(text: str) -> None:
    figure = new_figure(900, 80)
    draw_line(figure, 5, 40, drawable(text), 20)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        png_bytes(figure)


@given(st.text(max_size=30))
def test_what_is_drawable_has_a_glyph_and_stays_as_it_is(text: str) -> None:
    shown = drawable(text)
    assert drawable(shown) == shown
    fonts = [font_manager.get_font(font_manager.findfont(name)) for name in font_families(shown)]
    assert all(any(font.get_char_index(ord(it)) for font in fonts) for it in shown)


@given(st.text(alphabet="ab W⏎你", max_size=60), st.integers(30, 200))
def test_wrapping_loses_nothing_and_keeps_to_the_width(text: str, width: int) -> None:
    lines = wrap(drawable(text), width, 20)
    assert "".join(lines) == drawable(text)
    assert all(text_width(line, 20) <= width for line in lines)


def test_lines_are_broken_after_spaces() -> None:
    assert wrap("one two three", text_width("one two ", 20), 20) == ["one two ", "three"]


def test_a_long_text_keeps_its_beginning_and_its_end() -> None:
    lines = fit_lines("first " + "word " * 2000 + "last", 400, 20, 5)
    text = "".join(lines)
    assert len(lines) <= 5
    assert text.startswith("first") and text.endswith("last") and text.count("…") == 1


def test_a_text_that_fits_is_kept_whole() -> None:
    assert fit_lines("short", 400, 20, 5) == ["short"]
    assert fit_lines("", 400, 20, 5) == [""]


def test_the_measured_width_is_the_drawn_width() -> None:
    text = "The quick brown fox jumps over the lazy dog, WAVE 12345"
    figure = new_figure(1000, 100)
    draw_line(figure, 0, 50, text, 30)
    drawn = figure.texts[0].get_window_extent().width
    assert drawn <= text_width(text, 30) <= 1.03 * drawn
