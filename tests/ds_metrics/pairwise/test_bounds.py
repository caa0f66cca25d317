"""Bounds are never above the distances, tell much, and are left out where they would tell nothing."""

import numpy as np
import pytest
import torch
from backend_clouds import expected_chamfer, mixed
from hypothesis import given, settings
from hypothesis import strategies as st

from ds_metrics.clouds import PackedClouds, pack_clouds
from ds_metrics.pairwise import native, reference
from ds_metrics.pairwise.bounds import Grid, LowerBounds


def surfaces(n, points, seed):
    """Ellipsoids in random directions: shapes that differ smoothly, as real ones do."""
    generator = torch.Generator().manual_seed(seed)
    sphere = torch.randn(n, points, 3, generator=generator)
    axes = torch.rand(n, 1, 3, generator=generator) * 0.8 + 0.2
    return pack_clouds(sphere / sphere.norm(dim=2, keepdim=True) * axes)


def bounds_and_distances(x, candidates, squared, backend=native, both=True):
    bounds = LowerBounds(candidates, squared, backend)
    assert bounds.are_possible
    i, j = (index.ravel() for index in np.indices((len(x.lengths), len(candidates.lengths))))
    distances = expected_chamfer(x, candidates, i, j, squared).reshape(len(x.lengths), -1)
    return bounds(x, backend.prepare(x), both), distances


coordinates = st.sampled_from([0.0, 1.0, -1.0, 0.5, 1 / 3, 1e-3, 7.0, -100.0])
points = st.tuples(coordinates, coordinates, coordinates)
some_clouds = st.lists(st.lists(points, min_size=1, max_size=6), min_size=1, max_size=4)


@settings(max_examples=80, deadline=None)
@given(
    x=some_clouds,
    y=some_clouds,
    squared=st.booleans(),
    both=st.booleans(),
    scale=st.sampled_from([1.0, 2.0**-60, 3e20]),
    noise=st.integers(0, 2**32 - 1),
)
def test_never_above_the_distance(x, y, squared, both, scale, noise):
    rng = np.random.default_rng(noise)
    x, y = (
        pack_clouds([((np.array(c) + rng.normal(0, 0.01, (len(c), 3))) * scale).astype(np.float32) for c in clouds])
        for clouds in (x, y)
    )
    bounds = LowerBounds(y, squared, native)
    if not bounds.are_possible:
        return
    i, j = (index.ravel() for index in np.indices((len(x.lengths), len(y.lengths))))
    distances = expected_chamfer(x, y, i, j, squared).reshape(len(x.lengths), -1)
    found = bounds(x, native.prepare(x), both)
    assert (found >= 0).all()
    assert (found <= distances).all()


@pytest.mark.parametrize("squared", [True, False])
@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_clouds_of_all_sizes_and_far_outside(squared, both, dtype):
    candidates = mixed(dtype=dtype, seed=1)
    x = mixed(dtype=dtype, seed=2)
    for shift in (0, 5, 1e6):
        moved = PackedClouds(x.points + shift, x.lengths)
        found, distances = bounds_and_distances(moved, candidates, squared, both=both)
        assert (found <= distances).all()
        if shift == 5 and squared:  # outside the grid they still tell: the distance to it is added
            assert np.median(found / distances) > (0.8 if both else 0.35)


@pytest.mark.parametrize("backend", [native, reference])
def test_bounds_are_tight(backend):
    found, distances = bounds_and_distances(surfaces(6, 100, 0), surfaces(5, 100, 1), True, backend)
    assert (found <= distances).all()
    assert np.median(found / distances) > 0.5


def test_one_direction_alone_is_lower():
    x, candidates = surfaces(40, 200, 0), surfaces(10, 200, 1)
    one, _ = bounds_and_distances(x, candidates, True, both=False)
    two, _ = bounds_and_distances(x, candidates, True, both=True)
    assert (one <= two).all()
    assert one.sum() < 0.8 * two.sum()


def test_weights_interpolate_every_point():
    clouds = surfaces(3, 50, 0)
    grid = Grid(clouds.points)
    weights, loss = grid.histograms(clouds, squared=True)
    corners = grid.corners.double()
    assert (weights >= 0).all()
    for cloud, weight, lost in zip(clouds.split(), weights, loss, strict=True):
        torch.testing.assert_close(weight @ corners, cloud.double().mean(dim=0))
        spread = weight @ corners.square().sum(dim=1) - cloud.double().square().sum(dim=1).mean()
        torch.testing.assert_close(lost, spread)


@pytest.mark.parametrize("points", [torch.rand(9, 3) + 1e9, torch.rand(9, 3) * 1e-44], ids=["far away", "subnormal"])
def test_no_bounds_where_corners_have_no_exact_place(points):
    assert not LowerBounds(pack_clouds([points]), True, native).are_possible


def test_coinciding_points():
    clouds = pack_clouds([torch.zeros(4, 3), torch.zeros(2, 3)])
    found, _ = bounds_and_distances(clouds, clouds, True)
    assert (found == 0).all()
