r"""How far a Dispersion Score can be trusted.

What is estimated is the *expected score*: the mean of :math:`\mathrm{DS}(N, k)` over sets of N samples drawn
independently from one population and solved by the same solver at the same k. By it two scores at equal N and k can be
compared. It isn't the score of infinitely many samples, which is higher: medoids are fitted to the samples.

Samples are resampled *without* replacement. Each of B parts leaves out d of the N samples and gets k medoids of its
own, found by FasterPAM from those of the whole. This is the delete-d jackknife, which stays right for medians, where
leaving out one sample does not (Shao & Wu 1989):

.. math:: \mathrm{SE}^2 = \frac{N - d}{d} \mathrm{Var}_b\, \mathrm{DS}_b(N - d, k), \qquad
          d = \min(N / 4, (N - k) / 3)

Resampling *with* replacement, the usual bootstrap, is not used. A resample has only 0.63 N different samples, which k
medoids fit better than they fit N: at k = N / 10 its scores lie 12 to 20 % too low, and the interval of their
percentiles misses the expected score most of the time. Their standard deviation about the score does well on shapes,
but from there on often covers only 58 to 86 % where tails are heavy or clusters unequal (``benchmarks/coverage.py``).

The ends lie evenly about the score in its logarithm: :math:`\mathrm{DS} \exp(\pm t\, \mathrm{SE} / \mathrm{DS})`, with
Student's t at the smaller of N and B, less one, degrees of freedom.

References:
    - J. Shao, C. F. J. Wu. A general theory for jackknife variance estimation. Annals of Statistics 17(3), 1989.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from ds_metrics._native import _core
from ds_metrics.arguments import check_integer
from ds_metrics.clustering.matrix import DistanceMatrix, as_matrix
from ds_metrics.clustering.result import Clustering, Interval
from ds_metrics.clustering.solvers import default_starts, solve

FEWEST_SAMPLES = 8
FEWEST_RESAMPLES, MOST_RESAMPLES = 50, 200
RESAMPLE_BUDGET = 2**29  # matrix entries that the resamples may read once
RESAMPLE_ROUNDS = 1  # of FasterPAM: more lower all scores alike, and leave their spread as it is
SOLVER_RUNS = 5


def confidence_interval(
    distances: Any,
    clustering: Clustering,
    level: float = 0.95,
    seed: int | None = None,
    n_resamples: int | None = None,
) -> Interval:
    """Compute a confidence interval of the Dispersion Score of N samples.

    It covers the expected score of N samples from the same population at the same k and solver: the error of
    drawing these samples and no others, and that of the solver's random starts. How often an interval of 95 % does was
    measured for N from 20 to 1,000 and k from 1 to N / 4 (``benchmarks/coverage.py``):

    - furniture under the Chamfer distance, built-in and real: 92 to 98 % for k of at least 2
    - heavy tails (Student's t with 3 degrees of freedom): 92 to 98 %
    - a uniform cube, Gaussian blobs: 96 to 100 % for k of at least 2; the error is given up to 1.5 times too large
    - k = 1 in many dimensions, where the best of N samples decides: 88 to 97 %
    - clusters very unequal in size and spread: 92 to 97 % up to k = N / 10, at k = N / 4 only 73 to 89 %

    With ``"alternate"`` it is 91 to 98 %; with complete linkage, whose own instability isn't in it, 86 to 96 %.

    It does *not* cover how k was chosen (it holds at this k, even where the knee gave it), points drawn on
    surfaces, the training of a network, or samples that are not independent, such as views of one shape. Two networks
    scored on the same test set have errors in common; their difference is more certain than the two intervals say.

    A score of 0, pure recall, has the interval from 0 to 0. That says that every sample is one of k, not that the
    population holds no others: up to 3 / N of it may be anything.

    Args:
        distances: ``(N, N)`` array or tensor of pairwise distances, see :func:`kmedoids`; N at least 8.
        clustering: of these samples, with at most N / 2 clusters; by any solver. The solvers of other
            libraries aren't run again, so for those ``solver_error`` is 0.
        level: how often such intervals cover the expected score, between 0 and 1.
        seed: of the resamples and of the solver's further starts; by default that of ``clustering``.
        n_resamples: parts to solve, at least 2. By default 50 to 200, the more the fewer samples there are.

    Returns:
        The interval, with the two standard errors it is made of. It depends on the seed, but not on the number of
        threads (torch's) or, as the score, on the order of samples.

    Raises:
        TypeError: if an argument has the wrong type.
        ValueError: if ``distances`` is not a distance matrix, ``clustering`` isn't one of it or has too many
            clusters, or another argument is out of its range.

    Example:
        >>> import numpy as np
        >>> from ds_metrics.clustering import kmedoids
        >>> points = np.random.default_rng(0).normal(size=(100, 1))
        >>> distances = np.abs(points - points.T)
        >>> found = kmedoids(distances, 2)
        >>> interval = confidence_interval(distances, found)
        >>> 0.8 * found.score < interval.low < found.score < interval.high < 1.25 * found.score
        True
    """
    level = check_level("level", level)
    matrix = as_matrix(distances)
    _check_clustering(matrix, clustering)
    seed = clustering.seed if seed is None else check_integer("seed", seed, 0, 2**64 - 1)
    if n_resamples is None:
        n_resamples = min(max(RESAMPLE_BUDGET // len(matrix) ** 2, FEWEST_RESAMPLES), MOST_RESAMPLES)
    n_resamples = check_integer("n_resamples", n_resamples, 2, 2**31 - 1)
    if clustering.inertia == 0:
        return Interval(0.0, 0.0, level, 0.0, 0.0, 0)
    # Streams that the clustering itself, whose seed this may be, has not drawn from.
    part_seed, *run_seeds = map(int, np.random.SeedSequence(seed).generate_state(1 + SOLVER_RUNS, np.uint64))
    standard_error = _sampling_error(matrix, clustering, part_seed, n_resamples)
    solver_error = _solver_error(matrix, clustering, run_seeds)
    spread = _t_quantile(level, min(len(matrix), n_resamples) - 1) * math.hypot(standard_error, solver_error)
    factor = math.exp(spread / clustering.score)
    low, high = clustering.score / factor, clustering.score * factor
    return Interval(low, high, level, standard_error, solver_error, n_resamples)


def _sampling_error(matrix: DistanceMatrix, clustering: Clustering, seed: int, n_resamples: int) -> float:
    size = len(matrix)
    left_out = min(size // 4, (size - clustering.n_clusters) // 3)
    scores = _core.kmedoids_resample(
        matrix.values,
        matrix.order,
        clustering.medoids,
        left_out,
        n_resamples,
        seed,
        RESAMPLE_ROUNDS,
        torch.get_num_threads(),
    )
    scale = _times_above_fasterpam(matrix, clustering)
    return float(scale * scores.std(ddof=1) * math.sqrt((size - left_out) / left_out))


def _times_above_fasterpam(matrix: DistanceMatrix, clustering: Clustering) -> float:
    """What another solver ends above FasterPAM, which solves the resamples: its score varies by as much more."""
    medoids = _core.kmedoids_refine(matrix.values, matrix.order, clustering.medoids, "fasterpam", RESAMPLE_ROUNDS)
    inertia = _core.kmedoids_assign(matrix.values, matrix.order, medoids)[1]
    return clustering.inertia / inertia if inertia > 0 else 1.0


def _solver_error(matrix: DistanceMatrix, clustering: Clustering, seeds: list[int]) -> float:
    """Standard deviation of the best of as many starts as the solver takes, each as good as one of a few new ones."""
    if clustering.solver not in ("fasterpam", "alternate"):
        return 0.0
    runs = [solve(matrix, clustering.n_clusters, clustering.solver, seed, 1).score for seed in seeds]
    # The best of n starts is the i-th smallest run, i = 0, 1, ..., if all n are at least that one and not all above it.
    at_least = np.linspace(1, 0, SOLVER_RUNS + 1) ** default_starts(clustering.solver, len(matrix))
    probability = at_least[:-1] - at_least[1:]
    best = np.sort(runs)
    variance = probability @ (best - probability @ best) ** 2
    return math.sqrt(variance * SOLVER_RUNS / (SOLVER_RUNS - 1))


def _t_quantile(level: float, freedom: int) -> float:
    from scipy.special import stdtrit  # only an interval needs it

    return float(stdtrit(freedom, (1 + level) / 2))


def check_level(name: str, value: Any) -> float:
    """Return a confidence level as a ``float``, or raise."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.floating):
        raise TypeError(f"Argument `{name}` must be a number, but got {value!r}")
    if not 0 < value < 1 or (1 + value) / 2 == 1:
        raise ValueError(f"Argument `{name}` must be between 0 and 1, but got {value}")
    return float(value)


def _check_clustering(matrix: DistanceMatrix, clustering: Any) -> None:
    if not isinstance(clustering, Clustering):
        raise TypeError(f"Argument `clustering` must be a Clustering, but got {type(clustering).__name__}")
    size = len(matrix)
    if clustering.n_samples != size:
        raise ValueError(
            f"Argument `clustering` must be of the {size} samples of `distances`, but is of {clustering.n_samples}"
        )
    if size < FEWEST_SAMPLES:
        raise ValueError(
            f"Argument `distances` must hold at least {FEWEST_SAMPLES} samples for an interval, but got {size}"
        )
    if 2 * clustering.n_clusters > size:
        raise ValueError(
            f"Argument `clustering` must have at most N / 2 = {size // 2} clusters for an interval, "
            f"but got {clustering.n_clusters}"
        )
    inertia = _core.kmedoids_assign(matrix.values, matrix.order, clustering.medoids)[1]
    if not math.isclose(inertia, clustering.inertia, rel_tol=1e-6):
        raise ValueError(
            f"Argument `clustering` must be of `distances`, whose inertia at its medoids is {inertia:g}, "
            f"but it says {clustering.inertia:g}"
        )
