"""Opinions: essays that keep their stance, surveys that are summed up, lists of remarks."""

import re

from .. import english
from ..english import lines, listing
from ..lexicon.opinions import CON, CON_ANY, CON_TAILS, PRO, PRO_ANY, PRO_TAILS, TOPICS
from ..rules import cast, paragraph
from ..scope import Scope

FIRST_PERSON = re.compile(r"\b(me|my|I)\b")
PREDICATE_TRIES = 12
OPENERS = lines("""
    My opinion on {X} is that {it} {p1}.
    My opinion on {X} is that {X} {p1}.
    My opinion about {X} is that {it} {p1}.
    My opinion on {X} is {simple|clear|not very popular|quickly told}: {it} {p1}.
    I think {X} {p1}.
    I think {X} {p1}, because {it} {p2}.
    I think that {X} {p1}.
    I {really|still|honestly|often} think {X} {p1}.
    In my opinion, {X} {p1}.
    To my mind, {X} {p1}.
    I believe that {X} {p1}.
    If you ask me, {X} {p1}.
    My view of {X} is that {it} {p1}.
    My {first|honest|personal} thought about {X} is that {it} {p1}.
    People often ask me what I think about {X}. My answer is that {it} {p1}.
    Everybody talks about {X} {these days|at the moment|nowadays}. I think {it} {p1}.
    What do I think about {X}? I think {it} {p1}.
    There is one thing that I know about {X}: {it} {p1}.
    For {many|ten|twenty} years I have thought about {X}, and today I am sure that {it} {p1}.
    {name}'s opinion on {X} is that {it} {p1}. I agree.
    I feel that {X} {p1}.
    We should be honest about {X}: {it} {p1}.""")
ARGUMENTS = lines("""
    First of all, {it} {p}.
    It is {simple|easy to see}: {X} {p}.
    Besides, {it} {p}.
    Another reason is that {it} {p}.
    It is also true that {X} {p}.
    Nobody can deny that {X} {p}.
    I have seen with my own eyes that {it} {p}.
    My {kin} {says|often says|always says} that {it} {p}, and I agree.
    "{X} {p}," {name} told me {last week|last year|yesterday}, and that is {true|my view}.
    History shows that {X} {p}.
    What is more, {it} {p}.
    Most important of all, {X} {p}.
    I also think that {it} {p}.
    In {city}, where I {lived for some years|used to work|went to school}, people know that {X} {p}.
    Every {day|week|year} I see again that {it} {p}.
    You only have to {look around|read the news|talk to your neighbours} to see that {X} {p}.
    And let us not forget that {it} {p}.
    Because {X} {p}, many people {think as I do|agree with me|feel the same}.""")
COUNTERS = lines("""
    Of course, some people say that {it} {q}, but I do not agree.
    My {kin} thinks that {X} {q}. We often argue about it, but I have not changed my mind.
    I know that {X} sometimes {q}, but that is not the whole story.
    It may be true that {it} {q}, but that is only one side of it.
    {WHO} of {X} say that {it} {q}. They are {wrong|mistaken|not convincing}.
    When people tell me that {X} {q}, I {smile and shake my head|ask for proof|listen politely}.
    Although {it} {q} now and then, I stay with my opinion.
    Others believe that {X} {q}, and I {respect|understand} that, but I see it differently.""")
CLOSE_PRO = lines("""
    That is why I am in favour of {X}.
    So I am for {X}, and I will not change my mind.
    For all these reasons I {support|defend} {X}.
    All in all, {X} {p}.
    In short, {X} {does} more good than harm.
    I would not want to live without {X}.
    So let us {say yes to|stand up for} {X}.
    To sum up, I have a {good|high|very good} opinion of {X}.""")
CLOSE_CON = lines("""
    That is why I am against {X}.
    So I am against {X}, and I will not change my mind.
    For all these reasons I {reject|do not support} {X}.
    All in all, {X} {p}.
    In short, {X} {does} more harm than good.
    I could {easily|happily} live without {X}.
    So let us {say no to|be careful with} {X}.
    To sum up, I have a {bad|low|very low} opinion of {X}.""")
STORIES = lines("""
    When I was a child, nobody in my family talked about {X}.
    Last {week|month|year|summer} I {read a book|heard a lecture|saw a film} about {X} in {city}.
    My {kin} and I talked about {X} for {two|three} hours at {breakfast|dinner|the station}.
    I remember a {long evening|quiet night|hot afternoon} in {city} when we spoke only about {X}.
    A~ {job} from {city} once asked me about {X} {on the train|at a party|on the bus}.
    I did not always think so. Years ago I had no opinion on {X} at all.""")
PHRASES = lines("""
    {N} thinks that {X} {p}.
    {N} says that {X} {p}.
    In {N}'s opinion, {X} {p}.
    {N} believes that {X} {p}.
    According to {N}, {X} {p}.
    "I think {X} {p}," says {N}.
    {N} is sure that {X} {p}.""")


def choose_topic(scope: Scope, category: str = "") -> str:
    """Bind a topic as {X} with its agreement, and return its category."""
    category = category or scope.pick(
        (*TOPICS, "politics", "politics", "love", "love", "values", "money")
    )
    singular, plural = TOPICS[category]
    if scope.chance(0.7):
        scope.speak_of(scope.fresh(singular), False)
    else:
        scope.speak_of(scope.fresh(plural), True)
    return category


def predicate(scope: Scope, positive: bool, category: str, own: bool = False) -> str:
    """Return a predicate of one stance for the current subject.

    The writer's own opinion may speak of "me" and may have a tail; what others think may not.
    """
    table, anyhow = (PRO, PRO_ANY) if positive else (CON, CON_ANY)
    for _ in range(PREDICATE_TRIES):
        text = scope.say(scope.fresh(anyhow if scope.chance(0.2) else table[category]))
        if own or not FIRST_PERSON.search(text):
            break
    if not own or not scope.chance(0.2):
        return text
    end = scope.say(scope.fresh(PRO_TAILS if positive else CON_TAILS))
    return text + ("" if end.startswith(",") else " ") + end


def state(scope: Scope, template: str, category: str, positive: bool) -> str:
    """Return the template with predicates {p}, {p1}, {p2} of one stance and {q} of the other."""
    own, other = (PRO, CON) if positive else (CON, PRO)
    for slot, table in (("p", own), ("p1", own), ("p2", own), ("q", other)):
        if f"{{{slot}}}" in template:
            scope.bound[slot] = predicate(scope, table is PRO, category, slot in ("p1", "p2"))
    scope.bound["WHO"] = scope.pick(
        ("Critics", "Opponents", "Enemies") if positive else ("Supporters", "Friends", "Defenders")
    )
    return scope.say(template)


def essay(scope: Scope) -> str:
    """Return an essay about one topic whose stance does not change from start to end."""
    category, positive = choose_topic(scope), scope.chance(0.5)
    parts = [state(scope, scope.fresh(OPENERS), category, positive)]
    if scope.chance(0.3):
        parts.append(scope.say(scope.fresh(STORIES)))
    for _ in range(scope.rng.randint(2, 6)):
        parts.append(state(scope, scope.fresh(ARGUMENTS), category, positive))
        if scope.chance(0.3):
            parts.append(state(scope, scope.fresh(COUNTERS), category, positive))
    closing = CLOSE_PRO if positive else CLOSE_CON
    parts.append(state(scope, scope.fresh(closing), category, positive))
    return " ".join(parts)


def remarks(scope: Scope) -> str:
    """Return a handful of short opinions on different things by one speaker."""
    parts = []
    for _ in range(scope.rng.randint(2, 6)):
        category, positive = choose_topic(scope), scope.chance(0.5)
        parts.append(state(scope, scope.fresh(OPENERS), category, positive))
        if scope.chance(0.4):
            closing = CLOSE_PRO if positive else CLOSE_CON
            parts.append(state(scope, scope.fresh(closing), category, positive))
    return "\n".join(parts) if scope.chance(0.4) else " ".join(parts)


def survey(scope: Scope) -> str:
    """Return what several people think of one topic, and who is for it and who against."""
    category = choose_topic(scope)
    roles = ["A", "B", "C", "D"][: scope.rng.randint(2, 4)]
    cast(scope, *roles)
    sides: dict[bool, list[str]] = {True: [], False: []}
    size = english.number_word(len(roles))
    parts = [scope.say(f"We asked {size} people what they think about {{X}}.")]
    for role in roles:
        positive, name = scope.chance(0.5), scope.bound[role]
        scope.bound["N"] = name
        parts.append(state(scope, scope.fresh(PHRASES), category, positive))
        sides[positive].append(name)
    parts += [
        recap(names, scope.say(f"{word} {{X}}"))
        for names, word in ((sides[True], "for"), (sides[False], "against"))
        if names
    ]
    return " ".join(parts)


def recap(names: list[str], stance: str) -> str:
    """Return "Anna and Ben are for taxes."."""
    return f"{listing(names)} {'is' if len(names) == 1 else 'are'} {stance}."


def debate(scope: Scope) -> str:
    """Return a dispute of two people who keep to their sides."""
    category = choose_topic(scope)
    cast(scope, "A", "B")
    opening = (
        "{A} and {B} {often|always} argue about {X}. {A} is for {them}, {B} is against {them}."
    )
    parts = [scope.say(opening)]
    for turn in range(scope.rng.randint(3, 7)):
        scope.bound["N"] = scope.bound["AB"[turn % 2]]
        says = scope.pick(('"{X} {p}," says {N}.', '"{It} {p}," {N} {answers|replies|insists}.'))
        scope.bound["It"] = scope.bound["it"]
        parts.append(state(scope, says, category, positive=turn % 2 == 0))
    ending = scope.fresh(
        lines("""
        In the end {A} is still for {X} and {B} is still against {them}.
        They do not agree about {X}, but they stay friends.
        When {B} leaves, {A} still supports {X}.
        {A} laughs, {B} laughs too, and they talk about {food_mass} instead of {X}.""")
    )
    return " ".join([*parts, scope.say(ending)])


def thoughts(scope: Scope) -> str:
    """Return a short paragraph about one topic in the form "X is ..., X is ..."."""
    category, positive = choose_topic(scope, scope.pick(("love", "values", "love", "nature"))), True
    forms = lines("""
        {X} {p1}.
        {X} {p1}, and {it} {p2}.
        For me, {X} {p1}.
        I think {X} {p1}, and I think {it} {p2}.
        I think {X} {p1}.
        {Some say that|People say that|Everyone knows that|The poets say that} {X} {p1}.
        Sometimes {X} {p1}, but more often {it} {p2}.
        Without {X}, {the world would be a colder place|life would be poor|we would be lost}.
        When I think of {X}, I think of {my grandmother|the sea|home|you|long summers}.""")
    parts = [
        state(scope, scope.fresh(forms), category, positive) for _ in range(scope.rng.randint(2, 5))
    ]
    return paragraph(scope, *parts)


KINDS = {
    "essay": (9, essay),
    "remarks": (7, remarks),
    "survey": (3, survey),
    "debate": (3, debate),
    "thoughts": (3, thoughts),
}
