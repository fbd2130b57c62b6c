"""Preferences, advice, interviews, news, places, habits and dreams."""

from .. import clauses
from ..english import lines
from ..rules import cast, paragraph
from ..scope import Scope
from .opinions import CLOSE_CON, CLOSE_PRO, OPENERS, choose_topic, predicate, state

PREFER = lines("""
    I like {x} better than {y}, because {x_} {p}.
    If I had to choose between {x} and {y}, I would choose {x}.
    {A} prefers {x} to {y}. {B} sees it the other way round.
    Most of my friends like {y}, but I prefer {x}.
    For me {x} {is_x} more important than {y}.""")
PREFER_WHY = lines("""
    I think {x} {p}.
    {x} {p}, while {y} {q}.
    My {kin} says that {x} {p}, and that {y} {q}.
    I know that {y} {q}.
    Whoever knows both will agree that {x} {p}.""")
PREFER_END = lines("""
    So my choice is {x}.
    So if you ask me, {x}, not {y}.
    That is why I will always prefer {x} to {y}.
    Of course you may like {y} better, but my choice is {x}.""")
ADVICE_IF = lines("""
    If you are {tired|sad|angry|lonely|worried|bored}, {do}.
    When you cannot sleep, {do}.
    If you want to be happy, {do}.
    If somebody hurts you, {do}.
    Before you {go to bed|make a decision|leave the house|write an angry letter}, {do}.
    If you want to {learn a language|find a friend|save money|live a long life}, {do}.
    When everything goes wrong, {do}.
    If you do not know what to do, {do}.
    My {kin} always said: "{do}, and do not worry." """)
ADVICE_DO = lines("""
    drink a cup of {drink} and {wait|count to ten|think about something else}
    call {a friend|your mother|somebody who listens}
    go for a long walk {in the forest|by the sea|along the river}
    sleep for one night and think about it again in the morning
    write down {what you feel|three good things|your plan}
    do not {lose hope|listen to everyone|shout|wait too long}
    {open a window|turn off the phone|clean the kitchen} first
    ask {an old person|a child|a friend} for advice
    be kind to {others|yourself|people who are weaker than you}
    practise a little every day
    tell the truth, even if it is hard
    eat more {vegetable_s} and less {sugar|meat|chocolate}
    cook {dish} for somebody you like""")
INTERVIEW = lines("""
    What do you think about {X}? | {stance}
    What is your opinion on {X}? | {stance}
    Are you for {X} or against {them}? | {side} {stance}
    How do you feel about {X}? | {stance}
    Do you think that {X} {p}? | Yes, I do. {stance}
    Do you think that {X} {q}? | No, I do not. {stance}""")
NEWS = lines("""
    The government wants to change the law on {X}. The president says that {X} {p}.
    Yesterday {number} thousand people marched through {city=here}. They believe that {X} {p}.
    A new party has been founded in {city=here}. It stands for {X}, because {it} {p}.
    In {city=here} the parliament debated {X} until {midnight|late in the evening|the early \
        morning}.
    According to a new report, {X} {p}.""")
NEWS_MORE = lines("""
    The opposition disagrees: it says that {X} {q}.
    {A}, a~ {job} from {city}, was there. "{X} {p}," {A.he} told our newspaper.
    {B}, the leader of the other party, said that {X} {q}.
    The minister promised that nothing would change before {month}.
    The police counted {number} hundred people, the organisers {number} thousand.
    The unions support the plan, and so do many {job_s}.
    {A} and {B} will meet on {weekday} to talk about {X}.
    The newspapers write about nothing else.
    Nobody knows how much it will cost.""")
NEWS_END = lines("""
    The vote on {X} will take place in {month}.
    A decision about {X} is expected on {weekday}.
    For now, everything stays as it is.
    The debate about {X} will go on.""")
TOWN = lines("""
    {P} is a~ {small|large|quiet|lively|famous|beautiful} {town|city|place} {by the sea|on a \
        river|in the hills}.
    I live in {P}, a~ {small|quiet|lively|beautiful} town {near the mountains|by the sea|on a \
        river}.
    Have you ever been to {P}?
    {A} comes from {P} and talks about it all the time.""")
TOWN_MORE = lines("""
    In the middle of {P} there is a~ {town_place=m}, and next to the {m} there is a~ {town_place=n}.
    One of the oldest houses in {P} is the {building}. It is more than \
        {two|three|four|five|six|seven|eight} hundred years old.
    The people of {P} live on {fishing|tourism|wine|farming|trade}.
    In summer {P} is full of tourists, and in winter it is quiet.
    On {weekday} there is a market where {someone} sells {food_mass} and {vegetable_s}.
    {someone} lives near the {town_place}.
    The {building} of {P} is closed on {weekday}.
    In {P} everybody knows everybody, and everybody knows {A}.
    When it rains in {P}, people sit in the cafe and talk about {topic}.
    From the hill you can see the whole of {P}.""")
TOWN_END = lines("""
    There is no place like {P}.
    I would like to live in {P} for ever.
    {A} says that {P} is the best place in the world.
    If you want to see {P}, come in {month}.""")
HABITS = lines("""
    Every {weekday} I {meet an old friend|go swimming|call my mother|clean the kitchen|read the \
        newspaper}.
    In the morning I drink {drink=d} and eat {food_mass}. Without {d} I cannot {think|work|speak}.
    I work in an office near the {town_place=p}, and I walk past the {p} twice a day.
    After work I enjoy {hobby=h}. I began with {h} {number} years ago.
    Before I fall asleep, I think about {topic}.
    My {kin=k} and I talk on the phone every evening. My {k} always asks what I have eaten.
    When the weather is good, I sit in the garden and watch the {wild_s}.
    Sometimes I meet {someone}.
    I have never {been to Africa|learned to swim|eaten mushrooms|broken a promise}.
    I would like to have a~ {pet=t}, but my flat is too small for a~ {t}.
    I am {shy|patient|curious|stubborn|careful}, but my {kin} says that I am not {shy|brave} \
        enough.""")
DREAM = lines("""
    Last night I dreamed of {someone=s1}.
    I had a strange dream. I stood in front of a~ {town_place} and saw {someone=s1}.
    In my dream I was a~ {job}, and I lived with {creature=s1}.
    {A} told me a dream. In it there was {someone=s1}.""")
DREAM_MORE = lines("""
    Then {creature} came out of a~ {colour} door and spoke about {topic}.
    Everything was {colour}, even the {sky|sea|bread|snow|trees}.
    I wanted to {run|shout|laugh|ask a question}, but I could not move.
    On a table lay {item}. I took it, and it turned into {item}.
    It was raining {fruit_s}, and nobody was surprised.
    {someone} asked me for {item}, but I did not have it.
    I could fly, and below me I saw {city} and the {town_place}.
    My {kin} was there too, and we were looking for {item}.""")
DREAM_END = lines("""
    Then I woke up, and outside it was {raining|snowing|still dark|already light}.
    When I woke up, I was {happy|afraid|confused|hungry}.
    I do not know what it means.
    I would like to dream that again.""")


def enrich(scope: Scope) -> None:
    """Add rules from the recursive grammar: {someone}, {creature}, {item}, and some plurals."""

    def phrase(kind: str) -> "clauses.PhraseRule":
        return lambda s: clauses.noun_phrase(s, kind, "past")[1]

    scope.rules = {
        **scope.rules,
        "someone": phrase("person"),
        "creature": phrase("animal"),
        "item": lambda s: f"a~ {s.rule('colour')} {s.rule('small')}",
        "vegetable_s": lambda s: s.slot("+vegetable"),
        "fruit_s": lambda s: s.slot("+fruit"),
        "job_s": lambda s: s.slot("+job"),
        "wild_s": lambda s: s.slot("+wild"),
    }


def preference(scope: Scope) -> str:
    """Return why the writer likes one thing better than another; the choice never changes."""
    cast(scope, "A", "B")
    category = choose_topic(scope)
    for name, slot, positive in (("x", "p", True), ("y", "q", False)):
        if name == "y":
            choose_topic(scope, category)
        else:
            scope.bound["is_x"] = scope.bound["is"]
            scope.bound["x_"] = scope.bound["it"]
        scope.bound[name] = scope.bound["X"]
        scope.bound[slot] = predicate(scope, positive, category)
    why = [scope.fresh(PREFER_WHY)] if scope.chance(0.8) else []
    return paragraph(scope, scope.fresh(PREFER), *why, scope.fresh(PREFER_END))


def advice(scope: Scope) -> str:
    """Return a few pieces of advice."""
    enrich(scope)
    scope.rules = {**scope.rules, "do": ADVICE_DO}
    return paragraph(scope, *(scope.fresh(ADVICE_IF) for _ in range(scope.rng.randint(2, 5))))


def interview(scope: Scope) -> str:
    """Return questions to one person about a few topics, with answers that keep their side."""
    cast(scope, "A")
    rows = []
    for _ in range(scope.rng.randint(1, 3)):
        category, positive = choose_topic(scope), scope.chance(0.5)
        scope.bound["side"] = "I am for {them}." if positive else "I am against {them}."
        scope.bound["side"] = scope.say(scope.bound["side"])
        ask, _, reply = scope.fresh(INTERVIEW).partition(" | ")
        ask = state(scope, ask, category, positive)
        own = state(scope, scope.fresh(OPENERS[9:14]), category, positive)
        closing = scope.fresh(CLOSE_PRO if positive else CLOSE_CON) if scope.chance(0.4) else ""
        scope.bound["stance"] = f"{own} {state(scope, closing, category, positive)}".strip()
        rows.append(f"Question: {ask}\nAnswer: {scope.say(reply)}")
    return "\n".join(rows)


def news(scope: Scope) -> str:
    """Return a short article about politics with both sides."""
    cast(scope, "A", "B")
    enrich(scope)
    category = choose_topic(scope, scope.pick(("politics", "politics", "money", "society")))
    positive = scope.chance(0.5)
    body = [state(scope, scope.fresh(NEWS), category, positive)]
    body += [
        state(scope, scope.fresh(NEWS_MORE), category, positive)
        for _ in range(scope.rng.randint(1, 4))
    ]
    return " ".join([*body, state(scope, scope.fresh(NEWS_END), category, positive)])


def town(scope: Scope) -> str:
    """Return the description of a town."""
    cast(scope, "A")
    enrich(scope)
    scope.bound["P"] = scope.rule("city")
    return _assembled(scope, TOWN, TOWN_MORE, TOWN_END)


def habits(scope: Scope) -> str:
    """Return what the writer does every day."""
    enrich(scope)
    return paragraph(scope, *(scope.fresh(HABITS) for _ in range(scope.rng.randint(3, 6))))


def dream(scope: Scope) -> str:
    """Return a strange dream."""
    cast(scope, "A")
    enrich(scope)
    return _assembled(scope, DREAM, DREAM_MORE, DREAM_END)


def _assembled(scope: Scope, first: list[str], middle: list[str], last: list[str]) -> str:
    """Return a beginning, some sentences of the middle and an end."""
    body = [scope.fresh(middle) for _ in range(scope.rng.randint(2, 6))]
    return paragraph(scope, scope.fresh(first), *body, scope.fresh(last))


KINDS = {
    "preference": (5, preference),
    "advice": (4, advice),
    "interview": (5, interview),
    "news": (5, news),
    "town": (4, town),
    "habits": (4, habits),
    "dream": (4, dream),
}
