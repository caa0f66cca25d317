import numpy as np
import pytest
import references
import torch

from ds_metrics.clouds import pack_clouds
from ds_metrics.pairwise import nearest_points, pairwise_distance, report_progress, resolve_backend

BACKENDS = ["native", "torch"]


def mixed(seed=0, dtype=np.float32):
    """Clouds that make distances hard: of all sizes, flat, straight, coinciding, far apart, repeated."""
    rng = np.random.default_rng(seed)
    sphere = rng.normal(size=(500, 3))
    sphere /= np.linalg.norm(sphere, axis=1, keepdims=True)
    line = np.linspace(0, 1, 33)[:, None] * [[1.0, 2.0, 3.0]]
    far = np.concatenate([rng.random((20, 3)), rng.random((20, 3)) + 1e3])
    clouds = [rng.random((n, 3)) for n in (1, 2, 15, 16, 17, 64, 300)]
    clouds += [sphere, line, far, np.full((40, 3), 0.25), np.repeat(rng.random((5, 3)), 8, axis=0)]
    return [cloud.astype(dtype) for cloud in clouds]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_against_brute_force(backend, dtype, offset):
    clouds = [cloud + dtype(offset) for cloud in mixed(dtype=dtype)]
    expected = np.array([[references.dense_chamfer(a, b) for b in clouds] for a in clouds])
    actual = pairwise_distance(clouds, backend=backend)
    assert actual.dtype == torch.float32
    np.testing.assert_allclose(actual.numpy(), expected, rtol=1e-6, atol=1e-12)
    assert torch.equal(actual, actual.T)
    assert not actual.diagonal().any()


@pytest.mark.parametrize("backend", BACKENDS)
def test_between_two_sets(backend):
    x, y = mixed(0), mixed(1)[:4]
    expected = np.array([[references.dense_chamfer(a, b) for b in y] for a in x])
    np.testing.assert_allclose(pairwise_distance(x, y, backend=backend).numpy(), expected, rtol=1e-6, atol=1e-12)


def test_unsquared():
    x = torch.rand(3, 9, 3, generator=torch.Generator().manual_seed(0))
    expected = [[references.chamfer(a, b, squared=False) for b in x.tolist()] for a in x.tolist()]
    for backend in BACKENDS:
        actual = pairwise_distance(x, squared=False, backend=backend)
        torch.testing.assert_close(actual, torch.tensor(expected), rtol=1e-6, atol=1e-12)


def test_result_does_not_depend_on_tiles_or_threads(monkeypatch):
    clouds = mixed()
    expected = pairwise_distance(clouds)
    for edge in (1, 3, 100):
        monkeypatch.setattr("ds_metrics.pairwise.tiles._LARGEST_EDGE", edge)
        assert torch.equal(pairwise_distance(clouds), expected)
        monkeypatch.setattr("ds_metrics.pairwise.costs._CALL_POINTS", 1000 * edge)
        assert torch.equal(pairwise_distance(clouds), expected)
    threads = torch.get_num_threads()
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            assert torch.equal(pairwise_distance(clouds), expected)
    finally:
        torch.set_num_threads(threads)


def test_order_of_points_does_not_matter_to_the_bit():
    clouds = mixed()
    rng = np.random.default_rng(3)
    assert torch.equal(pairwise_distance([rng.permutation(cloud) for cloud in clouds]), pairwise_distance(clouds))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("scale", [2.0**-60, 2.0**60])
def test_extreme_scales_are_exact(backend, scale):
    x = torch.rand(3, 8, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        pairwise_distance(x * scale, backend=backend), pairwise_distance(x, backend=backend) * scale**2, rtol=0, atol=0
    )


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("scale", [2.0**-90, 1.0, 2.0**90])
def test_nearest_points_at_any_scale(backend, scale):
    x = pack_clouds(torch.rand(2, 30, 3, generator=torch.Generator().manual_seed(0)) * scale)
    y = pack_clouds(torch.rand(2, 20, 3, generator=torch.Generator().manual_seed(1)) * scale)
    squares = [((p[:, None].double() - q.double()) ** 2).sum(dim=-1) for p, q in zip(x.split(), y.split(), strict=True)]
    expected = torch.cat([squares[0].argmin(dim=1), squares[1].argmin(dim=1) + 20])
    back = torch.cat([squares[0].argmin(dim=0), squares[1].argmin(dim=0) + 30])
    in_y, in_x = nearest_points(x, y, backend)
    assert torch.equal(in_y, expected)
    assert torch.equal(in_x, back)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_distances_beyond_float32_are_refused(scale):
    with pytest.raises(ValueError, match="distances fit float32, but samples 0 and 1"):
        pairwise_distance(torch.rand(2, 4, 3) * scale)


def test_progress_counts_pairs():
    told = []
    with report_progress(lambda done, total: told.append((done, total))):
        pairwise_distance(torch.rand(70, 2, 3))
    assert told[-1] == (70 * 69 // 2, 70 * 69 // 2)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    pairwise_distance(torch.rand(3, 2, 3))
    assert told[-1] == (70 * 69 // 2, 70 * 69 // 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"distance": "cosine"}, r"`distance` must be a network or one of \['chamfer', .*, but got 'cosine'"),
        ({"backend": "cuda"}, "`backend` must be one of .*, but got 'cuda'"),
    ],
)
def test_refuses_options(options, message):
    with pytest.raises(ValueError, match=message):
        pairwise_distance(torch.rand(2, 4, 3), **options)


def test_native_backend_needs_the_cpu():
    with pytest.raises(ValueError, match="'native', which needs points on the CPU, but got cuda"):
        resolve_backend("native", torch.device("cuda"))
