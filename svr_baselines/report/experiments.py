"""The folder of an experiment: its results, verdicts and figures."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svr_baselines.documents import check_document, read_document
from svr_baselines.report.sets import ReportSet, read_set

SCHEMA = 1
DOCUMENT = "results.json"

_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Verdict:
    """A claim, whether it holds (``None``: it could not be tested), and the numbers."""

    claim: str = ""
    holds: bool | None = None
    sentence: str = ""
    rho: float | None = None
    p: float | None = None
    n: int | None = None


@dataclass(frozen=True)
class Picture:
    """A figure: its data URI, or ``None`` where the file is gone."""

    file: str
    uri: str | None
    caption: str
    alt: str


@dataclass(frozen=True)
class Table:
    """A table as the experiment made it."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str


@dataclass(frozen=True)
class Experiment:
    """What an experiment found.

    Attributes:
        name: Which it was.
        title: Its title.
        claim: What was claimed.
        preset: The protocol that was followed.
        preset_changes: What that changes of the paper's.
        verdicts: Claims, tested.
        table: The table of the paper, if it has one.
        pictures: Its figures.
        rows: One a training, columns as in the file.
        sets: What was scored, as far as it is kept; of several seeds the first.
        gone: Result files that rows name and that are not there.
        provenance: What the numbers depend on.
    """

    name: str
    title: str
    claim: str
    preset: str
    preset_changes: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    table: Table | None
    pictures: tuple[Picture, ...]
    rows: tuple[dict[str, Any], ...]
    sets: tuple[ReportSet, ...]
    gone: tuple[str, ...]
    provenance: Any


_Cell = str | int | float | bool | None


@dataclass(frozen=True)
class _Figure:
    file: str
    caption: str | None = None
    alt: str | None = None


@dataclass(frozen=True)
class _Table:
    columns: tuple[_Cell, ...]
    rows: tuple[tuple[_Cell, ...], ...]
    caption: str | None = None

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"field 'table' must have rows of {len(self.columns)} cells")

    def to_table(self) -> Table:
        cells = tuple(tuple("" if cell is None else str(cell) for cell in row) for row in self.rows)
        return Table(tuple(map(str, self.columns)), cells, self.caption or "")


@dataclass(frozen=True)
class _Record:
    """The document of an experiment."""

    experiment: str = ""
    title: str | None = None
    claim: str = ""
    preset: str | None = None
    preset_changes: tuple[str, ...] | None = None
    verdicts: tuple[Verdict, ...] | None = None
    table: _Table | None = None
    figures: tuple[_Figure, ...] | None = None
    rows: tuple[dict[str, _Cell], ...] = ()
    provenance: Any = None


def read_experiment(folder: Path) -> Experiment:
    """Read the folder of an experiment.

    Raises:
        OSError: If it can't be read.
        ValueError: If it is no such folder, or damaged; the text names the file and the fault.
    """
    file = folder / DOCUMENT
    if not file.is_file():
        raise ValueError(f"{folder} is no folder of an experiment: it has no {DOCUMENT}")
    document = read_document(file, dict[str, Any])
    if document.get("schema") != SCHEMA or document.get("kind") != "experiment":
        raise ValueError(f"{file}: no results of an experiment in schema {SCHEMA}")
    return _experiment(folder, check_document(document, _Record, str(file)), file)


def _experiment(folder: Path, record: _Record, file: Path) -> Experiment:
    results = _results(record.rows)
    gone = [name for name in results if not _inside(folder, name)]
    return Experiment(
        name=record.experiment,
        title=record.title or record.experiment,
        claim=record.claim,
        preset=record.preset or "",
        preset_changes=record.preset_changes or (),
        verdicts=record.verdicts or (),
        table=None if record.table is None else record.table.to_table(),
        pictures=tuple(_picture(folder, figure) for figure in record.figures or ()),
        rows=record.rows,
        sets=tuple(read_set(folder / name, (folder, Path()), results[name]) for name in results if name not in gone),
        gone=tuple(gone),
        provenance=record.provenance,
    )


def _picture(folder: Path, found: _Figure) -> Picture:
    file = _inside(folder, found.file)
    kind = None if file is None else _TYPES.get(file.suffix.lower())
    uri = None
    if file is not None and kind is not None:
        uri = f"data:{kind};base64,{base64.b64encode(file.read_bytes()).decode()}"
    return Picture(found.file, uri, found.caption or "", found.alt or "")


def _inside(folder: Path, name: str) -> Path | None:
    """The file of a name below a folder; none where it is gone, is no regular file, or lies outside."""
    try:
        file = (folder / name).resolve()
        return file if file.is_relative_to(folder.resolve()) and file.is_file() else None
    except (OSError, ValueError, RuntimeError):  # a name that none can have, a link to itself
        return None


def _results(rows: Sequence[dict[str, Any]]) -> dict[str, str]:
    """The result files that rows name, each once, and what a set of it is called; of several seeds the first."""
    found: dict[str, str] = {}
    seen: set[tuple[Any, ...]] = set()
    for row in rows:
        step = tuple(row.get(key) for key in ("series", "step", "network"))
        if isinstance(name := row.get("result"), str) and step not in seen:
            found.setdefault(name, _row_name(row))
            seen.add(step)
    return found


def _row_name(row: dict[str, Any]) -> str:
    parts = [str(row[key]) for key in ("series", "step", "network") if row.get(key) not in (None, "")]
    seed = row.get("seed")
    return ", ".join([*parts, *([] if seed is None else [f"seed {seed}"])])
