import copy
import math
import pickle
import re
import shutil

import numpy as np
import pytest
import torch
from forked import context
from PIL import Image
from torch.utils.data import DataLoader

from svr_baselines.data.augment import Augmentation
from svr_baselines.data.coordinates import to_object
from svr_baselines.data.item_dataset import take_split
from svr_baselines.data.shapenet import SYNSETS, ShapeNet

CHAIR, LAMP = "03001627", "03636649"
CHAIRS = [f"{letter}{'0' * 31}" for letter in "59ac2"]  # out of order
LAMPS = [f"{letter}1" for letter in "abcdefghijk"]
VIEWS = 24


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    for synset, ids in ((CHAIR, CHAIRS), (LAMP, LAMPS)):
        for index, name in enumerate(ids):
            make_shape(root, synset, name, seed=index, views=VIEWS if synset == CHAIR else 2)
    return root


def make_shape(root, synset, name, seed, views):
    """A shape in the published layout; chairs come with normals, lamps under the short name."""
    rng = np.random.default_rng(seed)
    clouds = root / "ShapeNetV1PointCloud" / synset
    clouds.mkdir(parents=True, exist_ok=True)
    cloud = rng.normal(size=(300, 6), loc=0.3).astype(np.float32) * [1, 2, 3, 1, 1, 1]
    if synset == CHAIR:
        np.save(clouds / f"{name}.points.ply.npy", cloud)
    else:
        np.save(clouds / f"{name}.npy", cloud[:, :3].astype(np.float32))
    pictures = root / "ShapeNetV1Renderings" / synset / name / "rendering"
    pictures.mkdir(parents=True)
    for view in range(views):
        pixels = rng.integers(0, 256, (137, 137, 4), dtype=np.uint8)
        pixels[::2, :, 3] = 0
        Image.fromarray(pixels).save(pictures / f"{view:02d}.png", compress_level=1)
    lines = [f"{rng.uniform(0, 360)} {rng.uniform(25, 30)} 0 {rng.uniform(0.65, 0.95)} 25" for _ in range(views)]
    (pictures / "rendering_metadata.txt").write_text("\n".join(lines) + "\n")
    (pictures / "renderings.txt").write_text("\n".join(f"{view:02d}.png" for view in range(views)))


def small(root, **options):
    return ShapeNet(root, **{"points": 50, "categories": "chair", **options})


def read_directly(root, synset, name, view):
    """The picture, the cloud in the unit ball, and the line of the metadata, by Pillow and numpy alone."""
    folder = root / "ShapeNetV1Renderings" / synset / name / "rendering"
    with Image.open(folder / f"{view:02d}.png") as image:
        image.load()
    (file,) = (root / "ShapeNetV1PointCloud" / synset).glob(f"{name}*.npy")
    cloud = np.load(file)[:, :3].astype(np.float64)
    cloud = cloud - cloud.mean(axis=0)
    cloud = cloud / np.sqrt((cloud**2).sum(axis=1).max())
    return image, cloud, np.loadtxt(folder / "rendering_metadata.txt")[view]


def as_the_network_sees_it(image, background):
    """Centre crop of 127 and resizing to 224, by Pillow."""
    if background == "none":
        image = Image.fromarray(np.asarray(image)[..., :3].copy())
    else:
        image = Image.alpha_composite(Image.new("RGBA", image.size, background), image).convert("RGB")
    return np.asarray(image.crop((5, 5, 132, 132)).resize((224, 224), Image.Resampling.BILINEAR)) / 255


def official_rotation(azimuth, elevation):
    az, el = math.radians(azimuth), math.radians(elevation)
    z = np.array([math.cos(el) * math.cos(az), math.sin(el), math.cos(el) * math.sin(az)])
    x = np.cross([0, 1, 0], z)
    y = np.cross(z, x)
    return np.stack([x / np.linalg.norm(x), y / np.linalg.norm(y), z])


def is_part_of(points, cloud):
    """Whether all points are different ones of the cloud."""
    distances = np.linalg.norm(np.asarray(points)[:, None] - cloud[None], axis=2)
    return distances.min(axis=1).max() < 1e-6 and len(set(distances.argmin(axis=1))) == len(points)


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("background", ["white", "none", "#336699"])
def test_items_are_what_the_files_hold(tree, split, background):
    dataset = ShapeNet(tree, split=split, categories=["lamp", "chair"], points=50, background=background)
    # Sorted: 2..., 5..., 9..., a... of the chairs train, c... tests; 8 of the 11 lamps train.
    ids = {
        "train": [("chair", CHAIR, CHAIRS[i]) for i in (4, 0, 1, 2)] + [("lamp", LAMP, name) for name in LAMPS[:8]],
        "test": [("chair", CHAIR, CHAIRS[3])] + [("lamp", LAMP, name) for name in LAMPS[8:]],
    }[split]

    assert len(dataset) == len(ids)
    for index, (category, synset, name) in enumerate(ids):
        item = dataset[index]
        assert (item.category, item.id, item.view) == (category, name, 1 if split == "train" else 0)
        image, cloud, line = read_directly(tree, synset, name, item.view)
        assert item.image.shape == (3, 224, 224)
        assert item.image.dtype == item.points.dtype == item.rotation.dtype == torch.float32
        expected = as_the_network_sees_it(image, background)
        np.testing.assert_allclose(item.image.permute(1, 2, 0).numpy(), expected, atol=1.6 / 255)
        assert item.points.shape == (50, 3)
        assert is_part_of(item.points, cloud)
        np.testing.assert_allclose(item.camera[[0, 1, 3]], line[:3])
        assert float(item.camera[2]) == pytest.approx(line[3] * 1.75)
        assert float(item.camera[4]) == pytest.approx(2 * math.degrees(math.atan(32 / 2 / 35)))
        np.testing.assert_allclose(item.rotation, official_rotation(*line[:2]), atol=1e-6)


def test_every_training_view_is_an_item_and_the_test_view_is_none_of_them(tree):
    dataset = small(tree, views=23)
    assert len(dataset) == 4 * 23
    seen = [(item.id, item.view) for item in map(dataset.__getitem__, (0, 1, 22, 23, -1))]
    first, second, last = CHAIRS[4], CHAIRS[0], CHAIRS[2]
    assert seen == [(first, 1), (first, 2), (first, 23), (second, 1), (last, 23)]
    image = read_directly(tree, CHAIR, first, 23)[0]
    expected = as_the_network_sees_it(image, "white")
    np.testing.assert_allclose(dataset[22].image.permute(1, 2, 0).numpy(), expected, atol=1.6 / 255)

    assert len(small(tree, views=23, split="test")) == 1
    assert len(small(tree, views=3)) == 12


def test_viewer_centred_points_are_those_of_the_official_matrix(tree):
    dataset = small(tree, views=2, coordinates="viewer")
    for index in range(len(dataset)):
        item = dataset[index]
        _, cloud, line = read_directly(tree, CHAIR, item.id, item.view)
        assert is_part_of(item.points, cloud @ official_rotation(*line[:2]).T)
        back = small(tree, views=2)[index].points
        torch.testing.assert_close(to_object(item.points, item.rotation), back, atol=1e-6, rtol=0)


@pytest.mark.parametrize("normalize", ["bounding-box", "none"])
def test_other_normalisations(tree, normalize):
    item = small(tree, normalize=normalize)[0]
    cloud = np.load(tree / "ShapeNetV1PointCloud" / CHAIR / f"{item.id}.points.ply.npy")[:, :3].astype(np.float64)
    if normalize == "bounding-box":
        low, high = cloud.min(axis=0), cloud.max(axis=0)
        cloud = (cloud - (low + high) / 2) / (high - low).max()
    assert is_part_of(item.points, cloud)


def test_the_picture_may_stay_whole_and_small(tree):
    item = small(tree, crop=None, size=137)[0]
    image = read_directly(tree, CHAIR, item.id, 1)[0]
    white = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    np.testing.assert_allclose(item.image.permute(1, 2, 0).numpy(), np.asarray(white) / 255, atol=1.1 / 255)


def test_all_points_may_be_drawn_in_some_order(tree):
    item = small(tree, points=300)[0]
    assert is_part_of(item.points, read_directly(tree, CHAIR, item.id, 1)[1])


def test_training_draws_anew_each_epoch_and_test_never(tree):
    train, test = small(tree, views=2), small(tree, split="test")
    first = [train[i].points for i in range(len(train))]
    images = [train[i].image for i in range(len(train))]
    before = test[0].points
    for dataset in (train, test):
        dataset.set_epoch(1)

    assert not any(train[i].points.equal(points) for i, points in enumerate(first))
    assert all(train[i].image.equal(image) for i, image in enumerate(images))
    assert test[0].points.equal(before)
    train.set_epoch(0)
    assert all(train[i].points.equal(points) for i, points in enumerate(first))


def test_draws_differ_between_views_and_seeds(tree):
    dataset = small(tree, views=2)
    assert not dataset[0].points.equal(dataset[1].points)
    assert not dataset[0].points.equal(small(tree, views=2, seed=1)[0].points)
    # What else is in the set does not matter.
    assert dataset[0].points.equal(ShapeNet(tree, points=50, views=1)[0].points)


def test_augmentations_change_with_the_epoch_and_come_back(tree):
    augmentation = Augmentation(crop=True, flip=True, brightness=0.2, contrast=0.2, saturation=0.2)
    plain, dataset = small(tree), small(tree, augmentation=augmentation)
    first = [dataset[i].image for i in range(4)]
    assert not any(image.equal(plain[i].image) for i, image in enumerate(first))
    assert all(dataset[i].points.equal(plain[i].points) for i in range(4))
    dataset.set_epoch(1)
    assert not any(dataset[i].image.equal(image) for i, image in enumerate(first))
    dataset.set_epoch(0)
    assert all(dataset[i].image.equal(image) for i, image in enumerate(first))


def test_cut_and_mirrored_pictures_are_parts_of_the_file(tree):
    dataset = small(tree, augmentation=Augmentation(crop=True, flip=True), size=127)
    kinds = set()
    for epoch in range(8):
        dataset.set_epoch(epoch)
        item = dataset[0]
        image, _, _ = read_directly(tree, CHAIR, item.id, 1)
        pixels = np.asarray(Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")) / 255
        got = item.image.permute(1, 2, 0).numpy()
        found = [
            (row, column, mirrored)
            for row in range(11)
            for column in range(11)
            for mirrored in (False, True)
            if np.abs(pixels[row : row + 127, column : column + 127][:, :: -1 if mirrored else 1] - got).max() < 0.006
        ]
        assert len(found) == 1
        kinds.update(found)
    assert len(kinds) == 8
    assert {mirrored for _, _, mirrored in kinds} == {False, True}


def collate_all(dataset, workers, epochs):
    loader = DataLoader(
        dataset,
        batch_size=2,
        num_workers=workers,
        persistent_workers=workers > 0,
        multiprocessing_context=context() if workers else None,
    )
    batches = []
    for epoch in epochs:
        dataset.set_epoch(epoch)
        batches += list(loader)
    return batches


def test_workers_give_the_same_batches_and_see_the_epoch(tree):
    options = {"views": 2, "coordinates": "viewer", "augmentation": Augmentation(crop=True, contrast=0.5)}
    alone = collate_all(small(tree, **options), 0, (0, 3))
    spawned = collate_all(small(tree, **options), 2, (0, 3))

    assert len(alone) == len(spawned) == 8
    for one, two in zip(alone, spawned, strict=True):
        assert one.image.shape == (2, 3, 224, 224)
        assert one.points.shape == (2, 50, 3)
        assert (one.id, one.category, one.view.tolist()) == (two.id, two.category, two.view.tolist())
        for a, b in zip(one[:4], two[:4], strict=True):
            assert a.equal(b)
    assert not spawned[0].points.equal(spawned[4].points)
    back = to_object(alone[0].points, alone[0].rotation)
    torch.testing.assert_close(back, torch.stack([small(tree, views=2)[i].points for i in (0, 1)]), atol=1e-6, rtol=0)


def test_copies_are_the_same_dataset(tree):
    dataset = small(tree)
    dataset.set_epoch(2)
    for other in (pickle.loads(pickle.dumps(dataset)), copy.deepcopy(dataset)):
        assert other[1].points.equal(dataset[1].points)
        other.set_epoch(0)
    assert not other[1].points.equal(dataset[1].points)


def test_categories_by_name_or_synset_in_any_order(tree):
    asked = (["lamp", CHAIR], [CHAIR, "chair", "lamp"], None)
    datasets = [ShapeNet(tree, categories=categories, points=50) for categories in asked]
    assert {len(dataset) for dataset in datasets} == {12}
    assert all(dataset[0].category == "chair" and dataset[11].category == "lamp" for dataset in datasets)


def test_shapes_on_one_side_are_counted_and_left_out(tree, tmp_path):
    root = tmp_path / "data"
    shutil.copytree(tree, root)
    shutil.rmtree(root / "ShapeNetV1Renderings" / LAMP / LAMPS[0])
    (root / "ShapeNetV1PointCloud" / LAMP / f"{LAMPS[1]}.npy").unlink()
    shutil.rmtree(root / "ShapeNetV1Renderings" / CHAIR)
    (root / "ShapeNetV1PointCloud" / LAMP / ".hidden.npy").touch()
    (root / "ShapeNetV1PointCloud" / LAMP / "notes.txt").touch()
    (root / "ShapeNetV1Renderings" / LAMP / "list.txt").touch()

    dataset = ShapeNet(root, categories=["chair", "lamp", "sofa"], points=50)

    # 80 % of the nine that are left, rounded down.
    assert [dataset[i].id for i in range(len(dataset))] == LAMPS[2:9]
    assert dataset.missing.without_images == (*(f"chair/{name}" for name in sorted(CHAIRS)), f"lamp/{LAMPS[0]}")
    assert dataset.missing.without_points == (f"lamp/{LAMPS[1]}",)
    assert dataset.missing.categories == ("chair", "sofa")
    assert dataset.summary().splitlines() == [
        "7 items of 7 shapes",
        "  lamp: 7",
        f"6 shapes without images: {', '.join(dataset.missing.without_images[:3])}, ...",
        "1 shapes without points: lamp/b1",
        "2 categories without a shape that has both: chair, sofa",
    ]


def test_a_whole_tree_misses_nothing(tree):
    dataset = ShapeNet(tree, categories=["chair", "lamp"], views=2)
    assert not dataset.missing
    assert dataset.summary() == "24 items of 12 shapes\n  chair: 4\n  lamp: 8"


def test_the_split_by_hand():
    counts = {count: len(take_split(map(str, range(count)), "train")) for count in (0, 1, 2, 4, 5, 9, 10, 4045, 1816)}
    assert counts == {0: 0, 1: 0, 2: 1, 4: 3, 5: 4, 9: 7, 10: 8, 4045: 3236, 1816: 1452}
    # R2N2's renderings by category, in the order of SYNSETS: the paper's numbers of training and test shapes.
    published = (4045, 1816, 1572, 7496, 6778, 1095, 2318, 1618, 2372, 3173, 8509, 1052, 1939)
    parts = [[len(take_split(map(str, range(n)), split)) for n in published] for split in ("train", "test")]
    assert [sum(part) for part in parts] == [35_021, 8_762]
    assert len(published) == len(SYNSETS)


def test_the_folders_may_have_other_names(tree, tmp_path):
    (tmp_path / "ShapeNetRendering").symlink_to(tree / "ShapeNetV1Renderings")
    (tmp_path / "clouds").symlink_to(tree / "ShapeNetV1PointCloud")
    dataset = small(tmp_path, clouds="clouds", renderings="ShapeNetRendering")
    assert dataset[0].points.equal(small(tree)[0].points)


def test_nothing_found_is_an_error(tree, tmp_path):
    with pytest.raises(ValueError, match=r"no shape of the train split .*\(1 categories without .*: sofa\)"):
        ShapeNet(tree, categories="sofa")
    with pytest.raises(ValueError, match=r"no shape of the train split .*13 categories"):
        ShapeNet(tmp_path)
    with pytest.raises(FileNotFoundError, match="No folder at"):
        ShapeNet(tmp_path / "none")
    make_shape(tmp_path, CHAIR, "a", seed=0, views=1)
    assert len(small(tmp_path, split="test")) == 1
    with pytest.raises(ValueError, match=r"no shape of the train split with points and images \(too few\)"):
        small(tmp_path)


def test_two_clouds_of_one_id_are_an_error(tmp_path):
    make_shape(tmp_path, CHAIR, "a", seed=0, views=1)
    np.save(tmp_path / "ShapeNetV1PointCloud" / CHAIR / "a.npy", np.eye(3))
    with pytest.raises(ValueError, match=r"two files of the same id, a.npy and a.points.ply.npy"):
        small(tmp_path, split="test")


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"split": "validation"}, "`split` must be 'train' or 'test'"),
        ({"categories": ["sofa", "couch"]}, "`categories` must be among airplane .* but got 'couch'"),
        ({"views": 0}, "`views` must be an integer of at least 1"),
        ({"views": 24}, "`views` must be at most 23"),
        ({"points": 0}, "`points` must be an integer of at least 1"),
        ({"points": 2.5}, "`points` must be an integer of at least 1"),
        ({"size": 0}, "`size` must be an integer of at least 1"),
        ({"crop": -1}, "`crop` must be an integer of at least 1"),
        ({"coordinates": "camera"}, "`coordinates` must be one of .* but got 'camera'"),
        ({"normalize": "ball"}, "`normalize` must be one of .* but got 'ball'"),
        ({"background": "grey"}, "`background` must be"),
        ({"seed": 0.5}, "`seed` must be an integer"),
        ({"crop": None, "augmentation": Augmentation(crop=True)}, "`crop` must give the side"),
        ({"coordinates": "viewer", "augmentation": Augmentation(flip=True)}, "must not flip pictures"),
    ],
)
def test_options_are_checked(tree, options, fault):
    with pytest.raises(ValueError, match=fault):
        small(tree, **options)


def test_epochs_and_indices_are_checked(tree):
    dataset = small(tree)
    for epoch in (-1, 0.5, True):
        with pytest.raises(ValueError, match="`epoch` must be an integer from 0"):
            dataset.set_epoch(epoch)
    for index in (4, -5):
        with pytest.raises(IndexError):
            dataset[index]
    with pytest.raises(TypeError):
        dataset[:2]


@pytest.mark.parametrize(
    ("file", "content", "fault"),
    [
        ("rendering/01.png", None, "01.png: No such file or directory."),
        ("rendering/01.png", b"", "01.png: the file is empty."),
        ("rendering/01.png", "half", "01.png: the file is truncated."),
        ("rendering/01.png", "small", "01.png: the image has 100 x 100 pixels, fewer than the crop of 127."),
        ("rendering/rendering_metadata.txt", None, "rendering_metadata.txt: No such file or directory."),
        (
            "rendering/rendering_metadata.txt",
            b"1 2 0 1 25\n",
            "rendering_metadata.txt: 1 cameras, but view 01 is wanted.",
        ),
        ("rendering/rendering_metadata.txt", b"1 2\n", "rendering_metadata.txt, line 1: expected 5 numbers"),
        ("cloud", None, "npy: No such file or directory."),
        ("cloud", b"", "npy: the file is empty."),
        ("cloud", "half", "npy: not a readable NumPy file, perhaps truncated"),
        ("cloud", np.zeros((60, 3)), "npy: all points coincide"),
        ("cloud", np.full((60, 3), np.nan), "npy: 60 of 60 points are NaN or infinite."),
        ("cloud", np.ones((60, 2)), "npy: expected shape"),
        ("cloud", np.eye(3), "npy: the cloud has 3 points, fewer than the 50 of `points` (`--points`)."),
        ("cloud", np.array([None]), "npy: the array has dtype object, which is never unpickled."),
    ],
)
def test_a_broken_file_is_named_when_its_item_is_asked_for(tmp_path, file, content, fault):
    for seed, name in enumerate("abcde"):
        make_shape(tmp_path, CHAIR, name, seed, views=2)
    cloud = tmp_path / "ShapeNetV1PointCloud" / CHAIR / "b.points.ply.npy"
    path = cloud if file == "cloud" else tmp_path / "ShapeNetV1Renderings" / CHAIR / "b" / file
    dataset = small(tmp_path)
    if content is None:
        path.unlink()
    elif isinstance(content, np.ndarray):
        np.save(path, content)
    elif content == "small":
        Image.new("RGB", (100, 100)).save(path)
    else:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if content == "half" else content)

    dataset[0]
    with pytest.raises(ValueError, match=re.escape(fault)) as caught:
        dataset[1]
    text = str(caught.value)
    assert text.startswith(str(path))
    assert "\n" not in text
