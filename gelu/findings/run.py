"""Gathering what the studies' scripts left onto one page.

found = gather_findings(["findings", "analysis"])
written = write_findings(["findings", "analysis"])      # the page, in the first folder
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gelu import artifacts
from gelu.artifacts import Artifacts
from gelu.errors import UserError, noted
from gelu.findings.page import Found, findings_page
from gelu.findings.results import STUDIES, read_found
from gelu.limits import path, require, some
from gelu.model.of_folder import Wanted, model_of_folders
from gelu.model.outputs import output_files
from gelu.model.source import ModelSource
from gelu.places import existing_directory

_SCRIPTS = [study.script for study in STUDIES.values()]
_FIRST = f"run {', '.join(_SCRIPTS[:-1])} or {_SCRIPTS[-1]} with this folder as output first"
RESULTS = Wanted(
    tuple(ending for study in STUDIES.values() for ending in study.endings),
    f"there are no results; {_FIRST}",
)


@dataclass(frozen=True)
class WrittenFindings:
    """path: of the page; notes: what is half there and left out, and why."""

    path: Path
    notes: list[str]


def gather_findings(
    results_dir: str | Path | Sequence[str | Path], model_type: str | ModelSource | None = None
) -> Found:
    """Return what the studies left in one folder or several, as tables and plain values.

    model_type: None for the model whose files are there. Raises `UserError` for a folder that is
    not there, folders without anything of the model, and what `read_found` refuses.
    """
    return _gather(results_dir, model_type)[2]


def write_findings(
    results_dir: str | Path | Sequence[str | Path], model_type: str | ModelSource | None = None
) -> WrittenFindings:
    """Gather what the studies left as `gather_findings` does; write one page to the first folder.

    Raises `UserError` also for a folder that cannot be written to.
    """
    folders, source, found = _gather(results_dir, model_type)
    with noted(found.notes):
        homes = [Artifacts(folder, source.name) for folder in folders]
        read = [files.path(ending) for files in homes for ending in RESULTS.endings]
        output = [artifacts.FINDINGS_REPORT]
        files = output_files(folders[0], "results_dir", source, output, read)
    page = files.write_report(findings_page(source.name, found), artifacts.FINDINGS_REPORT)
    return WrittenFindings(page, found.notes)


def _gather(
    results_dir: str | Path | Sequence[str | Path], model_type: str | ModelSource | None
) -> tuple[list[Path], ModelSource, Found]:
    named = require("results_dir", results_dir, some(path))
    folders = [existing_directory(folder, "results_dir") for folder in named]
    source = model_of_folders(model_type, folders, "results_dir", RESULTS)
    found = read_found(folders, source.name)
    with noted(found.notes):
        _require_something(found, folders, source)
    return folders, source, found


def _require_something(found: Found, folders: Sequence[Path], source: ModelSource) -> None:
    """Raise `UserError` where no study is there."""
    every = (found.analysis, found.activations, found.patterns, found.tokens, found.temperatures)
    if all(study is None for study in every):
        where = ", ".join(map(str, folders))
        raise UserError(f"`results_dir` {where}: nothing of {source.name} is there; {_FIRST}")
