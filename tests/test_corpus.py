"""The generated text: deterministic, and what it says about itself is true."""

import datetime
import random
import re
import sys
import threading
import warnings
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "models" / "gpt2-demo" / "training"))

import itertools

import corpus
from corpus import clauses, english
from corpus.kinds import KINDS
from corpus.lexicon.nature import MONTHS, WEEKDAYS
from corpus.lexicon.opinions import CON, CON_ANY, PRO, PRO_ANY
from corpus.lexicon.people import MEN, WOMEN

SENTENCE = re.compile(r"(?<=[.!?]) +|\n+")
NAMES = re.compile(rf"\b(?:{'|'.join([*WOMEN, *MEN])})\b")
NUMBERS = {english.number_word(n): n for n in range(1000)}
SEEDS = range(150)


def of_kind(kind: str, number: int = len(SEEDS)) -> list[str]:
    """Return that many documents of a kind."""
    return [corpus.document(kind, random.Random(seed)) for seed in range(number)]


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """Return a sample of all kinds of documents."""
    return corpus.first_documents(11, 3000)


def as_number(text: str) -> int:
    """Return the value of a number in figures or in words."""
    return int(text) if text.isdigit() else NUMBERS[text.lower()]


def test_same_seed_same_documents() -> None:
    assert corpus.first_documents(5, 100) == corpus.first_documents(5, 100)


def test_other_seed_other_documents() -> None:
    one, two = (set(corpus.first_documents(seed, 300)) for seed in (1, 2))
    assert len(one & two) < 0.05 * len(one)


def test_processes_change_nothing() -> None:
    size = 2 * corpus.CHUNK_BYTES
    alone = list(corpus.corpus(4, size))
    assert alone == list(corpus.corpus(4, size, processes=2))
    assert sum(len(text.encode()) for text in alone) >= size


def test_processes_are_not_forked_beside_threads() -> None:
    """From Python 3.12 on that is a warning, and a deadlock now and then on any."""
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        # Forking does not raise what warnings have been turned into.
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            assert next(corpus.corpus(4, corpus.CHUNK_BYTES, processes=2))
        assert warned == []
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_is_finished_text(kind: str) -> None:
    for text in of_kind(kind):
        assert not re.search(r"[{}~|_]|  | [.,!?]|\.\.|\b(\w+) \1\b", text), text
        assert text[0].isupper() or text[0] in '"0123456789', text
        assert text == text.strip()


def test_every_kind_appears_in_the_corpus(texts: list[str]) -> None:
    assert len(KINDS) >= 30
    rng = random.Random("11/0")
    names, weights = list(KINDS), [weight for weight, _ in KINDS.values()]
    seen = set()
    for text in texts:
        kind = rng.choices(names, weights)[0]
        seen.add(kind)
        assert corpus.document(kind, rng) == text
    assert seen == set(KINDS)


@pytest.mark.parametrize(
    ("topic", "pattern"),
    [
        ("feelings", r"\bI (?:am feeling|feel)\b"),
        ("weather", r"\b(?:rain|snow|sunny|storm|fog)"),
        ("love", r"\b(?:love|marr)"),
        ("politics", r"\b(?:communism|democracy|election|government|parliament|mayor)\b"),
        ("work", r"\b(?:works? as|boss|office|meeting)"),
        ("travel", r"\b(?:travelled|hotel|arrived)\b"),
        ("science", r"\b(?:experiment|temperature|Earth|planet|measured)\b"),
        ("food", r"\b(?:bread|soup|cake|apple)"),
        ("animals", r"\b(?:dog|cat|horse|wolf|bird)"),
        ("places", r"\b(?:park|station|harbour|museum|library)\b"),
        ("similes", r"\bfeeling like (?:an? )?\w+ (?:day|morning|evening|night|afternoon)"),
        ("opinions", r"\bMy opinion on .+? is that\b"),
        ("questions", r"\?"),
        ("numbers", r"\d"),
    ],
)
def test_topic_is_common(texts: list[str], topic: str, pattern: str) -> None:
    share = sum(bool(re.search(pattern, text)) for text in texts) / len(texts)
    assert share > 0.01, (topic, share)


def test_sentences_vary(texts: list[str]) -> None:
    counts = Counter(part for text in texts for part in SENTENCE.split(text))
    total = sum(counts.values())
    assert len(counts) / total > 0.6
    assert counts.most_common(1)[0][1] / total < 0.01


def test_indefinite_articles(texts: list[str]) -> None:
    odd = {"hour", "honest", "uniform", "university", "European", "useful", "one"}
    for text in texts:
        for article, word in re.findall(r"\b([Aa]n?) (\w+)", text):
            if word in odd or word[0].isdigit():
                assert article.lower() == ("an" if word in ("hour", "honest") else "a")
            else:
                assert (article.lower() == "an") == (word[0].lower() in "aeiou"), (article, word)


def test_pronouns_agree_with_verbs(texts: list[str]) -> None:
    wrong = re.compile(
        r"(?<!did )(?<!does )(?<!do )\b(?:he|she|it) (?:are|were|have|do|go|eat|live|make|give)\b"
        r"|\b(?:they|we) (?:is|was|has|does|goes|eats|lives|makes|gives)\b",
        re.IGNORECASE,
    )
    for text in texts:
        for match in wrong.finditer(text):
            before = text[: match.start()].rstrip('" ').rpartition(" ")[2].strip('"').lower()
            assert before in {"does", "did", "do", "can", "will", "should"}, text


def test_number_of_the_subject_decides_the_verb() -> None:
    nouns = {noun for kind in ("person", "animal") for noun in clauses.NOUNS[kind]}
    seen = set()
    for text in of_kind("pairs", 400):
        for sentence in SENTENCE.split(text):
            match = re.match(r"The (.+?) (\w+) (?:in|on|to|at|by|of|for)\b", sentence)
            if not match or " " in match[1]:
                continue
            noun, verb = match.groups()
            if noun in nouns and english.plural(noun) != noun:
                assert verb.endswith("s"), sentence
            elif noun not in nouns:
                assert not verb.endswith("s"), sentence
            seen.add((noun in nouns, verb))
    assert {single for single, _ in seen} == {True, False} and len(seen) > 20


@pytest.mark.parametrize("kind", ["week", "moves", "had_and_got"])
def test_answers_use_the_pronoun_of_the_name(kind: str) -> None:
    checked = 0
    for text in of_kind(kind):
        for name, pronoun in re.findall(r"(?:does|is|was) ([A-Z]\w+) [^?]*\? (He|She)\b", text):
            assert pronoun == ("She" if name in WOMEN else "He"), text
            checked += 1
    assert checked > 40


def test_sums() -> None:
    checked = 0
    for text in of_kind("sums"):
        for one, sign, two, result in re.findall(
            r"([\w-]+) (plus|minus) ([\w-]+) is ([\w-]+)\.", text
        ):
            right = as_number(one) + as_number(two) * (1 if sign == "plus" else -1)
            assert as_number(result) == right, text
            checked += 1
    assert checked > 300


def test_prices_add_up() -> None:
    for text in of_kind("shopping"):
        prices = {name: int(n) for name, n in re.findall(r"The ([\w ]+) costs (\d+) dollar", text)}
        total = int(re.findall(r"Together that is (\d+) dollar", text)[0])
        assert total == sum(prices.values()) and len(prices) >= 2, text
        for paid, back in re.findall(
            r"pays with (\d+) dollars? and gets (\d+) dollars? back", text
        ):
            assert int(paid) - int(back) == total
        for name, price in re.findall(r"How much was the ([\w ]+)\? It was (\d+)", text):
            assert prices[name] == int(price)


def test_word_problems() -> None:
    for text in of_kind("had_and_got"):
        had, _ = re.findall(r"has ([\w-]+) (\w+)\.", text)[0]
        gives = re.findall(r"gives (?:(?:him|her) )?([\w-]+) (more|of them)", text)[0]
        change = as_number(gives[0]) * (1 if gives[1] == "more" else -1)
        left = re.findall(r"have now\? (?:He|She) has ([\w-]+)", text)[0]
        assert as_number(left) == as_number(had) + change, text


def test_counting_has_even_steps() -> None:
    for text in of_kind("counting"):
        series, _, remark = text.partition(". That was counting ")
        numbers = [
            as_number(n.strip())
            for n in series.rpartition(":")[2].removeprefix("The numbers are ").split(",")
        ]
        step = 1 if remark == "one by one." else NUMBERS[remark.split()[-1].rstrip(".")]
        assert {abs(b - a) for a, b in itertools.pairwise(numbers)} == {step}, text


def test_ages() -> None:
    for text in of_kind("ages"):
        low = int(re.findall(r"is (\d+) years old", text)[0])
        gap, high = re.findall(r"is ([\w-]+) years? older than \w+, so \w+ is (\d+)", text)[0]
        assert int(high) == low + as_number(gap)
        for years, one, two in re.findall(
            r"In (\w+) years? \w+ will be (\d+) and \w+ will be (\d+)", text
        ):
            assert int(one) - low == int(two) - int(high) == as_number(years)


def test_temperatures_follow_from_each_other() -> None:
    checked = 0
    for text in of_kind("weather"):
        value = r"((?:minus )?\d+) degrees?"
        first = re.findall(rf"The temperature was {value}", text)[0]
        now = int(first.replace("minus ", "-"))
        for change, side, after in re.findall(rf"It was {value} (warmer|colder), so {value}", text):
            now += int(change) * (1 if side == "warmer" else -1)
            assert now == int(after.replace("minus ", "-")), text
            checked += 1
    assert checked > 150


DATE = re.compile(rf"({'|'.join(WEEKDAYS)}), (\d+) ({'|'.join(MONTHS)})")


def nearest(first: datetime.date, day: int, month: int) -> datetime.date | None:
    """Return the date of that day and month that is nearest to another date."""
    found = []
    for year in (first.year - 1, first.year, first.year + 1):
        try:
            found.append(datetime.date(year, month, day))
        except ValueError:  # 29 February, in another year
            continue
    return min(found, key=lambda date: abs(date - first), default=None)


def fits_some_year(text: str) -> bool:
    """Return whether in some year all dates of the text fall on the weekdays it names."""
    dates = [(WEEKDAYS.index(w), int(d), MONTHS.index(m) + 1) for w, d, m in DATE.findall(text)]
    for year in range(1950, 2031):
        first = nearest(datetime.date(year, dates[0][2], 15), *dates[0][1:])
        days = [nearest(first, day, month) for _, day, month in dates] if first else []
        if days and all(d and d.weekday() == w for d, (w, _, _) in zip(days, dates, strict=True)):
            return True
    return False


@pytest.mark.parametrize("kind", ["dates", "diary", "weather"])
def test_weekdays_fit_the_dates(kind: str) -> None:
    several = 0
    for text in of_kind(kind, 80):
        several += len(DATE.findall(text)) > 1
        assert fits_some_year(text), text
    assert several > 30


def test_the_weekday_check_can_fail() -> None:
    assert fits_some_year("Monday, 3 May. Tuesday, 4 May.")
    assert not fits_some_year("Monday, 3 May. Wednesday, 4 May.")


def test_answers_repeat_the_facts() -> None:
    checked = 0
    for text in of_kind("who_is_who", 300):
        facts = SENTENCE.split(text.partition("?")[0])[:-1]
        for asked, answer in re.findall(r"([A-Z][^.?:]*\?)(?: |\nAnswer: )([^.?]+)\.", text):
            name = (NAMES.findall(asked) or NAMES.findall(answer))[0]
            value = re.split(r" ", asked[:-1] if not NAMES.findall(asked) else answer)
            word = value[-2] if value[-1] in ("old", "best") and "years" not in value else value[-1]
            word = value[value.index("years") - 1] if "years" in value else word
            told = [fact.lower() for fact in facts if name in fact]
            assert any(word.lower() in fact for fact in told), (asked, answer, text)
            checked += 1
    assert checked > 300


def test_places_after_moving() -> None:
    for text in of_kind("moves"):
        who, where = re.findall(
            r"(?:[Tt]hen|Later)? ?(\w+) (?:went|walked) to the ([\w ]+?)[.,]", text
        )[-1]
        for name, place in re.findall(r"Where is (\w+) now\? \w+ is at the ([\w ]+)\.", text):
            if name == who:
                assert place == where or f"left the {place}" not in text, text


def test_survey_counts_everybody_on_one_side() -> None:
    name = f"(?:{'|'.join([*WOMEN, *MEN])})"
    recap = re.compile(rf"(?<=[.\"] )((?:{name}(?:, | and )?)+) (is|are) (?:for|against) ")
    for text in of_kind("survey"):
        sides = [(NAMES.findall(names), verb) for names, verb in recap.findall(text)]
        assert all((verb == "is") == (len(names) == 1) for names, verb in sides), text
        counted = sorted(name for names, _ in sides for name in names)
        assert counted == sorted(set(NAMES.findall(text))), text
        assert english.number_word(len(counted)) == text.split()[2], text


def test_elections_are_won_by_the_difference() -> None:
    for text in of_kind("election"):
        ((a, x, b, y),) = re.findall(r"(\w+) got (\d+) votes and (\w+) got (\d+) votes", text)
        ((winner, margin),) = re.findall(r"So (\w+) won by (\d+) votes", text)
        assert winner == (a if int(x) > int(y) else b) and int(margin) == abs(int(x) - int(y)), text


def spoken(tables: list[list[str]], plural: bool) -> set[str]:
    """Return every predicate of some tables, for a singular or a plural topic."""
    from corpus.scope import AGREEMENT

    found = set()
    for template in (template for table in tables for template in table):
        for slot, form in AGREEMENT[plural].items():
            template = template.replace(f"{{{slot}}}", form)  # noqa: PLW2901
        head, _, rest = template.partition("{")
        middle, _, tail = rest.partition("}")
        found |= {head + choice + tail for choice in middle.split("|")} if rest else {head}
    return found


def test_essays_keep_their_stance() -> None:
    pro = re.compile(
        r"in favour of|So I am for|more good than harm|not want to live without|say yes"
        r"|stand up for|good opinion|\bI support|\bI defend"
    )
    con = re.compile(
        r"I am against|more harm than good|could (?:easily|happily) live without|say no"
        r"|be careful with|(?:bad|low) opinion|\bI reject|\bI do not support"
    )
    sides = {True: set(), False: set()}  # type: dict[bool, set[str]]
    for plural in (False, True):
        sides[True] |= spoken([*PRO.values(), PRO_ANY], plural)
        sides[False] |= spoken([*CON.values(), CON_ANY], plural)
    checked = 0
    for text in of_kind("essay", 300):
        parts = SENTENCE.split(text)
        closing = parts[-1]
        if bool(pro.search(closing)) == bool(con.search(closing)):
            continue
        own, other = sides[bool(pro.search(closing))], sides[not pro.search(closing)]
        own, other = own - other, other - own
        opening = parts[0] if parts[0][-1] != "?" else parts[1]
        said = [p for p in own | other if len(p) > 12 and opening.rstrip(".").endswith(p)]
        if said:
            assert max(said, key=len) in own, text
            checked += 1
    assert checked > 80


@pytest.mark.parametrize(
    ("noun", "many"),
    [
        ("cat", "cats"),
        ("box", "boxes"),
        ("city", "cities"),
        ("boy", "boys"),
        ("child", "children"),
        ("loaf of bread", "loaves of bread"),
        ("old woman", "old women"),
        ("fish", "fish"),
    ],
)
def test_plural(noun: str, many: str) -> None:
    assert english.plural(noun) == many


@pytest.mark.parametrize(
    ("verb", "tense", "plural", "negated", "form"),
    [
        ("go", "present", False, False, "goes"),
        ("go", "past", True, False, "went"),
        ("carry", "present", False, False, "carries"),
        ("stop", "past", False, False, "stopped"),
        ("be", "past", True, True, "were not"),
        ("eat", "perfect", False, False, "has eaten"),
        ("swim", "progressive", True, False, "are swimming"),
        ("run", "future", False, True, "will not run"),
        ("sing", "present", False, True, "does not sing"),
        ("like", "modal", True, True, "cannot like"),
    ],
)
def test_conjugate(verb: str, tense: str, plural: bool, negated: bool, form: str) -> None:
    assert english.conjugate(verb, tense, plural, negated) == form


@given(st.integers(0, 999))
def test_number_words_are_distinct(value: int) -> None:
    assert NUMBERS[english.number_word(value)] == value


def test_polish() -> None:
    assert english.polish('a~ apple. it is a~ hour. "yes," he said') == (
        'An apple. It is an hour. "Yes," he said'
    )
