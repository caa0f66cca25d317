"""What a command leaves behind: checked before the work, written whole or not at all."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from ds_metrics import _files
from ds_metrics._files import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def check_file(option: str, file: Path) -> None:
    """Find out before the work, not after, that a file can't be written."""
    if file.is_dir() or not _can_write(file.resolve().parent):
        raise ValueError(f"{option} must name a file in a folder that can be written, but got {str(file)!r}")


def check_json(json: str | None) -> None:
    """Likewise for `--json`, where ``-`` is stdout."""
    if json is not None and json != "-":
        check_file("--json", Path(json))


def check_folder(option: str, folder: Path | None) -> None:
    """Make a folder that will be written to, or find out that it can't be."""
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{option} must name a folder that can be made, but got {str(folder)!r}: {error}") from error
    if not _can_write(folder):
        raise ValueError(f"{option} must name a folder that can be written, but got {str(folder)!r}")


def _can_write(folder: Path) -> bool:
    """Tried, as rights don't tell of disks that none may write to."""
    try:
        with TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def write_json(document: dict[str, Any], json: str | None) -> None:
    """Write what `--json` asks for, if it asks."""
    if json == "-":
        sys.stdout.write(_files.format_json(document))
    elif json is not None:
        _files.write_json(Path(json), document)


def write_figure(figure: Figure, file: Path) -> None:
    """Write a picture in the format of its suffix."""
    with atomic_write(file) as temporary:
        figure.savefig(temporary, dpi=150)
