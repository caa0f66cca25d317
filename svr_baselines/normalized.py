"""The Dispersion Score of predictions over that of their ground truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ds_metrics.clustering import Clustering, Interval
from svr_baselines.data import ShapeSet
from svr_baselines.intervals import Bounds, ratio_bounds

_SIZED = 1000  # shapes at most that tell the size of a set: those of large ones lie on disk


@dataclass(frozen=True)
class NormalizedScore:
    """How much of the dispersion of the ground truth the predictions have.

    1: as dispersed as the truth; 0: nothing but ``k`` shapes, recited; more than 1: noise, or shapes that are wrong in
    many ways.

    Attributes:
        score: The quotient, or ``None`` where there is none.
        reason: Why there is none.
        truth: What was found in the ground truth, at the same settings; ``None`` if it was not clustered.
        interval: Confidence interval of the quotient, if both scores have one; see `svr_baselines.intervals`.
    """

    score: float | None
    reason: str | None = None
    truth: Clustering | None = None
    interval: Bounds | None = None

    def to_json(self) -> dict[str, Any]:
        """What the result file says of it, the truth's own score included."""
        truth = self.truth
        return {
            "score": self.score,
            "reason": self.reason,
            "interval": interval_to_json(self.interval),
            "ground_truth": None
            if truth is None
            else {"score": truth.score, "interval": interval_to_json(truth.interval)},
        }


def interval_to_json(interval: Interval | Bounds | None) -> dict[str, Any] | None:
    """An interval as the result file has it."""
    return None if interval is None else asdict(interval)


def normalize_score(predictions: Clustering, truth: Clustering) -> NormalizedScore:
    """Divide the Dispersion Score of predictions by that of their ground truth, both at the same settings.

    Example:
        >>> from ds_metrics.clustering import kmedoids
        >>> recited, truth = [[0, 0, 9], [0, 0, 9], [9, 9, 0]], [[0, 2, 9], [2, 0, 9], [9, 9, 0]]
        >>> round(normalize_score(kmedoids(recited, 1), kmedoids(truth, 1)).score, 4)
        0.8182
        >>> normalize_score(kmedoids(truth, 1), kmedoids([[0, 0], [0, 0]], 1)).reason
        'the Dispersion Score of the ground truth is 0 at k = 1'
    """
    if truth.score == 0:
        reason = f"the Dispersion Score of the ground truth is 0 at k = {truth.n_clusters}"
        return NormalizedScore(None, reason, truth)
    interval = None
    if predictions.interval is not None and truth.interval is not None:
        interval = ratio_bounds(predictions.score, truth.score, (predictions.interval, truth.interval))
    return NormalizedScore(predictions.score / truth.score, None, truth, interval)


def unlike_points(predictions: ShapeSet, truth: ShapeSet) -> str | None:
    """Why the scores of the two sets don't compare: their clouds have different numbers of points.

    The fewer points a cloud has, the farther apart two samples of the same surface are.

    Example:
        >>> import numpy as np
        >>> ours = ShapeSet(("a", "b"), [np.zeros((5, 3))] * 2, ("points",) * 2)
        >>> theirs = ShapeSet(("a", "b"), [np.zeros((8, 3))] * 2, ("points",) * 2)
        >>> unlike_points(ours, theirs)
        'predictions have 5 points a cloud and the ground truth 8'
        >>> unlike_points(ours, ours)
    """
    ours, theirs = (sorted(len(cloud) for cloud in shapes.clouds) for shapes in (predictions, truth))
    if ours == theirs:
        return None
    advice = f"; --points {ours[0]} draws as many" if ours[0] == ours[-1] and set(truth.kinds) == {"mesh"} else ""
    return f"predictions have {_counts(ours)} points a cloud and the ground truth {_counts(theirs)}{advice}"


def unlike_frames(predictions: str, truth: str, sizes: Mapping[str, float]) -> str | None:
    """Why the scores of the two sets don't compare: they are normalised differently, and not of one size for all that.

    Args:
        predictions: How the predictions are normalised.
        truth: How the ground truth is.
        sizes: Of both, see `sizes_of`.

    Example:
        >>> unlike_frames("none", "unit-ball", {"predictions": 4.0, "targets": 1.0}).partition(";")[0]
        "predictions are normalised 'none', the ground truth 'unit-ball', and of another size"
        >>> unlike_frames("none", "unit-ball", {"predictions": 1.1, "targets": 1.0})
    """
    if predictions == truth or not differ_in_size(sizes):
        return None
    how = f"predictions are normalised {predictions!r}, the ground truth {truth!r}"
    return f"{how}, and of another size; --normalize unit-ball does both"


def sizes_of(predictions: ShapeSet, truth: ShapeSet) -> dict[str, float]:
    """Median size of the shapes of each set: the largest distance of a point from the mean of its cloud.

    Of more than 1,000 shapes, 1,000 or somewhat less are looked at, spread over the set.
    """
    some = range(0, len(truth), -(-len(truth) // _SIZED))
    sets = {"predictions": predictions, "targets": truth}
    return {side: float(np.median([_size(shapes.clouds[index]) for index in some])) for side, shapes in sets.items()}


def differ_in_size(sizes: Mapping[str, float]) -> bool:
    """Whether the shapes of one side are more than a quarter larger than those of the other."""
    small, large = sorted(sizes.values())
    return large > 1.25 * small


def _size(cloud: npt.NDArray[Any]) -> Any:
    wide = np.asarray(cloud, dtype=np.float64)
    return np.linalg.norm(wide - wide.mean(axis=0), axis=1).max()


def _counts(ascending: list[int]) -> str:
    if ascending[0] == ascending[-1]:
        return str(ascending[0])
    return f"{ascending[0]} to {ascending[-1]} ({sum(ascending) / len(ascending):.1f} on average)"
