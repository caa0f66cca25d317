"""Does a claim hold? Rank correlation between what was varied and what came of it, with an exact test."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Direction = Literal["rises", "falls"]

LEVEL = 0.05  # of the test
FLAT = 0.05  # largest share of its mean by which a score may vary that is to stay as it is

_EXACT = 100_000  # orders that are all tried; of more, as many are drawn
_ROUNDING = 1e-12


Runs = Mapping[str, Sequence[Sequence[float]]]  # of each network, for each seed, a score at each step


@dataclass(frozen=True)
class Verdict:
    """Whether a claim holds.

    Attributes:
        claim: What is claimed.
        holds: Whether it does; `None` if this experiment can't tell.
        sentence: Why, for people.
        rho: Spearman's rank correlation over the steps, of means over seeds; mean of the networks.
        p: Share of all orders of the steps, within each run, whose mean correlation is at least that of the runs.
        p_least: The least `p` that so many steps and runs can give.
        variation: Range over mean of the score that was to stay as it is, if one was.
        steps: Steps of each run.
        runs: Networks times seeds.
    """

    claim: str
    holds: bool | None
    sentence: str
    rho: float
    p: float
    p_least: float
    variation: float | None
    steps: int
    runs: int

    def to_json(self) -> dict[str, Any]:
        """As `results.json` has it."""
        return {
            "claim": self.claim,
            "holds": self.holds,
            "sentence": self.sentence,
            "rho": self.rho,
            "p": self.p,
            "n": self.steps,
            "runs": self.runs,
            "variation": self.variation,
        }


def judge(
    claim: str,
    varied: Runs,
    outcome: Runs,
    direction: Direction,
    *,
    names: tuple[str, str],
    flat: Mapping[str, Sequence[float]] | None = None,
    seed: int = 0,
) -> Verdict:
    r"""Test whether an outcome rises, or falls, with what was varied.

    $\rho$ is Spearman's rank correlation of the two over the steps, of means over the seeds, and the mean over the
    networks. The test takes each run, a network with a seed, by itself. If the two had nothing to do with each other,
    all orders of the steps of each run would be equally likely: p is the share of the orders whose mean correlation is
    as high as that of the runs or higher (or lower, where the outcome is to fall). Of 100,000 orders or less all are
    tried, of more as many are drawn. The claim holds if p is at most 0.05 and what was to stay as it is varies by at
    most 5 % of its mean; if it varies by more, or so few steps can't reach such a p, it is left undecided.

    Args:
        claim: What is claimed, for people.
        varied: Input score of each network, for each seed, at each step.
        outcome: Output score likewise.
        direction: What the claim says of the outcome: it `"rises"` or `"falls"`.
        names: What the two are called.
        flat: By its name, a score that is to stay as it is, at each step.
        seed: Seed of the orders that are drawn.

    Raises:
        ValueError: If the runs of the two differ, or have not two steps at least.

    Example:
        >>> steps = [1.0, 2.0, 3.0, 4.0, 5.0]
        >>> verdict = judge("it falls", {"a": [steps]}, {"a": [[9, 7, 5, 3, 1]]}, "falls", names=("x", "y"))
        >>> verdict.holds, verdict.rho, round(verdict.p * 120)
        (True, -1.0, 1)
    """
    x, y = _ranks(varied, outcome)
    sign = 1.0 if direction == "rises" else -1.0
    p = _p_value(x, y, sign, seed)
    rho = float(np.mean([_of_means(varied[network], outcome[network]) for network in varied]))
    least = math.prod(1 / math.factorial(len(a)) for a in x)
    variation = None if flat is None else max(_variation(values) for values in flat.values())
    steps, runs = max(len(a) for a in x), len(x)
    holds = _decide(sign * rho, p, least, variation)
    sentence = _say(names, direction, holds, rho, p, least, steps, runs, variation, "".join(flat or {}))
    return Verdict(claim, holds, sentence, rho, p, least, variation, steps, runs)


def _ranks(varied: Runs, outcome: Runs) -> tuple[list[npt.NDArray[np.float64]], list[npt.NDArray[np.float64]]]:
    from scipy.stats import rankdata

    if {name: len(runs) for name, runs in varied.items()} != {name: len(runs) for name, runs in outcome.items()}:
        raise ValueError(f"Arguments `varied` and `outcome` must be of the same runs, but got {varied} and {outcome}.")
    if not any(varied.values()):
        raise ValueError("Arguments `varied` and `outcome` must be of one run at least, but are empty.")
    x, y = [], []
    for network, runs in varied.items():
        for values, others in zip(runs, outcome[network], strict=True):
            if len(values) != len(others) or len(values) < 2:
                raise ValueError(f"Runs must have as many steps of both, two at least, but got {values} and {others}.")
            if not (np.isfinite(values).all() and np.isfinite(others).all()):
                raise ValueError(f"Runs must have finite scores, but got {values} and {others}.")
            x.append(rankdata(values))
            y.append(rankdata(others))
    return x, y


def _of_means(varied: Sequence[Sequence[float]], outcome: Sequence[Sequence[float]]) -> float:
    from scipy.stats import rankdata

    return _correlation(rankdata(np.mean(varied, axis=0)), rankdata(np.mean(outcome, axis=0)))


def _correlation(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> float:
    """Pearson's correlation of ranks; 0 where one of the two is constant."""
    a, b = x - x.mean(), y - y.mean()
    scale = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / scale if scale > 0 else 0.0


def _p_value(
    x: Sequence[npt.NDArray[np.float64]], y: Sequence[npt.NDArray[np.float64]], sign: float, seed: int
) -> float:
    rho = float(np.mean([_correlation(a, b) for a, b in zip(x, y, strict=True)]))
    if math.prod(math.factorial(len(a)) for a in x) <= _EXACT:
        parts = [
            np.array([_correlation(a[list(order)], b) for order in itertools.permutations(range(len(a)))])
            for a, b in zip(x, y, strict=True)
        ]
        sums = parts[0]
        for part in parts[1:]:
            sums = np.add.outer(sums, part).ravel()
        return float(np.mean(sign * sums / len(x) >= sign * rho - _ROUNDING))
    rng = np.random.default_rng(seed)
    sums = np.zeros(_EXACT)
    for a, b in zip(x, y, strict=True):
        orders = rng.permuted(np.broadcast_to(a, (_EXACT, len(a))), axis=1)
        centred = b - b.mean()
        scale = math.sqrt(float((a - a.mean()) @ (a - a.mean())) * float(centred @ centred))
        sums += (orders - a.mean()) @ centred / scale if scale > 0 else 0.0
    # The order that was met is one of them.
    return float((np.sum(sign * sums / len(x) >= sign * rho - _ROUNDING) + 1) / (_EXACT + 1))


def _variation(values: Sequence[float]) -> float:
    mean = float(np.mean(values))
    spread = float(np.ptp(values))
    return spread / mean if mean > 0 else (0.0 if spread == 0 else math.inf)


def _decide(agreement: float, p: float, least: float, variation: float | None) -> bool | None:
    if variation is not None and variation > FLAT:
        return None
    if p <= LEVEL:
        return True
    return None if least > LEVEL and agreement > 0 else False


def _say(
    names: tuple[str, str],
    direction: Direction,
    holds: bool | None,
    rho: float,
    p: float,
    least: float,
    steps: int,
    runs: int,
    variation: float | None,
    flat: str,
) -> str:
    opening = {True: "Holds", False: "Does not hold", None: "Undecided"}[holds]
    of = f"{steps} steps" if runs == 1 else f"{steps} steps of {runs} runs"
    text = f"{opening}: {names[1]} {'rises' if rho > 0 else 'falls' if rho < 0 else 'does not change'} with {names[0]}"
    text += f" (Spearman's rho {rho:+.2f} over {of}, p = {p:.2g})"
    if variation is not None:
        text += f"; {flat} varies by {variation:.1%} of its mean"
        if variation > FLAT:
            text += f", more than the {FLAT:.0%} at which this would be a test"
    if holds is None and least > LEVEL:
        text += f"; so few steps and runs can't give a p below {least:.2g}"
    if holds is False and (rho > 0) == (direction == "rises") and rho != 0:
        text += ", which chance alone gives too often"
    return text + "."
