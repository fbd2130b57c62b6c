"""README and docs name what there is: scripts, arguments, links, pictures, measurements."""

import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.documents import OTHERS, PAGES, anchors, blocks, prose, statements
from tests.helpers import ROOT

ALL_TEXT = "\n".join(PAGES.values())
RESULTS = (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
SCRIPTS = sorted(path.name for path in ROOT.glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_and_its_arguments_are_named(script: str) -> None:
    assert script in PAGES["README.md"] and script in PAGES["docs/commands.md"]
    shown = subprocess.run(
        [sys.executable, ROOT / script, "--help"], capture_output=True, text=True, check=True
    ).stdout
    for argument in set(re.findall(r"(?<![\w-])--[a-z_]+\b", shown)) - {"--help"}:
        assert re.search(rf"{argument}(?![\w])", ALL_TEXT), f"{script} {argument}"


def test_no_script_is_named_that_is_not_there() -> None:
    for name in set(re.findall(r"`([a-z_]+\.py)`", prose(ALL_TEXT))) - {"run.py", "page.py"}:
        inside = list((ROOT / "gelu").rglob(name))
        assert name in SCRIPTS or inside, name
    for path in set(re.findall(r"`((?:gelu|tests|benchmarks)/[\w/]+\.py)`", ALL_TEXT)):
        assert (ROOT / path).is_file(), path


def test_no_target_of_make_is_named_that_is_not_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    # The changelog names what there was.
    for text in (*PAGES.values(), OTHERS["CONTRIBUTING.md"], OTHERS["SECURITY.md"]):
        for target in set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE)):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("page", [*PAGES, *OTHERS])
def test_links_lead_somewhere(page: str) -> None:
    text = PAGES.get(page) or OTHERS[page]
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(text)):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        path = ((ROOT / page).parent / name) if name else ROOT / page
        assert path.exists(), target
        if anchor:
            assert anchor in anchors(path.read_text(encoding="utf-8")), target


def test_every_page_is_linked_from_the_readme() -> None:
    for page in {*PAGES, *OTHERS, "LICENSE"} - {"README.md"}:
        assert f"]({page})" in PAGES["README.md"], page


def test_every_room_and_module_of_the_library_is_in_the_tree() -> None:
    (tree,) = [block for block in blocks(PAGES["README.md"], "text") if "gelu/\n" in block]
    named = set(re.findall(r"[\w]+\.py|[\w-]+(?=/)", tree))
    there = {path.name for path in (ROOT / "gelu").iterdir() if path.name[0] not in "_."}
    assert there <= named, there - named
    rooms = prose(PAGES["docs/architecture.md"])
    assert all(f"`{name}" in rooms or f"{name}`" in rooms for name in there)


def test_calls_from_python_are_there_and_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = PAGES["docs/commands.md"]
    calls = re.findall(r"`(gelu\.[\w.]+)\.(\w+)`", text)
    assert len(calls) >= 20
    found = {getattr(importlib.import_module(module), name) for module, name in calls}
    for name in ("models", "parcellation_datasets"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    (block,) = blocks(text, "python")
    names: dict[str, Any] = {}
    exec(compile(block, "docs/commands.md", "exec"), names)
    assert len(names["dataset"]) == 1200 and len(names["figures"]) == 2
    assert (tmp_path / "python/studies/gpt2-demo_findings.html").is_file()
    # Every stage has a call in the block, by one of its two names.
    called = {name for name in names if name in {it.__name__ for it in found}}
    assert len(called) == 11
    assert capsys.readouterr().out == ""


def test_modules_in_the_route_exist() -> None:
    (route,) = blocks(PAGES["docs/architecture.md"], "text")
    for name in re.findall(r"\w+/[\w*]+\.py", route):
        assert list((ROOT / "gelu").glob(name)), name


# A measurement: "4 min 9 s", "82 s", "104 MB", "748 tokens/s", "3.7 x", "2.8 %".
NUMBER = r"-?\d[\d,]*(?:\.\d+)?"
MINUTES = re.compile(r"(\d+) min (\d+) s\b")
FIGURE = re.compile(rf"(?<![\w.^])({NUMBER}) (ms|s|kB|MB|GB|tokens/s|x|%)(?=[\s,;:.)|]|$)(?! \d)")
SOURCE = re.compile(r"python benchmarks/(\w+)\.py")
# What is no measurement of this project: sizes of files that others made, and bounds.
NOT_MEASURED = ("6.4 GB for gpt2-xl", "full edge list of gpt2-xl")
# Figures of a sentence that say what was measured, not how much.
SETTINGS = {("edges", "1.19 GB"): "1,190,295,552 bytes", ("coverage", "95 %"): "95"}


def results_of(scripts: set[str]) -> str:
    """Return the sections of RESULTS.md that these benchmarks wrote."""
    parts = re.split(r"^## ", RESULTS, flags=re.MULTILINE)[1:]
    chosen = [part for part in parts if any(f"python benchmarks/{s}.py" in part for s in scripts)]
    return "\n".join(chosen)


def numbers(text: str) -> list[float]:
    return [float(found.replace(",", "")) for found in re.findall(NUMBER, text)]


def is_measured(value: str, unit: str, found: list[float]) -> bool:
    """Return whether a measured number, in its unit, rounds to the value as it is printed."""
    plain = value.replace(",", "")
    digits = len(plain.partition(".")[2])
    scale = {"GB": 1000.0}.get(unit, 1.0)
    # Half a unit of the last digit printed, and what the rounding of the table itself adds.
    room = 0.5 * 10**-digits + 1e-9
    return any(abs(number / scale - float(plain)) <= room for number in found)


def measured(statement: str) -> list[tuple[str, str]]:
    """Return each (value, unit) of a statement; minutes are turned into seconds."""
    in_minutes = [
        (str(60 * int(minutes) + int(seconds)), "s")
        for minutes, seconds in MINUTES.findall(statement)
    ]
    return in_minutes + FIGURE.findall(MINUTES.sub("", statement))


ATTRIBUTED = [
    (page, statement)
    for page, text in PAGES.items()
    for _, statement in statements(text)
    if SOURCE.search(statement)
]


@pytest.mark.parametrize("page,statement", ATTRIBUTED, ids=lambda value: value[:60])
def test_a_measurement_is_in_the_results(page: str, statement: str) -> None:
    scripts = set(SOURCE.findall(statement))
    text = results_of(scripts)
    assert text, f"{page}: RESULTS.md has nothing of {scripts}"
    if "on paper" in statement or "times 8.33" in statement:
        return
    found = numbers(text)
    for value, unit in measured(statement):
        known = [SETTINGS.get((script, f"{value} {unit}")) for script in scripts]
        if any(known):
            assert any(one and one in text for one in known), f"{page}: {value} {unit}"
        else:
            assert is_measured(value, unit, found), f"{page}: {value} {unit}: {statement}"


def test_a_time_or_size_has_a_source() -> None:
    """Sentences with a time, a speed or memory name their benchmark, or are worked out on paper."""
    for page, text in PAGES.items():
        for title, statement in statements(text):
            if SOURCE.search(statement) or "on paper" in (title + statement):
                continue
            if any(words in statement for words in NOT_MEASURED):
                continue
            left = [f"{value} {unit}" for value, unit in measured(statement) if unit != "%"]
            assert not left, f"{page}, {title}: {left}: {statement}"


# Shares that define something, and what they are part of.
DEFINED = (
    "95 % interval",  # everywhere
    "saves less than 10 % of the base rate",
    "saves 80 % of what all predictors together save over the base rate",
    "-1 is like drawing tokens of 37 % each",
)


def shares_without_source(text: str) -> list[str]:
    """Return the statements with a share that names no command, neither there nor, for what is in
    the results of a benchmark that its section names, in the section."""
    by_section: dict[str, list[str]] = {}
    for title, statement in statements(text):
        by_section.setdefault(title, []).append(statement)
    found = []
    for parts in by_section.values():
        results = numbers(results_of({*SOURCE.findall(" ".join(parts))}))
        for statement in parts:
            shares = [value for value, unit in measured(statement) if unit == "%"]
            one_line = " ".join(statement.split())
            named = SOURCE.search(statement) or "`make findings`" in statement
            if named or any(words in one_line for words in DEFINED):
                continue
            if not all(is_measured(value, "%", results) for value in shares):
                found.append(statement)
    return found


@pytest.mark.parametrize("page", PAGES)
def test_a_share_has_a_source(page: str) -> None:
    assert shares_without_source(PAGES[page]) == []


def test_a_share_without_a_source_is_noticed() -> None:
    title, command = "## A title\n\n", "See `python benchmarks/coverage.py`. "
    assert shares_without_source(f"{title}It is right 65 % of the time.") != []
    assert shares_without_source(f"{title}{command}It is right 64.321 % of the time.") != []
    assert shares_without_source(f"{title}{command}It is right 92 % of the time.") == []
    assert shares_without_source(f"{title}It is right 65 % of the time (`make findings`).") == []


def test_the_check_of_measurements_can_fail() -> None:
    results = numbers(results_of({"analysis"}))
    assert is_measured("249", "s", results) and is_measured("3.0", "GB", results)
    assert not is_measured("292", "s", results) and not is_measured("2.6", "GB", results)
    assert measured("took 4 min 9 s and 3.0 GB (") == [("249", "s"), ("3.0", "GB")]
    assert measured("| 748 tokens/s | 3.7 x; 2.8 % |") == [
        ("748", "tokens/s"),
        ("3.7", "x"),
        ("2.8", "%"),
    ]
    assert sum(len(measured(statement)) for _, statement in ATTRIBUTED) >= 40


def test_hooks_fetch_nothing_and_run_what_is_pinned() -> None:
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"repo: (\S+)", text)) == {"local"}
    entries = re.findall(r"entry: (.+)", text)
    assert entries and all(entry.startswith(".venv/bin/python -m ") for entry in entries)
    pinned = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    for tool in {entry.split()[2] for entry in entries}:
        assert re.search(rf"^{tool}==", pinned, re.MULTILINE), tool


def test_the_license_is_ours() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert text.startswith("MIT License") and "the gelu-activations authors" in text
