"""Where a command writes: refused before the work where a file could not, or must not, be written.

files = output_files("out", "output_dir", source, [SUMMARY, REPORT], inputs=[table_path])
files.write_summary(...)
"""

import stat
from collections.abc import Iterable
from pathlib import Path

from gelu.artifacts import Artifacts
from gelu.errors import UserError
from gelu.model.source import ModelSource
from gelu.places import output_directory


def output_files(
    folder: str | Path,
    argument: str,
    source: ModelSource,
    endings: Iterable[str],
    inputs: Iterable[Path] = (),
    csv_safe: bool = False,
) -> Artifacts:
    """Return the files of a model in a folder that is made where it is missing.

    argument: which names the folder. endings: of all that is to be written or deleted there.
    inputs: files that the command reads, further to the model's. Raises `UserError` where one of
    them would be overwritten, whatever link leads to it, and where a folder has the name of a file
    to write.
    """
    files = Artifacts(output_directory(folder, argument), source.name, csv_safe)
    known = {place: path for path in [*inputs, *source.files()] if (place := _place(path))}
    for path in map(files.path, endings):
        if _is_folder(path):
            raise UserError(
                f"{path}: this is a folder, and a file of that name is to be written; rename it, "
                f"or choose another folder for `{argument}`"
            )
        if (place := _place(path)) in known:
            raise UserError(
                f"{path}: would be overwritten, and is the same file as {known[place]}, which this "
                f"command reads; choose another folder for `{argument}`"
            )
    return files


def _place(path: Path) -> tuple[int, int] | None:
    """Return what two names of one file have in common, None where there is no file."""
    try:
        found = path.stat()
    except OSError:  # none there, a link to nothing, or to itself
        return None
    return found.st_dev, found.st_ino


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except FileNotFoundError:
        return False
