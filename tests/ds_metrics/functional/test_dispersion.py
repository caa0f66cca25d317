import itertools

import numpy as np
import pytest
import references
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ds_metrics.functional import dispersion_score


def shapes(n, points=12, seed=0):
    return torch.rand(n, points, 3, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("n_clusters", [1, 2, 3])
def test_exhaustive_search_over_loops(n_clusters):
    x = shapes(6, points=5)
    distances = [[references.chamfer(a, b) for b in x.tolist()] for a in x.tolist()]
    best = min(
        sum(min(row[m] for m in medoids) for row in distances) / 6
        for medoids in itertools.combinations(range(6), n_clusters)
    )
    assert dispersion_score(x, n_clusters).item() == pytest.approx(best, rel=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 5), st.integers(2, 5), st.integers(0, 99))
def test_copies_of_k_shapes_score_exactly_zero(k, copies, seed):
    x = shapes(k, seed=seed).repeat(copies, 1, 1)
    assert dispersion_score(x, k).item() == 0.0


@pytest.mark.parametrize("n_clusters", [2, "knee"])
def test_scales_with_the_square(n_clusters):
    x = shapes(12)
    score = dispersion_score(x, n_clusters).item()
    assert dispersion_score(8 * x, n_clusters).item() == 64 * score
    assert dispersion_score(3 * x, n_clusters).item() == pytest.approx(9 * score, rel=1e-5)
    assert dispersion_score(8 * x, n_clusters, squared=False).item() == pytest.approx(
        8 * dispersion_score(x, n_clusters, squared=False).item(), rel=1e-6
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(3, 20), st.integers(0, 999), st.sampled_from(["fasterpam", "alternate"]))
def test_order_of_samples_and_points_does_not_matter(n, seed, solver):
    x = shapes(n, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    shuffled = x[torch.randperm(n, generator=generator)][:, torch.randperm(12, generator=generator)]
    for n_clusters in (2, "knee"):
        score = dispersion_score(x, n_clusters, solver=solver)
        assert torch.equal(dispersion_score(shuffled, n_clusters, solver=solver), score)


def test_matrix_and_samples_agree():
    x = shapes(8)
    matrix = np.array([[references.dense_chamfer(a, b) for b in x] for a in x])
    score = dispersion_score(x, 3).item()
    assert dispersion_score(matrix, 3).item() == pytest.approx(score, rel=1e-6)
    assert dispersion_score(torch.from_numpy(matrix), 3).item() == pytest.approx(score, rel=1e-6)


def test_clouds_of_different_sizes():
    x = [shapes(1, points)[0] for points in (3, 10, 40, 41)]
    assert dispersion_score(x, 2).item() > 0


@pytest.mark.parametrize(
    ("samples", "n_clusters", "message"),
    [
        (shapes(1), 1, "at least 2"),
        (shapes(4), 4, "`n_clusters` must be from 1 to 3"),
        (shapes(4), 0, "`n_clusters` must be from 1 to 3"),
        (shapes(4), "elbow", "n_clusters"),
        (torch.rand(3, 4), 1, "square"),
        (torch.full((4, 5, 3), torch.nan), 2, "finite"),
        (torch.tensor([[0.0, torch.nan], [torch.nan, 0.0]]), 1, "finite"),
    ],
)
def test_refuses(samples, n_clusters, message):
    with pytest.raises(ValueError, match=message):
        dispersion_score(samples, n_clusters)


def test_resources_change_where_distances_are_but_not_the_score(tmp_path):
    samples = torch.rand(12, 30, 3, generator=torch.Generator().manual_seed(0))
    expected = dispersion_score(samples, 3)
    assert torch.equal(dispersion_score(samples, 3, store=tmp_path, memory_budget="1MB"), expected)
    assert len(list(tmp_path.glob("*/distances.npy"))) == 1
