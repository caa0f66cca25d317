import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from svr_baselines.data.cameras import Camera
from svr_baselines.data.coordinates import to_object
from svr_baselines.data.dataset import ManifestDataset
from svr_baselines.data.manifest import Manifest, Sample, write_manifest
from svr_baselines.data.shapenet import ShapeNet

IDS = [f"chair/{letter}" for letter in "abcdefg"] + [f"lamp/{letter}" for letter in "abc"]


def cloud_of(name):
    return np.random.default_rng(IDS.index(name)).normal(size=(40, 3), loc=2).astype(np.float32)


def colour_of(name, view):
    return 20 * IDS.index(name), 50 * view, 100


def camera_of(name, view):
    return Camera(azimuth=40.0 * IDS.index(name) - 10 * view, elevation=25)


def build_points(folder, ids=IDS, **fields):
    """What `ds build points` writes: a cloud for each mesh."""
    samples = []
    for name in ids:
        path = folder / "points" / f"{name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, cloud_of(name))
        samples.append(Sample(name, name.partition("/")[0], points=f"points/{name}.npy", **fields))
    write_manifest(folder, Manifest(tuple(samples)))
    return folder


def build_images(folder, ids=IDS, views=3, **fields):
    """What `ds build renders` writes: pictures with their cameras."""
    samples = []
    for name in ids:
        for view in range(views):
            path = folder / "images" / name / f"{view:02d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (16, 16), colour_of(name, view)).save(path)
            image = path.relative_to(folder).as_posix()
            camera = camera_of(name, view)
            sample = Sample(name, name.partition("/")[0], view=view, image=image, camera=camera)
            samples.append(replace(sample, **fields))
    write_manifest(folder, Manifest(tuple(samples)))
    return folder


def build_both(folder, split_of=lambda name: ""):
    """One folder: each sample has its own picture and points."""
    build_points(folder)
    samples = []
    for name in IDS:
        image = f"{name.replace('/', '-')}.png"
        Image.new("RGB", (16, 16), colour_of(name, 0)).save(folder / image)
        fields = {"image": image, "points": f"points/{name}.npy", "camera": camera_of(name, 0)}
        samples.append(Sample(name, name.partition("/")[0], split_of(name), **fields))
    write_manifest(folder, Manifest(tuple(samples)))
    return folder


def small(*folders, **options):
    return ManifestDataset(*folders, **{"points": 40, "size": 8, "normalize": "none", **options})


def keys(dataset):
    return [(dataset[i].id, dataset[i].view) for i in range(len(dataset))]


def assert_same_points(points, cloud):
    """Whether both have the same points, in any order."""
    ordered = [np.asarray(rows)[np.argsort(np.asarray(rows)[:, 0])] for rows in (points, cloud)]
    np.testing.assert_allclose(*ordered, atol=1e-5)


def check_item(item):
    expected = np.broadcast_to(np.array(colour_of(item.id, item.view)) / 255, (8, 8, 3))
    np.testing.assert_allclose(item.image.permute(1, 2, 0), expected, atol=1e-6)
    assert_same_points(item.points, cloud_of(item.id))
    camera = camera_of(item.id, item.view)
    assert item.camera.tolist() == [camera.azimuth, camera.elevation, camera.distance, camera.roll, camera.fov]
    np.testing.assert_allclose(item.rotation, camera.rotation, atol=1e-7)
    assert item.category == item.id.partition("/")[0]


def test_one_folder(tmp_path):
    dataset = small(build_both(tmp_path))
    assert keys(dataset) == [(name, 0) for name in IDS]
    for item in map(dataset.__getitem__, range(len(dataset))):
        check_item(item)
    assert not dataset.missing
    assert dataset.summary() == "10 items of 10 shapes\n  chair: 7\n  lamp: 3"


def test_two_folders_are_joined_by_id(tmp_path):
    points = build_points(tmp_path / "points", IDS[1:])
    images = build_images(tmp_path / "images", IDS[:-1])

    dataset = small(points, images)

    assert keys(dataset) == [(name, view) for name in IDS[1:-1] for view in range(3)]
    for item in map(dataset.__getitem__, range(len(dataset))):
        check_item(item)
    assert dataset.missing.without_points == ("chair/a",)
    assert dataset.missing.without_images == ("lamp/c",)
    assert "1 shapes without images: lamp/c" in dataset.summary()


def test_points_of_a_shape_go_with_all_its_pictures_in_one_folder(tmp_path):
    build_points(tmp_path)
    images = build_images(tmp_path / "images")
    read = small(tmp_path, images)._samples
    mixed = [
        replace(sample, image=f"images/{sample.image}", points=sample.points if sample.view == 1 else None)
        for sample in read
    ]
    write_manifest(tmp_path, Manifest(tuple(mixed)))

    dataset = small(tmp_path)

    assert len(dataset) == 30
    for item in map(dataset.__getitem__, range(len(dataset))):
        check_item(item)


def test_splits_are_those_of_the_manifest(tmp_path):
    parts = dict(zip(IDS, ("train", "test", "validation", "train", "test") * 2, strict=True))
    build_both(tmp_path, parts.get)
    for split in ("train", "test", "validation"):
        assert [name for name, _ in keys(small(tmp_path, split=split))] == [n for n in IDS if parts[n] == split]
    assert len(small(tmp_path)) == 10
    with pytest.raises(ValueError, match=r"no sample of split 'val', only of 'test', 'train', 'validation'\.$"):
        small(tmp_path, split="val")


def test_without_splits_the_first_80_percent_of_each_category_train(tmp_path):
    dataset = build_images(tmp_path / "images"), build_points(tmp_path / "points")
    dataset = dataset[::-1]
    # 5 of 7 chairs, 2 of 3 lamps.
    assert keys(small(*dataset, split="train", views=1)) == [(name, 0) for name in (*IDS[:5], *IDS[7:9])]
    assert keys(small(*dataset, split="test", views=1)) == [(name, 0) for name in (*IDS[5:7], IDS[9])]
    with pytest.raises(ValueError, match="`split` must be 'train' or 'test', but got 'validation'"):
        small(*dataset, split="validation")


def test_the_split_of_either_folder_counts_and_two_must_agree(tmp_path):
    points = build_points(tmp_path / "points", split="test")
    images = build_images(tmp_path / "images")
    assert len(small(points, images, split="test")) == 30
    build_images(images, split="test")
    assert len(small(points, images, split="test")) == 30
    build_images(images, split="train")
    with pytest.raises(ValueError, match="'chair/a' has split 'train' by its picture, 'test' by its points"):
        small(points, images)


def test_the_lowest_views_are_taken(tmp_path):
    dataset = small(build_points(tmp_path / "points"), build_images(tmp_path / "images"), views=2)
    assert keys(dataset) == [(name, view) for name in IDS for view in (0, 1)]


def test_a_sub_trainset_pairs_pictures_with_other_shapes(tmp_path):
    build_both(tmp_path)
    pairs = (("chair/a", "chair/b"), ("chair/c", "chair/b"))
    samples = tuple(
        Sample(image, image=f"{image.replace('/', '-')}.png", points=f"points/{shape}.npy") for image, shape in pairs
    )

    dataset = small(tmp_path, manifest=Manifest(samples))

    assert len(dataset) == 2
    for item, (image, shape) in zip((dataset[0], dataset[1]), pairs, strict=True):
        np.testing.assert_allclose(item.image[:, 0, 0], np.array(colour_of(image, 0)) / 255, atol=1e-6)
        assert_same_points(item.points, cloud_of(shape))
        assert item.rotation.isnan().all()
        assert item.camera.isnan().all()


def test_viewer_centred_points(tmp_path):
    build_both(tmp_path)
    item = small(tmp_path, coordinates="viewer")[3]
    assert_same_points(item.points, cloud_of(item.id).astype(np.float64) @ camera_of(item.id, 0).rotation.T)
    torch.testing.assert_close(to_object(item.points, item.rotation), small(tmp_path)[3].points, atol=2e-6, rtol=0)


def test_viewer_centred_points_need_cameras(tmp_path):
    points, images = build_points(tmp_path / "points"), build_images(tmp_path / "images", camera=None)
    assert len(small(points, images)) == 30
    with pytest.raises(ValueError, match=r"30 of 30 samples have no camera .* such as view 0 of 'chair/a'"):
        small(points, images, coordinates="viewer")


def test_training_draws_anew_each_epoch_and_test_never(tmp_path):
    build_both(tmp_path)
    train, test = (small(tmp_path, points=10, split=split) for split in ("train", "test"))
    before = [train[0].points, test[0].points]
    for dataset in (train, test, copy := pickle.loads(pickle.dumps(train))):
        dataset.set_epoch(1)
    assert not train[0].points.equal(before[0])
    assert copy[0].points.equal(train[0].points)
    assert test[0].points.equal(before[1])


def test_items_are_those_of_shapenet(tmp_path):
    """Both datasets make items in the same way: the same files and names give the same tensors."""
    rng = np.random.default_rng(0)
    clouds = tmp_path / "ShapeNetV1PointCloud" / "03001627"
    pictures = tmp_path / "ShapeNetV1Renderings" / "03001627" / "x" / "rendering"
    clouds.mkdir(parents=True)
    pictures.mkdir(parents=True)
    np.save(clouds / "x.npy", rng.normal(size=(3000, 3)))
    Image.fromarray(rng.integers(0, 256, (137, 137, 4), dtype=np.uint8)).save(pictures / "00.png")
    (pictures / "rendering_metadata.txt").write_text("70 20 0 0.8 25\n")
    paths = {"image": (pictures / "00.png"), "points": (clouds / "x.npy")}
    relative = {name: path.relative_to(tmp_path).as_posix() for name, path in paths.items()}
    sample = Sample("x", "chair", "test", 0, **relative, camera=Camera(70, 20, 0.8 * 1.75))
    write_manifest(tmp_path, Manifest((sample,)))

    ours = ManifestDataset(tmp_path, split="test", coordinates="viewer", crop=127)[0]
    theirs = ShapeNet(tmp_path, split="test", coordinates="viewer")[0]

    for one, two in zip(ours[:4], theirs[:4], strict=True):
        assert one.equal(two)
    assert ours[4:] == theirs[4:] == ("x", "chair", 0)


def test_batches(tmp_path):
    build_both(tmp_path)
    (batch,) = DataLoader(small(tmp_path), batch_size=10)
    assert batch.image.shape == (10, 3, 8, 8)
    assert batch.points.shape == (10, 40, 3)
    assert batch.rotation.shape == (10, 3, 3)
    assert list(batch.id) == IDS


def test_a_broken_file_is_named_when_its_item_is_asked_for(tmp_path):
    dataset = small(build_both(tmp_path))
    (tmp_path / "chair-b.png").write_bytes(b"GIF")
    (tmp_path / "points/chair/c.npy").unlink()
    dataset[0]
    with pytest.raises(ValueError, match=r"chair-b\.png: not an image that can be read"):
        dataset[1]
    with pytest.raises(ValueError, match=r"points/chair/c\.npy: No such file or directory\.$"):
        dataset[2]


def test_points_of_a_mesh_file_are_refused(tmp_path):
    build_both(tmp_path)
    dataset = small(tmp_path, manifest=Manifest((Sample("a", image="chair-b.png", points="a.ply"),)))
    with pytest.raises(ValueError, match=r"a\.ply: expected a point cloud, but this may be a mesh\.$"):
        dataset[0]


def test_several_clouds_of_one_id_need_names(tmp_path):
    build_both(tmp_path)
    samples = [Sample("a", view=view, image="chair-b.png", points=f"{view}.npy") for view in (0, 1)]
    assert len(small(tmp_path, manifest=Manifest(tuple(samples)))) == 2
    samples.append(Sample("a", view=2, image="chair-b.png"))
    with pytest.raises(ValueError, match=r"'a' has several point clouds, so view 2 must name its own"):
        small(tmp_path, manifest=Manifest(tuple(samples)))


def test_nothing_with_both_is_an_error(tmp_path):
    points = build_points(tmp_path / "points", IDS[:2])
    images = build_images(tmp_path / "images", IDS[2:])
    with pytest.raises(ValueError, match=r"no sample has both a picture and points .2 shapes without images: .*; 8 "):
        small(points, images)
    with pytest.raises(ValueError, match=r"no sample has both a picture and points .2 shapes without images"):
        small(points)
    with pytest.raises(FileNotFoundError):
        small(tmp_path / "none")
    with pytest.raises(ValueError, match="holds no dataset"):
        small(tmp_path)
    with pytest.raises(ValueError, match="`views` must be an integer of at least 1"):
        small(points, views=0)
