"""The page of findings: what the neurons stand for and what is predictable from what.

    page = findings_page(model, found)

Documents and tables in, a page out. A study that has not been made has no section, and the page
says which those are.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from gelu.analysis.section import analysis_section, findings_sentence
from gelu.page import NotDrawn, Picture, Prepared, Section, Table, report_html
from gelu.patterns.page import TITLE as PATTERNS_TITLE
from gelu.patterns.page import patterns_section
from gelu.samples.splits import coverage_note

PREDICTORS = {
    "base_rate": "base rate",
    "token": "last token, counted",
    "two_tokens": "last two tokens, counted",
    "learned": "learned from the last tokens and the position",
}
SCORERS = {
    "unigram": "unigram: how frequent the token is",
    "bigram": "bigram: the last token",
    "trigram": "trigram: the last two tokens",
    "linear": "linear readout of the active neurons",
    "hidden_layer": "readout with a hidden layer",
    "model": "the model itself",
}
CARRIERS_SHOWN = 20
# Of a study's settings those that decide what it is about; the page states them.
STATED = ("seed", "held_out", "epochs", "fdr")


@dataclass(frozen=True)
class Found:
    """What the studies' scripts left, None for what is not there.

    temperatures: the table of `compare_temperatures.py`; pictures: of each study, by its name in
    `gelu.findings.results.STUDIES`; left_out: the files that are half of a
    study -> why they are not on the page.
    """

    analysis: Mapping[str, Any] | None
    activations: Mapping[str, Any] | None
    activation_layers: pd.DataFrame | None
    patterns: Mapping[str, Any] | None
    tokens: Mapping[str, Any] | None
    token_scores: pd.DataFrame | None
    carriers: pd.DataFrame | None
    direct: pd.DataFrame | None
    temperatures: pd.DataFrame | None
    pictures: Mapping[str, Sequence[Picture | NotDrawn]]
    left_out: Mapping[Path, str] = field(default_factory=dict)

    @property
    def notes(self) -> list[str]:
        """What is half there and left out, and why."""
        return [f"{path} is left out: {reason}" for path, reason in self.left_out.items()]


def findings_page(model: str, found: Found) -> str:
    """Return the whole page as HTML."""
    sections: list[Section | Prepared] = []
    if found.analysis is not None:
        sections.append(analysis_section(found.analysis, found.pictures["analysis"]))
    if found.activations is not None and found.activation_layers is not None:
        sections.append(_activation_section(found.activations, found.activation_layers, found))
    if found.patterns is not None:
        picture = next(iter(found.pictures["patterns"]), None)
        sections.append(patterns_section(found.patterns, picture))
    if found.tokens is not None and found.token_scores is not None:
        sections.append(_token_section(found.tokens, found.token_scores, found))
    if found.temperatures is not None:
        sections.append(_temperature_section(found.temperatures, found))
    sections.append(_method_section(found))
    return report_html(f"What the neurons of {model} know", headlines(model, found), sections)


def headlines(model: str, found: Found) -> list[str]:
    """Return the page's first paragraphs: what was looked at, and the main numbers."""
    predicted = [found.activations, found.patterns, found.tokens]
    measured = [
        "Everything below is measured on prompts that nothing was learned from."
        if found.analysis is None and found.temperatures is None
        else "What is learned or searched for is measured on prompts that nothing was learned from."
    ]
    sentences = [
        "A neuron is one coordinate of an MLP's hidden layer, active where its activation "
        "function's output is above 0.",
        *_dataset_sentence(model, found),
        *(measured if any(study is not None for study in predicted) else []),
    ]
    paragraphs = [" ".join(sentences)]
    if found.analysis is not None:
        paragraphs.append(findings_sentence(found.analysis))
    if found.tokens is not None and found.token_scores is not None:
        paragraphs.append(_token_headline(found.tokens, found.token_scores))
    if found.activations is not None:
        paragraphs.append(_activation_headline(found.activations))
    if found.patterns is not None:
        counts = found.patterns["summary"]["counts"]
        paragraphs.append(
            f"{counts['kept']:,} groups of neurons fire together more than the token just read "
            f'explains; their contexts are under "{PATTERNS_TITLE}".'
        )
    return paragraphs


def _dataset_sentence(model: str, found: Found) -> Iterator[str]:
    """Yield how large the dataset is, and what of it is held out; nothing without a dataset."""
    of_samples = [summary for summary in (found.tokens, found.activations) if summary is not None]
    described = of_samples + [summary for summary in (found.analysis,) if summary is not None]
    if not described:
        return
    counts = described[0]["counts"]
    # Of one dataset, but each study may hold out prompts of its own.
    held_out = list(dict.fromkeys(_held_out(summary["counts"]) for summary in of_samples))
    sentence = f"{model} wrote {counts['samples']:,} tokens with {counts['neurons']:,} neurons"
    if held_out:
        sentence += f"; {' or, for which neurons will fire, '.join(held_out)} are held out"
    yield f"{sentence}."


def _held_out(counts: Mapping[str, int]) -> str:
    return (
        f"{counts['samples_held_out']:,} of the tokens, of {counts['prompts_held_out']:,} prompts,"
    )


def _token_headline(summary: Mapping[str, Any], scores: pd.DataFrame) -> str:
    by_predictor = summary["scores"]
    trigram = by_predictor["trigram"]["cross_entropy_bits"]
    best = scores[scores["neurons"].str.startswith("best")].sort_values("n_neurons")
    enough = best[best["cross_entropy_bits"] < trigram]
    few = ""
    if len(enough):
        row = enough.iloc[0]
        few = (
            f" {int(row['n_neurons']):,} neurons are enough to do better than a trigram counted "
            f"on the same text: {row['cross_entropy_bits']:.2f} bits against {trigram:.2f}."
        )
    model = by_predictor.get("model", {})
    ceiling = ""
    if model.get("top1") is not None:
        ceiling = (
            f", the model itself {model['top1']:.0%} with {model['cross_entropy_bits']:.2f} bits"
        )
    linear = by_predictor["linear"]
    return (
        "From which neurons are on, one bit each and nothing else, a linear readout guesses the "
        f"next token right {linear['top1']:.0%} of the time ({linear['cross_entropy_bits']:.2f} "
        f"bits of surprise){ceiling}.{few}"
    )


def _activation_headline(summary: Mapping[str, Any]) -> str:
    loss, kinds = summary["log_loss_bits"], summary["decided_by"]
    if not loss["base_rate"]:
        return "Every neuron is always, or never, active: there is nothing to predict."
    saved = 1 - loss["learned"] / loss["base_rate"]
    by_token = 1 - loss["token"] / loss["base_rate"]
    return (
        f"Without running the model, {saved:.0%} of the surprise at which neurons fire can be told "
        f"from the tokens, but only {by_token:.0%} from the last token: it decides "
        f"{kinds['token']:,} of {summary['counts']['neurons']:,} neurons, also in the first layer."
    )


def _activation_section(summary: Mapping[str, Any], layers: pd.DataFrame, found: Found) -> Section:
    columns = ["predictor", "layer", "log_loss_bits", "log_loss_low", "log_loss_high"]
    columns += ["average_precision", "auc", "calibration_error", "saved_bits"]
    shown = layers[layers["predictor"].isin(PREDICTORS)][columns]
    shown = shown.assign(predictor=shown["predictor"].map(PREDICTORS))
    kinds = [f"{kind.replace('_', ' ')} {n:,}" for kind, n in summary["decided_by"].items()]
    return Section(
        "Which neurons will fire, from the tokens alone",
        "Log-loss is the mean surprise at a neuron's being active or not, in bits: 0 for "
        "certainty. The predictors see the tokens and never the model. Average precision and AUC "
        "say whether the active neurons are ranked first (chance is the neuron's frequency for "
        "the one, 0.5 for the other); the calibration error is how far predicted probabilities are "
        "from what came. Saved bits are against the best counting baseline of that layer. A neuron "
        "is decided by the last token if that alone gives 80 % of what can be predicted of it, "
        "mostly by it from 50 %.",
        found.pictures["activations"],
        [Table("Each predictor on the held-out prompts", shown)],
        [
            summary["verdict"],
            coverage_note(summary["counts"]["prompts_held_out"]),
            f"Neurons by what decides them: {', '.join(kinds)}.",
        ],
    )


def _token_section(summary: Mapping[str, Any], scores: pd.DataFrame, found: Found) -> Section:
    columns = ["predictor", "neurons", "cross_entropy_bits", "cross_entropy_bits_low"]
    columns += ["cross_entropy_bits_high", "top1", "top5"]
    names = scores["predictor"].map(lambda name: SCORERS.get(name, name))
    shown = scores[columns].assign(predictor=names)
    tables = [Table("Every predictor on the held-out prompts", shown)]
    if found.direct is not None:
        tables.append(Table("The readout's weights and the model's direct path", found.direct))
    if found.carriers is not None and len(found.carriers):
        best = found.carriers.drop_duplicates("token_id").head(CARRIERS_SHOWN)
        tables.append(Table("The neuron that speaks most for each frequent token", best))
    return Section(
        "How much of the next token the neurons hold",
        "The readouts see which neurons were active when the token was predicted, one bit each. "
        "Surprise is the cross-entropy in bits per token; top1 and top5 are the shares of tokens "
        "that were the first guess, or among the first five. The best k neurons were chosen on the "
        "training prompts. The model's own surprise is that of the distribution that it drew from "
        f"({_drawn_with(summary)}). The direct path is what a neuron adds to a token's logit "
        "through the residual stream alone; the correlation is the mean over a layer's neurons, "
        "and stands beside what neurons or tokens dealt out anew give.",
        found.pictures["tokens"],
        tables,
        [coverage_note(summary["counts"]["prompts_held_out"])],
    )


def _drawn_with(summary: Mapping[str, Any]) -> str:
    drawn = summary["drawn_with"]
    if drawn.get("temperature") is None:
        return "the temperature is not on record"
    top_k = f"the {drawn['top_k']:,} likeliest tokens" if drawn.get("top_k") else "all tokens"
    return f"temperature {drawn['temperature']:g}, {top_k}"


def _temperature_section(study: pd.DataFrame, found: Found) -> Section:
    shown = study[study["layer"] == "all"].drop(columns="layer")
    return Section(
        "The same prompts at several temperatures",
        "A row is a temperature, its dataset one of its own: how many neurons are active for a "
        "token (mean and standard deviation over the tokens), how many ever are, how much two "
        "completions of a prompt have in common (Jaccard index), how many different tokens were "
        "written, and the mean log-probability, in nats, with which they were drawn.",
        found.pictures["temperatures"],
        [Table("All layers together", shown)],
    )


def _method_section(found: Found) -> Section:
    notes = [f"Left out: {reason}." for reason in found.left_out.values()]
    notes += [f"Not there, because it has not been run: {script}." for script in _missing(found)]
    for summary in (found.analysis, found.activations, found.tokens):
        skipped = {} if summary is None else summary["skipped"]
        parts = {} if summary is None else summary.get("subsampled", {})
        notes += [f"Not computed: {what}: {why}." for what, why in skipped.items()]
        notes += [f"On a part of the samples: {what}: {why}." for what, why in parts.items()]
    notes += _settings(found)
    return Section(
        "How this was measured",
        "Prompts are split, never samples: no prompt has tokens on both sides, and prompts of one "
        "text, or of which one begins with the other, stay together. What is tuned (smoothing, "
        "when to stop learning) is tuned on a further part of the training prompts. Intervals hold "
        "the mean over prompts like the held-out ones in 95 % of cases (the standard error is over "
        "prompts, with Student's t); they say nothing about prompts of another kind or another "
        "training.",
        notes=list(dict.fromkeys(notes)),
    )


def _missing(found: Found) -> Iterator[str]:
    """Yield the scripts of which nothing is there, nor half."""
    for script, summary in (
        ("analyze_activations.py", found.analysis),
        ("predict_activations.py", found.activations),
        ("extract_patterns.py", found.patterns),
        ("predict_next_token.py", found.tokens),
    ):
        if summary is None and script not in " ".join(found.left_out.values()):
            yield script


def _settings(found: Found) -> Iterator[str]:
    """Yield what each study was made with: studies of one dataset may differ in it."""
    patterns = {} if found.patterns is None else found.patterns["inputs"]["arguments"]
    for script, settings in (
        ("analyze_activations.py", (found.analysis or {}).get("arguments", {})),
        ("predict_activations.py", (found.activations or {}).get("settings", {})),
        ("extract_patterns.py", patterns),
        ("predict_next_token.py", (found.tokens or {}).get("settings", {})),
    ):
        arguments = [f"--{name} {settings[name]}" for name in STATED if name in settings]
        if arguments:
            yield f"Made by {script} with {', '.join(arguments)}."
