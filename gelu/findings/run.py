"""Gathering what the studies' scripts left onto one page."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gelu import artifacts
from gelu.artifacts import Artifacts
from gelu.errors import UserError, noted
from gelu.findings.page import Found, findings_page
from gelu.findings.results import STUDIES, read_found
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


def write_findings(
    results_dirs: Sequence[str | Path], model_type: str | ModelSource | None = None
) -> WrittenFindings:
    """Read what the scripts left in these folders; write one page to the first.

    results_dirs: one at least. model_type: None for the model whose files are there. Raises
    `UserError` for a folder that is not there, folders without anything of the model, and what
    `read_found` refuses.
    """
    folders = [existing_directory(folder, "results_dir") for folder in results_dirs]
    source = model_of_folders(model_type, folders, "results_dir", RESULTS)
    found = read_found(folders, source.name)
    notes = [f"{path} is left out: {reason}" for path, reason in found.left_out.items()]
    with noted(notes):
        _require_something(found, folders, source)
        paths = [Artifacts(folder, source.name).path for folder in folders]
        read = [path(ending) for path in paths for ending in RESULTS.endings]
        output = [artifacts.FINDINGS_REPORT]
        files = output_files(folders[0], "results_dir", source, output, read)
    page = files.write_report(findings_page(source.name, found), artifacts.FINDINGS_REPORT)
    return WrittenFindings(page, notes)


def _require_something(found: Found, folders: Sequence[Path], source: ModelSource) -> None:
    """Raise `UserError` where no study is there."""
    every = (found.analysis, found.activations, found.patterns, found.tokens, found.temperatures)
    if all(study is None for study in every):
        where = ", ".join(map(str, folders))
        raise UserError(f"`results_dir` {where}: nothing of {source.name} is there; {_FIRST}")
