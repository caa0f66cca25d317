"""Shapes from the files that a command names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ds_cli.progress import progress_bar
from rich.console import Console

from svr_baselines.data import ImageSet, ShapeSet, read_shapes
from svr_baselines.parallel import available_cores


@dataclass(frozen=True)
class Reading:
    """How to read shapes, see `svr_baselines.data.read_shapes`."""

    points: int
    normalize: str
    seed: int
    skip_bad: bool
    store: Path | None = None

    def read(self, path: Path, console: Console) -> ShapeSet:
        """Read an array or a folder, and tell how far it is."""
        with progress_bar(console, f"reading {path.name}", "shapes") as tell:
            return read_shapes(
                path,
                points=self.points,
                normalize=self.normalize,
                seed=self.seed,
                skip_bad=self.skip_bad,
                progress=tell,
                workers=available_cores(),
                store=self.store,
            )


def parse_numbers(text: str) -> list[int]:
    """Numbers from ``"1:100"``, both ends included, or ``"1,2,5"``; none from another text."""
    first, colon, last = text.partition(":")
    try:
        return list(range(int(first), int(last) + 1)) if colon else [int(part) for part in text.split(",")]
    except ValueError:
        return []


def tell_skipped(console: Console, *sets: ShapeSet | ImageSet) -> None:
    """One line a sample that was left out."""
    for bad in (bad for samples in sets for bad in samples.skipped):
        say(console, f"skipped {bad.name}: {bad.reason}")


def say(console: Console, text: str) -> None:
    """A line as it is: no markup, no colours, not wrapped."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)
