"""What made a folder, as its documents name it."""

from collections.abc import Iterable


def package_versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of installed packages.

    Raises `PackageNotFoundError` for one that is not installed.
    """
    # As slow to import as argparse and all else that --help needs.
    from importlib.metadata import version

    return {package: version(package) for package in packages}
