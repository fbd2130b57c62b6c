"""Numbers: sums, prices, sequences, calendars, ages and lists, all of them right."""

from .. import calendars
from ..english import count, listing, number_word, plural
from ..lexicon.nature import MONTHS, WEEKDAYS
from ..lexicon.people import JOBS
from ..lexicon.things import FRUIT, SHOP_ITEMS, SMALL_THINGS, TOWN_PLACES, VEGETABLES
from ..rules import cast
from ..scope import Scope

LISTED = {
    "kinds of fruit": FRUIT,
    "vegetables": VEGETABLES,
    "jobs": JOBS,
    "months": MONTHS,
    "days of the week": WEEKDAYS,
    "places in a town": TOWN_PLACES,
    "things in an old box": SMALL_THINGS,
}


def dollars(value: int) -> str:
    """Return "1 dollar" or "7 dollars"."""
    return f"{value} dollar{'' if value == 1 else 's'}"


def shopping(scope: Scope) -> str:
    """Return a purchase: the prices, their sum and the change."""
    cast(scope, "A")
    names = scope.rng.sample(list(SHOP_ITEMS), scope.rng.randint(2, 4))
    prices = [scope.rng.randint(*SHOP_ITEMS[name]) for name in names]
    total = sum(prices)
    paid = next(note for note in (5, 10, 20, 50, 100, 200, 500) if note >= total)
    parts = [
        scope.say("{A} goes to the {shop|market|town} and buys ")
        + listing([f"a~ {name}" for name in names])
        + "."
    ]
    parts += [
        f"The {name} costs {dollars(price)}." for name, price in zip(names, prices, strict=True)
    ]
    parts.append(f"Together that is {dollars(total)}.")
    if paid > total:
        parts.append(
            scope.say(f"{{A}} pays with {dollars(paid)} and gets {dollars(paid - total)} back.")
        )
    if scope.chance(0.5):
        asked = scope.rng.randrange(len(names))
        parts.append(f"How much was the {names[asked]}? It was {dollars(prices[asked])}.")
    return " ".join(parts)


def sums(scope: Scope) -> str:
    """Return a few sums in figures or in words."""
    parts = []
    for _ in range(scope.rng.randint(3, 8)):
        one, two = scope.rng.randint(1, 20), scope.rng.randint(1, 20)
        if scope.chance(0.4):
            one, two = max(one, two), min(one, two)
            word, result = "minus", one - two
        else:
            word, result = "plus", one + two
        shown = (str, number_word)[scope.chance(0.5)]
        parts.append(f"{shown(one)} {word} {shown(two)} is {shown(result)}.")
    return " ".join(parts)


def had_and_got(scope: Scope) -> str:
    """Return a small word problem and its result."""
    cast(scope, "A", "B")
    noun, one, two = scope.rule("fruit"), scope.rng.randint(2, 12), scope.rng.randint(1, 9)
    if scope.chance(0.5):
        told = f"{{A}} has {count(one, noun)}. {{B}} gives {{A.him}} {number_word(two)} more."
        left = one + two
    else:
        one = one + two
        told = f"{{A}} has {count(one, noun)}. {{A.he}} gives {number_word(two)} of them to {{B}}."
        left = one - two
    asked = f"How many {plural(noun)} does {{A}} have now? {{A.he}} has {count(left, noun)}."
    return scope.say(f"{told} {asked}")


def counting(scope: Scope) -> str:
    """Return numbers counted up or down in even steps, with a remark on the step."""
    step, start = scope.pick((1, 1, 2, 2, 3, 5, 10)), scope.rng.randint(0, 20)
    numbers = [start + step * i for i in range(scope.rng.randint(6, 14))]
    if scope.chance(0.3):
        numbers.reverse()
    shown = (
        [str(n) for n in numbers]
        if max(numbers) > 40 or scope.chance(0.5)
        else [number_word(n) for n in numbers]
    )
    opener = scope.pick(("Let us count: ", "The numbers are ", "The child counts: ", ""))
    how = "one by one" if step == 1 else f"in steps of {number_word(step)}"
    return f"{opener}{', '.join(shown)}. That was counting {how}."


def week(scope: Scope) -> str:
    """Return what somebody does on the days of a week, in order, then a question about one."""
    cast(scope, "A")
    start = scope.rng.randrange(7)
    days = [WEEKDAYS[(start + i) % 7] for i in range(scope.rng.randint(3, 6))]
    places = scope.rng.sample(TOWN_PLACES, len(days))
    parts = [
        scope.say(f"On {day} {{A}} {{goes|walks|has to go}} to the {place}.")
        for day, place in zip(days, places, strict=True)
    ]
    asked = scope.rng.randrange(len(days))
    parts.append(
        scope.say(
            f"When does {{A}} go to the {places[asked]}? {{A.he}} goes there on {days[asked]}."
        )
    )
    return " ".join(parts)


def dates(scope: Scope) -> str:
    """Return statements about weekdays and dates that follow from each other."""
    day = calendars.any_day(scope.rng)
    parts = [f"Today is {day.full}."]
    for _ in range(scope.rng.randint(2, 4)):
        gap = scope.rng.randint(1, 9)
        other = day.later(gap)
        parts.append(
            scope.pick(
                (
                    f"Tomorrow is {day.later(1).full}.",
                    f"Yesterday was {day.later(-1).full}.",
                    f"{calendars.in_days(gap)} it will be {other.full}.",
                    f"The month after {day.month} is {MONTHS[day.date.month % 12]}.",
                    f"If today is {day.weekday}, then the day after tomorrow is "
                    f"{day.later(2).weekday}.",
                )
            )
        )
    return " ".join(dict.fromkeys(parts))


def ages(scope: Scope) -> str:
    """Return the ages of two people told through each other."""
    cast(scope, "A", "B")
    low, gap = scope.rng.randint(5, 60), scope.rng.randint(1, 20)
    years, high = scope.rng.randint(2, 10), low + gap
    unit = "year" if gap == 1 else "years"
    parts = [
        f"{{A}} is {low} years old.",
        f"{{B}} is {number_word(gap)} {unit} older than {{A}}, so {{B}} is {high}.",
        f"{calendars.in_days(years).replace('day', 'year')} {{A}} will be {low + years} "
        f"and {{B}} will be {high + years}.",
    ]
    return scope.say(" ".join(parts[: scope.rng.randint(2, 3)]))


def lists(scope: Scope) -> str:
    """Return a numbered list of things of one kind and how many they are."""
    title = scope.pick(list(LISTED))
    pool = LISTED[title]
    size = scope.rng.randint(3, 7)
    start = scope.rng.randrange(len(pool))
    ordered = title in ("months", "days of the week")
    items = (
        [pool[(start + i) % len(pool)] for i in range(size)]
        if ordered
        else scope.rng.sample(pool, size)
    )
    rows = "\n".join(f"{i}. {item}" for i, item in enumerate(items, 1))
    return f"A list of {title}:\n{rows}\nThese are {number_word(size)} {title}."


KINDS = {
    "shopping": (4, shopping),
    "sums": (2, sums),
    "had_and_got": (2, had_and_got),
    "counting": (2, counting),
    "week": (3, week),
    "dates": (3, dates),
    "ages": (2, ages),
    "lists": (2, lists),
}
