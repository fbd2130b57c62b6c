"""The next token read off the active neurons: from a dataset's folder to tables and files.

    run = predict_next_token("dataset", settings=NextTokenSettings(epochs=2))
    run.study.scores, run.study.carriers                # tables
    write_next_token("dataset", "findings")

Torch is imported after what can be refused has been.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gelu import artifacts
from gelu.artifacts import Artifacts
from gelu.errors import UserError
from gelu.learning.folder import LearningInputs, WrittenStudy, read_inputs
from gelu.learning.settings import NextTokenSettings
from gelu.limits import DEVICE, require
from gelu.model.config import read_geometry
from gelu.model.of_folder import DATASET_FILES, model_at_hand
from gelu.model.outputs import output_files
from gelu.model.source import ModelSource
from gelu.progress import bars
from gelu.provenance import describe_run
from gelu.samples.notes import Notes
from gelu.samples.reading import FolderSamples, check_weights
from gelu.samples.token_history import (
    Encoder,
    known_tokens,
)

if TYPE_CHECKING:
    from gelu.learning.token_study import Inside, NextTokenStudy
    from gelu.model.decoder import Decoder

SCRIPT = "predict_next_token.py"
PACKAGES = ("matplotlib", "numpy", "pandas", "scipy", "torch")


@dataclass(frozen=True)
class NextTokenRun:
    """What was learned from, how, and what came of it; drawn_with: the dataset's temperature and
    top_k, where known."""

    inputs: LearningInputs
    drawn_with: dict[str, Any]
    settings: NextTokenSettings
    study: "NextTokenStudy"

    @property
    def notes(self) -> list[str]:
        """What is not known, and which file was read instead of another."""
        return [*self.inputs.read.notes, *self.inputs.notes.skipped.values()]


def predict_next_token(
    dataset_dir: str | Path,
    model_type: str | ModelSource | None = None,
    settings: NextTokenSettings | None = None,
    device: str = "auto",
) -> NextTokenRun:
    """Fit readouts to the training prompts of a dataset's folder, test them on the others.

    Nothing is written. model_type: None for the model whose files are there; device: where the
    model runs for the ceiling. Raises `UserError` for a folder without samples, files that do not
    fit each other or the model, and too few prompts.
    """
    settings = settings or NextTokenSettings()
    require("device", device, DEVICE)
    model_type = model_at_hand(model_type, dataset_dir, "dataset_dir", DATASET_FILES)
    inputs, drawn_with = _read_inputs(dataset_dir, model_type, settings)
    return learn(inputs, drawn_with, settings, device)


def _read_inputs(
    dataset_dir: str | Path, model_type: str | ModelSource, settings: NextTokenSettings
) -> tuple[LearningInputs, dict[str, Any]]:
    """Return the dataset, and what its run file says of how its tokens were drawn."""
    inputs = read_inputs(dataset_dir, model_type, 2, settings.held_out, settings.seed)
    return inputs, _sampling(Path(dataset_dir), inputs.read.source.name)


def learn(
    inputs: LearningInputs, drawn_with: dict[str, Any], settings: NextTokenSettings, device: str
) -> NextTokenRun:
    """Fit and test all readouts, with a progress bar."""
    from gelu.learning import token_study
    from gelu.learning.deterministic import deterministic_algorithms
    from gelu.model.allocator import keep_freed_memory

    keep_freed_memory()
    read, notes = inputs.read, inputs.notes
    with deterministic_algorithms():
        inside = look_inside(read, inputs.encode, device, notes)
        study = token_study.study_next_token(
            read.samples,
            read.groups,
            inputs.history,
            settings,
            _vocabulary_size(read.source),
            inside,
            bars,
            notes,
        )
    return NextTokenRun(inputs, drawn_with, settings, study)


def _vocabulary_size(source: ModelSource) -> int:
    """Return how many tokens the model knows, 0 where its configuration is not at hand."""
    try:
        return read_geometry(source).vocab_size
    except UserError:
        return 0


def look_inside(
    read: FolderSamples, encode: Encoder | None, device: str, notes: Notes
) -> "Inside | None":
    """Return what the model itself gives, None where it is not at hand; that is noted."""
    from gelu.learning.token_study import Inside
    from gelu.model.loading import load_model, pick_device

    try:
        model = load_model(read.source, pick_device(device))
    except UserError as error:
        reason = f"without the model no direct path and no accuracy of its own ({error})"
        notes.skipped["the model's weights"] = reason
        return None
    geometry = model.geometry
    if (geometry.n_layer, geometry.d_mlp) != (
        read.samples.geometry.n_layer,
        read.samples.geometry.d_mlp,
    ):
        raise UserError(
            f"`model_type`: the model has {geometry.n_layer} layers of {geometry.d_mlp} neurons, "
            f"the dataset {read.samples.geometry.n_layer} of {read.samples.geometry.d_mlp}; name "
            "the model that made the dataset"
        )
    path = Path(read.inputs["dataset_csv"])
    artifacts.require_ranges(path, read.samples.table, geometry)
    check_weights(read.stated, read.source)
    if encode is None:
        return None
    return Inside(
        lambda rows: ranks_of(model, read, encode, rows, notes),
        lambda ids: _direct_weights(model, ids),
    )


def ranks_of(
    model: "Decoder",
    read: FolderSamples,
    encode: Encoder,
    rows: NDArray[np.int64],
    notes: Notes,
) -> NDArray[np.int64]:
    """Return the rank of each of these samples' tokens in the model's own order, 0 the likeliest.

    rows: whole completions, ascending, as held-out samples are. A rank is `UNKNOWN_RANK` where a
    token that the model had read is unknown, as its row is missing; how many are is noted.
    """
    from gelu.learning.ceiling import Written, model_ranks
    from gelu.learning.tokens import UNKNOWN_RANK

    outputs = read.samples.table["output_id"].to_numpy()
    chosen = np.unique(read.samples.completions.of_samples()[rows])
    written, places = [], [np.empty(0, np.int64)]
    for tokens in known_tokens(read.samples, encode, chosen):
        known = ~tokens.unknown_before()
        for start in np.unique(tokens.starts[known]):
            here = known & (tokens.starts == start)
            ids = tokens.ids[start : tokens.places[here].max() + 1]
            written.append(Written(ids, tokens.places[here] - start, outputs[tokens.rows[here]]))
            places.append(tokens.rows[here])
    ranks = np.full(len(rows), UNKNOWN_RANK)
    ranks[np.searchsorted(rows, np.concatenate(places))] = model_ranks(model, written)
    if n_unknown := int((ranks == UNKNOWN_RANK).sum()):
        notes.skipped["the model's own guesses"] = (
            f"the dataset CSV lacks rows; of {n_unknown:,} of {len(rows):,} held-out samples it is "
            "unknown what the model had read, and the model's top-1 and top-5 leave them out"
        )
    return ranks


def _direct_weights(model: "Decoder", token_ids: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return what each neuron adds to the logits of these tokens by the direct path."""
    from gelu.learning.direct_path import direct_path

    final_scale, unembedding = (it.cpu().numpy() for it in model.unembedding())
    layers = []
    for layer in range(model.geometry.n_layer):
        weights = model.mlp_weights(layer)
        w_out = (weights.w_out * weights.writes).cpu().numpy()
        layers.append(
            direct_path(w_out, final_scale, unembedding[token_ids], not model.family.rms_norm)
        )
    return np.concatenate(layers)


def _sampling(folder: Path, model: str) -> dict[str, Any]:
    """Return the temperature and top-k of the dataset, where its run file says so."""
    run = artifacts.read_run(Artifacts(folder, model).path(artifacts.RUN)) or {}
    arguments = run.get("arguments", {})
    return {name: arguments.get(name) for name in ("temperature", "top_k")}


# Writing


def save_next_token(run: NextTokenRun, output_dir: str | Path) -> WrittenStudy:
    """Write the tables, the picture and the document of a run."""
    source = run.inputs.read.source
    return _write(output_files(output_dir, "output_dir", source, artifacts.NEXT_TOKEN_FILES), run)


def write_next_token(
    dataset_dir: str | Path,
    output_dir: str | Path,
    model_type: str | ModelSource | None = None,
    settings: NextTokenSettings | None = None,
    device: str = "auto",
) -> WrittenStudy:
    """Study one dataset's folder and write every file: what the script does.

    model_type: None for the model whose files are there. Raises `UserError` for what cannot be
    read, learned from or written to, before the work.
    """
    settings = settings or NextTokenSettings()
    require("device", device, DEVICE)
    model_type = model_at_hand(model_type, dataset_dir, "dataset_dir", DATASET_FILES)
    inputs, drawn_with = _read_inputs(dataset_dir, model_type, settings)
    source, endings = inputs.read.source, artifacts.NEXT_TOKEN_FILES
    run_files = artifacts.run_files([Path(dataset_dir)], source.name)
    files = output_files(output_dir, "output_dir", source, endings, run_files)
    return _write(files, learn(inputs, drawn_with, settings, device))


def _write(files: Artifacts, run: NextTokenRun) -> WrittenStudy:
    from gelu.learning.token_study import summarise_next_token_study
    from gelu.plots.figures import png_bytes
    from gelu.plots.next_token import next_token_figure

    read, notes, study = run.inputs.read, run.inputs.notes, run.study
    tables = {
        artifacts.NEXT_TOKEN_SCORES: study.scores,
        artifacts.NEXT_TOKEN_NEURONS: study.carriers,
    }
    if study.direct is not None:
        tables[artifacts.NEXT_TOKEN_DIRECT] = study.direct
    paths = [artifacts.write_table(files.path(name), table) for name, table in tables.items()]
    picture = png_bytes(next_token_figure(files.model, study.scores, study.direct))
    paths.append(artifacts.write_picture(files.path(artifacts.NEXT_TOKEN_PICTURE), picture))
    summary = {
        **describe_run(SCRIPT, {"model_type": files.model, "inputs": read.inputs}, PACKAGES),
        "drawn_with": run.drawn_with,
        **summarise_next_token_study(study, read.samples, run.settings, notes),
        "strongest_neurons": artifacts.strongest_neurons(study.carriers),
        "picture_sha256": artifacts.picture_hash(picture),
    }
    paths.append(artifacts.write_document(files.path(artifacts.NEXT_TOKEN), summary))
    lines = list(_headline(study, summary))
    return WrittenStudy(paths, lines, run.notes)


def _headline(study: "NextTokenStudy", summary: Mapping[str, Any]) -> Iterator[str]:
    """Yield the table of scores, and what its intervals are over."""
    yield "the next token on held-out prompts:"
    yield f"  {'':14s}{'neurons':>14s}{'bits':>8s}{'top-1':>8s}{'top-5':>8s}"
    columns = ["predictor", "neurons", "cross_entropy_bits", "top1", "top5"]
    for predictor, neurons, bits, first, five in study.scores[columns].itertuples(index=False):
        yield f"  {predictor:14s}{neurons:>14s}{bits:8.3f}{first:8.1%}{five:8.1%}"
    yield summary["intervals"]
