"""Two sets of predictions that Chamfer distance can't tell apart and the Dispersion Score can.

Both predict the same furniture equally badly by Chamfer distance. One *recites*: it recognises the class and returns
that class's medoid. The other *reconstructs*: each shape is its own, but all are tilted by the one angle at which the
two Chamfer distances agree.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ds_metrics.clustering import kmedoids
from ds_metrics.functional import chamfer_distance, dispersion_score
from ds_metrics.pairwise import pairwise_distance
from svr_baselines.data import ShapeSet, make_shapes

_BISECTIONS = 16


@dataclass(frozen=True)
class Row:
    """One set of shapes and its scores.

    Attributes:
        name: What made the shapes.
        clouds: The shapes, of shape ``(N, P, 3)``.
        distances: Chamfer distances among them, of shape ``(N, N)``.
        chamfer: Mean Chamfer distance to the ground truth.
        dispersion: Dispersion Score.
    """

    name: str
    clouds: torch.Tensor
    distances: torch.Tensor
    chamfer: float
    dispersion: float


@dataclass(frozen=True)
class Demonstration:
    """Ground truth, the network that recites, and the one that reconstructs; ``k`` clusters, one a class."""

    shapes: ShapeSet
    n_clusters: int
    rows: tuple[Row, Row, Row]


def demonstrate(n_per_class: int = 20, points: int = 1500, seed: int = 0) -> Demonstration:
    """Make the shapes and both sets of predictions, and score them.

    Args:
        n_per_class: Shapes of each class.
        points: Points of each shape.
        seed: Seed of the shapes.

    Example:
        >>> truth, recited, tilted = demonstrate(n_per_class=4, points=200).rows
        >>> recited.dispersion, round(tilted.dispersion / truth.dispersion, 3)
        (0.0, 1.0)
        >>> round(tilted.chamfer / recited.chamfer, 3)
        1.0
    """
    shapes = make_shapes(n_per_class, points, seed)
    truth = torch.from_numpy(np.stack(shapes.clouds))
    distances = pairwise_distance(truth)
    recited = truth[_class_medoids(distances, shapes.categories, seed)]
    goal = float(chamfer_distance(recited, truth).mean())
    tilted = _tilted_to(truth, goal)
    k = len(set(shapes.categories))

    def score(name: str, clouds: torch.Tensor, distances: torch.Tensor) -> Row:
        dispersion = dispersion_score(distances, k, seed=seed)
        return Row(name, clouds, distances, float(chamfer_distance(clouds, truth).mean()), float(dispersion))

    rows = (
        score("ground truth", truth, distances),
        score("recites", recited, pairwise_distance(recited)),
        score("reconstructs", tilted, pairwise_distance(tilted)),
    )
    return Demonstration(shapes, k, rows)


def _class_medoids(distances: torch.Tensor, categories: Sequence[str], seed: int) -> torch.Tensor:
    """For each shape, the index of the medoid of its class."""
    index = torch.empty(len(distances), dtype=torch.int64)
    labels = np.array(categories)
    for category in sorted(set(categories)):
        members = np.flatnonzero(labels == category)
        medoid = kmedoids(distances[np.ix_(members, members)], 1, seed=seed).medoids[0]
        index[members] = int(members[medoid])
    return index


def _tilt(clouds: torch.Tensor, degrees: float) -> torch.Tensor:
    """Rotate about the x axis: the objects fall forward."""
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    return clouds @ clouds.new_tensor([[1, 0, 0], [0, cos, sin], [0, -sin, cos]])


def _tilted_to(truth: torch.Tensor, goal: float) -> torch.Tensor:
    """The truth tilted so far that its Chamfer distance is ``goal``, by bisection."""
    low, high = 0.0, 90.0
    for _ in range(_BISECTIONS):
        degrees = (low + high) / 2
        if float(chamfer_distance(_tilt(truth, degrees), truth).mean()) < goal:
            low = degrees
        else:
            high = degrees
    return _tilt(truth, high)
