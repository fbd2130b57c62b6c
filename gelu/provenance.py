"""What made a folder or a document, as its documents name it."""

from collections.abc import Iterable, Mapping
from typing import Any


def describe_run(script: str, stated: Mapping[str, Any], packages: Iterable[str]) -> dict[str, Any]:
    """Return what a document says of the run that wrote it: script, versions, and what is `stated`.

    stated: the run's arguments, the names of its input files and their hashes; no path and no time
    of day, so that equal runs write equal bytes. Raises `PackageNotFoundError` for a package that
    is not installed.
    """
    return {"script": script, **stated, "versions": _versions(packages)}


def _versions(packages: Iterable[str]) -> dict[str, str]:
    # As slow to import as argparse and all else that --help needs.
    from importlib.metadata import version

    return {package: version(package) for package in packages}
