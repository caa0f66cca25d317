import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st

from svr_baselines.data import make_shapes, normalize_points, sample_mesh


def test_unit_ball_by_hand():
    points = np.array([[1.0, 0, 0], [3, 0, 0], [2, 3, 0]])
    # Mean (2, 1, 0); the norms are sqrt(2), sqrt(2), 2.
    np.testing.assert_allclose(normalize_points(points), [[-0.5, -0.5, 0], [0.5, -0.5, 0], [0, 1, 0]])


def test_bounding_box_by_hand():
    points = np.array([[1.0, 0, 0], [3, 0, 0], [2, 4, 0]])
    expected = [[-0.25, -0.5, 0], [0.25, -0.5, 0], [0, 0.5, 0]]
    np.testing.assert_allclose(normalize_points(points, "bounding-box"), expected)


@given(st.integers(0, 1000), st.floats(0.01, 1000), st.floats(-1000, 1000))
def test_normalization_forgets_scale_and_place(seed, scale, shift):
    points = np.random.default_rng(seed).normal(size=(20, 3))
    for mode in ("unit-ball", "bounding-box"):
        moved = normalize_points(points * scale + shift, mode)
        np.testing.assert_allclose(moved, normalize_points(points, mode), atol=1e-8)


def test_normalize_keeps_dtype_and_input():
    points = np.random.default_rng(0).random((5, 3), dtype=np.float32)
    before = points.copy()
    assert normalize_points(points).dtype == np.float32
    np.testing.assert_array_equal(points, before)
    np.testing.assert_array_equal(normalize_points(points, "none"), points)


@pytest.mark.parametrize(
    ("points", "mode", "message"),
    [
        (np.full((4, 3), 0.1), "unit-ball", "all points coincide"),
        (np.full((4, 3), 1e6), "bounding-box", "all points coincide"),
        (np.zeros((4, 2)), "unit-ball", r"shape \(P, 3\)"),
        (np.zeros((0, 3)), "unit-ball", r"shape \(P, 3\)"),
        (np.full((4, 3), np.nan), "unit-ball", "finite"),
        (np.eye(3), "sphere", "must be one of"),
    ],
)
def test_normalize_refuses(points, mode, message):
    with pytest.raises(ValueError, match=message):
        normalize_points(points, mode)


def test_sampling_is_in_proportion_to_area():
    vertices = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [10, 0, 0], [13, 0, 0], [10, 1, 0]]
    cloud = sample_mesh(vertices, [[0, 1, 2], [3, 4, 5]], points=20_000)
    share = (cloud[:, 0] > 5).mean()
    assert abs(share - 0.75) < 5 * np.sqrt(0.75 * 0.25 / 20_000)
    # Uniform inside the triangle: the mean is its centroid.
    np.testing.assert_allclose(cloud[cloud[:, 0] > 5].mean(axis=0), [11, 1 / 3, 0], atol=0.03)


def test_sampled_points_lie_on_the_surface():
    mesh = trimesh.creation.box()
    cloud = sample_mesh(mesh.vertices, mesh.faces, points=500, seed=3)
    np.testing.assert_allclose(np.abs(cloud).max(axis=1), 0.5)


def test_sampling_is_seeded():
    mesh = trimesh.creation.box()
    draw = [sample_mesh(mesh.vertices, mesh.faces, 50, seed) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(draw[0], draw[1])
    assert not np.array_equal(draw[0], draw[2])


@pytest.mark.parametrize(
    ("vertices", "faces", "message"),
    [
        (np.eye(3), np.empty((0, 3), int), "no faces"),
        (np.zeros((3, 3)), [[0, 1, 2]], "no area"),
        (np.eye(3), [[0, 1, 3]], "3 vertices"),
        (np.eye(3), [[0, 1]], "shape"),
        (np.eye(3)[:, :2], [[0, 1, 2]], "shape"),
        (np.eye(3) * np.nan, [[0, 1, 2]], "3 NaN or infinite"),
        (np.eye(3) * 1e200, [[0, 1, 2]], "too large"),
    ],
)
def test_sampling_refuses(vertices, faces, message):
    with pytest.raises(ValueError, match=message):
        sample_mesh(vertices, faces)


@pytest.mark.parametrize("points", [0, -1, 2.5, True])
def test_sampling_refuses_counts(points):
    with pytest.raises(ValueError, match="`points`"):
        sample_mesh(np.eye(3), [[0, 1, 2]], points)


def test_primitives():
    small, large = make_shapes(2, points=200), make_shapes(3, points=200)
    assert set(small.categories) == {"chair", "lamp", "shelf", "sofa", "table"}
    assert small.names == tuple(name for name in large.names if not name.endswith("0002"))
    np.testing.assert_array_equal(small.clouds[2], large.clouds[3])
    assert not np.allclose(small.clouds[0], small.clouds[1])
    assert make_shapes(2, points=200, seed=1).content_hash != small.content_hash
    for cloud in large.clouds:
        assert cloud.shape == (200, 3)
        np.testing.assert_allclose(np.linalg.norm(cloud, axis=1).max(), 1, rtol=1e-6)
