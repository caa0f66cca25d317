"""Stand-ins have the attributes of Kaolin 0.18; a test with Kaolin itself runs where it is installed."""

import enum
import importlib
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import trimesh

from svr_baselines.building import build_points, build_renders, kaolin_sources
from svr_baselines.building.kaolin_meshes import surface_of_kaolin


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
    with pytest.raises(ValueError, match=r"expected one mesh, but got a batch \(LIST\)"):
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
        kaolin = importlib.import_module("kaolin.rep")
    except ImportError as error:
        pytest.skip(f"converts NVIDIA Kaolin's own SurfaceMesh, which can't be imported: {error}")
    stand_in = box(1, 2, 3)
    mesh = kaolin.SurfaceMesh(stand_in.vertices, stand_in.faces)
    np.testing.assert_array_equal(surface_of_kaolin(mesh).vertices, surface_of_kaolin(stand_in).vertices)
