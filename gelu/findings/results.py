"""What the second part's three scripts left in a folder, read and found to be of one dataset.

    found = read_found(Artifacts(folder, "gpt2-demo"))

The studies must be of one model and one dataset: the same table of samples, the same activations
and as many samples and neurons. A table or a picture must be of its study's document. What may
differ is how each study was made: its seed, the share held out, epochs, versions.
"""

import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd

from gelu import artifacts
from gelu.artifacts import Artifacts
from gelu.errors import UserError
from gelu.findings.page import CAPTIONS, Found
from gelu.page import Picture

ACTIVATIONS_SCRIPT, PATTERNS_SCRIPT = "predict_activations.py", "extract_patterns.py"
TOKENS_SCRIPT = "predict_next_token.py"
ROUNDED = 1e-6  # documents hold six decimals


def read_found(files: Artifacts) -> Found:
    """Return what the three scripts left; a study without its table is left out, which is said.

    Raises `UserError` for files that are damaged, or of different runs.
    """
    left_out: list[str] = []

    def path(ending: str) -> Path:
        return files.path(ending)

    activations, layers = _study(
        artifacts.read_activation_prediction(path(artifacts.ACTIVATION_PREDICTION)),
        artifacts.read_activation_layers(path(artifacts.ACTIVATION_PREDICTION_LAYERS)),
        path(artifacts.ACTIVATION_PREDICTION),
        path(artifacts.ACTIVATION_PREDICTION_LAYERS),
        ACTIVATIONS_SCRIPT,
        left_out,
    )
    tokens, scores = _study(
        artifacts.read_next_token(path(artifacts.NEXT_TOKEN)),
        artifacts.read_next_token_scores(path(artifacts.NEXT_TOKEN_SCORES)),
        path(artifacts.NEXT_TOKEN),
        path(artifacts.NEXT_TOKEN_SCORES),
        TOKENS_SCRIPT,
        left_out,
    )
    found = Found(
        activations,
        layers,
        artifacts.read_patterns(path(artifacts.PATTERNS_DOCUMENT)),
        tokens,
        scores,
        artifacts.read_carriers(path(artifacts.NEXT_TOKEN_NEURONS)),
        artifacts.read_direct_path(path(artifacts.NEXT_TOKEN_DIRECT)),
        {},
        left_out,
    )
    _require_one_dataset(files, found)
    _require_own_tables(files, found)
    return replace(found, pictures=_pictures(files, found))


def _study(
    summary: dict[str, Any] | None,
    table: pd.DataFrame | None,
    document: Path,
    csv: Path,
    script: str,
    left_out: list[str],
) -> tuple[dict[str, Any] | None, pd.DataFrame | None]:
    """Return a study's summary and table, or neither where one of the two is missing."""
    if (summary is None) == (table is None):
        return summary, table
    missing, there = (document, csv) if summary is None else (csv, document)
    left_out.append(f"{missing.name} is missing; run {script} again")
    print(f"note: {there} is left out: {left_out[-1]}", file=sys.stderr)
    return None, None


# One dataset


def _require_one_dataset(files: Artifacts, found: Found) -> None:
    """Raise `UserError` where two studies are of different models or datasets."""
    stated = {
        files.path(ending): _origin(summary)
        for ending, summary in (
            (artifacts.ACTIVATION_PREDICTION, found.activations),
            (artifacts.PATTERNS_DOCUMENT, found.patterns),
            (artifacts.NEXT_TOKEN, found.tokens),
        )
        if summary is not None
    }
    for path, origin in stated.items():
        if origin["the model"] != files.model:
            raise UserError(
                f"{path}: its model is {origin['the model']}, `model_type` is {files.model}"
            )
    for (one, first), (other, second) in combinations(stated.items(), 2):
        for what in first.keys() & second.keys():
            if first[what] != second[what]:
                raise UserError(
                    f"{other}: is of another run than {one.name}: {what} is {second[what]}, there "
                    f"{first[what]}; run the scripts again on one dataset, or choose another folder"
                )


def _origin(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a study is of, in words.

    One run's activations lie in several formats, so their hashes compare within one format.
    """
    summary, inputs = document.get("summary", document), document["inputs"]
    named = document if "model_type" in document else inputs["arguments"]
    ending = Path(inputs["activations_file"]).suffix[:10]
    return {
        "the model": named["model_type"],
        "the dataset's hash": inputs["dataset_csv_sha256"],
        f"the hash of the activations ({ending})": inputs["activations_sha256"],
        "the number of samples": summary["counts"]["samples"],
        "the number of neurons": summary["counts"]["neurons"],
    }


# Tables and pictures


def _require_own_tables(files: Artifacts, found: Found) -> None:
    """Raise `UserError` for a table that holds other numbers than its study's document."""
    if found.activations is not None and found.activation_layers is not None:
        pair = (artifacts.ACTIVATION_PREDICTION, artifacts.ACTIVATION_PREDICTION_LAYERS)
        everywhere = found.activation_layers[found.activation_layers["layer"] == "all"]
        losses = dict(zip(everywhere["predictor"], everywhere["log_loss_bits"], strict=True))
        _require_equal(files, pair, "log_loss_bits", found.activations["log_loss_bits"], losses)
        layers = {*map(str, range(found.activations["counts"]["layers"])), "all"}
        if set(found.activation_layers["layer"]) != layers:
            raise _of_another_run(files, pair, "the layers")
    if found.tokens is None or found.token_scores is None:
        return
    pair = (artifacts.NEXT_TOKEN, artifacts.NEXT_TOKEN_SCORES)
    scores = found.token_scores[found.token_scores["neurons"].isin(("none", "all", "model"))]
    bits = dict(zip(scores["predictor"], scores["cross_entropy_bits"], strict=True))
    told = {name: row["cross_entropy_bits"] for name, row in found.tokens["scores"].items()}
    _require_equal(files, pair, "cross_entropy_bits", told, bits)
    _require_direct_path(files, found.tokens, found.direct)
    _require_carriers(files, found.tokens, found.carriers)


def _require_equal(
    files: Artifacts,
    pair: tuple[str, str],
    what: str,
    told: Mapping[str, float],
    table: Mapping[str, float],
) -> None:
    for name in sorted(told):
        if name not in table or abs(told[name] - table[name]) > ROUNDED:
            raise _of_another_run(files, pair, f"{what} of {name}")


def _require_direct_path(
    files: Artifacts, summary: Mapping[str, Any], table: pd.DataFrame | None
) -> None:
    if "direct_path" not in summary or table is None:
        return
    told = {str(row["layer"]): row.get("correlation") or 0.0 for row in summary["direct_path"]}
    rates = table["correlation"].fillna(0.0) if "correlation" in table else [0.0] * len(table)
    rows = dict(zip(table["layer"].astype(str), rates, strict=True))
    pair = (artifacts.NEXT_TOKEN, artifacts.NEXT_TOKEN_DIRECT)
    if told.keys() != rows.keys():
        raise _of_another_run(files, pair, "the layers")
    _require_equal(files, pair, "the correlation at layer", told, rows)


def _require_carriers(
    files: Artifacts, summary: Mapping[str, Any], table: pd.DataFrame | None
) -> None:
    if "strongest_neurons" in summary and table is not None:
        rows = strongest_neurons(table)
        if rows != summary["strongest_neurons"]:
            pair = (artifacts.NEXT_TOKEN, artifacts.NEXT_TOKEN_NEURONS)
            raise _of_another_run(files, pair, "the strongest neurons of its tokens")


def strongest_neurons(carriers: pd.DataFrame) -> list[list[int]]:
    """Return [token id, its strongest neuron] of the table of carriers: what a page shows of it."""
    if "neuron_id" not in carriers:
        return []
    best = carriers.drop_duplicates("token_id")[["token_id", "neuron_id"]]
    pairs: list[list[int]] = best.to_numpy().tolist()
    return pairs


def _of_another_run(files: Artifacts, pair: Sequence[str], what: str) -> UserError:
    document, other = files.path(pair[0]), files.path(pair[1])
    return UserError(
        f"{other}: is of another run than {document.name}, or changed since: {what} differ; run "
        "the script that writes the two again"
    )


def _pictures(files: Artifacts, found: Found) -> dict[str, Picture]:
    """Return the pictures of the studies that are there."""
    studies = {
        "activations": (artifacts.ACTIVATION_PREDICTION, found.activations),
        "patterns": (artifacts.PATTERNS_DOCUMENT, found.patterns),
        "tokens": (artifacts.NEXT_TOKEN, found.tokens),
    }
    endings = {
        "activations": artifacts.ACTIVATION_PREDICTION_PICTURE,
        "patterns": artifacts.PATTERNS_PICTURE,
        "tokens": artifacts.NEXT_TOKEN_PICTURE,
    }
    pictures = {}
    for name, (document, summary) in studies.items():
        path = files.path(endings[name])
        png = artifacts.read_png(path)
        if png is None or summary is None:
            continue
        if summary.get("picture_sha256", picture_hash(png)) != picture_hash(png):
            raise _of_another_run(files, (document, endings[name]), "the picture's bytes")
        pictures[name] = Picture(path.name, png, CAPTIONS[name])
    return pictures


def picture_hash(png: bytes) -> str:
    """Return what a study's document says of its picture."""
    return hashlib.sha256(png).hexdigest()
