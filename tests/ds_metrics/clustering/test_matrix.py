"""What counts as a distance matrix."""

import numpy as np
import pytest

from ds_metrics.clustering import cluster, dispersion_curve, kmedoids
from ds_metrics.clustering.matrix import DistanceMatrix


def ring(n=300):
    angles = np.arange(n) * 2 * np.pi / n
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return ((points[:, None] - points) ** 2).sum(-1).astype(np.float32)


def spoiled(*entries, n=300):
    distances = ring(n)
    for i, j, value in entries:
        distances[i, j] = value
    return distances


@pytest.mark.parametrize(
    ("distances", "message"),
    [
        (np.zeros(3), r"must be a square matrix, but got shape \(3,\)"),
        (np.zeros((3, 4)), r"must be a square matrix, but got shape \(3, 4\)"),
        (np.zeros((1, 1)), "must hold at least 2 samples, but got 1"),
        (np.zeros((0, 0)), "must hold at least 2 samples, but got 0"),
        (spoiled((270, 5, np.nan)), r"must be finite, but got distances\[270, 5\] = nan"),
        (spoiled((0, 290, np.inf)), r"must be finite, but got distances\[0, 290\] = inf"),
        (spoiled((280, 7, -1)), r"must be non-negative, but got distances\[280, 7\] = -1.0"),
        (spoiled((260, 260, 1e-9)), r"must have a zero diagonal, but got distances\[260, 260\] = 1e-09"),
        (
            spoiled((3, 290, 9)),
            r"must be symmetric, but got distances\[3, 290\] = 9.0 and distances\[290, 3\] = ",
        ),
        (np.array([[0, 1e39], [1e39, 0]]), r"must be finite, but got distances\[0, 1\] = inf"),
    ],
)
@pytest.mark.parametrize("function", [lambda d: kmedoids(d, 1), dispersion_curve, cluster])
def test_refuses_what_is_not_a_distance_matrix(function, distances, message):
    with pytest.raises(ValueError, match=message):
        function(distances)


@pytest.mark.parametrize("solver", ["alternate", "affinity-propagation", "hierarchical"])
@pytest.mark.parametrize(
    ("distances", "what"),
    [
        (np.zeros((3, 4)), "be a square matrix"),
        (spoiled((270, 5, np.nan)), "be finite"),
        (spoiled((280, 7, -1)), "be non-negative"),
        (spoiled((260, 260, 1e-9)), "have a zero diagonal"),
        (spoiled((3, 290, 9)), "be symmetric"),
    ],
)
def test_every_solver_refuses_it(solver, distances, what):
    for function in (lambda: kmedoids(distances, 2, solver), lambda: cluster(distances, solver=solver)):
        with pytest.raises(ValueError, match=f"Argument `distances` must {what}"):
            function()


@pytest.mark.parametrize("distances", [np.zeros((2, 2), complex), np.zeros((2, 2), bool), [["a", "b"]] * 2])
def test_refuses_what_does_not_hold_real_numbers(distances):
    with pytest.raises(TypeError, match="`distances` must hold real numbers"):
        kmedoids(distances, 1)


def test_exact_matrix_is_not_copied():
    distances = ring()
    assert DistanceMatrix(distances).values is distances


def test_rounding_asymmetry_is_averaged_out():
    distances = ring()
    distances[3, 200] += 1e-5
    values = DistanceMatrix(distances).values
    np.testing.assert_array_equal(values, values.T)
    assert values[3, 200] == pytest.approx((distances[3, 200] + distances[200, 3]) / 2, rel=1e-6)


def test_order_depends_on_the_distances_alone():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(50, 3))
    distances = ((points[:, None] - points) ** 2).sum(-1).astype(np.float32)
    shuffle = rng.permutation(50)
    order = DistanceMatrix(distances).order
    assert sorted(order) == list(range(50))
    np.testing.assert_array_equal(shuffle[DistanceMatrix(distances[np.ix_(shuffle, shuffle)]).order], order)


def test_order_tells_apart_samples_with_the_same_distances_to_others():
    # In the path a-b-c-d-e-f with unit steps and all else far, the rows of b, c, d, e hold the same numbers.
    far = np.full((6, 6), 5, np.float32)
    np.fill_diagonal(far, 0)
    for i in range(5):
        far[i, i + 1] = far[i + 1, i] = 1
    shuffle = np.array([3, 0, 5, 1, 4, 2])
    mirror = np.array([0, 1, 2, 2, 1, 0])  # what symmetry leaves open
    order = DistanceMatrix(far).order
    again = shuffle[DistanceMatrix(far[np.ix_(shuffle, shuffle)]).order]
    np.testing.assert_array_equal(mirror[order], mirror[again])


def test_negative_zero_is_zero():
    distances = ring(10)
    signed = np.where(distances == 0, np.float32(-0.0), distances)
    np.testing.assert_array_equal(DistanceMatrix(signed).order, DistanceMatrix(distances).order)
