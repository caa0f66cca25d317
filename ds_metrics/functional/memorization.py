r"""How near samples come to the training set: data copying, and the best that recitation can do.

References:
    - C. Meehan, K. Chaudhuri, S. Dasgupta. A non-parametric test to detect data-copying in generative models.
      AISTATS 2020, arXiv 2004.05675. (:math:`Z_U`, section 3)
    - S. Pu, B. Zeng, K. Zhou, M. Wang, Z. Liu. Memorization in 3D shape generation: An empirical study.
      arXiv 2512.23628. (:math:`Z_U` of 3D shapes, by Light Field Distance)
    - M. Tatarchenko, S. R. Richter, R. Ranftl, Z. Li, V. Koltun, T. Brox. What do single-view 3D reconstruction
      networks learn? CVPR 2019. (Oracle nearest neighbour)
"""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor

from ds_metrics.functional._matrices import Matrix, as_score, check_distances, mean


def memorization_z_score(generated_to_train: Matrix, held_out_to_train: Matrix) -> Tensor:
    r"""Z_U: whether generated samples are nearer to the training set than held-out real samples are.

    With :math:`L(x)` the distance of a sample to its nearest training sample, and :math:`U` the number of pairs of one
    of ``G`` generated and one of ``H`` held-out samples with :math:`L(g) > L(h)`, ties counting half:

    .. math:: Z_U = \frac{U - G H / 2}{\sqrt{G H (G + H + 1) / 12}}

    It is the z-score of Mann and Whitney's test. **Below 0: generated samples lie nearer, the training set is copied**;
    below -1.645 at 5 % significance. Above 0 they lie farther, as those of an underfitted model do. It grows with the
    root of the number of samples: compare at equal ``G`` and ``H``. It depends on the order of the distances alone.

    As in both papers the deviation is not corrected for ties. The published code subtracts a continuity correction of
    0.5 from the mean of U, which adds ``0.5 / deviation``: 0.0004 for 1000 samples each.

    Args:
        generated_to_train: Distances of generated to training samples, ``(G, T)``, or to the nearest alone, ``(G,)``.
        held_out_to_train: Distances of held-out samples, such as the ground truth of a test set, to the same training
            samples, ``(H, T)`` or ``(H,)``.

    Returns:
        A scalar tensor, float32.

    Raises:
        TypeError: If distances are not floating point numbers.
        ValueError: If there are none, or one is negative or not finite; if the training sets differ in size.

    Example:
        >>> import torch
        >>> memorization_z_score(torch.tensor([0.1, 0.2]), torch.tensor([0.3, 0.4]))  # U = 0: (0 - 2) / sqrt(5 / 3)
        tensor(-1.5492)
    """
    from scipy.stats import rankdata

    generated, held_out = (
        nearest_train(values, name)
        for values, name in ((generated_to_train, "generated_to_train"), (held_out_to_train, "held_out_to_train"))
    )
    if generated_to_train.ndim == 2 and held_out_to_train.ndim == 2:
        check_same_train(generated_to_train, held_out_to_train)
    g, h = len(generated), len(held_out)
    ranks = rankdata(np.concatenate([generated.cpu().numpy(), held_out.cpu().numpy()]))
    u = ranks[:g].sum() - g * (g + 1) / 2
    return as_score(float((u - g * h / 2) / math.sqrt(g * h * (g + h + 1) / 12)))


def oracle_nn_distance(held_out_to_train: Matrix) -> Tensor:
    r"""Mean distance of each target to its nearest training sample.

    .. math:: \frac{1}{H} \sum_h \min_t d(h, t)

    What a network scores that recites the best training shape for each test shape, which takes an oracle: a network
    with a larger Chamfer distance to its targets does worse than recitation could. Lower: the test set is nearer to the
    training set.

    Args:
        held_out_to_train: Distances of targets to training samples, ``(H, T)``, or to the nearest alone, ``(H,)``.

    Returns:
        A scalar tensor, float32, in the units of the distance.

    Raises:
        TypeError: If distances are not floating point numbers.
        ValueError: If there are none, or one is negative or not finite.

    Example:
        >>> import torch
        >>> oracle_nn_distance(torch.tensor([[3.0, 1.0], [2.0, 4.0]]))
        tensor(1.5000)
    """
    return mean(nearest_train(held_out_to_train, "held_out_to_train"))


def nearest_train(values: Matrix, name: str) -> Tensor:
    """Distance to the nearest training sample, ``(N,)``, of distances ``(N, T)`` or of such alone; checked."""
    if getattr(values, "ndim", 2) == 1:
        return check_distances(values, name, ndim=1)
    return check_distances(values, name).amin(dim=1)


def check_same_train(generated_to_train: Matrix, held_out_to_train: Matrix) -> None:
    """Refuse distances to different numbers of training samples."""
    sizes = generated_to_train.shape[1], held_out_to_train.shape[1]
    if sizes[0] != sizes[1]:
        raise ValueError(
            "Arguments `generated_to_train` and `held_out_to_train` must be distances to the same training samples, "
            f"but got {sizes[0]} and {sizes[1]}"
        )
