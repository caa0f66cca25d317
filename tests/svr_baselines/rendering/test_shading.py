import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svr_baselines.data.cameras import Camera
from svr_baselines.rendering import Material, Surface
from svr_baselines.rendering.projection import View
from svr_baselines.rendering.shading import Hits, Shader, light_of, look_up

FRONT = View.of(Camera(azimuth=0, elevation=0, distance=3))
TRIANGLE = np.array([[0.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # its normal is +X
FACE = np.array([[0, 1, 2]])
TOWARDS_X = 0.35 + 0.6 * 2 / math.sqrt(14)
TOWARDS_Y = 0.35 + 0.6 * 3 / math.sqrt(14) + 0.25 / math.sqrt(6)
WHITE = (1.0, 1.0, 1.0)


def colors(surface, weights, view=FRONT, face=0):
    weights = np.array(weights, dtype=np.float32)
    hits = Hits(np.arange(len(weights)), np.full(len(weights), face), weights)
    return Shader(surface).colors(hits, view)


@given(st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: math.hypot(*v) > 1e-3))
def test_light_is_never_too_much(vector):
    normal = np.array(vector) / math.hypot(*vector)
    assert 0.35 <= light_of(normal) <= 1


def test_faces_of_a_white_cube_differ():
    light = np.sort(light_of(np.concatenate([np.eye(3), -np.eye(3)])))
    assert np.diff(light).min() > 0.03


@pytest.mark.parametrize("faces", [FACE, FACE[:, ::-1]])
@pytest.mark.parametrize("view", [FRONT, View.of(Camera(azimuth=180, elevation=0, distance=3))])
def test_both_sides_are_lit_from_where_they_are_seen(faces, view):
    seen = colors(Surface(TRIANGLE, faces), [[0.2, 0.3, 0.5]], view)
    expected = light_of(view.axes[2])  # the camera looks straight at the face
    np.testing.assert_allclose(seen, 0.8 * expected * np.ones((1, 3)), rtol=1e-6)


@pytest.mark.parametrize("sign", [1, -1])  # files have normals either way round
def test_smooth_normals_are_interpolated(sign):
    normals = sign * np.array([[[1.0, 0, 0], [1, 0, 0], [0.5, 2, 0]]])
    surface = Surface(TRIANGLE, FACE, normals=normals, materials=(Material(WHITE),))
    halfway = np.array([1.0, 0, 0]) + np.array([0.5, 2, 0]) / math.hypot(0.5, 2)
    seen = colors(surface, [[1, 0, 0], [0.5, 0, 0.5]])
    np.testing.assert_allclose(seen[0], TOWARDS_X, rtol=1e-6)
    np.testing.assert_allclose(seen[1], light_of(halfway / np.linalg.norm(halfway)), rtol=1e-6)


def test_faces_without_normals_are_flat_beside_smooth_ones():
    normals = np.array([[[1.0, 1, 0]] * 3, [[0.0, 0, 0]] * 3])
    surface = Surface(TRIANGLE, np.array([[0, 1, 2], [0, 1, 2]]), normals=normals, materials=(Material(WHITE),))
    center = [[1 / 3, 1 / 3, 1 / 3]]
    np.testing.assert_allclose(
        colors(surface, center, face=0)[0], light_of(np.array([1, 1, 0]) / math.sqrt(2)), rtol=1e-6
    )
    np.testing.assert_allclose(colors(surface, center, face=1)[0], TOWARDS_X, rtol=1e-6)


def test_a_normal_that_vanishes_in_between_gives_no_nan():
    normals = np.array([[[1e-9, 1, 0], [1e-9, -1, 0], [1, 0, 0]]])
    assert np.isfinite(colors(Surface(TRIANGLE, FACE, normals=normals), [[0.5, 0.5, 0]])).all()


def test_colors_materials_and_textures_multiply():
    texture = np.full((1, 1, 3), (255, 51, 0), dtype=np.uint8)
    surface = Surface(
        TRIANGLE,
        np.array([[0, 1, 2], [0, 1, 2]]),
        uv=np.zeros((2, 3, 2), dtype=np.float32),
        colors=np.array([[[1.0, 1, 1], [0, 1, 1], [1, 1, 1]], [[1, 1, 1]] * 3]),
        material=np.array([1, 0]),
        materials=(Material((0.1, 0.2, 0.3)), Material((0.5, 1.0, 1.0), texture)),
    )
    seen = np.concatenate([colors(surface, [[0.5, 0.5, 0]], face=face) for face in (0, 1)])
    np.testing.assert_allclose(seen / TOWARDS_X, [[0.25, 0.2, 0], [0.1, 0.2, 0.3]], rtol=1e-5)


def bilinear(texture, u, v):
    """One by one: texel (i, j) has its centre at u = (j + 0.5) / W and v = 1 - (i + 0.5) / H."""
    height, width = texture.shape[:2]
    total = np.zeros(3)
    for i in range(-height, 2 * height):
        for j in range(-width, 2 * width):
            near = abs(u % 1 * width - (j + 0.5)), abs((1 - v % 1) * height - (i + 0.5))
            total += max(0, 1 - near[0]) * max(0, 1 - near[1]) * texture[i % height, j % width]
    return total / 255


@given(st.integers(1, 4), st.integers(1, 4), st.floats(-3, 3), st.floats(-3, 3), st.integers(0, 99))
def test_look_up(height, width, u, v, seed):
    texture = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    np.testing.assert_allclose(look_up(texture, np.array([[u, v]]))[0], bilinear(texture, u, v), atol=1e-4)


def test_a_surface_without_area_is_refused():
    line = Surface(np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]]), FACE)
    with pytest.raises(ValueError, match="no area"):
        Shader(line)


def test_faces_without_area_do_no_harm():
    surface = Surface(TRIANGLE, np.array([[0, 1, 2], [0, 0, 1], [1, 1, 1]]), materials=(Material(WHITE),))
    np.testing.assert_allclose(colors(surface, [[0.2, 0.2, 0.6]])[0], TOWARDS_X, rtol=1e-6)
