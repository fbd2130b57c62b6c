"""The patterns as a section of a page, and a page of their own. A document in, a page out.

    section = patterns_section(document, Picture(name, png, CAPTION))

The document is that of `{m}_patterns.json`, so the page of another script can have the section too.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gelu import artifacts
from gelu.html import Html, as_text, element
from gelu.neurons import neuron_name
from gelu.page import NotDrawn, Picture, Prepared, bullets, code, picture_html, report_html
from gelu.plots.text import show_spaces
from gelu.samples.splits import ENOUGH_PROMPTS

TITLE = "Neurons that fire together"
CAPTION = (
    "A row is a pattern: how many of its neurons are in each layer, how much of what it explains "
    "is beyond its tokens, and the contexts in which it is strongest, the token just read in "
    "colour."
)
NO_PATTERN = "no pattern explains more than its tokens do, on prompts it was not found in"
ROLE_NAMES = {
    "context": "token just read",
    "previous": "the one before it",
    "output": "token written next",
}
MOST_TOKENS, MOST_SHOWN = 6, 30


def patterns_section(
    document: Mapping[str, Any], picture: Picture | NotDrawn | None = None
) -> Prepared:
    """Return the section; document: of `{m}_patterns.json`."""
    patterns = document["patterns"]
    parts = [element("p", text) for text in how_to_read(document)]
    if picture is not None:
        parts.append(picture_html(picture))
    for pattern in patterns[:MOST_SHOWN]:
        parts += _pattern(pattern)
    if len(patterns) > MOST_SHOWN:
        rest = f"{len(patterns) - MOST_SHOWN:,} more patterns stand in the table."
        parts.append(element("p", rest))
    return Prepared(TITLE, parts)


def how_to_read(document: Mapping[str, Any]) -> list[str]:
    """Return what a pattern is, how it was tested and what came of it, as paragraphs."""
    summary = document["summary"]
    counts, permuted = summary["counts"], summary["permuted_data"]
    drawn = permuted["kept"]
    control = (
        f" In {len(drawn)} data sets with the neurons permuted within tokens, "
        f"{sum(drawn):,} patterns were kept in all."
        if drawn
        else ""
    )
    return [
        "A pattern is a group of neurons of which many fire at once: it is on in a sample if at "
        "least so many of them (its threshold) are active. Patterns were found in one half of the "
        "prompts and tested on the other.",
        f"Of {counts['tested']:,} patterns found, {counts['kept']:,} are kept: on prompts that "
        "they were not found in, they explain more active neurons than they would if each neuron "
        "fired by the token just read alone. The share beyond tokens is the part that would then "
        f"be gone: near 100% the neurons hardly ever fire together by their tokens.{control} At "
        f"most {summary['fdr']:.0%} of those kept are expected to be wrong.",
        "Lift 3 means: on three times as often with this token as in all samples. Only what "
        "passes the test is named. The samples of a context are those with most of the pattern's "
        "neurons active; the marked token is the one just read when they fired.",
        summary["intervals"],
    ]


def size_sentence(pattern: Mapping[str, Any]) -> str:
    """Return a pattern's size, layers and frequency in a sentence."""
    layers = [
        f"{count} in layer {name.split('_')[1]}"
        for name, count in pattern.items()
        if name.startswith("layer_") and count
    ]
    rough = ", a rough guide" if pattern["n_prompts_held_out"] < ENOUGH_PROMPTS else ""
    return (
        f"{pattern['n_neurons']} neurons ({', '.join(layers)}); on where {pattern['threshold']} "
        f"or more are active: {pattern['n_on']:,} samples ({pattern['share_on']:.1%}) of "
        f"{pattern['n_prompts_on']:,} prompts. Found in {pattern['found_in']}. "
        f"{pattern['share_beyond_tokens']:.1%} of what it explains is beyond tokens "
        f"(95% interval {_percent(pattern['share_low'])} to {_percent(pattern['share_high'])} over "
        f"{pattern['n_prompts_held_out']:,} held-out prompts{rough}, q = {pattern['q_value']:.1g})."
    )


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{share:.1%}"


def _pattern(pattern: Mapping[str, Any]) -> list[Html]:
    neurons = ", ".join(
        neuron_name(row["layer"], row["dimension"]) for row in pattern["neurons"][:12]
    )
    more = ", …" if len(pattern["neurons"]) > 12 else ""
    number = pattern["pattern"]
    return [
        element("h3", f"Pattern {number}", id=f"pattern-{number}"),
        element("p", f"{size_sentence(pattern)} Its steadiest neurons: {neurons}{more}"),
        *bullets(_goes_with(pattern)),
        element("p", "Strongest contexts, with the number of its neurons active:"),
        element("ol", *map(_context, pattern["contexts"])),
    ]


def _goes_with(pattern: Mapping[str, Any]) -> list[Html]:
    """Return the tokens, positions and prompts that passed the test, a line for each kind."""
    lines = [
        as_text(f"{name}: ", *_tokens(pattern["tokens"][role]))
        for role, name in ROLE_NAMES.items()
        if pattern["tokens"][role]
    ]
    lines += [
        as_text(
            f"positions {row['range_start']} to {row['range_end'] - 1}: lift {row['lift']:.1f}, "
            f"q = {row['q_value']:.1g}"
        )
        for row in pattern["positions"]
    ]
    lines += [
        as_text(
            "prompt ",
            code(row["input_text"]),
            f": lift {row['lift']:.1f}, q = {row['q_value']:.1g}",
        )
        for row in pattern["prompts"][:MOST_TOKENS]
    ]
    return lines


def _tokens(rows: Sequence[Mapping[str, Any]]) -> list[str | Html]:
    parts: list[str | Html] = []
    for row in rows[:MOST_TOKENS]:
        evidence = f" (lift {row['lift']:.1f}, q = {row['q_value']:.1g})"
        parts += [", ", code(row["token"]), evidence] if parts else [code(row["token"]), evidence]
    return parts


def _context(row: Mapping[str, Any]) -> Html:
    return element(
        "li",
        element("code", _one_line(row["before"])),
        element("mark", show_spaces(row["token"])),
        element("code", _one_line(row["after"])),
        f" ({row['n_active']})",
    )


def _one_line(text: str) -> str:
    """Return text with line breaks and tabs as signs; its spaces stay spaces."""
    return show_spaces(f"|{text}|")[1:-1]


def patterns_page(model: str, document: Mapping[str, Any], picture: Picture | NotDrawn) -> str:
    """Return a page with the section alone."""
    counts = document["summary"]["counts"]
    intro = [
        f"{model} wrote {counts['samples']:,} tokens after {counts['prompts']:,} prompts. A sample "
        "is one of these tokens; a neuron is one coordinate of an MLP's hidden layer, active where "
        "its activation function's output is above 0. L2.317 is dimension 317 of layer 2."
    ]
    limits = [f"not computed: {what}: {why}" for what, why in _items(document, "skipped")]
    limits += [f"on a part: {what}: {why}" for what, why in _items(document, "subsampled")]
    section = patterns_section(document, picture)
    section = Prepared(section.title, [*section.content, *bullets(limits)])
    return report_html(f"Neurons of {model} that fire together", intro, [section])


def _items(document: Mapping[str, Any], name: str) -> Sequence[tuple[str, str]]:
    return sorted(document["summary"][name].items())


def headline(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines that say what was found; document: of `{m}_patterns.json`."""
    summary = document["summary"]
    counts, drawn = summary["counts"], summary["permuted_data"]["kept"]
    yield (
        f"{counts['samples']:,} samples, {counts['prompts']:,} prompts, {counts['neurons']:,} "
        f"neurons: {counts['tested']:,} patterns tested, {counts['kept']:,} kept at a "
        f"false-discovery rate of {summary['fdr']:g}"
    )
    if drawn:
        yield f"kept in permuted data: {', '.join(map(str, drawn))}"
    yield summary["intervals"]
    for what, why in summary["skipped"].items():
        yield f"not computed: {what}: {why}"
    if not document["patterns"]:
        yield f"not drawn: {artifacts.PATTERNS_PICTURE}: {NO_PATTERN}"
