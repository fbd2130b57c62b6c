"""Naming samples: `0,50,200`, `0-9`, or both, `0-9,50`; from Python also 5 or [0, 50, 200].

ranges = parse_sample_ids("0-9,50")
sample_ids = select_sample_ids(ranges, table["sample_id"].tolist())
"""

import re
from collections.abc import Iterable, Sequence
from itertools import islice

from gelu.errors import UserError
from gelu.limits import ID, require, some

SHOWN_UNKNOWN = 5
SampleIds = str | int | Iterable[int]


def parse_sample_ids(named: SampleIds) -> list[range]:
    """Return what is named as ranges, in its order; `UserError` for anything else.

    Ranges, not ids: `0-999999999` is a slip to report, not a list to hold.
    """
    if isinstance(named, str):
        return [_parse_part(named, part.strip()) for part in named.split(",")]
    given = require("sample_ids", named, some(ID))
    return [range(number, number + 1) for number in given]


def _parse_part(text: str, part: str) -> range:
    match = re.fullmatch(r"([0-9]{1,18})(?:\s*-\s*([0-9]{1,18}))?", part)
    if match is None:
        raise UserError(
            f"`sample_ids` {text!r}: {part!r} is neither a sample id nor a range; write 0,50,200 "
            "or 0-9"
        )
    first, last = int(match[1]), int(match[2] or match[1])
    if last < first:
        raise UserError(f"`sample_ids` {text!r}: {part} runs backwards; write {last}-{first}")
    return range(first, last + 1)


def select_sample_ids(ranges: Iterable[range], existing: Sequence[int]) -> list[int]:
    """Return the named ids, each once, in the order named.

    Raises `UserError` naming the ids that `existing` lacks and the ids there are.
    """
    there = set(existing)
    chosen: dict[int, None] = {}
    unknown: list[str] = []
    n_unknown = 0
    for named in ranges:
        found = sorted(number for number in there if number in named) if len(named) > 1 else named
        chosen.update((number, None) for number in found if number in there)
        missing = (number for number in named if number not in there)
        unknown += [str(number) for number in islice(missing, SHOWN_UNKNOWN - len(unknown))]
        n_unknown += len(named) - sum(number in there for number in found)
    if n_unknown:
        raise UserError(_unknown_message(unknown, n_unknown, existing))
    return list(chosen)


def _unknown_message(shown: list[str], n_unknown: int, existing: Sequence[int]) -> str:
    more = f" and {n_unknown - len(shown):,} more" if n_unknown > len(shown) else ""
    return f"`sample_ids`: no sample {', '.join(shown)}{more}; {describe_samples(existing)}"


def describe_samples(existing: Sequence[int]) -> str:
    """Return in words which sample ids there are."""
    if not existing:
        return "there are no samples"
    first, last = min(existing), max(existing)
    if first == last:
        return f"the only sample is {first}"
    gaps = "" if last - first + 1 == len(existing) else f", with gaps ({len(existing):,} in all)"
    return f"the samples are {first} to {last}{gaps}"
