import numpy as np
import pytest
import torch
import trimesh

from svr_baselines.networks.templates import icosphere, random_sphere, square_grid


@pytest.mark.parametrize("subdivisions", [0, 1, 4])
def test_an_icosphere_is_closed_and_on_the_sphere(subdivisions):
    vertices, faces = icosphere(subdivisions)
    assert vertices.shape == (10 * 4**subdivisions + 2, 3)
    assert faces.shape == (20 * 4**subdivisions, 3)
    torch.testing.assert_close(vertices.norm(dim=1), torch.ones(len(vertices)))
    mesh = trimesh.Trimesh(vertices.numpy(), faces.numpy(), process=False)
    assert mesh.is_watertight
    assert 0 < mesh.volume < 4 / 3 * np.pi


def test_a_grid_covers_the_square_once():
    vertices, faces = square_grid(100)
    assert vertices.shape == (100, 2)
    assert faces.shape == (2 * 81, 3)
    a, b, c = vertices[faces].unbind(1)
    (e, f), (g, h) = (b - a).unbind(1), (c - a).unbind(1)
    areas = (e * h - f * g) / 2
    torch.testing.assert_close(areas, torch.full((162,), 1 / 162))
    assert len({tuple(vertex) for vertex in vertices.tolist()}) == 100
    assert vertices.amin() == 0
    assert vertices.amax() == 1


def test_random_points_are_even_on_the_sphere():
    torch.manual_seed(0)
    points = random_sphere(20_000)
    torch.testing.assert_close(points.norm(dim=1), torch.ones(20_000))
    assert points.mean(0).abs().max() < 0.02
    # On a sphere each coordinate is uniform (Archimedes).
    torch.testing.assert_close(points.square().mean(0), torch.full((3,), 1 / 3), atol=0.01, rtol=0)


@pytest.mark.parametrize("points", [0, 1, 99, True])
def test_other_grids_are_refused(points):
    with pytest.raises(ValueError, match="`points`"):
        square_grid(points)
