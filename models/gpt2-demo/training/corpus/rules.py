"""The rules that every kind of document can use, and the people who appear in them."""

import random

from .lexicon import nature, people, things
from .lexicon.opinions import TOPICS
from .scope import Rule, Scope

RULES: dict[str, Rule] = {
    "woman": people.WOMEN, "man": people.MEN, "surname": people.SURNAMES, "job": people.JOBS,
    "name": people.WOMEN + people.MEN, "colour": nature.COLOURS, "month": nature.MONTHS,
    "weekday": nature.WEEKDAYS, "pet": nature.PET_NOUNS, "wild": nature.WILD_NOUNS,
    "farm_animal": nature.FARM_NOUNS, "fruit": things.FRUIT, "vegetable": things.VEGETABLES,
    "food": things.FOOD_COUNT, "food_mass": things.FOOD_MASS, "drink": things.DRINKS,
    "dish": things.DISHES, "possession": things.POSSESSIONS, "small": things.SMALL_THINGS,
    "hiding": things.HIDING, "material": things.MATERIALS, "town_place": things.TOWN_PLACES,
    "craft": things.CRAFTS, "building": things.BUILDINGS,
    "city": [*things.CITY_COUNTRY, *things.OTHER_CITIES], "instrument": things.INSTRUMENTS,
    "hobby": things.HOBBIES, "vehicle": things.VEHICLES, "text": things.TEXTS,
    "kin_f": people.FAMILY_F, "kin_m": people.FAMILY_M, "kin": people.FAMILY_F + people.FAMILY_M,
    "number": ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve"],
    "topic": [topic for group in TOPICS.values() for topics in group for topic in topics],
    "person_adj": ["young", "old", "clever", "shy", "kind", "curious", "lonely", "cheerful",
                   "quiet", "brave", "poor", "stubborn", "polite", "patient", "proud", "careful"],
}  # fmt: skip
HE = {"he": "he", "his": "his", "him": "him", "self": "himself", "child": "boy", "adult": "man",
      "hers": "his", "sibling": "brother", "parent": "father"}  # fmt: skip
SHE = {"he": "she", "his": "her", "him": "her", "self": "herself", "child": "girl",
       "adult": "woman", "hers": "hers", "sibling": "sister", "parent": "mother"}  # fmt: skip


def new_scope(rng: random.Random) -> Scope:
    """Return a fresh scope with the common rules."""
    return Scope(rng, RULES)


def cast(scope: Scope, *roles: str) -> None:
    """Bind a different named person to each role: {A}, {A.he}, {A.his}, {A.him}, {A.self} ..."""
    taken: set[str] = set()
    for role in roles:
        female = scope.chance(0.5)
        name = scope.pick(people.WOMEN if female else people.MEN)
        while name in taken:
            name = scope.pick(people.WOMEN if female else people.MEN)
        taken.add(name)
        scope.bound[role] = name
        for key, form in (SHE if female else HE).items():
            scope.bound[f"{role}.{key}"] = form


def paragraph(scope: Scope, *templates: str) -> str:
    """Return the filled templates joined with spaces; empty ones are left out."""
    return " ".join(filled for filled in map(scope.say, templates) if filled)
