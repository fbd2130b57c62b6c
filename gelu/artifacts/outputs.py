"""The files of each kind of run and study, by the endings of their names."""

from collections.abc import Iterable
from pathlib import Path

from gelu.artifacts import predictors, writers
from gelu.artifacts.writers import Artifacts

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


def run_files(folders: Iterable[Path], model: str) -> list[Path]:
    """Return the paths of all files that runs of a model have in these folders, there or not."""
    return [Artifacts(folder, model).path(ending) for folder in folders for ending in RUN_FILES]
