import numpy as np
import pytest
from PIL import Image

from svr_baselines.data.manifest import Manifest, Sample, write_manifest
from svr_baselines.data.opening import DataOptions, open_data

SMALL = DataOptions(points=5, size=8)


def lay(folder, *names):
    """Files of pictures and points by name."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".png"):
            Image.new("RGBA", (137, 137), "red").save(folder / name)
        else:
            np.save(folder / name, np.random.default_rng(0).random((9, 3)))


@pytest.fixture
def shapenet(tmp_path):
    for name in "abcde":
        lay(tmp_path, f"ShapeNetV1PointCloud/02691156/{name}.points.ply.npy")
        lay(tmp_path, *(f"ShapeNetV1Renderings/02691156/{name}/rendering/{view:02d}.png" for view in range(24)))
        cameras = "0 25 0 0.8 25\n" * 24
        (tmp_path / f"ShapeNetV1Renderings/02691156/{name}/rendering/rendering_metadata.txt").write_text(cameras)
    return tmp_path


@pytest.fixture
def own(tmp_path):
    """A data set with all three parts, and a sub-trainset."""
    lay(tmp_path, *(f"{n}.{kind}" for n in range(6) for kind in ("png", "npy")))
    parts = ["train", "train", "train", "validation", "test", "test"]
    rows = [Sample(str(n), split=part, image=f"{n}.png", points=f"{n}.npy") for n, part in enumerate(parts)]
    write_manifest(tmp_path, Manifest(tuple(rows)))
    (tmp_path / "trainsets" / "S1I1").mkdir(parents=True)
    subset = Manifest((Sample("00", split="train", image="2.png", points="0.npy"),), {"paths_below": "../.."})
    write_manifest(tmp_path / "trainsets" / "S1I1", subset)
    return tmp_path


def test_shapenet(shapenet):
    assert len(open_data(shapenet, "train", SMALL)) == 4
    assert len(open_data(shapenet, "train", DataOptions(views=3, points=5, size=8))) == 12
    for role in ("validation", "test"):
        (item,) = open_data(shapenet, role, SMALL)
        assert (item.id, item.view, item.image.shape) == ("e", 0, (3, 8, 8))
    assert open_data(shapenet, "train", SMALL).options.crop == 127
    assert open_data(shapenet, "train", DataOptions(points=5, crop=None)).options.crop is None
    with pytest.raises(ValueError, match="a part must be named"):
        open_data(shapenet, None, SMALL)


def test_parts_of_a_manifest(own):
    sizes = {role: len(open_data(own, role, SMALL)) for role in ("train", "validation", "test", None)}
    assert sizes == {"train": 3, "validation": 1, "test": 2, None: 6}
    assert open_data(own, "train", SMALL).options.crop is None


def test_without_a_validation_part_it_is_the_test_part(own):
    rows = [Sample(str(n), split="test" if n else "train", image=f"{n}.png", points=f"{n}.npy") for n in range(3)]
    write_manifest(own, Manifest(tuple(rows)))
    assert len(open_data(own, "validation", SMALL)) == 2


def test_a_sub_trainset_is_validated_on_the_whole(own):
    subset = own / "trainsets" / "S1I1"
    (item,) = open_data(subset, "train", SMALL)
    assert item.id == "00"
    assert [item.id for item in open_data(subset, "validation", SMALL)] == ["3"]
    assert [item.id for item in open_data(subset, "test", SMALL)] == ["4", "5"]


def test_pictures_in_another_folder(own, tmp_path):
    pictures = own / "pictures"
    lay(pictures, "0.png", "1.png")
    rows = [Sample(str(n), split="train", image=f"{n}.png") for n in range(2)]
    write_manifest(pictures, Manifest(tuple(rows)))
    assert len(open_data(own, "train", SMALL, images=pictures)) == 2


def test_what_is_no_data(tmp_path):
    with pytest.raises(FileNotFoundError, match="No folder at"):
        open_data(tmp_path / "nothing", "train")
    with pytest.raises(ValueError, match=r"must hold ShapeNetV1PointCloud/ or manifest\.csv, but holds neither"):
        open_data(tmp_path, "train")
