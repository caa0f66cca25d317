r"""Vendi score: the number of distinct samples that a set effectively holds.

References:
    - D. Friedman, A. B. Dieng. The Vendi score: A diversity evaluation metric for machine learning.
      TMLR 2023, arXiv 2210.02410.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ds_metrics.arguments import check_number
from ds_metrics.functional._matrices import (
    Matrix,
    as_floats,
    as_score,
    blocks,
    check_own_distances,
    check_symmetric,
)


def vendi_score(similarity: Matrix) -> Tensor:
    r"""Exponential of the entropy of the eigenvalues of a similarity matrix over its size (definition 3.1).

    .. math:: \mathrm{VS} = \exp\Big(-\sum_i \lambda_i \log \lambda_i\Big), \quad
              \lambda = \mathrm{eig}(K / N)

    1 if all samples are alike, ``N`` if each is unlike all others. Where ``K`` is not quite positive semi-definite, as
    a kernel of Chamfer distances may be, negative eigenvalues are dropped and the others scaled to sum to 1. Time grows
    with the cube of ``N``: 500 samples take a fraction of a second, 10,000 minutes and 2 GB.

    Args:
        similarity: Similarity of all samples, ``(N, N)``: symmetric, 1 on the diagonal, in [-1, 1]; such as
            `distance_similarity`. Scores compare at equal ``N`` and for one kernel, its scale included.

    Returns:
        A scalar tensor, float32, between 1 and ``N``.

    Raises:
        TypeError: If similarities are not floating point numbers.
        ValueError: If there are none, the matrix is not symmetric, its diagonal is not 1, or a number is not finite or
            out of range.

    Example:
        >>> vendi_score(torch.eye(4)), vendi_score(torch.ones(4, 4))
        (tensor(4.), tensor(1.))
        >>> two = torch.block_diag(torch.ones(2, 2), torch.ones(2, 2))
        >>> vendi_score(two)
        tensor(2.)
    """
    kernel = as_floats(similarity, "similarity")
    if kernel.ndim != 2 or len(kernel) == 0 or not (kernel.abs() <= 1 + 1e-5).all():
        raise ValueError(
            f"Argument `similarity` must be a matrix (N, N) of numbers from -1 to 1, but got shape "
            f"{tuple(kernel.shape)} or others"
        )
    check_symmetric(kernel, "similarity")
    if not ((kernel.diagonal() - 1).abs() <= 1e-5).all():
        raise ValueError("Argument `similarity` must be 1 on the diagonal: each sample is like itself")
    kernel = (kernel.cpu() if kernel.device.type == "mps" else kernel).double()
    eigenvalues = torch.linalg.eigvalsh((kernel + kernel.T) / 2).clamp_min(0)
    shares = eigenvalues / eigenvalues.sum()
    return as_score(torch.special.entr(shares).sum().exp())


def distance_similarity(distances: Matrix, scale: float) -> Tensor:
    r"""Similarity of samples from their distances, :math:`\exp(-d / s)`, for `vendi_score`.

    Of squared distances, as the Chamfer distance is by default, it falls off as a Gaussian.

    Args:
        distances: Distances among samples, ``(N, N)``, with a zero diagonal.
        scale: Distance at which similarity is 1 / e, such as `median_scale` of the ground truth's distances; one for
            all scores that are to be compared.

    Raises:
        TypeError: If distances are not floating point numbers.
        ValueError: If the matrix is not one of distances, or ``scale`` is not positive.

    Example:
        >>> distance_similarity(torch.tensor([[0.0, 2.0], [2.0, 0.0]]), scale=2.0)
        tensor([[1.0000, 0.3679],
                [0.3679, 1.0000]])
    """
    check_scale(scale)
    return torch.exp(-check_own_distances(distances, "distances") / scale)


def median_scale(distances: Matrix) -> float:
    """The median of the distances that are not 0, or 1 where all are: a scale for `distance_similarity`.

    Of an even number of distances it is the lower of the two in the middle.

    Example:
        >>> median_scale(torch.tensor([[0.0, 2.0, 5.0], [2.0, 0.0, 9.0], [5.0, 9.0, 0.0]]))
        5.0
    """
    matrix = check_own_distances(distances, "distances")
    positive = torch.cat([part[part > 0] for part in (matrix[rows] for rows in blocks(len(matrix)))])
    return float(positive.median()) if len(positive) else 1.0


def check_scale(scale: float) -> None:
    """Raise ``TypeError`` or ``ValueError`` for a scale that is not a positive number."""
    check_number("scale", scale, "a positive number", above=0)
