"""The measurements of `pairwise.py`, a function a section of its report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from engines import SCIPY, Engine, brute_force, native_engines, peers
from surfaces import select_clouds
from timing import exponent, median, take_turns

from ds_metrics._native import _core
from ds_metrics.functional import chamfer_distance
from ds_metrics.pairwise import pairwise_distance
from ds_metrics.pairwise.tiles import TilePlan

MATRIX = 200  # the size of the matrix that preparation is spread over
_TINY = np.finfo(np.float64).tiny  # equal clouds are 0 apart


def compare_peers(clouds: list[np.ndarray], repeats: int) -> dict[str, Any]:
    """All engines on all pairs among the clouds: ours, then the others, fastest first."""
    found, missing = peers()
    ours, others = native_engines(), [*found, brute_force()]
    rows = compare([*ours, *others], [clouds], repeats)
    rows[len(ours) :] = sorted(rows[len(ours) :], key=lambda row: row["ms_per_pair"])
    return {"pairs": len(_pairs(clouds)[0]), "rows": rows, "missing": [vars(peer) for peer in missing]}


def scale_points(drawn: list[np.ndarray], counts: Sequence[int], clouds: int, repeats: int) -> dict[str, Any]:
    """Time a pair over the points of a cloud."""
    engines = [*native_engines(), *(peer for peer in peers()[0] if peer.name == SCIPY)]
    rows = compare(engines, [select_clouds(drawn, clouds, points) for points in counts], repeats)
    series = {engine.name: [row["ms_per_pair"] for row in rows if row["name"] == engine.name] for engine in engines}
    return {"rows": rows, "exponents": {name: exponent(counts, ms) for name, ms in series.items()}}


def compare(engines: list[Engine], sets: list[list[np.ndarray]], repeats: int) -> list[dict[str, Any]]:
    """One row for each set of clouds and engine, which all take turns."""
    jobs = [(clouds, engine) for clouds in sets for engine in engines]
    prepared = [engine.prepare(clouds) for clouds, engine in jobs]
    preparing = take_turns({k: lambda c=c, e=e: e.prepare(c) for k, (c, e) in enumerate(jobs)}, repeats)
    searching = take_turns(
        {
            k: lambda c=c, e=e, p=p: e.chamfer(p, *_pairs(c))
            for k, ((c, e), p) in enumerate(zip(jobs, prepared, strict=True))
        },
        repeats,
    )
    reference, rows = brute_force(), []
    for k, (clouds, engine) in enumerate(jobs):
        if k % len(engines) == 0:
            exact = reference.chamfer(reference.prepare(clouds), *_pairs(clouds))
        error = np.abs(engine.chamfer(prepared[k], *_pairs(clouds)) - exact) / np.maximum(exact, _TINY)
        rows.append(_row(engine, clouds, preparing[k], searching[k]) | {"greatest_relative_error": float(error.max())})
    scipy = {row["points"]: row["ms_per_pair"] for row in rows if row["name"] == SCIPY}
    return [row | {"times_faster_than_scipy": scipy[row["points"]] / row["ms_per_pair"]} for row in rows]


def _row(engine: Engine, clouds: list[np.ndarray], preparing: list[float], searching: list[float]) -> dict[str, Any]:
    """Ours are charged with preparation, spread over the pairs of a matrix; the others are not."""
    per_cloud = median(preparing) / len(clouds)
    per_pair = [seconds / len(_pairs(clouds)[0]) for seconds in searching]
    charge = per_cloud * MATRIX / (MATRIX * (MATRIX - 1) / 2) if engine.ours else 0.0
    return {
        "name": engine.name,
        "points": len(clouds[0]),
        "ms_per_pair": 1e3 * (median(per_pair) + charge),
        "search_ms_per_pair": [1e3 * seconds for seconds in per_pair],
        "prepare_ms_per_cloud": 1e3 * per_cloud,
        "prepare_counted": engine.ours,
    }


def scale_samples(drawn: list[np.ndarray], counts: Sequence[int], points: int, repeats: int) -> dict[str, Any]:
    """Time of a whole matrix by the public function: checks, preparation and Python included."""
    counts = [count for count in counts if count <= len(drawn)]
    samples = {n: [torch.from_numpy(cloud) for cloud in select_clouds(drawn, n, points)] for n in counts}
    times = take_turns({n: lambda n=n: pairwise_distance(samples[n]) for n in counts}, repeats)
    rows = []
    for n in counts:
        seconds, pairs = median(times[n]), n * (n - 1) // 2
        rows.append({"samples": n, "seconds": seconds, "pairs": pairs, "pairs_per_second": pairs / seconds})
    return {"rows": rows, "exponent": exponent(counts, [row["seconds"] for row in rows])}


def scale_threads(clouds: list[np.ndarray], repeats: int, cores: int) -> dict[str, Any]:
    """Time of all pairs among the clouds over the number of threads, on the best instruction set."""
    i, j = _pairs(clouds)
    prepared = native_engines()[0].prepare(clouds)
    counts = sorted({*(2**k for k in range(cores.bit_length()) if 2**k <= cores), cores})
    times = take_turns(
        {n: lambda n=n: _core.chamfer_pairs(prepared, prepared, i, j, threads=n) for n in counts}, repeats
    )
    single = median(times[1])
    rows = [
        {"threads": n, "ms_per_pair": 1e3 * median(times[n]) / len(i), "speedup": single / median(times[n])}
        for n in counts
    ]
    return {"pairs": len(i), "rows": rows}


def compare_losses(clouds: list[np.ndarray], repeats: int) -> list[dict[str, Any]]:
    """Forward and backward of the Chamfer distance as a training loss, gradients in both arguments."""
    x, y = (torch.from_numpy(np.stack(half)) for half in (clouds[::2], clouds[1::2]))
    exact = _gradient(lambda p, q: _cdist_loss(p, q, "donot_use_mm_for_euclid_dist"), x.double(), y.double())
    losses = {
        "this package": lambda p, q: chamfer_distance(p, q).mean(),
        "torch.cdist": _cdist_loss,
        "torch.cdist exact mode": lambda p, q: _cdist_loss(p, q, "donot_use_mm_for_euclid_dist"),
    }
    times = take_turns({name: lambda f=f: _gradient(f, x, y) for name, f in losses.items()}, repeats)
    ours = median(times["this package"])
    rows = []
    for name, loss in losses.items():
        difference = (_gradient(loss, x, y).double() - exact).abs().max() / exact.abs().max()
        ms, slower = 1e3 * median(times[name]), median(times[name]) / ours
        rows.append({"name": name, "ms": ms, "times_ours": slower, "greatest_gradient_difference": float(difference)})
    return rows


def _cdist_loss(x: torch.Tensor, y: torch.Tensor, mode: str = "use_mm_for_euclid_dist_if_necessary") -> torch.Tensor:
    distances = torch.cdist(x, y, compute_mode=mode)
    to_y, to_x = distances.min(dim=2).values, distances.min(dim=1).values
    return (to_y.square().mean(dim=1) + to_x.square().mean(dim=1)).mean()


def _gradient(loss: Any, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    x, y = x.clone().requires_grad_(), y.clone().requires_grad_()
    return torch.cat(torch.autograd.grad(loss(x, y), (x, y)))


def _pairs(clouds: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """All pairs, in the order in which the engine computes those of a tile."""
    count = len(clouds)
    return next(TilePlan(count, count, count, symmetric=True).tiles()).pair_indices()
