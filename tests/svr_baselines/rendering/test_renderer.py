import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svr_baselines.data.cameras import LENS, UNIT_DISTANCE, Camera
from svr_baselines.rendering import Material, Surface, render
from svr_baselines.rendering.shading import light_of

WALL = np.array([[0.0, -1, 1], [0, -1, -1], [0, 1, -1], [0, 1, 1]])  # faces +X; seen from there, -Z is on the right
TWO = np.array([[0, 1, 2], [0, 2, 3]])
FROM_X = Camera(azimuth=0, elevation=0, distance=2, fov=90)  # the picture is 4 wide where the wall stands
LIGHT = light_of(np.array([1.0, 0, 0]))
QUARTERS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], dtype=np.uint8)
QUARTERS = QUARTERS.repeat(4, axis=0).repeat(4, axis=1)


def test_a_textured_wall_by_hand(renderer):
    uv = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])[TWO]
    wall = Surface(WALL, TWO, uv=uv, materials=(Material((1.0, 1.0, 1.0), QUARTERS),))
    (picture,) = render(wall, [FROM_X], 16, renderer, samples=1)
    assert picture.dtype == np.uint8
    inside = slice(4, 12)
    assert (picture[inside, inside, 3] == 255).all()
    assert picture[..., 3].sum() == 255 * 64
    assert not picture[picture[..., 3] == 0].any()
    # Upper left red, upper right green, lower left blue: not mirrored, not upside down. A texel lies on each pixel.
    np.testing.assert_allclose(picture[inside, inside, :3], LIGHT * QUARTERS, atol=0.51)


@pytest.mark.parametrize(("roll", "turns"), [(90, 1), (180, 2), (-90, 3)])
def test_roll_turns_the_picture_counter_clockwise(renderer, roll, turns):
    uv = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])[TWO]
    wall = Surface(0.93 * WALL, TWO, uv=uv, materials=(Material((1.0, 1.0, 1.0), QUARTERS),))
    rolled = Camera(azimuth=0, elevation=0, distance=2, fov=90, roll=roll)
    straight, turned = render(wall, [FROM_X, rolled], 16, renderer)
    difference = np.rot90(straight, turns).astype(int) - turned
    assert np.abs(difference).max() <= 1


def test_pixels_are_means_of_what_their_samples_see(renderer):
    # The edge between a red and a blue half lies in the middle of a column of pixels; above and below, the wall ends
    # within a row.
    middle = 0.03  # no sample is on the edge
    vertices = np.array([[0, y, z] for y in (-0.75, 0.75) for z in (0.75, -middle, -0.75)])
    faces = np.array([[0, 1, 4], [0, 4, 3], [1, 2, 5], [1, 5, 4]])
    materials = Material((1.0, 0.0, 0.0)), Material((0.0, 0.0, 1.0))
    wall = Surface(vertices, faces, material=np.array([0, 0, 1, 1]), materials=materials)
    coarse = render(wall, [FROM_X], 11, renderer, samples=4)[0].astype(float)
    fine = render(wall, [FROM_X], 44, renderer, samples=1)[0].astype(float)
    blocks = fine.reshape(11, 4, 11, 4, 4)
    alpha = blocks[..., 3].mean(axis=(1, 3))
    weighted = (blocks[..., :3] * blocks[..., 3:] / 255).sum(axis=(1, 3))
    seen = alpha > 0
    np.testing.assert_allclose(coarse[..., 3], alpha, atol=0.51)
    np.testing.assert_allclose(coarse[seen][:, :3], weighted[seen] / (16 * alpha[seen][:, None] / 255), atol=1.01)
    assert not coarse[~seen].any()
    partly = (coarse[..., 3] > 0) & (coarse[..., 3] < 255)
    assert partly.any()
    # Not mixed with the ground: colours at the border are as bright as within.
    np.testing.assert_allclose(coarse[partly][:, [0, 2]].sum(axis=1), 255 * LIGHT, atol=2)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e5])
def test_size_and_place_do_not_cost_precision(scale):
    rng = np.random.default_rng(0)
    vertices, faces = rng.uniform(-0.5, 0.5, (30, 3)), rng.integers(0, 30, (40, 3))
    camera = Camera(azimuth=20, elevation=30, distance=2)
    far = Camera(azimuth=20, elevation=30, distance=2 * scale)
    plain = render(Surface(vertices, faces), [camera], 64, "embree").astype(int)
    scaled = render(Surface(scale * vertices, faces), [far], 64, "embree").astype(int)
    assert (np.abs(plain - scaled).max(axis=-1) > 1).mean() < 1e-3


def test_a_shape_far_from_the_origin_is_seen_where_it_is(renderer):
    near = Surface(WALL + np.array([0, 0, -1]), TWO)
    (picture,) = render(near, [FROM_X], 16, renderer, samples=1)
    assert picture[..., 3].any(axis=0).nonzero()[0].tolist() == list(range(8, 16))


@given(st.integers(0, 999), st.floats(-180, 180), st.floats(-90, 90))
def test_every_shape_fits_at_the_distance_of_the_sphere_about_it(seed, azimuth, elevation):
    vertices = np.random.default_rng(seed).uniform(-1, 1, (4, 3)) * [1, 0.05, 0.3]
    surface = Surface(vertices, np.array([[0, 1, 2], [1, 2, 3]])).normalized()
    # The sphere of the box's diagonal touches the edges of the picture at 0.5 / sin(LENS / 2) = 1.203.
    (picture,) = render(surface, [Camera(azimuth, elevation, 1.21)], 48, "embree")
    border = np.concatenate([picture[[0, -1]].reshape(-1, 4), picture[:, [0, -1]].reshape(-1, 4)])
    assert not (border[:, 3] == 255).any()
    assert 0.5 / np.sin(np.radians(LENS / 2)) == pytest.approx(1.203, abs=1e-3)
    assert 0.65 * UNIT_DISTANCE < 1.203 < 0.69 * UNIT_DISTANCE  # so the nearest of the field's cameras can cut corners


def test_pictures_do_not_depend_on_what_is_drawn_with_them(renderer):
    surface = Surface(WALL, TWO)
    cameras = [Camera(azimuth=a, elevation=15, distance=4) for a in (0, 35, 120)]
    together = render(surface, cameras, 24, renderer)
    for camera, picture in zip(cameras, together, strict=True):
        np.testing.assert_array_equal(render(surface, [camera], 24, renderer)[0], picture)
    assert render(surface, [], 24, renderer).shape == (0, 24, 24, 4)


def test_nothing_in_view_is_an_empty_picture(renderer):
    away = Surface(WALL + np.array([0, 50, 0]), TWO)
    assert not render(away, [FROM_X], 8, renderer).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 0}, "`size` must be an integer of at least 1, but got 0"),
        ({"samples": 1.5}, "`samples` must be an integer of at least 1, but got 1.5"),
        ({"renderer": "gpu"}, "`renderer` must be one of"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        render(Surface(WALL, TWO), [FROM_X], **arguments)


def test_a_point_is_no_shape():
    with pytest.raises(ValueError, match="coincide"):
        render(Surface(np.ones((3, 3)), np.array([[0, 1, 2]])), [FROM_X], renderer="embree")
