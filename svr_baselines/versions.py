"""Versions of installed packages, for what results say of where they came from."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version


def package_version(package: str) -> str | None:
    """Version of a package, ``None`` if it is not installed.

    Example:
        >>> package_version("no-such-package")
    """
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def package_versions(packages: Iterable[str]) -> dict[str, str]:
    """Versions of those packages that are installed.

    Example:
        >>> sorted(package_versions(["torch", "no-such-package"]))
        ['torch']
    """
    return {name: found for name in packages if (found := package_version(name)) is not None}
