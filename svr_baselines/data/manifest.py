"""A dataset on disk: which samples there are, in ``manifest.csv``, and how they were made, in ``dataset.json``."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from svr_baselines.data.cameras import Camera
from svr_baselines.data.samples import ANGLES, COLUMNS, TEXTS, Manifest, Sample
from svr_baselines.data.shapes import BadShape
from svr_baselines.documents import check_document, check_regular, read_document

__all__ = ["DOCUMENT", "SCHEMA", "TABLE", "Manifest", "Sample", "read_manifest", "write_manifest"]

SCHEMA = 1  # of both files; readers refuse any other
TABLE, DOCUMENT = "manifest.csv", "dataset.json"
CHECKSUMS = "checksums"  # in the document, of the data set's files: a build that goes on there verifies them

_QUOTED = frozenset(',"\r\n')


def write_manifest(
    folder: str | os.PathLike[str], manifest: Manifest, checksums: Mapping[str, int] | None = None
) -> None:
    """Write ``manifest.csv`` and ``dataset.json`` into a folder; equal manifests give equal bytes.

    The table has one row a sample, sorted by id and view, in the columns ``id``, ``category``, ``split``, ``view``,
    ``image``, ``points``, ``mesh``, ``azimuth``, ``elevation``, ``distance``, ``roll`` and ``fov``, then one for each
    name of `Sample.values`. It is CSV in UTF-8, numbers as Python writes them, so that reading gives the same bits;
    what a sample does not have is empty. Bytes of file names that are no UTF-8 are written as they are.

    Args:
        folder: The dataset's folder. It must be there.
        manifest: What to write.
        checksums: CRC-32 of the dataset's files by their paths, for the document.

    Raises:
        OSError: If the folder can't be written.
        ValueError: If the settings are not ready for JSON.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> write_manifest(folder, Manifest((Sample("cube", values={"morph": 0.5}),), {"seed": 0}))
        >>> print(Path(folder, "manifest.csv").read_text().strip())
        id,category,split,view,image,points,mesh,azimuth,elevation,distance,roll,fov,morph
        cube,,,0,,,,,,,,,0.5
    """
    from ds_metrics._files import atomic_write  # brings torch

    folder = Path(folder)
    table = "".join(_format_rows(manifest.samples)).encode("utf-8", "surrogateescape")
    document = _format_document(manifest, checksums).encode()
    # Both take their places once both are whole, the document last: without it there is no dataset.
    with ExitStack() as stack:
        for name, data in ((DOCUMENT, document), (TABLE, table)):
            stack.enter_context(atomic_write(folder / name)).write_bytes(data)


def read_manifest(folder: str | os.PathLike[str]) -> Manifest:
    """Read the manifest of a dataset's folder.

    Args:
        folder: The dataset's folder.

    Returns:
        Samples in the order of the table, which is that of ids and views.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If the folder holds no dataset, or its manifest is damaged; the text names file, line and fault.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> write_manifest(folder, Manifest((Sample("cube", camera=Camera(90, 0)),)))
        >>> read_manifest(folder).samples[0].camera.azimuth
        90.0
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"No folder at {folder}.")
    document = _read_document(folder / DOCUMENT)
    with _naming(folder / TABLE):
        samples = tuple(_parse_rows(_read(folder / TABLE).decode("utf-8", "surrogateescape")))
        if len(samples) != document.counts.samples:
            raise ValueError(f"{len(samples)} samples, but {DOCUMENT} counts {document.counts.samples}")
        return Manifest(samples, document.settings, document.skipped)


class _naming:
    """Puts a file's name before what is wrong with it, on one line."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (ValueError, OverflowError, csv.Error)):
            text = " ".join(str(error).split()).rstrip(".").removeprefix(f"{self._path}").removeprefix(":").strip()
            raise ValueError(f"{self._path}: {text}.") from error


def _read(path: Path) -> bytes:
    try:
        check_regular(path)
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> ValueError:
    if isinstance(error, FileNotFoundError):
        return ValueError(f"{path}: no such file: the folder holds no dataset, or one that is not finished.")
    return ValueError(f"{path}: {error.strerror or 'the file cannot be read'}.")


def _format_rows(samples: Iterable[Sample]) -> Iterator[str]:
    names = sorted({name for sample in samples for name in sample.values})
    yield _format_row([*COLUMNS, *names])
    for sample in sorted(samples, key=lambda sample: (sample.id, sample.view)):
        texts = ["" if (cell := getattr(sample, name)) is None else str(cell) for name in TEXTS]
        angles = [""] * len(ANGLES)
        if sample.camera is not None:
            angles = [repr(float(getattr(sample.camera, name))) for name in ANGLES]
        values = [repr(float(sample.values[name])) if name in sample.values else "" for name in names]
        yield _format_row([*texts, *angles, *values])


def _format_row(cells: list[str]) -> str:
    # By hand: the versions of Python differ in what `csv` quotes.
    quoted = ('"' + cell.replace('"', '""') + '"' if _QUOTED & set(cell) else cell for cell in cells)
    return ",".join(quoted) + "\n"


def _format_document(manifest: Manifest, checksums: Mapping[str, int] | None) -> str:
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "settings": dict(manifest.settings),
        "counts": {
            "samples": len(manifest.samples),
            "skipped": len(manifest.skipped),
            "splits": dict(Counter(sample.split for sample in manifest.samples)),
            "categories": dict(Counter(sample.category for sample in manifest.samples)),
        },
        "skipped": [asdict(item) for item in manifest.skipped],
    }
    if checksums is not None:
        document[CHECKSUMS] = dict(checksums)
    try:
        return json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise ValueError(f"The settings of a manifest must be ready for JSON: {error}.") from error


@dataclass(frozen=True)
class _Counts:
    samples: int


@dataclass(frozen=True)
class _Document:
    settings: dict[str, Any]
    counts: _Counts
    skipped: tuple[BadShape, ...]

    def __post_init__(self) -> None:
        if not isinstance(below := self.settings.get("paths_below", ""), str) or "\0" in below:
            raise ValueError(f"the setting 'paths_below' must be a path, but is {below!r:.60}")


def _read_document(path: Path) -> _Document:
    try:
        document = read_document(path, dict[str, Any])
    except OSError as error:
        raise _unreadable(path, error) from error
    if "schema" not in document:
        raise ValueError(f"{path}: no dataset of ours: it has no field 'schema'")
    if document["schema"] != SCHEMA:
        raise ValueError(
            f"{path}: a dataset of schema {document['schema']!r:.60}, but this version reads schema {SCHEMA}"
        )
    return check_document(document, _Document, str(path))


def _parse_rows(text: str) -> Iterator[Sample]:
    # Split at "\n" alone, as files are: names may hold what `splitlines` takes for the end of a line.
    reader = csv.reader((line + "\n" for line in text.removesuffix("\n").split("\n")), strict=True)
    header = next(reader)
    if tuple(header[: len(COLUMNS)]) != COLUMNS or len(set(header)) < len(header):
        raise ValueError(f"the first line must name the columns {','.join(COLUMNS)}, then others")
    names = header[len(COLUMNS) :]
    for row in reader:
        try:
            if len(row) != len(header):
                raise ValueError(f"{len(row)} cells instead of {len(header)}")
            yield _parse_row(row, names)
        except ValueError as error:
            raise ValueError(f"line {reader.line_num}: {error}") from error


def _parse_row(row: list[str], names: list[str]) -> Sample:
    name, category, split, view, image, points, mesh = row[: len(TEXTS)]
    angles, values = row[len(TEXTS) : len(COLUMNS)], row[len(COLUMNS) :]
    return Sample(
        id=name,
        category=category,
        split=split,
        view=int(_plain(view)),
        image=image or None,
        points=points or None,
        mesh=mesh or None,
        camera=Camera(*(float(_plain(angle)) for angle in angles)) if any(angles) else None,
        values={name: float(_plain(value)) for name, value in zip(names, values, strict=True) if value},
    )


def _plain(number: str) -> str:
    """Refuse what Python takes for a number and others do not, such as "1_0"."""
    if "_" in number or not number.isascii() or number != number.strip():
        raise ValueError(f"could not convert {number!r} to a number")
    return number
