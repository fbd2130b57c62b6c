"""The pictures of an analysis, and the page that explains them. Results in, bytes and text out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import pandas as pd
from matplotlib.figure import Figure

from gelu import artifacts
from gelu.analysis.run import Analysis
from gelu.analysis.section import CAPTIONS, findings_sentence, kinds_sentence, tested
from gelu.analysis.settings import AnalysisSettings
from gelu.html import Html, as_text
from gelu.page import NotDrawn, Picture, Section, Table, code, report_html
from gelu.plots.clusters import MOST_PROMPT_COLOURS, clusters_figure
from gelu.plots.figures import png_bytes
from gelu.plots.neurons import importance_by_layer_figure, top_neurons_figure
from gelu.plots.positions import position_heatmap_figure
from gelu.plots.similarities import similarities_figure
from gelu.plots.tokens import token_specific_figure
from gelu.samples.arrays import Samples
from gelu.samples.notes import Notes
from gelu.statistics.consistent_neurons import Consistency
from gelu.statistics.position_specific import PositionTests
from gelu.statistics.token_specific import TokenTests

ROWS_SHOWN = 15


def reasons_not_to_draw(
    samples: Samples, settings: AnalysisSettings, analysis: Analysis
) -> dict[str, str]:
    """Return why a picture would say nothing, by the ending of its file's name, where one would."""
    reasons = {}
    if not (analysis.important["kind"] == "selective").any():
        reasons[artifacts.TOP_NEURONS_PICTURE] = "no neuron is selective"
    if len(_of_direction(analysis.tokens.table, "active")) == 0:
        reasons[artifacts.TOKEN_SPECIFIC_PICTURE] = (
            f"no neuron is specific to a token at a false-discovery rate of {settings.fdr:g}"
        )
    if analysis.activity is None:
        reasons[artifacts.POSITION_PICTURE] = analysis.notes.skipped["positions"]
    elif len(analysis.activity.positions) == 1:
        reasons[artifacts.POSITION_PICTURE] = "all samples have one position"
    if len(analysis.prompts.within) + len(analysis.prompts.between) == 0:
        reasons[artifacts.SIMILARITIES_PICTURE] = (
            "there is only one completion, and nothing to compare it with"
        )
    return reasons | _reasons_against_clusters(samples, analysis.notes)


def _reasons_against_clusters(samples: Samples, notes: Notes) -> dict[str, str]:
    if "clusters" in notes.skipped:
        both = (artifacts.CLUSTERS_PICTURE, artifacts.CLUSTERS_BY_PROMPT_PICTURE)
        return dict.fromkeys(both, notes.skipped["clusters"])
    n_prompts = len(samples.prompt_ids)
    if 1 < n_prompts <= MOST_PROMPT_COLOURS:
        return {}
    reason = (
        "there is only one prompt"
        if n_prompts == 1
        else f"{n_prompts:,} prompts are more than the {MOST_PROMPT_COLOURS} that colours and "
        "marks can tell apart"
    )
    return {artifacts.CLUSTERS_BY_PROMPT_PICTURE: reason}


def analysis_pictures(
    model: str,
    samples: Samples,
    settings: AnalysisSettings,
    analysis: Analysis,
    not_drawn: Mapping[str, str],
) -> dict[str, bytes]:
    """Return each picture's PNG by the ending of its file's name.

    not_drawn: of `reasons_not_to_draw`; these are left out.
    """
    figures: dict[str, Callable[[], Figure]] = {
        artifacts.CLUSTERS_PICTURE: partial(_clusters, model, analysis, "cluster"),
        artifacts.CLUSTERS_BY_PROMPT_PICTURE: partial(_clusters, model, analysis, "prompt"),
        artifacts.TOP_NEURONS_PICTURE: partial(top_neurons_figure, model, analysis.important),
        artifacts.IMPORTANCE_BY_LAYER_PICTURE: partial(
            importance_by_layer_figure, model, analysis.layers, analysis.important
        ),
        artifacts.TOKEN_SPECIFIC_PICTURE: partial(
            token_specific_figure,
            model,
            _of_direction(analysis.tokens.table, "active"),
            settings.fdr,
        ),
        artifacts.POSITION_PICTURE: partial(_positions, model, analysis),
        artifacts.SIMILARITIES_PICTURE: partial(_similarities, model, samples, analysis),
    }
    return {
        ending: png_bytes(figure()) for ending, figure in figures.items() if ending not in not_drawn
    }


def _clusters(model: str, analysis: Analysis, colour_by: Literal["cluster", "prompt"]) -> Figure:
    score = analysis.clusters.silhouette
    note = "" if score is None else f"Silhouette {score:.2f}."
    return clusters_figure(model, analysis.clusters.table, colour_by, note)


def _positions(model: str, analysis: Analysis) -> Figure:
    activity = analysis.activity
    assert activity is not None
    return position_heatmap_figure(model, activity.positions, activity.frequency, activity.specific)


def _similarities(model: str, samples: Samples, analysis: Analysis) -> Figure:
    prompts = analysis.prompts
    texts = dict(zip(samples.prompt_ids.tolist(), samples.prompt_texts(), strict=True))
    p_value = None if prompts.test is None else prompts.test.p_value
    return similarities_figure(
        model, prompts.prompts, texts, prompts.within, prompts.between, p_value
    )


def analysis_page(
    model: str,
    samples: Samples,
    settings: AnalysisSettings,
    analysis: Analysis,
    summary: Mapping[str, Any],
    pictures: Mapping[str, bytes],
) -> str:
    """Return the report as one HTML page.

    pictures: of `analysis_pictures`; where one is missing, the summary's `not_drawn` says why.
    """
    figures = _Figures(model, pictures, summary["not_drawn"])
    sections = [
        _important_section(analysis, figures),
        _token_section(settings, analysis, figures),
        _position_section(settings, analysis, figures),
        _prompt_section(settings, analysis, figures),
        _across_section(settings, analysis),
        _cluster_section(analysis, figures),
        _method_section(analysis.notes, summary),
    ]
    return report_html(f"What the neurons of {model} stand for", _intro(model, summary), sections)


def _intro(model: str, summary: Mapping[str, Any]) -> list[str]:
    counts = summary["counts"]
    return [
        f"{model} wrote {counts['samples']:,} tokens in {counts['completions']:,} completions of "
        f"{counts['prompts']:,} prompts. A sample is one of these tokens. A neuron is one "
        "coordinate of an MLP's hidden layer; it is active for a sample if its value after the "
        "GELU was above 0 when the token was predicted. L2.317 is dimension 317 of layer 2.",
        kinds_sentence(summary),
        findings_sentence(summary),
    ]


@dataclass(frozen=True)
class _Figures:
    """The pictures by the endings of their files' names, and why others are not there."""

    model: str
    drawn: Mapping[str, bytes]
    not_drawn: Mapping[str, str]

    def picture(self, ending: str) -> Picture | NotDrawn:
        """Return the picture with its caption, or what stands in its place."""
        name = f"{self.model}_{ending}"
        if ending in self.not_drawn:
            return NotDrawn(name, self.not_drawn[ending])
        return Picture(name, self.drawn[ending], CAPTIONS[ending])


def _important_section(analysis: Analysis, figures: _Figures) -> Section:
    columns = ["layer", "dimension", "activation_frequency", "entropy_bits"]
    columns += ["mi_output_bits", "mi_context_bits", "mi_prompt_bits", "mi_position_bits"]
    selective = analysis.important[analysis.important["kind"] == "selective"]
    return Section(
        "The most informative neurons",
        "Knowing whether a neuron is active tells something about the token written (output), the "
        "token just read (context), the prompt, or the position: so many bits, beyond what chance "
        "gives. A neuron's importance is the largest of the four. It cannot exceed the entropy of "
        "its being active or not, which is 1 bit for a neuron active half of the time.",
        [
            figures.picture(artifacts.TOP_NEURONS_PICTURE),
            figures.picture(artifacts.IMPORTANCE_BY_LAYER_PICTURE),
        ],
        [Table("The most important neurons", selective[columns].head(ROWS_SHOWN))],
        [],
    )


def _token_section(settings: AnalysisSettings, analysis: Analysis, figures: _Figures) -> Section:
    columns = ["role", "token", "n_prompts", "layer", "dimension", "n_token", "n_active", "n_both"]
    columns += ["precision", "recall", "phi", "q_value"]
    best = _of_direction(analysis.tokens.table, "active")
    best = best.drop_duplicates(["role", "token", "token_id"])
    best = best.sort_values("phi", ascending=False, kind="stable")
    silent = _of_direction(analysis.tokens.table, "silent").sort_values("phi", kind="stable")
    return Section(
        "Neurons of one token",
        "A neuron is specific to a token if it is active with it more often than without it. "
        "Precision is the share of the neuron's active samples that have the token, recall the "
        "share of the token's samples in which it is active, phi their correlation: 1 means "
        "active with this token and never otherwise. n_prompts says under how many prompts the "
        f"token stands. Chance is allowed for: of all pairs reported, at most {settings.fdr:.0%} "
        "are expected to be wrong, also where tokens and activity repeat along a text or are "
        "shared by a prompt's completions. Neurons that are mostly active and silent with a token "
        "are listed apart; their phi is negative.",
        [figures.picture(artifacts.TOKEN_SPECIFIC_PICTURE)],
        [
            Table("Each token's strongest neuron", best[columns].head(2 * ROWS_SHOWN)),
            Table("Neurons that are silent with a token", silent[columns].head(ROWS_SHOWN)),
        ],
        _token_notes(settings, analysis.tokens),
    )


def _of_direction(table: pd.DataFrame, direction: str) -> pd.DataFrame:
    return table[table["direction"] == direction]


def _token_notes(settings: AnalysisSettings, tokens: TokenTests) -> list[str | Html]:
    """Return how many pairs pass, how many of them are listed, and what could not pass."""
    passed = tokens.n_passed
    notes: list[str | Html] = [
        f"{passed['active']:,} pairs of a token and an active neuron and {passed['silent']:,} of a "
        f"token and a silent one pass, of {sum(tokens.n_tests.values()):,} tested; pairs that "
        "could not pass, for lack of samples, are not tested."
    ]
    if tokens.n_left_out:
        notes.append(_left_out(settings, tokens.n_left_out))
    if tokens.unattainable:
        notes.append(f"Nothing could pass: {tokens.unattainable}.")
    return notes


def _left_out(settings: AnalysisSettings, n_left_out: int) -> Html:
    """Return which passing pairs are not in the table's file, and the parameters that say so."""
    phi = (f"a phi below {settings.min_phi:g} (", code("min_phi"), ")")
    if not settings.top_per_token:
        return as_text(
            f"{n_left_out:,} of them have ", *phi, " and are left out of the table's file."
        )
    return as_text(
        f"{n_left_out:,} of them are left out of the table's file: those with ",
        *phi,
        f", and of each token those beyond the strongest {settings.top_per_token:,} (",
        code("top_per_token"),
        ").",
    )


def _position_section(settings: AnalysisSettings, analysis: Analysis, figures: _Figures) -> Section:
    columns = ["layer", "dimension", "mi_bits", "range_start", "range_end"]
    columns += ["frequency_inside", "frequency_outside", "q_value"]
    return Section(
        "Neurons of a position",
        "Some neurons watch where in the text a token stands, not what it is. Each is named with "
        "the range of positions (the end not included) that its activity goes with best, and how "
        f"often it is active in and out of it. At most {settings.fdr:.0%} are expected to be "
        "wrong.",
        [figures.picture(artifacts.POSITION_PICTURE)],
        [Table("The most position-specific neurons", analysis.positions.table[columns].head(15))],
        _position_notes(analysis.positions),
    )


def _position_notes(positions: PositionTests) -> list[str]:
    """Return what could not be found with so few prompts, nothing where there are enough."""
    if positions.unattainable:
        return [f"Nothing could pass: {positions.unattainable}."]
    return [f"Too few prompts for some: {positions.too_few}."] if positions.too_few else []


def _prompt_section(settings: AnalysisSettings, analysis: Analysis, figures: _Figures) -> Section:
    columns = ["prompt_idx", "input_text", "layer", "dimension", "n_samples"]
    columns += ["frequency_other_prompts", "token_share_this_prompt", "token_share_other_prompts"]
    columns += ["q_value", "passes"]
    consistent = analysis.prompts.consistent
    strongest = consistent.table.groupby("prompt_idx", sort=False).head(3)
    return Section(
        "Completions of one prompt",
        "A completion counts as the set of neurons active for at least one of its tokens. The "
        "Jaccard index of two sets is the share of neurons in either that are in both: 1 for "
        "equal sets. The p-value is how often completions dealt out to prompts at random would "
        "look as much alike within prompts.",
        [figures.picture(artifacts.SIMILARITIES_PICTURE)],
        [
            Table(
                "Neurons in all completions of a prompt and in fewer of the others: the strongest "
                f"of each prompt. Of those that pass, at most {settings.fdr:.0%} are expected to "
                "be wrong",
                strongest[columns].head(2 * ROWS_SHOWN),
            )
        ],
        _consistency_notes(consistent),
    )


def _consistency_notes(consistent: Consistency) -> list[str]:
    """Return how many neurons pass and how to read that, nothing where no row is there."""
    together = consistent.fewest_together
    notes = [
        f"{consistent.n_passed:,} of {consistent.n_tests:,} pairs of a prompt and a neuron pass: "
        "the neuron is active at more tokens of the prompt's completions, and at some of each, "
        "than if completions were dealt out to prompts at random."
    ]
    if consistent.unattainable:
        notes.append(f"Nothing could pass: {consistent.unattainable}.")
    elif together > 1:
        notes.append(
            f"With so few completions none passes unless {together:,} do: the smallest possible "
            f"p-value is {consistent.smallest_p:.2g}."
        )
    if consistent.n_left_out:
        notes.append(f"{consistent.n_left_out:,} weaker pairs are left out of the table's file.")
    return notes


def _across_section(settings: AnalysisSettings, analysis: Analysis) -> Section:
    columns = ["token", "n_prompts", "n_samples", "jaccard_same_token_other_prompt"]
    columns += ["jaccard_same_prompt_other_token", "q_value"]
    return Section(
        "The same token under different prompts",
        "Are the neurons behind a token the same wherever it is written? The first Jaccard index "
        "compares its samples under two prompts, the second those samples with other tokens of "
        f"the same prompt. A q-value up to {settings.fdr:g} says that the first is larger than "
        "chance gives.",
        [],
        [
            Table(
                "Tokens generated under two or more prompts",
                analysis.across.table[columns].head(20),
            )
        ],
        [],
    )


def _cluster_section(analysis: Analysis, figures: _Figures) -> Section:
    clusters = analysis.clusters
    rows = [
        f"{name.replace('_', ' ')}: adjusted Rand index {scores['adjusted_rand_index']:.2f}, "
        f"normalised mutual information {scores['normalised_mutual_information']:.2f}"
        for name, scores in clusters.agreement.items()
    ]
    silhouette = "" if clusters.silhouette is None else f" (silhouette {clusters.silhouette:.2f})"
    return Section(
        "Tokens by their neurons",
        "Samples with like sets of active neurons stand close together. Directions and distances "
        "across the picture mean nothing, neighbours do. Clusters are found before the samples "
        f"are laid out in the plane: {clusters.n_clusters}{silhouette}. A silhouette near 1 means "
        "well separated groups, near 0 a continuum.",
        [
            figures.picture(artifacts.CLUSTERS_PICTURE),
            figures.picture(artifacts.CLUSTERS_BY_PROMPT_PICTURE),
        ],
        [],
        ["How clusters agree with", *rows] if rows else [],
    )


def _method_section(notes: Notes, summary: Mapping[str, Any]) -> Section:
    skipped = [f"not computed: {what}: {why}" for what, why in notes.skipped.items()]
    parts = [f"on a part of the samples: {what}: {why}" for what, why in notes.subsampled.items()]
    return Section(
        "What was tested, and what was not",
        "Each line is a family of tests; then what the data did not allow, and what rests on a "
        "part of it.",
        [],
        [],
        [*tested(summary["tests"]), *skipped, *parts],
    )
