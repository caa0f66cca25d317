r"""Recognition share: which predictions a few training shapes explain better than the ground truth does.

References:
    - Y. Zhou, Y. Shen, Y. Yan, C. Feng, Y. Yang. A dataset-dispersion perspective on reconstruction versus recognition
      in single-view 3D reconstruction networks. 3DV 2021. (Recognition as the recital of cluster centres; the share is
      this package's measure of it.)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ds_metrics.functional._matrices import Matrix, check_distances, mean


@dataclass(frozen=True, eq=False)
class Recognition:
    """What was recited and what reconstructed.

    Attributes:
        to_truth: Distance of each prediction to its ground truth, ``(N,)``.
        to_medoid: Distance of each prediction to the nearest training medoid, ``(N,)``.
        medoid: Which one that is, ``(N,)`` int64, as a column; the first of several at the same distance.
    """

    to_truth: Tensor
    to_medoid: Tensor
    medoid: Tensor

    @property
    def shares(self) -> Tensor:
        """Share of recognition in each prediction, ``(N,)``; 1: a medoid recited, 0: the truth reconstructed."""
        total = self.to_truth + self.to_medoid
        # Where both are 0 the truth is a medoid: nobody can tell, as where both are equally far.
        return torch.where(total > 0, self.to_truth / total.clamp_min(torch.finfo(total.dtype).tiny), 0.5)

    @property
    def recited(self) -> Tensor:
        """Whether each prediction is nearer to a training medoid than to its truth, ``(N,)`` bool."""
        return self.to_medoid < self.to_truth

    @property
    def share(self) -> Tensor:
        """Mean share of recognition, a scalar tensor."""
        return mean(self.shares)

    @property
    def proportion(self) -> Tensor:
        """Proportion of the predictions that are recited, a scalar tensor."""
        return mean(self.recited.float())


def recognition_share(to_truth: Matrix, to_medoids: Matrix) -> Recognition:
    r"""How far predictions are explained by the medoids of training clusters.

    .. math:: s_i = \frac{d(p_i, t_i)}{d(p_i, t_i) + \min_m d(p_i, m)} \in [0, 1]

    for each prediction :math:`p_i`, its ground truth :math:`t_i` and the medoids :math:`m` of the training shapes.
    1: a training medoid recited; 0: the truth reconstructed; a sample counts as recited above 1/2, where a medoid is
    nearer than the truth. A truth that lies on a medoid can't be recited by this count. The more medoids, the more is
    explained: values compare at equal medoids, and for the same distance, squared or not.

    Args:
        to_truth: Distance of each prediction to its own ground truth, ``(N,)``.
        to_medoids: Distances of predictions to training medoids, ``(N, k)``.

    Returns:
        The shares of all samples, and their mean.

    Raises:
        TypeError: If distances are not floating point numbers.
        ValueError: If there are none, numbers of samples differ, or a distance is negative or not finite.

    Example:
        >>> found = recognition_share(torch.tensor([3.0, 1.0]), torch.tensor([[9.0, 1.0], [4.0, 8.0]]))
        >>> found.shares, found.recited, found.medoid
        (tensor([0.7500, 0.2000]), tensor([ True, False]), tensor([1, 0]))
        >>> found.share, found.proportion
        (tensor(0.4750), tensor(0.5000))
    """
    own, medoids = check_distances(to_truth, "to_truth", ndim=1), check_distances(to_medoids, "to_medoids")
    if len(own) != len(medoids):
        raise ValueError(
            f"Arguments `to_truth` and `to_medoids` must be of the same predictions, but got {len(own)} and "
            f"{len(medoids)} rows"
        )
    distance, index = medoids.min(dim=1)
    return Recognition(own, distance, index)
