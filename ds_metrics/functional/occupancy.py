r"""Jensen-Shannon divergence between the places that two sets of clouds occupy.

References:
    - P. Achlioptas, O. Diamanti, I. Mitliagkas, L. Guibas. Learning representations and generative models for 3D point
      clouds. ICML 2018, section 3. (PointFlow's code has it from there.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ds_metrics.arguments import check_number
from ds_metrics.clouds import Clouds, PackedClouds, pack_clouds
from ds_metrics.functional._matrices import as_score

_POINTS = 2**20  # at a time
_FARTHEST = 1e9  # radii: beyond, the direction alone says which cell is nearest


def occupancy_divergence(generated: Clouds, reference: Clouds, resolution: int = 28, radius: float = 1.0) -> Tensor:
    r"""JSD between the distributions of all points of two sets of clouds over the cells of a grid.

    .. math:: \mathrm{JSD}(P, Q) = H\Big(\frac{P + Q}{2}\Big) - \frac{H(P) + H(Q)}{2}

    with entropies in bits, so that it is 0 for equal distributions and 1 for disjoint ones. It is symmetric, and
    compares where the sets lie on the whole: sets of unlike shapes that fill the same space have 0.

    The grid has ``resolution`` cells along each axis, whose centres run from ``-radius`` to ``radius``; those whose
    centre is outside the ball of that radius are left out, and each point counts for the cell with the nearest centre,
    points outside the ball included (half-way between two centres, the even one).

    Args:
        generated: Generated clouds, ``(G, P, 3)`` or a sequence of ``(P_i, 3)``.
        reference: Reference clouds, likewise.
        resolution: Cells along each axis; 28 in the paper.
        radius: Of the ball that the shapes lie in. The published code takes 0.5, for shapes of diameter 1; the default
            is for the unit ball of this package. JSD is the same for shapes and radius scaled together.

    Returns:
        A scalar tensor, float32, in [0, 1].

    Raises:
        TypeError: If points are not floating point numbers.
        ValueError: If a set or a cloud is empty or not finite, an option is out of range, or most points of the
            reference lie outside the ball, as where ``radius`` is not theirs.

    Example:
        >>> left, right = torch.tensor([[[-0.5, 0, 0]]]), torch.tensor([[[0.5, 0, 0]]])
        >>> occupancy_divergence(left, right), occupancy_divergence(left, left)
        (tensor(1.), tensor(0.))
        >>> occupancy_divergence(left, torch.cat([left, right]))  # H(3/4, 1/4) - H(1/2, 1/2) / 2
        tensor(0.3113)
    """
    check_grid(resolution, radius)
    sets = {
        "generated": pack_clouds(generated, name="generated"),
        "reference": pack_clouds(reference, name="reference"),
    }
    for name, clouds in sets.items():
        if len(clouds.lengths) == 0:
            raise ValueError(f"Argument `{name}` must hold at least one cloud, but got none")
    outside = (sets["reference"].points.norm(dim=1) > radius).double().mean()
    if outside > 0.5:
        raise ValueError(
            f"Argument `radius` must be that of the ball the shapes lie in, but {float(outside):.0%} of the points of "
            f"`reference` lie outside {radius}"
        )
    p, q = (_occupancy(clouds, resolution, radius) for clouds in sets.values())
    return as_score(max(0.0, _entropy((p + q) / 2) - (_entropy(p) + _entropy(q)) / 2))


def check_grid(resolution: int, radius: float) -> None:
    """Raise ``TypeError`` or ``ValueError`` for a grid that can't be."""
    if type(resolution) is not int or not 3 <= resolution <= 512:
        raise ValueError(f"Argument `resolution` must be an integer from 3 to 512, but got {resolution!r}")
    check_number("radius", radius, "a positive number", above=0)


def _occupancy(clouds: PackedClouds, resolution: int, radius: float) -> NDArray[np.float64]:
    """Share of the points in each cell of the cube, those outside the ball empty, ``(resolution ** 3,)``."""
    counts = np.zeros(resolution**3)
    inside = _in_ball(np.indices((resolution,) * 3).reshape(3, -1).T, resolution)
    tree: Any = None
    for part in torch.split(clouds.points.detach(), _POINTS):
        places = part.cpu().double().numpy() / radius
        places /= np.maximum(np.abs(places).max(axis=1, keepdims=True) / _FARTHEST, 1)  # whose squares don't overflow
        places = (places + 1) * ((resolution - 1) / 2)  # in cells; centres at integers
        cells = np.clip(np.rint(places), 0, resolution - 1).astype(np.int64)
        cells = np.ravel_multi_index(tuple(cells.T), (resolution,) * 3)
        if (far := ~inside[cells]).any():
            tree = tree or _tree(inside, resolution)
            cells[far] = np.flatnonzero(inside)[tree.query(places[far])[1]]
        counts += np.bincount(cells, minlength=len(counts))
    shares: NDArray[np.float64] = counts / counts.sum()
    return shares


def _in_ball(cells: NDArray[np.int64], resolution: int) -> NDArray[np.bool_]:
    """Whether the centre of each cell lies in the ball: in integers, where no rounding decides."""
    inside: NDArray[np.bool_] = ((2 * cells - (resolution - 1)) ** 2).sum(axis=1) <= (resolution - 1) ** 2
    return inside


def _tree(inside: NDArray[np.bool_], resolution: int) -> Any:
    from scipy.spatial import cKDTree

    return cKDTree(np.argwhere(inside.reshape((resolution,) * 3)))


def _entropy(shares: NDArray[np.float64]) -> float:
    """In bits."""
    positive = shares[shares > 0]
    return float(-(positive * np.log2(positive)).sum())
