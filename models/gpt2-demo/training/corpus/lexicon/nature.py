"""Weather, seasons, animals and plants."""

from ..english import lines, words

MONTHS = words("""January, February, March, April, May, June, July, August, September, October,
November, December""")
MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
WEEKDAYS = words("Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday")
SEASON_OF_MONTH = ("winter", "winter", "spring", "spring", "spring", "summer", "summer", "summer",
                   "autumn", "autumn", "autumn", "winter")  # fmt: skip

# kind of weather: adjectives for a day, what the sky does (past), what it does (present), mood
WEATHER: dict[str, dict[str, list[str]]] = {
    "rain": {
        "adjective": words("rainy, wet, grey, gloomy, dark, damp, dreary, cloudy, dull"),
        "past": lines("""
            it rained {all day long|from morning to night|without a break|in the afternoon|all \
                night}
            the rain {drummed on the roof|ran down the windows|fell in long grey threads}
            dark clouds hung over the {town|hills|fields|roofs|harbour}
            the streets were wet and {empty|shiny|full of puddles}
            everyone carried an umbrella
            a cold drizzle fell on the {park|market|gardens|station}
            the sky was as grey as {lead|an old blanket|the sea|ash|stone}"""),
        "present": lines("""
            it is raining {again|hard|a little|without a break}
            the rain is {drumming on the roof|running down the windows|falling quietly}
            dark clouds hang over the {town|hills|fields|roofs|harbour}
            the streets are wet and {empty|shiny|full of puddles}
            the sky is {grey|low and grey|as grey as lead|the colour of ash}
            there is not one patch of blue in the sky"""),
        "thing": words("rain, drizzle, cold rain, grey sky, autumn rain"),
    },
    "storm": {
        "adjective": words("stormy, windy, wild, rough, thundery, blustery"),
        "past": lines("""
            the wind {howled around the house|tore at the trees|rattled the windows}
            lightning lit up the {sky|whole valley|roofs}
            thunder rolled over the {hills|town|sea|fields}
            the storm broke a {branch|fence|window|chimney}
            big waves crashed against the {rocks|pier|harbour wall}
            the trees bent in the wind"""),
        "present": lines("""
            the wind {howls around the house|tears at the trees|rattles the windows}
            thunder rolls over the {hills|town|sea|fields}
            lightning flashes behind the {hills|clouds|church|houses}
            the trees are bending in the wind
            the waves are as high as {houses|walls|trees}"""),
        "thing": words("storm, thunderstorm, wind, thunder, gale"),
    },
    "snow": {
        "adjective": words("snowy, icy, frosty, white, freezing, cold, bitter"),
        "past": lines("""
            it snowed {all night|until noon|softly|for hours|without a sound}
            the snow covered {the roofs|the fields|every car in the street|the whole garden}
            the lake was frozen {from shore to shore|for the first time|again}
            the children {built a snowman|threw snowballs|went down the hill on their sledges}
            our breath hung in the air like {smoke|steam|small clouds}
            the roads were icy and nobody drove fast"""),
        "present": lines("""
            it is snowing {softly|again|in thick flakes}
            snow lies on {the roofs|the fields|every branch}
            the lake is frozen {from shore to shore|again}
            the roads are icy and slow
            the air is so cold that it hurts"""),
        "thing": words("snow, frost, ice, cold air, winter air"),
    },
    "sun": {
        "adjective": words("sunny, bright, warm, clear, golden, beautiful, lovely, fine, mild"),
        "past": lines("""
            the sun {shone from morning to evening|came out after breakfast|warmed the stones}
            there was not a cloud in the sky
            the sky was {blue|clear and blue|as blue as the sea|bright}
            people sat outside and {ate ice cream|drank lemonade|read the newspaper|talked}
            the children played in the {garden|park|street|water}
            birds sang in every tree
            the air smelled of {flowers|grass|the sea|fresh bread|hay}"""),
        "present": lines("""
            the sun is {shining|out again|high in the sky|warm on my face}
            there is not a cloud in the sky
            the sky is {blue|clear and blue|as blue as the sea|bright}
            people are sitting outside in the {sun|park|garden}
            birds are singing in {every tree|the garden|the park}
            the air smells of {flowers|grass|the sea|hay}"""),
        "thing": words("sun, sunshine, blue sky, warm light, sunrise, summer breeze"),
    },
    "fog": {
        "adjective": words("foggy, misty, hazy, quiet, still, pale"),
        "past": lines("""
            the fog hid {the hills|the bridge|the other side of the street|the church tower}
            we could hardly see {the road|our own feet|the next house|the river}
            the whole town was quiet and white
            cars drove slowly with their lights on
            the mist did not lift until {noon|ten o'clock|the afternoon}"""),
        "present": lines("""
            the fog hides {the hills|the bridge|the other side of the street|the church tower}
            the whole town is quiet and white
            cars drive slowly with their lights on
            I can hardly see {the road|the next house|the river|the trees}"""),
        "thing": words("fog, mist, haze, morning mist"),
    },
    "heat": {
        "adjective": words("hot, dry, scorching, humid, sticky, dusty"),
        "past": lines("""
            the heat lay over the {town|fields|roofs} like a {blanket|heavy coat}
            nobody wanted to {move|work|cook|leave the shade}
            the grass turned {yellow|brown|dry}
            the dogs slept in the shade
            even the night was warm
            we drank {water|iced tea|lemonade} and waited for the evening"""),
        "present": lines("""
            the heat lies over the {town|fields|roofs} like a {blanket|heavy coat}
            nobody wants to {move|work|cook|leave the shade}
            the grass is {yellow|brown|dry}
            the dogs are sleeping in the shade
            even the nights are warm"""),
        "thing": words("heat, hot wind, dust, burning sun"),
    },
}
SKY_NOUNS = words("day, morning, evening, afternoon, night, Sunday, Monday, autumn day, winter day")

# name: kind, legs, home, food, ability, sound
ANIMALS = {
    "dog": ("mammal", 4, "house", "meat", "smell things that we cannot smell", "bark"),
    "cat": ("mammal", 4, "house", "mice", "see very well at night", "purr"),
    "horse": ("mammal", 4, "stable", "grass", "sleep while it is standing", "neigh"),
    "cow": ("mammal", 4, "meadow", "grass", "give milk", "moo"),
    "sheep": ("mammal", 4, "meadow", "grass", "keep warm in its thick wool", "bleat"),
    "lion": ("mammal", 4, "savanna", "meat", "roar so loudly that it is heard far away", "roar"),
    "tiger": ("mammal", 4, "forest", "meat", "swim across wide rivers", "roar"),
    "elephant": ("mammal", 4, "savanna", "leaves", "pick up a coin with its trunk", "trumpet"),
    "wolf": ("mammal", 4, "forest", "meat", "run for hours without a rest", "howl"),
    "bear": ("mammal", 4, "forest", "berries", "sleep through the winter", "growl"),
    "fox": ("mammal", 4, "forest", "mice", "hear a mouse under the snow", "bark"),
    "rabbit": ("mammal", 4, "burrow", "grass", "jump higher than you think", "squeak"),
    "mouse": ("mammal", 4, "hole", "seeds", "slip through a very small gap", "squeak"),
    "bat": ("mammal", 2, "cave", "insects", "find its way in the dark", "squeak"),
    "whale": ("mammal", 0, "ocean", "small sea animals", "hold its breath for an hour", "sing"),
    "dolphin": ("mammal", 0, "ocean", "fish", "learn difficult tricks", "click"),
    "eagle": ("bird", 2, "mountains", "small animals", "see a rabbit from high above", "scream"),
    "owl": ("bird", 2, "forest", "mice", "turn its head almost all the way round", "hoot"),
    "penguin": ("bird", 2, "cold coast", "fish", "swim but not fly", "call"),
    "parrot": ("bird", 2, "rainforest", "fruit", "copy human words", "scream"),
    "duck": ("bird", 2, "pond", "plants", "swim on its first day", "quack"),
    "swallow": ("bird", 2, "barn", "insects", "fly to Africa in autumn", "sing"),
    "frog": ("amphibian", 4, "pond", "insects", "live in water and on land", "croak"),
    "snake": ("reptile", 0, "desert", "small animals", "swallow a meal in one piece", "hiss"),
    "turtle": ("reptile", 4, "ocean", "plants", "live for more than a hundred years", "hiss"),
    "crocodile": ("reptile", 4, "river", "meat", "wait for hours without moving", "growl"),
    "shark": ("fish", 0, "ocean", "fish", "smell blood from far away", "move silently"),
    "salmon": ("fish", 0, "river", "small fish", "find the river where it was born", "splash"),
    "bee": ("insect", 6, "hive", "nectar", "tell other bees where the flowers are", "hum"),
    "ant": ("insect", 6, "anthill", "seeds", "carry many times its own weight", "move silently"),
    "butterfly": ("insect", 6, "meadow", "nectar", "taste with its feet", "move silently"),
    "spider": ("spider", 8, "web", "insects", "make silk", "move silently"),
}
ANIMAL_FACTS = {
    "mammal": "feed{s} {its} young with milk",
    "bird": "{has} feathers and lay{s} eggs",
    "fish": "breathe{s} under water",
    "insect": "{has} six legs",
    "reptile": "warm{s} {itself} in the sun",
    "amphibian": "begin{s} life in the water",
    "spider": "{has} eight legs and no wings",
}
PET_NOUNS = words(
    "dog, cat, rabbit, parrot, horse, pony, goat, duck, puppy, kitten, hamster, turtle"
)
FARM_NOUNS = words("horse, cow, sheep, goat, pig, hen, duck, goose, donkey")
WILD_NOUNS = words("""fox, wolf, bear, owl, eagle, deer, rabbit, mouse, frog, crow, squirrel,
hedgehog, bird, swan""")
COLOURS = words("red, blue, green, yellow, white, black, brown, grey, purple, orange, pink, silver")
MOOD_OF_WEATHER = {"rain": "low", "storm": "angry", "snow": "cold", "sun": "high", "fog": "lost",
                   "heat": "tired"}  # fmt: skip
