import io
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import trimesh
from PIL import Image
from trimesh.visual.material import MultiMaterial, PBRMaterial, SimpleMaterial

from svr_baselines.rendering.materials import LARGEST_TEXTURE, Neighbours, Palette


@pytest.fixture
def folder(tmp_path):
    for name in ("model/Wood.PNG", "images/tex 1.png", "model/sub/deep.jpg", "model/my scan.mtl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path / "model"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Wood.PNG", "model/Wood.PNG"),
        (" wood.png\r", "model/Wood.PNG"),
        ("./sub/deep.jpg", "model/sub/deep.jpg"),
        ("sub\\deep.jpg", "model/sub/deep.jpg"),
        ("SUB/Deep.JPG", "model/sub/deep.jpg"),
        ("../images/tex 1.png", "images/tex 1.png"),  # as in ShapeNetCore v2
        ('"../images/tex 1.png"', "images/tex 1.png"),
        ("C:\\Users\\me\\wood.png", "model/Wood.PNG"),
        ("/home/me/project/wood.png", "model/Wood.PNG"),
        ("-s 1 1 1 -clamp on ../images/tex 1.png", "images/tex 1.png"),
        ("my scan.mtl", "model/my scan.mtl"),
    ],
)
def test_files_are_found_by_the_names_of_many_systems(folder, name, found):
    assert Neighbours(folder).get(name).decode() == found


@pytest.mark.parametrize("name", ["", " ", ".", "..", "sub", "none.png", "../images", "a/b/c.png", "Wood.PNG/x"])
def test_files_that_are_not_there(folder, name):
    with pytest.raises(FileNotFoundError):
        Neighbours(folder).get(name)


def as_file(pixels, form="PNG", mode=None, **options):
    """An image as the reader opens one."""
    image = Image.fromarray(pixels)
    file = io.BytesIO()
    (image.convert(mode) if mode else image).save(file, form, **options)
    return Image.open(io.BytesIO(file.getvalue()))


def material_of(source):
    palette = Palette()
    geometry = SimpleNamespace(faces=np.zeros((4, 3)), visual=SimpleNamespace(material=source))
    assert palette.of_faces(geometry).tolist() == [0] * 4
    (found,) = palette.materials
    return found


@pytest.mark.parametrize(
    ("given", "color"),
    [
        ({"kd": [0.1, 0.2, 0.3]}, (0.1, 0.2, 0.3)),
        ({"kd": [-1.0, 7.0, float("nan")]}, (0, 1, 0)),
        ({"kd": 0.5}, (0.8, 0.8, 0.8)),
        ({}, (0.8, 0.8, 0.8)),
    ],
)
def test_colors_of_obj(given, color):
    assert material_of(SimpleMaterial(**given)).color == color


@pytest.mark.parametrize("mode", ["L", "P", "LA", "RGB", "1", "CMYK"])
def test_images_of_all_modes(mode):
    grey = np.full((2, 3, 3), 255, dtype=np.uint8)
    grey[0, 0] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = as_file(grey, "TIFF" if mode == "CMYK" else "PNG", mode)
        np.testing.assert_array_equal(material_of(SimpleMaterial(image=image)).texture, grey)


def test_the_colour_shows_where_a_texture_is_transparent():
    pixels = np.array([[[255, 0, 0, 0], [255, 0, 0, 255], [255, 0, 0, 51]]], dtype=np.uint8)
    found = material_of(SimpleMaterial(image=as_file(pixels), kd=[0.0, 1.0, 0.0]))
    assert found.texture.tolist() == [[[0, 255, 0], [255, 0, 0], [51, 204, 0]]]
    assert found.color == (1, 1, 1)
    assert material_of(PBRMaterial(baseColorTexture=as_file(pixels))).texture[0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_large_textures_are_shrunk(form):
    wide = np.zeros((300, 3000, 3), dtype=np.uint8)
    wide[:, 1500:] = 255
    texture = material_of(SimpleMaterial(image=as_file(wide, form))).texture
    assert texture.shape[1] <= LARGEST_TEXTURE
    assert texture.shape[1] / texture.shape[0] == pytest.approx(10, rel=0.02)
    assert texture[:, : texture.shape[1] // 2 - 2].max() < 5
    assert texture[:, texture.shape[1] // 2 + 2 :].min() > 250


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_broken_images_fall_back_to_the_colour(form):
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(file, form)
    broken = Image.open(io.BytesIO(file.getvalue()[:2000]))
    found = material_of(SimpleMaterial(image=broken, kd=[0.5, 0.5, 1.0]))
    assert found.texture is None
    assert found.color == (0.5, 0.5, 1)


def test_a_picture_that_the_reader_makes_up_is_no_texture():
    mesh = trimesh.Trimesh(np.eye(3), [[0, 1, 2]], visual=trimesh.visual.TextureVisuals(uv=np.zeros((3, 2))))
    palette = Palette()
    palette.of_faces(mesh)
    assert palette.materials[0].texture is None
    assert palette.materials[0].color == (0.8, 0.8, 0.8)


def test_several_materials_of_one_part():
    red, blue = SimpleMaterial(kd=[1.0, 0.0, 0.0]), SimpleMaterial(kd=[0.0, 0.0, 1.0])
    several = MultiMaterial([red, blue, red])
    visual = SimpleNamespace(material=several, face_materials=[2, 1, 0, 1])
    palette = Palette()
    found = palette.of_faces(SimpleNamespace(faces=np.zeros((4, 3)), visual=visual))
    assert found.tolist() == [0, 1, 0, 1]
    assert [material.color for material in palette.materials] == [(1, 0, 0), (0, 0, 1)]
