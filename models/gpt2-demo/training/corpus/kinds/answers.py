"""Facts about people first, questions about them later: the answer is always in the document."""

from dataclasses import dataclass

from ..english import lines, number_word
from ..lexicon import nature, people, things
from ..rules import cast, paragraph
from ..scope import Scope


@dataclass(frozen=True)
class Attribute:
    """One thing that can be known about a person: how it is told, asked for and answered."""

    values: list[str]
    facts: list[str]
    questions: list[str]
    answers: list[str]
    who: str


ATTRIBUTES = [
    Attribute(
        [*things.CITY_COUNTRY, *things.OTHER_CITIES],
        ["{N} lives in {V}.", "{N} comes from {V}.", "{N} was born in {V}.", "{N} grew up in {V}."],
        ["Where is {N} from?", "Which city does {N} come from?", "Which place is the home of {N}?"],
        ["{N} is from {V}.", "{N.he} is from {V}.", "{V}."],
        "Who comes from {V}?",
    ),
    Attribute(
        people.JOBS,
        ["{N} is a~ {V}.", "{N} works as a~ {V}.", "{N} has been a~ {V} for {number} years."],
        ["What is {N}'s job?", "What does {N} do for a living?", "What kind of work does {N} do?"],
        ["{N} is a~ {V}.", "{N.he} works as a~ {V}.", "{N.he} is a~ {V}."],
        "Who works as a~ {V}?",
    ),
    Attribute(
        nature.PET_NOUNS,
        [
            "{N} has a~ {V} at home.",
            "{N} owns a~ {V} called {man}.",
            "{N} has a~ {person_adj} {V}.",
        ],
        ["Which animal does {N} have?", "What kind of pet does {N} have?"],
        ["{N} has a~ {V}.", "{N.he} has a~ {V}.", "A~ {V}."],
        "Who has a~ {V}?",
    ),
    Attribute(
        things.DRINKS,
        ["{N} drinks {V} every morning.", "{N}'s favourite drink is {V}.", "{N} loves {V}."],
        ["What does {N} like to drink?", "What is {N}'s favourite drink?"],
        ["{N} likes {V}.", "{N.he} drinks {V}.", "{V}."],
        "Who likes {V}?",
    ),
    Attribute(
        things.INSTRUMENTS,
        [
            "{N} plays the {V}.",
            "{N} learned the {V} as a {N.child}.",
            "{N} practises the {V} daily.",
        ],
        ["Which instrument does {N} play?", "What does {N} play?"],
        ["{N} plays the {V}.", "{N.he} plays the {V}.", "The {V}."],
        "Who plays the {V}?",
    ),
    Attribute(
        nature.COLOURS,
        [
            "{N}'s favourite colour is {V}.",
            "{N} likes {V} best of all colours.",
            "{N} always wears {V} shoes.",
        ],
        ["What is {N}'s favourite colour?", "Which colour does {N} like?"],
        ["{N} likes {V}.", "{N.his} favourite colour is {V}.", "{V}."],
        "Who likes {V} best?",
    ),
    Attribute(
        things.HOBBIES,
        ["{N}'s hobby is {V}.", "In the evening {N} enjoys {V}.", "{N} spends Sundays with {V}."],
        ["What is {N}'s hobby?", "What does {N} do in {N.his} free time?"],
        ["{N.his} hobby is {V}.", "{N} enjoys {V}.", "{V}."],
        "Whose hobby is {V}?",
    ),
    Attribute(
        [number_word(age) for age in range(6, 100)],
        ["{N} is {V} years old.", "{N} turned {V} last {month}."],
        ["How old is {N}?", "What is {N}'s age?"],
        ["{N} is {V} years old.", "{N.he} is {V} years old.", "{N.he} is {V}."],
        "Who is {V} years old?",
    ),
]
FILLERS = lines("""
    They all live in the same street.
    They meet every {weekday} at the {town_place}.
    They have known each other since school.
    Last {weekday} they cooked {food_mass} together.
    When it rains, they play cards.
    They like to talk about {topic}.
    In {month} they want to travel to {city} together.
    Most people in the street know them well.""")


def about(scope: Scope, name: str, values: dict[str, str], value: str) -> None:
    """Bind {N} and its pronouns to a person and {V} to a value."""
    scope.bound["N"], scope.bound["V"] = name, value
    for key, form in values.items():
        scope.bound[f"N.{key}"] = form


def _pronouns(scope: Scope, role: str) -> dict[str, str]:
    """Return the pronouns of the person in a role."""
    return {key: scope.bound[f"{role}.{key}"] for key in ("he", "his", "him", "child")}


def _facts(scope: Scope, roles: list[str]) -> list[tuple[Attribute, str, str]]:
    """Return (attribute, role, value) for two attributes of every person, values all different."""
    chosen = []
    for attribute in scope.rng.sample(ATTRIBUTES, scope.rng.randint(1, 3)):
        values = scope.rng.sample(attribute.values, len(roles))
        chosen += [(attribute, role, value) for role, value in zip(roles, values, strict=True)]
    if scope.chance(0.5):
        scope.rng.shuffle(chosen)
    return chosen


def who_is_who(scope: Scope) -> str:
    """Return facts about two to four people, then questions with their answers."""
    roles = ["A", "B", "C", "D", "E"][: scope.rng.randint(2, 5)]
    cast(scope, *roles)
    facts = _facts(scope, roles)
    told = []
    for attribute, role, value in facts:
        about(scope, scope.bound[role], _pronouns(scope, role), value)
        told.append(scope.say(scope.pick(attribute.facts)))
    if scope.chance(0.5):
        told.append(scope.say(scope.fresh(FILLERS)))
    asked = scope.rng.sample(facts, min(len(facts), scope.rng.randint(1, 4)))
    rows = [question(scope, *fact) for fact in asked]
    if scope.chance(0.5):
        return " ".join(told) + "\n" + "\n".join(f"Question: {q}\nAnswer: {a}" for q, a in rows)
    return " ".join(told) + " " + " ".join(f"{q} {a}" for q, a in rows)


def question(scope: Scope, attribute: Attribute, role: str, value: str) -> tuple[str, str]:
    """Return a question about one fact and its answer."""
    about(scope, scope.bound[role], _pronouns(scope, role), value)
    if scope.chance(0.35):
        return scope.say(attribute.who), scope.say("{N}.")
    return scope.say(scope.pick(attribute.questions)), scope.say(scope.pick(attribute.answers))


def who_has_what(scope: Scope) -> str:
    """Return who gave what to whom and where it is, then questions about it."""
    cast(scope, "A", "B")
    text = paragraph(
        scope,
        scope.fresh(
            lines("""
        {A} gave {B} a~ {colour=c} {small=t}. {B} put the {t} {hiding=h}.
        {B} got a~ {colour=c} {small=t} from {A}. Now the {t} is {hiding=h}.
        There is a~ {colour=c} {small=t} {hiding=h}. It was a present from {A} to {B}.""")
        ),
        scope.fresh(["", *FILLERS, "Nobody else knows about it.", "It happened in {month}."]),
    )
    rows = [
        scope.say(row)
        for row in scope.rng.sample(
            lines("""
        Who gave {B} the {t}? It was {A}.
        What colour is the {t}? It is {c}.
        Where is the {t}? It is {h}.
        To whom does the {t} belong now? It belongs to {B}.
        What did {A} give to {B}? A~ {c} {t}.
        Is the {t} still with {A}? No, {B} has it."""),
            scope.rng.randint(2, 5),
        )
    ]
    return text + ("\n" + "\n".join(rows) if scope.chance(0.5) else " " + " ".join(rows))


def moves(scope: Scope) -> str:
    """Return a person going from place to place, and where the person is in the end."""
    cast(scope, "A", "B")
    places = scope.rng.sample(things.TOWN_PLACES, 4)
    scope.bound.update(zip(("p", "q", "r", "s"), places, strict=True))
    told = scope.say(
        scope.fresh(
            lines("""
        {A} was at the {p}. {B} was at the {q}. Then {A} went to the {r}.
        In the morning {A} went to the {p} and {B} went to the {q}. Later {A} walked to the {r}.
        {A} left the {p} and went to the {r}, while {B} stayed at the {q}.""")
        )
    )
    last = scope.chance(0.4)
    if last:
        told += scope.say(" After an hour {B} left for the {s}.")
    ending = scope.bound["s" if last else "q"]
    rows = [
        scope.say("Where is {A} now? {A.he} is at the {r}."),
        scope.say(f"Where is {{B}} now? {{B.he}} is at the {ending}."),
        scope.say("Where was {A} before? {A.he} was at the {p}."),
    ]
    return told + " " + " ".join(scope.rng.sample(rows, scope.rng.randint(1, 3)))


KINDS = {"who_is_who": (8, who_is_who), "who_has_what": (4, who_has_what), "moves": (3, moves)}
