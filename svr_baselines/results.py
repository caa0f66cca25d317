"""Result files of `ds eval`, read back and checked."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from ds_metrics.clustering import Curve, Interval
from svr_baselines.evaluation import SCHEMA
from svr_baselines.intervals import Bounds

T = TypeVar("T")
_KINDS = {dict: "an object", list: "a list", str: "a text", int: "an integer", float: "a finite number"}


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


def read_result(path: Path) -> Result:
    """Read a result file with a Dispersion Score.

    Raises:
        OSError: If the file can't be read.
        ValueError: If it is no such result file; the text names the file and the fault.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except ValueError as error:  # JSON's and Unicode's own errors are among these
        raise ValueError(f"{path} is not a JSON file: {error}") from error
    except RecursionError as error:
        raise ValueError(f"{path} is not a JSON file of ours: it is nested too deeply") from error
    try:
        return _parse(str(path), document)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def points_text(least: int, most: int) -> str:
    """Points of the clouds of a set."""
    return str(least) if least == most else f"{least} to {most}"


def estimator_text(estimator: str, sample_size: int | None) -> str:
    """How a score was estimated."""
    return estimator if sample_size is None else f"{estimator} ({sample_size})"


def _parse(name: str, document: Any) -> Result:
    if not isinstance(document, dict) or "schema" not in document:
        raise ValueError("no result file of `ds eval`: it has no field 'schema'")
    if document["schema"] != SCHEMA:
        raise ValueError(
            f"a result file of schema {document['schema']!r}, but this version of `ds` reads schema {SCHEMA}; "
            "make it anew with `ds eval`"
        )
    scores = field(document, "scores", dict)
    if "dispersion-score" not in scores:
        raise ValueError(f"it holds no Dispersion Score, but {sorted(scores)}")
    settings = field(document, "provenance.dispersion", dict)
    normalized = optional(document, "dispersion.normalized", dict) or {}
    curves = {"": optional(settings, "curve", dict), "ground truth": optional(settings, "ground_truth_curve", dict)}
    return Result(
        name=name,
        conditions=_conditions(document),
        dispersion=_score(scores, "dispersion-score"),
        interval=_interval(optional(document, "dispersion.interval", dict)),
        normalized=optional(normalized, "score", float),
        normalized_interval=_bounds(optional(normalized, "interval", dict)),
        chamfer=_score(scores, "chamfer-distance") if "chamfer-distance" in scores else None,
        n_clusters_chosen=field(settings, "n_clusters_chosen", str),
        curves={of: _curve(curve) for of, curve in curves.items() if curve is not None},
    )


def _conditions(document: dict[str, Any]) -> Conditions:
    def setting(name: str, kind: type[T]) -> T:
        return field(document, f"provenance.{name}", kind)

    images = optional(document, "provenance.features", dict) is not None
    sample_size = optional(document, "provenance.dispersion.sample_size", int)
    return Conditions(
        n_samples=setting("n_samples", int),
        n_clusters=setting("dispersion.n_clusters", int),
        points="-" if images else points_text(setting("points.min", int), setting("points.max", int)),
        distance=f"{setting('dispersion.distance', str)}, {setting('dispersion.convention', str)}",
        normalization=setting("predictions.normalization", str),
        solver=setting("dispersion.solver", str),
        estimator=estimator_text(setting("dispersion.estimator", str), sample_size),
    )


def _bounds(found: dict[str, Any] | None) -> Bounds | None:
    if found is None:
        return None
    low, high, level = (field(found, name, float) for name in ("low", "high", "level"))
    if not low <= high or not 0 < level < 1:
        raise ValueError(f"an interval must ascend and have a level between 0 and 1, but is {low} to {high}, {level}")
    return Bounds(low, high, level)


def _interval(found: dict[str, Any] | None) -> Interval | None:
    bounds = _bounds(found)
    if found is None or bounds is None:
        return None
    error, solver_error = field(found, "standard_error", float), field(found, "solver_error", float)
    if min(error, solver_error) < 0:
        raise ValueError(f"the errors of an interval must not be negative, but are {error} and {solver_error}")
    return Interval(bounds.low, bounds.high, bounds.level, error, solver_error, field(found, "n_resamples", int))


def _curve(found: dict[str, Any]) -> Curve:
    ks, scores, knee = field(found, "n_clusters", list), field(found, "scores", list), field(found, "knee", int)
    whole = all(type(k) is int and 1 <= k < 2**31 for k in ks) and all(map(_is_number, scores))
    if not whole or len(ks) != len(scores) or sorted(set(ks)) != ks or knee not in ks:
        raise ValueError("a curve must have ascending numbers of clusters, its knee among them, and a score for each")
    return Curve(np.array(ks), np.array(scores, dtype=np.float64), knee, field(found, "knee_method", str))


def _score(scores: dict[str, Any], name: str) -> float:
    """One of the scores, none of which is negative."""
    value = field(scores, name, float)
    if value < 0:
        raise ValueError(f"field {name!r} must not be negative, but is {value}")
    return value


def optional(document: dict[str, Any], path: str, kind: type[T]) -> T | None:
    """A field that may be null or missing, but not of another kind."""
    try:
        value = field(document, path, object)
    except ValueError:
        return None
    return None if value is None else field(document, path, kind)


def field(document: dict[str, Any], path: str, kind: type[T]) -> T:
    """The field at a dotted path."""
    value: Any = document
    for part in path.split("."):
        if not isinstance(value, dict) or part not in value:
            raise ValueError(f"no result file of `ds eval`: field {path!r} is missing")
        value = value[part]
    if kind is float and _is_number(value):
        return cast(T, float(value))
    if kind is not object and (kind is float or type(value) is not kind):
        raise ValueError(f"field {path!r} must be {_KINDS[kind]}, but is {json.dumps(value)[:60]}")
    return cast(T, value)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= sys.float_info.max


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")
