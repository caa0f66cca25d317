"""Dispersion Scores of several result files, side by side where they compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from svr_baselines.intervals import Bounds, difference_bounds
from svr_baselines.normalized import interval_to_json
from svr_baselines.results import Conditions, Result

_NAMES = {
    "n_samples": "N",
    "n_clusters": "k",
    "points": "points a cloud",
    "distance": "distance",
    "normalization": "normalisation",
    "solver": "solver",
    "estimator": "estimator",
}


@dataclass(frozen=True)
class Mismatch:
    """A condition in which a set differs from the first.

    Attributes:
        name: The set.
        condition: What differs, a field of `Conditions`.
        value: Its value.
        expected: That of the first set.
    """

    name: str
    condition: str
    value: Any
    expected: Any

    def __str__(self) -> str:
        return f"{_NAMES[self.condition]} {self.value} instead of {self.expected}"


@dataclass(frozen=True)
class Difference:
    """A score less that of the first file: absolute, as a share of that (unless it is 0), and with its interval."""

    absolute: float
    relative: float | None
    interval: Bounds | None


@dataclass(frozen=True)
class Comparison:
    """Results, their differences to the first of them, and why they should not be compared, if they should not."""

    results: tuple[Result, ...]
    differences: tuple[Difference, ...]
    mismatches: tuple[Mismatch, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything that the table shows."""
        rows = zip(self.results, self.differences, strict=True)
        return {
            "comparable": not self.mismatches,
            "mismatches": [asdict(mismatch) for mismatch in self.mismatches],
            "results": [
                {
                    "file": result.name,
                    "conditions": asdict(result.conditions),
                    "dispersion-score": result.dispersion,
                    "interval": interval_to_json(result.interval),
                    "difference": asdict(difference),
                    "normalized": result.normalized,
                    "normalized_interval": interval_to_json(result.normalized_interval),
                    "chamfer-distance": result.chamfer,
                }
                for result, difference in rows
            ],
        }


def compare(results: Sequence[Result], force: bool = False) -> Comparison:
    """Compare results with the first of them.

    Args:
        results: Two or more.
        force: Whether to compare even what does not compare.

    Raises:
        ValueError: If there are fewer than two, or, unless forced, they were computed under different conditions; the
            text has all that differs, for each file.
    """
    if len(results) < 2:
        raise ValueError(f"a comparison takes two results at least, but got {len(results)}")
    mismatches = find_mismatches({result.name: result.conditions for result in results})
    if mismatches and not force:
        raise ValueError(f"{describe(mismatches, results[0].name)}. {_advice(mismatches)}")
    return Comparison(tuple(results), tuple(_difference(result, results[0]) for result in results), mismatches)


def find_mismatches(conditions: dict[str, Conditions]) -> tuple[Mismatch, ...]:
    """In what the sets differ from the first of them."""
    first = next(iter(conditions.values()))
    return tuple(
        Mismatch(name, field.name, getattr(other, field.name), getattr(first, field.name))
        for name, other in conditions.items()
        for field in fields(Conditions)
        if getattr(other, field.name) != getattr(first, field.name)
    )


def describe(mismatches: Sequence[Mismatch], first: str) -> str:
    """All that differs, set by set."""
    reasons: dict[str, list[str]] = {}
    for mismatch in mismatches:
        reasons.setdefault(mismatch.name, []).append(str(mismatch))
    return f"not comparable with {first}: " + "; ".join(
        f"{name} ({', '.join(differing)})" for name, differing in reasons.items()
    )


def _advice(mismatches: Sequence[Mismatch]) -> str:
    force = "--force compares all the same"
    if any(mismatch.condition == "n_clusters" for mismatch in mismatches):
        return f"`ds eval --clusters K` gives all the same k; {force}"
    return force


def _difference(result: Result, first: Result) -> Difference:
    absolute = result.dispersion - first.dispersion
    interval = None
    if result is not first and result.interval is not None and first.interval is not None:
        interval = difference_bounds(result.dispersion, first.dispersion, (result.interval, first.interval))
    return Difference(absolute, absolute / first.dispersion if first.dispersion else None, interval)
