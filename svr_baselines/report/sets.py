"""The sets of a report: result files of `ds eval`, with what is needed to read their shapes again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from svr_baselines.results import Record, Result, SourceRecord, read_record, result_of


@dataclass(frozen=True)
class Source:
    """Where shapes were read from, how, and the hash of what was read then.

    Attributes:
        path: As the result file has it.
        settings: Points a mesh, normalisation and seed, as `read_shapes` takes them.
        sha256: `ShapeSet.content_hash` of what was scored.
        skipped: How many were left out as bad.
    """

    path: str
    settings: dict[str, Any]
    sha256: str
    skipped: int


@dataclass(frozen=True)
class ReportSet:
    """One scored set.

    Attributes:
        name: What the page calls it.
        file: The result file.
        folders: Where its relative sources are sought, in this order.
        result: Scores and conditions.
        labels: Cluster of each sample by its name, in the order of the samples.
        medoids: Name of each cluster's medoid, largest cluster first.
        predictions: Where the shapes are.
        targets: Where their ground truth is.
        provenance: All that the file says of it.
    """

    name: str
    file: Path
    folders: tuple[Path, ...]
    result: Result
    labels: dict[str, int]
    medoids: tuple[str, ...]
    predictions: Source
    targets: Source | None
    provenance: dict[str, Any]

    @property
    def of_images(self) -> bool:
        """Whether images were scored, not shapes."""
        return "features" in self.provenance


def read_set(file: Path, folders: Sequence[Path], name: str) -> ReportSet:
    """Read a result file of `ds eval`.

    Args:
        file: The file.
        folders: Where its relative sources are sought.
        name: What the page shall call it.

    Raises:
        OSError: If it can't be read.
        ValueError: If it is no such file or holds no clusters; the text names the file and the fault.
    """
    record, document = read_record(file)
    result = result_of(record, str(file))
    try:
        labels, medoids = _clusters(record)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error
    targets = record.provenance.targets
    return ReportSet(
        name=name,
        file=file,
        folders=tuple(folders),
        result=result,
        labels=labels,
        medoids=medoids,
        predictions=_source(record.provenance.predictions),
        targets=None if targets is None else _source(targets),
        provenance=document["provenance"],
    )


def name_sets(sets: Sequence[ReportSet]) -> list[ReportSet]:
    """Names that differ: of equal ones, each gets its file, then a number."""
    names = [one.name for one in sets]
    named = [f"{one.name} ({one.file})" if names.count(one.name) > 1 else one.name for one in sets]
    named = [name if named.count(name) == 1 else f"{name}, {i}" for i, name in enumerate(named, 1)]
    return [replace(one, name=name) for one, name in zip(sets, named, strict=True)]


def _clusters(record: Record) -> tuple[dict[str, int], tuple[str, ...]]:
    labels, clusters = record.labels, record.clusters
    medoids = tuple(cluster.medoid for cluster in clusters)
    counts = [0] * len(clusters)
    for label in labels.values():
        if label >= len(clusters):
            raise ValueError(f"field 'labels' must hold clusters from 0 to {len(clusters) - 1}, but has {label!r}")
        counts[label] += 1
    fits = all(labels.get(name) == i for i, name in enumerate(medoids))
    if not fits or not clusters or [cluster.size for cluster in clusters] != counts:
        raise ValueError("fields 'clusters' and 'labels' do not fit each other")
    if len(labels) != record.provenance.n_samples:
        raise ValueError(f"field 'labels' must name all {record.provenance.n_samples} samples")
    return labels, medoids


def _source(found: SourceRecord) -> Source:
    return Source(found.source, found.read_with, found.sha256, len(found.skipped))
