"""Which model a folder's files are of, where nobody says: `{m}_run.json` is one of the model m.

    source = model_of_folder(None, "dataset", "dataset_dir", DATASET_FILES)
    name = model_at_hand(None, "dataset", "dataset_dir", DATASET_FILES)   # it can be loaded

What files say is text of other people. It names the four sizes and the shipped model, and else
nothing but the files themselves: no folder is opened and nothing is downloaded because of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gelu.artifacts import (
    ACTIVATION_PREDICTOR,
    ATTRIBUTES,
    DATASET,
    EDGES,
    RUN,
    Artifacts,
    models_in,
    read_run,
)
from gelu.errors import UserError
from gelu.model.source import (
    HUB_GEOMETRIES,
    HUB_ID,
    SHIPPED_MODEL,
    ModelSource,
    artifact_name,
    find_model,
    how_to_place,
)
from gelu.places import existing_directory

DEFAULT_MODEL = "gpt2"
SHOWN = 10


@dataclass(frozen=True)
class Wanted:
    """The files that a folder is read for. endings: of their names; missing: what is said of a
    folder without any of them, and how to get one."""

    endings: tuple[str, ...]
    missing: str


DATASET_FILES = Wanted(
    (DATASET, RUN),
    f"there is no dataset ({{m}}_{DATASET}); generate_activation_dataset.py writes one",
)
GRAPH_FILES = Wanted(
    (ATTRIBUTES, EDGES),
    f"there is no graph ({{m}}_{EDGES}); a_generate_gelu_graph.py and "
    "generate_activation_dataset.py write one",
)
DATASET_GRAPH_FILES = Wanted((*GRAPH_FILES.endings, *DATASET_FILES.endings), DATASET_FILES.missing)
PREDICTOR_FILES = Wanted(
    (ACTIVATION_PREDICTOR,),
    f"there is no saved predictor ({{m}}_{ACTIVATION_PREDICTOR}); learn with `dataset_dir` first",
)


def model_of_folder(
    model_type: str | ModelSource | None,
    folder: str | Path,
    argument: str,
    wanted: Wanted,
) -> ModelSource:
    """Return the model as `model_of_folders` does, of one folder."""
    return model_of_folders(model_type, [folder], argument, wanted)


def model_of_folders(
    model_type: str | ModelSource | None,
    folders: Sequence[str | Path],
    argument: str,
    wanted: Wanted,
) -> ModelSource:
    """Return what `model_type` names, or where it is None the model whose files are in the folders.

    A model that is not known by its name has no place (`ModelSource`). Raises `UserError`, which
    names `argument`, where there are no such files, or files of several models.
    """
    if model_type is not None:
        return find_model(model_type)
    places = [existing_directory(folder, argument) for folder in folders]
    names = sorted({name for folder in places for name in models_in(folder, wanted.endings)})
    where = f"`{argument}` {', '.join(map(str, folders))}"
    if not names:
        raise UserError(f"{where}: {wanted.missing}")
    if len(names) > 1:
        more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
        raise UserError(
            f"{where}: has files of {', '.join(names[:SHOWN])}{more}; say which with `model_type`"
        )
    return _called(names[0])


def model_of_file(
    model_type: str | ModelSource | None, path: str | Path, ending: str
) -> ModelSource:
    """Return what `model_type` names, or where it is None the model that the file is called by.

    A file that is not called `{m}_ending` is taken for the `DEFAULT_MODEL`'s.
    """
    if model_type is not None:
        return find_model(model_type)
    names = models_in(Path(path).parent, [ending])
    name = Path(path).name.removesuffix(f"_{ending}")
    return _called(name if name in names else DEFAULT_MODEL)


def model_at_hand(
    model_type: str | ModelSource | None,
    folder: str | Path,
    argument: str,
    wanted: Wanted,
) -> str | ModelSource:
    """Return what `model_of_folder` finds as a `model_type`, for who needs the model itself.

    Raises `UserError` as `model_of_folders` does, and for a model that is not known by its name,
    which says how to name it.
    """
    if model_type is not None:
        return model_type
    source = model_of_folder(None, folder, argument, wanted)
    if source.is_placed():
        return source.name
    run = read_run(Artifacts(Path(folder), source.name).path(RUN)) or {}
    stated = run.get("arguments", {}).get("model_type", "")
    if "/" in stated and HUB_ID.fullmatch(stated) and artifact_name(stated) == source.name:
        raise UserError(f"`{argument}` {folder}: is of {stated}; `model_type` {stated} fetches it")
    raise UserError(f"`{argument}` {folder}: {how_to_place(source.name)}")


def _called(name: str) -> ModelSource:
    known = name in HUB_GEOMETRIES or name == SHIPPED_MODEL
    return find_model(name) if known else ModelSource(name, None, None)
