import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svr_baselines.rendering import Material, Surface

VERTICES = np.array([[0.0, 0, 0], [3, 0, 0], [0, 4, 0], [9, 9, 9]])  # the last belongs to no face
FACES = np.array([[0, 1, 2]])


def test_normalized_by_hand():
    np.testing.assert_allclose(
        Surface(VERTICES, FACES).normalized().vertices[:3], [[-0.3, -0.4, 0], [0.3, -0.4, 0], [-0.3, 0.4, 0]]
    )


@given(st.integers(0, 999), st.floats(1e-6, 1e6), st.tuples(*[st.floats(-10, 10)] * 3))
def test_units_and_place_do_not_matter_once_normalized(seed, scale, shift):
    vertices = np.random.default_rng(seed).normal(size=(9, 3))
    faces = np.arange(9).reshape(3, 3)
    plain = Surface(vertices, faces).normalized().vertices
    moved = Surface(scale * (vertices + shift), faces).normalized()
    np.testing.assert_allclose(moved.vertices, plain, atol=1e-9)
    low, high = moved.bounds
    assert np.linalg.norm(high - low) == pytest.approx(1)
    np.testing.assert_allclose(low + high, 0, atol=1e-9)


def test_the_rest_of_a_surface_stays():
    surface = Surface(VERTICES, FACES, colors=np.ones((1, 3, 3)), materials=(Material((0.0, 1.0, 0.0)),))
    assert surface.normalized().materials == surface.materials
    assert surface.normalized().colors is surface.colors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"vertices": np.zeros((4, 2))}, r"vertices must have shape \(V, 3\), but got \(4, 2\)"),
        ({"faces": np.empty((0, 3), dtype=int)}, "the mesh has no faces"),
        ({"faces": np.array([[0, 1, 2, 3]])}, r"faces must be integers of shape \(F, 3\)"),
        ({"faces": np.array([[0.0, 1, 2]])}, r"faces must be integers of shape \(F, 3\), but got float64"),
        ({"faces": np.array([[0, 1, 4]])}, "has 4 vertices, but a face names vertex 4"),
        ({"faces": np.array([[0, 1, -1]])}, "has 4 vertices, but a face names vertex -1"),
        ({"vertices": np.array([[0, 0, np.nan], [0, 1, 0], [0, np.inf, 0]])}, "has 2 NaN or infinite vertices"),
        ({"normals": np.zeros((1, 3))}, r"`normals` must have shape \(1, 3, 3\), but got \(1, 3\)"),
        ({"uv": np.full((1, 3, 2), np.nan)}, "`uv` must be finite"),
        ({"colors": np.zeros((2, 3, 3))}, r"`colors` must have shape \(1, 3, 3\)"),
        ({"materials": ()}, "`materials` must not be empty"),
        ({"material": np.array([0, 0])}, r"`material` must have shape \(1,\), but got \(2,\)"),
        ({"material": np.array([1])}, "`material` must name one of 1 materials, but got 1"),
        ({"material": np.array([-1])}, "`material` must name one of 1 materials, but got -1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Surface(**{"vertices": VERTICES, "faces": FACES, **arguments})


def test_a_vertex_of_no_face_may_be_anything():
    vertices = VERTICES.copy()
    vertices[3] = np.nan
    assert np.isfinite(Surface(vertices, FACES).normalized().vertices[:3]).all()


@pytest.mark.parametrize(
    ("vertices", "message"),
    [(np.ones((3, 3)), "coincide"), (np.array([[-1e308, 0, 0], [1e308, 0, 0], [0, 1e308, 0]]), "too large")],
)
def test_shapes_without_a_size_are_refused(vertices, message):
    with pytest.raises(ValueError, match=message):
        Surface(vertices, FACES).normalized()


@pytest.mark.parametrize("color", [(0.1, 0.2), (0.0, 0.0, 1.1), (np.nan, 0.0, 0.0)])
def test_colors_out_of_range_are_refused(color):
    with pytest.raises(ValueError, match="three numbers in"):
        Material(color)


@pytest.mark.parametrize("texture", [np.zeros((2, 2, 4), np.uint8), np.zeros((2, 2, 3)), np.zeros((0, 2, 3), np.uint8)])
def test_textures_of_another_kind_are_refused(texture):
    with pytest.raises(ValueError, match="uint8 of shape"):
        Material(texture=texture)
