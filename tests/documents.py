"""The README and the pages of docs/, as the tests of documents read them.

PAGES                                   # path in the repository -> text
prose(text), blocks(text, "bash"), sections(text), anchors(text)
"""

import re
from collections.abc import Iterator

from tests.helpers import ROOT

README = "README.md"
# The commands of the README come first, then those of the workflow.
ORDER = (README, "docs/commands.md")
PAGES = {
    name: (ROOT / name).read_text(encoding="utf-8")
    for name in (
        *ORDER,
        *sorted(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md") if p.name != "commands.md"),
    )
}
OTHERS = {
    name: (ROOT / name).read_text(encoding="utf-8")
    for name in ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
}
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(text: str, language: str) -> list[str]:
    """Return the fenced blocks of a language, in order."""
    return [body for name, body in _FENCED.findall(text) if name == language]


def prose(text: str) -> str:
    """Return a page without its fenced blocks."""
    return _FENCED.sub("", text)


def _lines_with_headings(text: str) -> Iterator[tuple[int, str]]:
    """Yield (level, line): 0 for a line that is no heading, and its text without the #."""
    for line in prose(text).splitlines():
        found = re.fullmatch(r"(#+) (.*)", line)
        yield (len(found[1]), found[2]) if found else (0, line)


def sections(text: str) -> list[tuple[str, str]]:
    """Return (title, body) of each heading, the body up to the next heading of any level."""
    result: list[tuple[str, list[str]]] = []
    for level, line in _lines_with_headings(text):
        if level:
            result.append((line, []))
        elif result:
            result[-1][1].append(line)
    return [(title, "\n".join(body)) for title, body in result]


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub names them."""
    found: dict[str, int] = {}
    for title, _ in sections(text):
        name = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        found[name] = found.get(name, -1) + 1
        if found[name]:
            found[f"{name}-{found[name]}"] = 0
    return set(found)


def statements(text: str) -> list[tuple[str, str]]:
    """Return (title of the section, statement): each sentence of the prose, each row of a table."""
    result = []
    for title, body in sections(text):
        rows = [line for line in body.splitlines() if line.startswith("|")]
        rest = " ".join(line for line in body.splitlines() if not line.startswith("|"))
        sentences = re.split(r"(?<=[.:;])\s+(?=[A-Z\d`*\[-])", rest)
        result += [(title, one.strip()) for one in (*rows, *sentences) if one.strip()]
    return result
