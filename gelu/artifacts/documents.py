"""Reading the JSON documents of runs and studies, each by its one reader.

    summary = read_activation_prediction(files.path(ACTIVATION_PREDICTION))
    run = read_run(files.path(RUN))

Each returns None where there is no such file, and raises `UserError` naming the file and the key
for anything that the script cannot have written. Keys that are not named here are ignored.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from gelu.artifacts.checks import (
    SHOWN,
    Check,
    Refused,
    items,
    number,
    one_of,
    optional,
    record,
    text,
    values,
    whole,
)
from gelu.artifacts.predictors import PREDICTOR_FORMAT
from gelu.artifacts.tables import read_document
from gelu.errors import UserError
from gelu.neurons import layer_width, neuron_id

SHARE, BITS, COUNT = number(0, 1), number(0), whole()
MOST_LAYERS, MOST_NEURONS = 10**5, 2**31 - 1
HASH = re.compile("[0-9a-f]{64}")
LAYER_COUNT = re.compile("layer_([0-9]+)_neurons")


def _hash(place: str, value: Any) -> None:
    if type(value) is not str or HASH.fullmatch(value) is None:
        raise Refused(f"{place} is no SHA-256 in 64 hex digits")


INPUTS = {
    "dataset_csv": text(),
    "dataset_csv_sha256": _hash,
    "activations_file": text(),
    "activations_sha256": _hash,
}
STUDY_COUNTS = {
    "samples": whole(1),
    "neurons": whole(1, MOST_NEURONS),
    "samples_held_out": whole(1),
    "prompts_held_out": whole(1),
}
SKIPPED = values(text())
SETTINGS = record({}, {"seed": COUNT, "held_out": SHARE, "epochs": COUNT})
PICTURE = {"picture_sha256": _hash}

ACTIVATION_PREDICTION_KEYS = record(
    {
        "model_type": text(),
        "inputs": record(INPUTS),
        "settings": SETTINGS,
        "counts": record({**STUDY_COUNTS, "layers": whole(1, MOST_LAYERS)}),
        "log_loss_bits": values(BITS),
        "decided_by": values(COUNT),
        "verdict": text(),
        "intervals": text(),
        "skipped": SKIPPED,
    },
    PICTURE,
)
ACTIVATION_PREDICTION_USED = record(
    {
        "log_loss_bits": record(dict.fromkeys(("base_rate", "token", "learned"), BITS)),
        "decided_by": record({"token": COUNT}),
    }
)

TOKEN_SCORES = {"cross_entropy_bits": BITS, "top1": optional(SHARE), "top5": optional(SHARE)}
NEXT_TOKEN_KEYS = record(
    {
        "model_type": text(),
        "inputs": record(INPUTS),
        "settings": SETTINGS,
        "drawn_with": record({"temperature": optional(number(0)), "top_k": optional(COUNT)}),
        "counts": record(STUDY_COUNTS),
        "scores": values(record(TOKEN_SCORES)),
        "intervals": text(),
        "skipped": SKIPPED,
    },
    {
        **PICTURE,
        "direct_path": items(
            record(
                {"layer": whole(0, MOST_LAYERS)}, {"correlation": optional(number(-1.001, 1.001))}
            )
        ),
        "strongest_neurons": items(items(COUNT, 2)),
    },
)
SCORES_USED = record({"scores": record({"trigram": record({}), "linear": record({"top1": SHARE})})})

PLACE = {"layer": whole(0, MOST_LAYERS), "dimension": whole(0, MOST_NEURONS)}
LIFT = {"lift": number(0), "q_value": SHARE}
PATTERN = record(
    {
        "pattern": COUNT,
        "n_neurons": whole(1, MOST_NEURONS),
        "threshold": whole(1),
        "n_on": COUNT,
        "share_on": SHARE,
        "n_prompts_on": COUNT,
        "n_prompts_held_out": COUNT,
        "found_in": one_of("first half", "second half", "both halves"),
        "share_beyond_tokens": number(most=1),
        "share_low": optional(number(most=1)),
        "share_high": optional(number(most=1)),
        "q_value": SHARE,
        "neurons": items(record(PLACE), 1),
        "tokens": record(
            dict.fromkeys(
                ("context", "previous", "output"), items(record({"token": text(), **LIFT}))
            )
        ),
        "positions": items(record({"range_start": COUNT, "range_end": whole(1), **LIFT})),
        "prompts": items(record({"input_text": text(), **LIFT})),
        "contexts": items(
            record(
                {"before": text(), "token": text(), "after": text(), "n_active": COUNT},
            )
        ),
    }
)
PATTERNS_KEYS = record(
    {
        "inputs": record(
            {**INPUTS, "arguments": record({"model_type": text()}, {"seed": COUNT, "fdr": SHARE})}
        ),
        "summary": record(
            {
                "counts": record(
                    {
                        "samples": whole(1),
                        "prompts": whole(1),
                        "neurons": whole(1, MOST_NEURONS),
                        "layers": whole(1, MOST_LAYERS),
                        "tested": COUNT,
                        "kept": COUNT,
                    }
                ),
                "permuted_data": record({"kept": items(COUNT)}),
                "fdr": SHARE,
                "intervals": text(),
                "skipped": SKIPPED,
                "subsampled": SKIPPED,
            }
        ),
        "patterns": items(PATTERN),
    },
    PICTURE,
)
FAMILIES = (
    "token-specific neurons",
    "position-specific neurons",
    "neurons consistent within a prompt",
)
ANALYSIS_COUNTS = {
    **dict.fromkeys(("samples", "completions", "prompts"), whole(1)),
    "neurons": whole(1, MOST_NEURONS),
    "layers": whole(1, MOST_LAYERS),
    **dict.fromkeys(("selective", "always_on", "dead"), COUNT),
}
ANALYSIS_KEYS = record(
    {
        "arguments": record(
            dict.fromkeys(("model_type", "dataset_csv", "activations_file"), text()),
            {"seed": COUNT, "fdr": SHARE},
        ),
        "dataset_csv_sha256": _hash,
        "activations_sha256": _hash,
        "counts": record(ANALYSIS_COUNTS),
        "clusters": record({"number": COUNT, "silhouette": optional(number(-1.001, 1.001))}),
        "important_neurons": record(
            {
                "top": items(
                    record(
                        {
                            "neuron_id": COUNT,
                            **PLACE,
                            "activation_frequency": SHARE,
                            "importance": number(),
                        }
                    )
                ),
                "layers": items(
                    record(
                        {
                            "layer": PLACE["layer"],
                            "mean_activity": SHARE,
                            **dict.fromkeys(("n_selective", "n_always_on", "n_dead"), COUNT),
                        }
                    )
                ),
            }
        ),
        "tests": items(
            record(
                {"what": text(), "test": text()},
                {
                    **dict.fromkeys(("n_tests", "n_passed"), COUNT),
                    "n_permutations": COUNT,
                    "p_value": SHARE,
                    "unattainable": optional(text()),
                },
            )
        ),
        **dict.fromkeys(("skipped", "subsampled", "not_drawn"), SKIPPED),
    }
)
PREDICTOR_KEYS = record(
    {
        "format": whole(PREDICTOR_FORMAT, PREDICTOR_FORMAT),
        "sizes": record(
            {
                **dict.fromkeys(
                    ("n_codes", "n_positions", "token_width", "width", "n_neurons"),
                    whole(1, MOST_NEURONS),
                ),
                "history": whole(2, MOST_NEURONS),
            }
        ),
        "token_ids": items(whole(0, MOST_NEURONS), 1),
        "n_layer": whole(1, MOST_LAYERS),
        "d_mlp": whole(1, MOST_NEURONS),
    }
)
RUN_KEYS = record(
    {},
    {
        "arguments": record(
            {},
            {
                "temperature": number(0),
                "top_k": COUNT,
                "batch_size": whole(1),
                "device": text(),
                "model_type": text(),
            },
        )
    },
)


def read_activation_prediction(path: Path) -> dict[str, Any] | None:
    """Return what `predict_activations.py` found."""
    content = _checked(path, ACTIVATION_PREDICTION_KEYS, ACTIVATION_PREDICTION_USED)
    if content is None:
        return None
    counts = content["counts"]
    _require_held_out(path, counts)
    if sum(content["decided_by"].values()) != counts["neurons"]:
        raise UserError(
            f"{path}: decided_by adds up to {sum(content['decided_by'].values())} neurons, "
            f"counts.neurons is {counts['neurons']}"
        )
    return content


def read_next_token(path: Path) -> dict[str, Any] | None:
    """Return what `predict_next_token.py` found."""
    content = _checked(path, NEXT_TOKEN_KEYS, SCORES_USED)
    if content is not None:
        _require_held_out(path, content["counts"])
    return content


def _require_held_out(path: Path, counts: Mapping[str, int]) -> None:
    for name, of in (("samples_held_out", "samples"), ("prompts_held_out", "samples_held_out")):
        if counts[name] > counts[of]:
            raise UserError(
                f"{path}: counts.{name} is {counts[name]}, more than the {counts[of]} of "
                f"counts.{of}"
            )


def read_patterns(path: Path) -> dict[str, Any] | None:
    """Return what `extract_patterns.py` found."""
    content = _checked(path, PATTERNS_KEYS)
    if content is None:
        return None
    counts, patterns = content["summary"]["counts"], content["patterns"]
    if not len(patterns) == counts["kept"] <= counts["tested"]:
        raise UserError(
            f"{path}: {len(patterns)} patterns stand there, summary.counts.kept is "
            f"{counts['kept']} of {counts['tested']} tested"
        )
    for index, pattern in enumerate(patterns):
        if fault := next(_faults(pattern, index, counts), None):
            raise UserError(f"{path}: patterns[{index}].{fault}")
    return content


def _faults(pattern: Mapping[str, Any], index: int, counts: Mapping[str, int]) -> Iterator[str]:
    """Yield where a pattern disagrees with itself, or with the dataset."""
    n_on, size = pattern["n_on"], pattern["n_neurons"]
    if pattern["pattern"] != index:
        yield f"pattern is {pattern['pattern']}; patterns are numbered from 0"
    if n_on > counts["samples"]:
        yield f"n_on is {n_on} of {counts['samples']} samples"
    if pattern["n_prompts_on"] > n_on:
        yield f"n_prompts_on is {pattern['n_prompts_on']}, n_on is {n_on}"
    if pattern["threshold"] > size:
        yield f"threshold is {pattern['threshold']} of {size} neurons"
    if most := [row["n_active"] for row in pattern["contexts"] if row["n_active"] > size]:
        yield f"contexts name {most[0]} active neurons of {size}"
    for row in pattern["positions"]:
        if row["range_end"] <= row["range_start"]:
            yield f"positions {row['range_start']} to {row['range_end']} are no range"
    yield from _faults_of_neurons(pattern, counts)


def _faults_of_neurons(pattern: Mapping[str, Any], counts: Mapping[str, int]) -> Iterator[str]:
    n_layer, d_mlp = counts["layers"], layer_width(counts["neurons"], counts["layers"])
    neurons = [(row["layer"], row["dimension"]) for row in pattern["neurons"]]
    size = pattern["n_neurons"]
    if len(neurons) != size or len(set(neurons)) != size:
        yield f"neurons names {len(set(neurons))} neurons, n_neurons is {size}"
    for layer, dimension in neurons:
        if layer >= n_layer or dimension >= d_mlp:
            yield f"neurons names L{layer}.{dimension}; the model has {n_layer} layers of {d_mlp}"
    found = Counter(f"layer_{layer}_neurons" for layer, _ in neurons)
    stated = {name: count for name, count in pattern.items() if LAYER_COUNT.fullmatch(name)}
    for name in sorted(found.keys() | stated.keys()):
        if stated.get(name, 0) != found[name]:
            yield f"{name} is {ascii(stated.get(name))[:SHOWN]}, neurons names {found[name]} of it"


def read_analysis(path: Path) -> dict[str, Any] | None:
    """Return what `analyze_activations.py` found."""
    content = _checked(path, ANALYSIS_KEYS)
    if content is not None and (fault := next(_faults_of_analysis(content), None)):
        raise UserError(f"{path}: {fault}; run the script that writes it anew")
    return content


def _faults_of_analysis(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield where an analysis disagrees with itself."""
    counts = content["counts"]
    for name, of in (("completions", "samples"), ("prompts", "completions")):
        if counts[name] > counts[of]:
            yield f"counts.{name} is {counts[name]}, more than the {counts[of]} of counts.{of}"
    if counts["neurons"] % counts["layers"]:
        yield f"counts.neurons is {counts['neurons']}, of {counts['layers']} layers"
    yield from _faults_of_important(content["important_neurons"], counts)
    yield from _faults_of_tests(content["tests"])


def _faults_of_important(important: Mapping[str, Any], counts: Mapping[str, int]) -> Iterator[str]:
    if [row["layer"] for row in important["layers"]] != list(range(counts["layers"])):
        yield f"important_neurons.layers are not the {counts['layers']} of counts.layers, in order"
    for kind in ("selective", "always_on", "dead"):
        stated = sum(row[f"n_{kind}"] for row in important["layers"])
        if stated != counts[kind]:
            yield f"counts.{kind} is {counts[kind]}, its layers have {stated}"
    d_mlp = layer_width(counts["neurons"], counts["layers"])
    for row in important["layers"]:
        if row["n_selective"] + row["n_always_on"] + row["n_dead"] != d_mlp:
            yield f"important_neurons.layers: the kinds of layer {row['layer']} are not {d_mlp}"
    for row in important["top"]:
        layer, dimension = row["layer"], row["dimension"]
        inside = layer < counts["layers"] and dimension < d_mlp
        if not inside or row["neuron_id"] != neuron_id(layer, dimension, d_mlp):
            yield f"important_neurons.top: {row['neuron_id']} is not L{layer}.{dimension}"


def _faults_of_tests(tests: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    named = [entry["what"] for entry in tests]
    for index, entry in enumerate(tests):
        if named.count(entry["what"]) > 1:
            yield f"tests[{index}].what stands there twice"
        if {"n_tests", "n_passed"} <= entry.keys():
            if entry["n_passed"] > entry["n_tests"]:
                yield f"tests[{index}].n_passed is {entry['n_passed']} of {entry['n_tests']}"
        elif entry["what"] in FAMILIES or not {"n_permutations", "p_value"} <= entry.keys():
            yield f"tests[{index}] states neither how many passed nor a p-value"
    for missing in sorted({*FAMILIES} - {*named}):
        yield f"tests has no {missing}"


def read_predictor(path: Path) -> dict[str, Any] | None:
    """Return what describes a saved predictor of `predict_activations.py`, beside its weights."""
    content = _checked(path, record({}, {"format": COUNT}))
    if content is None:
        return None
    # What another version saved can have other keys.
    if (found := content.get("format", 1)) != PREDICTOR_FORMAT:
        raise UserError(
            f"{path}: the predictor is of format {found}, this version reads {PREDICTOR_FORMAT}; "
            "learn anew with `dataset_dir`"
        )
    _require(path, content, PREDICTOR_KEYS)
    ids, sizes = content["token_ids"], content["sizes"]
    if any(later <= earlier for earlier, later in pairwise(ids)):
        raise UserError(f"{path}: token_ids are not in ascending order, each once")
    if content["n_layer"] * content["d_mlp"] != sizes["n_neurons"]:
        raise UserError(
            f"{path}: sizes.n_neurons is {sizes['n_neurons']}, n_layer x d_mlp is "
            f"{content['n_layer'] * content['d_mlp']}"
        )
    return content


def read_run(path: Path) -> dict[str, Any] | None:
    """Return what made a dataset's folder."""
    return _checked(path, RUN_KEYS)


def _checked(path: Path, *checks: Check) -> dict[str, Any] | None:
    """Return a document that the checks take, None where there is none."""
    content = read_document(path)
    if content is not None:
        _require(path, content, *checks)
    return content


def _require(path: Path, content: Any, *checks: Check) -> None:
    try:
        for check in checks:
            check("", content)
    except Refused as error:
        raise UserError(f"{path}: {error}; run the script that writes it anew") from None
