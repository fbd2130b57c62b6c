"""Text that comes from data, made drawable: any characters, any length.

    lines = fit_lines(drawable(prompt), width=900, size=24, max_lines=5)

Line breaks and tabs are shown by signs; what no installed font can draw is written as an escape
such as \\u4f60, so that no empty box stands for a character. Widths and sizes are in pixels.
"""

import unicodedata
from functools import cache

from matplotlib import font_manager
from matplotlib.ft2font import FT2Font, LoadFlags

MAIN_FAMILY = "DejaVu Sans"  # comes with matplotlib
# They claim characters that they draw as something else, as boxes, or in colour bitmaps.
MISLEADING_FAMILIES = ("Last Resort", ".Last", "cm", "STIXNonUnicode", "STIXSize", "Symbol", "Wing")
SIGNS = {"\n": "⏎", "\t": "⇥"}
SPACE = "␣"
ELLIPSIS = " … "
LEFT_TO_RIGHT = "\u200e"  # an invisible mark
LINE_HEIGHT = 1.35
# Hinting draws most glyphs a little wider than the font says.
HINTING_MARGIN = 1.015


def drawable(text: str) -> str:
    """Return `text` with a sign or an escape for whatever cannot be drawn as it is."""
    return "".join(_drawable_character(character) for character in text.replace("\r\n", "\n"))


def show_spaces(text: str) -> str:
    """Return `text` with signs for line breaks, tabs, and spaces at its ends."""
    for character, sign in (("\r\n", SIGNS["\n"]), ("\r", SIGNS["\n"]), *SIGNS.items()):
        text = text.replace(character, sign)
    inner = text.strip(" ")
    before = len(text) - len(text.lstrip(" "))
    return SPACE * before + inner + SPACE * (len(text) - len(inner) - before)


def font_families(text: str) -> list[str]:
    """Return the font families that draw `text`, the main one first."""
    families = (_family_of(character) for character in dict.fromkeys(text))
    return list(dict.fromkeys([MAIN_FAMILY, *(family for family in families if family)]))


def fit_lines(text: str, width: float, size: float, max_lines: int) -> list[str]:
    """Return `text` (already drawable) as at most `max_lines` lines no wider than `width`.

    A longer text keeps its beginning and its end, with an ellipsis between them.
    """
    budget = max_lines * width
    lines = wrap(shorten(text, budget, size), width, size)
    while len(lines) > max_lines:
        budget *= 0.95
        lines = wrap(shorten(text, budget, size), width, size)
    return _with_one_direction(lines)


def _with_one_direction(lines: list[str]) -> list[str]:
    """Keep a line that begins in Arabic or Hebrew left to right where the whole text begins so."""
    if _reads_right_to_left("".join(lines)):
        return lines
    return [LEFT_TO_RIGHT + line if _reads_right_to_left(line) else line for line in lines]


def _reads_right_to_left(text: str) -> bool:
    directions = map(unicodedata.bidirectional, text)
    return next((kind for kind in directions if kind in ("L", "R", "AL")), "L") != "L"


def shorten(text: str, width: float, size: float) -> str:
    """Return `text`, its middle left out where it is wider than `width` on one line."""
    if text_width(text, size) <= width:
        return text
    room = (width - text_width(ELLIPSIS, size)) / 2
    head = _fitting(text, room, size)
    tail = _fitting(text[::-1], room, size)
    return text[:head].rstrip(" ") + ELLIPSIS + text[len(text) - tail :].lstrip(" ")


def wrap(text: str, width: float, size: float) -> list[str]:
    """Return `text` in lines no wider than `width`, broken after spaces where there are any.

    No character is lost: the lines joined are the text. Empty text is one empty line.
    """
    lines = []
    while text_width(text, size) > width:
        # One character at least, or a width narrower than it would never end.
        end = max(1, _fitting(text, width, size))
        space = max(text.rfind(" ", 0, end), text.rfind("⏎", 0, end))
        end = space + 1 if space > 0 else end
        lines.append(text[:end])
        text = text[end:]
    return [*lines, text] if text or not lines else lines


def text_width(text: str, size: float) -> float:
    """Return the width of `text` on one line in pixels."""
    return sum(map(_advance, text)) * size


def _fitting(text: str, width: float, size: float) -> int:
    """Return how many of the first characters fit into `width`."""
    total = 0.0
    for index, character in enumerate(text):
        total += _advance(character) * size
        if total > width:
            return index
    return len(text)


@cache
def _drawable_character(character: str) -> str:
    sign = SIGNS.get(character, character)
    # Category C: controls, invisible marks, lone surrogates, private and unassigned characters.
    if not unicodedata.category(sign).startswith("C") and _family_of(sign) is not None:
        return sign
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


@cache
def _family_of(character: str) -> str | None:
    """Return the family that draws the character, the main one where it can; None if none can."""
    families = [MAIN_FAMILY, *_other_families()]
    return next((family for family in families if _has_glyph(family, character)), None)


def _has_glyph(family: str, character: str) -> bool:
    font = _font(family)
    return font is not None and font.get_char_index(ord(character)) != 0


@cache
def _other_families() -> list[str]:
    fonts = font_manager.fontManager.ttflist
    regular = ("normal", "normal", 400)
    names = {font.name for font in fonts if (font.style, font.stretch, font.weight) == regular}
    return sorted(
        name
        for name in names - {MAIN_FAMILY}
        if not name.startswith(MISLEADING_FAMILIES) and "Emoji" not in name
    )


@cache
def _font(family: str) -> FT2Font | None:
    """Return the font that matplotlib would draw the family with; None where it cannot."""
    try:
        font = font_manager.get_font(font_manager.findfont(family, fallback_to_default=False))
    except (RuntimeError, OSError, ValueError):  # bitmap fonts, damaged or removed files
        return None
    return font if font.scalable else None


@cache
def _advance(character: str) -> float:
    """Return how far the character moves the pen, as a share of the font's size."""
    font = _font(_family_of(character) or MAIN_FAMILY)
    assert font is not None
    glyph = font.load_char(ord(character), flags=LoadFlags.NO_HINTING | LoadFlags.NO_SCALE)
    return glyph.horiAdvance / font.units_per_EM * HINTING_MARGIN
