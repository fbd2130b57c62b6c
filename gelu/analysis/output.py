"""An analysis' files: tables, pictures, the summary and the page.

written = write_analysis("dataset", "analysis")
written = save_analysis(analyse_dataset("dataset"), "analysis")      # the same
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gelu import artifacts
from gelu.analysis.inputs import read_named
from gelu.analysis.section import headline
from gelu.analysis.settings import AnalysisSettings
from gelu.artifacts import Artifacts
from gelu.errors import noted
from gelu.model.outputs import output_files
from gelu.model.source import ModelSource
from gelu.provenance import describe_run

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


def write_analysis(
    dataset_dir: str | Path | None,
    output_dir: str | Path,
    model_type: str | ModelSource | None = None,
    settings: AnalysisSettings | None = None,
    *,
    dataset_csv: str | Path | None = None,
    activations_file: str | Path | None = None,
    csv_safe: bool = False,
) -> WrittenAnalysis:
    """Analyse a dataset as `analyse_dataset` does, and write every file.

    csv_safe: guard texts in tables against spreadsheets. Raises `UserError` also for an output
    folder that cannot, or must not, be written to, before the work.
    """
    settings = settings or AnalysisSettings()
    read = read_named(dataset_dir, model_type, dataset_csv, activations_file)
    with noted(read.notes):
        from gelu.analysis.run import analyse_read, require_clusters

        require_clusters(settings.clusters, len(read.samples))
        inputs = [
            *read.paths,
            *artifacts.run_files({it.parent for it in read.paths}, read.source.name),
        ]
        endings = artifacts.ANALYSIS_FILES
        files = output_files(output_dir, "output_dir", read.source, endings, inputs, csv_safe)
        return _write(files, analyse_read(read, settings))


def save_analysis(
    run: "AnalysisRun", output_dir: str | Path, csv_safe: bool = False
) -> WrittenAnalysis:
    """Write every file of an analysis that has been made."""
    source, endings = run.read.source, artifacts.ANALYSIS_FILES
    files = output_files(output_dir, "output_dir", source, endings, run.read.paths, csv_safe)
    return _write(files, run)


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
            "clusters": settings.clusters or "auto",
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
