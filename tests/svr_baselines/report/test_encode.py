"""Quantisation: error bounds, and that the bytes are what is said."""

import base64
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from svr_baselines.report.encode import (
    bounding_cube,
    dequantize_points,
    directions,
    encode_surface,
    quantize_distances,
    quantize_normals,
    quantize_points,
    to_base64,
)
from svr_baselines.report.surfaces import Surface, find_surface, thin

CLOUDS = arrays(
    np.float64, st.integers(1, 40).map(lambda count: (count, 3)), elements=st.floats(-1e3, 1e3, allow_subnormal=False)
)


@given(CLOUDS)
def test_points_are_off_by_half_a_step_at_most(points):
    centre, half = bounding_cube(points)
    found = dequantize_points(quantize_points(points, centre, half), centre, half)
    assert np.abs(found - points).max() <= half / 1023 * (1 + 1e-6) + 1e-9


def test_points_are_packed_x_lowest():
    value = quantize_points(np.array([[1.0, -1.0, 0.0]]), np.zeros(3), 1.0)[0]
    assert (value & 1023, value >> 10 & 1023, value >> 20) == (1023, 0, 512)


@given(array_shapes(min_dims=1, max_dims=1, max_side=30).flatmap(lambda shape: arrays(np.uint16, shape)))
def test_base64_round_trip(values):
    raw = base64.b64decode(to_base64(values))
    assert list(struct.unpack(f"<{len(values)}H", raw)) == values.tolist()
    assert to_base64(values.astype(">u2")) == to_base64(values)


@given(st.integers(1, 12), st.floats(1e-6, 1e6))
def test_distances_are_off_by_half_a_step_at_most(count, scale):
    points = np.random.default_rng(count).random(count) * scale
    matrix = np.abs(points[:, None] - points)
    values, step = quantize_distances(matrix)
    at = 0
    for i in range(count):
        for j in range(i + 1, count):
            assert values[at] * step == pytest.approx(matrix[i, j], abs=step / 2 * (1 + 1e-9))
            at += 1
    assert at == len(values)
    assert step <= max(matrix.max() / 65535, 0) or matrix.max() == 0


def test_normals_are_off_by_some_degrees():
    vectors = np.random.default_rng(0).normal(size=(2000, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = directions()[quantize_normals(vectors)]
    degrees = np.degrees(np.arccos(np.clip(np.abs((found * vectors).sum(axis=1)), 0, 1)))
    assert degrees.max() < 11
    assert degrees.mean() < 4


def test_normals_of_a_sphere_point_outward():
    points = np.random.default_rng(0).normal(size=(2000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    found = find_surface(points, 1000)
    assert len(found.points) == 1000
    assert np.abs((found.normals * found.points).sum(axis=1)).min() > 0.95
    # Of points spread at random with this density, the third neighbour is at sqrt(3 / (density * pi)), about.
    assert found.spacing == pytest.approx(np.sqrt(2.67 / (1000 / (4 * np.pi)) / np.pi), rel=0.1)


@pytest.mark.parametrize("points", [np.zeros((1, 3)), np.zeros((3, 3)), np.zeros((50, 3)), np.eye(3)])
def test_clouds_without_a_surface(points):
    encoded = encode_surface(find_surface(points, 512))
    assert np.isfinite(encoded["gap"])
    assert len(base64.b64decode(encoded["n"])) == len(points)


def test_gap_is_in_the_cube():
    assert encode_surface(Surface(np.eye(3) * 4, np.eye(3), 1.0))["gap"] == 0.5


def test_thinning_keeps_rows_in_order():
    rows = np.arange(300).reshape(100, 3)
    few = thin(rows, 10)
    assert len(few) == 10
    assert (np.diff(few[:, 0]) > 0).all()
    assert set(map(tuple, few)) <= set(map(tuple, rows))
    assert np.array_equal(thin(rows, 10), few)
    assert thin(rows, 100) is rows
