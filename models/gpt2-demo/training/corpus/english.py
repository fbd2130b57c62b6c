"""English word forms: plurals, verb forms, articles, number words, lists, capitals."""

import re
from collections.abc import Sequence
from functools import cache

IRREGULAR_PLURALS = {
    "man": "men", "woman": "women", "child": "children", "person": "people", "foot": "feet",
    "tooth": "teeth", "mouse": "mice", "goose": "geese", "sheep": "sheep", "fish": "fish",
    "deer": "deer", "wolf": "wolves", "leaf": "leaves", "loaf": "loaves", "knife": "knives",
    "shelf": "shelves", "thief": "thieves", "wife": "wives", "life": "lives", "half": "halves",
    "calf": "calves", "scarf": "scarves", "potato": "potatoes", "tomato": "tomatoes",
    "hero": "heroes", "salmon": "salmon", "policeman": "policemen", "postman": "postmen",
    "fisherman": "fishermen", "fireman": "firemen", "swiss": "swiss", "moose": "moose",
    "grandchild": "grandchildren", "mosquito": "mosquitoes",
}  # fmt: skip

# lemma: past, participle
IRREGULAR_VERBS = {
    "be": ("was", "been"), "have": ("had", "had"), "do": ("did", "done"), "go": ("went", "gone"),
    "eat": ("ate", "eaten"), "see": ("saw", "seen"), "buy": ("bought", "bought"),
    "bring": ("brought", "brought"), "think": ("thought", "thought"), "make": ("made", "made"),
    "take": ("took", "taken"), "give": ("gave", "given"), "write": ("wrote", "written"),
    "read": ("read", "read"), "sing": ("sang", "sung"), "swim": ("swam", "swum"),
    "run": ("ran", "run"), "sit": ("sat", "sat"), "stand": ("stood", "stood"),
    "sleep": ("slept", "slept"), "drink": ("drank", "drunk"), "drive": ("drove", "driven"),
    "fly": ("flew", "flown"), "find": ("found", "found"), "hear": ("heard", "heard"),
    "tell": ("told", "told"), "say": ("said", "said"), "keep": ("kept", "kept"),
    "leave": ("left", "left"), "lose": ("lost", "lost"), "build": ("built", "built"),
    "catch": ("caught", "caught"), "teach": ("taught", "taught"), "hold": ("held", "held"),
    "come": ("came", "come"), "know": ("knew", "known"), "grow": ("grew", "grown"),
    "wear": ("wore", "worn"), "sell": ("sold", "sold"), "feed": ("fed", "fed"),
    "hide": ("hid", "hidden"), "break": ("broke", "broken"), "speak": ("spoke", "spoken"),
    "win": ("won", "won"), "draw": ("drew", "drawn"), "ride": ("rode", "ridden"),
    "steal": ("stole", "stolen"), "fall": ("fell", "fallen"), "feel": ("felt", "felt"),
    "send": ("sent", "sent"), "meet": ("met", "met"), "pay": ("paid", "paid"),
    "lie": ("lay", "lain"), "shake": ("shook", "shaken"), "throw": ("threw", "thrown"),
    "rise": ("rose", "risen"), "shine": ("shone", "shone"), "blow": ("blew", "blown"),
    "begin": ("began", "begun"), "forget": ("forgot", "forgotten"), "cut": ("cut", "cut"),
    "get": ("got", "got"), "bite": ("bit", "bitten"), "understand": ("understood", "understood"),
    "choose": ("chose", "chosen"), "become": ("became", "become"), "dig": ("dug", "dug"),
    "sweep": ("swept", "swept"), "spend": ("spent", "spent"), "lead": ("led", "led"),
    "freeze": ("froze", "frozen"), "ring": ("rang", "rung"), "wake": ("woke", "woken"),
    "hang": ("hung", "hung"), "lay": ("laid", "laid"), "put": ("put", "put"),
    "cost": ("cost", "cost"), "let": ("let", "let"), "light": ("lit", "lit"),
}  # fmt: skip

DOUBLING = frozenset(
    [
        "stop",
        "plan",
        "chat",
        "grab",
        "hug",
        "nod",
        "clap",
        "shop",
        "jog",
        "tap",
        "rub",
        "drop",
        "plan",
        "trip",
        "slip",
        "beg",
        "drum",
        "hum",
        "swim",
        "run",
        "sit",
        "get",
        "cut",
        "put",
        "let",
        "begin",
        "forget",
        "win",
        "dig",
    ]
)
SILENT_H = ("hour", "honest", "honour", "heir")
VOWEL_AS_CONSONANT = ("uni", "use", "usu", "eu", "one", "once", "ukr")
ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ["_", "_", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
ORDINALS = [
    "_",
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
]

ARTICLE = re.compile(r"\b([Aa])~ (\W*)(\w+)")
SENTENCE_START = re.compile(r"(?:^|[.!?:]\n+|\n+|[.!?] |\.\" |(?:^|[\s(])\")([a-z])")


def words(text: str) -> list[str]:
    """Return the comma-separated entries of a table; an entry may have several words."""
    return [entry for entry in (" ".join(part.split()) for part in text.split(",")) if entry]


def lines(text: str) -> list[str]:
    """Return the non-empty lines of a table, stripped; entries may hold commas."""
    return [" ".join(line.split()) for line in text.split("\n") if line.strip()]


@cache
def plural(noun: str) -> str:
    """Return the plural of a noun or of a phrase such as "loaf of bread"."""
    head, of, rest = noun.partition(" of ")
    if of:
        return plural(head) + of + rest
    before, space, last = noun.rpartition(" ")
    return before + space + _plural_word(last)


def _plural_word(noun: str) -> str:
    """Return the plural of one word."""
    if noun in IRREGULAR_PLURALS:
        return IRREGULAR_PLURALS[noun]
    if noun.endswith(("s", "x", "ch", "sh", "z")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


@cache
def third_person(verb: str) -> str:
    """Return the he/she/it present form of a verb."""
    if verb in ("be", "have"):
        return {"be": "is", "have": "has"}[verb]
    if verb.endswith("o"):
        return verb + "es"
    return _plural_word(verb) if verb not in IRREGULAR_PLURALS else verb + "s"


@cache
def past(verb: str) -> str:
    """Return the simple past of a verb (singular, for be)."""
    return IRREGULAR_VERBS[verb][0] if verb in IRREGULAR_VERBS else _regular_past(verb)


@cache
def participle(verb: str) -> str:
    """Return the past participle of a verb."""
    return IRREGULAR_VERBS[verb][1] if verb in IRREGULAR_VERBS else _regular_past(verb)


def _regular_past(verb: str) -> str:
    """Return the -ed form of a regular verb."""
    if verb in DOUBLING:
        return verb + verb[-1] + "ed"
    if verb.endswith("e"):
        return verb + "d"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ied"
    return verb + "ed"


@cache
def ing(verb: str) -> str:
    """Return the -ing form of a verb."""
    if verb == "lie":
        return "lying"
    if verb in DOUBLING:
        return verb + verb[-1] + "ing"
    if verb.endswith("e") and not verb.endswith("ee") and verb != "be":
        return verb[:-1] + "ing"
    return verb + "ing"


def needs_an(word: str) -> bool:
    """Return whether the indefinite article before the word is "an"."""
    low = word.lower()
    if low.startswith(SILENT_H) or low in ("8", "11", "18", "80"):
        return True
    return low[0] in "aeiou" and not low.startswith(VOWEL_AS_CONSONANT)


def _article(match: re.Match[str]) -> str:
    """Return the article and the word behind it, for a match of ARTICLE."""
    letter, between, word = match.groups()
    return f"{letter}{'n' if needs_an(word) else ''} {between}{word}"


def polish(text: str) -> str:
    """Return the text with each "a~" as a or an and a capital at each sentence start."""
    text = ARTICLE.sub(_article, text)
    return SENTENCE_START.sub(lambda match: match.group()[:-1] + match.group(1).upper(), text)


def number_word(value: int) -> str:
    """Return 0 to 999 in words."""
    if value < 20:
        return ONES[value]
    if value < 100:
        tens, ones = divmod(value, 10)
        return TENS[tens] + (f"-{ONES[ones]}" if ones else "")
    hundreds, rest = divmod(value, 100)
    return f"{ONES[hundreds]} hundred" + (f" and {number_word(rest)}" if rest else "")


def count(value: int, noun: str) -> str:
    """Return "one apple" or "three apples"; numbers above twelve in figures."""
    shown = number_word(value) if value <= 12 else str(value)
    return f"{shown} {noun if value == 1 else plural(noun)}"


def listing(items: Sequence[str], joiner: str = "and") -> str:
    """Return "a", "a and b" or "a, b and c"."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {joiner} {items[-1]}"


# verb groups: be/have/do for a singular and a plural subject, in the present and in the past
BE = {"present": ("is", "are"), "past": ("was", "were")}
DO = {"present": ("does", "do"), "past": ("did", "did")}


def conjugate(verb: str, tense: str, plural_subject: bool, negated: bool = False) -> str:
    """Return a verb group in the third person, such as "does not eat" or "has eaten"."""
    no = " not" if negated else ""
    if tense == "future":
        return f"will{no} {verb}"
    if tense == "modal":
        return f"{'cannot' if negated else 'can'} {verb}"
    if tense == "perfect":
        return f"{'have' if plural_subject else 'has'}{no} {participle(verb)}"
    time = "past" if tense.startswith("past") else "present"
    if "progressive" in tense:
        return f"{BE[time][plural_subject]}{no} {ing(verb)}"
    return _simple(verb, time, plural_subject, negated)


def _simple(verb: str, time: str, plural_subject: bool, negated: bool) -> str:
    """Return the simple present or past of a verb."""
    if verb == "be":
        return BE[time][plural_subject] + (" not" if negated else "")
    if negated:
        return f"{DO[time][plural_subject]} not {verb}"
    if time == "past":
        return past(verb)
    return verb if plural_subject else third_person(verb)
