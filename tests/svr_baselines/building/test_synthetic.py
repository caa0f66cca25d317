import numpy as np
import pytest
import trimesh
from PIL import Image

from svr_baselines.building import Workers, build_synthetic
from svr_baselines.building import synthetic as module
from svr_baselines.building.morph import ISOMETRIC, morph_mesh
from svr_baselines.data.manifest import read_manifest

SMALL = {"count": 20, "points": 60, "size": 32, "renderer": "embree", "samples": 1}


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    out = tmp_path_factory.mktemp("synthetic") / "out"
    assert build_synthetic(out, **SMALL).built == 20
    return out


def test_each_step_has_its_mesh_picture_and_points(out, tree):
    rows = read_manifest(out).samples
    assert [row.id for row in rows] == [f"{n:04d}" for n in range(20)]
    assert [row.values["morph"] for row in rows] == [n / 20 for n in range(20)]
    assert {row.camera for row in rows} == {ISOMETRIC}
    for row in rows:
        vertices, faces = morph_mesh(row.values["morph"], module.RESOLUTION)
        mesh = trimesh.load(out / row.mesh, process=False)
        np.testing.assert_allclose(mesh.vertices, vertices, atol=1e-6)
        np.testing.assert_array_equal(mesh.faces, faces)
        cloud = np.load(out / row.points)
        assert (cloud.shape, cloud.dtype) == ((60, 3), np.float32)
        assert np.abs(trimesh.proximity.closest_point_naive(mesh, cloud[:3])[1]).max() < 1e-5
        with Image.open(out / row.image) as picture:
            assert (picture.size, picture.mode) == ((32, 32), "RGBA")
            assert 200 < (np.array(picture)[..., 3] > 0).sum() < 700
    names = {name for row in rows for name in (row.mesh, row.points, row.image)}
    assert set(tree(out)) == {*names, "manifest.csv", "dataset.json"}


def test_split(out):
    parts = [row.split for row in read_manifest(out).samples]
    assert [parts.count(part) for part in ("train", "validation", "test")] == [14, 2, 4]


@pytest.mark.usefixtures("forked_workers")
def test_workers_and_seeds(out, tmp_path, tree):
    build_synthetic(tmp_path / "two", **SMALL, workers=Workers(2))
    assert tree(tmp_path / "two") == tree(out)
    build_synthetic(tmp_path / "other", **SMALL, seed=1)
    other = tree(tmp_path / "other")
    same = {name for name, content in tree(out).items() if other[name] == content}
    assert same == {name for name in other if name.startswith(("images/", "meshes/"))}


def test_sub_trainsets_are_manifests_of_the_sets_files(tmp_path, monkeypatch):
    def touch(self, item, scratch):
        for name in (module._points(item.id), module._image(item.id), module._mesh(item.id)):
            (self.out / name).parent.mkdir(exist_ok=True)
            (self.out / name).touch()

    monkeypatch.setattr(module._Maker, "make", touch)
    build_synthetic(tmp_path, renderer="embree")
    names = sorted(path.name for path in (tmp_path / "trainsets").iterdir())
    assert names == sorted([f"S1I{i}" for i in range(1, 9)] + [f"S{j}I8" for j in range(2, 9)])
    rows = {row.id: row for row in read_manifest(tmp_path).samples}
    by_image = {row.image: row for row in rows.values()}
    by_points = {row.points: row for row in rows.values()}
    spreads = {}
    for name in names:
        manifest = read_manifest(tmp_path / "trainsets" / name)
        assert [row.category for row in manifest.samples] == ["cube"] * 10 + ["sphere"] * 10
        for row in manifest.samples:
            assert by_image[row.image].split == by_points[row.points].split == "train"
            assert by_image[row.image].values["morph"] == row.values["image_morph"]
            assert by_points[row.points].values["morph"] == row.values["shape_morph"]
        images, shapes = (
            [[row.values[key] for row in manifest.samples if row.category == end] for end in ("cube", "sphere")]
            for key in ("image_morph", "shape_morph")
        )
        spreads[name] = tuple(sum(max(end) - min(end) for end in ends) for ends in (images, shapes))
        assert manifest.settings["trainset"] == name
    assert spreads["S1I1"][1] == 0
    images = [spreads[f"S1I{i}"][0] for i in range(1, 9)]
    shapes = [spreads[f"S{j}I8"][1] for j in range(1, 9)]
    assert images == sorted(set(images))
    assert shapes == sorted(set(shapes))
    assert {spreads[f"S1I{i}"][1] for i in range(1, 9)} == {0}
    assert {spreads[f"S{j}I8"][0] for j in range(1, 9)} == {images[-1]}


@pytest.mark.parametrize("argument", ["count", "points", "size", "samples"])
def test_bad_counts(tmp_path, argument):
    with pytest.raises(ValueError, match=f"`{argument}` must be an integer of at least 1"):
        build_synthetic(tmp_path / "out", **{**SMALL, argument: 0})


def test_damaged_files_are_built_again(tmp_path):
    options = {"count": 3, "points": 20, "size": 8, "samples": 1}
    build_synthetic(tmp_path, **options)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for name in ("meshes/0000.ply", "images/0001.png", "points/0002.npy"):
        (tmp_path / name).write_bytes(b"nothing")
    assert build_synthetic(tmp_path, **options).built == 3
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
