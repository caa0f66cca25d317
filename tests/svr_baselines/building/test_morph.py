import itertools

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st

from svr_baselines.building.morph import ISOMETRIC, morph_mesh, morph_normals, morph_value
from svr_baselines.rendering import Surface, render
from svr_baselines.rendering.shading import light_of

HALF = 1 / np.sqrt(3)
VALUES = st.floats(0, 1)
RESOLUTIONS = st.integers(1, 20).map(lambda half: 2 * half)


@given(VALUES, RESOLUTIONS)
def test_vertices_lie_between_the_cube_and_the_sphere_on_their_ray(value, resolution):
    vertices, _ = morph_mesh(value, resolution)
    radius = np.linalg.norm(vertices, axis=1)
    cube = HALF / np.abs(vertices / radius[:, None]).max(axis=1)  # where the ray leaves the cube
    np.testing.assert_allclose(radius, (1 - value) * cube + value, rtol=1e-12)


def test_the_ends():
    cube, _ = morph_mesh(0)
    sphere, _ = morph_mesh(1)
    np.testing.assert_allclose(np.abs(cube).max(axis=1), HALF, rtol=1e-15)
    np.testing.assert_allclose(np.linalg.norm(sphere, axis=1), 1, rtol=1e-15)
    corners = HALF * np.array(list(itertools.product((-1, 1), repeat=3)))
    for value in (0, 0.3, 1):  # The corners of the cube stay.
        vertices, _ = morph_mesh(value)
        assert np.linalg.norm(vertices[None] - corners[:, None], axis=2).min(axis=1).max() < 1e-15


@given(VALUES, RESOLUTIONS)
def test_mesh_is_closed_and_faces_outwards(value, resolution):
    vertices, faces = morph_mesh(value, resolution)
    assert (len(vertices), len(faces)) == (6 * resolution**2 + 2, 12 * resolution**2)
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.euler_number == 2
    outwards = np.einsum("fc,fc->f", mesh.face_normals, mesh.triangles_center)
    assert outwards.min() > 0.5


@pytest.mark.parametrize("value", [0, 0.2, 0.7, 1])
def test_volume_is_that_of_the_star_shaped_body(value):
    # The integral of r^3 / 3 over all directions, by Gauss-Legendre on one side: dOmega = a du dw / |q|^3.
    nodes, weights = np.polynomial.legendre.leggauss(40)
    u, w = np.meshgrid(HALF * nodes, HALF * nodes)
    norm = np.sqrt(u**2 + w**2 + HALF**2)
    integrand = ((1 - value) * norm + value) ** 3 / 3 * HALF / norm**3
    expected = 6 * HALF**2 * (integrand * np.outer(weights, weights)).sum()
    mesh = trimesh.Trimesh(*morph_mesh(value, 64), process=False)
    assert mesh.volume == pytest.approx(expected, rel=1e-3)
    if value == 1:
        assert expected == pytest.approx(4 / 3 * np.pi)


@given(VALUES, RESOLUTIONS)
def test_triangles_are_well_shaped(value, resolution):
    vertices, faces = morph_mesh(value, resolution)
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    sides = np.stack([np.linalg.norm(b - c, axis=1), np.linalg.norm(c - a, axis=1), np.linalg.norm(a - b, axis=1)])
    p, q, r = sides  # angles by the law of cosines
    angles = np.degrees(np.arccos([(q**2 + r**2 - p**2) / (2 * q * r), (r**2 + p**2 - q**2) / (2 * r * p)]))
    angles = np.concatenate([angles, 180 - angles.sum(axis=0, keepdims=True)])
    assert angles.min() >= 40
    assert angles.max() <= 90 + 1e-6
    assert (sides.max(axis=0) / sides.min(axis=0)).max() < 1.6


@given(RESOLUTIONS)
def test_edges_of_the_cube_are_edges_of_the_mesh(resolution):
    vertices, faces = morph_mesh(0, resolution)
    on_side = np.abs(np.abs(vertices[faces]) - HALF) < 1e-12
    assert (on_side.all(axis=1).sum(axis=1) == 1).all()  # no triangle bends around an edge


def test_mesh_has_the_symmetry_of_the_cube():
    vertices, faces = morph_mesh(0.4, 6)
    names = {tuple(vertex.round(9) + 0.0): i for i, vertex in enumerate(vertices)}
    triangles = {frozenset(face) for face in faces.tolist()}
    for order, signs in itertools.product(itertools.permutations(range(3)), itertools.product((-1, 1), repeat=3)):
        image = [names[tuple(vertex.round(9) + 0.0)] for vertex in vertices[:, order] * signs]
        assert {frozenset(image[i] for i in face) for face in faces} == triangles


@given(VALUES)
def test_normals_are_those_of_the_surface(value):
    """Against the cross product of central differences along the side."""
    vertices, faces = morph_mesh(0, 4)
    normals = morph_normals(value, 4)
    step = 1e-5
    for face, corner_normals in list(zip(faces, normals, strict=True))[::7]:
        corners = vertices[face]
        axis = int(np.flatnonzero((np.abs(np.abs(corners) - HALF) < 1e-12).all(axis=0))[0])
        for q, normal in zip(corners, corner_normals, strict=True):
            tangents = []
            for other in ((axis + 1) % 3, (axis + 2) % 3):
                shift = step * np.eye(3)[other]
                ahead, behind = q + shift, q - shift
                tangents.append(
                    ((1 - value) + value / np.linalg.norm(ahead)) * ahead
                    - ((1 - value) + value / np.linalg.norm(behind)) * behind
                )
            expected = np.cross(*tangents) * np.sign(q[axis])
            np.testing.assert_allclose(normal, expected / np.linalg.norm(expected), atol=1e-6)


@pytest.mark.parametrize("value", [0, 0.1, 0.5, 0.9, 1])
def test_normals_agree_with_the_triangles(value):
    mesh = trimesh.Trimesh(*morph_mesh(value), process=False)
    normals = morph_normals(value)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=2), 1, rtol=1e-12)
    cosine = np.einsum("fkc,fc->fk", normals, mesh.face_normals)
    assert np.degrees(np.arccos(cosine.min().clip(-1, 1))) < 3.5


def test_creases_flatten_as_the_sphere_nears():
    vertices, faces = morph_mesh(0, 8)
    middle = int(np.flatnonzero(np.linalg.norm(vertices - [HALF, HALF, 0], axis=1) < 1e-12)[0])
    at = faces == middle
    creases = []
    for value in np.linspace(0, 1, 21):
        met = morph_normals(value, 8)[at]
        creases.append(np.degrees(np.arccos((met @ met.T).clip(-1, 1))).max())
    assert creases[0] == pytest.approx(90)
    assert creases[-1] == pytest.approx(0, abs=1e-5)
    assert (np.diff(creases) < 0).all()


def test_sphere_is_drawn_without_facets():
    """Against the light on an analytic sphere, pixel by pixel."""
    size = 96
    picture = _picture(1.0, size)
    tangent = np.tan(np.radians(ISOMETRIC.fov / 2))
    along = (2 * np.arange(size) + 1) / size - 1
    x, y = np.meshgrid(along * tangent, -along * tangent)
    rays = np.stack([x, y, -np.ones_like(x)], axis=2) @ ISOMETRIC.rotation
    rays /= np.linalg.norm(rays, axis=2, keepdims=True)
    nearest = -rays @ ISOMETRIC.position  # where a ray passes the centre
    inside = nearest**2 - (ISOMETRIC.distance**2 - 1)
    hit = inside > 0.02  # the outline left out
    points = ISOMETRIC.position + (nearest - np.sqrt(np.maximum(inside, 0)))[..., None] * rays
    expected = 255 * 0.8 * light_of(points[hit])
    assert (picture[hit][:, 3] == 255).all()
    assert np.abs(picture[hit][:, 0] - expected).max() < 1
    assert (picture[inside < -0.02][:, 3] == 0).all()


def test_cube_is_drawn_with_three_even_sides():
    picture = _picture(0.0, 96)
    shades, counts = np.unique(picture[picture[..., 3] > 0][:, 0], return_counts=True)
    assert shades.tolist() == sorted((255 * 0.8 * light_of(np.eye(3))).round())
    assert counts.max() / counts.min() < 1.1  # seen alike


def test_picture_holds_every_step():
    for value in (0.0, 0.5, 1.0):
        alpha = _picture(value, 64)[..., 3]
        rows, columns = np.nonzero(alpha)
        margins = (rows.min(), columns.min(), 63 - rows.max(), 63 - columns.max())
        assert min(margins) >= 3


def test_results_are_the_callers_own():
    vertices, faces = morph_mesh(0.5, 4)
    kept = vertices.copy(), faces.copy()
    vertices[:] = 0
    faces[:] = 0
    again = morph_mesh(0.5, 4)
    np.testing.assert_array_equal(again[0], kept[0])
    np.testing.assert_array_equal(again[1], kept[1])


@pytest.mark.parametrize("value", [-0.001, 1.001, float("nan"), float("inf")])
@pytest.mark.parametrize("function", [morph_mesh, morph_normals])
def test_refuses_values_beyond_the_ends(function, value):
    with pytest.raises(ValueError, match=r"`value` must be in \[0, 1\]"):
        function(value)


@pytest.mark.parametrize("resolution", [0, -2, 3, 2.0, True, "8"])
@pytest.mark.parametrize("function", [morph_mesh, morph_normals])
def test_refuses_resolutions_that_are_not_even(function, resolution):
    with pytest.raises(ValueError, match="`resolution` must be a positive even number"):
        function(0.5, resolution)


def test_values_of_the_set():
    values = [morph_value(i) for i in range(1000)]
    assert values[0] == 0
    assert values[333] == 0.333
    assert np.allclose(np.diff(values), 0.001)
    for index, count in ((-1, 1000), (1000, 1000), (0, 0)):
        with pytest.raises(ValueError, match="`index` must be in"):
            morph_value(index, count)


def _picture(value, size):
    surface = Surface(*morph_mesh(value), normals=morph_normals(value))
    return render(surface, [ISOMETRIC], size=size, samples=1)[0].astype(float)
