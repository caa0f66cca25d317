"""Result files of `ds eval`: one typed record, checked as a whole when it is read."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from msgspec import Meta

from ds_metrics.clustering import Curve, Interval
from svr_baselines.data.shapes import BadShape
from svr_baselines.documents import check_document, read_document
from svr_baselines.evaluation import SCHEMA
from svr_baselines.intervals import Bounds

Count = Annotated[int, Meta(ge=1, lt=2**31)]
_Level = Annotated[float, Meta(gt=0, lt=1)]
_Error = Annotated[float, Meta(ge=0)]


@dataclass(frozen=True)
class BoundsRecord:
    """Ends of a confidence interval, and its level."""

    low: float
    high: float
    level: _Level

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError(f"an interval must ascend, but is {self.low} to {self.high}")


@dataclass(frozen=True)
class IntervalRecord(BoundsRecord):
    """The confidence interval of a Dispersion Score, see `ds_metrics.clustering.Interval`."""

    standard_error: _Error
    solver_error: _Error
    n_resamples: int


@dataclass(frozen=True)
class TruthRecord:
    """The Dispersion Score of the ground truth."""

    score: float
    interval: IntervalRecord | None = None


@dataclass(frozen=True)
class NormalizedRecord:
    """The Dispersion Score over that of the ground truth, see `svr_baselines.normalized.NormalizedScore`."""

    score: float | None
    reason: str | None = None
    interval: BoundsRecord | None = None
    ground_truth: TruthRecord | None = None


@dataclass(frozen=True)
class DispersionRecord:
    """How far the Dispersion Score can be trusted, and what part of the truth's it is."""

    interval: IntervalRecord | None = None
    no_interval: str | None = None
    normalized: NormalizedRecord | None = None


@dataclass(frozen=True)
class ClusterRecord:
    """A cluster: the name of its medoid, and how many samples it has."""

    medoid: str
    size: Annotated[int, Meta(ge=1)]


@dataclass(frozen=True)
class CurveRecord:
    """DS over k."""

    n_clusters: tuple[Count, ...]
    scores: tuple[float, ...]
    knee: int
    knee_method: str

    def __post_init__(self) -> None:
        ascending = list(self.n_clusters) == sorted(set(self.n_clusters))
        if not ascending or len(self.n_clusters) != len(self.scores) or self.knee not in self.n_clusters:
            raise ValueError(
                "a curve must have ascending numbers of clusters, its knee among them, and a score for each"
            )

    def to_curve(self) -> Curve:
        """As the library has it."""
        scores = np.array(self.scores, dtype=np.float64)
        return Curve(np.array(self.n_clusters), scores, self.knee, self.knee_method)


@dataclass(frozen=True)
class SourceRecord:
    """Where samples were read from, how, and what was read."""

    source: str
    read_with: dict[str, Any]
    normalization: str
    sha256: str
    skipped: tuple[BadShape, ...] = ()


@dataclass(frozen=True)
class PointsRecord:
    """Points of the smallest cloud and of the largest."""

    min: Count
    max: Count


@dataclass(frozen=True)
class SettingsRecord:
    """What a Dispersion Score depends on beside the samples."""

    distance: str
    convention: str
    n_clusters: Count
    n_clusters_chosen: str
    solver: str
    estimator: str
    sample_size: int | None = None
    seed: int | None = None
    squared: bool | None = None
    backend: str | None = None
    curve: CurveRecord | None = None
    ground_truth_curve: CurveRecord | None = None


@dataclass(frozen=True)
class ProvenanceRecord:
    """Settings, data and versions."""

    predictions: SourceRecord
    n_samples: Count
    targets: SourceRecord | None = None
    points: PointsRecord | None = None
    sizes: dict[str, float] | None = None
    features: dict[str, Any] | None = None
    train: dict[str, Any] | None = None
    dispersion: SettingsRecord | None = None
    sets: dict[str, Any] = field(default_factory=dict)
    pairs: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str | None] = field(default_factory=dict)
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.points is None and self.features is None:
            raise ValueError("object missing required field `points`, or `features` of images")


@dataclass(frozen=True)
class Record:
    """A result file, as `svr_baselines.evaluation.Evaluation.to_json` writes it."""

    schema: Literal[2]
    scores: dict[str, float]
    provenance: ProvenanceRecord
    dispersion: DispersionRecord | None = None
    clusters: tuple[ClusterRecord, ...] = ()
    labels: dict[str, Annotated[int, Meta(ge=0)]] = field(default_factory=dict)
    recognition: dict[str, Any] | None = None
    left_out: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Conditions:
    """What two Dispersion Scores must share to be compared, each as it is said to a reader.

    The seeds may differ: what they change is in the confidence interval.
    """

    n_samples: int
    n_clusters: int | None
    points: str
    distance: str
    normalization: str
    solver: str
    estimator: str


@dataclass(frozen=True)
class Result:
    """A result file.

    Attributes:
        name: The file's path.
        conditions: What the Dispersion Score depends on beside the shapes.
        dispersion: Dispersion Score.
        interval: Its confidence interval, if it has one.
        normalized: The score over that of the ground truth, if it has one.
        normalized_interval: The confidence interval of that.
        chamfer: Mean Chamfer distance to the ground truth, if it was computed.
        n_clusters_chosen: How the number of clusters was chosen.
        curves: DS over k of the predictions (``""``) and of the ground truth (``"ground truth"``), if they are there.
    """

    name: str
    conditions: Conditions
    dispersion: float
    interval: Interval | None
    normalized: float | None
    normalized_interval: Bounds | None
    chamfer: float | None
    n_clusters_chosen: str
    curves: dict[str, Curve]


def read_record(path: Path) -> tuple[Record, dict[str, Any]]:
    """Read a result file: the record, and the document that it was made of.

    Raises:
        OSError: If the file can't be read.
        ValueError: If it is no result file; the text names the file and the fault.
    """
    document = read_document(path, dict[str, Any])
    if "schema" not in document:
        raise ValueError(f"{path}: no result file of `ds eval`: it has no field 'schema'")
    if document["schema"] != SCHEMA:
        raise ValueError(
            f"{path}: a result file of schema {document['schema']!r:.60}, but this version of `ds` reads schema "
            f"{SCHEMA}; make it anew with `ds eval`"
        )
    return check_document(document, Record, str(path)), document


def read_result(path: Path) -> Result:
    """Read a result file with a Dispersion Score.

    Raises:
        OSError: If the file can't be read.
        ValueError: If it is no such result file; the text names the file and the fault.
    """
    return result_of(read_record(path)[0], str(path))


def result_of(record: Record, name: str) -> Result:
    """What is compared of a record.

    Raises:
        ValueError: If it has no Dispersion Score.
    """
    if "dispersion-score" not in record.scores:
        raise ValueError(f"{name}: it holds no Dispersion Score, but {sorted(record.scores)}")
    settings, found = record.provenance.dispersion, record.dispersion or DispersionRecord()
    if settings is None:
        raise ValueError(f"{name}: field 'provenance': object missing required field `dispersion`")
    for score in ("dispersion-score", "chamfer-distance"):
        if (value := record.scores.get(score, 0.0)) < 0:
            raise ValueError(f"{name}: field {score!r} must not be negative, but is {value}")
    normalized = found.normalized or NormalizedRecord(None)
    curves = {"": settings.curve, "ground truth": settings.ground_truth_curve}
    return Result(
        name=name,
        conditions=_conditions(record.provenance, settings),
        dispersion=record.scores["dispersion-score"],
        interval=None if found.interval is None else Interval(**asdict(found.interval)),
        normalized=normalized.score,
        normalized_interval=None if normalized.interval is None else Bounds(**asdict(normalized.interval)),
        chamfer=record.scores.get("chamfer-distance"),
        n_clusters_chosen=settings.n_clusters_chosen,
        curves={of: curve.to_curve() for of, curve in curves.items() if curve is not None},
    )


def points_text(least: int, most: int) -> str:
    """Points of the clouds of a set."""
    return str(least) if least == most else f"{least} to {most}"


def estimator_text(estimator: str, sample_size: int | None) -> str:
    """How a score was estimated."""
    return estimator if sample_size is None else f"{estimator} ({sample_size})"


def _conditions(provenance: ProvenanceRecord, settings: SettingsRecord) -> Conditions:
    points = provenance.points
    return Conditions(
        n_samples=provenance.n_samples,
        n_clusters=settings.n_clusters,
        points="-" if provenance.features is not None or points is None else points_text(points.min, points.max),
        distance=f"{settings.distance}, {settings.convention}",
        normalization=provenance.predictions.normalization,
        solver=settings.solver,
        estimator=estimator_text(settings.estimator, settings.sample_size),
    )
