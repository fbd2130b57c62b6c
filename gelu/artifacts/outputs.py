"""Where a command writes: refused before the work where a file could not, or must not, be written.

files = output_files("out", "output_dir", "gpt2", [SUMMARY, REPORT], inputs=[table_path])
files.write_summary(...)
"""

import stat
from collections.abc import Iterable
from pathlib import Path

from gelu.artifacts import predictors, writers
from gelu.artifacts.writers import Artifacts
from gelu.errors import UserError
from gelu.places import output_directory

# All files of a run; in the order in which they are deleted: first what says that a folder is
# finished, so that a kill leaves no such folder mixed.
RUN_FILES = (
    writers.RUN,
    writers.DATASET,
    writers.PICKLE,
    writers.JSON,
    writers.MATRIX,
    writers.FREQUENCY,
    writers.ATTRIBUTES,
    writers.EDGES,
)
ANALYSIS_FILES = (
    writers.TOKEN_CLUSTERS,
    writers.CLUSTERS_PICTURE,
    writers.CLUSTERS_BY_PROMPT_PICTURE,
    writers.IMPORTANT_NEURONS,
    writers.TOP_NEURONS_PICTURE,
    writers.IMPORTANCE_BY_LAYER_PICTURE,
    writers.TOKEN_SPECIFIC,
    writers.TOKEN_SPECIFIC_PICTURE,
    writers.POSITION_SPECIFIC,
    writers.POSITION_PICTURE,
    writers.SAMPLE_SIMILARITIES,
    writers.PROMPT_SIMILARITIES,
    writers.CONSISTENT_NEURONS,
    writers.SIMILARITIES_PICTURE,
    writers.TOKEN_ACROSS_PROMPTS,
    writers.SUMMARY,
    writers.REPORT,
)
PATTERNS_FILES = (
    writers.PATTERNS,
    writers.PATTERN_NEURONS,
    writers.PATTERNS_DOCUMENT,
    writers.PATTERNS_PICTURE,
    writers.PATTERNS_REPORT,
)
ACTIVATION_PREDICTION_FILES = (
    predictors.ACTIVATION_PREDICTION,
    predictors.ACTIVATION_PREDICTION_LAYERS,
    predictors.ACTIVATION_PREDICTION_NEURONS,
    predictors.ACTIVATION_PREDICTION_RELIABILITY,
    predictors.ACTIVATION_PREDICTION_PICTURE,
    predictors.ACTIVATION_PREDICTOR,
    predictors.ACTIVATION_PREDICTOR_WEIGHTS,
)
NEXT_TOKEN_FILES = (
    predictors.NEXT_TOKEN,
    predictors.NEXT_TOKEN_SCORES,
    predictors.NEXT_TOKEN_NEURONS,
    predictors.NEXT_TOKEN_DIRECT,
    predictors.NEXT_TOKEN_PICTURE,
)
GRAPH_PICTURE_FILES = (
    writers.NEURONS_PICTURE,
    writers.GRAPH_PICTURE,
    writers.GRAPHML,
    writers.GEXF,
)


def output_files(
    folder: str | Path,
    argument: str,
    model: str,
    endings: Iterable[str],
    inputs: Iterable[Path] = (),
    csv_safe: bool = False,
) -> Artifacts:
    """Return the files of a model in a folder that is made where it is missing.

    argument: which names the folder. endings: of all that is to be written or deleted there.
    inputs: files that the command reads, those of the model among them. Raises `UserError` where
    one of them would be overwritten, whatever link leads to it, and where a folder has the name of
    a file to write.
    """
    files = Artifacts(output_directory(folder, argument), model, csv_safe)
    known = {place: path for path in inputs if (place := _place(path))}
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


def run_files(folders: Iterable[Path], model: str) -> list[Path]:
    """Return the paths of all files that runs of a model have in these folders, there or not."""
    return [Artifacts(folder, model).path(ending) for folder in folders for ending in RUN_FILES]


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
