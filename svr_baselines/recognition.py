"""What recognition alone reaches: predictions that are shapes of the training set, and nothing else.

These are the references at the reciting end of the scale that the Dispersion Score measures:

- `oracle_nn` returns the training shape nearest to the ground truth: the best that reciting the training set can do.
- `retrieval` returns the shape of the training image whose features are nearest to those of the test image.
- `cluster_shapes` finds `k` training shapes that stand for all; its `Clusters` return one of them for each test image,
  chosen by the nearest training image, or by the ground truth as an oracle.

The paper's code clusters by k-medoids with k = 500 and returns the medoid of the cluster that a classifier chooses, a
ResNet-50 pretrained on ImageNet and trained for 30 epochs. Ours takes the cluster of the nearest training image: a
classifier without training. Mean shapes are not offered: the points of two clouds do not correspond, so clouds have no
mean, and the medoid is the member of a cluster that is nearest to all others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor

from ds_metrics.clouds import pack_clouds, pack_features
from ds_metrics.pairwise import NearestOf, nearest_clouds
from ds_metrics.sampling import cluster_samples

Points = npt.NDArray[Any] | Tensor
Features = npt.NDArray[Any] | Tensor


class Recalled(NamedTuple):
    """Training shapes instead of reconstructions.

    Attributes:
        points: `(N, P, 3)`, of the type of the training points.
        indices: `(N,)` int64, which training shapes these are.
    """

    points: Any
    indices: npt.NDArray[np.int64]


def oracle_nn(test_points: Points, train_points: Points) -> Recalled:
    """For each test shape the training shape of least Chamfer distance; the first of several.

    Args:
        test_points: `(N, P, 3)` ground truth.
        train_points: `(M, Q, 3)`.

    Raises:
        TypeError: If points are not floating point.
        ValueError: If there is no training shape, or points have another shape or are not finite.

    Example:
        >>> train = np.array([[[0.0, 0, 0]], [[4.0, 0, 0]]])
        >>> oracle_nn(np.array([[[3.0, 0, 0]]]), train)
        Recalled(points=array([[[4., 0., 0.]]]), indices=array([1]))
    """
    _check_train(train_points)
    return _recall(train_points, nearest_clouds(test_points, train_points).candidate)


def retrieval(test_features: Features, train_features: Features, train_points: Points) -> Recalled:
    """For each test image the shape of the nearest training image, by the mean squared difference of features.

    Args:
        test_features: `(N, D)`, of images, such as those of `ds_metrics.features.create_extractor` or the codes of a
            trained network.
        train_features: `(M, D)`.
        train_points: `(M, Q, 3)` the shapes in the training images.

    Raises:
        TypeError: If features are not floating point.
        ValueError: If there is no training image, there is not one shape for each, or features have another shape or
            are not finite.

    Example:
        >>> train = np.array([[[0.0, 0, 0]], [[4.0, 0, 0]]])
        >>> retrieval(np.array([[0.9, 0.9]]), np.array([[0.0, 1.0], [1.0, 1.0]]), train).indices
        array([1])
    """
    _check_train(train_points)
    if len(train_features) != len(train_points):
        raise ValueError(
            f"Argument `train_features` must have one row for each of the {len(train_points)} training shapes, "
            f"but has {len(train_features)}."
        )
    return _recall(train_points, _nearest_features(test_features, train_features))


@dataclass(frozen=True, eq=False)
class Clusters:
    """Training shapes that stand for all.

    Attributes:
        points: `(k, Q, 3)`, the medoids: of each cluster the shape that is nearest to all of it together.
        indices: `(k,)` int64, which training shapes these are.
        labels: `(M,)` int64, the cluster of each training shape.
    """

    points: Any
    indices: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]

    def recall(self, labels: npt.NDArray[np.integer]) -> Recalled:
        """The medoids of given clusters, such as those that a classifier of yours has chosen.

        Raises:
            ValueError: If there is no such cluster.
        """
        labels = np.asarray(labels)
        if (
            labels.ndim != 1
            or labels.dtype.kind not in "iu"
            or (labels < 0).any()
            or (labels >= len(self.indices)).any()
        ):
            raise ValueError(f"Argument `labels` must be integers from 0 to {len(self.indices) - 1}, of shape (N,).")
        return Recalled(self.points[labels], self.indices[labels])

    def by_images(self, test_features: Features, train_features: Features) -> Recalled:
        """For each test image the medoid of the cluster of the nearest training image.

        Args:
            test_features: `(N, D)`, as for `retrieval`.
            train_features: `(M, D)`, of the images of the shapes that were clustered, in their order.

        Raises:
            TypeError: If features are not floating point.
            ValueError: If there is not one training image for each shape, or features don't fit.
        """
        if len(train_features) != len(self.labels):
            raise ValueError(
                f"Argument `train_features` must have one row for each of the {len(self.labels)} shapes that were "
                f"clustered, but has {len(train_features)}."
            )
        return self.recall(self.labels[_nearest_features(test_features, train_features)])

    def by_oracle(self, test_points: Points) -> Recalled:
        """For each test shape the nearest medoid: what the best classifier would choose."""
        return self.recall(nearest_clouds(test_points, self.points).candidate)


def cluster_shapes(train_points: Points, k: int = 500, seed: int = 0) -> Clusters:
    """Find `k` training shapes that stand for all, by k-medoids with the Chamfer distance.

    Up to 10,000 shapes all distances are computed, beyond the medoids are sought in a part of the shapes.

    Args:
        train_points: `(M, Q, 3)`.
        k: Number of clusters, less than `M`.
        seed: Seed of the solver.

    Raises:
        TypeError: If points are not floating point.
        ValueError: If `k` is not between 1 and `M - 1`, or points have another shape or are not finite.

    Example:
        >>> train = np.array([0.0, 0.2, 0.4, 9.0]).reshape(4, 1, 1) * np.ones((1, 1, 3))
        >>> clusters = cluster_shapes(train, k=2)
        >>> clusters.indices, clusters.labels
        (array([1, 3]), array([0, 0, 0, 1]))
        >>> clusters.by_oracle(np.full((1, 1, 3), 7.0)).points
        array([[[9., 9., 9.]]])
    """
    _check_train(train_points)
    found = cluster_samples(pack_clouds(train_points, name="train_points"), k, seed=seed)
    index = np.asarray(found.medoids, dtype=np.int64)
    return Clusters(train_points[index], index, np.asarray(found.labels, dtype=np.int64))


def _nearest_features(test: Features, train: Features) -> npt.NDArray[np.int64]:
    if test.shape[1:] != train.shape[1:]:
        raise ValueError(
            f"Arguments `test_features` and `train_features` must be of one length, "
            f"but got {tuple(test.shape)} and {tuple(train.shape)}."
        )
    samples, candidates = pack_features(test, "test_features"), pack_features(train, "train_features")
    nearest = NearestOf(samples, candidates, backend="features").run()
    assert nearest is not None  # without ranks there always is a result
    return nearest.candidate


def _recall(train_points: Points, index: npt.NDArray[np.int64]) -> Recalled:
    return Recalled(train_points[index], index)


def _check_train(train_points: Points) -> None:
    if train_points.ndim != 3 or train_points.shape[2] != 3 or len(train_points) == 0:
        raise ValueError(
            f"Argument `train_points` must have shape (M, Q, 3) with M >= 1, but got {tuple(train_points.shape)}."
        )
