"""What an analysis found, told from its summary alone. A document in, a section of a page out.

    section = analysis_section(summary, pictures)

The summary is that of `{m}_analysis_summary.json`, so another page can have the section too.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from gelu import artifacts
from gelu.page import NotDrawn, Picture, Section, Table

TITLE = "What the neurons stand for"
CAPTIONS = {
    artifacts.TOP_NEURONS_PICTURE: "The most important neurons, a row each. A mark further right "
    "tells more; the entropy is the most that it could tell.",
    artifacts.IMPORTANCE_BY_LAYER_PICTURE: "Each layer's neurons by kind, in what share of the "
    "samples they are active, and the mean importance of the selective ones.",
    artifacts.TOKEN_SPECIFIC_PICTURE: "A row is a token, a dot one of its three strongest neurons, "
    "for the token being written and for the one just read.",
    artifacts.POSITION_PICTURE: "Each cell is a layer at a position: how many of its neurons are "
    "active there, and, where there are any, how many position-specific neurons cover it.",
    artifacts.SIMILARITIES_PICTURE: "Each prompt with each, where there are two or more: brighter "
    "is more alike, and like ones stand together. And all pairs of completions, of one prompt and "
    "of two.",
    artifacts.CLUSTERS_PICTURE: "Each point is a generated token, its colour the cluster. Only "
    "labels that do not cover one another are written.",
    artifacts.CLUSTERS_BY_PROMPT_PICTURE: "The same points, coloured by prompt.",
}
IMPORTANT = ["layer", "dimension", "activation_frequency", "importance"]
LAYERS = ["layer", "mean_activity", "n_selective", "n_always_on", "n_dead"]


def analysis_section(summary: Mapping[str, Any], pictures: Sequence[Picture | NotDrawn]) -> Section:
    """Return the section; summary: of `{m}_analysis_summary.json`."""
    important, clusters = summary["important_neurons"], summary["clusters"]
    silhouette = clusters.get("silhouette")
    score = "" if silhouette is None else f", silhouette {silhouette:.2f}"
    return Section(
        TITLE,
        f"{kinds_sentence(summary)} A neuron's importance is how many bits its being active "
        "tells of the token written, the token just read, the prompt or the position, whichever is "
        "most, beyond chance.",
        pictures,
        [
            Table("The most important neurons", pd.DataFrame(important["top"], columns=IMPORTANT)),
            Table("The layers", pd.DataFrame(important["layers"], columns=LAYERS)),
        ],
        [
            *tested(summary["tests"]),
            f"Samples by their neurons: {clusters['number']:,} clusters{score}.",
        ],
    )


def kinds_sentence(summary: Mapping[str, Any]) -> str:
    """Return how many neurons are selective, always on and dead."""
    counts = summary["counts"]
    return (
        f"Of {counts['neurons']:,} neurons, {counts['selective']:,} are active for some samples "
        f"and not for others, {counts['always_on']:,} always and {counts['dead']:,} never."
    )


def findings_sentence(summary: Mapping[str, Any]) -> str:
    """Return how many findings of tokens, positions and prompts pass."""
    found = {entry["what"]: entry.get("n_passed") for entry in summary["tests"]}
    return (
        f"{found['token-specific neurons']:,} pairs of a token and a neuron that is specific to "
        f"it; {found['position-specific neurons']:,} neurons specific to positions; "
        f"{found['neurons consistent within a prompt']:,} pairs of a prompt and a neuron that all "
        "its completions share and others have less, beyond chance."
    )


def tested(tests: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line for each family of tests: what was tested how, and what passed."""
    return [f"{entry['what']}: {entry['test']}" + _passed(entry) for entry in tests]


def _passed(entry: Mapping[str, Any]) -> str:
    reason = entry.get("unattainable")
    limit = f"; nothing could pass: {reason}" if reason else ""
    if "n_tests" not in entry:
        return f" ({entry['n_permutations']:,} permutations, p = {entry['p_value']:.3g}{limit})"
    return f" ({entry['n_tests']:,} tests, {entry['n_passed']:,} passed{limit})"


def headline(summary: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines that say what was found; summary: of `{m}_analysis_summary.json`."""
    counts = summary["counts"]
    yield (
        f"{counts['samples']:,} samples, {counts['completions']:,} completions, "
        f"{counts['prompts']:,} prompts; {counts['neurons']:,} neurons: "
        f"{counts['selective']:,} selective, {counts['always_on']:,} always on, "
        f"{counts['dead']:,} dead"
    )
    for test in summary["tests"]:
        result = (
            f"{test['n_passed']:,} of {test['n_tests']:,} tests at a false-discovery rate of "
            f"{test['fdr']:g}"
            if "n_tests" in test
            else f"p = {test['p_value']:.2g}"
        )
        yield f"{test['what']}: {result}{_limits(test)}"
    for what, why in summary["skipped"].items():
        yield f"not computed: {what}: {why}"
    for ending, why in summary["not_drawn"].items():
        yield f"not drawn: {ending}: {why}"


def _limits(test: Mapping[str, Any]) -> str:
    """Return what an empty result means, where it could not have been otherwise."""
    if test.get("unattainable"):
        return f"; nothing could pass: {test['unattainable']}"
    if test.get("weaker_rows_left_out"):
        return f"; the {test['rows_in_table']:,} strongest are listed"
    if test.get("too_few"):
        return f"; {test['too_few']}"
    if test.get("n_passed") == 0 and test.get("fewest_together", 1) > 1:
        return f"; none passes unless {test['fewest_together']:,} do"
    return ""
