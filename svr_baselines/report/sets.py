"""The sets of a report: result files of `ds eval`, with what is needed to read their shapes again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from svr_baselines.results import Result, field, optional, read_result


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
    result = read_result(file)
    document = json.loads(file.read_text(encoding="utf-8"))
    try:
        labels, medoids = _clusters(document)
        return ReportSet(
            name=name,
            file=file,
            folders=tuple(folders),
            result=result,
            labels=labels,
            medoids=medoids,
            predictions=_source(field(document, "provenance.predictions", dict)),
            targets=None if (true := optional(document, "provenance.targets", dict)) is None else _source(true),
            provenance=field(document, "provenance", dict),
        )
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error


def name_sets(sets: Sequence[ReportSet]) -> list[ReportSet]:
    """Names that differ: of equal ones, each gets its file, then a number."""
    names = [one.name for one in sets]
    named = [f"{one.name} ({one.file})" if names.count(one.name) > 1 else one.name for one in sets]
    named = [name if named.count(name) == 1 else f"{name}, {i}" for i, name in enumerate(named, 1)]
    return [replace(one, name=name) for one, name in zip(sets, named, strict=True)]


def _clusters(document: dict[str, Any]) -> tuple[dict[str, int], tuple[str, ...]]:
    labels, clusters = field(document, "labels", dict), field(document, "clusters", list)
    medoids = tuple(field(cluster, "medoid", str) for cluster in clusters if isinstance(cluster, dict))
    counts = [0] * len(clusters)
    for label in labels.values():
        if type(label) is not int or not 0 <= label < len(clusters):
            raise ValueError(f"field 'labels' must hold clusters from 0 to {len(clusters) - 1}, but has {label!r}")
        counts[label] += 1
    fits = len(medoids) == len(clusters) and all(labels.get(name) == i for i, name in enumerate(medoids))
    if not fits or not clusters or [cluster.get("size") for cluster in clusters] != counts:
        raise ValueError("fields 'clusters' and 'labels' do not fit each other")
    if len(labels) != field(document, "provenance.n_samples", int):
        raise ValueError(f"field 'labels' must name all {document['provenance']['n_samples']} samples")
    return labels, medoids


def _source(found: dict[str, Any]) -> Source:
    settings = field(found, "read_with", dict)
    return Source(field(found, "source", str), settings, field(found, "sha256", str), len(found.get("skipped") or ()))
