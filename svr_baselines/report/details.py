"""All that the page shows of one set, ready for JSON.

Shapes are counted in the order in which the matrix shows them: by cluster, the largest first, and in a cluster by their
distance to its medoid, which comes first itself. Such a number is called a position.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from svr_baselines.data import ShapeSet
from svr_baselines.dispersion import Resources, Stage
from svr_baselines.report.budget import MATRIX_SHAPES, MEDOID_POINTS, MEDOIDS, Plan
from svr_baselines.report.distances import matrix_of, pair_distances
from svr_baselines.report.embedding import embed
from svr_baselines.report.encode import encode_surface, quantize_distances, to_base64
from svr_baselines.report.pairs import describe_pairs
from svr_baselines.report.sets import ReportSet
from svr_baselines.report.shapes import Shapes
from svr_baselines.report.surfaces import find_surface

_MAP_LEVELS = 65535


@dataclass(frozen=True)
class Order:
    """Samples by position.

    Attributes:
        index: `(N,)` the sample at each position.
        starts: `(k,)` position of each cluster's medoid.
        sizes: `(k,)` samples of each cluster.
        to_medoid: `(N,)` distance to the medoid, by position; ``None`` where the shapes are gone.
    """

    index: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    to_medoid: npt.NDArray[np.float64] | None


def describe_set(
    one: ReportSet, shapes: Shapes, plan: Plan, resources: Resources | None = None, stage: Stage = nullcontext
) -> dict[str, Any]:
    """What the page shows of a set.

    Args:
        one: The set.
        shapes: What could be read of it.
        plan: What the page has room for.
        resources: What computing the distances may use.
        stage: Makes the context in which they are computed, from a label.
    """
    order = order_samples(one, shapes.predictions)
    document: dict[str, Any] = {
        "name": one.name,
        "noun": "image" if one.of_images else "shape",
        "ids": [shapes.samples[i].id for i in order.index],
        "categories": _categories([shapes.samples[i].category for i in order.index]),
        "starts": order.starts.tolist(),
        "sizes": order.sizes.tolist(),
        "curves": _curves(one),
        "missing": list(shapes.missing),
        "provenance": _without_curves(one.provenance),
    }
    if shapes.predictions is None or order.to_medoid is None:
        return document
    clouds = shapes.predictions.clouds
    document["to_medoid"] = to_base64(order.to_medoid.astype(np.float32))
    document["medoids"] = [_encode(clouds[order.index[start]], MEDOID_POINTS) for start in order.starts[:MEDOIDS]]
    document["members"] = _encode_all([clouds[i] for i in order.index], plan.points)
    document |= _describe_distances(one, shapes.predictions, order, resources or Resources(), stage)
    if shapes.targets is not None:
        document["samples"] = describe_pairs(clouds, shapes.targets.clouds, order.index, shapes.inputs)
    return document


def order_samples(one: ReportSet, shapes: ShapeSet | None) -> Order:
    """Samples by cluster, the largest first, then by distance to the medoid, then by name."""
    labels = np.array(list(one.labels.values()))
    place = {name: i for i, name in enumerate(one.labels)}
    medoids = np.array([place[name] for name in one.medoids])
    sizes = np.bincount(labels, minlength=len(medoids))
    distances = np.zeros(len(labels))
    if shapes is not None:
        distances = pair_distances(shapes.clouds, [shapes.clouds[i] for i in medoids[labels]])
    rank = distances.copy()
    rank[medoids] = -1.0  # before those that equal it
    index = np.lexsort((np.arange(len(labels)), rank, labels))
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    return Order(index, starts, sizes, None if shapes is None else distances[index])


def _describe_distances(
    one: ReportSet, shapes: ShapeSet, order: Order, resources: Resources, stage: Stage
) -> dict[str, Any]:
    """The matrix and the map, of shapes evenly spaced by position where there are too many."""
    count = len(shapes)
    shown = np.arange(count)
    if count > MATRIX_SHAPES:
        shown = np.linspace(0, count - 1, MATRIX_SHAPES).round().astype(np.int64)
    with stage(f"distances of {one.name}"):
        matrix = matrix_of(shapes, order.index[shown], resources)
    values, step = quantize_distances(matrix)
    found = {
        "positions": None if len(shown) == count else to_base64(shown.astype(np.uint32)),
        "matrix": {"step": step, "top": float(np.percentile(matrix, 99)) or step, "d": to_base64(values)},
        "distance": one.result.conditions.distance,
    }
    spots = embed(matrix)
    return found if spots is None else found | {"map": _encode_map(spots)}


def _encode_map(spots: npt.NDArray[np.float64]) -> dict[str, str]:
    low, span = spots.min(axis=0), float(np.ptp(spots, axis=0).max()) or 1.0
    levels = np.rint((spots - low) / span * _MAP_LEVELS).astype(np.uint16)
    return {"x": to_base64(levels[:, 0]), "y": to_base64(levels[:, 1])}


def _encode(cloud: npt.NDArray[Any], points: int) -> dict[str, Any]:
    return encode_surface(find_surface(cloud, points))


def _encode_all(clouds: Sequence[npt.NDArray[Any]], points: int) -> dict[str, Any] | None:
    """All members' clouds; ``None`` where the page has no room for them."""
    return None if points == 0 else {"clouds": [_encode(cloud, points) for cloud in clouds]}


def _categories(of: Sequence[str]) -> dict[str, Any]:
    """Each category once, and which one a shape has."""
    names = sorted(set(of))
    return {"names": names, "of": [names.index(name) for name in of]}


def _curves(one: ReportSet) -> list[dict[str, Any]]:
    result, curves = one.result, []
    for name, curve in result.curves.items():
        interval = None
        if not name and result.interval is not None:
            interval = [result.interval.low, result.interval.high]
        curves.append(
            {
                "name": name or "predictions",
                "k": curve.n_clusters.tolist(),
                "scores": curve.scores.tolist(),
                "knee": curve.knee,
                "chosen": None if name else result.conditions.n_clusters,
                "interval": interval,
            }
        )
    return curves


def _without_curves(provenance: dict[str, Any]) -> dict[str, Any]:
    dispersion = provenance.get("dispersion", {})
    kept = {name: value for name, value in dispersion.items() if not name.endswith("curve")}
    return provenance | {"dispersion": kept}
