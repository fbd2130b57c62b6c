"""Templates with slots: the small language in which the corpus is written.

``{rule}`` is filled from the rule of that name, ``{rule=x}`` also remembers the text as x,
``{x}`` repeats it, ``{+rule}`` is the plural, ``{one|two|}`` picks an alternative.  ``a~`` stands
for a or an (see ``english.polish``).  Alternatives are templates themselves, so rules recurse.
"""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TypeAlias, TypeVar

from . import english

SLOT = re.compile(r"\{([^{}]+)\}")
TRIES = 6

Rule: TypeAlias = "Sequence[str] | Callable[[Scope], str]"
T = TypeVar("T")


@cache
def _parts(template: str) -> tuple[str, ...]:
    """Return literal, slot, literal, slot, ..., literal."""
    return tuple(SLOT.split(template))


class Scope:
    """One document in the making: its random numbers, its rules and what it has fixed so far."""

    def __init__(self, rng: random.Random, rules: Mapping[str, Rule]) -> None:
        self.rng = rng
        self.rules = rules
        self.bound: dict[str, str] = {}
        self.used: set[str] = set()

    def say(self, template: str) -> str:
        """Return the template with every slot filled."""
        parts = _parts(template)
        if len(parts) == 1:
            return template
        return "".join(part if i % 2 == 0 else self.slot(part) for i, part in enumerate(parts))

    def slot(self, slot: str) -> str:
        """Return the text for one slot, and remember it if the slot says so."""
        if slot in self.bound:
            return self.bound[slot]
        if "|" in slot:
            return self.rng.choice(slot.split("|"))
        name, _, variable = slot.partition("=")
        text = self.rule(name.removeprefix("+"))
        if name[0] == "+":
            text = english.plural(text)
        if variable:
            self.bound[variable] = text
        return text

    def rule(self, name: str) -> str:
        """Return one filled alternative of a rule (or the remembered text of that name)."""
        if name in self.bound:
            return self.bound[name]
        options = self.rules[name]
        return options(self) if callable(options) else self.say(self.fresh(options))

    def fresh(self, options: Sequence[str]) -> str:
        """Return one of the options, if possible one this document has not used yet."""
        for _ in range(TRIES):
            option = self.rng.choice(options)
            if option not in self.used:
                break
        self.used.add(option)
        return option

    def pick(self, options: Sequence[T]) -> T:
        """Return one of the options, whatever was picked before."""
        return self.rng.choice(options)

    def chance(self, probability: float) -> bool:
        """Return True with the given probability."""
        return self.rng.random() < probability

    def some_of(self, options: Sequence[T]) -> list[T]:
        """Return one or more different options, in random order."""
        return self.rng.sample(options, self.rng.randint(1, len(options)))

    def speak_of(self, text: str, plural: bool, name: str = "X") -> None:
        """Bind the subject to ``name``, and the forms that agree: {s}, {es}, {is}, {its} ..."""
        forms = AGREEMENT[plural]
        self.bound.update(forms)
        self.bound[name] = text


AGREEMENT: dict[bool, dict[str, str]] = {
    False: {"s": "s", "es": "es", "ies": "ies", "is": "is", "has": "has", "does": "does",
            "was": "was", "it": "it", "its": "its", "them": "it", "itself": "itself"},
    True: {"s": "", "es": "", "ies": "y", "is": "are", "has": "have", "does": "do",
           "was": "were", "it": "they", "its": "their", "them": "them", "itself": "themselves"},
}  # fmt: skip
