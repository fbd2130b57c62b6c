"""What arguments may be, the same on the command line and from Python.

    SEED(-1)                            # ValueError: is not a whole number of 0 or more
    require("seed", -1, SEED)           # UserError: `seed` -1 is not a whole number of 0 or more
    settle(self, seed=SEED, fdr=FDR)    # in the `__post_init__` of a dataclass

A check takes a value and returns it as a plain one, a NumPy number as an int or a float. It raises
`ValueError` with what is wrong, which reads on from the value.
"""

import math
from collections.abc import Callable, Collection, Iterable
from itertools import pairwise
from numbers import Integral, Real
from os import PathLike
from typing import Any

from gelu.errors import UserError, one_line

Check = Callable[[Any], Any]

# Beyond it neither JSON's readers elsewhere nor a float hold every whole number.
LARGEST_WHOLE = (1 << 53) - 1
# Of these and all between them the reciprocal is a normal float32, as is what divides a logit.
LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 1e-30, 1e30
SHOWN = 60  # characters of a value

DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = ("float32", "bfloat16")
EDGE_KINDS = ("full", "strongest")
DATASET_EDGES = (*EDGE_KINDS, "none")
ALL_FORMATS = ("csv", "npz", "pickle", "json")


def require(name: str, value: Any, check: Check) -> Any:
    """Return what `check` makes of the value of this parameter; `UserError` names both."""
    try:
        return check(value)
    except ValueError as error:
        shown = one_line(repr(value))
        shown = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}..."
        raise UserError(f"`{name}` {shown} {error}") from None


def settle(settings: object, **checks: Check) -> None:
    """Check these fields of a dataclass, frozen or not, and keep what their checks return."""
    for name, check in checks.items():
        object.__setattr__(settings, name, require(name, getattr(settings, name), check))


def whole(least: int, most: int = LARGEST_WHOLE) -> Check:
    """Return a check of a whole number from `least` to `most`."""
    wanted = f"of {least} or more" if most == LARGEST_WHOLE else f"from {least} to {most}"

    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
            raise ValueError(f"is not a whole number {wanted}")
        if int(value) > most:
            raise ValueError(f"is too large; {most} is the most")
        return int(value)

    return check


def non_negative(value: Any) -> float:
    """Check a finite number of 0 or more."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError("is not a number")
    result = float(value) + 0.0  # which turns -0.0 into 0.0
    if not math.isfinite(result) or result < 0:
        raise ValueError("is not a finite number of 0 or more")
    return result


def between_0_and(most: float) -> Check:
    """Return a check of a number above 0 and below `most`."""

    def check(value: Any) -> float:
        result = non_negative(value)
        if not 0 < result < most:
            raise ValueError(f"is not above 0 and below {most:g}")
        return result

    return check


def unit_interval(value: Any) -> float:
    """Check a number from 0 to 1."""
    result = non_negative(value)
    if result > 1:
        raise ValueError("is not from 0 to 1")
    return result


def share(value: Any) -> float:
    """Check a number of 0 or more and below 1."""
    result = non_negative(value)
    if result >= 1:
        raise ValueError("is not of 0 or more and below 1")
    return result


def temperature(value: Any) -> float:
    """Check 0 or a number that logits of 32 bits can be divided by."""
    result = non_negative(value)
    if result and not LOWEST_TEMPERATURE <= result <= HIGHEST_TEMPERATURE:
        raise ValueError(f"is neither 0 nor from {LOWEST_TEMPERATURE:g} to {HIGHEST_TEMPERATURE:g}")
    return result


def some(check: Check) -> Check:
    """Return a check of one thing or several, one at least; they are returned as a list."""

    def check_each(value: Any) -> list[Any]:
        if not _is_several(value):
            return [check(value)]
        given = list(value)
        if not given:
            raise ValueError("is empty; name one at least")
        for one in given:
            try:
                check(one)
            except ValueError as error:
                raise ValueError(f"holds {one_line(repr(one))[:SHOWN]}, which {error}") from None
        return [check(one) for one in given]

    return check_each


def temperatures(value: Any) -> tuple[float, ...]:
    """Check one temperature or several, none twice; they are returned in ascending order."""
    result = sorted(some(temperature)(value))
    for one, following in pairwise(result):
        if one == following:
            raise ValueError(f"names {one!r} more than once".replace(".0 ", " "))
    return tuple(result)


def _is_several(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes)


def listed(value: Any) -> list[Any]:
    """Return what an argument that is one thing or several holds, as a list; a text is one."""
    return list(value) if _is_several(value) else [value]


def one_of(names: Collection[str]) -> Check:
    """Return a check of one of these names."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in names:
            raise ValueError(f"is none of {', '.join(names)}")
        return value

    return check


def some_of(names: Collection[str]) -> Check:
    """Return a check of a list of these names, one at least; they are returned in this order."""

    def check(value: Any) -> tuple[str, ...]:
        given = [] if isinstance(value, str) else listed(value)
        if not given or not all(isinstance(one, str) and one in names for one in given):
            raise ValueError(f"is not a list of one or more of {', '.join(names)}")
        return tuple(name for name in names if name in given)

    return check


def optional(check: Check) -> Check:
    """Return a check that takes None as well."""

    def check_unless_none(value: Any) -> Any:
        try:
            return None if value is None else check(value)
        except ValueError as error:
            raise ValueError(f"{error} (or None)") from None

    return check_unless_none


def shard(value: Any) -> tuple[int, int]:
    """Check a part (i, n) of a run: every n-th batch from i on."""
    given = listed(value)
    part = whole(0)
    try:
        i, n = (part(one) for one in given)
    except ValueError:
        i, n = 0, 0
    if i >= n:
        raise ValueError("is no part i of n, where i is from 0 to n - 1")
    return i, n


def text(value: Any) -> str:
    """Check a text that is text in UTF-8: halves of pairs are none."""
    if not isinstance(value, str):
        raise ValueError("is no text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("is no UTF-8 text: it has half of a surrogate pair") from None
    return value


def path(value: Any) -> str | PathLike[str]:
    """Check the name of a file or folder."""
    if not isinstance(value, str | PathLike):
        raise ValueError("is no path")
    return value


SEED = whole(0)
COUNT = whole(1)  # of what there is one of at least
ID = whole(0)
TOP_K = whole(0)  # 0 is all
CLUSTERS = whole(2)
# Learning stops long before; its schedule is stretched over all epochs that are asked for.
EPOCHS = whole(1, 10_000)
# No network needs more to learn from tokens; the memory that it takes grows with its width.
HISTORY, WIDTH = whole(2, 1 << 20), whole(1, 1 << 14)
# Each draw is a search of its own, each pattern a round of it.
PATTERNS, NULL_DRAWS = whole(1, 10_000), whole(0, 10_000)
FDR = between_0_and(0.5)
HELD_OUT = between_0_and(1)
DEVICE, FORMATS = one_of(DEVICES), some_of(ALL_FORMATS)
