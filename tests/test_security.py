"""SECURITY.md names tests that are there."""

import re

from tests.helpers import ROOT

TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def test_the_tests_it_names_exist() -> None:
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", TEXT)
    assert len(named) >= 15
    for file, test in named:
        (found,) = (ROOT / "tests").rglob(file)
        source = found.read_text(encoding="utf-8")
        assert re.search(rf"^def {test}\(", source, re.MULTILINE), f"{file}::{test}"


def test_every_promise_names_a_test() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 8 and all(".py::" in row for row in rows)


def test_the_files_and_targets_it_names_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make (\w+)`", TEXT):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for path in re.findall(r"`(gelu/[\w/.]+)`", TEXT):
        assert (ROOT / path).is_file(), path
