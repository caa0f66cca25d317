r"""Precision, recall, density and coverage (PRDC): which samples lie in the other set's manifold.

The manifold of a set is the union of balls about its samples, each as large as the distance to the ``nearest_k``-th
nearest *other* sample of the set. Matrices are named as in `ds_metrics.functional.matching`.

References:
    - T. Kynkäänniemi, T. Karras, S. Laine, J. Lehtinen, T. Aila. Improved precision and recall metric for assessing
      generative models. NeurIPS 2019, arXiv 1904.06991. (Precision and recall; they use k = 3.)
    - M. F. Naeem, S. J. Oh, Y. Uh, Y. Choi, J. Yoo. Reliable fidelity and diversity metrics for generative models.
      ICML 2020, arXiv 2002.09797. (Density and coverage; k = 5; the package ``prdc``.)
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ds_metrics.functional._matrices import Matrix, blocks, check_distances, check_own_distances, check_sizes, mean


class PRDC(NamedTuple):
    """Scalar tensors, float32.

    Attributes:
        precision: Share of the generated samples in the manifold of the reference.
        recall: Share of the reference samples in the manifold of the generated ones.
        density: In how many balls of the reference a generated sample lies, over ``nearest_k``; may exceed 1.
        coverage: Share of the reference samples whose ball holds a generated sample. Not the COV of PointFlow.
    """

    precision: Tensor
    recall: Tensor
    density: Tensor
    coverage: Tensor


def prdc(d_gg: Matrix, d_gr: Matrix, d_rr: Matrix, nearest_k: int = 5) -> PRDC:
    r"""Precision, recall, density and coverage of generated samples.

    With :math:`\rho(x)` the distance of a sample to the k-th nearest other one of its set:

    .. math::
        \text{precision} = \frac{1}{G} \sum_g 1[\exists r: d(g, r) < \rho(r)] \quad
        \text{recall} = \frac{1}{R} \sum_r 1[\exists g: d(g, r) < \rho(g)] \\
        \text{density} = \frac{1}{k G} \sum_{g, r} 1[d(g, r) < \rho(r)] \quad
        \text{coverage} = \frac{1}{R} \sum_r 1[\min_g d(g, r) < \rho(r)]

    A ball is open, as in the package ``prdc``: a sample on its edge is outside, and so is everything where duplicates
    leave no radius: a recited set has recall 0. Kynkäänniemi et al. count the edge in. Values compare at equal
    ``nearest_k`` and sizes of the sets. All but density depend on the order of the distances alone, so that squaring
    them changes nothing; nor does it change density.

    Args:
        d_gg: Distances among generated samples, ``(G, G)``, with a zero diagonal.
        d_gr: Distances of generated (rows) to reference samples (columns), ``(G, R)``.
        d_rr: Distances among reference samples, ``(R, R)``, with a zero diagonal.
        nearest_k: Neighbours that a ball reaches to; less than ``G`` and ``R``.

    Raises:
        TypeError: If distances are not floating point numbers.
        ValueError: If a matrix has no entries, another shape than the others ask for, is not symmetric where it must
            be, or holds a negative or not finite number; if ``nearest_k`` is out of its range.

    Example:
        >>> points = torch.tensor([0.0, 1.0, 2.0, 10.0, 0.5, 1.5, 20.0, 30.0])  # four references, four generated
        >>> d = (points[:, None] - points).abs()
        >>> prdc(d[4:, 4:], d[4:, :4], d[:4, :4], nearest_k=1)
        PRDC(precision=tensor(0.5000), recall=tensor(0.7500), density=tensor(1.), coverage=tensor(0.7500))
    """
    gr = check_distances(d_gr, "d_gr")
    gg, rr = check_own_distances(d_gg, "d_gg"), check_own_distances(d_rr, "d_rr")
    check_sizes(gr, gg, rr)
    check_nearest_k(nearest_k, min(gr.shape))
    radii_g, radii_r = _radii(gg, nearest_k), _radii(rr, nearest_k)
    balls = torch.cat([(gr[rows] < radii_r).sum(dim=1) for rows in blocks(len(gr))])  # of the reference, about each g
    recalled = torch.zeros(gr.shape[1], dtype=torch.bool, device=gr.device)
    for rows in blocks(len(gr)):
        recalled |= (gr[rows] < radii_g[rows, None]).any(dim=0)
    return PRDC(
        precision=mean((balls > 0).float()),
        recall=mean(recalled.float()),
        density=mean(balls.float() / nearest_k),
        coverage=mean((gr.amin(dim=0) < radii_r).float()),
    )


def check_nearest_k(nearest_k: int, n_samples: int | None = None) -> None:
    """Raise ``ValueError`` for a number of neighbours that a set of so many samples does not have."""
    if type(nearest_k) is not int or nearest_k < 1:
        raise ValueError(f"Argument `nearest_k` must be a positive integer, but got {nearest_k!r}")
    if n_samples is not None and nearest_k >= n_samples:
        raise ValueError(
            f"Argument `nearest_k` must be less than the {n_samples} samples of the smaller set, but got {nearest_k}"
        )


def _radii(own: Tensor, k: int) -> Tensor:
    """Distance of each sample to its k-th nearest other: the (k + 1)-th with the sample itself, at 0."""
    return torch.cat([own[rows].kthvalue(k + 1, dim=1).values for rows in blocks(len(own))])
