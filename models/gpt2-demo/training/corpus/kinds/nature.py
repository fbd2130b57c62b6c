"""Science and animals: simple facts, told and asked."""

from ..english import count, lines, plural
from ..lexicon.nature import ANIMAL_FACTS, ANIMALS
from ..lexicon.things import CITY_COUNTRY, LANGUAGES
from ..rules import cast, paragraph
from ..scope import Scope

# question | short answer | statement | why or more
SCIENCE = [
    tuple(part.strip() for part in line.split("|"))
    for line in lines("""
    Why is the sky blue? | Because the air scatters blue light most. | The air scatters blue \
        light more than red light. | In the evening the light takes a longer way, and the sky \
        turns red.
    At what temperature does water boil? | At 100 degrees. | Water boils at 100 degrees at sea \
        level. | High in the mountains it boils a little earlier.
    At what temperature does water freeze? | At 0 degrees. | Water freezes at 0 degrees and \
        becomes ice. | Ice is lighter than water, and so it floats.
    How long does the Earth need to travel around the Sun? | One year. | The Earth travels around \
        the Sun once a year. | Because its axis is tilted, we have seasons.
    How long does the Earth need to turn once? | One day. | The Earth turns once a day. | When it \
        is day on one side, it is night on the other.
    What is the Moon? | It is a ball of rock that moves around the Earth. | The Moon moves around \
        the Earth in about four weeks. | It has no light of its own and shines because the Sun \
        lights it.
    What is the Sun? | It is a star. | The Sun is a star like many others. | It looks so big only \
        because it is so near.
    Which planet is the largest? | Jupiter. | Jupiter is the largest planet of our solar system. \
        | It is made mostly of gas.
    What do plants need? | They need light, water and air. | Plants need light, water and air to \
        grow. | With the light they make sugar in their leaves.
    What do bees do for us? | They carry pollen from flower to flower. | Bees carry pollen from \
        flower to flower. | Without them we would have less fruit.
    Why do leaves fall in autumn? | Because trees save water in winter. | Many trees lose their \
        leaves in autumn. | In this way they save water in the cold months.
    What is rain? | It is water that falls from clouds. | Rain begins as vapour that rises from \
        the sea. | High in the cold air it turns into drops and falls again.
    What is thunder? | It is the sound of lightning. | Lightning heats the air so fast that it \
        bangs. | We see the light first because light is faster than sound.
    What makes a rainbow? | Sunlight in drops of rain. | A rainbow appears when sunlight falls on \
        drops of rain. | Each colour is bent a little differently.
    How many bones does an adult have? | About 206. | An adult has about 206 bones. | A baby has \
        more, because some bones grow together later.
    What does the heart do? | It pumps blood through the body. | The heart pumps blood through \
        the whole body. | When we run, it beats faster.
    What do we breathe for? | We need oxygen. | We breathe in order to get oxygen. | The blood \
        carries it to every part of the body.
    What is the brain made of? | It is made of many nerve cells. | The brain is made of billions \
        of nerve cells. | Each of them is connected to many others.
    What is a magnet? | It is a thing that attracts iron. | A magnet attracts iron but not wood. \
        | It has two poles, and equal poles push each other away.
    Why does a stone fall? | Because the Earth attracts it. | A stone falls because the Earth \
        attracts it. | The same force keeps the Moon on its way.
    What is faster, light or sound? | Light. | Light is much faster than sound. | It needs about \
        eight minutes from the Sun to the Earth.
    Why is the sea salty? | Because rivers carry salt into it. | Rivers carry a little salt into \
        the sea. | The water leaves the sea as vapour, but the salt stays.
    What causes the tides? | Mostly the Moon. | The tides are caused mostly by the Moon. | It \
        pulls the water of the sea a little towards itself.
    What is a glacier? | It is a river of ice. | A glacier is a river of ice that moves very \
        slowly. | It carries stones down into the valley.
    What is a volcano? | It is a mountain that throws out hot rock. | Deep in the Earth the rock \
        is so hot that it melts. | Sometimes it comes out of a volcano.
    What is glass made of? | It is made of sand. | Glass is made of sand that was melted in great \
        heat. | When it cools quickly, it stays clear.
    Where does paper come from? | It comes from wood. | Paper is made from the fibres of wood. | \
        Old paper can be used again.
    What does salt do to ice? | It melts it. | Salt makes ice melt even below 0 degrees. | That \
        is why it is thrown on roads in winter.
    Why does wood float? | Because it is lighter than water. | Wood floats because it is lighter \
        than water. | A stone of the same size would sink.
    What is an experiment? | It is a question to nature. | In an experiment we change one thing \
        and keep the others the same. | If the result changes, we know why.
    Which metal is liquid? | Mercury. | Mercury is a metal that is liquid at room temperature. | \
        It was once used in thermometers.
    What is sound? | It is a movement of the air. | Sound is a movement of the air that reaches \
        the ear. | On the Moon there is no air and so no sound.""")
]
ANIMAL_CLOSINGS = (
    "",
    "",
    "I like {+N}.",
    "Have you ever seen a~ {N}?",
    "Nobody who has seen a~ {N} forgets it.",
)
EXPERIMENTS = lines("""
    {A} wanted to know whether a~ {small=t} of {material=m} floats. {A.he} put the {t} into a \
        bowl of water. \
    It {sank at once|floated}. {A} wrote the result into {A.his} notebook.
    {A} and {B} grew {vegetable=v} seeds in two pots. {A} put one pot in the sun and {B} put the \
        other in \
    the cellar. After {number} days the plant in the sun was green, and the plant in the cellar \
        was pale. \
    So {v} plants need light.
    {A} measured the temperature every morning for {number=n} days. After {n} days {A.he} drew a \
        line \
    through the points and showed it to {B}.
    {A} dropped a heavy ball and a light ball from the tower. {B} watched from below. Both balls \
    reached the ground at the same time, and {B} was surprised.""")


def science(scope: Scope) -> str:
    """Return a few simple facts as statements or as questions and answers."""
    rows = scope.rng.sample(SCIENCE, scope.rng.randint(2, 4))
    style = scope.rng.randrange(3)
    if style == 0:
        return " ".join(f"{statement} {more}" for _, _, statement, more in rows)
    if style == 1:
        return "\n".join(f"Question: {ask}\nAnswer: {short} {more}" for ask, short, _, more in rows)
    cast(scope, "A", "B")
    parts = []
    for ask, short, statement, _ in rows:
        parts.append(
            scope.say(f'"{ask}" asks {{A}}. "{scope.pick((short, statement))[:-1]}," says {{B}}.')
        )
    return " ".join(parts)


def animal(scope: Scope) -> str:
    """Return a portrait of one kind of animal, all in the singular or all in the plural."""
    name = scope.pick(list(ANIMALS))
    many = scope.chance(0.5)
    scope.speak_of(plural(name) if many else f"a~ {name}", many)
    chosen = scope.rng.sample(_animal_facts(name, many), scope.rng.randint(3, 6))
    group = ANIMALS[name][0]
    kind = _group(group) if many else f"a~ {group}"
    opener = scope.pick(
        (f"{{X}} {{is}} {kind}.", f"{{X}} {{is}} {kind}, and {{it}} {{is}} easy to know.")
    )
    closing = scope.pick(ANIMAL_CLOSINGS)
    scope.rules = {**scope.rules, "N": [name]}
    return paragraph(scope, opener, *chosen, closing)


def _animal_facts(name: str, many: bool) -> list[str]:
    """Return templates of what is known of an animal, in which {it}, {s} ... agree with it."""
    group, legs, home, food, ability, sound = ANIMALS[name]
    alarm = f"when {{it}} {{is}} in danger, {{it}} {sound}{{s}}."
    return [
        f"{{it}} {{has}} {count(legs, 'leg') if legs else 'no legs'}.",
        f"{{it}} live{{s}} in the {home}.",
        f"{{it}} eat{{s}} {food}.",
        f"{{it}} can {_of_many(ability) if many else ability}.",
        f"like all {_group(group)}, {{it}} {ANIMAL_FACTS[group]}.",
        "{it} move{s} silently." if " " in sound else alarm,
    ]


def _of_many(ability: str) -> str:
    """Return what an animal can do, told of several."""
    for one, many in (("it is", "they are"), ("its ", "their "), ("it was", "they were")):
        ability = ability.replace(one, many)
    return ability


def _group(group: str) -> str:
    """Return the plural of a group of animals."""
    return "fish" if group == "fish" else plural(group)


def experiment(scope: Scope) -> str:
    """Return a small experiment with its result."""
    cast(scope, "A", "B")
    return scope.say(scope.fresh(EXPERIMENTS))


def capitals(scope: Scope) -> str:
    """Return facts about countries, their capitals and languages."""
    parts = []
    for city in scope.rng.sample(list(CITY_COUNTRY), scope.rng.randint(2, 5)):
        country = CITY_COUNTRY[city]
        choices = [
            f"The capital of {country} is {city}.",
            f"{city} is the capital of {country}.",
            f"What is the capital of {country}? It is {city}.",
            f"In which country is {city}? It is in {country}.",
        ]
        parts.append(scope.pick(choices))
        if country in LANGUAGES and scope.chance(0.5):
            parts.append(f"In {country} people speak {LANGUAGES[country]}.")
    return " ".join(parts)


KINDS = {
    "science": (4, science),
    "animal": (5, animal),
    "experiment": (3, experiment),
    "capitals": (2, capitals),
}
