"""Reading JSON that comes from other people: what is ambiguous or no JSON is refused.

Python's reader takes the last of two equal keys, takes NaN, and fails on deep nesting with an
error of its own; `parse` raises `ValueError` for each.
"""

import json
from typing import Any, NoReturn

_SHOWN = 60


def parse(text: str) -> Any:
    """Return what the JSON text holds. Raises `ValueError` saying where and why it cannot."""
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"the key {ascii(key)[:_SHOWN]} stands there twice")
            seen.add(key)
    return content


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
