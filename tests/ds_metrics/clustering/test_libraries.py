"""The solvers of other libraries, and what all solvers have in common."""

import sys

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from references import check_clustering, least_inertia, line, random_distances, squared_distances
from sklearn.cluster import AffinityPropagation

from ds_metrics import DispersionScore
from ds_metrics.clustering import cluster, dispersion_curve, kmedoids, libraries


def loads(solver):
    try:
        libraries.load_estimator(solver)
    except ValueError:
        return False
    return True


LIBRARY = [solver for solver in ("sklearn-extra", "affinity-propagation", "hierarchical") if loads(solver)]
SOLVERS = ["fasterpam", "alternate", *LIBRARY]
WITHOUT_OWN_MEDOIDS = ["affinity-propagation", "hierarchical"]


def blobs(*sizes, seed=0):
    rng = np.random.default_rng(seed)
    centres = 10 * np.eye(len(sizes))  # all equally far from each other
    return squared_distances(np.repeat(centres, sizes, axis=0) + rng.normal(size=(sum(sizes), len(sizes))) * 0.1)


def central_members(distances, clusters):
    return {cluster[np.argmin(distances[np.ix_(cluster, cluster)].sum(axis=1))] for cluster in map(list, clusters)}


def complete_linkage(distances, n_clusters):
    """Join the two clusters with the least greatest distance, until there are so few."""
    clusters = [[i] for i in range(len(distances))]
    while len(clusters) > n_clusters:
        pairs = [(i, j) for j in range(len(clusters)) for i in range(j)]
        i, j = min(pairs, key=lambda pair: distances[np.ix_(clusters[pair[0]], clusters[pair[1]])].max())
        clusters[i] += clusters.pop(j)
    return clusters


@settings(max_examples=200, deadline=None)
@given(
    n=st.integers(2, 10),
    different=st.integers(1, 10),
    data_seed=st.integers(0, 10**6),
    grid=st.booleans(),
    share=st.floats(0, 1),
    scale=st.sampled_from([1e-12, 1.0, 1e12]),
    solver=st.sampled_from(SOLVERS),
)
@example(n=10, different=1, data_seed=0, grid=False, share=0.5, scale=1.0, solver="affinity-propagation")
def test_any_matrix_gives_a_clustering_that_no_search_beats_by_being_wrong(
    n, different, data_seed, grid, share, scale, solver
):
    # With few different samples there are duplicates; on a grid there are ties.
    rng = np.random.default_rng(data_seed)
    points = rng.integers(0, 3, size=(different, 2)) if grid else rng.normal(size=(different, 2))
    distances = squared_distances(points[rng.integers(0, different, size=n)] * scale**0.5)
    k = 1 + int(share * (n - 2))
    try:
        found = kmedoids(distances, k, solver, seed=data_seed)
    except ValueError as error:
        if solver == "affinity-propagation" and "was brought to make" in str(error):
            return
        raise
    check_clustering(distances, found)
    assert (found.n_clusters, found.solver, found.seed) == (k, solver, data_seed)
    assert found.inertia >= least_inertia(distances, k) * (1 - 1e-12)
    if k == 1:
        assert found.inertia == pytest.approx(least_inertia(distances, 1), rel=1e-6)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("k", [1, 2, 9])
def test_equal_samples_score_zero(solver, k):
    found = kmedoids(np.zeros((10, 10), np.float32), k, solver)
    check_clustering(np.zeros((10, 10), np.float32), found)
    assert found.inertia == 0.0


@pytest.mark.parametrize("solver", LIBRARY)
def test_copies_of_k_shapes_score_zero(solver):
    shapes = np.random.default_rng(0).normal(size=(6, 3))
    distances = squared_distances(shapes[np.arange(60) % 6])
    for k in (6, 7, 40):
        found = kmedoids(distances, k, solver)
        check_clustering(distances, found)
        assert found.inertia == 0.0
    assert kmedoids(distances, 5, solver).inertia > 0


@pytest.mark.parametrize("solver", LIBRARY)
def test_blobs_are_found(solver):
    distances = blobs(30, 20, 10)
    found = kmedoids(distances, 3, solver)
    assert found.sizes.tolist() == [30, 20, 10]
    assert set(found.medoids) == central_members(distances, (range(30), range(30, 50), range(50, 60)))


@pytest.mark.parametrize("solver", LIBRARY)
@pytest.mark.parametrize("k", [1, 2, 12, 79])
def test_result_is_consistent(solver, k):
    distances = random_distances(80, seed=k)
    found = kmedoids(distances, k, solver, seed=3)
    check_clustering(distances, found)
    assert kmedoids(distances, k).inertia <= found.inertia <= 2 * kmedoids(distances, k).inertia


@pytest.mark.parametrize("k", [1, 2, 5, 17, 29])
def test_hierarchical_is_complete_linkage(k):
    distances = random_distances(30, seed=1)
    medoids = set(kmedoids(distances, k, "hierarchical").medoids.tolist())
    for members in complete_linkage(distances, k):
        sums = distances[np.ix_(members, members)].sum(axis=1)
        (medoid,) = medoids & set(members)
        assert sums[members.index(medoid)] == pytest.approx(sums.min(), rel=1e-6)  # one of two is as good as the other


@pytest.mark.parametrize("percentile", [20, 50, 90, 97])
def test_affinity_propagation_agrees_with_the_official_recipe(percentile):
    distances = random_distances(150, seed=2)
    similarities = -np.exp(distances / distances.std())
    preference = np.percentile(similarities, percentile)
    official = AffinityPropagation(
        affinity="precomputed", preference=preference, damping=0.75, max_iter=1000, random_state=0
    ).fit(similarities)
    k = len(official.cluster_centers_indices_)
    clusters = [np.flatnonzero(official.labels_ == label) for label in range(k)]
    expected = distances[list(central_members(distances, clusters))].min(axis=0).sum()
    # A range of preferences gives the same number, and not always the same clusters.
    assert kmedoids(distances, k, "affinity-propagation").inertia == pytest.approx(expected, rel=0.03)


def test_affinity_propagation_reaches_most_numbers(monkeypatch):
    distances = random_distances(150, seed=2)
    monkeypatch.setattr(libraries, "_reduced", lambda distances, medoids, k: medoids)
    monkeypatch.setattr(libraries, "_completed", lambda matrix, medoids, k: medoids)
    numbers = [kmedoids(distances, k, "affinity-propagation").n_clusters for k in range(5, 60, 3)]
    assert np.mean(np.array(numbers) == np.arange(5, 60, 3)) > 0.7


def test_affinity_propagation_adds_or_drops_where_it_skips_a_number():
    # All at the same distance: one cluster, or as many as samples. Any medoids are as good.
    distances = 1 - np.eye(10, dtype=np.float32)
    assert kmedoids(distances, 2, "affinity-propagation").inertia == 8.0
    assert kmedoids(distances, 7, "affinity-propagation").inertia == 3.0
    with pytest.raises(ValueError, match=r"`n_clusters` can't be 5 with .* brought to make are \[1, 10\]"):
        kmedoids(distances, 5, "affinity-propagation")


def test_affinity_propagation_drops_the_medoid_that_is_missed_least():
    # By hand, of the medoids 0, 10, 13: without 0 the sum rises by 10 + 9 - 1, without 10 by 3 + 1 - 2 (12 goes to 13),
    # without 13 by 3.
    assert libraries._reduced(line(0, 1, 10, 12, 13), np.array([0, 2, 4]), 2).tolist() == [0, 4]


def test_affinity_propagation_that_does_not_converge_gives_no_clusters():
    with pytest.raises(ValueError, match=r"brought to make are \[1, 80\]"):
        kmedoids(random_distances(80, seed=0), 20, "affinity-propagation", max_iter=5)


def test_affinity_propagation_bears_a_distance_far_above_all_others():
    distances = np.zeros((1100, 1100), np.float32)
    distances[0, 1] = distances[1, 0] = 1e6  # 777 deviations: its exponential is infinite
    found = kmedoids(distances, 2, "affinity-propagation", max_iter=20)
    assert found.inertia == 0


@pytest.mark.parametrize("solver", WITHOUT_OWN_MEDOIDS)
def test_the_order_of_samples_does_not_matter(solver):
    points = np.random.default_rng(3).normal(size=(60, 3))
    distances = squared_distances(np.concatenate([points, points[:20]]))
    shuffle = np.random.default_rng(0).permutation(80)
    for k in (2, 11, 40):
        there, back = kmedoids(distances, k, solver), kmedoids(distances[np.ix_(shuffle, shuffle)], k, solver)
        assert there.inertia == back.inertia
        np.testing.assert_array_equal(there.sizes, back.sizes)


def test_a_draw_past_the_last_sample_is_made_again_in_double(monkeypatch):
    class Unlucky:
        def __init__(self, **options):
            self.options = options

        def fit(self, distances):
            if distances.dtype == np.float32:
                raise IndexError("index 4 is out of bounds for axis 0 with size 4")
            self.medoid_indices_ = np.array([3, 1])
            return self

    monkeypatch.setattr(libraries, "load_estimator", lambda solver: Unlucky)
    monkeypatch.setattr("ds_metrics.clustering.solvers.load_estimator", lambda solver: Unlucky)
    assert kmedoids(line(0, 1, 10, 11), 2, "sklearn-extra").medoids.tolist() == [1, 3]


@pytest.mark.parametrize("solver", LIBRARY)
def test_curve_is_the_solver_point_by_point_and_never_rises(solver):
    distances = random_distances(40, seed=4)
    grid = [1, 2, 3, 5, 8, 13, 21]
    curve = dispersion_curve(distances, grid, solver=solver)
    assert np.all(np.diff(curve.scores) <= 0)
    alone = [kmedoids(distances, k, solver).score for k in grid]
    for k in range(1, len(grid)):
        assert curve.scores[k] == alone[k] or alone[k] > curve.scores[k - 1] > curve.scores[k]


@pytest.mark.parametrize("solver", LIBRARY)
def test_knee(solver):
    found = cluster(blobs(8, 8, 8, 8), solver=solver)
    assert (found.n_clusters, found.solver, found.sizes.tolist()) == (4, solver, [8, 8, 8, 8])
    assert found.score == found.curve.scores[3]


@pytest.mark.parametrize(
    ("solver", "options", "message"),
    [
        ("hierarchical", {"n_init": 1}, "`n_init` must be left out with solver 'hierarchical', but got 1"),
        ("hierarchical", {"max_iter": 5}, "`max_iter` must be left out with solver 'hierarchical', but got 5"),
        ("hierarchical", {"init": [0, 1]}, r"`init` must be left out .*, but got \[0, 1\]"),
        ("affinity-propagation", {"n_init": 3}, "`n_init` must be left out with solver 'affinity-propagation'"),
        ("affinity-propagation", {"init": [0, 1]}, "`init` must be left out with solver 'affinity-propagation'"),
        ("affinity-propagation", {"max_iter": 0}, "`max_iter` must be from 1 to"),
        ("affinity-propagation", {"seed": 2**32}, "`seed` must be from 0 to 4294967295, but got 4294967296"),
        ("affinity-propagation", {"n_clusters": 10}, "`n_clusters` must be from 1 to 9, but got 10"),
        ("hierarchical", {"n_clusters": 0}, "`n_clusters` must be from 1 to 9, but got 0"),
    ],
)
def test_refuses_options_that_do_not_apply(solver, options, message):
    with pytest.raises(ValueError, match=message):
        kmedoids(random_distances(10, seed=0), **{"n_clusters": 2, "solver": solver, **options})


@pytest.mark.parametrize(("solver", "extra"), [("sklearn-extra", "paper"), ("hierarchical", "ablation")])
@pytest.mark.parametrize("use", [lambda s: kmedoids(line(0, 1, 5), 2, s), lambda s: DispersionScore(solver=s)])
def test_a_missing_library_is_named_before_the_work(monkeypatch, solver, extra, use):
    monkeypatch.setitem(sys.modules, "sklearn_extra.cluster", None)
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    with pytest.raises(ValueError, match=rf"can't be '{solver}' here .*pip install 'dispersion-score\[{extra}\]'"):
        use(solver)


def test_a_broken_library_is_named_in_one_line(monkeypatch, tmp_path):
    (tmp_path / "sklearn_extra.py").write_text("raise ValueError('numpy.dtype size changed\\nfrom C header')")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.startswith("sklearn_extra")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ValueError, match=r"here \(numpy.dtype size changed\): pip install .* with Python 3.10 or 3.11"):
        kmedoids(line(0, 1, 5), 2, "sklearn-extra")
