import sys

import numpy as np
import pytest
import torch
import trimesh

from svr_baselines.networks.surface import extract_surface


def mesh_of(field, resolution, level=0.0):
    surface = extract_surface(field, resolution, 1.1, level)
    return trimesh.Trimesh(surface.vertices, surface.faces)


def ball(places):
    return 0.7 - places.norm(dim=1)


@pytest.mark.parametrize("resolution", [5, 24, 48, 50, 100])
def test_a_ball_is_closed_and_outward_and_of_the_right_volume(resolution):
    mesh = mesh_of(ball, resolution)
    assert mesh.is_watertight
    cell = 2.2 / resolution
    assert np.abs(np.linalg.norm(mesh.vertices, axis=1) - 0.7).max() < cell**2
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * 0.7**3, rel=3 * cell**2)


def test_refining_equals_the_full_grid_and_computes_a_part_of_it():
    counts = []

    def torus(places):
        counts.append(len(places))
        return 0.25 - ((places[:, :2].norm(dim=1) - 0.6) ** 2 + places[:, 2] ** 2).sqrt()

    refined = mesh_of(torus, 96)
    assert sum(counts) < 97**3 / 3
    from skimage.measure import marching_cubes

    ticks = torch.linspace(-1.1, 1.1, 97)
    grid = torch.stack(torch.meshgrid(ticks, ticks, ticks, indexing="ij"), dim=-1)
    vertices, faces, _, _ = marching_cubes(torus(grid.view(-1, 3)).view(97, 97, 97).numpy(), 0.0)
    full = trimesh.Trimesh(vertices * 2.2 / 96 - 1.1, faces[:, ::-1])
    assert refined.volume == pytest.approx(full.volume, rel=1e-6)
    assert len(refined.vertices) == len(full.vertices)
    assert refined.euler_number == 0


def test_what_leaves_the_box_is_closed_there():
    mesh = mesh_of(lambda places: places[:, 0], 32)
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(1.1 * 2.2**2, rel=0.01)
    assert np.allclose(mesh.bounds, [[0, -1.1, -1.1], [1.1, 1.1, 1.1]], atol=1e-3)


def test_a_field_below_the_level_is_cut_below_its_largest_value():
    mesh = mesh_of(lambda places: -3 - (places - torch.tensor([0.5, 0.0, 0.0])).norm(dim=1), 48)
    assert mesh.volume > 0
    assert np.allclose(mesh.centroid, [0.5, 0, 0], atol=0.1)


@pytest.mark.parametrize("value", [-3.0, 3.0])
def test_a_constant_field_is_the_box(value):
    mesh = mesh_of(lambda places: torch.full((len(places),), value), 24)
    assert mesh.volume == pytest.approx(2.2**3, rel=0.01)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_what_is_not_finite_is_refused(value):
    with pytest.raises(ValueError, match="must be finite"):
        extract_surface(lambda places: torch.full((len(places),), value), 24, 1.1)


def test_without_scikit_image_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.measure", None)
    with pytest.raises(ValueError, match=r"scikit-image.*pip install 'dispersion-score\[train\]'"):
        extract_surface(ball, 8, 1.1)
