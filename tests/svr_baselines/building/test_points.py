import sys
import types
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
import trimesh

from ds_metrics.pairwise.backends import import_quietly
from svr_baselines.building import Workers, build_points, find_meshes
from svr_baselines.building.sampling import choose_sampler, sample_surface
from svr_baselines.data import read_shapes
from svr_baselines.data.manifest import read_manifest
from svr_baselines.rendering import Surface, load_surface


def test_points_lie_on_the_normalised_surfaces(meshes, tmp_path):
    summary = build_points(meshes, tmp_path / "out", points=500)
    assert [bad.path for bad in summary.skipped] == ["odd/torn.obj"]
    assert (summary.built, summary.total) == (11, 12)
    for number in range(5):
        size = np.array([1, 2 + number, 3])
        half = size / np.linalg.norm(size) / 2
        cloud = np.load(tmp_path / "out" / "box" / f"{number}.npy")
        assert (cloud.shape, cloud.dtype) == ((500, 3), np.float32)
        on_a_side = np.abs(np.abs(cloud) - half).min(axis=1)
        np.testing.assert_allclose(on_a_side, 0, atol=1e-6)
        assert (np.abs(cloud) <= half + 1e-6).all()


def test_a_shape_far_away_and_with_z_up(meshes, tmp_path):
    build_points(meshes, tmp_path / "out", points=500, up="z")
    cloud = np.load(tmp_path / "out" / "odd" / "cone.npy")
    low, high = cloud.min(axis=0), cloud.max(axis=0)
    assert np.argmax(high - low) == 1  # it stands
    assert np.median(cloud[:, 1]) < -0.1  # on its base
    assert np.abs((high + low) / 2).max() < 0.05


def test_manifest(meshes, tmp_path):
    build_points(meshes, tmp_path / "out", points=50, seed=3)
    manifest = read_manifest(tmp_path / "out")
    rows = {sample.id: sample for sample in manifest.samples}
    assert rows["box/0"].points == "box/0.npy"
    assert rows["box/0"].mesh == "box/0.ply"
    assert [rows[f"box/{n}"].split for n in range(5)] == ["train"] * 4 + ["test"]
    assert rows["odd/cone"].category == "odd"
    assert [bad.name for bad in manifest.skipped] == ["odd/torn"]
    wanted = {"kind": "points", "points": 50, "up": "y", "sampler": "numpy", "seed": 3}
    assert {key: manifest.settings[key] for key in wanted} == wanted
    assert set(manifest.settings) == {*wanted, "dispersion_score"}


def test_the_folder_is_a_set_of_shapes(meshes, tmp_path):
    build_points(meshes, tmp_path / "out", points=50)
    shapes = read_shapes(tmp_path / "out")
    assert shapes.names == tuple(sample.id for sample in read_manifest(tmp_path / "out").samples)
    assert {len(cloud) for cloud in shapes.clouds} == {50}


@pytest.mark.usefixtures("forked_workers")
def test_same_bytes_with_more_workers_and_other_neighbours(meshes, tmp_path, tree):
    build_points(meshes, tmp_path / "one", points=50)
    build_points(meshes, tmp_path / "two", points=50, workers=Workers(2))
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    (meshes / "ball" / "0.obj").unlink()
    build_points(meshes, tmp_path / "fewer", points=50)
    assert (tmp_path / "fewer" / "ball" / "1.npy").read_bytes() == (tmp_path / "one" / "ball" / "1.npy").read_bytes()
    build_points(meshes, tmp_path / "other", points=50, seed=1)
    assert (tmp_path / "other" / "ball" / "1.npy").read_bytes() != (tmp_path / "one" / "ball" / "1.npy").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"points": 0}, "`points` must be an integer of at least 1"),
        ({"up": "x"}, "`up` must be one of"),
        ({"sampler": "blender"}, "`sampler` must be one of"),
    ],
)
def test_bad_arguments(meshes, tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        build_points(meshes, tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


@pytest.fixture(params=["numpy", "stand-in", "kaolin"])
def sampler(request, monkeypatch):
    """Each sampler by its name; Kaolin's also with a stand-in that has its interface."""
    if request.param == "kaolin":
        try:
            import_quietly("kaolin.ops.mesh")
        except ImportError as error:
            pytest.skip(f"draws with NVIDIA Kaolin, which can't be imported: {error}")
    if request.param == "stand-in":
        monkeypatch.setattr("ds_metrics.pairwise.backends.import_quietly", lambda name: STAND_IN)
        return "kaolin"
    return request.param


def face_areas(vertices, faces):
    a, b, c = (vertices[:, faces[:, corner]] for corner in range(3))
    return torch.linalg.cross(b - a, c - a).norm(dim=2) / 2


def sample_points(vertices, faces, num_samples, areas=None, face_features=None):
    chosen = torch.multinomial(areas[0], num_samples, replacement=True)
    weights = torch.distributions.Dirichlet(torch.ones(3)).sample((num_samples,))
    return torch.einsum("pc,pcd->pd", weights, vertices[0, faces[chosen]])[None], chosen[None]


STAND_IN = types.SimpleNamespace(face_areas=face_areas, sample_points=sample_points)


def test_samplers_draw_evenly_by_area(sampler, chi_square):
    # Two triangles of areas 1 : 3, each cut into four equal parts by the middles of its sides.
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 5], [3, 0, 5], [0, 1, 5]])
    surface = Surface(vertices, np.array([[0, 1, 2], [3, 4, 5]]))
    cloud = sample_surface(surface, 40_000, seed=1, sampler=sampler)
    counts = []
    for height, length in ((0, 1), (5, 3)):
        u, v = (cloud[np.abs(cloud[:, 2] - height) < 1] / [length, 1, 1])[:, :2].T
        assert ((u >= 0) & (v >= 0) & (u + v <= 1 + 1e-6)).all()
        counts += [(u > 0.5).sum(), (v > 0.5).sum(), (u + v < 0.5).sum()]
        counts.append(len(u) - sum(counts[-3:]))
    assert chi_square(np.array(counts), [1] * 4 + [3] * 4) < 3


def test_samplers_depend_on_the_seed_and_leave_torch_alone(sampler):
    surface = Surface(np.eye(3), np.array([[0, 1, 2]]))
    before = torch.random.get_rng_state()
    first, again, other = (sample_surface(surface, 9, seed, sampler) for seed in (2**63 + 5, 2**63 + 5, 6))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.dtype == np.float32
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_surface_without_area_is_refused(sampler):
    with pytest.raises(ValueError, match="no area"):
        sample_surface(Surface(np.zeros((3, 3)), np.array([[0, 1, 2]])), 9, seed=0, sampler=sampler)


def test_threads_draw_the_same_points(sampler):
    surface = Surface(np.eye(3), np.array([[0, 1, 2]]))
    one = [sample_surface(surface, 500, seed, sampler) for seed in range(60)]
    with ThreadPoolExecutor(4) as threads:
        several = list(threads.map(lambda seed: sample_surface(surface, 500, seed, sampler), range(60)))
    np.testing.assert_array_equal(one, several)


def test_kaolin_draws_under_a_default_device_and_leaves_generators_of_gpus(monkeypatch):
    monkeypatch.setattr("ds_metrics.pairwise.backends.import_quietly", lambda name: STAND_IN)
    monkeypatch.setattr(torch, "manual_seed", lambda seed: pytest.fail("it seeds all devices"))
    surface = Surface(np.eye(3), np.array([[0, 1, 2]]))
    expected = sample_surface(surface, 9, 1, "kaolin")
    with torch.device("meta"):
        np.testing.assert_array_equal(sample_surface(surface, 9, 1, "kaolin"), expected)


def test_auto_is_numpy_where_kaolin_is_and_goes_on_with_what_a_folder_was_begun_with(
    meshes, tmp_path, tree, monkeypatch
):
    out = tmp_path / "out"
    assert build_points(meshes, out, points=50).folders == (out,)
    with monkeypatch.context() as patched:
        patched.setattr("ds_metrics.pairwise.backends.import_quietly", lambda name: STAND_IN)
        build_points(meshes, tmp_path / "new", points=50)
        assert tree(tmp_path / "new") == tree(out)
        with pytest.raises(ValueError, match="other settings: sampler 'numpy', not 'kaolin'"):
            build_points(meshes, out, points=50, sampler="kaolin")
        build_points(meshes, tmp_path / "kaolin", points=50, sampler="kaolin")
        assert build_points(meshes, tmp_path / "kaolin", points=50).built == 0
    with pytest.raises(ValueError, match="other settings: sampler 'kaolin', not 'numpy'"):
        build_points(meshes, tmp_path / "kaolin", points=50, sampler="numpy")


def test_build_and_evaluation_draw_the_same_points(meshes, tmp_path):
    build_points(meshes, tmp_path / "out", points=50)
    (meshes / "odd" / "torn.obj").unlink()
    drawn = read_shapes(meshes, points=50, normalize="none")
    for name, cloud in zip(drawn.names, drawn.clouds, strict=True):
        surface = load_surface(next(meshes.glob(f"{name}.*")))
        low, high = surface.bounds
        built = np.load(tmp_path / "out" / f"{name}.npy") * np.linalg.norm(high - low) + (low + high) / 2
        np.testing.assert_allclose(built, cloud, atol=1e-5 * np.abs(high - low).max() + 1e-6 * np.abs(high).max())


@pytest.mark.parametrize("error", [ImportError("half"), SystemExit(3), OSError("half"), AttributeError("half")])
def test_kaolin_is_asked_for_and_missing(monkeypatch, error):
    def fail(name):
        raise error

    monkeypatch.setattr("ds_metrics.pairwise.backends.import_quietly", fail)
    assert choose_sampler("auto") == "numpy"
    with pytest.raises(ValueError, match=r"`sampler` is 'kaolin', which can't be imported: .*(half|SystemExit: 3)$"):
        choose_sampler("kaolin")


def test_auto_does_not_import_kaolin(monkeypatch):
    monkeypatch.setitem(sys.modules, "kaolin", None)
    monkeypatch.setattr("ds_metrics.pairwise.backends.import_quietly", lambda name: pytest.fail(name))
    assert choose_sampler() == "numpy"


@pytest.mark.parametrize("name", ["../up", "/root", "a//b", "", "a/./b"])
def test_ids_stay_in_the_folder(tmp_path, name):
    source = types.SimpleNamespace(id=name, mesh=None)
    with pytest.raises(ValueError, match="`meshes` must hold sources whose ids are paths below a folder, but got "):
        build_points([source], tmp_path / "out")


def test_a_mesh_that_can_not_be_read_is_skipped(meshes, tmp_path):
    class Locked:
        id, mesh = "locked", None

        def load(self, up, materials):
            raise PermissionError(13, "Permission denied")

    good = find_meshes(meshes)[0]
    summary = build_points([good, Locked()], tmp_path / "out", points=9)
    assert [(bad.name, bad.reason) for bad in summary.skipped] == [
        ("locked", "the mesh can't be read: Permission denied")
    ]


def test_points_and_pictures_share_a_frame(meshes):
    surface = load_surface(meshes / "odd" / "cone.off").normalized()
    cloud = sample_surface(surface, 2000, seed=0)
    box = trimesh.Trimesh(surface.vertices, surface.faces).bounding_box
    assert np.linalg.norm(box.extents) == pytest.approx(1)
    assert box.contains(cloud * 0.999).all()
