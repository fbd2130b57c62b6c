"""The files of a dataset's patterns: tables, the document, the picture and the page.

written = write_patterns("dataset", "patterns")
written = save_patterns(extract_patterns("dataset"), "patterns")      # the same
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gelu import artifacts
from gelu.artifacts import Artifacts, run_files
from gelu.model.outputs import output_files
from gelu.model.source import ModelSource
from gelu.page import NotDrawn, Picture
from gelu.patterns.run import PatternsRun, patterns_of, require_prompts
from gelu.patterns.settings import PatternSettings
from gelu.provenance import describe_run
from gelu.samples.reading import read_folder

SCRIPT = "extract_patterns.py"
PACKAGES = ("matplotlib", "numpy", "pandas", "scipy")


@dataclass(frozen=True)
class WrittenPatterns:
    """paths: of the files written; document: that of `{m}_patterns.json`; lines: what it says
    first, as text; notes: which file was read instead of another."""

    paths: list[Path]
    document: dict[str, Any]
    lines: list[str]
    notes: list[str]


def write_patterns(
    dataset_dir: str | Path,
    output_dir: str | Path,
    model_type: str | ModelSource | None = None,
    settings: PatternSettings | None = None,
) -> WrittenPatterns:
    """Find the patterns of one dataset folder and write tables, document, picture and page.

    model_type: None for the model whose files are there. Raises `UserError` for a folder that
    cannot be searched or written to, before the work.
    """
    read = read_folder(dataset_dir, model_type)
    require_prompts(read.groups)
    inputs, endings = run_files([Path(dataset_dir)], read.source.name), artifacts.PATTERNS_FILES
    files = output_files(output_dir, "output_dir", read.source, endings, inputs)
    return _write(files, patterns_of(read, settings or PatternSettings()))


def save_patterns(run: PatternsRun, output_dir: str | Path) -> WrittenPatterns:
    """Write the tables, the document, the picture and the page of patterns that were found."""
    source = run.read.source
    return _write(output_files(output_dir, "output_dir", source, artifacts.PATTERNS_FILES), run)


def _describe(run: PatternsRun) -> dict[str, Any]:
    """Return what was searched and how."""
    search = run.settings.search
    stated = {
        "arguments": {
            "model_type": run.read.source.name,
            "seed": search.seed,
            "fdr": search.fdr,
            "max_patterns": search.max_patterns,
            "null_draws": search.null_draws,
            "min_token_count": run.settings.min_token_count,
        },
        **run.read.inputs,
    }
    return describe_run(SCRIPT, stated, PACKAGES)


def _write(files: Artifacts, run: PatternsRun) -> WrittenPatterns:
    from gelu.patterns.page import headline, patterns_page

    document = {"inputs": _describe(run), **run.analysis.document}
    paths, picture = _write_picture(files, document)
    page = patterns_page(files.model, document, picture)
    paths = [
        artifacts.write_table(files.path(artifacts.PATTERNS), run.analysis.patterns),
        artifacts.write_table(files.path(artifacts.PATTERN_NEURONS), run.analysis.neurons),
        artifacts.write_document(files.path(artifacts.PATTERNS_DOCUMENT), document),
        *paths,
        files.write_report(page, artifacts.PATTERNS_REPORT),
    ]
    return WrittenPatterns(paths, document, [*headline(document)], [*run.read.notes])


def _write_picture(
    files: Artifacts, document: dict[str, Any]
) -> tuple[list[Path], Picture | NotDrawn]:
    """Draw the patterns and note the picture's hash in the document, or delete an earlier run's
    picture where there are none."""
    from gelu.patterns.page import CAPTION, NO_PATTERN
    from gelu.plots.figures import png_bytes
    from gelu.plots.patterns import patterns_figure

    path = files.path(artifacts.PATTERNS_PICTURE)
    if not document["patterns"]:
        artifacts.remove_picture(path)
        return [], NotDrawn(path.name, NO_PATTERN)
    png = png_bytes(patterns_figure(files.model, document))
    document["picture_sha256"] = artifacts.picture_hash(png)
    return [artifacts.write_picture(path, png)], Picture(path.name, png, CAPTION)
