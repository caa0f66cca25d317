import math

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from svr_baselines.data.inside import occupancy_of, winding_number

TETRAHEDRON = (
    np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]),
    np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]),
)


def loop(vertices, faces, query):
    """Solid angles of one triangle after the other, from the angles of its spherical triangle (Girard)."""
    total = 0.0
    for face in faces:
        a, b, c = (v / np.linalg.norm(v) for v in np.asarray(vertices)[face] - query)
        sides = [math.acos(np.clip(p @ q, -1, 1)) for p, q in ((b, c), (c, a), (a, b))]
        half = sum(sides) / 2
        product = math.tan(half / 2) * math.prod(math.tan((half - side) / 2) for side in sides)
        angle = 4 * math.atan(math.sqrt(max(product, 0.0)))  # L'Huilier
        total += angle * np.sign(np.linalg.det(np.stack([a, b, c])))
    return total / (4 * math.pi)


def test_a_tetrahedron_by_hand():
    inside, outside = [0.1, 0.1, 0.1], [0.5, 0.5, 0.5]
    np.testing.assert_allclose(winding_number(*TETRAHEDRON, [inside, outside]), [1, 0], atol=1e-12)
    # The corner of a cube sees an eighth of the sphere.
    octant = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]]), [[0, 1, 2]]
    np.testing.assert_allclose(winding_number(*octant, [[0.0, 0, 0]]), [1 / 8], atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
def test_any_triangles_like_the_loop(seed, count, scale, offset):
    rng = np.random.default_rng(seed)
    vertices = rng.normal(size=(3 * count, 3))
    faces = np.arange(3 * count).reshape(-1, 3)
    queries = rng.normal(size=(5, 3))
    expected = [loop(vertices, faces, query) for query in queries]
    found = winding_number(vertices * scale + offset, faces, queries * scale + offset)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("method", ["rays", "winding"])
def test_a_mesh_of_any_size_and_place(method):
    ball = trimesh.creation.icosphere(2)
    queries = np.random.default_rng(0).uniform(-1.2, 1.2, size=(200, 3))
    expected = occupancy_of(ball.vertices, ball.faces, queries, method)
    assert 0.1 < expected.mean() < 0.9
    for scale in (1e-12, 1e-7, 1e-6, 1e12):
        for offset in (0, 100 * scale):
            scaled = occupancy_of(ball.vertices * scale + offset, ball.faces, queries * scale + offset, method)
            assert (scaled == expected).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_numbers_add_up_turn_sign_and_move_along(seed):
    rng = np.random.default_rng(seed)
    vertices, faces = rng.normal(size=(9, 3)), rng.permutation(9).reshape(3, 3)
    queries = rng.normal(size=(7, 3))
    number = winding_number(vertices, faces, queries)
    parts = sum(winding_number(vertices, faces[[i]], queries) for i in range(3))
    np.testing.assert_allclose(parts, number, atol=1e-9)
    np.testing.assert_allclose(winding_number(vertices, faces[:, ::-1], queries), -number, atol=1e-9)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turned = winding_number(vertices @ rotation, faces, queries @ rotation)
    np.testing.assert_allclose(turned, number * np.sign(np.linalg.det(rotation)), atol=1e-9)


@pytest.mark.parametrize("method", ["rays", "winding", "auto"])
def test_shapes_whose_inside_is_known(method):
    rng = np.random.default_rng(0)
    queries = rng.uniform(-1, 1, (3000, 3))
    box = trimesh.creation.box(extents=(1, 0.6, 1.4))
    inside = (np.abs(queries) < [0.5, 0.3, 0.7]).all(axis=1)
    assert np.array_equal(occupancy_of(box.vertices, box.faces, queries, method), inside)
    ball = trimesh.creation.icosphere(subdivisions=3, radius=0.8)
    found = occupancy_of(ball.vertices, ball.faces, queries, method)
    radius = np.linalg.norm(queries, axis=1)
    sure = (radius < 0.79) | (radius > 0.8)
    assert np.array_equal(found[sure], radius[sure] < 0.8)
    shell = trimesh.creation.annulus(r_min=0.3, r_max=0.8, height=1)
    found = occupancy_of(shell.vertices, shell.faces, queries, method)
    across = np.linalg.norm(queries[:, :2], axis=1)
    sure = (np.abs(across - 0.3) > 0.02) & (np.abs(across - 0.8) > 0.02)
    expected = (across > 0.3) & (across < 0.8) & (np.abs(queries[:, 2]) < 0.5)
    assert np.array_equal(found[sure], expected[sure])


def test_faces_may_point_inward_and_corners_may_be_apart():
    box = trimesh.creation.box()
    queries = np.random.default_rng(0).uniform(-1, 1, (500, 3))
    inside = (np.abs(queries) < 0.5).all(axis=1)
    soup = box.vertices[box.faces].reshape(-1, 3)
    faces = np.arange(len(soup)).reshape(-1, 3)
    assert np.array_equal(occupancy_of(soup, faces[:, ::-1], queries), inside)
    assert np.array_equal(occupancy_of(soup, faces[:, ::-1], queries, "winding"), inside)


def test_a_hole_moves_the_boundary_a_little():
    ball = trimesh.creation.icosphere(subdivisions=3)
    faces = ball.faces[ball.triangles_center[:, 1] < 0.9]
    queries = np.random.default_rng(0).uniform(-1.2, 1.2, (2000, 3))
    with pytest.raises(ValueError, match="not watertight"):
        occupancy_of(ball.vertices, faces, queries, "rays")
    found = occupancy_of(ball.vertices, faces, queries)
    whole = np.linalg.norm(queries, axis=1) < 1
    below = queries[:, 1] < 0.5
    assert (found == whole)[below].mean() > 0.99
    assert (found == whole).mean() > 0.97


def test_blocks_do_not_change_the_result(monkeypatch):
    queries = np.random.default_rng(0).normal(size=(100, 3))
    whole = winding_number(*TETRAHEDRON, queries)
    monkeypatch.setattr("svr_baselines.data.inside._PAIRS", 28)
    np.testing.assert_allclose(winding_number(*TETRAHEDRON, queries), whole, atol=1e-12)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"vertices": np.zeros((4, 2))}, "`vertices` must have shape"),
        ({"queries": np.zeros(3)}, "`queries` must have shape"),
        ({"queries": np.array([[np.nan, 0, 0]])}, "`queries` must be finite"),
        ({"vertices": np.full((4, 3), np.inf)}, "`vertices` must be finite"),
        ({"faces": np.zeros((0, 3), dtype=int)}, "`faces` must be integers"),
        ({"faces": np.zeros((1, 3))}, "`faces` must be integers"),
        ({"faces": np.array([[0, 1, 4]])}, "must name vertices from 0 to 3, but goes from 0 to 4"),
        ({"faces": np.array([[0, 1, -1]])}, "must name vertices from 0 to 3, but goes from -1 to 1"),
        ({"method": "guess"}, "`method` must be one of"),
    ],
)
def test_bad_arguments_are_refused(change, words):
    arguments = {"vertices": TETRAHEDRON[0], "faces": TETRAHEDRON[1], "queries": np.zeros((1, 3))}
    with pytest.raises(ValueError, match=words):
        occupancy_of(**arguments | change)
