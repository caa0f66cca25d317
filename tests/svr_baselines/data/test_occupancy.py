import pickle

import numpy as np
import pytest
import torch
import trimesh
from torch.utils.data import DataLoader, Dataset, default_collate

from svr_baselines.data.cameras import Camera
from svr_baselines.data.coordinates import to_object, to_viewer
from svr_baselines.data.items import Item, ItemOptions
from svr_baselines.data.occupancy import (
    Occupancy,
    OccupancyDataset,
    OccupancyItem,
    read_occupancy,
    sample_occupancy,
    write_occupancy,
)
from svr_baselines.data.points import normalize_points, sample_mesh

CAMERA = Camera(30.0, 20.0, 1.0, 0.0, 40.0)


class Items(Dataset):
    def __init__(self, coordinates="object", normalize="unit-ball"):
        self.options = ItemOptions(coordinates=coordinates, normalize=normalize)
        self.epoch = 0

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __len__(self):
        return 2

    def __getitem__(self, index):
        points = torch.eye(3)
        rotation = torch.as_tensor(CAMERA.rotation, dtype=torch.float32)
        if self.options.coordinates == "viewer":
            points = to_viewer(points, rotation)
        return Item(torch.zeros(3, 4, 4), points, rotation, torch.zeros(5), "ab"[index], "things", 0)


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for name in "ab":
        queries = rng.uniform(-1, 1, (50, 3)).astype(np.float16).astype(np.float32)
        write_occupancy(tmp_path / f"{name}.npz", Occupancy(queries, queries[:, 0] > 0))
    return tmp_path


def test_queries_are_in_the_frame_of_the_normalised_cloud():
    mesh = trimesh.creation.box(extents=(4, 2, 6))
    mesh.apply_translation([10, 20, 30])
    cloud = sample_mesh(mesh.vertices, mesh.faces, 5000)
    queries, occupied = sample_occupancy(mesh.vertices, mesh.faces, cloud, 4000, seed=3)
    assert queries.dtype == np.float32
    assert np.abs(queries).max() <= 1.1
    centre = cloud.mean(axis=0)
    scale = np.linalg.norm(cloud - centre, axis=1).max()
    inside = (np.abs(queries * scale + centre - [10, 20, 30]) < [2, 1, 3]).all(axis=1)
    assert np.array_equal(occupied, inside)
    # The items' own points lie where it changes.
    surface = normalize_points(cloud)
    assert np.abs(surface[occupied.argmax()]).max() < 1
    lower, upper = queries[occupied].min(axis=0), queries[occupied].max(axis=0)
    assert np.allclose(lower, surface.min(axis=0), atol=0.06)
    assert np.allclose(upper, surface.max(axis=0), atol=0.06)


@pytest.mark.parametrize("mode", ["bounding-box", "none"])
def test_other_frames(mode):
    mesh = trimesh.creation.icosphere(radius=0.5)
    mesh.apply_translation([0.2, 0, 0])
    queries, occupied = sample_occupancy(mesh.vertices, mesh.faces, mesh.vertices, 4000, normalize=mode)
    centre = [0.2, 0, 0] if mode == "none" else [0, 0, 0]
    radius = np.linalg.norm(queries - centre, axis=1)
    sure = np.abs(radius - 0.5) > 0.02
    assert np.array_equal(occupied[sure], radius[sure] < 0.5)


def test_draws_depend_on_the_seed_alone():
    mesh = trimesh.creation.box()
    first, again, other = (sample_occupancy(mesh.vertices, mesh.faces, mesh.vertices, 100, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.queries, again.queries)
    assert not np.array_equal(first.queries, other.queries)


@pytest.mark.parametrize("count", [1, 8, 13])
def test_files_give_back_what_was_written(tmp_path, count):
    rng = np.random.default_rng(count)
    queries = rng.uniform(-1, 1, (count, 3)).astype(np.float16).astype(np.float32)
    occupied = rng.random(count) > 0.5
    write_occupancy(tmp_path / "a.npz", Occupancy(queries, occupied), "none")
    read, mode = read_occupancy(tmp_path / "a.npz")
    assert np.array_equal(read.queries, queries)
    assert np.array_equal(read.occupied, occupied)
    assert mode == "none"


def test_damaged_files_are_named(tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(ValueError, match=r"a\.npz: .*no such file"):
        read_occupancy(path)
    path.write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(ValueError, match=r"a\.npz: can't be read"):
        read_occupancy(path)
    good = {"queries": np.zeros((9, 3), np.float16), "occupied": np.zeros(2, np.uint8), "normalize": np.array("none")}
    for change, words in (
        ({"queries": np.zeros((9, 2), np.float16)}, r"queries \(Q, 3\)"),
        ({"queries": np.full((9, 3), np.nan, np.float16)}, "finite queries"),
        ({"occupied": np.zeros(1, np.uint8)}, "9 bits"),
        ({"normalize": np.array("else")}, "`normalize`"),
        ({"queries": np.array([object()])}, "can't be read"),
    ):
        np.savez(path, **good | change)
        with pytest.raises(ValueError, match=words):
            read_occupancy(path)
    np.savez(path, queries=good["queries"])
    with pytest.raises(ValueError, match="can't be read"):
        read_occupancy(path)


def test_items_get_queries(folder):
    dataset = OccupancyDataset(Items(), folder, queries=20)
    assert len(dataset) == 2
    item = dataset[1]
    assert isinstance(item, OccupancyItem)
    assert item.id == "b"
    assert torch.equal(item.points, torch.eye(3))
    assert item.queries.shape == (20, 3)
    assert torch.equal(item.occupied, item.queries[:, 0] > 0)
    assert len(item.queries.unique(dim=0)) == 20
    batch = default_collate([dataset[0], item])
    assert isinstance(batch, OccupancyItem)
    assert batch.queries.shape == (2, 20, 3)
    assert batch.occupied.dtype == torch.bool


def test_queries_turn_with_the_points(folder):
    plain, turned = (
        OccupancyDataset(Items(coordinates), folder, queries=20)[0] for coordinates in ("object", "viewer")
    )
    torch.testing.assert_close(to_object(turned.queries, turned.rotation), plain.queries)
    assert torch.equal(turned.occupied, plain.occupied)
    assert not torch.allclose(turned.queries, plain.queries)


def test_each_epoch_draws_others_and_workers_draw_the_same(folder):
    dataset = OccupancyDataset(Items(), folder, queries=20)
    first = dataset[0].queries
    assert torch.equal(dataset[0].queries, first)
    dataset.set_epoch(1)
    assert dataset._items.epoch == 1
    assert not torch.equal(dataset[0].queries, first)
    fixed = OccupancyDataset(Items(), folder, queries=20, redraw=False)
    fixed.set_epoch(1)
    assert torch.equal(fixed[0].queries, first)
    assert not torch.equal(OccupancyDataset(Items(), folder, queries=20, seed=1)[0].queries, first)
    loaded = [batch.queries for batch in DataLoader(dataset, num_workers=1)]
    assert torch.equal(torch.cat(loaded), torch.stack([dataset[0].queries, dataset[1].queries]))
    assert torch.equal(pickle.loads(pickle.dumps(dataset))[1].queries, dataset[1].queries)


def test_what_does_not_fit_is_refused(folder):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        OccupancyDataset(Items(), folder / "none")
    with pytest.raises(ValueError, match="`queries`"):
        OccupancyDataset(Items(), folder, queries=0)
    with pytest.raises(ValueError, match="`coordinates` must be one of"):
        OccupancyDataset([Items()[0]], folder)
    with pytest.raises(ValueError, match="50 queries, fewer than the 51"):
        OccupancyDataset(Items(), folder, queries=51)[0]
    with pytest.raises(ValueError, match="normalised by 'unit-ball', but points by 'bounding-box'"):
        OccupancyDataset(Items(normalize="bounding-box"), folder, queries=20)[0]
    (folder / "a.npz").unlink()
    with pytest.raises(ValueError, match=r"a\.npz"):
        OccupancyDataset(Items(), folder, queries=20)[0]
