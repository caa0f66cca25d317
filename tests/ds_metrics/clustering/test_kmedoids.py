"""Solvers against exhaustive search, the `kmedoids` package and cases solved by hand."""

import pickle

import kmedoids as reference
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from references import check_clustering, least_inertia, line, random_distances, squared_distances

from ds_metrics._native import _core
from ds_metrics.clustering import kmedoids
from ds_metrics.clustering.matrix import DistanceMatrix

SOLVERS = ["fasterpam", "alternate"]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("k", [1, 2, 7, 39])
def test_result_is_consistent(solver, k):
    distances = random_distances(40, seed=k)
    found = kmedoids(distances, k, solver, seed=3)
    check_clustering(distances, found)
    assert (found.n_clusters, found.solver, found.seed, found.curve) == (k, solver, 3, None)


def test_small_cases_against_exhaustive_search():
    gaps = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(3, 10))
        k = int(rng.integers(1, n))
        distances = random_distances(n, seed, dim=2)
        gaps.append(kmedoids(distances, k).inertia / least_inertia(distances, k) - 1)
    # A swap of one medoid at a time can end in a local optimum, if rarely.
    assert min(gaps) > -1e-9
    assert np.mean(np.array(gaps) < 1e-9) >= 0.98
    assert max(gaps) < 0.05


@pytest.mark.parametrize("seed", range(8))
def test_fasterpam_ends_where_the_reference_finds_no_better_swap(seed):
    distances = random_distances(200, seed)
    found = kmedoids(distances, 5 + 5 * seed, n_init=1)
    polished = reference.fasterpam(distances, found.medoids.copy(), n_cpu=1)
    assert polished.n_swap == 0
    np.testing.assert_allclose(polished.loss, found.inertia, rtol=1e-6)


@pytest.mark.parametrize(("n", "k", "dim"), [(200, 50, 2), (300, 20, 3), (1000, 100, 8)])
def test_fasterpam_swaps_as_the_reference_does(n, k, dim):
    # The reference tries candidates as they are numbered, so it gets them in canonical order: both then make
    # the same swaps to the end. Its default of several threads would make its order one of chance.
    for seed in range(4):
        distances = random_distances(n, seed, dim)
        order = DistanceMatrix(distances).order
        start = np.random.default_rng(seed).permutation(n)[:k]
        found = kmedoids(distances, k, init=order[start])
        expected = reference.fasterpam(distances[np.ix_(order, order)], start.copy(), n_cpu=1)
        assert set(found.medoids) == set(order[expected.medoids])
        np.testing.assert_allclose(found.inertia, expected.loss, rtol=1e-6)


def test_fasterpam_does_not_worsen_the_medoids_it_is_given():
    distances = random_distances(300, seed=1)
    start = reference.fasterpam(distances, 20, random_state=0, n_cpu=1)
    found = kmedoids(distances, 20, init=start.medoids)
    np.testing.assert_allclose(found.inertia, start.loss, rtol=1e-6)


@pytest.mark.parametrize("seed", range(20))
def test_fasterpam_is_never_above_alternate(seed):
    distances = random_distances(10 + 5 * seed, seed)
    for k in (1, 2, 5, 9):
        assert kmedoids(distances, k, seed=seed).inertia <= kmedoids(distances, k, "alternate", seed).inertia


def test_alternate_by_hand():
    # From 0 and 10 the clusters are {0, 1, 2} and {10, 11}. The sums to the members are 3, 2, 3 and 1, 1: the
    # first medoid moves to 1, the second stays. The clusters stay too, and the inertia is 1 + 1 + 1.
    distances = line(0, 1, 2, 10, 11)
    found = kmedoids(distances, 2, "alternate", init=[0, 3])
    assert found.medoids.tolist() == [1, 3]
    assert found.labels.tolist() == [0, 0, 0, 1, 1]
    assert found.inertia == 3.0


def test_alternate_stops_in_the_local_optimum_that_a_swap_leaves():
    # From 6, 20, 21 the clusters {0, 6, 7}, {20}, {21} have their medoids in the middle already, at inertia
    # 6 + 1. The best is {0}, {6, 7}, {20, 21}, at 1 + 1.
    distances = line(0, 6, 7, 20, 21)
    stuck = kmedoids(distances, 3, "alternate", init=[1, 3, 4])
    assert stuck.medoids.tolist() == [1, 3, 4]
    assert stuck.inertia == 7.0
    assert kmedoids(distances, 3, "fasterpam", init=[1, 3, 4]).inertia == 2.0


def test_max_iter_limits_the_rounds():
    distances = random_distances(200, seed=0)
    start = np.arange(10)
    one = kmedoids(distances, 10, "alternate", init=start, max_iter=1)
    many = kmedoids(distances, 10, "alternate", init=start)
    assert many.inertia < one.inertia < distances[start].min(axis=0).sum()


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("seed", range(10))
def test_copies_of_k_shapes_score_zero(solver, seed):
    rng = np.random.default_rng(seed)
    shapes = rng.normal(size=(6, 3))
    copies = shapes[rng.permutation(np.arange(60) % 6)]
    distances = squared_distances(copies)
    for k in (6, 7, 40):
        found = kmedoids(distances, k, solver, seed)
        check_clustering(distances, found)
        assert found.inertia == 0.0
    assert kmedoids(distances, 5, solver, seed).inertia > 0


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("k", [1, 2, 9])
def test_all_zero_and_all_equal_distances(solver, k):
    found = kmedoids(np.zeros((10, 10), np.float32), k, solver)
    check_clustering(np.zeros((10, 10), np.float32), found)
    assert found.inertia == 0.0
    tied = 1 - np.eye(10, dtype=np.float32)
    found = kmedoids(tied, k, solver)
    check_clustering(tied, found)
    assert found.inertia == 10 - k


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(2, 40),
    data_seed=st.integers(0, 10**6),
    copies=st.integers(1, 3),
    share=st.floats(0, 1),
    solver=st.sampled_from(SOLVERS),
)
@example(n=2, data_seed=0, copies=3, share=0.75, solver="fasterpam")
def test_score_does_not_depend_on_the_order_of_samples(n, data_seed, copies, share, solver):
    rng = np.random.default_rng(data_seed)
    distances = squared_distances(np.repeat(rng.normal(size=(n, 3)), copies, axis=0))
    k = 1 + int(share * (len(distances) - 2))
    shuffle = rng.permutation(len(distances))
    there = kmedoids(distances, k, solver)
    back = kmedoids(distances[np.ix_(shuffle, shuffle)], k, solver)
    assert there.inertia == back.inertia
    if k <= n:  # with more medoids than different samples, which duplicate is a medoid is a tie
        np.testing.assert_array_equal(there.sizes, back.sizes)


def test_medoids_follow_the_order_of_samples():
    distances = random_distances(100, seed=5)
    shuffle = np.random.default_rng(0).permutation(100)
    there = kmedoids(distances, 9)
    back = kmedoids(distances[np.ix_(shuffle, shuffle)], 9)
    assert set(shuffle[back.medoids]) == set(there.medoids)


def test_the_seed_decides():
    distances = random_distances(300, seed=0)
    inertias = [kmedoids(distances, 30, "alternate", seed).inertia for seed in (0, 0, 1, 2, 2**64 - 1)]
    assert inertias[0] == inertias[1]
    assert len(set(inertias)) > 2


def test_more_starts_are_no_worse_and_shaking_the_best_improves_it():
    matrix = DistanceMatrix(random_distances(300, seed=0))

    def inertia(n_init, passes):
        found = _core.kmedoids_solve(matrix.values, matrix.order, 30, "fasterpam", 0, n_init, 100, passes)
        return _core.kmedoids_assign(matrix.values, matrix.order, found)[1]

    inertias = [inertia(n_init, 0) for n_init in (1, 2, 5, 10)]
    assert inertias == sorted(inertias, reverse=True)
    assert inertia(1, 50) < inertias[0]
    assert kmedoids(matrix.values, 30).inertia <= inertias[3]  # by default 46 starts at this size
    distances = matrix.values
    alternate = [kmedoids(distances, 30, "alternate", n_init=n_init).inertia for n_init in (None, 1)]
    assert alternate[0] == alternate[1]


def test_accepts_what_holds_a_matrix():
    distances = random_distances(30, seed=0)
    expected = kmedoids(distances, 4)
    leaf = torch.from_numpy(distances).requires_grad_()
    for same in (leaf, distances.astype(np.float64), np.asfortranarray(distances), distances.tolist()):
        assert kmedoids(same, 4).inertia == expected.inertia
    assert kmedoids(torch.from_numpy(distances).bfloat16(), 4).inertia == pytest.approx(expected.inertia, rel=0.02)
    assert kmedoids(line(0, 1, 5).astype(np.int64), 2).inertia == 1.0


def test_input_is_left_alone():
    distances = random_distances(30, seed=0)
    before = distances.copy()
    distances.flags.writeable = False
    kmedoids(distances, 4)
    np.testing.assert_array_equal(distances, before)


def test_result_pickles():
    found = kmedoids(random_distances(30, seed=0), 4)
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.medoids, found.medoids)
    np.testing.assert_array_equal(again.labels, found.labels)
    assert again.score == found.score


@pytest.mark.parametrize("k", [0, -1, 10, 11])
def test_refuses_cluster_counts_out_of_range(k):
    with pytest.raises(ValueError, match=rf"`n_clusters` must be from 1 to 9, but got {k}"):
        kmedoids(random_distances(10, seed=0), k)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n_clusters": 2.0}, TypeError, "`n_clusters` must be an integer, but got 2.0"),
        ({"n_clusters": True}, TypeError, "`n_clusters` must be an integer, but got True"),
        ({"solver": "pam"}, ValueError, "`solver` must be one of .*, but got 'pam'"),
        ({"seed": -1}, ValueError, "`seed` must be from 0 to .*, but got -1"),
        ({"n_init": 0}, ValueError, "`n_init` must be from 1 to .*, but got 0"),
        ({"max_iter": 0}, ValueError, "`max_iter` must be from 1 to .*, but got 0"),
        ({"init": [1]}, ValueError, "`init` must be 2 sample indices"),
        ({"init": [0.0, 1.0]}, ValueError, "`init` must be 2 sample indices"),
        ({"init": [1, 1]}, ValueError, "`init` must hold distinct indices from 0 to 9"),
        ({"init": [0, 10]}, ValueError, "`init` must hold distinct indices from 0 to 9"),
        ({"init": [-1, 3]}, ValueError, "`init` must hold distinct indices from 0 to 9"),
    ],
)
def test_refuses_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        kmedoids(random_distances(10, seed=0), **{"n_clusters": 2, **arguments})
