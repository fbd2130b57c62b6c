"""Dialogues, recipes, travel logs, letters, work and the recursive grammar's scenes."""

from .. import calendars, clauses
from ..english import count, lines, listing
from ..lexicon import people, things
from ..rules import cast, paragraph
from ..scope import Scope
from .opinions import choose_topic, state

# Each dialogue is a list of steps; one alternative is taken from each.
DIALOGUES = [
    [
        lines("""
        "Good morning, can I help you?" "Yes, I am looking for a~ {colour=c} {possession=t}."
        "Hello. Do you have a~ {colour=c} {possession=t}?" "Let me see."
        {A} enters the shop. "I need a~ {colour=c} {possession=t} for my {kin=k}," says {A}."""),
        lines("""
        "Here is a~ {c} {t}." "How much is it?" "It costs {number=n} dollars."
        "We have only one {t} left. It is {c}, and it costs {number=n} dollars."
        "This {t} is very good. It is made of {material}. It costs {number=n} dollars." """),
        lines("""
        "{n} dollars is too much for a~ {t}," says {A}. "I am sorry."
        "That is a fair price. I take the {t}," says {A}.
        "Can I pay for the {t} tomorrow?" asks {A}."""),
        lines("""
        {A} leaves the shop with the {c} {t} under {A.his} arm.
        "Goodbye," says {B}, and puts the {t} back on the shelf.
        "Thank you and goodbye," says {B}."""),
    ],
    [
        lines("""
        "Excuse me, how do I get to the {town_place=p}?" asks {A}.
        "Is this the way to the {town_place=p}?" {A} asked.
        {A} was a stranger in {city} and looked for the {town_place=p}. {A.he} asked {B}."""),
        lines("""
        "Go straight on and turn {left|right} at the {town_place=q}."
        "First you come to the {town_place=q}. Then turn {left|right}."
        "Take the {bus|tram} to the {town_place=q}. From there you can walk." """),
        lines("""
        "So I go to the {q} first, and then to the {p}?" "Yes, exactly."
        "Is the {p} far from the {q}?" "No, it is only {number} minutes on foot."
        "And when does the {p} close?" "At {six|seven|eight} o'clock." """),
        lines("""
        "Thank you very much." "You are welcome."
        {A} thanked {B} and found the {p} without any trouble.
        Some time later {A} stood in front of the {p}."""),
    ],
    [
        lines("""
        "{B}, do you have time on {weekday=d}?" asks {A}. "Why?"
        {A} calls {B}. "What are you doing on {weekday=d}?" {A.he} asks.
        "Would you like to come to the {town_place=p} with me on {weekday=d}, {B}?" asks {A}."""),
        lines("""
        "I want to {cook|go for a walk|see a film|play chess} with you." "Sounds good."
        "We could meet and have some {drink=dr}." "I like {dr}." """),
        lines("""
        "I cannot come on {d}. I have to visit my {kin=k}." "Then let us meet the day after."
        "{d} is fine," says {B}. "At what time?" "At {six|seven|eight} o'clock."
        "On {d} I always work until {five|six}. But after that I am free." """),
        lines("""
        "Good. I will see you on {d}," says {A}.
        "Do not forget it: on {d}!" says {A}. "I never forget a~ {weekday}," {B} laughs.
        {B} writes {A.his} name into the calendar."""),
    ],
    [
        lines("""
        "Have you heard the news?" asks {A}. "No, what happened?" asks {B}.
        {A} is reading the newspaper. "What is new in the world?" asks {B}."""),
        lines("""
        "The {train drivers|teachers|nurses|bakers} are on strike." "Again? I like that they \
            fight for more money."
        "They found a~ {small=t} in the {town_place=p} that is {number} hundred years old." "How \
            exciting!"
        "There was a storm in {city=ci}." "In {ci}? My {kin} lives there." """),
        lines("""
        "What do you think about it?" asks {A}. "I need to think first," says {B}.
        "We should talk about it with {C}," says {A}. "Yes, {C} knows more than we do."
        {A} turns the page. "The rest is only about {topic}," {A.he} says."""),
        lines("""
        {B} pours some more {drink}, and they talk about {topic}.
        "Give me the newspaper, please," says {B}. {A} gives it to {B.him}.
        "And now something else," says {B}. "How is your {kin}?" "Fine, thank you." """),
    ],
]
RECIPE_STEPS = lines("""
    Wash the {v1} and cut {it1} into small pieces.
    Fry the {v2} in a little {fat} until {it2} {is2} soft.
    Put the {v1} and the {v2} into a large pot.
    Add {spice} and {spice2}, but not too much.
    Cover everything with water and cook it for {minutes} minutes.
    Stir from time to time, so that nothing burns.
    Meanwhile warm the plates.""")
VEG_FORMS = (
    "carrots",
    "onions",
    "potatoes",
    "tomatoes",
    "peppers",
    "mushrooms",
    "leeks",
    "beans",
    "cabbage",
    "pumpkin",
    "spinach",
    "garlic",
)
SPICES = ("salt", "pepper", "parsley", "chilli", "lemon juice", "thyme")
SOUP_CLOSINGS = (
    "Serve the DISH hot with fresh bread.",
    "This DISH tastes even better on the next day.",
    "Enjoy your DISH!",
)
CAKE_STEPS = lines("""
    Mix the {m1} with the {m2}.
    Add the {m3} and stir until the dough is smooth.
    Wash the {f} and put {them} on top.
    Bake the cake for {minutes} minutes.
    Let it cool before you cut it.
    Heat the oven while you work.""")
TRAVEL_OPEN = lines("""
    On {D} we arrived in {city=here} by {train|bus|ship|plane}.
    {D}. We are in {city=here} at last, after {number} hours on the {train|bus|ship}.
    This {season} {A} and I travelled to {city=here}. We arrived on {D}.""")
TRAVEL = lines("""
    Our hotel is near the {town_place=sight} of {here}.
    {A} wants to see the {town_place=sight} first, because everyone in {here} talks about it.
    The people of {here} are {friendly|polite|proud|loud|always in a hurry}, and they love \
        {food_mass=meal}.
    In a small restaurant we ate {food_mass=meal}. {A} liked it more than I did.
    We walked from the {town_place} to the {town_place} and got lost {twice|three times}.
    {A} bought a~ {small=gift} for {A.his} {kin} and lost it at the {town_place}.
    In the evening the streets of {here} are {full of music|quiet|full of children|bright}.
    It rained, so we spent the afternoon in the museum of {here} and talked about {topic}.
    {A} took a photograph of every {wild} and of every {town_place} in {here}.
    A~ {person_adj} {job} told us how {here} looked in the past.
    I sent a postcard from {here} to my {kin}.""")
TRAVEL_END = lines("""
    Tomorrow we leave {here}, and {A} is already sad.
    I will come back to {here} one day, and {A} will come with me.
    {here} is a city that one does not forget.
    On the last day {A} said: "Let us stay in {here} for ever."
    If you ever go to {here}, do not miss the {town_place}.""")
LETTER_BODY = lines("""
    Thank you for your letter. It took {number} days to reach me here in {here}.
    I have been in {here} for {number} weeks now, and I miss {you|our talks|your voice|our garden}.
    How is your {kin=k}? Please give my love to your {k}.
    The weather in {here} is {terrible|wonderful|better than at home|cold}.
    I bought a~ {colour} {small=gift} for you. I hope you like it.
    Do you remember the {town_place} where we met? I think of it often.
    I have a new job as a~ {job}, and I like the people there.
    Yesterday I read a~ {text} about {topic} and thought of you.
    My {kin} is well again and sends you greetings.
    You asked me what I think about {topic}. I need more time to answer that.
    Please send me the {small} that I forgot at your house.
    There is a~ {pet} in the house where I live. It sleeps on my bed.""")
LETTER_LOVE = lines("""
    I think love is like {the sea|a song|a long road|a fire in winter}, and I think of you every \
        day.
    I love you, {B}, and I am not afraid to say it.
    Without you {here} is only a city.
    I count the days until I see you again, {B}.
    My heart is full when I read your letters.
    Every {weekday} I look at your photograph.""")
LETTER_END = lines("""
    I hope to see you {soon|again|before the winter|in spring}.
    Please write soon and tell me everything.
    Come and visit me in {here}, {B}.
    Keep well, dear {B}.""")
WORK = lines("""
    {A} is a~ {work=w}. {A.he} works at the {place}.
    {A} works as a~ {work=w} at the {place} in {city}.
    For {number} years {A} has been a~ {work=w}.""")
WORK_MORE = lines("""
    Every day {A.he} {duty}.
    {A.his} day begins at {five|six|seven|eight} o'clock, and at the {place} it never gets boring.
    {A.his} boss, {B}, is {strict but fair|always in a hurry|very patient|seldom there}.
    "A good {w} needs patience," {A} says.
    On {weekday} {A} and {B} had a meeting about {topic}. It lasted {two|three} hours.
    {A} does not earn much, but {A.he} likes {A.his} work.
    As a child {A} wanted to become a~ {job}, but now {A.he} is happy as a~ {w}.
    {B} once asked {A} why {A.he} had become a~ {w}. "Because my {kin} was a~ {w} too," said {A}.
    In {A.his} free time {A} enjoys {hobby}.
    When {A} is ill, {B} has to do {A.his} work.
    {A} thinks that taxes are too high, and that a~ {w} should earn more.""")
WORK_END = lines("""
    At {five|six} o'clock {A} leaves the {place} and goes home.
    {A} would not want to be anything but a~ {w}.
    So if you need a~ {w}, ask {A}.
    One day {A} will stop working, but not today.""")


def dialogue(scope: Scope) -> str:
    """Return a talk with an aim, in which the thing, the place or the day comes back."""
    cast(scope, "A", "B", "C")
    steps = [scope.say(scope.fresh(step)) for step in scope.pick(DIALOGUES)]
    return " ".join(step.strip() for step in steps)


def recipe(scope: Scope) -> str:
    """Return a recipe whose steps use exactly the ingredients listed."""
    return soup(scope) if scope.chance(0.5) else cake(scope)


def soup(scope: Scope) -> str:
    """Return a recipe for a soup or stew."""
    v1, v2 = scope.rng.sample(VEG_FORMS, 2)
    spice, spice2 = scope.rng.sample(SPICES, 2)
    scope.bound.update(v1=v1, v2=v2, spice=spice, spice2=spice2)
    scope.bound["it1"] = "them" if v1.endswith("s") else "it"
    scope.bound["it2"], scope.bound["is2"] = ("they", "are") if v2.endswith("s") else ("it", "is")
    scope.bound["fat"] = scope.pick(("oil", "butter"))
    scope.bound["minutes"] = str(scope.rng.randrange(10, 60, 5))
    dish = f"{v1.removesuffix('s')} {scope.pick(('soup', 'stew', 'curry'))}".replace("toe ", "to ")
    guests = scope.rng.randint(2, 6)
    steps = [step for step in RECIPE_STEPS if scope.chance(0.85)]
    opener = f"How to make {dish} for {count(guests, 'person')}."
    needed = "You need {v1}, {v2}, {fat}, {spice} and {spice2}."
    closing = scope.pick(SOUP_CLOSINGS).replace("DISH", dish)
    return paragraph(scope, opener, needed, *steps, closing)


def cake(scope: Scope) -> str:
    """Return a recipe for a fruit cake."""
    fruit = scope.slot("+fruit")
    scope.bound.update(
        f=fruit,
        them="them",
        m1="flour",
        m2=scope.pick(("sugar", "honey", "butter")),
        m3=scope.pick(("eggs", "milk")),
        minutes=str(scope.rng.randrange(25, 65, 5)),
    )
    dish = f"{scope.pick(('cake', 'tart', 'pie'))} with {fruit}"
    steps = [step.replace("the cake", "the " + dish.split(maxsplit=1)[0]) for step in CAKE_STEPS]
    return paragraph(
        scope,
        f"A recipe for a~ {dish}. You need flour, {{m2}}, {{m3}} and {fruit}.",
        *steps[:5],
        scope.pick(
            (f"Everyone loves a~ {dish}.", f"The {dish} is ready.", "Serve it with {drink}.")
        ),
    )


def travel(scope: Scope) -> str:
    """Return a travel log that stays in one city with one companion."""
    cast(scope, "A")
    day = calendars.any_day(scope.rng)
    scope.bound.update(D=day.full, season=day.season)
    parts = [scope.fresh(TRAVEL) for _ in range(scope.rng.randint(3, 7))]
    return paragraph(scope, scope.fresh(TRAVEL_OPEN), *parts, scope.fresh(TRAVEL_END))


def letter(scope: Scope) -> str:
    """Return a letter from A to B, sometimes a love letter; place and names return."""
    cast(scope, "A", "B")
    scope.bound["here"] = scope.rule("city")
    love = scope.chance(0.4)
    body = [
        scope.fresh(LETTER_LOVE if love and scope.chance(0.5) else LETTER_BODY)
        for _ in range(scope.rng.randint(3, 7))
    ]
    if scope.chance(0.3):
        category, positive = choose_topic(scope), scope.chance(0.5)
        body.append(state(scope, "My opinion on {X} is that {it} {p}.", category, positive))
    close = scope.pick(
        ("With love,", "Your", "Yours,") if love else ("Best wishes,", "Yours,", "Your friend")
    )
    return (
        f"{scope.bound['here']}, {calendars.any_day(scope.rng).short}\n"
        f"Dear {scope.bound['B']},\n{paragraph(scope, *body, scope.fresh(LETTER_END))}\n"
        f"{close}\n{scope.bound['A']}"
    )


def work(scope: Scope) -> str:
    """Return a portrait of somebody at work."""
    cast(scope, "A", "B")
    name = scope.pick(list(people.JOB_WORK))
    scope.bound["work"] = scope.bound["w"] = name
    scope.bound["place"], scope.bound["duty"] = people.JOB_WORK[name]
    body = [scope.fresh(WORK_MORE) for _ in range(scope.rng.randint(3, 7))]
    return paragraph(
        scope, scope.fresh(WORK).replace("{work=w}", "{w}"), *body, scope.fresh(WORK_END)
    )


def scene(scope: Scope) -> str:
    """Return sentences of the recursive grammar in one tense, with comparisons and questions."""
    tense = scope.pick(clauses.TENSES)
    parts = []
    for _ in range(scope.rng.randint(3, 7)):
        roll = scope.rng.random()
        if roll < 0.12:
            parts.append(clauses.question(scope))
        elif roll < 0.2:
            parts.append(clauses.comparison(scope))
        else:
            parts.append(clauses.sentence(scope, tense))
    return " ".join(parts)


def pairs(scope: Scope) -> str:
    """Return the same plain sentence about one and about several, and today and yesterday."""
    kind = scope.pick(("person", "animal"))
    noun = scope.fresh(clauses.NOUNS[kind])
    verb, _, rest = scope.fresh(clauses.INTRANSITIVE[kind]).partition(" | ")
    rest = scope.say(rest)
    parts = []
    for many in (False, True):
        who = f"the {clauses.english.plural(noun)}" if many else f"the {noun}"
        parts.append(f"{who} {clauses.english.conjugate(verb, 'present', many)} {rest}.")
        parts.append(f"yesterday {who} {clauses.english.conjugate(verb, 'past', many)} {rest}.")
    return " ".join(scope.rng.sample(parts, scope.rng.randint(2, 4)))


def election(scope: Scope) -> str:
    """Return news of an election: who stood for what, the votes, and who won by how many."""
    cast(scope, "A", "B")
    category = choose_topic(scope, scope.pick(("politics", "money", "society", "values")))
    votes = scope.rng.sample(range(100, 10000, 10), 2)
    winner, loser = ("A", "B") if votes[0] > votes[1] else ("B", "A")
    office = scope.pick(("mayor", "president", "leader of the party", "member of parliament"))
    parts = [
        f"On {{weekday}} the people of {{city=here}} elected a new {office}.",
        "{A} and {B} wanted the office.",
        state(scope, "{A} is for {X}, because {it} {p}.", category, True),
        state(
            scope,
            '{B} is against {X}. "I think {X} {p}," {B} said before the election.',
            category,
            False,
        ),
        f"{{A}} got {votes[0]} votes and {{B}} got {votes[1]} votes.",
        f"So {{{winner}}} won by {abs(votes[0] - votes[1])} votes.",
        f"{{{winner}}} is now {office} of {{here}}."
        if office == "mayor"
        else f"{{{winner}}} is the new {office}.",
        f"{{{loser}}} thanked {{{loser}.his}} supporters and went home early.",
    ]
    return paragraph(scope, *parts)


def party(scope: Scope) -> str:
    """Return who brought what to a feast, and what was there in the end."""
    roles = ("A", "B", "C")
    cast(scope, *roles)
    foods = scope.rng.sample(things.FOOD_COUNT, 3)
    told = [
        scope.say(f"{{{role}}} {scope.pick(('brought', 'came with'))} a~ {food}.")
        for role, food in zip(roles, foods, strict=True)
    ]
    opener = scope.fresh(
        lines("""
        On {weekday} we had a party in the garden.
        My {kin} celebrated a birthday in {month}.
        The neighbours met for a feast at the {town_place}.""")
    )
    asked = scope.rng.randrange(3)
    ending = [
        f"So we had {listing([f'a~ {food}' for food in foods])}.",
        f"Who {told[asked].split(' ', 1)[1][:-1]}? It was {scope.bound[roles[asked]]}.",
    ]
    return " ".join([scope.say(opener), *told, *ending[: scope.rng.randint(1, 2)]])


KINDS = {
    "dialogue": (9, dialogue),
    "recipe": (5, recipe),
    "travel": (7, travel),
    "letter": (8, letter),
    "work": (7, work),
    "scene": (9, scene),
    "pairs": (3, pairs),
    "election": (4, election),
    "party": (3, party),
}
