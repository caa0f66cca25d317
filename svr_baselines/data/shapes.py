"""A set of named point clouds, and the pairing of predictions with targets."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from svr_baselines.data.name_hints import hint_at_names

Kind = Literal["mesh", "points"]


@dataclass(frozen=True)
class BadShape:
    """A shape or image that was left out: its name, where it came from and what is wrong with it."""

    name: str
    path: str
    reason: str


def index_names(count: int) -> list[str]:
    """Names of the samples of an array: their indices, padded with zeros.

    Example:
        >>> index_names(2)
        ['0000', '0001']
    """
    digits = max(4, len(str(count - 1)))
    return [f"{i:0{digits}d}" for i in range(count)]


def describe_bad(what: str, source: str, bad: Sequence[BadShape], total: int, skip_bad: bool, shown: int = 3) -> str:
    """Tell in one line how many of a set's shapes, images, ... are bad, and what is wrong with the first few.

    Example:
        >>> describe_bad("images", "dogs", [BadShape("a", "a.png", "the file is empty")], total=1, skip_bad=False)
        'dogs: 1 of 1 images cannot be read: a.png: the file is empty.'
    """
    faults = "; ".join(f"{item.path}: {item.reason}" for item in bad[:shown])
    more = f"; and {len(bad) - shown} more" if len(bad) > shown else ""
    advice = "" if skip_bad or len(bad) == total else " Pass `skip_bad=True` (`--skip-bad`) to go on without them."
    return f"{source}: {len(bad)} of {total} {what} cannot be read: {faults}{more}.{advice}"


@dataclass(frozen=True, eq=False)
class ShapeSet:
    """Point clouds with their names, in the order of the names.

    Attributes:
        names: Path below the root without its suffix (`"chair/0007"`), or the index in an array (`"0007"`).
        clouds: One `(P_i, 3)` float32 array per name; float64 where the source holds float64 points.
        kinds: What each cloud came from: `"mesh"` (sampled) or `"points"` (read as it was).
        skipped: Shapes that were left out because they are bad.
        source: Where the set was read from.
        settings: How it was read: points a mesh, normalisation, seed.
    """

    names: tuple[str, ...]
    clouds: list[npt.NDArray[Any]]
    kinds: tuple[Kind, ...]
    skipped: tuple[BadShape, ...] = ()
    source: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not len(self.names) == len(self.clouds) == len(self.kinds):
            counts = f"{len(self.names)} names, {len(self.clouds)} clouds and {len(self.kinds)} kinds"
            raise ValueError(f"A shape set needs one name, cloud and kind per shape, but got {counts}.")
        if len(set(self.names)) != len(self.names):
            raise ValueError("A shape set needs a different name for each shape.")

    def __len__(self) -> int:
        return len(self.names)

    @property
    def categories(self) -> tuple[str, ...]:
        """Folder part of each name, `"chair"` for `"chair/0007"`; empty where there is none."""
        return tuple(name.rpartition("/")[0] for name in self.names)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 over names, shapes, dtypes and points; equal for equal content, wherever it lies."""
        digest = hashlib.sha256()
        for name, cloud in zip(self.names, self.clouds, strict=True):
            # Little-endian, so that every machine agrees.
            cloud = np.ascontiguousarray(cloud, dtype=cloud.dtype.newbyteorder("<"))
            digest.update(f"{name}\0{cloud.dtype.str}\0{cloud.shape}\0".encode("utf-8", "surrogateescape"))
            digest.update(cloud.data)
        return digest.hexdigest()


def pair_shapes(predictions: ShapeSet, targets: ShapeSet, common: bool = False) -> tuple[ShapeSet, ShapeSet]:
    """Align predictions and targets by name.

    A shape that was skipped as bad on one side is dropped on the other too, and recorded in its `skipped`.

    Args:
        predictions: Shapes a network produced.
        targets: The shapes it should have produced.
        common: Drop, and record likewise, what only one side has.

    Returns:
        Both sets with the same names in the same (the predictions') order.

    Raises:
        ValueError: If the names differ for any other reason, no pair is left, or both were drawn from meshes by the
            same random numbers.

    Example:
        >>> cloud = np.zeros((1, 3), dtype=np.float32)
        >>> ours = ShapeSet(("a", "b"), [cloud, cloud + 1], ("points",) * 2)
        >>> theirs = ShapeSet(("b", "a"), [cloud + 2, cloud], ("points",) * 2)
        >>> pair_shapes(ours, theirs)[1].names
        ('a', 'b')
    """
    if (stream := _stream(predictions)) is not None and stream == _stream(targets):
        raise ValueError(
            "Predictions and targets were drawn from meshes by the same random numbers, which brings their points "
            "together: read the targets by `read_shapes(..., side='target')`."
        )
    predictions, targets = _without_skipped(predictions, targets), _without_skipped(targets, predictions)
    only_predicted = sorted(set(predictions.names) - set(targets.names))
    only_targets = sorted(set(targets.names) - set(predictions.names))
    some = len(only_predicted) < len(predictions)
    if (only_predicted or only_targets) and not (common and some):
        advice = " Pass `common=True` (`--common`) to score what both have."
        raise ValueError(
            f"Predictions and targets must have the same names, but {_count(only_predicted)} without a target"
            f" (of {len(predictions)}) and {_count(only_targets)} without a prediction (of {len(targets)}). A name is"
            " the path below the folder without suffix, or the index in an array."
            f"{advice if some else hint_at_names(predictions.names, targets.names)}"
        )
    if not len(predictions):
        raise ValueError("No pair of prediction and target is left: each is bad on at least one side.")
    predictions = _without(predictions, {name: BadShape(name, name, "it has no target") for name in only_predicted})
    targets = _without(targets, {name: BadShape(name, name, "it has no prediction") for name in only_targets})
    position = {name: i for i, name in enumerate(targets.names)}
    return predictions, _take(targets, [position[name] for name in predictions.names], targets.skipped)


def _stream(shapes: ShapeSet) -> tuple[int, str] | None:
    """What decides the random numbers by which points were drawn from meshes, if it is known."""
    drawn = "mesh" in shapes.kinds and "side" in shapes.settings
    return (shapes.settings["seed"], shapes.settings["side"]) if drawn else None


def _without_skipped(shapes: ShapeSet, other: ShapeSet) -> ShapeSet:
    faults = {bad.name: BadShape(bad.name, bad.path, f"its counterpart is bad: {bad.reason}") for bad in other.skipped}
    return _without(shapes, faults)


def _without(shapes: ShapeSet, faults: Mapping[str, BadShape]) -> ShapeSet:
    keep = [i for i, name in enumerate(shapes.names) if name not in faults]
    dropped = tuple(faults[name] for name in shapes.names if name in faults)
    return _take(shapes, keep, shapes.skipped + dropped) if dropped else shapes


def _take(shapes: ShapeSet, indices: Sequence[int], skipped: tuple[BadShape, ...]) -> ShapeSet:
    return ShapeSet(
        names=tuple(shapes.names[i] for i in indices),
        clouds=[shapes.clouds[i] for i in indices],
        kinds=tuple(shapes.kinds[i] for i in indices),
        skipped=skipped,
        source=shapes.source,
        settings=shapes.settings,
    )


def _count(names: Sequence[str], shown: int = 3) -> str:
    if not names:
        return "0"
    return f"{len(names)} ({', '.join(names[:shown])}{', ...' if len(names) > shown else ''})"
