"""What benchmarks print, and what `pairwise.py` writes: the machine, the versions, and one table a section."""

from __future__ import annotations

import json
import platform
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from engines import REFERENCE
from rich.console import Console
from rich.table import Table
from sections import MATRIX

from ds_metrics._files import atomic_write
from ds_metrics._native import _core

_PACKAGES = ["dispersion-score", "numpy", "torch", "scipy", "scikit-learn", "point-cloud-utils", "open3d", "faiss-cpu"]
_METHOD = (
    "One thread on one core, except in the table of threads. Tasks take turns; the median of their repeats counts. "
    "A pair is both directions. The error is the greatest relative difference from float64 brute force on the same "
    f"pairs. Times of this package include preparation, spread over the pairs of a matrix of {MATRIX} clouds: "
    f"{MATRIX} preparations by {MATRIX * (MATRIX - 1) // 2:,} pairs; the others are not charged with theirs."
)


@dataclass(frozen=True)
class Section:
    """A table; its first column is text, the others are numbers."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


def say(section: str) -> None:
    """Progress, on stderr."""
    print(f"measuring: {section}", file=sys.stderr, flush=True)


def describe_run(sizes: Mapping[str, Any], data: str, pinned: bool, cores: Sequence[int]) -> dict[str, Any]:
    """Where and how the numbers come about."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    machine = {
        "cpu": _cpu_name(),
        "cores": len(cores),
        "instruction_sets": _core.supported_isas(),
        "system": f"{platform.system()} {platform.machine()}",
        "pinned_to_one_core": pinned,
    }
    return {
        "schema": 1,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": machine,
        "versions": versions,
        "method": _METHOD,
        "data": data,
        "sizes": dict(sizes),
    }


def write_json(result: Mapping[str, Any], path: Path) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def print_report(result: Mapping[str, Any], markdown: bool) -> None:
    """All tables on stdout."""
    print_tables(_describe(result), _sections(result), markdown)


def print_tables(heading: str, sections: Sequence[Section], markdown: bool, out: Path | None = None) -> None:
    """A text and tables on stdout; in a file, too, as Markdown."""
    text = "\n\n".join([heading, *(_to_markdown(section) for section in sections)])
    if out is not None:
        with atomic_write(out) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")
    if markdown:
        print(text)
        return
    console = Console()
    console.print(heading, highlight=False)
    for section in sections:
        table = Table(title=section.title, title_justify="left", caption=section.note, caption_justify="left")
        for column in section.columns:
            table.add_column(column, justify="left" if column == section.columns[0] else "right")
        for row in section.rows:
            table.add_row(*row)
        console.print(table)


def _describe(result: Mapping[str, Any]) -> str:
    machine, versions = result["machine"], result["versions"]
    share = machine["share_of_core"]
    busy = "" if share > 0.95 else f" Other work ran beside it: the process had {share:.0%} of its core."
    pinned = "" if machine["pinned_to_one_core"] else " The system offers no way to keep Open3D to one core."
    return (
        f"{machine['cpu']}, {_count(machine['cores'], 'core')}, {', '.join(machine['instruction_sets'])}; "
        f"{machine['system']}; {result['date'][:10]}.\n"
        f"{', '.join(f'{name} {number}' for name, number in versions.items())}.\n"
        f"Data: {result['data']}, points drawn by area, unit ball. {result['method']}{busy}{pinned}"
    )


def _sections(result: Mapping[str, Any]) -> list[Section]:
    sizes, peers, points, samples = result["sizes"], result["peers"], result["points"], result["samples"]
    powers = "; ".join(f"{name}: P^{power:.2f}" for name, power in points["exponents"].items())
    names = list(points["exponents"])
    by_points = {(row["points"], row["name"]): row["ms_per_pair"] for row in points["rows"]}
    return [
        Section(
            f"A pair of clouds of {sizes['points']:,} points, one thread ({peers['pairs']} pairs)",
            ["", "ms a pair", "speed, scipy = 1", "relative error", "prepare a cloud, ms"],
            [_peer_row(row) for row in peers["rows"]],
            "\n".join(f"{peer['name']}: {peer['reason']}." for peer in peers["missing"]),
        ),
        Section(
            f"Threads ({result['threads']['pairs']:,} pairs of {sizes['points']:,} points, search only)",
            ["threads", "ms a pair", "times as fast as one"],
            [
                [str(row["threads"]), _number(row["ms_per_pair"]), f"{row['speedup']:.2f}"]
                for row in result["threads"]["rows"]
            ],
        ),
        Section(
            "Milliseconds a pair over points a cloud, one thread",
            ["points", *names],
            [[f"{n:,}", *(_number(by_points[n, name]) for name in names)] for n in sizes["points_scaling"]],
            f"Fitted growth: {powers}.",
        ),
        Section(
            f"A whole matrix by `pairwise_distance`, {sizes['points']:,} points, one thread, everything included",
            ["samples", "pairs", "seconds", "ms a pair", "pairs a second"],
            [_samples_row(row) for row in samples["rows"]],
            f"Fitted growth: N^{samples['exponent']:.2f}.",
        ),
        Section(
            f"Chamfer distance as a training loss, forward and backward, batch of {sizes['batch']} x "
            f"{sizes['points']:,} points, one thread",
            ["", "ms", "times ours", "gradient error"],
            [_loss_row(row) for row in result["loss"]],
            "Gradient error: greatest difference from the float64 gradient, as a part of its largest entry.",
        ),
    ]


def _peer_row(row: Mapping[str, Any]) -> list[str]:
    error = "reference" if row["name"] == REFERENCE else f"{row['greatest_relative_error']:.0e}"
    speed = f"{row['times_faster_than_scipy']:.3g}"
    return [row["name"], _number(row["ms_per_pair"]), speed, error, f"{row['prepare_ms_per_cloud']:.3f}"]


def _threads_row(row: Mapping[str, Any]) -> list[str]:
    return [str(row["threads"]), _number(row["ms_per_pair"]), f"{row['speedup']:.2f}"]


def _samples_row(row: Mapping[str, Any]) -> list[str]:
    ms = _number(1e3 * row["seconds"] / row["pairs"])
    return [f"{row['samples']:,}", f"{row['pairs']:,}", _number(row["seconds"]), ms, f"{row['pairs_per_second']:,.0f}"]


def _loss_row(row: Mapping[str, Any]) -> list[str]:
    return [row["name"], _number(row["ms"]), f"{row['times_ours']:.3g}", f"{row['greatest_gradient_difference']:.0e}"]


def _to_markdown(section: Section) -> str:
    lines = [section.columns, ["---"] + ["---:"] * (len(section.columns) - 1), *section.rows]
    table = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
    return "\n\n".join(part for part in (f"### {section.title}", table, section.note) if part)


def _number(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _cpu_name() -> str:
    """The model; with family and number where the name alone says little, as in virtual machines."""
    path = Path("/proc/cpuinfo")
    fields = dict(re.findall(r"^(.*\S)\s*: (.*)$", path.read_text(), re.MULTILINE)) if path.is_file() else {}
    if "model name" not in fields:
        return platform.processor() or platform.machine()
    return f"{fields['model name']} (family {fields.get('cpu family', '?')}, model {fields.get('model', '?')})"
