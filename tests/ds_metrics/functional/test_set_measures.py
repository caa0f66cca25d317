"""Measures on distance matrices, against loops from the papers' definitions and other libraries."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist, jensenshannon
from scipy.stats import entropy, mannwhitneyu
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from ds_metrics.functional import (
    coverage,
    distance_similarity,
    median_scale,
    memorization_z_score,
    minimum_matching_distance,
    occupancy_divergence,
    one_nn_accuracy,
    oracle_nn_distance,
    prdc,
    recognition_share,
    vendi_score,
)

SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.integers(7, 20)


def matrices(generated, reference):
    return tuple(
        torch.from_numpy(cdist(a, b))
        for a, b in ((generated, generated), (generated, reference), (reference, reference))
    )


def vectors(seed, n, m, tied):
    """Two sets; of whole numbers, many distances are equal and some vectors too."""
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 4, (n + m, 2)) if tied else rng.normal(size=(n + m, 2))
    return points[:n].astype(float), points[n:].astype(float)


def mmd_by_loops(d_gr):
    n, m = d_gr.shape
    return sum(min(float(d_gr[g, r]) for g in range(n)) for r in range(m)) / m


def coverage_by_loops(d_gr):
    n, m = d_gr.shape
    return len({r for g in range(n) for r in range(m) if d_gr[g, r] == min(d_gr[g])}) / m


def accuracy_by_loops(d_gg, d_gr, d_rr):
    whole = np.block([[d_gg, d_gr], [d_gr.T, d_rr]])
    label = [0] * len(d_gg) + [1] * len(d_rr)
    total = 0.0
    for i in range(len(whole)):
        others = [j for j in range(len(whole)) if j != i]
        least = min(whole[i, j] for j in others)
        nearest = [j for j in others if whole[i, j] == least]
        total += sum(label[j] == label[i] for j in nearest) / len(nearest)
    return total / len(whole)


def prdc_by_loops(d_gg, d_gr, d_rr, k):
    def radius(own, i):
        return sorted(own[i, j] for j in range(len(own)) if j != i)[k - 1]

    n, m = d_gr.shape
    rho_g, rho_r = [radius(d_gg, g) for g in range(n)], [radius(d_rr, r) for r in range(m)]
    return (
        sum(any(d_gr[g, r] < rho_r[r] for r in range(m)) for g in range(n)) / n,
        sum(any(d_gr[g, r] < rho_g[g] for g in range(n)) for r in range(m)) / m,
        sum(sum(d_gr[g, r] < rho_r[r] for r in range(m)) for g in range(n)) / (k * n),
        sum(any(d_gr[g, r] < rho_r[r] for g in range(n)) for r in range(m)) / m,
    )


@settings(max_examples=40, deadline=None)
@given(SEEDS, SIZES, SIZES, st.booleans(), st.integers(1, 6))
def test_matching_and_manifolds_by_loops(seed, n, m, tied, k):
    gg, gr, rr = matrices(*vectors(seed, n, m, tied))
    arrays = gg.numpy(), gr.numpy(), rr.numpy()
    assert float(minimum_matching_distance(gr)) == pytest.approx(mmd_by_loops(arrays[1]), rel=1e-6)
    assert float(coverage(gr)) == pytest.approx(coverage_by_loops(arrays[1]))
    assert float(one_nn_accuracy(gg, gr, rr)) == pytest.approx(accuracy_by_loops(*arrays))
    assert [float(value) for value in prdc(gg, gr, rr, k)] == pytest.approx(prdc_by_loops(*arrays, k))


@settings(max_examples=25, deadline=None)
@given(SEEDS, SIZES, SIZES, st.booleans())
def test_order_does_not_matter_and_bounds_hold(seed, n, m, tied):
    generated, reference = vectors(seed, n, m, tied)
    rng = np.random.default_rng(seed)
    shuffled = matrices(rng.permutation(generated), rng.permutation(reference))
    plain = matrices(generated, reference)
    for values in zip(*(set_values(*found) for found in (plain, shuffled)), strict=True):
        assert float(values[0]) == pytest.approx(float(values[1]), rel=1e-5, abs=1e-7)
    mmd, cov, accuracy, precision, recall, density, covered, vendi = map(float, set_values(*plain))
    assert all(0 <= value <= 1 for value in (cov, accuracy, precision, recall, covered))
    assert min(mmd, density) >= 0
    assert cov > 0
    assert 1 - 1e-5 <= vendi <= n * (1 + 1e-5)


def set_values(gg, gr, rr):
    yield minimum_matching_distance(gr)
    yield coverage(gr)
    yield one_nn_accuracy(gg, gr, rr)
    yield from prdc(gg, gr, rr, 3)
    yield vendi_score(distance_similarity(gg, 1.0))


@pytest.mark.parametrize("duplicates", [False, True])
def test_a_perfect_copy(duplicates):
    reference = np.random.default_rng(0).normal(size=(12, 3))
    if duplicates:
        reference[1] = reference[0]
    gg, gr, rr = matrices(reference, reference)
    assert minimum_matching_distance(gr) == 0
    assert coverage(gr) == 1
    # Of a pair of twins each has as nearest its own copy, its twin and that one's copy.
    assert float(one_nn_accuracy(gg, gr, rr)) == pytest.approx(4 / 3 / 24 if duplicates else 0)
    assert prdc(gg, gr, rr, 2)[:2] == (1, 1)


def test_sets_that_lie_apart_and_a_recited_shape():
    rng = np.random.default_rng(0)
    reference, apart = rng.normal(size=(20, 3)), rng.normal(size=(20, 3)) + 100
    gg, gr, rr = matrices(apart, reference)
    assert one_nn_accuracy(gg, gr, rr) == 1
    assert [float(value) for value in prdc(gg, gr, rr)] == [0, 0, 0, 0]
    gg, gr, rr = matrices(reference[[3] * 20], reference)
    assert coverage(gr) == pytest.approx(1 / 20)
    assert prdc(gg, gr, rr).recall == 0
    assert prdc(gg, gr, rr).precision == 1
    assert vendi_score(distance_similarity(gg, 1.0)) == pytest.approx(1)


def test_accuracy_is_that_of_a_classifier_of_scikit_learn():
    generated, reference = vectors(1, 30, 25, tied=False)
    points, labels = np.concatenate([generated, reference]), np.arange(55) < 30
    hits = [
        KNeighborsClassifier(1).fit(np.delete(points, i, 0), np.delete(labels, i)).predict(points[i : i + 1])[0]
        == labels[i]
        for i in range(55)
    ]
    assert float(one_nn_accuracy(*matrices(generated, reference))) == pytest.approx(np.mean(hits))


def test_prdc_is_that_of_its_authors_package(capsys):
    package = pytest.importorskip("prdc", reason="prdc is not installed")
    generated, reference = vectors(2, 40, 40, tied=False)
    expected = package.compute_prdc(real_features=reference, fake_features=generated, nearest_k=5)
    found = prdc(*matrices(generated, reference), nearest_k=5)
    assert {name: float(value) for name, value in found._asdict().items()} == pytest.approx(expected)


def test_rows_are_generated_and_columns_reference():
    gr = torch.tensor([[1.0, 2.0, 9.0]])  # one generated, three references
    assert minimum_matching_distance(gr) == 4
    assert minimum_matching_distance(gr.T) == 1
    assert coverage(gr) == pytest.approx(1 / 3)
    assert coverage(gr.T) == 1


def test_more_rows_than_are_taken_at_once():
    generated, reference = vectors(3, 530, 520, tied=True)
    gg, gr, rr = matrices(generated, reference)
    nearest = NearestNeighbors(n_neighbors=1).fit(generated).kneighbors(reference)[0]
    assert float(minimum_matching_distance(gr)) == pytest.approx(nearest.mean())
    whole = torch.cat([torch.cat([gg, gr], dim=1), torch.cat([gr.T, rr], dim=1)]).fill_diagonal_(torch.inf)
    near = (whole == whole.amin(dim=1, keepdim=True)).double()
    own = torch.cat([near[:530, :530].sum(1), near[530:, 530:].sum(1)]) / near.sum(1)
    assert float(one_nn_accuracy(gg, gr, rr)) == pytest.approx(float(own.mean()))


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(2, 15))
def test_vendi_is_the_entropy_of_singular_values(seed, n):
    features = np.random.default_rng(seed).normal(size=(n, 4))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    values = np.linalg.svd(features / np.sqrt(n), compute_uv=False) ** 2
    assert float(vendi_score(np.clip(features @ features.T, -1, 1))) == pytest.approx(np.exp(entropy(values)), rel=1e-4)


def test_vendi_of_groups_and_of_a_kernel_that_is_not_quite_one():
    groups = np.repeat([0.0, 100.0, 200.0], [6, 3, 3])
    kernel = distance_similarity(np.abs(groups[:, None] - groups), 0.1)
    assert float(vendi_score(kernel)) == pytest.approx(np.exp(entropy([6, 3, 3])))
    indefinite = torch.tensor([[1.0, 0.9, 0.0], [0.9, 1.0, 0.9], [0.0, 0.9, 1.0]])
    assert np.linalg.eigvalsh(indefinite.numpy()).min() < 0
    positive = np.clip(np.linalg.eigvalsh(indefinite.double().numpy()), 0, None)
    assert float(vendi_score(indefinite)) == pytest.approx(np.exp(entropy(positive)))


def test_median_scale():
    distances = np.abs(np.subtract.outer([0.0, 0.0, 1.0, 4.0], [0.0, 0.0, 1.0, 4.0]))
    assert median_scale(distances) == 3  # of 1, 1, 3, 4, 4
    assert median_scale(np.zeros((3, 3))) == 1


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(1, 12), st.integers(1, 12), st.booleans())
def test_z_score_by_pairs_and_by_scipy(seed, g, h, tied):
    rng = np.random.default_rng(seed)
    generated, held_out = (rng.integers(0, 5, n).astype(float) if tied else rng.random(n) for n in (g, h))
    u = sum((a > b) + 0.5 * (a == b) for a in generated for b in held_out)
    found = float(memorization_z_score(generated, held_out))
    assert found == pytest.approx((u - g * h / 2) / np.sqrt(g * h * (g + h + 1) / 12), abs=1e-6)
    assert float(memorization_z_score(held_out, generated)) == pytest.approx(-found, abs=1e-6)
    if not tied:
        test = mannwhitneyu(generated, held_out, alternative="less", method="asymptotic", use_continuity=False)
        from scipy.stats import norm

        assert norm.cdf(found) == pytest.approx(test.pvalue, abs=1e-6)


def test_copies_of_the_training_set_are_found():
    rng = np.random.default_rng(0)
    train, held_out, fresh = (rng.normal(size=(60, 3)) for _ in range(3))
    copied = train + 0.01 * rng.normal(size=train.shape)
    assert memorization_z_score(cdist(copied, train), cdist(held_out, train)) < -5
    assert abs(memorization_z_score(cdist(fresh, train), cdist(held_out, train))) < 3
    assert memorization_z_score(cdist(held_out + 9, train), cdist(held_out, train)) > 5
    nearest = NearestNeighbors(n_neighbors=1).fit(train).kneighbors(held_out)[0]
    assert float(oracle_nn_distance(cdist(held_out, train))) == pytest.approx(nearest.mean())
    assert float(oracle_nn_distance(nearest[:, 0])) == pytest.approx(nearest.mean())


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(1, 10), st.integers(1, 5))
def test_recognition_by_loops(seed, n, k):
    rng = np.random.default_rng(seed)
    to_truth, to_medoids = rng.integers(0, 3, n).astype(float), rng.integers(0, 3, (n, k)).astype(float)
    found = recognition_share(to_truth, to_medoids)
    for i in range(n):
        near = min(to_medoids[i])
        assert float(found.shares[i]) == (to_truth[i] / (to_truth[i] + near) if to_truth[i] + near else 0.5)
        assert bool(found.recited[i]) == (near < to_truth[i])
        assert int(found.medoid[i]) == list(to_medoids[i]).index(near)
    assert float(found.share) == pytest.approx(float(found.shares.mean()))
    assert float(found.proportion) == pytest.approx(float(found.recited.float().mean()))


def occupancy_by_loops(clouds, resolution, radius):
    axis = np.linspace(-radius, radius, resolution)
    centres = [(x, y, z) for x in axis for y in axis for z in axis]
    centres = [c for c in centres if sum(v * v for v in c) <= radius**2 * (1 + 1e-9)]
    counts = np.zeros(len(centres))
    for point in clouds.reshape(-1, 3):
        counts[np.argmin(((np.array(centres) - point) ** 2).sum(1))] += 1
    return counts / counts.sum()


@pytest.mark.parametrize("radius", [0.5, 1.0])
def test_divergence_by_loops_and_scipy(radius):
    rng = np.random.default_rng(0)
    a, b = (radius * rng.normal(scale=scale, size=(4, 50, 3)) for scale in (0.45, 0.55))  # some of it outside
    p, q = (occupancy_by_loops(clouds, 7, radius) for clouds in (a, b))
    found = float(occupancy_divergence(a, b, resolution=7, radius=radius))
    assert found == pytest.approx(jensenshannon(p, q, base=2) ** 2, rel=1e-5)
    assert float(occupancy_divergence(b, a, resolution=7, radius=radius)) == pytest.approx(found, rel=1e-6)
    assert occupancy_divergence(a, a[::-1].copy(), resolution=7, radius=radius) == 0


def test_divergence_by_hand():
    at = lambda *places: torch.tensor(places).reshape(-1, 1, 1) * torch.tensor([1.0, 0, 0])  # noqa: E731
    assert occupancy_divergence(at(-0.5), at(0.5)) == 1
    # P = (1/2, 1/2, 0), Q = (0, 1/2, 1/2): H((P + Q) / 2) = 1.5 bits, the others 1
    assert float(occupancy_divergence(at(-0.5, 0.0), at(0.0, 0.5))) == pytest.approx(0.5)
    # a corner of the cube has no cell: it counts where the ball is nearest
    corner = torch.tensor([[[0.9, 0.9, 0.9]]])
    assert occupancy_divergence(corner, corner / corner.norm() * 0.99) == 0
    far = torch.tensor([[[0.5, -0.2, 0.3]]], dtype=torch.float64)
    assert occupancy_divergence(far * 1e200, far, radius=1) == occupancy_divergence(far * 1e7, far) > 0
    assert occupancy_divergence(torch.cat([far, far, far * 1e200]), torch.cat([far, far, far * 1e7])) == 0
    with pytest.raises(ValueError, match="`resolution` must be an integer from 3 to 512, but got 2"):
        occupancy_divergence(corner, corner, resolution=2, radius=2.0)


GOOD = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
BAD = [
    (torch.tensor([[0.0, -1.0], [-1.0, 0.0]]), ValueError, "at least 0"),
    (torch.tensor([[0.0, torch.nan], [torch.nan, 0.0]]), ValueError, "finite"),
    (torch.tensor([[0.0, torch.inf], [torch.inf, 0.0]]), ValueError, "finite"),
    (torch.zeros(0, 2), ValueError, "at least one"),
    (torch.zeros(2), ValueError, r"shape \(N, M\)"),
    (torch.zeros(2, 2, dtype=torch.int64), TypeError, "floating point"),
    ([[0.0]], TypeError, "floating point"),
]


@pytest.mark.parametrize(("matrix", "error", "message"), BAD)
def test_refuses_what_are_no_distances(matrix, error, message):
    calls = [
        lambda: minimum_matching_distance(matrix),
        lambda: coverage(matrix),
        lambda: one_nn_accuracy(GOOD, matrix, GOOD),
        lambda: prdc(GOOD, matrix, GOOD, 1),
        lambda: distance_similarity(matrix, 1.0),
        lambda: median_scale(matrix),
        lambda: recognition_share(torch.zeros(2), matrix),
    ]
    for call in calls:
        with pytest.raises(error, match=message):
            call()


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (torch.tensor([[0.0, 1.0], [2.0, 0.0]]), "symmetric"),
        (torch.tensor([[1.0, 1.0], [1.0, 0.0]]), "zero diagonal"),
        (torch.zeros(2, 3), "square"),
        (torch.zeros(3, 3), "must have 2 rows"),
    ],
)
def test_refuses_sets_that_do_not_fit(own, message):
    for arguments in ((own, GOOD, GOOD), (GOOD, GOOD, own)):
        with pytest.raises(ValueError, match=message):
            one_nn_accuracy(*arguments)
        with pytest.raises(ValueError, match=message):
            prdc(*arguments, nearest_k=1)


def test_refuses_options_and_other_input():
    for k in (0, 2, 1.0, True):
        with pytest.raises(ValueError, match="`nearest_k` must be"):
            prdc(GOOD, GOOD, GOOD, k)
    for scale in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="`scale` must be"):
            distance_similarity(GOOD, scale)
    for kernel, message in ((GOOD, "1 on the diagonal"), (torch.ones(2, 3), "square"), (2 * torch.eye(2), "-1 to 1")):
        with pytest.raises(ValueError, match=message):
            vendi_score(kernel)
    with pytest.raises(ValueError, match="-1 to 1"):
        vendi_score(torch.full((2, 2), torch.nan))
    with pytest.raises(ValueError, match="same training samples"):
        memorization_z_score(torch.ones(2, 3), torch.ones(2, 4))
    with pytest.raises(ValueError, match="finite"):
        memorization_z_score(torch.tensor([1.0, torch.nan]), torch.ones(2))
    with pytest.raises(ValueError, match="same predictions"):
        recognition_share(torch.ones(2), torch.ones(3, 1))
    cloud = torch.rand(2, 5, 3) * 0.5
    for options, name in (({"resolution": 1}, "resolution"), ({"radius": 0.0}, "radius")):
        with pytest.raises(ValueError, match=f"`{name}` must be"):
            occupancy_divergence(cloud, cloud, **options)
    with pytest.raises(ValueError, match="lie outside 1"):
        occupancy_divergence(cloud, cloud + 10)
    with pytest.raises(ValueError, match="at least one cloud"):
        occupancy_divergence(cloud[:0], cloud)
