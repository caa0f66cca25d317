"""The split of the synthetic set and its sub-trainsets (section 4.1 of the paper).

A sub-trainset `SjIi` has 20 samples in two clusters of 10, one from each end of the morph. Its cluster width `w` is a
stride among the training samples in the order of the morph: a cluster takes each `w`-th, from its end inwards. At width
1 it is the ten outermost; at 35 the two clusters cover the whole morph, as 10 x 35 is half of 700. The widths of images
and of shapes are independent; only the narrowest shapes are special: each cluster repeats the one shape at its end.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from svr_baselines.data.points import check_count

WIDTHS = (1, 5, 10, 15, 20, 25, 30, 35)
_ROLES = ("train",) * 7 + ("validation",) + ("test",) * 2


@dataclass(frozen=True)
class Split:
    """Indices of the three parts, each in ascending order."""

    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]


@dataclass(frozen=True)
class SubTrainset:
    """What a network is trained on in one experiment.

    Attributes:
        name: `SjIi`: the `j`-th of the shape widths and the `i`-th of the image widths.
        image_width: Stride of the images among the training samples.
        shape_width: Stride of the shapes, 1 for a single shape at each end.
        pairs: Index of the sample that gives the image, and of the one that gives the shape; first the cluster from
            the cube, then the one from the sphere, each from its end inwards.
    """

    name: str
    image_width: int
    shape_width: int
    pairs: tuple[tuple[int, int], ...]


def split_indices(count: int = 1000, seed: int = 0) -> Split:
    """Split the steps of the morph 70 : 10 : 20, at random but evenly.

    Of each ten neighbours seven train, one validates and two test, which ones by the seed. So the parts cover the morph
    alike for any seed, and the training samples reach its ends.

    Args:
        count: Steps of the morph. Beyond the last full ten, the rest takes the first of ten shuffled roles.
        seed: Seed of the draw.

    Returns:
        The parts; of 1000 they have 700, 100 and 200.

    Raises:
        ValueError: If the count is not a positive integer.

    Example:
        >>> split = split_indices()
        >>> len(split.train), len(split.validation), len(split.test)
        (700, 100, 200)
    """
    check_count("count", count)
    rng = np.random.default_rng(seed)
    roles = [_ROLES[role] for _ in range(0, count, 10) for role in rng.permutation(10)][:count]
    parts = {name: tuple(i for i, role in enumerate(roles) if role == name) for name in _ROLES}
    return Split(**parts)


def sub_trainsets(
    train_indices: Sequence[int], widths: Sequence[int] = WIDTHS, cluster_size: int = 10
) -> tuple[SubTrainset, ...]:
    """Both series of sub-trainsets: growing images over two shapes, then growing shapes under the widest images.

    The `n`-th image of a cluster goes with its `n`-th shape.

    Args:
        train_indices: Training samples; their order does not matter.
        widths: Cluster widths, ascending from 1.
        cluster_size: Samples of a cluster.

    Returns:
        `S1I1 .. S1I8` and `S2I8 .. S8I8` for eight widths. `S1I8` belongs to both series, see `image_series` and
        `shape_series`.

    Raises:
        ValueError: If the widths do not ascend from 1, or the clusters do not fit into the training samples side by
            side.

    Example:
        >>> sets = sub_trainsets(split_indices().train)
        >>> [s.name for s in sets][5:10], len(sets), len(sets[0].pairs)
        (['S1I6', 'S1I7', 'S1I8', 'S2I8', 'S3I8'], 15, 20)
    """
    check_count("cluster_size", cluster_size)
    train = sorted(train_indices)
    _check_widths(train, widths, cluster_size)
    last = len(widths)
    series = [(1, i) for i in range(1, last + 1)] + [(j, last) for j in range(2, last + 1)]
    return tuple(_sub_trainset(train, j, i, widths, cluster_size) for j, i in series)


def needed_samples(widths: Sequence[int] = WIDTHS, cluster_size: int = 10) -> int:
    """Training samples that `sub_trainsets` needs: two clusters side by side at the greatest width.

    Example:
        >>> needed_samples()
        632
    """
    return 2 * (max(widths) * (cluster_size - 1) + 1)


def image_series(steps: int = len(WIDTHS)) -> tuple[str, ...]:
    """Names of the sub-trainsets whose images grow more dispersed, in this order.

    Example:
        >>> image_series(3)
        ('S1I1', 'S1I2', 'S1I3')
    """
    return tuple(f"S1I{i}" for i in range(1, steps + 1))


def shape_series(steps: int = len(WIDTHS)) -> tuple[str, ...]:
    """Names of the sub-trainsets whose shapes grow more dispersed, in this order.

    Example:
        >>> shape_series(3)
        ('S1I3', 'S2I3', 'S3I3')
    """
    return tuple(f"S{j}I{steps}" for j in range(1, steps + 1))


def _sub_trainset(train: list[int], j: int, i: int, widths: Sequence[int], size: int) -> SubTrainset:
    images = _clusters(train, widths[i - 1], size)
    shapes = _clusters(train, widths[j - 1], size) if j > 1 else [train[0]] * size + [train[-1]] * size
    return SubTrainset(f"S{j}I{i}", widths[i - 1], widths[j - 1], tuple(zip(images, shapes, strict=True)))


def _clusters(train: list[int], width: int, size: int) -> list[int]:
    """Every `width`-th sample from the lower end upwards, then from the upper end downwards."""
    steps = range(0, width * size, width)
    return [train[step] for step in steps] + [train[-1 - step] for step in steps]


def _check_widths(train: list[int], widths: Sequence[int], size: int) -> None:
    for width in widths:
        check_count("widths", width)
    if not widths or widths[0] != 1 or any(a >= b for a, b in itertools.pairwise(widths)):
        raise ValueError(f"Argument `widths` must ascend from 1, but got {tuple(widths)}.")
    if len(set(train)) != len(train):
        raise ValueError("Argument `train_indices` must not repeat a sample, but got one twice.")
    need = needed_samples(widths, size)
    if len(train) < need:
        raise ValueError(
            f"Argument `train_indices` must have at least {need} samples for two clusters of {size} at width "
            f"{widths[-1]}, but got {len(train)}."
        )
