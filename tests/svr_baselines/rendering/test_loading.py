import io
import subprocess
import sys

import numpy as np
import pytest
import trimesh
from PIL import Image

from svr_baselines.rendering import Material, load_surface
from svr_baselines.rendering.surface import GREY

SQUARE = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n"
CORNERS = "vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n"
RED_ABOVE_BLUE = np.array([[[255, 0, 0]] * 2, [[0, 0, 255]] * 2], dtype=np.uint8)


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def triangles(surface):
    """Positions of the corners of all faces, in an order that does not depend on the reader's."""
    corners = surface.vertices[surface.faces].reshape(-1, 9)
    return corners[np.lexsort(corners.T)]


def area(surface):
    first, second, third = np.moveaxis(surface.vertices[surface.faces], 1, 0)
    return np.linalg.norm(np.cross(second - first, third - first), axis=1).sum() / 2


def test_polygons_of_mixed_sizes(write):
    roof = "v 0.5 1.5 0\n"
    for faces in ("f 1 2 3 5 4\n", "f 1 2 3 4\nf 4 3 5\n", "f 1 2 3\nf 1 3 4\nf 4 3 5\n", "f 1/1 2/2 3/3 5/1 4/4\n"):
        surface = load_surface(write("house.obj", SQUARE + roof + CORNERS + faces))
        assert len(surface.faces) == 3
        assert area(surface) == pytest.approx(1.25)
        assert surface.materials == (Material(),)
        assert surface.normals is None


def test_indices_from_the_end(write):
    plain = load_surface(write("a.obj", SQUARE + "f 1 2 3\nv 5 5 5\nf 2 3 5\n"))
    relative = load_surface(write("b.obj", SQUARE + "f -4 -3 -2\nv 5 5 5\nf -4 -3 -1\n"))
    np.testing.assert_array_equal(triangles(plain), triangles(relative))


def test_several_materials_with_textures_beside_the_file(write):
    write("textures/two.png", png(RED_ABOVE_BLUE))
    write(
        "all.mtl",
        "newmtl plain\nKd 0.1 0.2 0.3\n"
        "newmtl painted\nKd 0 0 0\nmap_Kd textures/two.png\n"
        "newmtl lost\nKd 0.4 0.5 0.6\nmap_Kd textures/none.png\n",
    )
    parts = {"plain": "1/1 2/2 3/3", "painted": "1/1 3/3 4/4", "lost": "1/1 2/2 4/4", "unknown": "1/1 2/2 3/3"}
    faces = "".join(f"usemtl {name}\nf {corners}\n" for name, corners in parts.items())
    surface = load_surface(write("all.obj", "mtllib all.mtl\n" + SQUARE + CORNERS + faces))
    own = [surface.materials[index] for index in surface.material]
    assert sorted(material.color for material in own) == [(0.1, 0.2, 0.3), (0.4, 0.5, 0.6), GREY, (1.0, 1.0, 1.0)]
    (face,) = [index for index, material in enumerate(own) if material.texture is not None]
    np.testing.assert_array_equal(own[face].texture, RED_ABOVE_BLUE)
    # The texture coordinates of a corner are, on this square, where it lies.
    np.testing.assert_allclose(surface.uv[face], surface.vertices[surface.faces[face]][:, :2])


def test_materials_can_be_left_out(write):
    write("a.mtl", "newmtl red\nKd 1 0 0\n")
    path = write("a.obj", "mtllib a.mtl\n" + SQUARE + "usemtl red\nf 1 2 3 4\n")
    assert load_surface(path).materials == (Material((1.0, 0.0, 0.0)),)
    plain = load_surface(path, materials=False)
    assert plain.materials == (Material(),)
    np.testing.assert_array_equal(triangles(plain), triangles(load_surface(path)))


@pytest.mark.parametrize(
    "content", [None, b"", bytes(range(256)) * 9, b"newmtl other\nKd 1 0 0\n", b"newmtl a\nKd x\n"]
)
def test_material_files_that_are_missing_or_broken(write, content):
    if content is not None:
        write("a.mtl", content)
    surface = load_surface(write("a.obj", "mtllib a.mtl\n" + SQUARE + "usemtl a\nf 1 2 3 4\n"))
    assert surface.materials == (Material(),)


def test_normals_of_the_file_are_kept(write):
    path = write("a.obj", SQUARE + "vn 0 0 2\nvn 1 0 0\nf 1//1 2//1 3//2\n")
    np.testing.assert_array_equal(load_surface(path).normals, [[[0, 0, 2], [0, 0, 2], [1, 0, 0]]])


def test_z_up(write):
    path = write("a.obj", "v 1 2 3\nv 0 0 0\nv 0 0 1\nvn 0 0 1\nf 1//1 2//1 3//1\n")
    turned = load_surface(path, up="z")
    np.testing.assert_array_equal(turned.vertices[turned.faces[0]], [[1, 3, -2], [0, 0, 0], [0, 1, 0]])
    np.testing.assert_array_equal(turned.normals[0], [[0, 1, 0]] * 3)


def test_scene_with_parts_at_their_places(write):
    scene = trimesh.Scene()
    texture = Image.fromarray(RED_ABOVE_BLUE)
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    material = trimesh.visual.material.PBRMaterial(baseColorTexture=texture, baseColorFactor=[255, 51, 255, 255])
    uv = np.array([[0.0, 0], [1, 0], [0, 1]])
    painted = trimesh.Trimesh(
        vertices, [[0, 1, 2]], visual=trimesh.visual.TextureVisuals(uv=uv, material=material), process=False
    )
    plain = trimesh.Trimesh(
        vertices,
        [[0, 1, 2]],
        vertex_normals=[[1.0, 1, 0]] * 3,
        visual=trimesh.visual.TextureVisuals(
            material=trimesh.visual.material.PBRMaterial(baseColorFactor=[0, 51, 0, 255])
        ),
        process=False,
    )
    there = trimesh.transformations.translation_matrix([5, 0, 0])
    wide = np.diag([2.0, 1, 1, 1])
    scene.add_geometry(painted, geom_name="painted", node_name="here")
    scene.graph.update("there", geometry="painted", matrix=there)
    scene.add_geometry(plain, geom_name="plain", node_name="wide", transform=wide)
    surface = load_surface(write("a.glb", scene.export(file_type="glb")))
    expected = np.stack([vertices, vertices + np.array([5, 0, 0]), vertices * [2, 1, 1]]).reshape(-1, 9)
    np.testing.assert_allclose(triangles(surface), expected[np.lexsort(expected.T)])
    assert len(surface.materials) == 2  # that of the part which comes twice is read once
    for face, corners in enumerate(surface.vertices[surface.faces]):
        own = surface.materials[surface.material[face]]
        if corners[:, 0].max() == 2:
            assert own == Material((0.0, 0.2, 0.0))
            # Of what is stretched along X, the normals lean less towards X.
            np.testing.assert_allclose(np.cross(surface.normals[face, 0], [0.5, 1, 0]), 0, atol=1e-6)
        else:
            np.testing.assert_array_equal(own.texture, RED_ABOVE_BLUE)
            assert own.color == (1.0, 0.2, 1.0)
            local = corners - [5 * (corners[:, 0].min() == 5), 0, 0]
            np.testing.assert_allclose(surface.uv[face], local[:, :2], atol=1e-6)


def test_colors_of_vertices(write):
    colors = np.array([[255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 51, 255]], dtype=np.uint8)
    mesh = trimesh.Trimesh(np.eye(3), [[0, 1, 2]], vertex_colors=colors, process=False)
    obj = "v 1 0 0 1 0 0\nv 0 1 0 0 1 0\nv 0 0 1 0 0 0.2\nf 1 2 3\n"
    for surface in map(load_surface, (write("a.ply", mesh.export(file_type="ply")), write("a.obj", obj))):
        assert surface.materials == (Material((1.0, 1.0, 1.0)),)
        np.testing.assert_array_equal(surface.vertices[surface.faces[0]], np.eye(3))
        np.testing.assert_allclose(surface.colors[0], colors[:, :3] / 255, rtol=1e-6)


def test_colors_of_faces(write):
    colors = np.array([[255, 0, 0, 255], [0, 51, 0, 255]], dtype=np.uint8)
    mesh = trimesh.Trimesh(np.eye(3), [[0, 1, 2], [2, 1, 0]], face_colors=colors, process=False)
    surface = load_surface(write("a.ply", mesh.export(file_type="ply")))
    np.testing.assert_allclose(surface.colors, np.repeat(colors[:, None, :3] / 255, 3, axis=1), rtol=1e-6)


@pytest.mark.parametrize("suffix", ["stl", "off"])
def test_formats_without_colors(write, suffix):
    box = trimesh.creation.box()
    surface = load_surface(write(f"a.{suffix}", box.export(file_type=suffix)))
    assert area(surface) == pytest.approx(6)
    assert surface.materials == (Material(),)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "x", "expected a mesh, one of .ply"),
        ("a.obj", "", "the file is empty"),
        ("a.obj", SQUARE, "the mesh has no faces"),
        ("a.obj", SQUARE + "f 1 2\n", "the mesh has no faces"),
        ("a.obj", SQUARE + "f 1 2 5\n", "out of bounds"),
        ("a.obj", SQUARE + "f 0 1 2\n", "index 0"),
        ("a.obj", SQUARE + "f -1 -2 -5\n", "index -5, but 4 elements"),
        ("a.obj", "v nan 0 0\n" + SQUARE + "f 1 2 3\n", "has 1 NaN or infinite vertices"),
        ("a.glb", b"glTF" + bytes(40), "not a readable glb file"),
        ("a.off", "OFF\n3 1 0\n0 0 0\n1 0 0\n", "truncated: the header promises 4 elements"),
        (
            "a.ply",
            "ply\nformat ascii 1.0\nelement vertex 1\n"
            "property float x\nproperty float y\nproperty float z\nend_header\n1 2 3\n",
            "no faces",
        ),
    ],
)
def test_what_is_no_mesh_is_refused(write, name, content, message):
    with pytest.raises(ValueError, match=message) as caught:
        load_surface(write(name, content))
    assert "\n" not in str(caught.value)


def test_axes_and_files_that_are_not_there(tmp_path, write):
    with pytest.raises(ValueError, match=r"`up` must be one of \('y', 'z'\), but got 'x'"):
        load_surface(write("a.obj", SQUARE + "f 1 2 3\n"), up="x")
    with pytest.raises(FileNotFoundError, match="No such file"):
        load_surface(tmp_path / "b.obj")


def test_importing_is_light():
    code = "import sys, svr_baselines.rendering; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"trimesh", "embreex", "kaolin", "torch"} & set(done.stdout.split())
