"""References of the measures of sets, see `reference_values`."""

from __future__ import annotations

import warnings
from contextlib import redirect_stdout
from functools import cache, partial
from io import StringIO

import numpy as np
import torch
from reference_values import COPYING, FAKE, GENERATED, NEIGHBOURS, POINTFLOW, REAL, REFERENCE, TRAIN, Reference, nearest

from ds_metrics import functional as own
from ds_metrics.pairwise import pairwise_distance

SIZES = "8 generated, 6 reference"


def references() -> list[Reference]:
    """Of dispersion, of sets by their Chamfer distances, of places, of manifolds, and against a training set."""
    return [*dispersion(), *matching(), *places(), *manifolds(), *training()]


@cache
def matrices() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Chamfer distances ``d_gg``, ``d_gr`` and ``d_rr`` in double precision, by scikit-learn's neighbours."""

    def chamfer(x: torch.Tensor, y: torch.Tensor) -> float:
        return (nearest(x, y) ** 2).mean() + (nearest(y, x) ** 2).mean()

    pairs = (GENERATED, GENERATED), (GENERATED, REFERENCE), (REFERENCE, REFERENCE)
    gg, gr, rr = (np.array([[chamfer(x, y) for y in ys] for x in xs]) for xs, ys in pairs)
    return gg, gr, rr


def least() -> float:
    """Mean distance of reference shapes to the nearest generated one."""
    return matrices()[1].min(axis=0).mean()


def dispersion() -> list[Reference]:
    def medoids() -> float:
        import kmedoids

        return kmedoids.fasterpam(matrices()[0], 3, random_state=0).loss / len(GENERATED)

    ours, theirs = partial(own.dispersion_score, GENERATED, 3), f"kmedoids' `fasterpam`, {NEIGHBOURS}"
    return [Reference("dispersion-score", "8 shapes, k = 3", ours, medoids, theirs, ("kmedoids", "sklearn"))]


def matching() -> list[Reference]:
    d_gg, d_rr = pairwise_distance(GENERATED), pairwise_distance(REFERENCE)
    d_gr = pairwise_distance(GENERATED, REFERENCE)

    def leave_one_out() -> float:
        from sklearn.neighbors import KNeighborsClassifier

        gg, gr, rr = matrices()
        every = np.block([[gg, gr], [gr.T, rr]])
        labels = np.repeat([0, 1], [len(gg), len(rr)])
        near = KNeighborsClassifier(2, metric="precomputed").fit(every, labels).kneighbors(return_distance=False)
        return float((labels[near[:, 0]] == labels).mean())  # with no argument a sample is no neighbour of itself

    mmd, cov, nna = "minimum-matching-distance", "coverage", "1-nn-accuracy"
    published, classifier = POINTFLOW.format("lgan_mmd_cov"), "scikit-learn's `KNeighborsClassifier`"
    accuracy = partial(own.one_nn_accuracy, d_gg, d_gr, d_rr)
    swapped = "sets exchanged"
    return [
        Reference(mmd, SIZES, partial(own.minimum_matching_distance, d_gr), 0.020070200661818183, published),
        Reference(mmd, swapped, partial(own.minimum_matching_distance, d_gr.T), 0.025658761523663996, published),
        Reference(mmd, SIZES, partial(own.minimum_matching_distance, d_gr), least, NEIGHBOURS, ("sklearn",)),
        Reference(cov, SIZES, partial(own.coverage, d_gr), 0.5, published),
        Reference(cov, swapped, partial(own.coverage, d_gr.T), 0.375, published),
        Reference(nna, SIZES, accuracy, 0.5714285969734192, POINTFLOW.format("knn")),
        Reference(nna, SIZES, accuracy, leave_one_out, classifier, ("sklearn",)),
    ]


def places() -> list[Reference]:
    def divergence() -> float:
        from scipy.spatial import cKDTree
        from scipy.spatial.distance import jensenshannon

        axis = np.linspace(-0.5, 0.5, 6)
        centres = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)
        tree = cKDTree(centres[np.linalg.norm(centres, axis=1) <= 0.5])
        p, q = (np.bincount(tree.query(of.reshape(-1, 3))[1], minlength=tree.n) for of in (GENERATED, REFERENCE))
        return jensenshannon(p, q, base=2) ** 2

    name, published = "occupancy-divergence", POINTFLOW.format("jsd_between_point_cloud_sets")
    ours = partial(own.occupancy_divergence, GENERATED, REFERENCE, radius=0.5)
    return [
        Reference(name, "radius 0.5, 28 cells", ours, 0.971264179365666, published),
        Reference(name, "radius 0.5, 6 cells", partial(ours, resolution=6), 0.2871221062692735, published),
        Reference(
            name, "radius 0.5, 6 cells", partial(ours, resolution=6), divergence, "scipy's `jensenshannon`, squared"
        ),
    ]


def euclidean(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    from scipy.spatial.distance import cdist

    return cdist(x, y)


def manifolds() -> list[Reference]:
    among = euclidean(FAKE, FAKE)
    ours = own.prdc(among, euclidean(FAKE, TRAIN), euclidean(TRAIN, TRAIN), 2)

    def theirs(name: str) -> float:
        from prdc import compute_prdc

        with redirect_stdout(StringIO()):  # it prints the sizes
            return compute_prdc(TRAIN, FAKE, 2)[name]

    def vendi() -> float:
        from vendi_score import vendi

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # it imports from scipy what has moved
            return vendi.score_K(np.exp(-among / 0.5))

    def row(name: str) -> Reference:
        value, package = partial(getattr, ours, name), "prdc's `compute_prdc`"
        return Reference(
            f"manifold-{name}", "12 generated, 15 reference, k = 2", value, partial(theirs, name), package, ("prdc",)
        )

    def score() -> torch.Tensor:
        return own.vendi_score(own.distance_similarity(among, 0.5))

    vendis = Reference("vendi-score", "12 samples, s = 0.5", score, vendi, "vendi-score's `score_K`", ("vendi_score",))
    return [*map(row, ("precision", "recall", "density", "coverage")), vendis]


def training() -> list[Reference]:
    generated, held_out = euclidean(FAKE, TRAIN), euclidean(REAL, TRAIN)
    g, h = len(generated), len(held_out)
    continuity = 0.5 / np.sqrt(g * h * (g + h + 1) / 12)  # which the published code adds

    def from_p_value() -> float:
        from scipy.stats import mannwhitneyu, norm

        nearest_train = generated.min(axis=1), held_out.min(axis=1)
        found = mannwhitneyu(*nearest_train, alternative="greater", method="asymptotic", use_continuity=False)
        return norm.isf(found.pvalue)

    z = partial(own.memorization_z_score, generated, held_out)
    oracle = partial(own.oracle_nn_distance, pairwise_distance(REFERENCE, GENERATED))
    corrected = "with its continuity correction"
    return [
        Reference("memorization-z", "12 generated, 9 held out", z, from_p_value, "scipy's `mannwhitneyu`, asymptotic"),
        Reference("memorization-z", corrected, lambda: z() + continuity, 0.17766726, COPYING),
        Reference("oracle-nn", "6 targets, 8 of training", oracle, least, NEIGHBOURS, ("sklearn",)),
    ]
