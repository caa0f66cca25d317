"""Stand-ins have the attributes of Kaolin 0.18; a test with Kaolin itself runs where it is installed."""

import enum
import pickle
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import trimesh

from ds_metrics.pairwise.backends import import_quietly
from svr_baselines.building import Workers, build_points, build_renders, kaolin_sources
from svr_baselines.building.kaolin_meshes import surface_of_kaolin
from svr_baselines.data.manifest import read_manifest
from svr_baselines.rendering import Material
from svr_baselines.rendering.shading import look_up


class Batching(str, enum.Enum):
    NONE = "NONE"
    LIST = "LIST"


class StandIn:
    """A `SurfaceMesh`: attributes that are not set are computed, so they must not be asked for."""

    def __init__(self, vertices, faces, batching=Batching.NONE, **attributes):
        self.held = {"vertices": torch.as_tensor(vertices), "faces": torch.as_tensor(faces), **attributes}
        self.batching = batching

    def has_attribute(self, name):
        return name in self.held

    def __getattr__(self, name):
        if name == "held" or name not in self.held:
            raise AttributeError(name)
        return self.held[name]


class DataSet:
    """As `kaolin.io.shapenet.ShapeNetV1`."""

    def __init__(self, meshes, as_dictionary=True):
        self.meshes = meshes
        self.names = [f"02691156/{name}" for name in "abc"][: len(meshes)]
        self.as_dictionary = as_dictionary

    def __len__(self):
        return len(self.meshes)

    def __getitem__(self, index):
        if self.as_dictionary:
            return {"mesh": self.meshes[index], "name": self.names[index]}
        return SimpleNamespace(data=self.meshes[index], attributes={})


def box(*size):
    mesh = trimesh.creation.box(size)
    return StandIn(np.asarray(mesh.vertices, dtype=np.float32), np.asarray(mesh.faces, dtype=np.int64))


def quads(**attributes):
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [0, 1, 1]])
    return StandIn(vertices, torch.tensor([[0, 1, 2, 3], [0, 3, 5, 4]]), **attributes)


def test_polygons_become_triangles_with_the_values_of_their_corners():
    uvs = torch.rand(5, 2)
    index = torch.tensor([[0, 1, 2, 3], [4, 3, 2, 1]])
    material = {"Kd": torch.tensor([0.1, 0.2, 0.3]), "map_Kd": torch.full((2, 2, 3), 7, dtype=torch.uint8)}
    surface = surface_of_kaolin(
        quads(uvs=uvs, face_uvs_idx=index, materials=[material], material_assignments=torch.tensor([0, 0]))
    )
    assert surface.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 3, 5], [0, 5, 4]]
    expected = uvs[torch.tensor([[0, 1, 2], [0, 2, 3], [4, 3, 2], [4, 2, 1]])]
    expected[..., 1] = 1 - expected[..., 1]  # its v runs down, ours up
    np.testing.assert_array_equal(surface.uv, expected)
    assert surface.materials[0].texture.tolist() == [[[7] * 3] * 2] * 2


def test_materials_of_both_kinds():
    pbr = SimpleNamespace(diffuse_color=torch.tensor([0.5, 0.25, 0.0]), diffuse_texture=None)
    chw = SimpleNamespace(diffuse_color=None, diffuse_texture=torch.linspace(0, 1, 3 * 4 * 5).reshape(3, 4, 5))
    mesh = quads(materials=[pbr, chw], material_assignments=torch.tensor([1, 0]))
    surface = surface_of_kaolin(mesh)
    assert surface.materials[0].color == (0.5, 0.25, 0.0)
    assert surface.materials[1].texture.shape == (4, 5, 3)
    assert surface.materials[1].texture[3, 4, 2] == 255
    assert surface.material.tolist() == [1, 1, 0, 0]
    assert surface_of_kaolin(mesh, materials=False).material is None


def test_a_batch_is_refused():
    with pytest.raises(
        ValueError, match=r"expected one mesh, but got a batch \(LIST\); take one of it, as `mesh\[i\]`"
    ):
        surface_of_kaolin(quads(batching=Batching.LIST))


@pytest.mark.parametrize("as_dictionary", [True, False])
def test_a_data_set_is_built_from(tmp_path, as_dictionary):
    sources = kaolin_sources(DataSet([box(1, 2, 3), box(3, 3, 3)], as_dictionary))
    assert [source.id for source in sources] == ["02691156/a", "02691156/b"]
    build_points(sources, tmp_path / "points", points=400)
    cloud = np.load(tmp_path / "points" / "02691156" / "a.npy")
    np.testing.assert_allclose(np.ptp(cloud, axis=0), np.array([1, 2, 3]) / 14**0.5, atol=0.02)
    build_renders(sources, tmp_path / "renders", size=16, renderer="embree", up="z")
    assert (tmp_path / "renders" / "azimuth-90" / "02691156" / "b" / "rendering" / "00.png").exists()


def test_meshes_by_name_and_without_names():
    assert [source.id for source in kaolin_sources({"b": box(1, 1, 1), "a": box(1, 1, 2)})] == ["a", "b"]
    (source, _) = kaolin_sources([box(1, 2, 3), box(1, 1, 1)])
    assert source.id == "0000"
    assert np.ptp(source.load("z", materials=True).vertices, axis=0).tolist() == [1, 3, 2]
    with pytest.raises(TypeError, match="must be a Kaolin data set or a mapping, but got int"):
        kaolin_sources(3)


def test_sources_can_be_sent_to_other_processes():
    (source,) = pickle.loads(pickle.dumps(kaolin_sources(DataSet([box(1, 2, 3)]))))
    assert len(source.load("y", materials=False).faces) == 12


def test_kaolin_itself():
    try:
        kaolin = import_quietly("kaolin.rep")
    except ImportError as error:
        pytest.skip(f"converts NVIDIA Kaolin's own SurfaceMesh, which can't be imported: {error}")
    stand_in = box(1, 2, 3)
    mesh = kaolin.SurfaceMesh(stand_in.vertices, stand_in.faces)
    np.testing.assert_array_equal(surface_of_kaolin(mesh).vertices, surface_of_kaolin(stand_in).vertices)


def textured(uv, texture, **attributes):
    """A square whose picture is seen as a whole; its corners are at (0, 0), (1, 0), (1, 1) and (0, 1)."""
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    faces = torch.tensor([[0, 1, 2, 3]])
    return StandIn(vertices, faces, uvs=uv, face_uvs_idx=faces, materials=[{"map_Kd": texture}], **attributes)


@pytest.mark.parametrize(("version", "down"), [(None, True), ("0.15.0", True), ("0.18.0a0", True), ("0.14.0", False)])
def test_the_top_of_a_texture_is_on_top(monkeypatch, version, down):
    monkeypatch.setitem(sys.modules, "kaolin", SimpleNamespace(__version__=version) if version else SimpleNamespace())
    red_over_blue = torch.tensor([[[255, 0, 0]], [[0, 0, 255]]], dtype=torch.uint8)
    up = torch.tensor([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    uv = torch.stack([up[:, 0], 1 - up[:, 1]], dim=1) if down else up
    surface = surface_of_kaolin(textured(uv, red_over_blue))
    for corner, color in ((0, [0, 0, 1]), (2, [1, 0, 0])):
        place = 0.5 * surface.uv[0, corner] + 0.25  # in the middle of its quarter
        assert look_up(surface.materials[0].texture, place[None])[0].tolist() == color


GREY = torch.tensor([[0.0, 0.2], [0.4, 1.0]])


@pytest.mark.parametrize(
    "texture",
    [
        GREY,
        GREY[None],
        GREY[..., None],
        (GREY[..., None] * 255).byte(),
        GREY.bfloat16().float()[None].expand(3, 2, 2),
        GREY[..., None].expand(2, 2, 3),
        GREY[..., None].expand(2, 2, 3).requires_grad_(),
        (GREY * 255).long()[None],
        torch.stack([GREY, torch.ones(2, 2)]).permute(1, 2, 0),
        torch.cat([GREY[None].expand(3, 2, 2), torch.ones(1, 2, 2)]),
    ],
    ids=str,
)
def test_grey_and_other_textures(texture):
    surface = surface_of_kaolin(textured(torch.zeros(4, 2), texture))
    found = surface.materials[0].texture
    assert (found == found[..., :1]).all()
    assert np.abs(found[..., 0] - np.array([[0, 51], [102, 255]])).max() <= 1


def test_wide_textures_keep_their_sides():
    wide = torch.rand(4, 7, 3)
    for texture in (wide, wide.permute(2, 0, 1), wide.bfloat16()):
        found = surface_of_kaolin(textured(torch.zeros(4, 2), texture)).materials[0].texture
        np.testing.assert_allclose(found / 255, wide, atol=0.01)
    grey = torch.rand(1, 5, 4)  # no row of pixels with transparency: Kaolin leaves that out
    assert surface_of_kaolin(textured(torch.zeros(4, 2), grey)).materials[0].texture.shape == (5, 4, 3)
    large = torch.zeros(2000, 1000, 3, dtype=torch.uint8)
    assert surface_of_kaolin(textured(torch.zeros(4, 2), large)).materials[0].texture.shape == (1024, 512, 3)


def test_where_a_texture_is_transparent_the_colour_shows():
    texture = torch.tensor([[[1.0, 0, 0, 1], [1, 0, 0, 0]]]).expand(2, 2, 4)
    mesh = textured(torch.zeros(4, 2), texture)
    assert surface_of_kaolin(mesh).materials[0].texture.tolist() == [[[255, 0, 0], [255, 255, 255]]] * 2
    mesh.materials[0]["Kd"] = (0.0, 0.2, 1.0)
    assert surface_of_kaolin(mesh).materials[0].texture.tolist() == [[[255, 0, 0], [0, 51, 255]]] * 2


@pytest.mark.parametrize(
    "texture", [torch.zeros(0, 0, 3), torch.zeros(5, 6, 7), torch.zeros(3), torch.zeros(1, 2, 2, 3)]
)
def test_textures_that_are_none_leave_the_colour(texture):
    mesh = textured(torch.zeros(4, 2), texture)
    mesh.materials[0]["Kd"] = torch.tensor([1.0, 0, 0])
    assert surface_of_kaolin(mesh).materials[0] == Material((1.0, 0.0, 0.0))


def test_colours_of_kinds():
    colors = [
        torch.tensor([0.5]),
        torch.tensor([0.1, 0.2, 0.3, 0.4]),
        (1.0, 0.0, 0.5),
        None,
        torch.tensor([torch.nan] * 3),
    ]
    mesh = quads(materials=[SimpleNamespace(diffuse_color=color) for color in colors])
    found = [material.color for material in surface_of_kaolin(mesh).materials]
    np.testing.assert_allclose(found, [[0.5] * 3, [0.1, 0.2, 0.3], [1, 0, 0.5], [0.8] * 3, [0.8] * 3], rtol=1e-6)


def test_faces_without_a_material_are_grey():
    red = {"Kd": torch.tensor([1.0, 0, 0])}
    surface = surface_of_kaolin(quads(materials=[red], material_assignments=torch.tensor([0, -1], dtype=torch.int16)))
    colors = [surface.materials[index].color for index in surface.material]
    assert colors == [(1, 0, 0)] * 2 + [Material().color] * 2


CORNERS = torch.tensor([[0, 1, 2], [0, 2, 3], [0, 3, 5], [0, 5, 4]])


def test_values_of_vertices_need_no_indices():
    colors, normals, uvs = torch.rand(6, 4), torch.rand(6, 3), torch.rand(6, 2)
    surface = surface_of_kaolin(quads(vertex_colors=colors, vertex_normals=normals, uvs=uvs, materials=[{}]))
    np.testing.assert_allclose(surface.colors, colors[CORNERS][..., :3], rtol=1e-6)
    np.testing.assert_array_equal(surface.normals, normals[CORNERS])
    np.testing.assert_array_equal(surface.uv[..., 0], uvs[CORNERS][..., 0])
    assert surface_of_kaolin(quads(vertex_colors=colors)).materials == (Material((1.0, 1.0, 1.0)),)
    np.testing.assert_array_equal(surface_of_kaolin(quads(normals=normals)).normals, normals[CORNERS])


def test_values_of_faces():
    fan = [[0, 1, 2], [0, 2, 3]]
    normals, uvs = torch.rand(2, 4, 3), torch.rand(2, 4, 2)
    colors = torch.tensor([[0, 51, 255], [255, 0, 0]])
    mesh = quads(
        face_normals=normals, face_uvs=uvs, face_colors=colors, vertex_normals=torch.rand(6, 3), materials=[{}]
    )
    surface = surface_of_kaolin(mesh)
    np.testing.assert_array_equal(surface.normals, normals[:, fan].reshape(4, 3, 3))
    np.testing.assert_array_equal(surface.uv[..., 0], uvs[:, fan].reshape(4, 3, 2)[..., 0])
    np.testing.assert_allclose(surface.colors[:, 0], [[0, 0.2, 1]] * 2 + [[1, 0, 0]] * 2, rtol=1e-6)
    assert surface_of_kaolin(mesh, materials=False).colors is None


def test_corners_without_a_normal_are_flat_and_others_keep_theirs():
    normals = torch.tensor([[0.0, 0, 1]])
    surface = surface_of_kaolin(quads(normals=normals, face_normals_idx=torch.tensor([[0] * 4, [-1] * 4])))
    assert surface.normals[:, :, 2].tolist() == [[1] * 3] * 2 + [[0] * 3] * 2


def test_what_is_empty_or_does_not_fit_is_left_out():
    none = torch.zeros(0, 3)
    mesh = quads(
        normals=none, uvs=torch.zeros(0, 2), face_uvs_idx=torch.full((2, 4), -1), face_colors=torch.zeros(2, 0)
    )
    surface = surface_of_kaolin(mesh)
    assert surface.normals is surface.uv is surface.colors is None


def test_off_files_are_named_tuples():
    off = SimpleNamespace(
        vertices=torch.eye(3), faces=torch.tensor([[0, 1, 2]]), face_colors=torch.tensor([[255, 0, 51]])
    )
    np.testing.assert_allclose(surface_of_kaolin(off).colors, [[[1, 0, 0.2]] * 3], rtol=1e-6)


@pytest.mark.parametrize("with_method", [True, False])
def test_the_transform_is_applied(with_method):
    matrix = torch.diag(torch.tensor([1.0, 2, 3, 1], dtype=torch.float64))
    matrix[:3, 3] = 5
    mesh = quads(transform=matrix, vertex_normals=torch.ones(6, 3))
    if with_method:
        turned = torch.ones(6, 3) / torch.tensor([1.0, 2, 3])
        mesh.as_transformed = lambda: quads(vertex_normals=turned, moved=True)
        assert surface_of_kaolin(mesh).normals[0, 0].tolist() == pytest.approx([1, 1 / 2, 1 / 3])
        return
    surface = surface_of_kaolin(mesh)
    assert np.ptp(surface.vertices, axis=0).tolist() == [1, 2, 3]
    assert surface.vertices.min() == 5
    assert surface.normals[0, 0].tolist() == pytest.approx([1, 1 / 2, 1 / 3])


class ModelNet:
    """As `kaolin.io.modelnet.ModelNet` of one split."""

    def __init__(self, split):
        self.names = [f"{split}/chair_{number}.off" for number in range(3)] + [f"{split}/desk_1.off"]
        self.meshes = [box(1, 2, 3)] * 4

    def __len__(self):
        return len(self.names)

    def __getitem__(self, index):
        name = self.names[index]
        return {"mesh": self.meshes[index], "name": name, "label": name.split("/")[1].split("_")[0]}


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("told", [True, False])
def test_model_net_keeps_its_labels_and_its_split(tmp_path, split, told):
    data = ModelNet(split)
    if told:  # without reading the mesh
        data.get_attributes = lambda index: {"label": data[index]["label"]}
    sources = kaolin_sources(data)
    assert [source.id for source in sources] == ["chair/chair_0", "chair/chair_1", "chair/chair_2", "desk/desk_1"]
    build_points(sources, tmp_path / "points", points=9)
    rows = read_manifest(tmp_path / "points").samples
    assert [row.category for row in rows] == ["chair"] * 3 + ["desk"]
    assert {row.split for row in rows} == {split}


class Shrec(DataSet):
    """As `kaolin.io.shrec.SHREC16` of its part for validation."""

    def get_attributes(self, index):
        return {"path": f"/data/val/{self.names[index]}"}


def test_shrec_keeps_its_split():
    data = Shrec([box(1, 2, 3)])
    (source,) = kaolin_sources(data)
    assert (source.id, source.split) == ("02691156/a", "validation")
    data.names = ["test_allinone/a"]
    (source,) = kaolin_sources(data)
    assert (source.id, source.split) == ("a", "test")


class Broken(DataSet):
    """One whose second shape raises something when it is read."""

    error: BaseException = OSError(5, "Input/output error")

    def __getitem__(self, index):
        if index == 1:
            raise self.error
        return super().__getitem__(index)


ERRORS = [
    (OSError(5, "Input/output error"), "OSError: [Errno 5] Input/output error"),
    (RuntimeError("a\nb"), "RuntimeError: a b"),
    (KeyError("x"), "KeyError: 'x'"),
    (ValueError(), "ValueError"),
    (ValueError("faces of several sizes"), "faces of several sizes"),
]


@pytest.mark.parametrize(("error", "reason"), ERRORS)
def test_a_bad_shape_is_skipped_with_the_reason(tmp_path, monkeypatch, error, reason):
    monkeypatch.setattr(Broken, "error", error)
    summary = build_points(kaolin_sources(Broken([box(1, 2, 3)] * 3)), tmp_path / "out", points=9)
    assert (summary.built, [bad.reason for bad in summary.skipped]) == (2, [reason])
    assert [bad.name for bad in summary.skipped] == ["02691156/b"]


def test_items_of_other_contents_are_skipped(tmp_path):
    items = {"a": box(1, 2, 3), "b": {"points": 3}, "c": quads(batching=Batching.LIST), 4: None}
    summary = build_points(kaolin_sources(items), tmp_path / "out", points=9)
    assert {bad.name: bad.reason for bad in summary.skipped} == {
        "4": "the mesh has no faces",
        "b": "the item has no 'mesh', but ['points']",
        "c": "expected one mesh, but got a batch (LIST); take one of it, as `mesh[i]`",
    }


class Sealed(StandIn):
    """As `SurfaceMesh`, it does not unpickle."""

    def __reduce__(self):
        return _fail, ()


def _fail():
    raise RuntimeError("it does not unpickle")


def test_other_processes_get_one_item_alone():
    sphere = trimesh.creation.icosphere(4)
    meshes = {
        f"{index:03}": Sealed(np.asarray(sphere.vertices * (index + 1)), np.asarray(sphere.faces))
        for index in range(50)
    }
    sources = kaolin_sources(meshes)
    sent = pickle.dumps(sources[7])
    assert len(sent) < 1.1 * (sphere.vertices.nbytes + sphere.faces.nbytes)
    source = pickle.loads(sent)
    assert (source.id, source.mesh) == ("007", None)
    np.testing.assert_allclose(source.load("y", materials=True).vertices, sphere.vertices * 8)
    np.testing.assert_array_equal(source.load("z", False).vertices, sources[7].load("z", False).vertices)


def test_a_bad_item_is_bad_in_another_process(monkeypatch):
    source = pickle.loads(pickle.dumps(kaolin_sources(Broken([box(1, 2, 3)] * 3))[1]))
    with pytest.raises(ValueError, match=r"OSError: .*Input/output error"):
        source.load("y", materials=False)


@pytest.mark.usefixtures("forked_workers")
def test_a_dictionary_survives_two_processes(tmp_path, tree):
    meshes = {
        name: Sealed(mesh.vertices, mesh.faces) for name, mesh in zip("ab", (box(1, 2, 3), box(2, 2, 1)), strict=True)
    }
    meshes["bad"] = None
    for count in (1, 2):
        build_points(kaolin_sources(meshes), tmp_path / str(count), points=50, workers=Workers(count))
        build_renders(kaolin_sources(meshes), tmp_path / f"r{count}", size=8, renderer="embree", workers=Workers(count))
    assert tree(tmp_path / "1") == tree(tmp_path / "2")
    assert tree(tmp_path / "r1") == tree(tmp_path / "r2")


def test_a_batch_has_an_item_a_mesh():
    class Batch(StandIn):
        def __len__(self):
            return len(self.vertices)

        def __getitem__(self, index):
            return StandIn(self.vertices[index], self.faces)

    one, other = box(1, 2, 3), box(2, 2, 2)
    batch = Batch(torch.stack([one.vertices, other.vertices]), one.faces, Batching.LIST)
    sources = kaolin_sources(batch)
    assert [source.id for source in sources] == ["0000", "0001"]
    assert np.ptp(sources[1].load("y", False).vertices, axis=0).tolist() == [2, 2, 2]
