"""The folder of an experiment: its results, verdicts and figures."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svr_baselines.report.sets import ReportSet, read_set
from svr_baselines.results import field, optional

SCHEMA = 1
DOCUMENT = "results.json"

_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Verdict:
    """A claim, whether it holds (``None``: it could not be tested), and the numbers."""

    claim: str
    holds: bool | None
    sentence: str
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


def read_experiment(folder: Path) -> Experiment:
    """Read the folder of an experiment.

    Raises:
        OSError: If it can't be read.
        ValueError: If it is no such folder, or damaged; the text names the file and the fault.
    """
    file = folder / DOCUMENT
    if not file.is_file():
        raise ValueError(f"{folder} is no folder of an experiment: it has no {DOCUMENT}")
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(document, dict) or document.get("schema") != SCHEMA or document.get("kind") != "experiment":
            raise ValueError(f"no results of an experiment in schema {SCHEMA}")
        return _parse(folder, document)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file}: {error}") from error


def _parse(folder: Path, document: dict[str, Any]) -> Experiment:
    rows = _objects(document, "rows")
    for row in rows:
        if any(isinstance(cell, (dict, list)) for cell in row.values()):
            raise ValueError("field 'rows' must hold texts and numbers")
    results = _results(rows)
    gone = [file for file in results if not (folder / file).is_file()]
    return Experiment(
        name=_text(document, "experiment"),
        title=_text(document, "title") or _text(document, "experiment"),
        claim=_text(document, "claim"),
        preset=_text(document, "preset"),
        preset_changes=tuple(str(change) for change in optional(document, "preset_changes", list) or ()),
        verdicts=tuple(map(_verdict, _objects(document, "verdicts"))),
        table=_table(optional(document, "table", dict)),
        pictures=tuple(_picture(folder, found) for found in _objects(document, "figures")),
        rows=tuple(rows),
        sets=tuple(read_set(folder / file, (folder, Path()), results[file]) for file in results if file not in gone),
        gone=tuple(gone),
        provenance=document.get("provenance"),
    )


def _text(document: dict[str, Any], name: str) -> str:
    return optional(document, name, str) or ""


def _objects(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = optional(document, name, list) or []
    if not all(isinstance(item, dict) for item in found):
        raise ValueError(f"field {name!r} must be a list of objects")
    return found


def _verdict(found: dict[str, Any]) -> Verdict:
    holds = found.get("holds")
    if holds is not None and type(holds) is not bool:
        raise ValueError(f"field 'holds' of a verdict must be true, false or null, but is {holds!r}")
    numbers = (optional(found, "rho", float), optional(found, "p", float), optional(found, "n", int))
    return Verdict(_text(found, "claim"), holds, _text(found, "sentence"), *numbers)


def _table(found: dict[str, Any] | None) -> Table | None:
    if not found:
        return None
    columns, rows = field(found, "columns", list), field(found, "rows", list)
    if not all(isinstance(row, list) and len(row) == len(columns) for row in rows):
        raise ValueError(f"field 'table' must have rows of {len(columns)} cells")
    cells = tuple(tuple("" if cell is None else str(cell) for cell in row) for row in rows)
    return Table(tuple(map(str, columns)), cells, _text(found, "caption"))


def _picture(folder: Path, found: dict[str, Any]) -> Picture:
    name = field(found, "file", str)
    file = (folder / name).resolve()
    kind = _TYPES.get(file.suffix.lower())
    uri = None
    if file.is_relative_to(folder.resolve()) and file.is_file() and kind is not None:
        uri = f"data:{kind};base64,{base64.b64encode(file.read_bytes()).decode()}"
    return Picture(name, uri, _text(found, "caption"), _text(found, "alt"))


def _results(rows: list[dict[str, Any]]) -> dict[str, str]:
    """The result files that rows name, each once, and what a set of it is called; of several seeds the first."""
    found: dict[str, str] = {}
    seen: set[tuple[Any, ...]] = set()
    for row in rows:
        step = tuple(row.get(key) for key in ("series", "step", "network"))
        if (name := optional(row, "result", str)) is not None and step not in seen:
            found.setdefault(name, _row_name(row))
            seen.add(step)
    return found


def _row_name(row: dict[str, Any]) -> str:
    parts = [str(row[key]) for key in ("series", "step", "network") if row.get(key) not in (None, "")]
    seed = row.get("seed")
    return ", ".join([*parts, *([] if seed is None else [f"seed {seed}"])])
