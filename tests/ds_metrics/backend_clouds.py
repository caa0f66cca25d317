"""Clouds on which backends are compared, and what is right for them."""

import numpy as np
import torch

from ds_metrics.clouds import PackedClouds, pack_clouds
from ds_metrics.pairwise import native

SCALES = {np.float32: [1e-40, 2.0**-90, 1.0, 2.0**90, 1.7e38], np.float64: [2.0**-300, 1.0, 2.0**300]}


def mixed(sizes=(1, 2, 31, 32, 33, 70, 150), dtype=np.float32, seed=0, scale=1.0):
    """Clouds of these sizes, and a repeated, a coinciding and a far one."""
    rng = np.random.default_rng(seed)
    clouds = [rng.random((n, 3)) - 0.5 for n in sizes]
    clouds += [np.repeat(rng.random((5, 3)), 8, axis=0), np.full((40, 3), 0.25), np.array([[0.9, -0.9, 0.9]])]
    clouds += [np.concatenate([rng.random((20, 3)), rng.random((20, 3)) + 500]) / 512]
    return pack_clouds([(cloud * scale).astype(dtype) for cloud in clouds])


def of_unlike_scales():
    """Clouds between which coordinates must be brought to one scale, and one of zeros only."""
    return pack_clouds([torch.rand(9, 3) * scale for scale in (1e-40, 1e-20, 1.0, 1e18)] + [torch.zeros(2, 3)])


def all_pairs(x, y):
    i, j = np.mgrid[: len(x.lengths), : len(y.lengths)]
    return i.ravel(), j.ravel()


def ring(clouds):
    """Each cloud with the one before it: fewer pairs, where each costs time."""
    i = np.arange(len(clouds.lengths))
    return i, np.roll(i, 1)


def expected_chamfer(x, y, i, j, squared=True):
    """In float64, by the C++ core."""
    wide = [PackedClouds(clouds.points.double(), clouds.lengths) for clouds in (x, y)]
    return native.distances(*map(native.prepare, wide), i, j, squared=squared)


def expected_nearest(x, y):
    """By brute force, in the dtype of the points once they are brought to a scale whose squares it holds."""
    index = []
    for p, q in zip(x.split(), y.split(), strict=True):
        exponent = int(torch.frexp(max(p.abs().max(), q.abs().max())).exponent)
        p, q = ((c.double() / 2.0**exponent).to(c.dtype) for c in (p, q))
        difference = p[:, None] - q[None]
        squares = difference * difference
        index.append((squares[..., 0] + squares[..., 1] + squares[..., 2]).argmin(dim=1))
    return torch.cat(index)
