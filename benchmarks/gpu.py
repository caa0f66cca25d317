"""How fast the GPU backends are, against Kaolin's kernel, plain torch and the C++ core on the CPU.

python benchmarks/gpu.py                  # all pairs of 200 clouds, and training losses of batches of 8 and 64
python benchmarks/gpu.py --json gpu.json

Without a GPU, to see that everything runs (the times mean nothing):
TRITON_INTERPRET=1 python benchmarks/gpu.py --device cpu --clouds 4 --points 64 --batches 2
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ds_metrics._files import atomic_write
from ds_metrics.functional import chamfer_distance
from ds_metrics.pairwise import pairwise_distance, resolve_backend
from ds_metrics.pairwise.backends import import_quietly, lack

GPU_BACKENDS = ("triton", "kaolin", "torch")


def main() -> int:
    options = parse()
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print("No CUDA or ROCm GPU was found by torch: nothing to measure.", file=sys.stderr)
        return 2
    report = {
        "settings": vars(options) | {"json": None},
        "machine": machine(device),
        "pairs": all_pairs(options, device),
        "loss": [loss(batch, options, device) for batch in options.batches],
    }
    show(report)
    if options.json:
        with atomic_write(options.json) as temporary:
            temporary.write_text(json.dumps(report, indent=2) + "\n")
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="device to measure on (cuda)")
    parser.add_argument("--clouds", type=int, default=200, help="clouds, of which all pairs are compared (200)")
    parser.add_argument("--points", type=int, default=2500, help="points of each cloud (2500)")
    parser.add_argument("--batches", type=int, nargs="+", default=[8, 64], help="batch sizes of the loss (8 64)")
    parser.add_argument("--repeats", type=int, default=5, help="timed runs, of which the median counts (5)")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    return parser.parse_args()


def all_pairs(options: argparse.Namespace, device: torch.device) -> list[dict[str, Any]]:
    """Each backend on the matrix of all pairs; the C++ core gives the values to compare with."""
    clouds = surfaces(options.clouds, options.points)
    n_pairs = options.clouds * (options.clouds - 1) // 2
    expected = pairwise_distance(clouds, backend="native")
    off_diagonal = ~torch.eye(len(clouds), dtype=torch.bool)

    rows = []
    backends = [name for name in GPU_BACKENDS if lack(name, device) is None]
    for name, points in [*((name, clouds.to(device)) for name in backends), ("native", clouds)]:
        matrix = None

        def run(name: str = name, points: Tensor = points) -> None:
            nonlocal matrix
            matrix = pairwise_distance(points, backend=name)

        row = {"backend": name, "device": points.device.type, **measure(run, points.device, options.repeats)}
        if "seconds" in row:
            row["pairs_per_second"] = n_pairs / row["seconds"]
            row["largest_relative_difference"] = float((matrix.cpu() / expected - 1)[off_diagonal].abs().max())
        rows.append(row)
    return rows


def loss(batch: int, options: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    """Forward and backward of the Chamfer distance of a batch, as in a training step."""
    preds = surfaces(batch, options.points, seed=1).to(device).requires_grad_()
    target = surfaces(batch, options.points, seed=2).to(device)
    ways: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        f"chamfer_distance ({resolve_backend('auto', device)})": chamfer_distance,
        "torch.cdist": chamfer_by_cdist,
    }
    if lack("kaolin", device) is None:
        ways["kaolin"] = import_quietly("kaolin.metrics.pointcloud").chamfer_distance
    times = {}
    for name, distance in ways.items():

        def step(distance: Callable[[Tensor, Tensor], Tensor] = distance) -> None:
            preds.grad = None
            distance(preds, target).mean().backward()

        times[name] = measure(step, device, options.repeats)
    return {"batch": batch, "ways": times}


def chamfer_by_cdist(p: Tensor, q: Tensor) -> Tensor:
    """What is mostly written where there is no kernel."""
    distances = torch.cdist(p, q)
    return distances.amin(dim=2).square().mean(dim=1) + distances.amin(dim=1).square().mean(dim=1)


def measure(run: Callable[[], None], device: torch.device, repeats: int) -> dict[str, Any]:
    """Median seconds of `run` after one run to warm up (and compile), and the GPU memory it needs beyond its input."""
    on_gpu = device.type == "cuda"
    wait = torch.cuda.synchronize if on_gpu else lambda: None
    try:
        held = torch.cuda.memory_allocated() if on_gpu else 0
        if on_gpu:
            torch.cuda.reset_peak_memory_stats()
        run()
        times = []
        for _ in range(repeats):
            wait()
            start = time.perf_counter()
            run()
            wait()
            times.append(time.perf_counter() - start)
    except torch.OutOfMemoryError:
        return {"failed": "out of memory"}
    result: dict[str, Any] = {"seconds": statistics.median(times)}
    if on_gpu:
        result["peak_mb"] = (torch.cuda.max_memory_allocated() - held) / 2**20
    return result


def surfaces(n: int, points: int, seed: int = 0) -> Tensor:
    """Points on the surfaces of ellipsoids of random proportions."""
    generator = torch.Generator().manual_seed(seed)
    directions = torch.nn.functional.normalize(torch.randn(n, points, 3, generator=generator), dim=2)
    return directions * (0.2 + 0.8 * torch.rand(n, 1, 3, generator=generator))


def machine(device: torch.device) -> dict[str, Any]:
    versions = {}
    for name in ("dispersion-score", "torch", "triton", "kaolin"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = None
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    cpu = {"cpu": platform.machine(), "cpu_threads": torch.get_num_threads()}
    return {"gpu": gpu, **cpu, "python": platform.python_version(), "cuda": torch.version.cuda, "versions": versions}


def show(report: dict[str, Any]) -> None:
    print(", ".join(f"{key} {value}" for key, value in report["machine"].items() if key != "versions"))
    print(", ".join(f"{name} {number or '(none)'}" for name, number in report["machine"]["versions"].items()))
    speeds = {row["backend"]: row.get("pairs_per_second") for row in report["pairs"]}
    print(f"\n{'all pairs':28}{'pairs/s':>12}{'x kaolin':>10}{'peak MB':>10}{'difference':>12}")
    for row in report["pairs"]:
        name = f"{row['backend']} on {row['device']}"
        if "failed" in row:
            print(f"{name:28}{row['failed']:>20}")
            continue
        ratio = f"{speeds[row['backend']] / speeds['kaolin']:.2f}" if speeds.get("kaolin") else "-"
        memory = f"{row['peak_mb']:.0f}" if "peak_mb" in row else "-"
        difference = row["largest_relative_difference"]
        print(f"{name:28}{row['pairs_per_second']:12,.0f}{ratio:>10}{memory:>10}{difference:12.1e}")
    for entry in report["loss"]:
        print(f"\n{'forward + backward, batch ' + str(entry['batch']):28}{'ms':>12}{'x kaolin':>10}{'peak MB':>10}")
        kaolin = entry["ways"].get("kaolin", {}).get("seconds")
        for name, way in entry["ways"].items():
            if "failed" in way:
                print(f"{name:28}{way['failed']:>20}")
                continue
            ratio = f"{kaolin / way['seconds']:.2f}" if kaolin else "-"
            memory = f"{way['peak_mb']:.0f}" if "peak_mb" in way else "-"
            print(f"{name:28}{way['seconds'] * 1e3:12.3f}{ratio:>10}{memory:>10}")


if __name__ == "__main__":
    sys.exit(main())
