r"""Generated shapes matched with a reference: MMD, COV and 1-NNA, of distance matrices.

Matrices are named by what they are between: ``d_gr`` of shape ``(G, R)`` holds the distance of each of ``G`` generated
samples (rows) to each of ``R`` reference samples (columns), ``d_gg`` and ``d_rr`` those within a set. Any distance will
do; `ds_metrics.pairwise.pairwise_distance` computes the Chamfer distance. None of the three values depends on the order
of the samples: what happens on ties is stated with each.

References:
    - P. Achlioptas, O. Diamanti, I. Mitliagkas, L. Guibas. Learning representations and generative models for 3D point
      clouds. ICML 2018. (MMD, COV)
    - D. Lopez-Paz, M. Oquab. Revisiting classifier two-sample tests. ICLR 2017. (1-NNA)
    - G. Yang, X. Huang, Z. Hao, M.-Y. Liu, S. Belongie, B. Hariharan. PointFlow: 3D point cloud generation with
      continuous normalizing flows. ICCV 2019, arXiv 1906.12320, section 5.1. (All three, as the field uses them.)
"""

from __future__ import annotations

import torch
from torch import Tensor

from ds_metrics.functional._matrices import (
    Matrix,
    as_score,
    blocks,
    check_distances,
    check_own_distances,
    check_sizes,
    mean,
)


def minimum_matching_distance(d_gr: Matrix) -> Tensor:
    r"""MMD: how near the reference samples have a generated one (PointFlow, equation 12).

    .. math:: \mathrm{MMD} = \frac{1}{R} \sum_{r} \min_{g} d(g, r)

    The mean goes over the **reference**, the minimum over the generated samples: bad generated samples that are nearest
    to nothing change nothing. Lower is better, 0 if each reference sample is among the generated ones.

    Args:
        d_gr: Distances of generated (rows) to reference samples (columns), ``(G, R)``.

    Returns:
        A scalar tensor, float32, in the units of the distance; for the Chamfer distance that is the sum of both means
        of squares, as PointFlow has it.

    Raises:
        TypeError: If distances are not floating point numbers.
        ValueError: If there are none, or one is negative or not finite.

    Example:
        >>> minimum_matching_distance(torch.tensor([[1.0, 4.0, 9.0], [3.0, 2.0, 8.0]]))  # (1 + 2 + 8) / 3
        tensor(3.6667)
    """
    return mean(check_distances(d_gr, "d_gr").amin(dim=0))


def coverage(d_gr: Matrix) -> Tensor:
    r"""COV: share of the reference samples that are the nearest one of some generated sample (PointFlow, equation 11).

    .. math:: \mathrm{COV} = \frac{1}{R} \left|\{\mathrm{argmin}_r d(g, r) : g\}\right|

    The nearest is sought from each **generated** sample among the reference. Higher is better, but it says nothing of
    quality, and with ``G`` samples it is at most ``G / R`` but for ties. On a tie each of the nearest counts, so that
    a perfect copy of a set with duplicates has COV 1; the published code takes the first, and so depends on the order.

    Args:
        d_gr: Distances of generated (rows) to reference samples (columns), ``(G, R)``.

    Returns:
        A scalar tensor, float32, in (0, 1].

    Raises:
        TypeError: If distances are not floating point numbers.
        ValueError: If there are none, or one is negative or not finite.

    Example:
        >>> coverage(torch.tensor([[1.0, 4.0, 9.0], [2.0, 3.0, 8.0]]))  # both are nearest to the first of three
        tensor(0.3333)
    """
    distances = check_distances(d_gr, "d_gr")
    covered = torch.zeros(distances.shape[1], dtype=torch.bool, device=distances.device)
    for rows in blocks(len(distances)):
        part = distances[rows]
        covered |= (part == part.amin(dim=1, keepdim=True)).any(dim=0)
    return mean(covered.float())


def one_nn_accuracy(d_gg: Matrix, d_gr: Matrix, d_rr: Matrix) -> Tensor:
    r"""1-NNA: leave-one-out accuracy of the nearest neighbour as a classifier of the two sets (PointFlow, equation 13).

    Each of the ``G + R`` samples is told by its nearest other sample to be generated or reference. Two sets of one
    distribution can't be told apart: **0.5 is best**, for sets of equal sizes, as the published ones are. 1: they lie
    apart. 0: each sample's nearest is of the other set, as where the reference was copied. On a tie the share of the
    sample's own set among the nearest counts, which is the expectation over random choices.

    Args:
        d_gg: Distances among generated samples, ``(G, G)``, with a zero diagonal.
        d_gr: Distances of generated (rows) to reference samples (columns), ``(G, R)``.
        d_rr: Distances among reference samples, ``(R, R)``, with a zero diagonal.

    Returns:
        A scalar tensor, float32, in [0, 1].

    Raises:
        TypeError: If distances are not floating point numbers.
        ValueError: If a matrix has no entries, another shape than the others ask for, is not symmetric where it must
            be, or holds a negative or not finite number.

    Example:
        >>> points = torch.tensor([0.0, 1.0, 5.0, 6.0])
        >>> d = (points[:, None] - points).abs()
        >>> one_nn_accuracy(d[:2, :2], d[:2, 2:], d[2:, 2:])  # {0, 1} and {5, 6}
        tensor(1.)
        >>> one_nn_accuracy(d[::2, ::2], d[::2, 1::2], d[1::2, 1::2])  # {0, 5} and {1, 6}
        tensor(0.)
    """
    gr = check_distances(d_gr, "d_gr")
    gg, rr = check_own_distances(d_gg, "d_gg"), check_own_distances(d_rr, "d_rr")
    check_sizes(gr, gg, rr)
    return mean(torch.cat([_own_share(gg, gr), _own_share(rr, gr.T)]))


def _own_share(own: Tensor, other: Tensor) -> Tensor:
    """Of each sample, the share of its own set among its nearest others."""
    shares = []
    for rows in blocks(len(own)):
        mine, theirs = own[rows].clone(), other[rows]
        mine[:, rows].fill_diagonal_(torch.inf)
        nearest = torch.minimum(mine.amin(dim=1), theirs.amin(dim=1))[:, None]
        hits, misses = (mine == nearest).sum(dim=1), (theirs == nearest).sum(dim=1)
        shares.append(as_score(hits) / (hits + misses))
    return torch.cat(shares)
