"""An analysis' files: tables, pictures, the summary and the page.

written = analyse_files("analysis", settings, dataset_dir="dataset")
written = write_analysis(analyse_folder("dataset", "gpt2-demo"), "analysis")
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gelu import artifacts
from gelu.analysis.section import headline
from gelu.analysis.settings import AnalysisSettings
from gelu.artifacts import DATASET, Artifacts
from gelu.errors import UserError, noted
from gelu.model.of_folder import DATASET_FILES, model_of_file, model_of_folder
from gelu.model.outputs import output_files
from gelu.model.source import ModelSource
from gelu.places import existing_file
from gelu.provenance import describe_run
from gelu.samples.reading import dataset_files, read_samples

if TYPE_CHECKING:
    from gelu.analysis.run import Analysis, AnalysisRun

SCRIPT = "analyze_activations.py"
PACKAGES = ("matplotlib", "numpy", "pandas", "scikit-learn", "scipy", "seaborn")


@dataclass(frozen=True)
class WrittenAnalysis:
    """paths: of the files written; summary: that of `{m}_analysis_summary.json`; lines: what it
    says first, as text; notes: which file was read instead of another."""

    paths: list[Path]
    summary: dict[str, Any]
    lines: list[str]
    notes: list[str]


def analyse_files(
    output_dir: str | Path,
    settings: AnalysisSettings | None = None,
    model_type: str | ModelSource | None = None,
    *,
    dataset_dir: str | Path | None = None,
    dataset_csv: str | Path | None = None,
    activations_file: str | Path | None = None,
    csv_safe: bool = False,
) -> WrittenAnalysis:
    """Analyse a dataset CSV with the activations of the same run, and write every file.

    What is not named is looked for in `dataset_dir`; model_type: None for the model whose files
    are there. Raises `UserError` for files that do not fit each other, and for an output folder
    that cannot, or must not, be written to, before the work.
    """
    settings = settings or AnalysisSettings()
    notes: list[str] = []
    source = _model_of(model_type, dataset_dir, dataset_csv)
    with noted(notes):
        table_path, activation_path = dataset_files(
            dataset_dir, source.name, dataset_csv, activations_file
        )
        table_path = existing_file(table_path, "dataset_csv")
        activation_path = artifacts.find_activation_file(activation_path, notes.append)
        read = replace(read_samples(table_path, activation_path, source), notes=tuple(notes))
        from gelu.analysis.run import analyse_read, require_clusters

        require_clusters(settings.n_clusters, len(read.samples))
        inputs = [table_path, activation_path]
        inputs += artifacts.run_files({path.parent for path in inputs}, source.name)
        endings = artifacts.ANALYSIS_FILES
        files = output_files(output_dir, "output_dir", source, endings, inputs, csv_safe)
        return _write(files, analyse_read(read, settings))


def _model_of(
    model_type: str | ModelSource | None,
    dataset_dir: str | Path | None,
    dataset_csv: str | Path | None,
) -> ModelSource:
    if dataset_dir is not None:
        return model_of_folder(model_type, dataset_dir, "dataset_dir", DATASET_FILES)
    if dataset_csv is None:
        raise UserError("give `dataset_dir`, or `dataset_csv` and `activations_file`")
    return model_of_file(model_type, dataset_csv, DATASET)


def write_analysis(
    run: "AnalysisRun", output_dir: str | Path, csv_safe: bool = False
) -> WrittenAnalysis:
    """Write every file of an analysis; csv_safe: guard texts in tables against spreadsheets."""
    source, endings = run.read.source, artifacts.ANALYSIS_FILES
    return _write(output_files(output_dir, "output_dir", source, endings, (), csv_safe), run)


def _write(files: Artifacts, run: "AnalysisRun") -> WrittenAnalysis:
    from gelu.analysis.page import analysis_page, analysis_pictures, reasons_not_to_draw
    from gelu.analysis.summary import summarise

    samples, settings, analysis = run.read.samples, run.settings, run.analysis
    paths = _write_tables(files, analysis)
    not_drawn = reasons_not_to_draw(samples, settings, analysis)
    for ending in not_drawn:  # an earlier run's would be taken for this one's
        artifacts.remove_picture(files.path(ending))
    summary = {
        **_describe(run, files.csv_safe),
        **summarise(samples, settings, analysis),
        "not_drawn": not_drawn,
    }
    pictures = analysis_pictures(files.model, samples, settings, analysis, not_drawn)
    for ending, png in pictures.items():
        paths.append(artifacts.write_picture(files.path(ending), png))
    paths.append(files.write_summary(summary))
    page = analysis_page(files.model, samples, settings, analysis, summary, pictures)
    paths.append(files.write_report(page))
    return WrittenAnalysis(paths, summary, [*headline(summary)], [*run.read.notes])


def _describe(run: "AnalysisRun", csv_safe: bool) -> dict[str, Any]:
    """Return what was analysed and how."""
    settings, inputs = run.settings, run.read.inputs
    stated = {
        "arguments": {
            "dataset_csv": inputs["dataset_csv"],
            "activations_file": inputs["activations_file"],
            "model_type": run.read.source.name,
            "seed": settings.seed,
            "fdr": settings.fdr,
            "min_token_count": settings.min_token_count,
            "min_phi": settings.min_phi,
            "top_per_token": settings.top_per_token,
            "clusters": settings.n_clusters or "auto",
            **({"csv_safe": True} if csv_safe else {}),
        },
        "dataset_csv_sha256": inputs["dataset_csv_sha256"],
        "activations_sha256": inputs["activations_sha256"],
    }
    return describe_run(SCRIPT, stated, PACKAGES)


def _write_tables(files: "Artifacts", analysis: "Analysis") -> list[Path]:
    tables = {
        artifacts.TOKEN_CLUSTERS: analysis.clusters.table,
        artifacts.IMPORTANT_NEURONS: analysis.important,
        artifacts.TOKEN_SPECIFIC: analysis.tokens.table,
        artifacts.POSITION_SPECIFIC: analysis.positions.table,
        artifacts.SAMPLE_SIMILARITIES: analysis.prompts.samples,
        artifacts.PROMPT_SIMILARITIES: analysis.prompts.prompts,
        artifacts.CONSISTENT_NEURONS: analysis.prompts.consistent.table,
        artifacts.TOKEN_ACROSS_PROMPTS: analysis.across.table,
    }
    return [
        artifacts.write_table(files.path(ending), table, files.csv_safe)
        for ending, table in tables.items()
    ]
