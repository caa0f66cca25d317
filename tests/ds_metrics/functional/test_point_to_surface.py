import numpy as np
import pytest
import torch
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from ds_metrics.functional import _surface, point_to_surface_distance


def soup(n, seed=0):
    """Triangles of all sizes and shapes, some of no area, and some points."""
    rng = np.random.default_rng(seed)
    corners = rng.normal(size=(n, 1, 3)) + rng.normal(size=(n, 3, 3)) * rng.choice([0.01, 0.3, 3.0], size=(n, 1, 1))
    corners[::5, 2] = corners[::5, 0] + rng.uniform(-1, 2) * (corners[::5, 1] - corners[::5, 0])
    corners[::7] = corners[::7, :1]
    return corners.reshape(-1, 3), np.arange(3 * n).reshape(n, 3)


def to_segment(p, a, b):
    length = ((b - a) ** 2).sum()
    t = 0.0 if length == 0 else np.clip((p - a) @ (b - a) / length, 0, 1)
    return np.linalg.norm(p - a - t * (b - a))


def to_triangle(p, corners):
    """By another way than the library's: the plane, if its nearest point is inside, else the nearest edge."""
    a, b, c = corners
    normal = np.cross(b - a, c - a)
    if (area := np.linalg.norm(normal)) > 1e-9:
        normal = normal / area
        foot = p - normal * ((p - a) @ normal)
        if all(np.cross(v - u, foot - u) @ normal >= 0 for u, v in ((a, b), (b, c), (c, a))):
            return abs((p - a) @ normal)
    return min(to_segment(p, a, b), to_segment(p, b, c), to_segment(p, c, a))


def by_loops(points, mesh, power=1):
    vertices, faces = mesh
    return np.mean([min(to_triangle(p, vertices[face]) for face in faces) ** power for p in points])


@settings(max_examples=15)
@given(st.integers(1, 12), st.integers(1, 6), st.integers(0, 999), st.sampled_from([1e-3, 1.0, 20.0]))
def test_loops(n_triangles, n_points, seed, spread):
    mesh = soup(n_triangles, seed)
    points = np.random.default_rng(seed + 1).normal(size=(n_points, 3)) * spread
    batch = torch.from_numpy(points)[None]
    assert point_to_surface_distance(batch, [mesh]).item() == pytest.approx(by_loops(points, mesh), rel=1e-9)
    squared = point_to_surface_distance(batch, [mesh], squared=True).item()
    assert squared == pytest.approx(by_loops(points, mesh, power=2), rel=1e-9)


def test_the_reference_by_minimisation():
    """Least distance over barycentric coordinates: what the loops are right about."""
    rng = np.random.default_rng(0)
    for _ in range(5):
        corners, p = rng.normal(size=(3, 3)), rng.normal(size=3) * 2
        found = minimize(
            lambda w, corners=corners, p=p: ((w @ corners - p) ** 2).sum(),
            np.full(3, 1 / 3),
            bounds=[(0, 1)] * 3,
            constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
            tol=1e-12,
        )
        assert to_triangle(p, corners) == pytest.approx(found.fun**0.5, rel=1e-4)


def test_nothing_is_left_out_wrongly_of_a_large_mesh(monkeypatch):
    """Most triangles are ruled out, a part of the points at a time: the result is that of all triangles."""
    monkeypatch.setattr(_surface, "_POINT_GROUPS", 300)
    monkeypatch.setattr(_surface, "_EXPANDED", 50)
    vertices, faces = soup(400, seed=3)
    points = np.random.default_rng(4).normal(size=(50, 3)) * 2
    triangles = vertices[faces]
    all_pairs = trimesh.triangles.closest_point(np.tile(triangles, (50, 1, 1)), np.repeat(points, 400, axis=0))
    least = np.linalg.norm(all_pairs - np.repeat(points, 400, axis=0), axis=1).reshape(50, 400).min(axis=1)
    actual = point_to_surface_distance(torch.from_numpy(points)[:, None], [(vertices, faces)] * 50)
    np.testing.assert_allclose(actual, least, rtol=1e-12)
    whole = point_to_surface_distance(torch.from_numpy(points)[None], [(vertices, faces)])
    assert whole.item() == pytest.approx(least.mean(), rel=1e-12)


@pytest.mark.parametrize("fan", [False, True])
def test_long_triangles(fan):
    """Which are cut: of a wheel with thin spokes, and of a floor beside much that is small."""
    rng = np.random.default_rng(5)
    if fan:
        angles = np.linspace(0, 2 * np.pi, 200)
        rim = np.stack([np.cos(angles), np.sin(angles), 0.2 * np.cos(3 * angles)], axis=1)
        triangles = np.stack([np.zeros_like(rim[1:]), rim[:-1], rim[1:]], axis=1)
    else:
        small = rng.normal(size=(300, 1, 3)) * 0.1 + rng.normal(size=(300, 3, 3)) * 0.01
        corners = np.array([[-9, -9, 0], [9, -9, 0], [9, 9, 0], [-9, 9, 0]])
        triangles = np.concatenate([small, corners[[[0, 1, 2], [0, 2, 3]]]])
        assert len(_surface._cut(triangles)) > 1000
    pieces = _surface._cut(triangles)
    assert len(pieces) <= 2 * len(triangles) + 4096
    assert trimesh.triangles.area(pieces).sum() == pytest.approx(trimesh.triangles.area(triangles).sum())
    points = rng.normal(size=(40, 3))
    every = trimesh.triangles.closest_point(np.tile(triangles, (40, 1, 1)), np.repeat(points, len(triangles), axis=0))
    least = np.linalg.norm(every.reshape(40, -1, 3) - points[:, None], axis=2).min(axis=1)
    actual = np.linalg.norm(_surface.closest_points(points, triangles) - points, axis=1)
    np.testing.assert_allclose(actual, least, rtol=1e-12, atol=1e-15)


def test_box_by_hand():
    box = trimesh.creation.box(extents=(2, 2, 2))
    mesh = torch.from_numpy(np.array(box.vertices)), torch.from_numpy(np.array(box.faces))
    points = torch.tensor([[0.0, 0, 0], [0.5, 0, 0], [3.0, 0, 0], [2.0, 2.0, 2.0], [1.0, 0.3, -0.2]])
    expected = (1 + 0.5 + 2 + 3**0.5 + 0) / 5
    assert point_to_surface_distance(points[None], [mesh]).item() == pytest.approx(expected)


@settings(max_examples=30)
@given(st.integers(0, 99), st.floats(1e-6, 1e6))
def test_laws(seed, scale):
    vertices, faces = soup(6, seed)
    points = torch.from_numpy(np.random.default_rng(seed).normal(size=(1, 4, 3)))
    value = point_to_surface_distance(points, [(vertices, faces)]).item()
    scaled = point_to_surface_distance(points * scale, [(vertices * scale, faces)]).item()
    assert scaled == pytest.approx(value * scale, rel=1e-9)
    on_it = torch.from_numpy(vertices[faces].mean(axis=1))[None]
    assert point_to_surface_distance(on_it, [(vertices, faces)]).item() == pytest.approx(0, abs=1e-12)


def test_a_fine_mesh_is_measured_as_a_coarse_one():
    vertices, faces = soup(20, seed=8)
    points = np.random.default_rng(8).normal(size=(30, 3))
    actual = point_to_surface_distance(torch.from_numpy(points * 1e-4)[None], [(vertices * 1e-4, faces)]).item()
    assert actual == pytest.approx(by_loops(points, (vertices, faces)) * 1e-4, rel=1e-9)


@pytest.mark.parametrize("height", [1e-3, 1e-5, 1e-7, 1e-9, 0.0])
def test_slivers(height):
    """Points on triangles that are nearly lines, in exact coordinates: along the axes, then turned."""
    rng = np.random.default_rng(0)
    corners = np.array([[0, 0, 0], [1, 0, 0], [0.7, height, 0]])
    weights = rng.dirichlet([1, 1, 1], size=40)
    above = np.concatenate([np.zeros(20), rng.uniform(-1, 1, 20)])
    points = weights @ corners + above[:, None] * [0, 0, 1]
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    for which in ([0, 1, 2], [1, 2, 0], [2, 1, 0]):
        for rotation in (np.eye(3), turn):
            mesh = corners @ rotation, [which]
            found = [
                point_to_surface_distance(torch.from_numpy(p @ rotation)[None, None], [mesh]).item() for p in points
            ]
            np.testing.assert_allclose(found, np.abs(above), atol=1e-7)


def test_points_at_the_middle_of_a_ball(monkeypatch):
    """All of the surface is about as near: what their planes don't rule out is measured, a part at a time."""
    ball = trimesh.creation.icosphere(3)
    mesh = np.asarray(ball.vertices), np.asarray(ball.faces)
    points = np.random.default_rng(0).normal(size=(20, 3)) * 1e-3
    measured, measure = [], _surface._Surface._measured
    monkeypatch.setattr(
        _surface._Surface, "_measured", lambda self, p, which: (measured.append(len(p)), measure(self, p, which))[1]
    )
    monkeypatch.setattr(_surface, "_EXPANDED", 64)
    actual = point_to_surface_distance(torch.from_numpy(points)[None], [mesh]).item()
    assert actual == pytest.approx(by_loops(points, mesh), rel=1e-12)
    assert max(measured) <= 64
    assert sum(measured) < 0.2 * len(points) * len(mesh[1])


def test_a_mesh_far_from_the_origin():
    mesh = np.zeros((3, 3)) + 1e6 + 0.02, [[0, 1, 2]]
    points = torch.full((1, 1, 3), 1e6)  # float32
    assert point_to_surface_distance(points, [mesh]).item() == pytest.approx(0.02 * 3**0.5, rel=1e-6)
    assert point_to_surface_distance(points, [(torch.ones(3, 3).bfloat16(), mesh[1])]).dtype == torch.float32


@pytest.mark.parametrize("squared", [True, False])
def test_gradients(squared):
    points = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 6, 3))).requires_grad_()
    mesh = soup(5, seed=2)
    assert torch.autograd.gradcheck(lambda p: point_to_surface_distance(p, [mesh], squared), points)


def test_padded_clouds_and_none():
    mesh = soup(5)
    cloud = torch.rand(3, 3)
    padded = torch.full((1, 5, 3), torch.nan)
    padded[0, :3] = cloud
    actual = point_to_surface_distance(padded, [mesh], lengths=torch.tensor([3]))
    assert torch.equal(actual, point_to_surface_distance([cloud], [mesh]))
    assert point_to_surface_distance([], []).shape == (0,)


@pytest.mark.parametrize(
    ("mesh", "message"),
    [
        (([[0.0, 0, 0]], [[0, 0, 1]]), "faces that name vertices, but those of mesh 0 go from 0 to 1 of 1"),
        (([[0.0, 0, 0]], [[0, -1, 0]]), "faces that name vertices"),
        (([[0.0, 0]], [[0, 0, 0]]), "vertices that are numbers of shape"),
        (([[0.0, 0, 0]], [[0.0, 0, 0]]), "faces that are integers of shape"),
        (([[0.0, 0, 0]], np.zeros((0, 3), dtype=int)), "faces that are integers of shape"),
        (([[0.0, 0, np.nan]], [[0, 0, 0]]), "finite vertices, but mesh 0"),
        (3, "hold pairs"),
        ((np.eye(3) * 1e200, [[0, 1, 2]]), "vertices up to 1e\\+100, but mesh 0 has 1e\\+200"),
    ],
)
def test_refuses_meshes(mesh, message):
    with pytest.raises(ValueError, match=f"`meshes` must .*{message}"):
        point_to_surface_distance(torch.zeros(1, 2, 3), [mesh])


def test_refuses_points():
    with pytest.raises(ValueError, match="`points` and `meshes` must be equally many, but got 2 clouds and 1 meshes"):
        point_to_surface_distance(torch.zeros(2, 2, 3), [soup(2)])
    with pytest.raises(ValueError, match="`points` must hold finite points"):
        point_to_surface_distance(torch.full((1, 2, 3), torch.nan), [soup(2)])
