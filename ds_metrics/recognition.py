"""Measures of predictions against the training set, as torchmetrics metrics.

All are made with ``train``, the training clouds, and take ``update(preds, target)`` as those of
`ds_metrics.generation`: the target is the ground truth, which the network was not trained on. See
`ds_metrics.functional` for formulas, conventions and sources.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import Any, Literal

from torch import Tensor

from ds_metrics._accumulating import own_copy
from ds_metrics.arguments import check_integer
from ds_metrics.clouds import Clouds, PackedClouds, pack_clouds
from ds_metrics.functional.memorization import memorization_z_score, oracle_nn_distance
from ds_metrics.functional.recognition import Recognition, recognition_share
from ds_metrics.pairwise import Ranks
from ds_metrics.set_distances import SetDistances
from ds_metrics.sets import SetMetric


class _AgainstTraining(SetMetric):
    """A measure that takes the training set."""

    needs_train = True

    def __init__(self, train: Clouds, train_lengths: Tensor | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        packed = pack_clouds(train, train_lengths, "train")
        self.train_set = PackedClouds(*map(own_copy, packed))
        if len(self.train_set.lengths) == 0:
            raise ValueError("Argument `train` must hold at least one cloud, but got none")


class MemorizationZScore(_AgainstTraining):
    """Z_U: below 0 if generated shapes are nearer to the training set than held-out real ones are.

    See `ds_metrics.functional.memorization_z_score`. ``preds`` are the generated shapes, ``target`` the held-out ones.

    Args:
        train: Training clouds, ``(T, P, 3)`` or a sequence of ``(P_i, 3)``.
        train_lengths: Valid points of each, if they are padded.
        kwargs: Options of `SetMetric`.

    Example:
        >>> import torch
        >>> shapes = torch.arange(4.0).reshape(4, 1, 1).expand(4, 4, 3)
        >>> metric = MemorizationZScore(train=shapes)
        >>> metric.update(shapes[:2] + 0.01, shapes[:2] + 0.4)
        >>> metric.compute()
        tensor(-1.5492)
    """

    higher_is_better = None  # 0 is best: far above it, a model underfits
    plot_lower_bound = None  # type: ignore[assignment]
    to_train = ("generated", "reference")

    def measure(self, sets: SetDistances) -> Tensor:
        """The value for the sets."""
        return memorization_z_score(sets.to_train("generated"), sets.to_train("reference"))


class OracleNearestNeighbor(_AgainstTraining):
    """Mean distance of each ground truth shape to its nearest training shape: the best that recitation can do.

    See `ds_metrics.functional.oracle_nn_distance`. The predictions do not matter; beside their Chamfer distance it says
    whether they are better than recitation.

    Args:
        train: Training clouds, ``(T, P, 3)`` or a sequence of ``(P_i, 3)``.
        train_lengths: Valid points of each, if they are padded.
        kwargs: Options of `SetMetric`.

    Example:
        >>> import torch
        >>> shapes = torch.arange(4.0).reshape(4, 1, 1).expand(4, 4, 3)
        >>> metric = OracleNearestNeighbor(train=shapes[:3])
        >>> metric.update(shapes, shapes)
        >>> metric.compute()  # the last is 6 away: (0 + 0 + 0 + 6) / 4
        tensor(1.5000)
    """

    higher_is_better = None
    to_train = ("reference",)

    def measure(self, sets: SetDistances) -> Tensor:
        """The value for the sets."""
        return oracle_nn_distance(sets.to_train("reference"))


class RecognitionShare(_AgainstTraining):
    r"""How far predictions are training medoids recited: 1, or ground truth reconstructed: 0.

    .. math:: \frac{1}{N} \sum_i \frac{d(p_i, t_i)}{d(p_i, t_i) + \min_m d(p_i, m)}

    over predictions and their ground truth, paired, with the medoids of ``n_clusters`` clusters of the training shapes;
    see `ds_metrics.functional.recognition_share`. What was found for each sample by the last computation is on the
    attribute ``recognition``, and the clusters of the training set on ``clustering``.

    Args:
        train: Training clouds, ``(T, P, 3)`` or a sequence of ``(P_i, 3)``.
        train_lengths: Valid points of each, if they are padded.
        n_clusters: Clusters of the training shapes; or ``"knee"``, where their DS over k bends.
        seed: Seed of the clustering.
        kwargs: Options of `SetMetric`.

    Example:
        >>> import torch
        >>> train = torch.tensor([0.0, 0.1, 8.0, 8.1]).reshape(4, 1, 1).expand(4, 4, 3)
        >>> metric = RecognitionShare(train, n_clusters=2)
        >>> metric.update(train[[0, 0]] + 1, train[[0, 0]] + torch.tensor([1.0, 5.0]).reshape(2, 1, 1))
        >>> metric.compute()  # the first prediction is right, the second near the medoid at 0
        tensor(0.4706)
        >>> metric.recognition.recited
        tensor([False,  True])
    """

    higher_is_better = False
    plot_upper_bound = 1.0
    findings = ("recognition", "clustering")

    recognition: Recognition | None
    _unpaired: str | None

    def __init__(
        self,
        train: Clouds,
        train_lengths: Tensor | None = None,
        n_clusters: int | Literal["knee"] = "knee",
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(train, train_lengths, **kwargs)
        assert self.train_set is not None
        n_train = len(self.train_set.lengths)
        if n_train < 2:
            raise ValueError(f"Argument `train` must hold at least 2 clouds to be clustered, but got {n_train}")
        if n_clusters != "knee":
            n_clusters = check_integer("n_clusters", n_clusters, 1, n_train - 1)
        self.n_clusters = n_clusters
        self.seed = check_integer("seed", seed, 0, 2**64 - 1)
        self.recognition = None
        self.clustering: Any = None

    def compute(self) -> Tensor:
        """The share of all predictions."""
        if not self._is_synced:
            self._check_pairs(self._find_unpaired())
        return super().compute()

    def _checked(self, *args: Any, **kwargs: Any) -> tuple[PackedClouds, PackedClouds | None]:
        preds, target = super()._checked(*args, **kwargs)
        if target is not None and len(preds.lengths) != len(target.lengths):
            raise ValueError(
                f"Argument `target` must hold as many clouds as `preds`, {len(preds.lengths)}, each the truth of one, "
                f"but got {len(target.lengths)}"
            )
        return preds, target

    def _find_unpaired(self) -> str | None:
        """Which batch was none of pairs: another metric of a `MetricCollection` may have checked it instead."""
        sizes = ([len(part) for part in side] for side in (self.preds_lengths, self.target_lengths))
        for index, (n_preds, n_target) in enumerate(zip_longest(*sizes, fillvalue=0)):
            if n_preds != n_target:
                return f"update {index} added {n_preds} of `preds` and {n_target} of `target`"
        return None

    def _check_pairs(self, unpaired: str | None) -> None:
        if unpaired is not None:
            raise ValueError(f"RecognitionShare needs a cloud of `target` for each of `preds`, but {unpaired}")

    def _sync_dist(self, *args: Any, **kwargs: Any) -> None:
        self._unpaired = self._find_unpaired()  # of this rank; afterwards batches can't be told apart
        super()._sync_dist(*args, **kwargs)

    def _measure_on_ranks(self, sets: SetDistances, ranks: Ranks) -> Tensor:
        with ranks.deferring():
            self._check_pairs(self._unpaired)
        ranks.settle()
        return super()._measure_on_ranks(sets, ranks)

    def measure(self, sets: SetDistances) -> Tensor:
        """The value for the sets."""
        to_truth = sets.paired()
        self.clustering = sets.train_clusters(self.n_clusters, self.seed)
        self.recognition = recognition_share(to_truth, sets.to_medoids(self.clustering))
        return self.recognition.share

    def settings(self) -> dict[str, Any]:
        """What two values must share to be compared, the training set beside."""
        return {} if self.clustering is None else {"n_clusters": self.clustering.n_clusters, "seed": self.seed}
