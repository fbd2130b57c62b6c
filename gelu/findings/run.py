"""Gathering what the studies' scripts left onto one page."""

from collections.abc import Sequence
from pathlib import Path

from gelu import artifacts
from gelu.artifacts import Artifacts
from gelu.errors import UserError
from gelu.findings.page import findings_page
from gelu.findings.results import STUDIES, read_found
from gelu.model.source import find_model
from gelu.places import existing_directory


def write_findings(results_dirs: Sequence[str | Path], model_type: str) -> Path:
    """Read what the scripts left in these folders; write one page to the first, return its path.

    results_dirs: one at least. Raises `UserError` for a folder that is not there, folders without
    anything of the model, and what `read_found` refuses.
    """
    source = find_model(model_type)
    folders = [existing_directory(folder, "results_dir") for folder in results_dirs]
    found = read_found(folders, source.name)
    every = (found.analysis, found.activations, found.patterns, found.tokens, found.temperatures)
    if all(study is None for study in every):
        scripts = [study.script for study in STUDIES.values()]
        raise UserError(
            f"`results_dir` {', '.join(map(str, folders))}: nothing of {source.name} is there; run "
            f"{', '.join(scripts[:-1])} or {scripts[-1]} with this folder as output first"
        )
    read = [
        Artifacts(folder, source.name).path(ending)
        for folder in folders
        for study in STUDIES.values()
        for ending in study.endings
    ]
    files = artifacts.output_files(
        folders[0],
        "results_dir",
        source.name,
        [artifacts.FINDINGS_REPORT],
        [*read, *source.files()],
    )
    return files.write_report(findings_page(source.name, found), artifacts.FINDINGS_REPORT)
