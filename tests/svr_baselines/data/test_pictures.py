"""One image file to RGB: each mode against plain definitions, and every fault as one line."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from svr_baselines.data.pictures import parse_background, read_picture

RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (13, 16, 4), dtype=np.uint8)
RAMP = np.linspace(20, 230, 64)
SMOOTH = np.stack([*np.meshgrid(RAMP, RAMP), np.full((64, 64), 128.0)], axis=2).astype(np.uint8)


def saved(tmp_path, image, name="a.png", **options):
    path = tmp_path / name
    image.save(path, **options)
    return path


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(pixels, kind, extra=b""):
    """A PNG of 16-bit `(H, W, C)` pixels, which Pillow doesn't write; `kind` is the format's colour type."""
    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def over(colours, alpha, background):
    """Compositing as it is defined, in floating point."""
    share = alpha[..., None].astype(np.float64) / 255
    return np.floor(colours * share + np.array(background) * (1 - share) + 0.5)


def fault(path, **options):
    with pytest.raises(ValueError, match=r"^[\w`].*$") as caught:
        read_picture(path, **options)
    text = str(caught.value)
    assert not [noise for noise in ("\n", "<", "0x", "Error") if noise in text]
    return text


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.TIFF", "a.webp"])
def test_lossless_colours(tmp_path, name):
    options = {"lossless": True} if name == "a.webp" else {}
    path = saved(tmp_path, Image.fromarray(COLOURS[..., :3]), name, **options)
    picture = read_picture(path)
    assert picture.dtype == np.uint8
    assert picture.flags.writeable
    np.testing.assert_array_equal(picture, COLOURS[..., :3])


@pytest.mark.parametrize("name", ["a.jpg", "a.jpeg", "a.webp"])
def test_lossy_colours(tmp_path, name):
    path = saved(tmp_path, Image.fromarray(SMOOTH), name, quality=95)
    assert np.abs(read_picture(path).astype(int) - SMOOTH).max() < 16


@pytest.mark.parametrize(
    ("background", "colour"), [("white", (255, 255, 255)), ("black", (0, 0, 0)), ("#0a80F0", (10, 128, 240))]
)
def test_alpha_is_composited(tmp_path, background, colour):
    # All 65536 pairs of value and alpha.
    value, alpha = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    path = saved(tmp_path, Image.fromarray(np.stack([value, value, 255 - value, alpha], axis=2)))
    expected = over(np.stack([value, value, 255 - value], axis=2), alpha, colour)
    np.testing.assert_array_equal(read_picture(path, background), expected)


def test_no_background_keeps_what_lies_under(tmp_path):
    path = saved(tmp_path, Image.fromarray(COLOURS))
    np.testing.assert_array_equal(read_picture(path, "none"), COLOURS[..., :3])


def test_grey_with_alpha(tmp_path):
    grey, alpha = COLOURS[..., 0], COLOURS[..., 3]
    path = saved(tmp_path, Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)]))
    three = np.stack([grey] * 3, axis=2)
    np.testing.assert_array_equal(read_picture(path, "#102030"), over(three, alpha, (16, 32, 48)))
    np.testing.assert_array_equal(read_picture(path, "none"), three)


@pytest.mark.parametrize("alphas", [None, bytes([0, 128]), 1])
def test_palette(tmp_path, alphas):
    indices = RNG.integers(0, 3, (5, 7), dtype=np.uint8)
    palette = np.array([[200, 10, 20], [0, 99, 250], [7, 8, 9]], dtype=np.uint8)
    image = Image.fromarray(indices, "L").convert("P")
    image.putpalette(palette.tobytes())
    image.putdata(indices.ravel().tolist())
    options = {} if alphas is None else {"transparency": alphas}
    path = saved(tmp_path, image, **options)
    alpha = np.array({None: [255] * 3, 1: [255, 0, 255]}.get(alphas, [0, 128, 255]))[indices]
    np.testing.assert_array_equal(read_picture(path), over(palette[indices], alpha, (255, 255, 255)))
    np.testing.assert_array_equal(read_picture(path, "none"), palette[indices])


def test_transparent_colour(tmp_path):
    image = Image.fromarray(np.array([[[1, 2, 3], [1, 2, 4]]], dtype=np.uint8))
    assert read_picture(saved(tmp_path, image, transparency=(1, 2, 3))).tolist() == [[[255] * 3, [1, 2, 4]]]
    image = Image.fromarray(np.array([[7, 8]], dtype=np.uint8))
    assert read_picture(saved(tmp_path, image, transparency=7))[..., 0].tolist() == [[255, 8]]


def test_one_bit_and_grey(tmp_path):
    bits = RNG.random((6, 9)) < 0.5
    picture = read_picture(saved(tmp_path, Image.fromarray(bits)))
    np.testing.assert_array_equal(picture, np.stack([bits * 255] * 3, axis=2))
    grey = COLOURS[..., 1]
    np.testing.assert_array_equal(read_picture(saved(tmp_path, Image.fromarray(grey))), np.stack([grey] * 3, axis=2))


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_grey_of_16_bits_is_scaled(tmp_path, name):
    grey = np.array([[0, 128, 129, 257, 1000, 32767, 32768, 65279, 65535]], dtype=np.uint16)
    path = saved(tmp_path, Image.fromarray(grey), name)
    np.testing.assert_array_equal(read_picture(path)[..., 2], np.rint(grey / 65535 * 255))


def test_grey_of_32_bits(tmp_path):
    grey = np.array([[0, 300, 65535]], dtype=np.int32)
    path = saved(tmp_path, Image.fromarray(grey), "a.tif")
    assert read_picture(path)[..., 0].tolist() == [[0, 1, 255]]
    for value in (-1, 65536):
        path = saved(tmp_path, Image.fromarray(np.array([[value]], dtype=np.int32)), "a.tif")
        assert "outside of 16 bits" in fault(path)


def test_16_bits_with_transparency(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png(np.array([[[1000], [65535]]]), 0, chunk(b"tRNS", struct.pack(">H", 1000))))
    assert read_picture(path, "#010203").tolist() == [[[1, 2, 3], [255, 255, 255]]]
    path.write_bytes(png(np.array([[[256, 0, 0], [0, 0, 0]]]), 2, chunk(b"tRNS", struct.pack(">3H", 256, 0, 0))))
    assert read_picture(path).tolist() == [[[255] * 3, [0] * 3]]
    path.write_bytes(png(np.array([[[65535, 0, 32768, 65535], [65535, 0, 0, 0]]]), 6))
    assert read_picture(path).tolist() == [[[255, 0, 128], [255, 255, 255]]]
    path.write_bytes(png(np.array([[[51 * 257, 65535], [0, 0]]]), 4))
    assert read_picture(path).tolist() == [[[51] * 3, [255] * 3]]


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_cmyk(tmp_path, name):
    # Pillow writes JPEGs as Adobe does, inverted.
    path = saved(tmp_path, Image.new("CMYK", (8, 8), (255, 0, 255, 0)), name)
    np.testing.assert_allclose(read_picture(path), np.broadcast_to([0, 255, 0], (8, 8, 3)), atol=3)


def test_floating_point_is_refused(tmp_path):
    path = saved(tmp_path, Image.fromarray(np.zeros((2, 2), dtype=np.float32)), "a.tif")
    assert "mode F" in fault(path)


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp"])
def test_orientation(tmp_path, orientation, name):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if name == "a.webp" else {}
    path = saved(tmp_path, Image.fromarray(COLOURS[..., :3]), name, exif=exif, **options)
    with Image.open(path) as image:
        expected = np.array(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(read_picture(path), expected)


def test_damaged_exif_is_no_fault(tmp_path):
    path = saved(tmp_path, Image.fromarray(SMOOTH), "a.jpg", exif=b"Exif\0\0nonsense")
    assert read_picture(path).shape == SMOOTH.shape


def test_first_frame(tmp_path):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    for name in ("a.gif", "a.webp", "a.png", "a.tif"):
        path = saved(tmp_path, frames[0], name, save_all=True, append_images=frames[1:])
        np.testing.assert_allclose(read_picture(path)[0, 0], (255, 0, 0), atol=2)


@pytest.mark.parametrize(("height", "width", "crop"), [(137, 137, 127), (9, 12, 4), (8, 5, 5), (6, 6, 6), (7, 4, 1)])
def test_crop(tmp_path, height, width, crop):
    pixels = RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)
    picture = read_picture(saved(tmp_path, Image.fromarray(pixels)), crop=crop)
    # As torchvision.transforms.functional.center_crop.
    top, left = round((height - crop) / 2.0), round((width - crop) / 2.0)
    np.testing.assert_array_equal(picture, pixels[top : top + crop, left : left + crop])


def test_smaller_than_the_crop(tmp_path):
    path = saved(tmp_path, Image.new("RGB", (20, 9)))
    assert fault(path, crop=10) == "the image has 20 x 9 pixels, fewer than the crop of 10"
    assert "`crop`" in fault(path, crop=0)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"])
@pytest.mark.parametrize("keep", [0.02, 0.3, 0.6, 0.95])
def test_truncated(tmp_path, format, keep):
    buffer = io.BytesIO()
    Image.fromarray(COLOURS[..., :3]).resize((90, 70)).save(buffer, format)
    path = tmp_path / "a.png"
    path.write_bytes(buffer.getvalue()[: int(len(buffer.getvalue()) * keep)])
    assert fault(path).split()[0] in ("the", "not")


def test_damaged(tmp_path):
    path = saved(tmp_path, Image.fromarray(COLOURS))
    data = bytearray(path.read_bytes())
    data[60] ^= 255
    path.write_bytes(data)
    assert "not a readable image, perhaps damaged" in fault(path)


def test_pillow_neither_logs_nor_quotes(tmp_path, capfd):
    path = saved(tmp_path, Image.fromarray(COLOURS), "a.tif")
    data = path.read_bytes()
    # 16-bit tag 277, samples per pixel: more than Pillow has a mode for, which it logs.
    path.write_bytes(data.replace(struct.pack("<HHLH", 277, 3, 1, 4), struct.pack("<HHLH", 277, 3, 1, 200)))
    assert "not an image that can be read" in fault(path)
    path = saved(tmp_path, Image.fromarray(RNG.integers(0, 256, (300, 300, 3), dtype=np.uint8)))
    before, after = path.read_bytes().rsplit(b"IDAT", 1)
    path.write_bytes(before + b"ID\xff\xfe" + after)
    assert fault(path) == "not a readable image, perhaps damaged"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"no image at all", "not an image that can be read (PNG, JPEG, "),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image that can be read"),
        (png(np.zeros((0, 3, 3)), 2), "image"),
        (png(np.zeros((3, 0, 3)), 2), "image"),
    ],
)
def test_no_image(tmp_path, data, message):
    (tmp_path / "a.png").write_bytes(data)
    assert message in fault(tmp_path / "a.png")


def test_no_file(tmp_path):
    assert fault(tmp_path / "a.png") == "No such file or directory"


@pytest.mark.parametrize("side", [11, 15])  # of which Pillow warns, and which it refuses
def test_decompression_bomb(tmp_path, monkeypatch, side):
    path = saved(tmp_path, Image.new("RGB", (side, side)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert fault(path) == "the image has more than the 100 pixels that Pillow deems safe to decode"
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert read_picture(path).shape == (side, side, 3)


def test_background_is_checked(tmp_path):
    assert [parse_background(text) for text in ("white", "black", "#010aFF", "none")] == [
        (255, 255, 255),
        (0, 0, 0),
        (1, 10, 255),
        None,
    ]
    for text in ("grey", "#12345", "#1234567", "#12345g", "", "#12345\n", None, 0):
        with pytest.raises(ValueError, match="Argument `background` must be 'white', 'black', 'none' or '#rrggbb'"):
            parse_background(text)
    with pytest.raises(ValueError, match="`background`"):
        read_picture(tmp_path / "a.png", "grey")
