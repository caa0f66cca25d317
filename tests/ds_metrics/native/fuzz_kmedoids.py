"""Random rounds of k-medoids against plain definitions in float64."""

import itertools

import numpy as np
import pytest
from native_core import core

MATRICES = {
    "generic": lambda rng, n: rng.uniform(size=(n, n)),
    "ties": lambda rng, n: rng.integers(0, 4, (n, n)),
    "zeros": lambda rng, n: np.zeros((n, n)),
    "mostly zeros": lambda rng, n: rng.uniform(size=(n, n)) * (rng.uniform(size=(n, n)) < 0.1),
    "blobs": lambda rng, n: np.abs(np.subtract.outer(*[rng.integers(0, 4, n) + rng.normal(0, 0.01, n)] * 2)),
    "huge": lambda rng, n: rng.uniform(size=(n, n)) * 3e38,
    "subnormal": lambda rng, n: rng.uniform(size=(n, n)) * 1e-43,
    "all scales": lambda rng, n: 10.0 ** rng.uniform(-40, 38, (n, n)),
}


def draw_matrix(rng):
    size = int(rng.choice([2, 3, rng.integers(2, 9), rng.integers(2, 80)]))
    name = rng.choice(list(MATRICES))
    upper = np.triu(MATRICES[name](rng, size), 1)
    return (upper + upper.T).astype(np.float32), name


def inertia_of(distances, medoids):
    return distances[:, medoids].min(1).sum(dtype=np.float64)


def at_most(value, bound, terms=0.0):
    """Up to the rounding of sums, whose terms may be larger than what is left of them."""
    return value <= bound * (1 + 1e-9) + 1e-13 * float(np.sum(terms, dtype=np.float64))


def check_assignment(distances, order, medoids):
    labels, inertia = core.kmedoids_assign(distances, order, medoids)
    nearest = distances[:, medoids].min(1)
    np.testing.assert_array_equal(distances[np.arange(len(distances)), medoids[labels]], nearest)
    assert labels[medoids].tolist() == list(range(len(medoids)))
    assert inertia == pytest.approx(inertia_of(distances, medoids), rel=1e-12, abs=0)
    return labels


def check_fasterpam(distances, medoids):
    """No swap of a medoid lowers the inertia."""
    inertia = inertia_of(distances, medoids)
    for slot in range(len(medoids)):
        kept = distances[:, np.delete(medoids, slot)].min(1, initial=np.inf)
        swapped = np.minimum(kept[:, None], distances).sum(0, dtype=np.float64)
        assert at_most(inertia, swapped.min(), distances)


def check_alternate(distances, labels, medoids):
    """Every medoid is the most central of its cluster."""
    for slot, medoid in enumerate(medoids):
        members = np.flatnonzero(labels == slot)
        costs = distances[np.ix_(members, members)].sum(1, dtype=np.float64)
        assert at_most(costs[members == medoid][0], costs.min())


def check_solutions(rng, distances, order):
    size = len(distances)
    k = int(rng.integers(1, size + 1))
    seed, n_init = int(rng.integers(2**63)), int(rng.integers(1, 4))
    solutions = {}
    for solver in ("alternate", "fasterpam"):
        passes = int(rng.integers(0, 4))
        options = distances, order, k, solver, seed, n_init, 300, passes
        solutions[solver] = medoids = core.kmedoids_solve(*options, threads=1)
        np.testing.assert_array_equal(core.kmedoids_solve(*options, threads=3), medoids)
        assert len(set(medoids)) == len(medoids) == k
        labels = check_assignment(distances, order, medoids)
        if solver == "fasterpam" or k == 1:
            check_fasterpam(distances, medoids)
        else:
            check_alternate(distances, labels, medoids)
        if size <= 8:
            best = min(inertia_of(distances, list(chosen)) for chosen in itertools.combinations(range(size), k))
            assert at_most(best, inertia_of(distances, medoids))
    assert at_most(*(inertia_of(distances, solutions[solver]) for solver in ("fasterpam", "alternate")), distances)

    start = rng.permutation(size)[:k]
    for solver in solutions:
        refined = core.kmedoids_refine(distances, order, start, solver, int(rng.integers(0, 300)))
        assert len(set(refined)) == k
        assert at_most(inertia_of(distances, refined), inertia_of(distances, start), distances)


def check_extension(rng, distances, order):
    """Each medoid that joins is one that lowers the inertia most."""
    start = rng.permutation(len(distances))[: rng.integers(1, len(distances) + 1)]
    k = int(rng.integers(len(start), len(distances) + 1))
    grown = core.kmedoids_extend(distances, order, start, k)
    assert grown[: len(start)].tolist() == start.tolist()
    assert len(set(grown)) == len(grown) == k
    for count in range(len(start), k):
        nearest = distances[:, grown[:count]].min(1).astype(np.float64)
        gains = np.maximum(nearest[:, None] - distances, 0).sum(0)
        gains[grown[:count]] = 0
        assert at_most(gains.max(), gains[grown[count]])


def check_growth(rng, distances, order):
    """A grown solution is never above the one that it grew from, nor above the greedy one."""
    start = rng.permutation(len(distances))[: rng.integers(1, len(distances) + 1)]
    k = int(rng.integers(len(start), len(distances) + 1))
    greedy = core.kmedoids_extend(distances, order, start, k)
    passes = int(rng.integers(0, 4))
    grown = core.kmedoids_grow(distances, order, rng.permutation(start), k, 300, passes, int(rng.integers(2**63)))
    assert len(set(grown)) == len(grown) == k
    for other in (start, greedy) if k > 1 else (start,):
        assert at_most(inertia_of(distances, grown), inertia_of(distances, other), distances)


def check_resamples(rng, distances, order):
    """Scores of parts: of the whole as refined, of less as no choice of medoids could lower them."""
    size = len(distances)
    medoids = order[np.sort(rng.permutation(size)[: rng.integers(1, size + 1)])]
    k, rounds, seed = len(medoids), int(rng.integers(0, 300)), int(rng.integers(2**63))

    def resample(left_out, count, threads):
        return core.kmedoids_resample(distances, order, medoids, left_out, count, seed, rounds, threads)

    refined = core.kmedoids_refine(distances, order, medoids, "fasterpam", rounds)
    whole = core.kmedoids_assign(distances, order, refined)[1] / size
    assert resample(0, 2, 1).tolist() == [whole, whole]
    left_out = int(rng.integers(0, size - k + 1))
    scores = resample(left_out, 5, 1)
    medoids = rng.permutation(medoids)
    np.testing.assert_array_equal(resample(left_out, 3, 3), scores[:3])
    if size <= 8:
        parts = itertools.combinations(range(size), size - left_out)
        chosen = list(itertools.combinations(range(size - left_out), k))
        best = min(inertia_of(distances[np.ix_(p, p)], list(m)) for p in parts for m in chosen)
        assert at_most(best / (size - left_out), scores.min())


def check_order(rng, distances, order, name):
    size = len(distances)
    assert sorted(order) == list(range(size))
    if name != "generic" or size < 3:
        return  # samples that can't be told apart keep the order they came in
    shuffle = rng.permutation(size)
    shuffled = np.ascontiguousarray(distances[np.ix_(shuffle, shuffle)])
    again = core.kmedoids_order(shuffled)
    np.testing.assert_array_equal(shuffle[again], order)


def check_refusals(rng, distances, order):
    size = len(distances)
    wrong = order.copy()
    wrong[rng.integers(size)] = rng.choice([-1, size, wrong[rng.integers(size)] + size, -(2**63), 2**63 - 1])
    with pytest.raises(ValueError, match="order"):
        core.kmedoids_solve(distances, wrong, 1, "fasterpam", 0, 1, 1)
    with pytest.raises(ValueError, match="medoids"):
        core.kmedoids_assign(distances, order, wrong)
    with pytest.raises(ValueError, match="n_clusters"):
        core.kmedoids_solve(distances, order, int(rng.choice([-1, 0, size + 1, 2**62])), "alternate", 0, 1, 1)
    view = [distances.T[::-1], np.repeat(distances, 2, 0)[::2], distances.astype(np.float64)][rng.integers(3)]
    with pytest.raises(TypeError):
        core.kmedoids_order(view)


def play(rng):
    """One round."""
    distances, name = draw_matrix(rng)
    order = core.kmedoids_order(distances)
    check_order(rng, distances, order, name)
    check_solutions(rng, distances, order)
    check_extension(rng, distances, order)
    check_growth(rng, distances, order)
    check_resamples(rng, distances, order)
    check_refusals(rng, distances, order)
