"""Diaries and weather reports: days that follow each other, weather that fits the season."""

from .. import calendars
from ..english import lines
from ..lexicon.nature import WEATHER
from ..rules import cast, paragraph
from ..scope import Scope
from .moods import choose_mood

BY_SEASON = {
    "winter": ("snow", "rain", "fog", "storm", "sun"),
    "spring": ("sun", "rain", "fog", "sun"),
    "summer": ("sun", "heat", "storm", "sun"),
    "autumn": ("rain", "fog", "storm", "sun"),
}
TEMPERATURE = {
    "snow": (-12, 0),
    "rain": (3, 18),
    "fog": (-2, 12),
    "storm": (5, 24),
    "sun": (-8, 29),
    "heat": (28, 38),
}
SUNNY = {"winter": (-8, 8), "spring": (8, 20), "summer": (18, 29), "autumn": (7, 20)}
EVENTS = lines("""
    I met {A} at the {town_place}. We talked about {topic} for {a long time|an hour|two hours}.
    {A} came to visit me and brought {drink} and a~ {food}. {A.he} stayed until {six|nine|ten} \
        o'clock.
    I lost my {small=lost} on the way to the {town_place}. {A} helped me to look for the {lost}.
    I bought a~ {colour} {possession} for {A}. {A.he} does not know it yet.
    In the afternoon I went to the {town_place} with {A}. {A.he} was {tired|happy|very \
        quiet|hungry}.
    I wrote a letter to {A}. I told {A.him} about {topic} and about my {kin}.
    {A} called me from {city}. {A.he} has a new job there and a small flat near the {town_place}.
    My {kin} cooked {food_mass}. {A} ate with us and asked for more.
    At work I made a mistake. {A} noticed it, but {A.he} said nothing.
    I read a~ {text} about {topic} and fell asleep over it.
    {A} and I cleaned the kitchen. Then we played {chess|cards} and {A.he} won.
    I started to learn the {instrument}. {A} says that I need more practice.
    {A} told me that {A.he} is in love. I was not surprised.
    We planted {vegetable=veg} seeds in the garden. {A} loves every {veg}.
    I dreamed of a~ {wild}. It sat on the bed and spoke with the voice of {A}.""")
PLANS = lines("""
    Tomorrow I will {call|visit|write to} {A}.
    I hope that {A} comes again {tomorrow|on Sunday|soon}.
    I will tell {A} everything tomorrow.
    Before I went to bed I thought of {A}.
    I want to thank {A} for this day.
    Good night.
    Now I am tired, and {A} is surely asleep.""")
OUTLOOK = lines("""
    Take an umbrella with you.
    A good day for {the garden|a walk|long books|the beach|museums|soup}.
    Drivers should be careful.
    People in the {hills|mountains|valleys} should stay at home.
    The farmers {are pleased|are worried|have waited for this}.""")


def diary(scope: Scope) -> str:
    """Return one to four diary entries on days in order, about the same friend."""
    cast(scope, "A")
    day = calendars.any_day(scope.rng)
    entries = []
    for _ in range(scope.rng.randint(1, 4)):
        entries.append(_entry(scope, day))
        day = day.later(scope.rng.randint(1, 3))
    return "\n".join(entries)


def _entry(scope: Scope, day: calendars.Day) -> str:
    """Return the diary entry of one day."""
    scope.bound["D"] = day.full
    choose_mood(scope, scope.pick(BY_SEASON[day.season]))
    then = "{then}"
    feeling = scope.fresh(
        lines("""
        I am feeling {mood}.
        I am feeling {mood} today, because {cause}.
        I feel {mood} and {say}.
        I was {mood} all day: {cause}.
        All day I felt {mood}. {did}.
        I am feeling like a~ {sky} {day} and {say}.""")
    )
    events = [scope.fresh(EVENTS) for _ in range(scope.rng.randint(1, 3))]
    opening = [f"{{D}}. {then}.", feeling]
    return paragraph(scope, *opening, *events, scope.fresh(PLANS))


def degrees(value: int) -> str:
    """Return for example "12 degrees" or "minus 3 degrees"."""
    return f"{'minus ' if value < 0 else ''}{abs(value)} degree{'' if abs(value) == 1 else 's'}"


def report(scope: Scope) -> str:
    """Return a weather report for some days in one city; each temperature follows from the last."""
    day, city = calendars.any_day(scope.rng), scope.rule("city")
    kind = scope.pick(BY_SEASON[day.season])
    value = scope.rng.randint(*TEMPERATURE[kind])
    if kind == "sun":
        value = scope.rng.randint(*SUNNY[day.season])
    then, adjective = _sky(scope, kind)
    parts = [
        f"Weather in {city}, {day.full}. A~ {adjective} day: {then}. "
        f"The temperature was {degrees(value)}."
    ]
    for _ in range(scope.rng.randint(1, 4)):
        day = day.later(1)
        change = scope.rng.randint(1, 5) * scope.pick((-1, 1))
        value += change
        kind = scope.pick(_fitting(day.season, value))
        then, adjective = _sky(scope, kind)
        parts.append(
            f"On {day.weekday}, {day.short}, it was {adjective} and {then}. It was "
            f"{degrees(change) if change > 0 else degrees(-change)} "
            f"{'warmer' if change > 0 else 'colder'}, so {degrees(value)}."
        )
    parts.append(scope.say(scope.fresh(OUTLOOK)))
    if scope.chance(0.4):
        parts.append(f"This was the weather in {city} from us for you.")
    return " ".join(parts)


def _fitting(season: str, value: int) -> list[str]:
    """Return the kinds of weather that go with the season and the temperature."""
    kinds = [
        kind for kind in BY_SEASON[season] if TEMPERATURE[kind][0] <= value <= TEMPERATURE[kind][1]
    ]
    return kinds or ["sun"]


def _sky(scope: Scope, kind: str) -> tuple[str, str]:
    """Return what the sky did and an adjective for the day."""
    weather = WEATHER[kind]
    return scope.say(scope.fresh(weather["past"])), scope.pick(weather["adjective"])


KINDS = {"diary": (8, diary), "weather": (5, report)}
