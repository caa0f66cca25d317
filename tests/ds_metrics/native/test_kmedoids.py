"""The native functions refuse what would make them read out of bounds, whoever calls them."""

import numpy as np
import pytest
from native_core import core as _core

DISTANCES = np.abs(np.arange(5, dtype=np.float32)[:, None] - np.arange(5, dtype=np.float32))
ORDER = np.arange(5)


def test_extend_adds_the_greediest():
    grown = _core.kmedoids_extend(DISTANCES, ORDER, np.array([0]), 3)
    # Beside 0, sample 3 saves 1 + 3 + 3 of 1 + 2 + 3 + 4; then 1, 2 and 4 save 1 each: the first wins.
    assert grown.tolist() == [0, 3, 1]


def test_refine_returns_original_indices():
    order = np.array([4, 2, 0, 3, 1])
    assert _core.kmedoids_refine(DISTANCES, order, np.array([4]), "alternate", 10).tolist() == [2]


def test_resamples_leave_out_every_sample_as_often():
    # Sample i is 2^i from the centre 5, and all others are farther from each other: without it the sum lacks 2^i.
    powers = 2.0 ** np.arange(5)
    distances = np.zeros((6, 6), np.float32)
    distances[:5, :5] = (powers[:, None] + powers) * (1 - np.eye(5))
    distances[5, :5] = distances[:5, 5] = powers
    scores = _core.kmedoids_resample(distances, np.array([3, 5, 0, 1, 4, 2]), np.array([5]), 1, 6000, 7, 10, 2)
    without, counts = np.unique(31 - np.round(5 * scores).astype(int), return_counts=True)
    # Without the centre, sample 0 is the next best: 4 * 1 + 2 + 4 + 8 + 16 = 34.
    assert without.tolist() == [-3, 1, 2, 4, 8, 16]
    assert np.abs(counts - 1000).max() < 120  # four standard deviations


@pytest.mark.parametrize("order", [ORDER[:4], [0, 0, 1, 2, 3], [0, 1, 2, 3, 5], [-1, 1, 2, 3, 4]])
def test_refuses_what_is_not_an_order(order):
    with pytest.raises(ValueError, match="order"):
        _core.kmedoids_solve(DISTANCES, np.asarray(order), 2, "fasterpam", 0, 1, 10)


@pytest.mark.parametrize("medoids", [[], [5], [-1], [1, 1]])
def test_refuses_what_are_not_medoids(medoids):
    with pytest.raises(ValueError, match="medoids"):
        _core.kmedoids_assign(DISTANCES, ORDER, np.asarray(medoids, dtype=np.int64))


def test_refuses_counts_and_names_out_of_range():
    with pytest.raises(ValueError, match="n_clusters"):
        _core.kmedoids_solve(DISTANCES, ORDER, 6, "fasterpam", 0, 1, 10)
    with pytest.raises(ValueError, match="n_clusters"):
        _core.kmedoids_extend(DISTANCES, ORDER, np.array([0, 1]), 1)
    with pytest.raises(ValueError, match="n_init"):
        _core.kmedoids_solve(DISTANCES, ORDER, 2, "fasterpam", 0, 0, 10)
    with pytest.raises(ValueError, match="solver"):
        _core.kmedoids_solve(DISTANCES, ORDER, 2, "pam", 0, 1, 10)
    for left_out, count, threads, what in [(-1, 1, 1, "left_out"), (4, 1, 1, "left_out"), (1, -1, 1, "count")]:
        with pytest.raises(ValueError, match=what):
            _core.kmedoids_resample(DISTANCES, ORDER, np.array([0, 1]), left_out, count, 0, 1, threads)
    with pytest.raises(ValueError, match="threads"):
        _core.kmedoids_resample(DISTANCES, ORDER, np.array([0, 1]), 1, 1, 0, 1, 0)
    with pytest.raises(ValueError, match="square"):
        _core.kmedoids_order(DISTANCES[:4])


@pytest.mark.parametrize("distances", [DISTANCES.astype(np.float64), np.asfortranarray(DISTANCES)[::-1]])
def test_does_not_copy_behind_the_scenes(distances):
    with pytest.raises(TypeError):
        _core.kmedoids_order(distances)
