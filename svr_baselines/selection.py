"""Which metrics score a set of shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ds_metrics import EarthMoversDistance, MetricInfo, SetMetric, list_metrics
from ds_metrics.registry import find_metric
from ds_metrics.sampling import Choice, choose_estimator
from svr_baselines.data import ShapeSet
from svr_baselines.data.surfaces import has_surfaces

ALL = "all"
EXACT_TRANSPORT = 1024  # points up to which the earth mover's distance takes tenths of a second a pair, not seconds


@dataclass(frozen=True)
class Available:
    """What there is to compute metrics from.

    Attributes:
        targets: Whether there is a ground truth.
        train: Whether there are training shapes.
        surfaces: Of which of ``"preds"`` and ``"target"`` the meshes are there, with their normals.
        all_pairs: Whether ``"all"`` includes what takes the distances of all pairs.
        points: Points of the largest cloud.
    """

    targets: bool = False
    train: bool = False
    surfaces: frozenset[str] = frozenset({"preds", "target"})
    all_pairs: bool = True
    points: int = 0

    @classmethod
    def of(cls, sides: Mapping[str, ShapeSet], train: bool, estimator: Choice) -> Available:
        """What sets of shapes offer: ``"preds"`` and, if there is a ground truth, ``"target"``."""
        return cls(
            "target" in sides,
            train,
            frozenset(side for side, shapes in sides.items() if has_surfaces(shapes)),
            choose_estimator(estimator, len(sides["preds"].clouds)) == "exact",
            max(len(cloud) for shapes in sides.values() for cloud in shapes.clouds),
        )

    def lack(self, info: MetricInfo) -> str | None:
        """Why a metric can't be computed, if it can't."""
        if info.samples != "clouds":
            return f"compares {info.samples}, not clouds"
        if info.needs_target and not self.targets:
            return "compares predictions with targets, but no targets were given"
        if info.needs_train and not self.train:
            return "compares with training shapes, but no training set was given"
        sides = {"preds": "predictions", "target": "targets"}
        for side, _, what in (name.partition("_") for name in info.inputs):
            if side not in self.surfaces:
                return f"takes {what} of the {sides[side]}, which must be a folder of meshes for it"
        return None

    def too_much(self, info: MetricInfo) -> str | None:
        """Why ``"all"`` does not include a metric that could be computed, if it does not."""
        if not self.all_pairs and matrices_of(info):
            return "it takes all distances, which are not computed for so many shapes unless it is asked for by name"
        if self.points > EXACT_TRANSPORT and info.factory is EarthMoversDistance:
            return f"it takes seconds a pair of more than {EXACT_TRANSPORT:,} points unless it is asked for by name"
        return None


@dataclass(frozen=True)
class Selection:
    """Metrics to compute.

    Attributes:
        infos: What the registry knows of them, each once.
        named: Those that were asked for by name or alias.
        left_out: Those that ``"all"`` can't include, by name, with the reason; none where it was not asked for.
    """

    infos: tuple[MetricInfo, ...]
    named: frozenset[str] = frozenset()
    left_out: dict[str, str] = field(default_factory=dict)


def select_metrics(names: Sequence[str], available: Available) -> Selection:
    """Metrics by their names; by default those that apply. ``"all"`` is whatever can be computed.

    Args:
        names: Registered names, or ``"all"``.
        available: What there is to compute them from.

    Raises:
        ValueError: If a name is unknown, or a metric needs what is not there.

    Example:
        >>> [info.name for info in select_metrics([], Available(targets=True)).infos]
        ['dispersion-score', 'chamfer-distance', 'f-score']
        >>> select_metrics(["all"], Available()).left_out["chamfer-distance"]
        'compares predictions with targets, but no targets were given'
    """
    defaults = ("dispersion-score", "chamfer-distance", "f-score") if available.targets else ("dispersion-score",)
    named = {info.name: info for info in (find_metric(name) for name in names or defaults if name != ALL)}
    for info in named.values():
        if (reason := available.lack(info)) is not None:
            raise ValueError(f"metric {info.name!r} {reason}")
    infos: dict[str, MetricInfo] = {}
    left_out: dict[str, str] = {}
    for info in list_metrics() if ALL in names else ():
        reason = None if info.name in named else available.lack(info) or available.too_much(info)
        if reason is None:
            infos[info.name] = info
        else:
            left_out[info.name] = reason
    return Selection(tuple((infos | named).values()), frozenset(named), left_out)


def matrices_of(info: MetricInfo) -> tuple[str, ...]:
    """Matrices of distances that a metric asks for."""
    factory = info.factory
    return factory.matrices if isinstance(factory, type) and issubclass(factory, SetMetric) else ()
