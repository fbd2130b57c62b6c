"""What the studies' scripts left in some folders, read and found to be of one dataset.

    found = read_found([Path("findings"), Path("analysis")], "gpt2-demo")

The studies must be of one model and one dataset: the same table of samples, the same activations
and as many samples and neurons. A table or a picture must be of its study's document. What may
differ is how each study was made: its seed, the share held out, epochs, versions. Of a study of
temperatures, which has datasets of its own, the layers must be as many.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from os import path as os_path
from pathlib import Path
from typing import Any

import pandas as pd

from gelu import artifacts
from gelu.analysis.section import CAPTIONS as ANALYSIS_CAPTIONS
from gelu.artifacts import Artifacts
from gelu.errors import UserError
from gelu.findings.page import Found
from gelu.page import NotDrawn, Picture
from gelu.patterns.page import CAPTION as PATTERNS_CAPTION

ROUNDED = 1e-6  # documents hold six decimals


@dataclass(frozen=True)
class StudyFiles:
    """The files of a study that a page has something of, by the endings of their names.

    script: which writes them; document: what says which dataset the study is of, where anything
    does; tables: which are read beside it; captions: of its pictures.
    """

    script: str
    document: str
    tables: tuple[str, ...]
    captions: Mapping[str, str]

    @property
    def endings(self) -> tuple[str, ...]:
        """The endings of all of them."""
        return (self.document, *self.tables, *self.captions)


STUDIES = {
    "analysis": StudyFiles("analyze_activations.py", artifacts.SUMMARY, (), ANALYSIS_CAPTIONS),
    "activations": StudyFiles(
        "predict_activations.py",
        artifacts.ACTIVATION_PREDICTION,
        (artifacts.ACTIVATION_PREDICTION_LAYERS,),
        {
            artifacts.ACTIVATION_PREDICTION_PICTURE: "Top left, the lower the better: each "
            "predictor's surprise at each layer. Top right, the higher the better. Bottom left, "
            "what decides a layer's neurons; bottom right, points on the line are probabilities "
            "that can be taken at their word."
        },
    ),
    "patterns": StudyFiles(
        "extract_patterns.py",
        artifacts.PATTERNS_DOCUMENT,
        (),
        {artifacts.PATTERNS_PICTURE: PATTERNS_CAPTION},
    ),
    "tokens": StudyFiles(
        "predict_next_token.py",
        artifacts.NEXT_TOKEN,
        (artifacts.NEXT_TOKEN_SCORES, artifacts.NEXT_TOKEN_NEURONS, artifacts.NEXT_TOKEN_DIRECT),
        {
            artifacts.NEXT_TOKEN_PICTURE: "Top: surprise and accuracy of each predictor. Bottom: "
            "the same readout of single layers, of the best k neurons, and how its weights agree "
            "with the model's own direct path."
        },
    ),
    "temperatures": StudyFiles(
        "compare_temperatures.py",
        artifacts.TEMPERATURE_STUDY,
        (),
        {
            artifacts.TEMPERATURE_PICTURE: "How neurons and tokens change with the temperature; "
            "in three of the panels each layer is a line."
        },
    ),
}
Homes = Mapping[str, Artifacts]  # a study's name -> the files of the folder that it is in


def read_found(folders: Sequence[Path], model: str) -> Found:
    """Return what the scripts left in these folders, one at least.

    A study without its table is left out, which is said. Raises `UserError` for files that are
    damaged or of different runs, and for a study that stands in two of the folders.
    """
    files = [Artifacts(folder, model) for folder in _distinct(folders)]
    homes = {name: _home(study, files) for name, study in STUDIES.items()}
    left_out: dict[Path, str] = {}
    activations, layers = _with_table(
        homes,
        "activations",
        artifacts.read_activation_prediction,
        artifacts.read_activation_layers,
        left_out,
    )
    tokens, scores = _with_table(
        homes, "tokens", artifacts.read_next_token, artifacts.read_next_token_scores, left_out
    )
    found = Found(
        artifacts.read_analysis(homes["analysis"].path(artifacts.SUMMARY)),
        activations,
        layers,
        artifacts.read_patterns(homes["patterns"].path(artifacts.PATTERNS_DOCUMENT)),
        tokens,
        scores,
        artifacts.read_carriers(homes["tokens"].path(artifacts.NEXT_TOKEN_NEURONS)),
        artifacts.read_direct_path(homes["tokens"].path(artifacts.NEXT_TOKEN_DIRECT)),
        artifacts.read_temperature_study(homes["temperatures"].path(artifacts.TEMPERATURE_STUDY)),
        {},
        left_out,
    )
    _require_one_dataset(homes, found)
    _require_own_tables(homes, found)
    return replace(found, pictures=_pictures(homes, found))


def _distinct(folders: Sequence[Path]) -> list[Path]:
    """Return the folders, each once, whatever it is called."""
    return list({folder.resolve(): folder for folder in reversed(folders)}.values())[::-1]


def _home(study: StudyFiles, files: Sequence[Artifacts]) -> Artifacts:
    """Return which folder a study is in, the first where none has it."""
    there = [
        path
        for one in files
        for path in [next(filter(os_path.lexists, map(one.path, study.endings)), None)]
        if path is not None
    ]
    if len(there) > 1:
        raise UserError(
            f"`results_dir`: results of {study.script} are in two of the folders: {there[0]} and "
            f"{there[1]}; name one of the two"
        )
    return next((one for one in files if there and one.folder == there[0].parent), files[0])


def _with_table(
    homes: Homes,
    name: str,
    read_summary: Callable[[Path], dict[str, Any] | None],
    read_table: Callable[[Path], pd.DataFrame | None],
    left_out: dict[Path, str],
) -> tuple[dict[str, Any] | None, pd.DataFrame | None]:
    """Return a study's summary and its first table, or neither where one is missing.

    left_out: to which the other is then added, with the reason.
    """
    study = STUDIES[name]
    document, csv = homes[name].path(study.document), homes[name].path(study.tables[0])
    summary, table = read_summary(document), read_table(csv)
    if (summary is None) == (table is None):
        return summary, table
    missing, there = (document, csv) if summary is None else (csv, document)
    left_out[there] = f"{missing.name} is missing; run {study.script} again"
    return None, None


# One dataset


def _require_one_dataset(homes: Homes, found: Found) -> None:
    """Raise `UserError` where two studies are of different models or datasets."""
    stated = {
        homes[name].path(STUDIES[name].document): _origin(summary)
        for name, summary in _documents(found).items()
    }
    if found.temperatures is not None:
        n_layer = found.temperatures["layer"].nunique() - 1
        path = homes["temperatures"].path(artifacts.TEMPERATURE_STUDY)
        stated[path] = {"the number of layers": n_layer}
    model = homes["analysis"].model
    for path, origin in stated.items():
        if origin.get("the model", model) != model:
            raise UserError(f"{path}: its model is {origin['the model']}, `model_type` is {model}")
    for (one, first), (other, second) in combinations(stated.items(), 2):
        for what in first:
            if what in second and first[what] != second[what]:
                raise UserError(
                    f"{other}: is of another run than {_beside(other, one)}: {what} is "
                    f"{second[what]}, there {first[what]}; run the scripts again on one dataset, "
                    "or choose another folder"
                )


def _documents(found: Found) -> dict[str, Mapping[str, Any]]:
    """Return the documents that are there, by their studies' names."""
    every = {
        "analysis": found.analysis,
        "activations": found.activations,
        "patterns": found.patterns,
        "tokens": found.tokens,
    }
    return {name: document for name, document in every.items() if document is not None}


def _beside(path: Path, other: Path) -> str:
    """Return how to call `other` beside `path`: by its name, where that says which it is."""
    return other.name if path.parent == other.parent else str(other)


def _origin(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a study is of, in words.

    One run's activations lie in several formats, so their hashes compare within one format.
    """
    counts = document.get("summary", document)["counts"]
    inputs = document.get("inputs", document)
    stated = {**document, **inputs, **inputs.get("arguments", {})}
    ending = Path(stated["activations_file"]).suffix[:10]
    layers = {"the number of layers": counts["layers"]} if "layers" in counts else {}
    return {
        "the model": stated["model_type"],
        "the dataset's hash": stated["dataset_csv_sha256"],
        f"the hash of the activations ({ending})": stated["activations_sha256"],
        "the number of samples": counts["samples"],
        "the number of neurons": counts["neurons"],
        **layers,
    }


# Tables and pictures


def _require_own_tables(homes: Homes, found: Found) -> None:
    """Raise `UserError` for a table that holds other numbers than its study's document."""
    files = homes["activations"]
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
    files, pair = homes["tokens"], (artifacts.NEXT_TOKEN, artifacts.NEXT_TOKEN_SCORES)
    scores = found.token_scores[found.token_scores["neurons"].isin(("none", "all", "model"))]
    bits = dict(zip(scores["predictor"], scores["cross_entropy_bits"], strict=True))
    stated = {name: row["cross_entropy_bits"] for name, row in found.tokens["scores"].items()}
    _require_equal(files, pair, "cross_entropy_bits", stated, bits)
    _require_direct_path(files, found.tokens, found.direct)
    _require_carriers(files, found.tokens, found.carriers)


def _require_equal(
    files: Artifacts,
    pair: tuple[str, str],
    what: str,
    stated: Mapping[str, float],
    table: Mapping[str, float],
) -> None:
    for name in sorted(stated):
        if name not in table or abs(stated[name] - table[name]) > ROUNDED:
            raise _of_another_run(files, pair, f"{what} of {name}")


def _require_direct_path(
    files: Artifacts, summary: Mapping[str, Any], table: pd.DataFrame | None
) -> None:
    if "direct_path" not in summary or table is None:
        return
    stated = {str(row["layer"]): row.get("correlation") or 0.0 for row in summary["direct_path"]}
    rates = table["correlation"].fillna(0.0) if "correlation" in table else [0.0] * len(table)
    rows = dict(zip(table["layer"].astype(str), rates, strict=True))
    pair = (artifacts.NEXT_TOKEN, artifacts.NEXT_TOKEN_DIRECT)
    if stated.keys() != rows.keys():
        raise _of_another_run(files, pair, "the layers")
    _require_equal(files, pair, "the correlation at layer", stated, rows)


def _require_carriers(
    files: Artifacts, summary: Mapping[str, Any], table: pd.DataFrame | None
) -> None:
    if "strongest_neurons" in summary and table is not None:
        rows = artifacts.strongest_neurons(table)
        if rows != summary["strongest_neurons"]:
            pair = (artifacts.NEXT_TOKEN, artifacts.NEXT_TOKEN_NEURONS)
            raise _of_another_run(files, pair, "the strongest neurons of its tokens")


def _of_another_run(files: Artifacts, pair: Sequence[str], what: str) -> UserError:
    document, other = files.path(pair[0]), files.path(pair[1])
    return UserError(
        f"{other}: is of another run than {document.name}, or changed since: {what} differ; run "
        "the script that writes the two again"
    )


def _pictures(homes: Homes, found: Found) -> dict[str, list[Picture | NotDrawn]]:
    """Return the pictures of each study that is there, and why some were not drawn."""
    documents: dict[str, Mapping[str, Any]] = {**_documents(found)}
    if found.temperatures is not None:
        documents["temperatures"] = {}
    return {
        name: [*_pictures_of(homes[name], STUDIES[name], document)]
        for name, document in documents.items()
    }


def _pictures_of(
    files: Artifacts, study: StudyFiles, document: Mapping[str, Any]
) -> Iterator[Picture | NotDrawn]:
    """Yield a study's pictures. Raises `UserError` for one that its document is not of."""
    not_drawn = document.get("not_drawn", {})
    for ending, caption in study.captions.items():
        path = files.path(ending)
        png = artifacts.read_png(path)
        if png is None:
            if ending in not_drawn:
                yield NotDrawn(path.name, not_drawn[ending])
            continue
        found = artifacts.picture_hash(png)
        if ending in not_drawn or document.get("picture_sha256", found) != found:
            raise _of_another_run(files, (study.document, ending), "the picture's bytes")
        yield Picture(path.name, png, caption)
