"""How much of which set a page has room for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PAGE_BYTES = 20_000_000
MATRIX_SHAPES = 1000  # of a larger set, that many stand for all in the matrix and on the map
MEDOID_POINTS = 2048
MEDOIDS = 200  # drawn at most, the largest clusters first
MEMBER_POINTS = (512, 384, 256, 128, 64, 0)  # the most that fit; 0: members are named, not drawn

_POINT = 5 * 4 / 3  # bytes: four of coordinates, one of the normal, in base64
_PAIR = 2 * 4 / 3
_NAME = 120
_FIXED = 400_000  # of a set: curve, samples with their pictures, provenance


@dataclass(frozen=True)
class Plan:
    """What a page shows in detail.

    Attributes:
        points: Points of each shape that is drawn as the member of a cluster.
        sets: How many sets have details: the first ones.
    """

    points: int
    sets: int


def plan_page(sets: Sequence[tuple[int, int]], room: float = PAGE_BYTES) -> Plan:
    """Choose the points a shape with which all sets fit; where none is few enough, the sets that are shown.

    Args:
        sets: Number of shapes and of clusters of each set, in the order in which they are shown.
        room: Bytes of the page.

    Example:
        >>> plan_page([(1000, 10)]), plan_page([(1000, 50)] * 4), plan_page([(1000, 50)] * 40)
        (Plan(points=512, sets=1), Plan(points=256, sets=4), Plan(points=0, sets=7))
    """
    for points in MEMBER_POINTS:
        if sum(_estimate(*one, points) for one in sets) <= room:
            return Plan(points, len(sets))
    count, taken = 0, 0.0
    for one in sets:
        taken += _estimate(*one, 0)
        if taken > room:
            break
        count += 1
    return Plan(0, count)


def _estimate(shapes: int, clusters: int, points: int) -> float:
    matrix = min(shapes, MATRIX_SHAPES)
    drawn = min(clusters, MEDOIDS) * MEDOID_POINTS * _POINT
    return _FIXED + shapes * (points * _POINT + _NAME) + matrix**2 / 2 * _PAIR + drawn
