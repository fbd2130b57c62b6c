"""Which models there are, and where one's files lie.

source = find_model("gpt2-demo")        # a name, a hub id or a folder; opens nothing
source.place("config.json")             # what a user knows the file by
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gelu.errors import UserError
from gelu.neurons import Geometry

SHIPPED_MODEL = "gpt2-demo"
GGUF = ".gguf"
# Beside the package in the repository, within it where it is installed.
_PACKAGE = Path(__file__).resolve().parents[1]
_MODELS = _PACKAGE / "shipped" if (_PACKAGE / "shipped").is_dir() else _PACKAGE.parent / "models"
SHIPPED_FOLDER = _MODELS / SHIPPED_MODEL
OFFLINE_ADVICE = f"`model_type` {SHIPPED_MODEL} or a local folder works offline"
# File systems allow 255; what is added for each file, and while it is written, takes up to 80.
LONGEST_NAME = 160
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)
HUB_GEOMETRIES = {
    "gpt2": Geometry(12, 768, 3072, 1024),
    "gpt2-medium": Geometry(24, 1024, 4096, 1024),
    "gpt2-large": Geometry(36, 1280, 5120, 1024),
    "gpt2-xl": Geometry(48, 1600, 6400, 1024),
}


@dataclass(frozen=True)
class ModelSource:
    """Where a model comes from: a folder, a hub id, or a GGUF file.

    `name` is what its files are called by. A model that is known by these alone has no place, and
    cannot be read.
    """

    name: str
    folder: Path | None
    hub_id: str | None
    gguf: Path | None = None

    @property
    def shown(self) -> str:
        """What a user knows the model by."""
        return self.hub_id or self.name

    def is_placed(self) -> bool:
        """Return whether it is known where the model comes from."""
        return (self.folder, self.hub_id, self.gguf) != (None, None, None)

    def files(self) -> list[Path]:
        """Return the files of the model's folder, or its one file; none for one of the hub."""
        if self.gguf is not None:
            return [self.gguf]
        if self.folder is None or not self.folder.is_dir():
            return []
        # What an earlier command has written into the model's folder is none of the model's.
        own = f"{self.name}_"
        return [path for path in self.folder.iterdir() if not path.name.startswith(own)]

    def place(self, file: str) -> str:
        """Return what a user knows one of its files by: no path in a cache has a name."""
        if self.folder is not None:
            return str(self.folder / file)
        return f"`model_type` {self.hub_id or self.gguf}: {file}"


# Returns for each of some names where this file lies, None for one that is not there.
Find = Callable[[Sequence[str]], list[Path | None]]


def artifact_name(text: str) -> str:
    """Return `text` with every character outside `[A-Za-z0-9._-]` replaced by `_`."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", text)


def how_to_place(name: str) -> str:
    """Return what to do about a model of which no more is known than what its files are called."""
    return f"the files are called {name}; name that model's folder, or its hub id, by `model_type`"


def find_model(model_type: str | ModelSource) -> ModelSource:
    """Say what `model_type` names: a size, the shipped model, a folder, a GGUF file, a hub id.

    The five names always mean these models, also where a folder of that name lies in the current
    directory (`./gpt2` reaches such a folder). A model that is found already is returned. Raises
    `UserError` for a folder that is not there.
    """
    if isinstance(model_type, ModelSource):
        return model_type
    if model_type in HUB_GEOMETRIES:
        return ModelSource(model_type, None, model_type)
    if model_type == SHIPPED_MODEL:
        return ModelSource(SHIPPED_MODEL, SHIPPED_FOLDER, None)
    folder = _folder_of(model_type)
    if folder is not None:
        return ModelSource(_file_name(model_type, folder.name), folder, None)
    if model_type.lower().endswith(GGUF):
        return _gguf_file(model_type)
    if HUB_ID.fullmatch(model_type) is None:
        raise UserError(f"`model_type` {model_type}: no such folder, and not a hub id")
    return ModelSource(_file_name(model_type, model_type), None, model_type)


def _gguf_file(model_type: str) -> ModelSource:
    """Return a file of llama.cpp as a model; `UserError` where it is not there."""
    try:
        path = Path(model_type).expanduser().resolve()
        there = path.is_file()
    except (OSError, ValueError, RuntimeError):  # too long, a NUL, `~` of nobody
        there = False
    if not there:
        raise UserError(f"`model_type` {model_type[:LONGEST_NAME]}: no such file")
    return ModelSource(_file_name(model_type, path.name[: -len(GGUF)]), None, None, path)


def _folder_of(model_type: str) -> Path | None:
    """Return the folder that `model_type` names, None where it names none."""
    try:
        folder = Path(model_type).expanduser()
        return folder.resolve() if model_type and folder.is_dir() else None
    except (OSError, ValueError, RuntimeError):  # too long, a NUL, `~` of nobody: no folder's name
        return None


def _file_name(model_type: str, text: str) -> str:
    """Return what the model's files are called by; `UserError` for one that no file can have."""
    name = artifact_name(text)
    if not name or len(name) > LONGEST_NAME:
        raise UserError(
            f"`model_type` {model_type[:LONGEST_NAME]}: files are called by the folder's name, "
            f"which must have 1 to {LONGEST_NAME} characters; this one has {len(name)}"
        )
    return name


def find_files(source: ModelSource, choose: Callable[[Find], list[Path]]) -> list[Path]:
    """Return the files that `choose` finds in the source's folder, or in its repository.

    Raises `UserError` where neither is known.
    """
    if source.folder is not None:
        return choose(partial(_in_folder, source.folder))
    if source.gguf is not None:
        from gelu.model.gguf import converted_folder

        return choose(partial(_in_folder, converted_folder(source.gguf)))
    if source.hub_id is None:
        raise UserError(how_to_place(source.name))
    from gelu.model.hub import cached, fetch
    from gelu.model.hub_failures import HubError

    try:
        return choose(partial(fetch, source.hub_id, advice=OFFLINE_ADVICE))
    except HubError:  # the second choice may lie in the cache, put there by another program
        files = choose(partial(cached, source.hub_id))
        if not files:
            raise
        return files


def _in_folder(folder: Path, names: Sequence[str]) -> list[Path | None]:
    paths = [folder / name for name in names]
    return [path if path.is_file() else None for path in paths]


def all_of(find: Find, names: Sequence[str]) -> list[Path]:
    """Return where the files lie, nothing where one of them is missing."""
    files = [path for path in find(names) if path is not None]
    return files if len(files) == len(names) else []


def removal_advice(source: ModelSource) -> str:
    """Return how to get rid of wrong bytes in a cache, nothing for a folder."""
    if source.gguf is not None:
        from gelu.model.gguf import kept_folder

        return f"; remove {kept_folder(source.gguf)} to have it converted anew"
    if source.hub_id is None:
        return ""
    from gelu.model.hub_failures import removal

    return f"; {removal(source.hub_id)}"


@contextmanager
def damaged_files(source: ModelSource, what: str) -> Iterator[None]:
    """Name the model when a loader fails: loaders raise whatever their parsers happen to raise."""
    try:
        yield
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise UserError(
            f"`model_type` {source.shown}: its {what} cannot be loaded ({reason})"
            f"{removal_advice(source)}"
        ) from error
