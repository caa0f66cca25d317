import numpy as np
import pytest
from PIL import Image

from svr_baselines.data import ManifestDataset
from svr_baselines.data.cameras import Camera
from svr_baselines.data.manifest import Manifest, Sample, read_manifest, write_manifest
from svr_baselines.recall import recall


@pytest.fixture
def folder(tmp_path):
    """Ten shapes, rods along X and discs in YZ, of ten lengths; pictures of a colour of their own each."""
    rng = np.random.default_rng(0)
    rows = []
    for n in range(10):
        shape = rng.uniform(-1, 1, (40, 3)) * ([1, 0.1, 0.1] if n % 2 else [0.1, 1, 1]) * (1 + n / 20)
        np.save(tmp_path / f"{n}.npy", shape)
        Image.new("RGB", (8, 8), (200 if n % 2 else 50, 20 * n, 0)).save(tmp_path / f"{n}.png")
        split, camera = "test" if n > 7 else "train", Camera(40 * n, 20)
        rows.append(Sample(str(n), "", split, image=f"{n}.png", points=f"{n}.npy", camera=camera))
    write_manifest(tmp_path, Manifest(tuple(rows), {"normalized": "no need"}))
    return tmp_path


def sets(folder, **options):
    return (ManifestDataset(folder, split=part, points=40, size=8, **options) for part in ("train", "test"))


def chamfer(first, second):
    squared = ((first[:, None] - second[None]) ** 2).sum(axis=2)
    return squared.min(axis=0).mean() + squared.min(axis=1).mean()


@pytest.mark.parametrize("method", ["oracle-nn", "retrieval", "clustering"])
@pytest.mark.parametrize("coordinates", ["object", "viewer"])
def test_recalled_shapes(folder, tmp_path, method, coordinates):
    train, test = sets(folder, coordinates=coordinates)
    path = recall(method, train, test, tmp_path / "out", k=2, features="pixels")
    predictions, targets = np.load(path), np.load(tmp_path / "out" / "targets.npy")
    shapes = [np.load(folder / f"{n}.npy") for n in range(10)]
    rows = read_manifest(tmp_path / "out").samples
    assert [row.id for row in rows] == ["8", "9"]
    for row, prediction, target in zip(rows, predictions, targets, strict=True):
        index = int(row.values["recalled"])
        assert np.allclose(sorted(map(tuple, prediction)), sorted(map(tuple, shapes[index])), atol=1e-5)
        assert np.allclose(sorted(map(tuple, target)), sorted(map(tuple, shapes[int(row.id)])), atol=1e-5)
        kin = [n for n in range(8) if n % 2 == int(row.id) % 2]
        if method == "oracle-nn":
            assert index == min(range(8), key=lambda n: chamfer(shapes[n], shapes[int(row.id)]))
        elif method == "retrieval":
            assert index == kin[-1]  # whose colour is nearest
        else:
            sums = [sum(chamfer(shapes[a], shapes[b]) for b in kin) for a in kin]
            assert index == kin[int(np.argmin(sums))]


def test_equal_ids_of_several_categories_are_told_apart(folder, tmp_path):
    """As those of predictions are, or the two would not be in one order."""
    train, test = sets(folder)

    class Twins(type(test)):
        def __getitem__(self, index):
            return super().__getitem__(index)._replace(id="twin", category="ba"[index])

    test.__class__ = Twins
    recall("oracle-nn", train, test, tmp_path / "out")
    assert [row.id for row in read_manifest(tmp_path / "out").samples] == ["a/twin", "b/twin"]
    np.testing.assert_array_equal(
        np.sort(np.load(tmp_path / "out" / "targets.npy")[0], axis=0), np.sort(test[1].points, axis=0)
    )


def test_bad_arguments(folder, tmp_path):
    train, test = sets(folder)
    with pytest.raises(ValueError, match="`method` must be one of"):
        recall("memory", train, test, tmp_path / "out")
    with pytest.raises(ValueError, match=r"8 samples|must be"):
        recall("clustering", train, test, tmp_path / "out", k=9, features="pixels")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("k", [0, 8, 10**12])
def test_clusters_are_refused_before_anything_is_read(folder, tmp_path, k):
    read = []
    with pytest.raises(ValueError, match=rf"`k` must be from 1 to less than the 8 training shapes, but got {k}$"):
        recall("clustering", *sets(folder), tmp_path / "out", k=k, progress=lambda *done: read.append(done))
    assert read == []
