import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from svr_baselines.data.cameras import Camera
from svr_baselines.data.coordinates import to_object, to_viewer
from svr_baselines.data.points import normalize_points

ANGLES = st.floats(-720, 720)
CAMERAS = st.builds(Camera, azimuth=ANGLES, elevation=st.floats(-90, 90), roll=ANGLES)


def paper_rotation(azimuth, elevation):
    """The matrix of the official code, in words: rows X, Y, Z made unit vectors, from the camera's position."""
    az, el = math.radians(azimuth), math.radians(elevation)
    z = [math.cos(el) * math.cos(az), math.sin(el), math.cos(el) * math.sin(az)]
    x = [z[2], 0, -z[0]]  # (0, 1, 0) x Z
    y = [z[1] * x[2] - z[2] * x[1], z[2] * x[0] - z[0] * x[2], z[0] * x[1] - z[1] * x[0]]
    return [[value / math.hypot(*row) for value in row] for row in (x, y, z)]


@pytest.mark.parametrize(
    ("azimuth", "elevation", "expected"),
    [
        # What lies at the shape's +X, +Y and +Z, as (right, up, towards the camera):
        (90, 0, [[1, 0, 0], [0, 1, 0], [0, 0, 1]]),  # from +Z
        (0, 0, [[0, 0, 1], [0, 1, 0], [-1, 0, 0]]),  # from +X: +Z is on the left
        (180, 0, [[0, 0, -1], [0, 1, 0], [1, 0, 0]]),  # from -X: +Z is on the right
        (-90, 0, [[-1, 0, 0], [0, 1, 0], [0, 0, -1]]),  # from -Z
        (90, 90, [[1, 0, 0], [0, 0, 1], [0, -1, 0]]),  # from above, the back on top
        (90, -90, [[1, 0, 0], [0, 0, -1], [0, 1, 0]]),  # from below
        (90, 30, [[1, 0, 0], [0, math.sqrt(3) / 2, 1 / 2], [0, -1 / 2, math.sqrt(3) / 2]]),
        (45, 0, [[math.sqrt(0.5), 0, math.sqrt(0.5)], [0, 1, 0], [-math.sqrt(0.5), 0, math.sqrt(0.5)]]),
    ],
)
def test_views_by_hand(azimuth, elevation, expected):
    seen = to_viewer(np.eye(3), Camera(azimuth, elevation))
    np.testing.assert_allclose(seen, expected, atol=1e-12)


def test_the_camera_itself_is_straight_ahead():
    camera = Camera(azimuth=33, elevation=-21, distance=1.4)
    np.testing.assert_allclose(to_viewer(camera.position[None], camera), [[0, 0, 1.4]], atol=1e-12)


def test_roll_turns_the_picture_not_the_points():
    points = np.eye(3)
    np.testing.assert_array_equal(to_viewer(points, Camera(10, 20, roll=90)), to_viewer(points, Camera(10, 20)))


@given(st.floats(-360, 360), st.floats(-89, 89))
def test_the_official_matrix_in_a_plain_loop(azimuth, elevation):
    rotation = paper_rotation(azimuth, elevation)
    points = np.random.default_rng(0).normal(size=(4, 3))
    expected = [[sum(rotation[i][j] * point[j] for j in range(3)) for i in range(3)] for point in points]
    np.testing.assert_allclose(to_viewer(points, Camera(azimuth, elevation)), expected, atol=1e-12)


@given(CAMERAS, st.integers(0, 2**32), st.sampled_from(["numpy", "torch"]), st.sampled_from(["float32", "float64"]))
def test_the_inverse_is_exact(camera, seed, library, dtype):
    points = normalize_points(np.random.default_rng(seed).normal(size=(50, 3))).astype(dtype)
    cloud = points if library == "numpy" else torch.from_numpy(points)

    there = to_viewer(cloud, camera)
    back = to_object(there, camera)

    assert type(there) is type(back) is type(cloud)
    assert there.dtype == back.dtype == cloud.dtype
    tolerance = 1e-6 if dtype == "float32" else 1e-14
    np.testing.assert_allclose(np.asarray(back), points, atol=tolerance, rtol=0)
    np.testing.assert_allclose(np.asarray(to_viewer(to_object(cloud, camera), camera)), points, atol=tolerance, rtol=0)


@given(CAMERAS, st.integers(0, 2**32))
def test_turning_and_the_unit_ball_can_be_swapped(camera, seed):
    points = np.random.default_rng(seed).normal(loc=3, size=(30, 3))
    first, last = normalize_points(to_viewer(points, camera)), to_viewer(normalize_points(points), camera)
    np.testing.assert_allclose(first, last, atol=1e-12)


def test_one_rotation_for_each_cloud():
    cameras = [Camera(azimuth, 20) for azimuth in (0, 50, -120)]
    rotations = np.stack([camera.rotation for camera in cameras])
    clouds = np.random.default_rng(0).normal(size=(3, 7, 3))
    expected = np.stack([to_viewer(cloud, camera) for cloud, camera in zip(clouds, cameras, strict=True)])

    np.testing.assert_allclose(to_viewer(clouds, rotations), expected, atol=1e-12)
    for single in (torch.float32, torch.float64):
        turned = to_viewer(torch.from_numpy(clouds).to(single), torch.from_numpy(rotations).float())
        np.testing.assert_allclose(turned.numpy(), expected, atol=1e-6)
        back = to_object(turned, torch.from_numpy(rotations).float())
        np.testing.assert_allclose(back.numpy(), clouds, atol=1e-6)
    np.testing.assert_allclose(to_viewer(clouds, torch.from_numpy(rotations)), expected, atol=1e-12)


def test_one_camera_for_all_clouds():
    clouds, camera = np.random.default_rng(0).normal(size=(2, 4, 5, 3)), Camera(70, 10)
    turned = to_viewer(clouds, camera)
    np.testing.assert_allclose(turned[1, 2], to_viewer(clouds[1, 2], camera), atol=1e-12)
    np.testing.assert_allclose(to_viewer(torch.from_numpy(clouds), camera).numpy(), turned, atol=1e-12)


def test_gradients_are_turned_too():
    points = torch.zeros(4, 3, requires_grad=True)
    camera = Camera(0, 0)
    to_viewer(points, camera)[:, 2].sum().backward()  # towards +X
    torch.testing.assert_close(points.grad, torch.tensor([[1.0, 0, 0]]).expand(4, 3), atol=1e-7, rtol=0)


def test_half_precision_is_kept():
    points = torch.eye(3, dtype=torch.bfloat16)
    assert to_viewer(points, Camera(0, 0)).tolist() == [[0, 0, 1], [0, 1, 0], [-1, 0, 0]]
    assert to_viewer(points, Camera(0, 0)).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("points", "camera", "fault"),
    [
        (np.eye(3, dtype=int), Camera(0, 0), "`points` must be floating point, but got int64"),
        (torch.eye(3, dtype=torch.int32), Camera(0, 0), "`points` must be a floating point array or tensor"),
        ([[1.0, 0, 0]], Camera(0, 0), "`points` must be a floating point array or tensor, but got list"),
        (np.ones((4, 2)), Camera(0, 0), r"`points` must have shape \(\.\.\., P, 3\), but got \(4, 2\)"),
        (np.ones(3), Camera(0, 0), r"`points` must have shape \(\.\.\., P, 3\), but got \(3,\)"),
        (np.ones((2, 4, 3)), np.eye(3)[None], r"must have shape \(3, 3\) or \(2, 3, 3\) .* but got \(1, 3, 3\)"),
        (torch.ones(4, 3), torch.eye(3)[None], r"must have shape \(3, 3\) for points \(4, 3\), but got \(1, 3, 3\)"),
        (np.ones((4, 3)), 2 * np.eye(3), "must hold rotations"),
        (np.ones((4, 3)), np.diag([1.0, 1, -1]), "must hold rotations"),
        (torch.ones(4, 3), torch.full((3, 3), torch.nan), "must hold rotations: .* no NaN"),
    ],
)
def test_what_cannot_be_turned_is_refused(points, camera, fault):
    for turn in (to_viewer, to_object):
        with pytest.raises(ValueError, match=fault):
            turn(points, camera)
