"""How much of the next token the active neurons hold: readouts, baselines and the ceiling.

study = study_next_token(
    samples, groups, history, settings, vocabulary, inside, bars, notes
)
study.scores, study.carriers, study.direct           # tables
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gelu.artifacts.plain import plain, records
from gelu.learning.ceiling import sampled_bounds
from gelu.learning.direct_path import compare_weights, token_carriers
from gelu.learning.readout import (
    Fitting,
    Readout,
    Start,
    carry,
    fit_readout,
    fit_to_few,
    mean_loss,
    neuron_importance,
    subset,
    surprises,
)
from gelu.learning.settings import NextTokenSettings
from gelu.learning.tokens import (
    ORDERS,
    UNKNOWN_RANK,
    Before,
    Classes,
    TokenModel,
    TokenScores,
    batches,
    choose_token_strengths,
)
from gelu.neurons import Geometry, dimension_of, layer_of, layer_range
from gelu.packed import PackedActivations
from gelu.progress import Bars
from gelu.samples.arrays import Samples
from gelu.samples.notes import Notes
from gelu.samples.splits import Parts, Scale, coverage_note, interval, split_parts, sums_by_group

BEST_K = (10, 30, 100, 300, 1000, 3000, 10000)
MEASURES = ("cross_entropy_bits", "top1", "top5")
SHOWN_K, LEAST_ACTIVE = 100, 20
ALL_LINEAR = "all"


def fitting_of(settings: NextTokenSettings, linear: bool) -> Fitting:
    """Return how a readout learns."""
    if linear:
        return Fitting(settings.seed, settings.epochs, rank=settings.rank)
    return Fitting(settings.seed, settings.epochs, hidden=settings.hidden)


@dataclass(frozen=True)
class Inside:
    """What the model itself gives, where it is at hand.

    ranks: (held out,) -> rank of each token that came, given the rows, `UNKNOWN_RANK` where what
    the model had read is not known; direct: weights of the direct path (n_neurons, C), given the
    tokens' ids.
    """

    ranks: Callable[[NDArray[np.int64]], NDArray[np.int64]]
    direct: Callable[[NDArray[np.int64]], NDArray[np.float32]]


@dataclass(frozen=True)
class NextTokenStudy:
    """scores: a row for each predictor and set of neurons; carriers: the neurons that speak most
    for each token; direct: of `gelu.learning.direct_path.compare_weights`, None without the model;
    chosen: the neurons of each best k, by k; ceiling: what is known of the model itself."""

    parts: Parts
    scores: pd.DataFrame
    carriers: pd.DataFrame
    direct: pd.DataFrame | None
    chosen: dict[int, NDArray[np.int64]]
    strengths: tuple[float, float]
    n_classes: int
    ceiling: dict[str, float]


@dataclass(frozen=True)
class _Task:
    """What every readout of a study is fitted and tested on."""

    activations: PackedActivations
    targets: NDArray[np.int64]
    classes: Classes
    codes: NDArray[np.int64]
    prior: NDArray[np.float64]
    parts: Parts
    groups: NDArray[np.int64]
    done: Callable[[int], object]

    def fit(self, neurons: NDArray[np.int64], fitting: Fitting) -> "_Fit":
        """Fit a readout of these neurons from nothing, in the better of two ways."""
        activations = subset(self.activations, neurons)
        few = (
            None if fitting.hidden is not None else self._fit_to_few(neurons, activations, fitting)
        )
        # Both ways fit the same model to so few neurons, and this one to its optimum.
        if few is not None and len(neurons) <= fitting.most_components:
            self._skip(fitting)
            return few
        learned = self._learn(neurons, activations, fitting)
        if few is None:
            return learned
        # Of many epochs one does well by chance: the penalised fit counts unless clearly worse.
        validate = self.parts.validate
        of_each = (
            surprises(fit.learned, activations, self.codes, validate) for fit in (few, learned)
        )
        better = clearly_positive(np.subtract(*of_each), self.groups[validate])
        return learned if better else few

    def go_on(self, fit: "_Fit", fitting: Fitting, start: "_Fit | None") -> "_Fit":
        """Read the same neurons from a readout of others on; return what validates better.

        A readout by stochastic gradients learns on; a penalised one, whose problem has one optimum
        wherever it starts, is taken as it is.
        """
        if start is None or start.readout.full != fit.readout.full:
            self._skip(fitting, goes_on=True)
            return fit
        if fit.penalised or start.penalised:
            self._skip(fitting, goes_on=True)
            other = self._carry(fit, fitting, start)
        else:
            given = _start(start.learned, fit.neurons, start)
            other = self._learn(fit.neurons, fit.activations, fitting, given)
        return min(fit, other, key=lambda each: each.loss)

    def _skip(self, fitting: Fitting, goes_on: bool = False) -> None:
        """Count the steps of a fit by stochastic gradients that is not needed as done."""
        n_samples = len(self.parts.learn)
        self.done(fitting.n_epochs(n_samples, goes_on) * n_samples)

    def _fit_to_few(
        self, neurons: NDArray[np.int64], activations: PackedActivations, fitting: Fitting
    ) -> "_Fit | None":
        """Fit a readout of these neurons by penalised regression."""
        learn, validate = self.parts.learn, self.parts.validate
        few = fit_to_few(activations, self.codes, self.prior, learn, validate, fitting)
        if few is None:
            return None
        return _Fit(neurons, activations, few.readout, few.learned, few.loss, penalised=True)

    def _learn(
        self,
        neurons: NDArray[np.int64],
        activations: PackedActivations,
        fitting: Fitting,
        start: Start | None = None,
    ) -> "_Fit":
        """Fit a readout of these neurons by stochastic gradients."""
        learn, validate = self.parts.learn, self.parts.validate
        readout, loss = fit_readout(
            activations, self.codes, self.prior, learn, validate, fitting, self.done, start
        )
        return _Fit(neurons, activations, readout, readout, loss)

    def _carry(self, fit: "_Fit", fitting: Fitting, start: "_Fit") -> "_Fit":
        """Read the neurons of `fit` with the readout of `start` as it is."""
        neurons, activations = fit.neurons, fit.activations
        readout, learned = (
            carry(_start(each, neurons, start), len(neurons), self.prior, fitting)
            for each in (start.readout, start.learned)
        )
        loss = mean_loss(learned, activations, self.codes, self.parts.validate)
        return _Fit(neurons, activations, readout, learned, loss, start.penalised)

    def test(self, fit: "_Fit") -> TokenScores:
        """Return a readout's scores on the held-out prompts."""
        held_out, n_neurons = self.parts.held_out, len(fit.neurons)
        scores = [
            self.classes.score(
                fit.readout.log_probabilities(fit.activations, rows), self.targets[rows]
            )
            for rows in batches(held_out, max(len(self.classes), n_neurons))
        ]
        return TokenScores.joined(scores)


@dataclass(frozen=True)
class _Fit:
    """A readout of these neurons, and their activations. loss: surprise on validation prompts of
    `learned`, which has not learned from these; a penalised readout has, in the end."""

    neurons: NDArray[np.int64]
    activations: PackedActivations
    readout: Readout
    learned: Readout
    loss: float
    penalised: bool = False


def clearly_positive(values: NDArray[np.float64], groups: NDArray[np.int64]) -> bool:
    """Return whether a mean is above 0 by more than its standard error over prompts.

    values, groups: (m,). The one-standard-error rule (Breiman et al. 1984), with the error of a
    ratio of sums over prompts; of one prompt there is no error to tell, and nothing is clear.
    """
    mean = float(values.mean())
    rest = sums_by_group(values - mean, groups)
    if len(rest) < 2:
        return False
    error = np.sqrt(len(rest) / (len(rest) - 1) * np.square(rest).sum()) / len(values)
    return bool(mean > error)


def _start(readout: Readout, neurons: NDArray[np.int64], fit: _Fit) -> Start:
    """Return a readout of the neurons of `fit` as the start of one of `neurons`."""
    _, here, there = np.intersect1d(neurons, fit.neurons, True, return_indices=True)
    return Start(readout, here, there)


def study_next_token(
    samples: Samples,
    groups: NDArray[np.int64],
    history: NDArray[np.int64],
    settings: NextTokenSettings,
    vocabulary: int,
    inside: Inside | None,
    bars: Bars,
    notes: Notes,
) -> NextTokenStudy:
    """Fit all readouts on the training prompts and test them on the held-out ones.

    groups: (n,), of `gelu.samples.splits.prompt_groups`; history: (n, 2 or more); vocabulary: how
    many tokens there are, those seen in any case; inside: None without the model.
    """
    parts = split_parts(groups, settings.held_out, settings.seed)
    targets = samples.table["output_id"].to_numpy(np.int64)
    n_tokens = max(int(targets.max()), int(history.max()), vocabulary - 1) + 1
    before = Before.of(history, targets)
    strengths = choose_token_strengths(before, parts.learn, parts.validate, n_tokens)
    counted = TokenModel.count(before, parts.training, n_tokens, strengths)
    rows = [
        _row(order, "none", 0, scores, parts)
        for order, scores in counted.score(before, parts.held_out).items()
    ]
    learned = parts.learn
    classes = Classes.choose(
        targets[learned], groups[learned], counted.unigram, settings.max_classes
    )
    prior = classes.prior(counted.unigram)
    plan = reading_plan(samples.geometry)
    with bars("readouts", _most_steps(plan, settings, samples.geometry, learned), "sample") as done:
        task = _Task(
            samples.activations,
            targets,
            classes,
            classes.encode(targets),
            prior,
            parts,
            groups,
            done,
        )
        whole, more, chosen = _readouts(task, plan, settings, samples.geometry)
    rows += more
    ceiling = _ceiling(samples, parts, inside, rows, notes)
    every = np.arange(samples.geometry.n_neurons)
    carriers, direct = _carriers(
        samples, whole, classes, targets[learned], inside, every, settings, notes
    )
    scores = pd.DataFrame(rows)
    return NextTokenStudy(parts, scores, carriers, direct, chosen, strengths, len(classes), ceiling)


def reading_plan(geometry: Geometry) -> list[tuple[str, NDArray[np.int64]]]:
    """Return which sets of neurons are read beside all of them: each layer, and layers up to l."""
    d_mlp, n_layer = geometry.d_mlp, geometry.n_layer
    if n_layer == 1:
        return []
    alone = [(f"layer {x}", np.array(layer_range(x, d_mlp))) for x in range(n_layer)]
    up_to = [
        (f"layers 0-{x}", np.arange(layer_range(x, d_mlp).stop)) for x in range(1, n_layer - 1)
    ]
    return alone + up_to


def _most_steps(
    plan: list[tuple[str, NDArray[np.int64]]],
    settings: NextTokenSettings,
    geometry: Geometry,
    learned: NDArray[np.int64],
) -> int:
    """Return how many samples all readouts go through, each as often as it has epochs at most."""
    n_samples, n_best = len(learned), len(_ks(geometry))
    linear, hidden = fitting_of(settings, linear=True), fitting_of(settings, linear=False)
    # Every readout from nothing; all neurons and the best k once more.
    epochs = (1 + len(plan) + n_best) * linear.n_epochs(n_samples) + hidden.n_epochs(n_samples)
    return n_samples * (epochs + (1 + n_best) * linear.n_epochs(n_samples, goes_on=True))


def _ks(geometry: Geometry) -> list[int]:
    return [k for k in BEST_K if k < geometry.n_neurons]


def _readouts(
    task: _Task,
    plan: list[tuple[str, NDArray[np.int64]]],
    settings: NextTokenSettings,
    geometry: Geometry,
) -> tuple[Readout, list[dict[str, Any]], dict[int, NDArray[np.int64]]]:
    """Return a linear readout of all neurons, a row for each readout, and the best neurons."""
    linear, n_neurons = fitting_of(settings, linear=True), geometry.n_neurons

    def row(predictor: str, neurons: str, fit: _Fit) -> dict[str, Any]:
        fitted = "penalised" if fit.penalised else "stochastic"
        scores = _row(predictor, neurons, len(fit.neurons), task.test(fit), task.parts)
        return {**scores, "fitted": fitted}

    every = np.arange(n_neurons)
    # Its weights stand for all layers alike: started from one's, it would keep the others' at 0.
    even = whole = task.fit(every, linear)
    layers, part = [], None
    for name, neurons in plan:
        fit = task.fit(neurons, linear)
        layers.append(row("linear", name, fit))
        if fit.readout.full == whole.readout.full and (part is None or fit.loss < part.loss):
            part = fit
    whole = task.go_on(whole, linear, part)
    hidden = task.fit(every, fitting_of(settings, linear=False))
    rows = [row("linear", ALL_LINEAR, whole), row("hidden_layer", ALL_LINEAR, hidden), *layers]
    chosen: dict[int, NDArray[np.int64]] = {}
    fit = whole
    # From many to few: each readout says which of its neurons the next smaller one keeps.
    for k in reversed(_ks(geometry)):
        order = np.argsort(-neuron_importance(fit.readout), kind="stable")
        chosen[k] = fit.neurons[np.sort(order[:k])]
        fit = task.go_on(task.fit(chosen[k], linear), linear, fit)
        rows.append(row("linear", f"best {k}", fit))
    return even.readout, rows, dict(sorted(chosen.items()))


def _row(
    predictor: str, neurons: str, n_neurons: int, scores: TokenScores, parts: Parts
) -> dict[str, Any]:
    """Return one row of the table of scores, each with its interval over prompts.

    Guesses count where the rank is known (`TokenScores`); they are NaN where none is.
    """
    row: dict[str, Any] = {"predictor": predictor, "neurons": neurons, "n_neurons": n_neurons}
    columns, groups = scores.columns(), parts.held_out_groups
    known = np.flatnonzero(scores.rank != UNKNOWN_RANK)
    for measure, values in zip(MEASURES, columns.T, strict=True):
        rows = np.arange(len(values)) if measure == MEASURES[0] else known
        scale: Scale = "positive" if measure == MEASURES[0] else "share"
        sums = sums_by_group(values[rows], groups[rows])
        sizes = sums_by_group(np.ones(len(rows)), groups[rows])
        row[measure] = float(values[rows].mean()) if len(rows) else float("nan")
        row[f"{measure}_low"], row[f"{measure}_high"] = interval(sums, sizes, scale)
    return {**row, "n_prompts": int(groups.max()) + 1}


def _ceiling(
    samples: Samples,
    parts: Parts,
    inside: Inside | None,
    rows: list[dict[str, Any]],
    notes: Notes,
) -> dict[str, float]:
    """Add the model's own row to `rows`; return what its log-probabilities say."""
    if "output_logprob" not in samples.table.columns:
        notes.skipped["ceiling"] = "the dataset CSV has no column output_logprob"
        return {}
    logprobs = samples.table["output_logprob"].to_numpy(np.float64)[parts.held_out]
    surprise = -logprobs / np.log(2)
    ranks = np.full(len(surprise), UNKNOWN_RANK)
    if inside is not None:
        ranks = inside.ranks(parts.held_out)
    rows.append(_row("model", "model", 0, TokenScores(surprise, ranks), parts))
    return asdict(sampled_bounds(logprobs))


def _carriers(
    samples: Samples,
    whole: Readout,
    classes: Classes,
    targets: NDArray[np.int64],
    inside: Inside | None,
    neurons: NDArray[np.int64],
    settings: NextTokenSettings,
    notes: Notes,
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Return the table of neurons that carry a token, and the comparison with the direct path."""
    geometry = samples.geometry
    counts = np.bincount(targets, minlength=int(classes.ids.max(initial=0)) + 1)
    columns = np.flatnonzero(counts[classes.ids] >= settings.min_token_count)
    ids, weights = classes.ids[columns], whole.weights()[:, columns]
    frequency = whole.means.numpy()
    active = frequency * len(targets)
    usable = np.flatnonzero((active >= LEAST_ACTIVE) & (len(targets) - active >= LEAST_ACTIVE))
    if len(ids) < 2 or len(usable) == 0:
        notes.skipped["neurons that carry a token"] = (
            f"fewer than two tokens have {settings.min_token_count} training samples"
        )
        return pd.DataFrame(columns=["token_id", "token"]), None
    layers = layer_of(usable, geometry.d_mlp)
    deviation = np.sqrt(frequency * (1 - frequency))[usable]
    direct = None if inside is None else inside.direct(ids)[usable]
    table = token_carriers(weights[usable], direct, usable, ids.tolist(), deviation)
    table.insert(1, "token", table["token_id"].map(_texts(samples)))
    table.insert(2, "n_token", counts[table["token_id"].to_numpy()])
    table.insert(4, "layer", layer_of(table["neuron_id"], geometry.d_mlp))
    table.insert(5, "dimension", dimension_of(table["neuron_id"], geometry.d_mlp))
    table = table.sort_values(["n_token", "token_id"], ascending=[False, True], kind="stable")
    comparison = None
    if direct is not None:
        comparison = compare_weights(weights[usable], direct, layers, settings.seed)
    return table.reset_index(drop=True), comparison


def _texts(samples: Samples) -> Mapping[int, str]:
    first = samples.table.drop_duplicates("output_id")
    return dict(zip(first["output_id"], first["output"], strict=True))


def summarise_next_token_study(
    study: NextTokenStudy, samples: Samples, settings: NextTokenSettings, notes: Notes
) -> dict[str, Any]:
    """Return the headline numbers as plain values."""
    scores = {
        row["predictor"]: {name: plain(round(row[name], 6)) for name in MEASURES}
        for row in study.scores.to_dict(orient="records")
        if row["neurons"] in ("none", ALL_LINEAR, "model")
    }
    best = {str(k): neurons.tolist() for k, neurons in study.chosen.items() if k <= SHOWN_K}
    return {
        "settings": asdict(settings),
        "counts": {
            "samples": len(samples),
            "neurons": samples.geometry.n_neurons,
            "classes": study.n_classes,
            "samples_to_learn": len(study.parts.learn),
            "samples_to_validate": len(study.parts.validate),
            "samples_held_out": len(study.parts.held_out),
            "prompts_held_out": int(study.parts.held_out_groups.max()) + 1,
        },
        "smoothing": dict(zip(ORDERS[1:], study.strengths, strict=True)),
        "scores": scores,
        "best_neurons": best,
        "ceiling_from_logprobs": {name: round(x, 6) for name, x in study.ceiling.items()},
        "direct_path": [] if study.direct is None else records(study.direct),
        "intervals": coverage_note(int(study.parts.held_out_groups.max()) + 1),
        "skipped": dict(notes.skipped),
    }
