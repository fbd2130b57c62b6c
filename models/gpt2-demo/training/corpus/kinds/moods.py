"""Feelings, often likened to the weather."""

from ..english import lines
from ..lexicon.feelings import MOODS
from ..lexicon.nature import MOOD_OF_WEATHER, SKY_NOUNS, WEATHER
from ..rules import cast, paragraph
from ..scope import Scope

OPENERS = lines("""
    I am feeling like {a~ |a~ |}{sky} {day} and {say}.
    I am feeling like {a~ |a~ |}{sky} {day} and {say}, because {cause}.
    I am feeling like a~ {sky} {day}, and {say}.
    I am feeling like {weather_thing} and {say}.
    I am feeling like {like} and {say}.
    I feel like {like}, and {say}.
    Today I am like {like}: {say}.
    I feel like {a~ |a~ |a~ |}{sky} {day} and {say}.
    Today I feel like a~ {sky} {day}, and {say}.
    My mood is like a~ {sky} {day}: {say}.
    I am feeling {mood} and {say}.
    I am feeling {mood} today, because {cause}.
    I am feeling {mood} and {mood} {today|this morning|tonight|again|at the moment}, and {say}.
    I feel {mood}. It is {sky} outside, {now} and {say}.
    It is a~ {sky} {day} and I am feeling {mood}.
    It is a~ {sky} {day}, {now} and {say}.
    I woke up {early|late|at six|at seven} this morning and felt {mood}, because {cause}.
    Why am I so {mood}? {cause}, and {say}.
    {cause}. Since then I am feeling {mood} and {say}.""")
MIDDLES = lines("""
    {say}.
    {say}, and {say}.
    {now}, and {say}.
    {cause}, and so {say}.
    Outside {now}.
    I am like {like}.
    I feel like {like}.
    My heart is like {like}.
    I have felt like this {before|since Monday|for weeks|all week}.
    I told {name} about it. {name} said that {everyone has such days|it was only the weather}.
    It is {mood_noun}, I think.
    My {kin} {asks me|wonders} why I am so {mood}. The reason is that {cause}.
    When I think about it, {say}.
    {Yesterday|Last night|Last week} {did}.
    In the {morning|evening} {did}.
    This {mood_noun} {came without a warning|has its reasons|fills the whole room|is new to me}.
    The {weather_thing} outside is like the {mood_noun} inside me.""")
CLOSINGS = lines("""
    That is how I feel on {a~ |this }{sky} {day}.
    So I am {mood}, and {say}.
    Maybe tomorrow {will be different|I will know more|I will feel the same|will be another day}.
    {now}, and I am still {mood}.
    And so the {sky} {day} goes on.
    I write this down because {writing helps|nobody else is here|I want to remember it}.""")
THIRD = lines("""
    {A} feels like a~ {sky} {day}.
    {A} is {mood} today, because {A.his} {kin} {is not at home|has gone away|has come to visit}.
    "I am feeling like {a~ |}{sky} {day} and {say}," says {A}.
    {A} feels like {like}.
    "I feel like {like}," says {A}.
    {A} is sitting {by the window|in the kitchen|on the stairs|in the garden} and feels {mood}.""")


def choose_mood(scope: Scope, weather: str = "") -> bool:
    """Bind rules for a kind of weather and its mood; return whether the mood is good."""
    weather = weather or scope.pick((*WEATHER, "sun", "sun", "rain"))
    sky, mood = WEATHER[weather], MOODS[MOOD_OF_WEATHER[weather]]
    scope.rules = {
        **scope.rules,
        "sky": sky["adjective"],
        "now": sky["present"],
        "then": sky["past"],
        "weather_thing": sky["thing"],
        "day": SKY_NOUNS,
        "mood": mood["adjective"],
        "mood_noun": mood["noun"],
        "say": mood["say"],
        "cause": mood["cause"],
        "did": mood["past"],
        "like": mood["like"],
    }
    return MOOD_OF_WEATHER[weather] == "high"


def monologue(scope: Scope) -> str:
    """Return a first-person account of one mood."""
    choose_mood(scope)
    middles = [scope.fresh(MIDDLES) for _ in range(scope.rng.randint(0, 6))]
    closing = [scope.fresh(CLOSINGS)] if scope.chance(0.6) else []
    return paragraph(scope, scope.fresh(OPENERS), *middles, *closing)


GLAD_REPLIES = lines("""
    "I am glad to hear that," says {B}. "You deserve it."
    "How nice," says {B}. "Let us celebrate with a cup of {drink}."
    "That is good news," says {B} and smiles.""")
SORRY_REPLIES = lines("""
    "I am sorry to hear that," says {B}. "Can I help you?"
    "Oh dear," says {B}. "Come and have a cup of {drink} with me."
    "It will pass," says {B} and puts an arm around {A.him}.""")
ASKING = lines("""
    "How are you, {A}?" asks {B}.
    "How are you feeling today, {A}?" asks {B}.
    {B} meets {A} at the {town_place} and asks {A.him} how {A.he} is.
    "What is the matter, {A}?" asks {B}.""")
ANSWERS = lines("""
    "I am feeling like a~ {sky} {day} and {say}," says {A}.
    "I am feeling {mood}," says {A}. "{cause}."
    "I feel {mood}, and {say}," answers {A}.""")


def how_are_you(scope: Scope) -> str:
    """Return a short talk about how somebody feels, and the friend's answer to it."""
    high = choose_mood(scope)
    cast(scope, "A", "B")
    reply = scope.fresh(GLAD_REPLIES if high else SORRY_REPLIES)
    ask, answer = scope.fresh(ASKING), scope.fresh(ANSWERS)
    return paragraph(scope, ask, answer, reply, "{A} {nods|smiles a little|looks up}.")


def portrait(scope: Scope) -> str:
    """Return a few sentences about somebody else's mood."""
    choose_mood(scope)
    cast(scope, "A", "B")
    rest = scope.fresh(
        lines("""
        Outside {now}, and {A.he} looks out of the window. "{say}," {A.he} says to {A.self}.
        {A.he} thinks: "{cause}." Then {A.he} thinks: "{say}."
        {A.his} friends know that {A.he} is {mood}, because {A.he} told {B} about it.
        Last night {then}. Now {A.he} is {mood} and {mood}.""")
    )
    return paragraph(scope, scope.fresh(THIRD), rest, scope.pick(("", "So {A} is {mood}.")))


KINDS = {"monologue": (10, monologue), "how_are_you": (3, how_are_you), "portrait": (2, portrait)}
