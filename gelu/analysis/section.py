"""What an analysis found, told from its summary alone. A document in, a section of a page out.

    section = analysis_section(summary, pictures)

The summary is that of `{m}_analysis_summary.json`, so another page can have the section too.
"""

from collections.abc import Mapping, Sequence
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
