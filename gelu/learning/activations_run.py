"""Which neurons fire, predicted from tokens alone: from a dataset's folder to tables and files.

    run = predict_activations("dataset", settings=ActivationSettings(epochs=2))
    run.study.layers, run.study.neurons                 # tables
    predict_neurons(run.study.predictor, "gpt2-demo", "I think love is")

Torch is imported after what can be refused has been.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gelu import artifacts
from gelu.artifacts import Artifacts
from gelu.errors import UserError
from gelu.learning.folder import LearningInputs, WrittenStudy, read_inputs
from gelu.learning.settings import ActivationSettings
from gelu.limits import DEVICE, optional, require
from gelu.limits import text as utf8_text
from gelu.model.config import read_geometry
from gelu.model.of_folder import DATASET_FILES, PREDICTOR_FILES, model_at_hand
from gelu.model.outputs import output_files
from gelu.model.source import ModelSource, find_model
from gelu.model.tokenizer import encode_text, load_tokenizer
from gelu.neurons import dimension_of, layer_of
from gelu.progress import bars
from gelu.provenance import describe_run
from gelu.samples.reading import check_weights, dataset_files

if TYPE_CHECKING:
    from gelu.learning.activation_study import ActivationStudy, Predictor

SCRIPT = "predict_activations.py"
PACKAGES = ("matplotlib", "numpy", "pandas", "scipy", "torch")
NO_PREDICTOR = "there is no saved predictor; learn with `dataset_dir` first"


@dataclass(frozen=True)
class ActivationRun:
    """What was learned from, how, and what came of it."""

    inputs: LearningInputs
    settings: ActivationSettings
    study: "ActivationStudy"

    @property
    def notes(self) -> list[str]:
        """What is not known, and which file was read instead of another."""
        return [*self.inputs.read.notes, *self.inputs.notes.skipped.values()]


def predict_activations(
    dataset_dir: str | Path,
    model_type: str | ModelSource | None = None,
    settings: ActivationSettings | None = None,
    device: str = "auto",
) -> ActivationRun:
    """Learn on the training prompts of a dataset's folder, test on the others; nothing is written.

    model_type: None for the model whose files are there; device: cpu, cuda, mps or auto. Raises
    `UserError` for a folder without samples, files that do not fit each other or the model, a
    `history` longer than the model's, and too few prompts.
    """
    settings = settings or ActivationSettings()
    require("device", device, DEVICE)
    model_type = model_at_hand(model_type, dataset_dir, "dataset_dir", DATASET_FILES)
    return learn(_read_inputs(dataset_dir, model_type, settings), settings, device)


def _read_inputs(
    dataset_dir: str | Path, model_type: str | ModelSource, settings: ActivationSettings
) -> LearningInputs:
    return read_inputs(dataset_dir, model_type, settings.history, settings.held_out, settings.seed)


def learn(inputs: LearningInputs, settings: ActivationSettings, device: str) -> ActivationRun:
    """Learn and test, with progress bars."""
    # Before torch starts: matrix products on a GPU are not repeatable without.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    from gelu.learning.activation_study import study_activations
    from gelu.learning.deterministic import deterministic_algorithms
    from gelu.model.allocator import keep_freed_memory
    from gelu.model.loading import pick_device

    keep_freed_memory()
    read = inputs.read
    with deterministic_algorithms():
        study = study_activations(
            read.samples, read.groups, inputs.history, settings, pick_device(device), bars
        )
    return ActivationRun(inputs, settings, study)


# Writing


def save_activation_prediction(run: ActivationRun, output_dir: str | Path) -> WrittenStudy:
    """Write the tables, the picture, the document and the predictor of a run."""
    source, endings = run.inputs.read.source, artifacts.ACTIVATION_PREDICTION_FILES
    return _write(output_files(output_dir, "output_dir", source, endings), run)


def _write(files: Artifacts, run: ActivationRun) -> WrittenStudy:
    from gelu.learning.activation_study import summarise_activation_study
    from gelu.plots.figures import png_bytes
    from gelu.plots.predictions import activation_prediction_figure

    study, read, notes = run.study, run.inputs.read, run.inputs.notes
    tables = {
        artifacts.ACTIVATION_PREDICTION_LAYERS: study.layers,
        artifacts.ACTIVATION_PREDICTION_NEURONS: study.neurons,
        artifacts.ACTIVATION_PREDICTION_RELIABILITY: study.reliability,
    }
    paths = [artifacts.write_table(files.path(name), table) for name, table in tables.items()]
    figure = activation_prediction_figure(
        files.model, study.layers, study.neurons, study.reliability
    )
    picture, png = files.path(artifacts.ACTIVATION_PREDICTION_PICTURE), png_bytes(figure)
    paths.append(artifacts.write_picture(picture, png))
    summary = {
        **describe_run(SCRIPT, {"model_type": files.model, "inputs": read.inputs}, PACKAGES),
        **summarise_activation_study(study, read.samples, run.settings, notes),
        "picture_sha256": artifacts.picture_hash(png),
    }
    paths.append(artifacts.write_document(files.path(artifacts.ACTIVATION_PREDICTION), summary))
    paths += _write_predictor(files, study.predictor)
    lines = list(_headline(study.layers, summary))
    return WrittenStudy(paths, lines, run.notes)


def _write_predictor(files: Artifacts, predictor: "Predictor") -> list[Path]:
    """Write the predictor: weights as safetensors, the rest as JSON."""
    weights = files.path(artifacts.ACTIVATION_PREDICTOR_WEIGHTS)
    description = files.path(artifacts.ACTIVATION_PREDICTOR)
    return [
        artifacts.write_tensors(weights, predictor.tensors()),
        artifacts.write_document(
            description, {"format": artifacts.PREDICTOR_FORMAT, **predictor.description()}
        ),
    ]


def _headline(layers: pd.DataFrame, summary: Mapping[str, Any]) -> Iterator[str]:
    """Yield the log-loss of each predictor by layer, and the verdict."""
    wide = layers.pivot(index="predictor", columns="layer", values="log_loss_bits")
    names = list(dict.fromkeys(layers["layer"]))
    yield "log-loss on held-out prompts, bits per neuron and token, by layer:"
    yield f"  {'':22s}" + "".join(f"{name!s:>9}" for name in names)
    for predictor in dict.fromkeys(layers["predictor"]):
        row = "".join(f"{wide.loc[predictor, name]:9.4f}" for name in names)
        yield f"  {predictor:22s}{row}"
    yield summary["verdict"]
    yield summary["intervals"]
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in summary["decided_by"].items())
    yield f"neurons by what decides them: {kinds}"


# Predicting


def saved_predictor(output_dir: str | Path, model_type: str | ModelSource) -> "Predictor":
    """Return the predictor that a run saved in a folder; `UserError` where there is none."""
    files = Artifacts(Path(output_dir), find_model(model_type).name)
    path = files.path(artifacts.ACTIVATION_PREDICTOR)
    description = artifacts.read_predictor(path)
    if description is None:
        raise UserError(f"{path}: {NO_PREDICTOR}")
    from gelu.learning.activation_study import load_predictor

    tensors = artifacts.read_tensors(files.path(artifacts.ACTIVATION_PREDICTOR_WEIGHTS))
    try:
        return load_predictor(description, tensors)
    except ValueError as error:
        raise UserError(
            f"{path}: it and its weights do not fit each other ({error}); learn anew with "
            "`dataset_dir`"
        ) from None


def predict_neurons(
    predictor: "Predictor", model_type: str | ModelSource, text: str
) -> pd.DataFrame:
    """Return the neurons predicted at a text's last token, beside the true ones: a row for each
    that is predicted or active, by id.

    `predicted` is 1 for a probability of one half or more; `active` is missing where the model is
    not at hand. Raises `UserError` for an empty text, one too long, and another model's predictor.
    """
    require("predict", text, utf8_text)
    source = find_model(model_type)
    return _predict(predictor, source, encode(source, text))[0]


def encode(source: ModelSource, text: str) -> tuple[int, ...]:
    """Return the text's token ids; `UserError` for an empty text, or one too long."""
    return encode_text(load_tokenizer(source), text, read_geometry(source), "`predict`")


def _predict(
    predictor: "Predictor", source: ModelSource, token_ids: Sequence[int]
) -> tuple[pd.DataFrame, str | None]:
    """Return the table of `predict_neurons`, and why the true neurons are not known."""
    probabilities = predictor.probabilities(token_ids)
    active, reason = _true_neurons(source, token_ids, len(probabilities))
    return _predicted_table(probabilities, active, predictor.geometry.d_mlp), reason


def _true_neurons(
    source: ModelSource, token_ids: Sequence[int], n_neurons: int
) -> tuple[NDArray[np.bool_] | None, str | None]:
    """Return which neurons are active at the last token, or why that is not known."""
    from gelu.model.loading import load_model
    from gelu.model.recording import after_last_token

    try:
        model = load_model(source, "cpu")
    except UserError as error:
        return None, f"no true neurons to compare with: {error}"
    if model.geometry.n_neurons != n_neurons:
        raise UserError(
            f"`model_type` {source.name}: has {model.geometry.n_neurons} neurons, the "
            f"saved predictor {n_neurons}; learn anew with `dataset_dir`"
        )
    active: NDArray[np.bool_] = after_last_token(model, token_ids)[0].numpy()
    return active, None


def _predicted_table(
    probabilities: NDArray[np.float32], active: NDArray[np.bool_] | None, d_mlp: int
) -> pd.DataFrame:
    """Return the table of `predict_neurons`; both arrays: (n_neurons,)."""
    predicted = probabilities >= 0.5
    ids = np.flatnonzero(predicted if active is None else predicted | active)
    truth = pd.Series(pd.NA if active is None else active[ids].astype(int), range(len(ids)))
    return pd.DataFrame(
        {
            "neuron_id": ids,
            "layer": layer_of(ids, d_mlp),
            "dimension": dimension_of(ids, d_mlp),
            "probability": probabilities[ids].astype(float).round(6),
            "predicted": predicted[ids].astype(int),
            "active": truth.astype("Int64"),
        }
    )


def _prediction_lines(table: pd.DataFrame) -> Iterator[str]:
    """Yield how many neurons of each layer were predicted, and how many of these were right."""
    for layer, rows in table.groupby("layer"):
        line = f"layer {layer}: {rows['predicted'].sum():,} neurons predicted active"
        if rows["active"].notna().all():
            right = int((rows["predicted"] * rows["active"]).sum())
            line += f", {rows['active'].sum():,} are, {right:,} of them predicted"
        yield line


# The script's one call


def _require_files(
    source: ModelSource, output_dir: str | Path, dataset_dir: str | Path | None
) -> None:
    """Raise `UserError` where what is to be read is not there, before a tokenizer is fetched."""
    if dataset_dir is None:
        predictor = Artifacts(Path(output_dir), source.name).path(artifacts.ACTIVATION_PREDICTOR)
        if not predictor.is_file():
            raise UserError(f"{predictor}: {NO_PREDICTOR}")
    else:
        dataset_files(dataset_dir, source.name)


def write_activation_prediction(
    dataset_dir: str | Path | None,
    output_dir: str | Path,
    model_type: str | ModelSource | None = None,
    settings: ActivationSettings | None = None,
    device: str = "auto",
    *,
    predict: str | None = None,
) -> WrittenStudy:
    """Learn where there is a dataset, predict where there is a text, and write every file.

    Without a dataset the predictor saved in `output_dir` predicts. model_type: None for the model
    whose files are in the folder that is read. Raises `UserError` for what
    cannot be read, learned from or written to, before the work, and where neither is given.
    """
    if dataset_dir is None and predict is None:
        raise UserError("give `dataset_dir` to learn from, or `predict` with a text, or both")
    settings = settings or ActivationSettings()
    require("device", device, DEVICE)
    require("predict", predict, optional(utf8_text))
    source = find_model(
        model_at_hand(model_type, output_dir, "output_dir", PREDICTOR_FILES)
        if dataset_dir is None
        else model_at_hand(model_type, dataset_dir, "dataset_dir", DATASET_FILES)
    )
    _require_files(source, output_dir, dataset_dir)
    token_ids = None if predict is None else encode(source, predict)
    predicted = [] if token_ids is None else [artifacts.PREDICTED_NEURONS]
    if dataset_dir is None:
        predictor = saved_predictor(output_dir, source)
        saved = Artifacts(Path(output_dir), source.name)
        read = (artifacts.ACTIVATION_PREDICTOR, artifacts.ACTIVATION_PREDICTOR_WEIGHTS)
        inputs = map(saved.path, read)
        files = output_files(output_dir, "output_dir", source, predicted, inputs)
        written = WrittenStudy([], [], [])
    else:
        data = _read_inputs(dataset_dir, source, settings)
        if token_ids is not None:
            check_weights(data.read.stated, source)
        endings = (*artifacts.ACTIVATION_PREDICTION_FILES, *predicted)
        run_files = artifacts.run_files([Path(dataset_dir)], source.name)
        files = output_files(output_dir, "output_dir", source, endings, run_files)
        run = learn(data, settings, device)
        written, predictor = _write(files, run), run.study.predictor
    if token_ids is None:
        return written
    table, reason = _predict(predictor, source, token_ids)
    path = artifacts.write_table(files.path(artifacts.PREDICTED_NEURONS), table)
    lines = [*written.lines, str(path), *_prediction_lines(table)]
    notes = [*written.notes, *([] if reason is None else [reason])]
    return WrittenStudy(written.paths, lines, notes)
