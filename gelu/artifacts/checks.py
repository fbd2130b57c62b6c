"""What a document must hold, said once: checks of values that come from JSON, put together.

    COUNTS = record({"samples": whole(1), "note": optional(text())})
    COUNTS("", content)                             # Refused: counts.samples is 'x'; a whole ...

A check takes a value's place and the value, and raises `Refused` for a wrong one. Keys that no
check knows are ignored.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from gelu.limits import LARGEST_WHOLE

Check = Callable[[str, Any], None]

SHOWN = 60
KINDS = {dict: "an object", list: "a list", bool: "true or false", type(None): "null"}


class Refused(ValueError):
    """A value that cannot be; its text says where, what it is and what is needed."""


def whole(least: int = 0, most: int = LARGEST_WHOLE) -> Check:
    """Return a check for a whole number from `least` to `most`."""
    wanted = f"a whole number from {least} to {most}"

    def check(place: str, value: Any) -> None:
        if type(value) is not int or not least <= value <= most:
            _refuse(place, value, wanted)

    return check


def number(least: float = -math.inf, most: float = math.inf) -> Check:
    """Return a check for a finite number from `least` to `most`."""
    bounds = f" from {least:g}" if math.isfinite(least) else ""
    bounds += f" to {most:g}" if math.isfinite(most) else ""

    def check(place: str, value: Any) -> None:
        if type(value) not in (int, float) or not least <= value <= most or not _is_finite(value):
            _refuse(place, value, f"a number{bounds}")

    return check


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond what a float holds
        return False


def text() -> Check:
    """Return a check for a text that can be written as UTF-8."""

    def check(place: str, value: Any) -> None:
        if type(value) is not str or not _is_writable(value):
            _refuse(place, value, "a text")

    return check


def _is_writable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a pair, which JSON can write as \ud800
        return False
    return True


def yes_or_no() -> Check:
    """Return a check for true and false."""

    def check(place: str, value: Any) -> None:
        if type(value) is not bool:
            _refuse(place, value, "true or false")

    return check


def one_of(*words: str) -> Check:
    """Return a check for one of these texts."""

    def check(place: str, value: Any) -> None:
        if type(value) is not str or value not in words:
            _refuse(place, value, f"one of {', '.join(words)}")

    return check


def optional(check: Check) -> Check:
    """Return a check that takes null as well."""
    return lambda place, value: None if value is None else check(place, value)


def items(check: Check, least: int = 0) -> Check:
    """Return a check for a list of `least` or more of what `check` takes."""

    def check_all(place: str, value: Any) -> None:
        if type(value) is not list or len(value) < least:
            _refuse(place, value, "a list" + (f" of {least} or more" if least else ""))
        for index, item in enumerate(value):
            check(f"{place}[{index}]", item)

    return check_all


def values(check: Check) -> Check:
    """Return a check for an object with any keys, whose values `check` takes."""

    def check_all(place: str, value: Any) -> None:
        if type(value) is not dict:
            _refuse(place, value, "an object")
        for key, item in value.items():
            text()(_below(place, "key"), key)
            check(_below(place, ascii(key)[1 : SHOWN + 1].removesuffix("'")), item)

    return check_all


def record(needed: Mapping[str, Check], further: Mapping[str, Check] | None = None) -> Check:
    """Return a check for an object with the keys `needed`, and perhaps those of `further`."""
    known = {**needed, **(further or {})}

    def check_all(place: str, value: Any) -> None:
        if type(value) is not dict:
            _refuse(place, value, "an object")
        for name, check in known.items():
            if name in value:
                check(_below(place, name), value[name])
            elif name in needed:
                raise Refused(f"{_below(place, name)} is missing")

    return check_all


def _below(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key


def _refuse(place: str, value: Any, wanted: str) -> None:
    shown = KINDS.get(type(value)) or ascii(value)[:SHOWN]
    raise Refused(f"{place or 'it'} is {shown}; {wanted} is needed")
