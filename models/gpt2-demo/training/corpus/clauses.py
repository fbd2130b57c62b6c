"""A recursive grammar: noun phrases with relative clauses, verbs that agree, joined clauses."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from . import english
from .lexicon import nature, people, things
from .scope import Scope

PhraseRule: TypeAlias = Callable[[Scope], str]
NOUNS: dict[str, list[str]] = {
    "person": people.PERSON_NOUNS,
    "animal": nature.FARM_NOUNS + nature.WILD_NOUNS + ["dog", "cat", "puppy", "kitten"],
    "food": things.FOOD_COUNT,
    "object": things.POSSESSIONS + things.SMALL_THINGS,
    "text": things.TEXTS,
    "vehicle": things.VEHICLES,
}
ADJECTIVES: dict[str, list[str]] = {
    "person": english.words("""old, young, tall, kind, clever, tired, happy, sad, shy, brave, quiet,
        busy, friendly, lonely, famous, poor, rich, polite, angry, lazy, curious, proud, honest"""),
    "animal": english.words("""small, big, brown, black, white, grey, wild, hungry, old, young,
        clever,
        shy, lazy, fat, thin, fast, friendly, nervous, sleepy, lame, spotted"""),
    "food": english.words("fresh, sweet, warm, cold, small, big, delicious, dry, tasty, cheap"),
    "object": english.words("""old, new, small, big, heavy, broken, beautiful, expensive, cheap,
        red,
        blue, green, yellow, strange, dusty, shiny, lost, useful, precious, plain"""),
    "text": english.words("long, short, old, new, boring, strange, funny, sad, famous, thin"),
    "vehicle": english.words("old, new, fast, slow, red, blue, crowded, empty, noisy, small"),
}  # fmt: skip
INTRANSITIVE: dict[str, list[str]] = {
    "person": english.lines("""
        sleep | {in the garden|on the sofa|under a tree|until noon}
        walk | {to the park|home alone|along the river|through the rain|across the bridge}
        laugh | {at every joke|loudly|quietly|without a reason}
        work | {in the fields|at the harbour|until late|very hard|every day}
        wait | {at the station|for the bus|in the rain|outside the shop|for an answer}
        sing | {in the kitchen|on the stairs|an old song|at the market}
        dance | {in the street|all night|at the wedding|with a stranger}
        live | {near the church|by the sea|in a small house|next to the bakery}
        think | {about the future|of the sea|about love|about home}
        talk | {about politics|about the weather|about money|too much|about the war}
        swim | {in the lake|in the cold river|every morning}
        cry | {at night|at the end of the film|without a sound}
        dream | {of a better life|of the mountains|about the sea}
        sit | {by the window|at the table|in the shade|on the wall}
        smile | {at the baby|at everybody|in the mirror}"""),
    "animal": english.lines("""
        sleep | {in the sun|in the barn|under the table|all day}
        run | {across the field|into the forest|through the garden|down the hill}
        hide | {behind the wall|in the grass|under the old car}
        wait | {for food|near the door|in the dark|at the gate}
        jump | {over the fence|onto the wall|into the water}
        drink | {from the river|water from the pond}
        lie | {in the shade|near the fire|on the warm stones}
        look | {at the moon|through the fence|for food|hungry}
        follow | {the children home|the road to the river|its own shadow}
        disappear | {into the night|behind the trees|in the fog}"""),
    "object": english.lines("""
        lie | {on the table|in the grass|under the bed|in the snow}
        stand | {in the corner|near the window|behind the door}
        belong | {to the mayor|to my aunt|in a museum}
        cost | {a lot of money|almost nothing|too much}
        fall | {off the shelf|into the river|to the floor}
        disappear | {from the shelf|in the night|without a trace}"""),
    "vehicle": english.lines("""
        stop | {at the bridge|near the school|in front of the hotel}
        arrive | {late|on time|at noon|before the rain}
        leave | {the town|at seven|without the tourists|early}
        cross | {the river|the border|the old bridge}
        wait | {at the corner|for the last passengers|behind the station}"""),
    "food": english.lines("""
        smell | {wonderful|of honey|of home|strange}
        taste | {good|of lemon|better than yesterday|a little bitter}
        lie | {on the plate|on the kitchen table|in the basket}
        cost | {two dollars|very little|more than last year}"""),
    "text": english.lines("""
        tell | {a sad story|the truth|us about the war|of a long journey}
        begin | {with a storm|with a lie|in a small village}
        lie | {on the desk|open on the table|in the drawer}
        end | {too soon|with a wedding|without an answer}"""),
}
# class of the subject: verb, class of the object
TRANSITIVE: dict[str, list[tuple[str, str]]] = {
    "person": [
        ("see", "person"), ("help", "person"), ("know", "person"), ("visit", "person"),
        ("invite", "person"), ("thank", "person"), ("call", "person"), ("follow", "person"),
        ("like", "person"), ("love", "person"), ("teach", "person"), ("remember", "person"),
        ("feed", "animal"), ("watch", "animal"), ("like", "animal"), ("find", "animal"),
        ("catch", "animal"), ("draw", "animal"), ("hear", "animal"),
        ("eat", "food"), ("buy", "food"), ("cook", "food"), ("share", "food"), ("sell", "food"),
        ("find", "object"), ("buy", "object"), ("lose", "object"), ("repair", "object"),
        ("hide", "object"), ("carry", "object"), ("clean", "object"), ("steal", "object"),
        ("bring", "object"), ("need", "object"), ("sell", "object"), ("break", "object"),
        ("read", "text"), ("write", "text"), ("forget", "text"), ("burn", "text"),
        ("drive", "vehicle"), ("miss", "vehicle"), ("paint", "vehicle"), ("stop", "vehicle"),
    ],
    "animal": [
        ("chase", "animal"), ("watch", "animal"), ("hear", "person"), ("follow", "person"),
        ("bite", "person"), ("steal", "food"), ("eat", "food"), ("smell", "food"),
        ("like", "person"), ("see", "animal"), ("wake", "person"), ("break", "object"),
    ],
    "object": [("belong to", "person"), ("please", "person"), ("surprise", "person")],
    "vehicle": [("wait for", "person"), ("pass", "vehicle"), ("carry", "person")],
    "text": [("surprise", "person"), ("please", "person"), ("bore", "person")],
    "food": [("please", "person"), ("belong to", "person")],
}  # fmt: skip
STATIVE = frozenset(
    english.words("""know, like, love, need, belong, belong to, live, cost, smell, taste, hear, see,
    please, surprise, bore, remember, disappear, look, forget""")
)
TENSES = (
    "present",
    "past",
    "past",
    "future",
    "progressive",
    "past progressive",
    "perfect",
    "modal",
)
LINKS = ("and", "but", "so", "while", "because", "because", "when")
RELATIVE_DEPTH = 2


@dataclass(frozen=True)
class Thing:
    """Somebody or something a sentence is about."""

    noun: str
    kind: str
    plural: bool
    pronoun: str
    text: str

    @property
    def definite(self) -> str:
        """Return the short second mention, such as "the dogs"."""
        return f"the {english.plural(self.noun) if self.plural else self.noun}"


def thing(scope: Scope, kind: str) -> Thing:
    """Return a new person, animal or thing of the kind, with number, gender and a description."""
    noun = scope.fresh(NOUNS[kind])
    plural = scope.chance(0.35)
    shown = english.plural(noun) if plural else noun
    if scope.chance(0.4) and " " not in noun:
        shown = f"{scope.pick(ADJECTIVES[kind])} {shown}"
    return Thing(noun, kind, plural, _pronoun(scope, noun, kind, plural),
                 _determined(scope, shown, plural))  # fmt: skip


def _pronoun(scope: Scope, noun: str, kind: str, plural: bool) -> str:
    """Return he, she, it or they."""
    if plural:
        return "they"
    if kind != "person":
        return "it"
    if noun in people.FEMALE_NOUNS:
        return "she"
    return "he" if noun in people.MALE_NOUNS else scope.pick(("he", "she"))


def _determined(scope: Scope, shown: str, plural: bool) -> str:
    """Return the noun with an article or a number."""
    if not plural:
        return f"{scope.pick(('the', 'the', 'a~'))} {shown}"
    return f"{scope.pick(('the', 'the', 'two', 'three', 'some', 'many'))} {shown}"


def noun_phrase(scope: Scope, kind: str, tense: str, depth: int = 0) -> tuple[Thing, str]:
    """Return a thing and its full description, which may hold a relative clause."""
    subject = thing(scope, kind)
    if depth >= RELATIVE_DEPTH or not scope.chance(0.3 - 0.15 * depth):
        return subject, subject.text
    return subject, f"{subject.text} {relative(scope, subject, tense, depth + 1)}"


def relative(scope: Scope, head: Thing, tense: str, depth: int) -> str:
    """Return a relative clause about the head: it agrees with the head, not with its neighbour."""
    pronoun = "who" if head.kind == "person" else "that"
    if scope.chance(0.25):
        other, described = noun_phrase(scope, "person", "past", RELATIVE_DEPTH)
        choices = [verb for verb, kind in TRANSITIVE["person"] if kind == head.kind]
        return f"that {described} {english.conjugate(scope.pick(choices), 'past', other.plural)}"
    return f"{pronoun} {predicate(scope, head, _told(tense), depth)}"


def predicate(scope: Scope, subject: Thing, tense: str, depth: int = 0) -> str:
    """Return a verb phrase that agrees with the subject."""
    negated = scope.chance(0.12)
    if scope.chance(0.15) and subject.kind != "text":
        adjective = scope.pick(ADJECTIVES[subject.kind])
        return f"{english.conjugate('be', _calm(tense), subject.plural, negated)} {adjective}"
    if scope.chance(0.45):
        verb, _, rest = scope.fresh(INTRANSITIVE[subject.kind]).partition(" | ")
        return f"{_verb(verb, tense, subject.plural, negated)} {scope.say(rest)}"
    verb, kind = scope.pick(TRANSITIVE[subject.kind])
    _, described = noun_phrase(scope, kind, tense, depth + 1)
    return f"{_verb(verb, tense, subject.plural, negated)} {described}"


def _told(tense: str) -> str:
    """Return the tense of a relative clause: past beside the past, present beside all others."""
    return "past" if "past" in tense else "present"


def _calm(tense: str) -> str:
    """Return the plain tense that replaces a progressive one."""
    return {"progressive": "present", "past progressive": "past"}.get(tense, tense)


def _verb(verb: str, tense: str, plural: bool, negated: bool) -> str:
    """Return the verb in the tense; verbs of state have no progressive form."""
    head, space, particle = verb.partition(" ")
    tense = _calm(tense) if verb in STATIVE else tense
    return english.conjugate(head, tense, plural, negated) + space + particle


def subject_kind(scope: Scope) -> str:
    """Return the kind of thing a sentence is about, mostly people and animals."""
    return scope.pick(("person",) * 6 + ("animal",) * 4 + ("object", "vehicle", "text", "food"))


def sentence(scope: Scope, tense: str) -> str:
    """Return one sentence in the tense, often of two clauses about the same subject."""
    subject, described = noun_phrase(scope, subject_kind(scope), tense)
    first = f"{described} {predicate(scope, subject, tense)}"
    if scope.chance(0.45):
        return first + "."
    link = scope.pick(LINKS[:3] if tense in ("future", "modal", "perfect") else LINKS)
    second = f"{subject.pronoun} {predicate(scope, subject, tense, RELATIVE_DEPTH)}"
    if scope.chance(0.3) and link not in LINKS[:3]:
        opener = scope.pick(("when", "because", "although", "while"))
        return f"{opener} {first}, {second}."
    return f"{first}, {link} {second}." if link in ("and", "but", "so") else (
        f"{first} {link} {second}.")  # fmt: skip


def question(scope: Scope) -> str:
    """Return a yes/no question and the short answer that agrees with it."""
    subject = thing(scope, scope.pick(("person", "animal")))
    tense = scope.pick(("present", "past", "progressive", "future"))
    verb, _, rest = scope.fresh(INTRANSITIVE[subject.kind]).partition(" | ")
    if verb in STATIVE:
        tense = _calm(tense)
    helper = {"present": "do" if subject.plural else "does", "past": "did", "future": "will",
              "progressive": "are" if subject.plural else "is"}[tense]  # fmt: skip
    form = english.ing(verb) if tense == "progressive" else verb
    yes = scope.pick((f"Yes, {subject.pronoun} {helper}.", f"No, {subject.pronoun} {helper} not."))
    return f"{helper} {subject.definite} {form} {scope.say(rest)}? {yes}"


def comparison(scope: Scope) -> str:
    """Return a comparison of two things of one kind, with its consequence kept consistent."""
    kind = scope.pick(("person", "animal", "object", "vehicle"))
    low, high = (scope.fresh(NOUNS[kind]) for _ in range(2))
    adjective = scope.pick(("old", "young", "small", "tall", "fast", "slow", "quiet", "strong"))
    more = adjective + ("r" if adjective.endswith("e") else "er")
    if scope.chance(0.5):
        return f"the {high} is {more} than the {low}."
    return f"the {low} is {adjective}, but the {high} is even {more}."
