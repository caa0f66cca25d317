"""Renderers against one another, and against pictures of a sphere and a box worked out by themselves."""

import math

import numpy as np
import pytest
import trimesh

from svr_baselines.data.cameras import Camera
from svr_baselines.rendering import Material, Surface, backends, render

SIZE = 112
CAMERAS = [
    Camera(azimuth=0, elevation=0, distance=1.75),
    Camera(azimuth=40, elevation=25, distance=1.2, roll=0),
    Camera(azimuth=-75, elevation=-30, distance=1.4, roll=25),
    Camera(azimuth=200, elevation=90, distance=1.75),
    Camera(azimuth=130, elevation=-90, distance=1.3, fov=45),
]
SIDES = np.array([0.5, 0.7, 0.3]) / math.sqrt(0.5**2 + 0.7**2 + 0.3**2)
BALL = 1 / math.sqrt(12)  # radius of the ball whose bounding box has a diagonal of 1


def rays(camera, side):
    """Origin and unit directions of the samples' centres, by the formulas of the field."""
    az, el, roll = (math.radians(angle) for angle in (camera.azimuth, camera.elevation, camera.roll))
    back = np.array([math.cos(el) * math.cos(az), math.sin(el), math.cos(el) * math.sin(az)])
    right = np.cross([0.0, 1.0, 0.0], back)
    if np.linalg.norm(right) < 1e-9:  # at a pole: the limit along the meridian
        right = np.array([math.sin(az), 0.0, -math.cos(az)])
    right /= np.linalg.norm(right)
    top = np.cross(back, right)
    column, row = np.meshgrid(np.arange(side), np.arange(side))
    x, y = (column + 0.5) / side * 2 - 1, 1 - (row + 0.5) / side * 2
    # What the picture shows, turned counter-clockwise, at a place is what it would show at the place turned back.
    x, y = x * math.cos(roll) + y * math.sin(roll), y * math.cos(roll) - x * math.sin(roll)
    half = math.tan(math.radians(camera.fov) / 2)
    directions = half * x[..., None] * right + half * y[..., None] * top - back
    return camera.distance * back, directions / np.linalg.norm(directions, axis=2, keepdims=True)


def hit_ball(origin, directions):
    """Where rays meet the ball, and its normals there."""
    along = -(directions @ origin)
    inside = along**2 - (origin @ origin - BALL**2)
    with np.errstate(invalid="ignore"):
        points = origin + (along - np.sqrt(inside))[..., None] * directions
    return inside > 0, points / BALL


def hit_box(origin, directions):
    """By slabs: a ray is in the box between its last entry and its first exit."""
    with np.errstate(divide="ignore"):
        first, second = ((sign * SIDES / 2 - origin) / directions for sign in (-1, 1))
    entry, leave = np.minimum(first, second), np.maximum(first, second)
    axis = entry.argmax(axis=2)
    normals = -np.sign(directions) * np.eye(3)[axis]
    return entry.max(axis=2) < leave.min(axis=2), normals


def draw(hit, camera, color, samples):
    """A picture by an analytic intersection and the documented formula of light."""
    seen, normals = hit(*rays(camera, SIZE * samples))
    sun, fill = np.array([2, 3, 1]) / math.sqrt(14), np.array([-1, 1, -2]) / math.sqrt(6)
    light = 0.35 + 0.6 * np.maximum(normals @ sun, 0) + 0.25 * np.maximum(normals @ fill, 0)
    blocks = seen.reshape(SIZE, samples, SIZE, samples)
    count = blocks.sum(axis=(1, 3))
    total = (np.where(seen, light, 0).reshape(blocks.shape)).sum(axis=(1, 3))
    mean = total / np.maximum(count, 1)
    return 255 * np.concatenate([mean[..., None] * np.array(color), count[..., None] / samples**2], axis=2)


def ball(color):
    mesh = trimesh.creation.icosphere(subdivisions=4, radius=BALL)
    vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    return Surface(vertices, faces, normals=vertices[faces], materials=(Material(color),))


def box(color):
    mesh = trimesh.creation.box(extents=SIDES)
    return Surface(np.asarray(mesh.vertices), np.asarray(mesh.faces), materials=(Material(color),))


def assert_alike(first, second):
    """Silhouettes overlap by 0.99, and colours differ by less than 2 of 255 on average, over what either shows."""
    first, second = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    solid = first[..., 3] > 127, second[..., 3] > 127
    either = solid[0] | solid[1]
    assert either.sum() > 500
    assert (solid[0] & solid[1]).sum() / either.sum() >= 0.99
    shown = [picture[..., :3] * picture[..., 3:] / 255 for picture in (first, second)]
    assert np.abs(shown[0] - shown[1])[either].mean() < 2
    both = (first[..., 3] == 255) & (second[..., 3] == 255)
    assert np.abs(first - second)[both].mean() < 2


@pytest.mark.parametrize("samples", [1, 2])
@pytest.mark.parametrize(("surface", "hit"), [(ball, hit_ball), (box, hit_box)])
def test_analytic_shapes(renderer, surface, hit, samples):
    color = 0.9, 0.5, 1.0
    pictures = render(surface(color), CAMERAS, SIZE, renderer, samples)
    for picture, camera in zip(pictures, CAMERAS, strict=True):
        assert_alike(picture, draw(hit, camera, color, samples))


def scene():
    """Parts that hide each other and pass through each other: smooth and flat, plain, textured and with colours."""
    ring = trimesh.creation.torus(0.5, 0.2, major_sections=24, minor_sections=12)
    slab = trimesh.creation.box(extents=[1.5, 0.1, 0.6])
    rng = np.random.default_rng(0)
    # Smooth: of a texture of noise, samples a hair apart would be of different colours.
    ramp = np.linspace(0, 255, 16).astype(np.uint8)
    texture = np.stack([*np.meshgrid(ramp, ramp), np.full((16, 16), 128, dtype=np.uint8)], axis=-1)
    faces = np.concatenate([ring.faces, slab.faces + len(ring.vertices)])
    count, flat = len(ring.faces), len(slab.faces)
    return Surface(
        np.concatenate([ring.vertices, slab.vertices]),
        faces,
        normals=np.concatenate([-ring.vertex_normals[ring.faces], np.zeros((flat, 3, 3))]),
        uv=np.concatenate([rng.random((count, 3, 2)), rng.random((flat, 3, 2))]).astype(np.float32),
        colors=np.concatenate([np.ones((count, 3, 3)), rng.random((flat, 3, 3))]).astype(np.float32),
        material=np.repeat([0, 1], [count, flat]),
        materials=(Material((1.0, 1.0, 1.0), texture), Material((0.2, 0.9, 0.4))),
    ).normalized()


def test_renderers_agree(fake_kaolin):
    surface = scene()
    for first, second in zip(*(render(surface, CAMERAS, SIZE, name) for name in ("embree", "kaolin")), strict=True):
        assert_alike(first, second)


@pytest.mark.skipif(backends.lack("kaolin") is not None, reason=f"Kaolin itself {backends.lack('kaolin')}")
def test_kaolin_itself():
    surfaces = [scene(), ball((1.0, 1.0, 1.0)), box((1.0, 0.5, 0.0))]
    for surface in surfaces:
        for first, second in zip(*(render(surface, CAMERAS, 224, name) for name in ("embree", "kaolin")), strict=True):
            assert_alike(first, second)
