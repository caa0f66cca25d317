"""DS over k of several sets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ds_metrics.clustering import Curve, Solver, dispersion_curve
from ds_metrics.measure import Measure
from ds_metrics.pairwise import pairwise_distance
from svr_baselines.comparison import describe, find_mismatches
from svr_baselines.data import ShapeSet
from svr_baselines.dispersion import Resources, curve_to_json
from svr_baselines.evaluation import normalization
from svr_baselines.inputs import as_clouds
from svr_baselines.results import Conditions, points_text, read_result


@dataclass(frozen=True)
class SetCurve:
    """The curve of a set.

    Attributes:
        source: Where the shapes, or the result, were read from.
        conditions: What the curve depends on beside the shapes; it has no one number of clusters.
        curve: DS over k.
        of: Whose curve of a result it is, if it isn't that of the predictions.
        interval: A number of clusters and the ends of the confidence interval there, if that is known.
    """

    source: str
    conditions: Conditions
    curve: Curve
    of: str = ""
    interval: tuple[int, float, float] | None = None

    @property
    def name(self) -> str:
        """The whole name."""
        return self._with_of(self.source)

    @property
    def short_name(self) -> str:
        """The last part of it."""
        return self._with_of(Path(self.source).stem or self.source)

    @property
    def score_at_knee(self) -> float:
        """DS at the knee."""
        return float(self.curve.scores[np.searchsorted(self.curve.n_clusters, self.curve.knee)])

    def to_json(self) -> dict[str, Any]:
        """The curve with what it depends on."""
        conditions = {name: value for name, value in asdict(self.conditions).items() if name != "n_clusters"}
        return {"set": self.name, "conditions": conditions, **curve_to_json(self.curve)}

    def repeats(self, other: SetCurve) -> bool:
        """Whether it is the other's curve, of the same part of a result."""
        same = self.of == other.of and self.conditions == other.conditions
        return same and all(
            np.array_equal(ours, theirs)
            for ours, theirs in (
                (self.curve.n_clusters, other.curve.n_clusters),
                (self.curve.scores, other.curve.scores),
            )
        )

    def _with_of(self, source: str) -> str:
        return f"{source}, {self.of}" if self.of else source


def compute_curve(
    shapes: ShapeSet,
    n_clusters: Sequence[int] | None = None,
    solver: Solver = "fasterpam",
    seed: int = 0,
    resources: Resources | None = None,
    stage: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> SetCurve:
    """Compute all distances of a set, and DS over k.

    Args:
        shapes: The set.
        n_clusters: Ascending numbers of clusters; by default those of `ds_metrics.clustering.dispersion_curve`.
        solver: Solver of k-medoids.
        seed: Its seed.
        resources: What computing the distances may use.
        stage: Makes the context in which the distances are computed.

    Raises:
        ValueError: If there are fewer than two shapes, or no more than clusters.

    Example:
        >>> from svr_baselines.data import make_shapes
        >>> found = compute_curve(make_shapes(2, points=50), [1, 2, 4])
        >>> found.conditions.n_samples, found.curve.n_clusters.tolist()
        (10, [1, 2, 4])
    """
    samples, most = len(shapes), 1 if n_clusters is None else max(n_clusters)
    if samples <= most:
        advice = "" if n_clusters is None else "; `--clusters` must name fewer"
        raise ValueError(
            f"{shapes.source}: {most} clusters take {most + 1} shapes at least, but there are {samples}{advice}"
        )
    with stage():
        distances = pairwise_distance(as_clouds(shapes), **(resources or Resources()).options(samples))
    curve = dispersion_curve(distances, n_clusters, solver=solver, seed=seed)
    sizes = [len(cloud) for cloud in shapes.clouds]
    conditions = Conditions(
        n_samples=samples,
        n_clusters=None,
        points=points_text(min(sizes), max(sizes)),
        distance=f"chamfer, {Measure().convention}",
        normalization=normalization(shapes),
        solver=solver,
        estimator="exact",
    )
    return SetCurve(shapes.source, conditions, curve)


def curves_of_result(path: Path) -> list[SetCurve]:
    """The curves in a result file of `ds eval`: that of the predictions, and that of the ground truth if k is its knee.

    Raises:
        ValueError: If it is no such file, or holds no curve.
    """
    result = read_result(path)
    if not result.curves:
        raise ValueError(
            f"{path} holds no curve, as its number of clusters was {result.n_clusters_chosen}; "
            "run `ds eval` without --clusters, or `ds curve` on the shapes"
        )
    conditions, interval = replace(result.conditions, n_clusters=None), None
    if result.interval is not None and result.conditions.n_clusters is not None:
        interval = (result.conditions.n_clusters, result.interval.low, result.interval.high)
    return [SetCurve(str(path), conditions, curve, of, None if of else interval) for of, curve in result.curves.items()]


def without_repeats(curves: Sequence[SetCurve]) -> list[SetCurve]:
    """The curves, but the ground truth that several results share only once."""
    kept: list[SetCurve] = []
    for curve in curves:
        if not any(curve.of and curve.repeats(other) for other in kept):
            kept.append(curve)
    return kept


def tell_apart(curves: Sequence[SetCurve]) -> tuple[list[str], str | None]:
    """A name for each curve in a legend, with N, and why the curves should not be compared, if they should not."""
    short = [curve.short_name for curve in curves]
    names = [curve.name if short.count(name) > 1 else name for curve, name in zip(curves, short, strict=True)]
    names = [name if names.count(name) == 1 else f"{name} ({i})" for i, name in enumerate(names, 1)]
    labels = [f"{name}, N = {curve.conditions.n_samples:,}" for name, curve in zip(names, curves, strict=True)]
    mismatches = find_mismatches({name: curve.conditions for name, curve in zip(names, curves, strict=True)})
    return labels, describe(mismatches, names[0]) if mismatches else None
