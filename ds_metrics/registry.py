"""Metrics by name. Other packages join through the entry-point group ``ds_metrics.metrics``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from torchmetrics import Metric

from ds_metrics._plugins import describe_plugin, did_you_mean, first_line

ENTRY_POINT_GROUP = "ds_metrics.metrics"
FURTHER_INPUTS = ("preds_normals", "target_normals", "preds_meshes", "target_meshes")


@dataclass(frozen=True)
class MetricInfo:
    """What the registry knows of a metric.

    Attributes:
        name: Name it is created by.
        factory: Makes the metric from its options; usually the class.
        description: One line on what it measures.
        needs_target: Whether ``update`` takes ``(preds, target)`` rather than ``preds`` alone.
        aliases: Other names it answers to.
        provider: Distribution that brings it.
        needs_train: Whether ``factory`` takes the training clouds, as ``train``.
        inputs: What ``update`` takes by keyword beside the clouds, of `FURTHER_INPUTS`.
        samples: What it is a metric of: ``"clouds"``, or what else ``factory.samples`` says.
    """

    name: str
    factory: Callable[..., Metric]
    description: str
    needs_target: bool
    aliases: tuple[str, ...] = ()
    provider: str = "dispersion-score"
    needs_train: bool = False
    inputs: tuple[str, ...] = ()
    samples: str = "clouds"


_registered: dict[str, MetricInfo] = {}


def register_metric(
    name: str,
    factory: Callable[..., Metric],
    *,
    description: str | None = None,
    needs_target: bool | None = None,
    aliases: tuple[str, ...] = (),
    provider: str = "local",
) -> MetricInfo:
    """Make a metric known by name in this process.

    Args:
        name: Name to create it by.
        factory: Makes the metric from its options; usually the class.
        description: One line on what it measures; by default the first line of the docstring.
        needs_target: Whether ``update`` needs a target; by default read off its signature.
        aliases: Other names.
        provider: Who brings it.

    Raises:
        TypeError: If ``factory`` can't be called.
        ValueError: If a name is taken.

    Example:
        >>> import torchmetrics
        >>> info = register_metric("batch-mean", torchmetrics.MeanMetric, needs_target=False)
        >>> create_metric("batch-mean")
        MeanMetric()
    """
    if not callable(factory):
        raise TypeError(f"Argument `factory` must be callable, but got {type(factory).__name__}")
    found = _make_info(name, factory, description if description is not None else first_line(factory), provider)
    info = replace(found, needs_target=found.needs_target if needs_target is None else needs_target, aliases=aliases)
    known = {label for other in _registered.values() for label in (other.name, *other.aliases)}
    if taken := sorted(known & {name, *aliases}):
        raise ValueError(f"Argument `name` must be new, but {taken[0]!r} is registered already")
    _registered[name] = info
    return info


def create_metric(name: str, **options: Any) -> Metric:
    """Make a metric by its name or alias.

    Raises:
        ValueError: If no metric has that name; the message lists those that come near.
        TypeError: If the metric has no such option.

    Example:
        >>> create_metric("ds", n_clusters=2).n_clusters
        2
    """
    return find_metric(name).factory(**options)


def find_metric(name: str) -> MetricInfo:
    """What is registered under a name or alias.

    Raises:
        ValueError: If nothing is.
    """
    labels = {label: info for info in list_metrics() for label in (info.name, *info.aliases)}
    if name in labels:
        return labels[name]
    hint = did_you_mean(name, labels) or f"there are {sorted(labels)}"
    raise ValueError(f"Argument `name` must be a registered metric, but got {name!r}; {hint}")


def list_metrics() -> list[MetricInfo]:
    """All metrics, those of this package first, then by name.

    Example:
        >>> [info.name for info in list_metrics()][:3]
        ['dispersion-score', 'chamfer-distance', 'f-score']
    """
    own = [info for info in _registered.values() if info.provider == "dispersion-score"]
    others = [info for info in _registered.values() if info.provider != "dispersion-score"]
    taken = {label for info in _registered.values() for label in (info.name, *info.aliases)}
    others += [info for info in _plugins() if info.name not in taken]
    return own + sorted(others, key=lambda info: info.name)


@cache
def _plugins() -> tuple[MetricInfo, ...]:
    """Metrics that installed packages offer."""
    entries = sorted(entry_points(group=ENTRY_POINT_GROUP))
    return tuple(describe_plugin(entry, MetricInfo, "metric", _make_info) for entry in entries)


def _make_info(name: str, factory: Callable[..., Metric], description: str, provider: str) -> MetricInfo:
    update = getattr(factory, "update", None)
    parameters: Mapping[str, inspect.Parameter] = inspect.signature(update).parameters if update else {}
    target = parameters.get("target")
    inputs = tuple(name for name in FURTHER_INPUTS if name in parameters)
    return MetricInfo(
        name,
        factory,
        description,
        needs_target=(target is not None and target.default is inspect.Parameter.empty)
        or any(name.startswith("target_") for name in inputs),
        provider=provider,
        needs_train=getattr(factory, "needs_train", False),
        inputs=inputs,
        samples=getattr(factory, "samples", "clouds"),
    )
