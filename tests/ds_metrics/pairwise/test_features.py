"""Mean squared differences of feature vectors, through the whole engine, against a loop in float64."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from forked import forked_dask
from hypothesis import given, settings
from hypothesis import strategies as st

from ds_metrics.clouds import PackedClouds, pack_clouds, pack_features
from ds_metrics.pairwise import (
    AllPairs,
    GrowingMatrix,
    NearestOf,
    assignment,
    check_backend,
    features,
    nearest_clouds,
    nearest_points,
    neighbour_distances,
    neighbours,
    open_cluster,
    pairwise_distance,
    report_progress,
    resolve_backend,
    tiles,
)
from ds_metrics.pairwise.costs import points
from ds_metrics.sampling import SampledClusters

DTYPES = [torch.float16, torch.float32, torch.float64]


def vectors(n=30, d=50, seed=0, dtype=torch.float32):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)).to(dtype)


def recited(n=60, d=40, seed=0, noise=1e-6):
    """Three vectors told again and again, nearly or exactly, and some that are not like them."""
    told = vectors(3, d, seed)[torch.arange(n) % 3]
    rows = told * (1 + noise * vectors(n, d, seed + 1))
    rows[: n // 4] = told[: n // 4]
    rows[-4:] = vectors(4, d, seed + 2)
    return rows


def expected(x, y=None):
    x, y = (np.asarray(rows).astype(np.float64) for rows in (x, x if y is None else y))
    return np.array([[np.mean((a - b) ** 2) for b in y] for a in x])


def all_pairs(x, y=None, **options):
    packed = [None if rows is None else pack_features(rows) for rows in (x, y)]
    return AllPairs(*packed, backend="features", **options).run()


def check(actual, x, y=None, rtol=1e-6):
    np.testing.assert_allclose(actual.numpy(), expected(x, y), rtol=rtol)
    if y is None:
        assert torch.equal(actual, actual.T)
        assert not actual.diagonal().any()


@pytest.fixture
def small(monkeypatch):
    """Blocks, pieces and tiles so small that there are many of each."""
    monkeypatch.setattr(features, "_BLOCK", 8)
    monkeypatch.setattr(features, "_NUMBERS", 80)
    monkeypatch.setattr(features, "_CACHED", 30)
    monkeypatch.setattr(features, "_LONGEST", 7)
    monkeypatch.setattr(tiles, "_LARGEST_EDGE", 13)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [1, 2, 50, 5000])
def test_against_a_loop(dtype, width):
    x, y = vectors(30, width, dtype=dtype), vectors(7, width, 1, dtype)
    check(all_pairs(x), x)
    check(all_pairs(x, y), x, y)
    assert all_pairs(x).dtype == torch.float32


@pytest.mark.parametrize("x", [vectors(), recited()], ids=["random", "recited"])
def test_in_small_pieces(small, x):
    check(all_pairs(x), x)
    check(all_pairs(x, x[:9].half()), x, x[:9].half())


@pytest.mark.parametrize("scale", [1e-20, 1e-10, 1.0, 1e10, 1e18])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_any_scale(scale, dtype):
    x = (vectors(dtype=torch.float64) * scale).to(dtype)
    check(all_pairs(x), x, rtol=1e-5)  # 1e-40 has five digits in float32
    y = (recited().double() * scale).to(dtype)
    if scale > 1e-10:
        check(all_pairs(y), y)


@pytest.mark.parametrize("offset", [0.0, 1.0, 1e3])
def test_near_duplicates(offset):
    x = vectors(40, 100, dtype=torch.float64) + offset
    x[20:] = x[:20] * (1 + 1e-7 * vectors(20, 100, 1, torch.float64))
    check(all_pairs(x), x, rtol=1e-5)


def test_far_from_zero_and_one_outlier():
    x = 1000 + 0.01 * vectors(50, 60)
    check(all_pairs(x), x)
    x[0] *= 1e6
    check(all_pairs(x), x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("share", [0.0, 1.0], ids=["products", "differences"])
def test_equal_vectors_are_zero_apart_and_no_others(monkeypatch, dtype, share):
    monkeypatch.setattr(features, "_DENSE", share * 10**9)
    x = recited(noise=1e-2).to(dtype)
    distances = all_pairs(x)
    same = (x[:, None] == x[None]).all(dim=2)
    assert same.sum() > 60
    assert torch.equal(distances == 0, same)
    check(distances, x)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_properties(data):
    n, d = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 9))
    dtype, scale = data.draw(st.sampled_from(DTYPES)), data.draw(st.sampled_from([1.0, 2.0**-10, 2.0**10]))
    values = st.sampled_from([0.0, 1.0, -1.0, 1 + 2.0**-10, 3.5]) | st.floats(-4, 4, width=16)
    rows = data.draw(st.lists(st.lists(values, min_size=d, max_size=d), min_size=n, max_size=n))
    x = torch.tensor(rows, dtype=dtype)[torch.tensor(data.draw(st.lists(st.integers(0, n - 1), min_size=1)))]
    distances = all_pairs(x)
    assert (distances >= 0).all()
    np.testing.assert_allclose(distances, expected(x), rtol=1e-5, atol=1e-44)
    assert torch.equal(distances, distances.T)
    assert torch.equal(distances == 0, (x[:, None] == x[None]).all(dim=2) | (torch.from_numpy(expected(x)) < 1e-45))
    if dtype != torch.float16:
        torch.testing.assert_close(all_pairs(x * scale), distances * scale**2, rtol=1e-5, atol=1e-44)


@pytest.mark.parametrize("edge", [1, 3, 8, 29])
@pytest.mark.parametrize("x", [vectors(40), recited()], ids=["random", "recited"])
def test_result_does_not_depend_on_tiles(monkeypatch, edge, x):
    whole = all_pairs(x)
    monkeypatch.setattr(tiles, "_LARGEST_EDGE", edge)
    torch.testing.assert_close(all_pairs(x), whole, rtol=1e-6, atol=0)


def test_few_pairs_of_many_samples():
    x, rng = vectors(3000, 20), np.random.default_rng(0)
    i, j = rng.integers(0, 3000, (2, 500))
    values = features.distances(x, x, i, j)
    np.testing.assert_allclose(values, ((x[i].double() - x[j].double()) ** 2).mean(dim=1), rtol=1e-6)
    none = np.empty(0, dtype=np.int64)
    assert features.distances(x, x, none, none).shape == (0,)


def test_inputs_stay_as_they_are():
    for dtype in DTYPES:
        x = vectors(20, dtype=dtype)
        before = x.clone()
        all_pairs(x)
        all_pairs(x, x)
        assert torch.equal(x, before)


@pytest.mark.parametrize(("x", "dtype"), [([[0.0], [3e38]], torch.float32), ([[1e-200], [2e-200]], torch.float64)])
def test_distances_beyond_float32_are_refused(x, dtype):
    with pytest.raises(ValueError, match="distances fit float32, but samples 0 and 1 are"):
        all_pairs(torch.tensor(x, dtype=dtype))


@pytest.mark.parametrize("scale", [1e-170, 1e-162, 1e170])
def test_double_precision_beyond_the_range_of_squares(scale):
    x = vectors(20, dtype=torch.float64) * scale
    with pytest.raises(ValueError, match="distances fit float32"):
        all_pairs(x)
    assert not all_pairs(x[:1].expand(20, -1)).any()


def test_memory_mapped(tmp_path):
    np.save(tmp_path / "x.npy", vectors(dtype=torch.float16).numpy())
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    check(all_pairs(mapped), mapped)


def test_no_sample_and_one():
    assert all_pairs(torch.empty(0, 5)).shape == (0, 0)
    assert all_pairs(torch.ones(1, 5)).tolist() == [[0.0]]


@pytest.mark.parametrize("store", [False, True])
def test_resumes_after_an_interrupt(tmp_path, monkeypatch, store):
    monkeypatch.setattr(tiles, "_LARGEST_EDGE", 7)
    x = vectors(40)

    def interrupt(done, total):
        if done > total / 2:
            raise KeyboardInterrupt

    folder = tmp_path if store else None
    with pytest.raises(KeyboardInterrupt), report_progress(interrupt):
        all_pairs(x, store=folder)
    told = []
    with report_progress(lambda done, total: told.append((done, total))):
        resumed = all_pairs(x, store=folder)
    assert (told[0][0] > 300) == store
    assert told[-1] == (780, 780)
    check(resumed, x)


def test_a_store_tells_distances_and_contents_apart(tmp_path):
    x = vectors(6, 3)
    all_pairs(x, store=tmp_path)
    all_pairs(x.reshape(6, 3).half(), store=tmp_path)
    all_pairs(x[:3].reshape(3, 3), store=tmp_path)
    AllPairs(pack_clouds(x[:, None]), store=tmp_path).run()
    keys = [folder / "record.json" for folder in tmp_path.iterdir()]
    assert len(keys) == 4
    assert sum('"distance": "mean squared difference"' in key.read_text() for key in keys) == 3


@pytest.mark.parametrize("k", [1, 3, 40])
@pytest.mark.parametrize("block", [2, 16, 1024])
def test_nearest_equals_brute_force(monkeypatch, k, block):
    monkeypatch.setattr(assignment, "_LARGEST_BLOCK", block)
    x = recited(50)
    candidates = torch.cat([x[:2], vectors(40, 40, 9)])[:k]
    found = NearestOf(pack_features(x), pack_features(candidates), backend="features").run()
    table = expected(x, candidates)
    np.testing.assert_array_equal(found.candidate, table.argmin(axis=1))
    np.testing.assert_allclose(found.distance, table.min(axis=1), rtol=1e-6)
    likely = NearestOf(pack_features(x), pack_features(candidates), backend="features").likely(2)
    np.testing.assert_array_equal(likely, np.argsort(table.astype(np.float32), axis=1, kind="stable")[:, :2])


def test_neighbours(monkeypatch):
    monkeypatch.setattr(neighbours, "_TAKEN_BYTES", 10 * 4 * 50)  # several takes
    x = vectors(90)
    part = np.random.default_rng(0).permutation(90)[:70]
    pairs = neighbour_distances(pack_features(x), part, np.arange(20), 3, backend="features")
    table = expected(x[part])
    near = np.argsort(table[:, :20], axis=1, kind="stable")[:, :3]
    wanted = {(min(a, b), max(a, b)) for a in range(70) for b in range(70) if a != b and near[a, 0] in near[b]}
    assert sorted((min(a, b), max(a, b)) for a, b in zip(pairs.i, pairs.j, strict=True)) == sorted(wanted)
    np.testing.assert_allclose(pairs.distances, table[pairs.i, pairs.j], rtol=1e-6)


@pytest.mark.parametrize("n_clusters", [4, 30, "knee"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_sampled_clusters(monkeypatch, n_clusters, dtype):
    monkeypatch.setattr("ds_metrics.sampling._START", (50, 10, 100))
    monkeypatch.setattr("ds_metrics.sampling._SEARCH", (150, 20))
    x = (vectors(10, 60)[torch.arange(400) % 10] + 0.3 * vectors(400, 60, 1)).to(dtype)
    task = SampledClusters(pack_features(x), n_clusters, True, "fasterpam", 0, "features", 2**30, None, None, 0.9)
    found = task.run()
    table = expected(x, x[found.medoids])
    np.testing.assert_array_equal(found.labels, table.argmin(axis=1))
    np.testing.assert_allclose(found.score, table.min(axis=1).mean(), rtol=1e-6)
    assert found.interval.level == 0.9


@pytest.mark.parametrize("cuts", [[40], [1] * 40, [17, 0, 3, 20]])
def test_growing_matrix(cuts):
    x, matrix = vectors(40), GrowingMatrix(backend="features")
    for batch in torch.split(x, cuts):
        matrix.append(pack_features(batch))
    check(matrix.result(), x)


@pytest.mark.filterwarnings("ignore")  # Dask's own
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_workers_of_a_cluster(monkeypatch, dtype):
    pytest.importorskip("distributed", reason="needs Dask: pip install 'dispersion-score[cluster]'")
    monkeypatch.setattr(tiles, "_LARGEST_EDGE", 9)
    x = vectors(30, dtype=dtype)
    with forked_dask(), open_cluster("local:1") as address:
        check(all_pairs(x, cluster=address), x)
        check(all_pairs(x, x[:5], cluster=address), x, x[:5])


def test_tiles_are_a_second_of_work_whatever_the_length():
    edges = {}
    for width in (100, 802_816):
        rows = torch.zeros(1, 1, dtype=torch.float16).expand(4000, width)
        packed = PackedClouds(rows, torch.ones(4000, dtype=torch.int64))
        edges[width] = AllPairs(packed, backend="features")._open(1).plan.edge
    assert edges[100] == 1024
    assert 100 < edges[802_816] < 500
    assert points(pack_clouds(torch.rand(3, 7, 3)), "native") == 7


MEMORY = """
import resource, sys, torch
from ds_metrics.clouds import pack_features
from ds_metrics.pairwise import AllPairs
x = torch.zeros(400, 400_000, dtype=torch.float16)  # 320 MB; as float64 1,280
for row in x:
    row[::1000] = torch.rand(400)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
few = torch.rand(50, 10)
AllPairs(pack_features(few), backend="features").run()
before = peak()
matrix = AllPairs(pack_features(x), backend="features").run()
assert (matrix > 0).sum() == 400 * 399
print(peak() - before)
"""


def test_memory_beside_the_vectors_is_bounded():
    output = subprocess.run([sys.executable, "-c", MEMORY], check=True, capture_output=True, text=True)
    assert float(output.stdout) < 100


def test_options_of_clouds_are_refused():
    x = pack_features(vectors())
    for make in (
        lambda: AllPairs(x, None, False, "features"),
        lambda: NearestOf(x, x, False, "features"),
        lambda: GrowingMatrix(False, "features"),
        lambda: neighbour_distances(x, np.arange(30), np.arange(3), 2, False, "features"),
    ):
        with pytest.raises(ValueError, match="`squared` belongs to the Chamfer distance"):
            make()


def test_vectors_of_other_lengths_and_clouds_are_refused():
    x, y = pack_features(vectors()), pack_features(vectors(d=3))
    growing = GrowingMatrix(backend="features")
    growing.append(x)
    for make in (
        lambda: AllPairs(x, y, backend="features"),
        lambda: NearestOf(x, y, backend="features"),
        lambda: growing.append(y),
    ):
        with pytest.raises(ValueError, match=r"must have the same length to be compared, but got \[3, 50\]"):
            make()
    check(growing.result(), vectors())
    with pytest.raises(ValueError, match="one vector a sample, but got point clouds"):
        AllPairs(pack_clouds(torch.rand(3, 4, 3)), backend="features")


def test_no_backend_to_name_for_clouds():
    x = torch.rand(2, 4, 3)
    packed = pack_clouds(x)
    for call in (
        lambda: check_backend("features"),
        lambda: pairwise_distance(x, backend="features"),
        lambda: nearest_clouds(x, x, backend="features"),
        lambda: nearest_points(packed, packed, backend="features"),
    ):
        with pytest.raises(ValueError, match="`backend` must be one of"):
            call()
    for device in ("cpu", "cuda", "mps"):
        for dtype in DTYPES:
            assert resolve_backend("features", torch.device(device), dtype) == "features"
    with pytest.raises(TypeError, match=r"`dtype` must be torch.float16, torch.float32 or torch.float64"):
        resolve_backend("features", torch.device("cpu"), torch.int32)
