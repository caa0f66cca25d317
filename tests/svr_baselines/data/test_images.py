"""Folders and arrays of images to features: names, order, views, layouts, faults."""

import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from PIL import Image

from svr_baselines.data import BadShape, ImageSet, images, read_images
from svr_baselines.data.pictures import read_picture

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (4, 6, 7, 4), dtype=np.uint8)
KEY = {"name": "first pixel"}


class FirstPixel:
    """The colour of the upper left pixel, and the size; checks what it is given."""

    key, image_size = KEY, 4

    def __init__(self, batch_size=3, dtype=torch.float32):
        self.batch_size, self.dtype, self.batches = batch_size, dtype, []

    def __call__(self, images):
        assert 0 < len(images) <= self.batch_size
        assert all(image.dtype == torch.uint8 and image.ndim == 3 and len(image) == 3 for image in images)
        self.batches.append(len(images))
        rows = [[*image[:, 0, 0].tolist(), image.shape[1], image.shape[2]] for image in images]
        return torch.tensor(rows, dtype=self.dtype)


def write(path, colour=(1, 2, 3), size=(5, 4)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def one_fault(path, **options):
    with pytest.raises(ValueError, match="cannot be read") as caught:
        read_images(path, FirstPixel(), **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def saved(tmp_path, array, name="a.npy"):
    np.save(tmp_path / name, array)
    return tmp_path / name


@pytest.fixture
def r2n2(tmp_path):
    for synset, model in (("02691156", "a1"), ("02691156", "b2"), ("03001627", "c3")):
        for view in range(3):
            write(tmp_path / synset / model / "rendering" / f"{view:02d}.png", (view, 0, 0))
        (tmp_path / synset / model / "rendering" / "rendering_metadata.txt").write_text("0 30 0 1 25\n")
    return tmp_path


def test_folder(tmp_path):
    for k, name in enumerate(["b/2.png", "b/10.JPEG", "a.bmp", ".hidden.png", ".git/x.png", "b/c/d.tif", "z.webp"]):
        write(tmp_path / name, (k, k, k), (5 + k, 4))
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "b" / "loop").symlink_to(tmp_path)
    extractor = FirstPixel()
    found = read_images(tmp_path, extractor, workers=2)
    assert found.names == ("a", "b/10", "b/2", "b/c/d", "z")
    assert len(found) == 5
    assert extractor.batches == [3, 2]
    assert found.features.dtype == np.float32
    np.testing.assert_array_equal(found.features[:, 4], [7, 6, 5, 10, 11])
    assert [file.name for file in found.files] == ["a.bmp", "10.JPEG", "2.png", "d.tif", "z.webp"]
    assert found.source == str(tmp_path)
    assert found.settings == {"background": "white", "crop": None, "views": None}
    assert found.extractor == KEY


@pytest.mark.parametrize("batch_size", [1, 2, 7, 100])
@pytest.mark.parametrize("workers", [1, 5])
def test_batches_and_threads_change_nothing(tmp_path, batch_size, workers):
    for k in range(23):
        write(tmp_path / f"{k:02d}.png", (k, 0, 0))
    told, extractor = [], FirstPixel(batch_size)
    found = read_images(tmp_path, extractor, workers=workers, progress=lambda *counts: told.append(counts))
    np.testing.assert_array_equal(found.features[:, 0], np.arange(23))
    assert told == [(min(done, 23), 23) for done in range(batch_size, 23 + batch_size, batch_size)]
    assert sum(extractor.batches) == 23


def test_few_images_are_decoded_ahead(tmp_path, monkeypatch):
    write(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    for k in range(60):
        (tmp_path / f"{k}.png").write_bytes(data + bytes([k]))  # the same picture, in different files
    begun, taken, attempt, lock = [0], [0], images._attempt, threading.Lock()

    def counted(*arguments):
        with lock:
            begun[0] += 1
        assert begun[0] - taken[0] <= 4 + 2 + 4
        return attempt(*arguments)

    class Slow(FirstPixel):
        def __call__(self, batch):
            taken[0] += len(batch)
            return super().__call__(batch)

    monkeypatch.setattr(images, "_attempt", counted)
    assert len(read_images(tmp_path, Slow(batch_size=4), workers=2)) == 61


def test_half_precision_stays(tmp_path):
    write(tmp_path / "a.png")
    assert read_images(tmp_path, FirstPixel(dtype=torch.float16)).features.dtype == np.float16


def test_background_and_crop(tmp_path):
    Image.new("RGBA", (9, 8), (10, 20, 30, 0)).save(tmp_path / "a.png")
    for background, colour in (("black", [0, 0, 0]), ("#010203", [1, 2, 3]), ("none", [10, 20, 30])):
        found = read_images(tmp_path, FirstPixel(), background=background, crop=5)
        assert found.features.tolist() == [[*colour, 5, 5]]
        assert found.settings == {"background": background, "crop": 5, "views": None}
        np.testing.assert_array_equal(found.picture(0), np.broadcast_to(colour, (5, 5, 3)))
    assert "a.png: the image has 9 x 8 pixels, fewer than the crop of 9" in one_fault(tmp_path, crop=9)


def test_renderings_of_r2n2(r2n2):
    write(r2n2 / "other" / "00.png")
    write(r2n2 / "other" / "rendering" / "front.png")
    found = read_images(r2n2, FirstPixel())
    assert found.names[:4] == ("02691156/a1/00", "02691156/a1/01", "02691156/a1/02", "02691156/b2/00")
    assert found.names[-2:] == ("other/00", "other/rendering/front")
    some = read_images(r2n2, FirstPixel(), views={2, 0, 9})
    assert some.names[:3] == ("02691156/a1/00", "02691156/a1/02", "02691156/b2/00")
    assert len(some) == 6
    assert set(some.features[:, 0]) == {0, 2}
    assert some.settings["views"] == [0, 2, 9]
    inside = read_images(r2n2 / "03001627" / "c3" / "rendering", FirstPixel(), views=[1])
    assert inside.names == ("01",)


def test_views_that_are_not_there(r2n2, tmp_path_factory):
    with pytest.raises(ValueError, match=r"none of the views \[7, 30\] is in this folder, only some of 0 to 2"):
        read_images(r2n2, FirstPixel(), views=(30, 7))
    other = tmp_path_factory.mktemp("other")
    write(other / "00.png")
    with pytest.raises(ValueError, match="no R2N2 renderings"):
        read_images(other, FirstPixel(), views=[0])
    with pytest.raises(ValueError, match="`views` is for folders"):
        read_images(saved(other, PIXELS), FirstPixel(), views=[0])


@pytest.mark.parametrize("views", [[], "00", [-1], [1.0], ["0"], [True], 3])
def test_views_are_checked(r2n2, views):
    with pytest.raises(ValueError, match="Argument `views` must be a collection of integers"):
        read_images(r2n2, FirstPixel(), views=views)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_layouts_of_arrays(tmp_path, channels, first, suffix):
    pixels = PIXELS[..., :channels]
    array = pixels.transpose(0, 3, 1, 2) if first else pixels
    path = tmp_path / f"a.{suffix}"
    np.save(path, array) if suffix == "npy" else np.savez(path, array)
    found = read_images(path, FirstPixel(), background="black")
    assert found.names == ("0000", "0001", "0002", "0003")
    assert found.files is None
    for k, image in enumerate(pixels):
        expected = np.broadcast_to(image[..., :3], (6, 7, 3)).astype(float)
        if channels == 4:
            expected = np.rint(expected * image[..., 3:] / 255)
        np.testing.assert_array_equal(found.picture(k), expected)
        np.testing.assert_array_equal(found.features[k], [*expected[0, 0], 6, 7])


def test_grey_array(tmp_path):
    found = read_images(saved(tmp_path, PIXELS[..., 0]), FirstPixel(), crop=2)
    np.testing.assert_array_equal(found.picture(1), np.stack([PIXELS[1, 2:4, 2:4, 0]] * 3, axis=2))


@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f8", "<u2", ">u2", "|u1"])
def test_types_of_arrays(tmp_path, dtype):
    values = np.linspace(0, 1, 4 * 6 * 7).reshape(4, 6, 7)
    scale = {"f": 1, "u": 65535 if "2" in dtype else 255}[dtype[1]]
    array = (values * scale).astype(dtype)
    found = read_images(saved(tmp_path, array), FirstPixel())
    pictures = np.stack([found.picture(k)[..., 1] for k in range(4)])
    np.testing.assert_array_equal(pictures, np.rint(array.astype(np.float64) / scale * 255))
    assert (pictures[0, 0, 0], pictures[-1, -1, -1]) == (0, 255)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 3, 8, 3), np.uint8), r"shape \(2, 3, 8, 3\) can be read as \(N, H, W, C\) and as \(N, C, H, W\)"),
        (np.zeros((2, 1, 8, 4), np.uint8), "can be read as"),
        (np.zeros((8, 8, 3), np.uint8), r"as grey images \(N, H, W\) and as one image"),
        (np.zeros((2, 8, 8, 2), np.uint8), r"with 1, 3 or 4 channels, but got \(2, 8, 8, 2\)"),
        (np.zeros((8, 8), np.uint8), r"got \(8, 8\)"),
        (np.zeros((0, 8, 8, 3), np.uint8), "got"),
        (np.zeros((2, 8, 0, 3), np.uint8), "got"),
        (np.zeros((2, 8, 8, 3), np.int64), "expected uint8, uint16 or float pixels, but got dtype int64"),
        (np.zeros((2, 8, 8, 3), bool), "dtype bool"),
        (np.zeros((2, 8, 8, 3), complex), "complex"),
        (np.array([None]), "never unpickled"),
    ],
)
def test_bad_arrays(tmp_path, array, message):
    with pytest.raises(ValueError, match=message):
        read_images(saved(tmp_path, array), FirstPixel())


def test_values_outside_of_the_unit_interval(tmp_path):
    array = np.full((5, 8, 8), 0.5)
    array[1, 0, 0], array[2, 0, :2], array[4] = -1e-6, (np.nan, 1.5), np.inf
    path = saved(tmp_path, array)
    message = one_fault(path)
    assert "3 of 5 images" in message
    assert "sample 0001: 1 of 64 values are NaN or outside [0, 1]; sample 0002: 2 of 64" in message
    found = read_images(path, FirstPixel(), skip_bad=True)
    assert found.names == ("0000", "0003")
    assert found.features.shape == (2, 5)
    assert [item.name for item in found.skipped] == ["0001", "0002", "0004"]
    np.testing.assert_array_equal(found.picture(1), np.full((8, 8, 3), 128))


def test_all_bad_images_are_told_at_once(tmp_path):
    for k in range(8):
        write(tmp_path / "d" / f"{k}.png")
    whole = (tmp_path / "d" / "0.png").read_bytes()
    for k, data in ((1, b""), (3, whole[:50]), (4, b"text"), (6, whole[:40]), (7, b"")):
        (tmp_path / "d" / f"{k}.png").write_bytes(data)
    extractor = FirstPixel(batch_size=2)
    with pytest.raises(ValueError, match="5 of 8 images cannot be read") as caught:
        read_images(tmp_path, extractor)
    message = str(caught.value)
    assert "d/1.png: the file is empty; d/3.png: " in message
    assert "d/4.png: not an image that can be read" in message
    assert "; and 2 more. Pass `skip_bad=True` (`--skip-bad`)" in message
    assert extractor.batches == []
    found = read_images(tmp_path, extractor, skip_bad=True)
    assert found.names == ("d/0", "d/2", "d/5")
    assert found.skipped[0] == BadShape("d/1", "d/1.png", "the file is empty")
    assert [file.stem for file in found.files] == ["0", "2", "5"]


def test_nothing_good_is_an_error_even_when_skipping(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    assert "1 of 1 images" in one_fault(tmp_path, skip_bad=True)


def test_a_link_to_nothing(tmp_path):
    (tmp_path / "a.png").symlink_to(tmp_path / "gone")
    assert "a.png: No such file or directory" in one_fault(tmp_path)


def test_missing_path_and_empty_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing"):
        read_images(tmp_path / "nothing", FirstPixel())
    with pytest.raises(ValueError, match=r"no images in this folder \(looked for \.png .*\.tiff\)"):
        read_images(tmp_path, FirstPixel())
    write(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"a\.png: expected a folder of images, or a \.npy or \.npz"):
        read_images(tmp_path / "a.png", FirstPixel())
    write(tmp_path / "a.jpg")
    with pytest.raises(ValueError, match=r"same name, a\.jpg and a\.png, at 'a'"):
        read_images(tmp_path, FirstPixel())


@pytest.mark.parametrize(("option", "value"), [("background", "grey"), ("crop", 0), ("workers", 0)])
def test_bad_options(tmp_path, option, value):
    write(tmp_path / "a.png")
    with pytest.raises(ValueError, match=f"`{option}`"):
        read_images(tmp_path, FirstPixel(), **{option: value})


@pytest.mark.parametrize(
    ("give", "message"),
    [
        (lambda images: torch.zeros(len(images) + 1, 2), r"must give 2 rows .* but gave \(3, 2\) of torch\.float32"),
        (lambda images: torch.zeros(len(images)), "must give 2 rows"),
        (lambda images: torch.zeros(len(images), 2, dtype=torch.float64), "float64"),
        (lambda images: torch.tensor([[0.0, 1.0], [0.0, torch.nan]]), r"b\.png: the extractor gave features that"),
    ],
)
def test_bad_features(tmp_path, give, message):
    class Bad(FirstPixel):
        def __call__(self, images):
            return give(images)

    write(tmp_path / "a.png", (0, 0, 0))
    write(tmp_path / "b.png", (1, 1, 1))
    with pytest.raises(ValueError, match=message):
        read_images(tmp_path, Bad(), store=tmp_path / "store")


def test_content_hash_tells_names_and_files(tmp_path):
    def hash_of(files, **options):
        root = tmp_path / str(len(list(tmp_path.iterdir())))
        for name, colour in files.items():
            write(root / f"{name}.png", colour)
        return read_images(root, FirstPixel(), **options).content_hash

    first = hash_of({"a": "red", "b": "blue"})
    assert hash_of({"a": "red", "b": "blue"}, crop=2, workers=3) == first
    others = [hash_of({"a": "red", "c": "blue"}), hash_of({"a": "red", "b": "green"}), hash_of({"a": "red"})]
    assert len({first, *others}) == 4
    arrays = [PIXELS, PIXELS[::-1], PIXELS.transpose(0, 3, 1, 2), PIXELS.astype(np.uint16)]
    hashes = {
        read_images(saved(tmp_path, array, f"{k}.npy"), FirstPixel()).content_hash for k, array in enumerate(arrays)
    }
    assert len(hashes) == 4


def test_picture_reads_again(tmp_path):
    Image.fromarray(PIXELS[0]).save(tmp_path / "b.png")
    (tmp_path / "a.png").write_bytes(b"")
    found = read_images(tmp_path, FirstPixel(), skip_bad=True)
    np.testing.assert_array_equal(found.picture(0), read_picture(tmp_path / "b.png"))
    np.testing.assert_array_equal(found.picture(-1), found.picture(0))


def test_image_set_checks_itself():
    rows = np.zeros((2, 3), dtype=np.float32)
    with pytest.raises(ValueError, match="different name"):
        ImageSet(("a", "a"), rows, (b"", b""))
    for names, digests in ((("a",), (b"", b"")), (("a", "b"), (b"",))):
        with pytest.raises(ValueError, match="one name, feature vector, digest and file"):
            ImageSet(names, rows, digests)


def test_warnings_of_pillow_are_silent(tmp_path, capfd):
    write(tmp_path / "a.jpg")
    data = (tmp_path / "a.jpg").read_bytes()
    exif = b"\xff\xe1\x00\x10Exif\0\0nonsense"
    (tmp_path / "a.jpg").write_bytes(data[:2] + exif + data[2:])
    assert len(read_images(tmp_path, FirstPixel(), workers=2)) == 1
    assert capfd.readouterr() == ("", "")


def test_import_is_light():
    code = "import sys, svr_baselines.data; print({'torch', 'PIL', 'matplotlib'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "set()\n"
