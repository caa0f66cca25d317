"""Shapes from the files that a command names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ds_cli.progress import progress_bar
from ds_cli.terminal import printable
from rich.console import Console

from svr_baselines.data import ShapeSet, read_shapes
from svr_baselines.data.folders import count_others
from svr_baselines.data.formats import SUFFIXES
from svr_baselines.data.reader import Side
from svr_baselines.data.shapes import BadShape
from svr_baselines.parallel import available_cores

MOST_NUMBERS = 100_000  # in an option that takes several


@dataclass(frozen=True)
class Reading:
    """How to read shapes, see `svr_baselines.data.read_shapes`."""

    points: int
    normalize: str
    seed: int
    skip_bad: bool
    store: Path | None = None

    def read(self, path: Path, console: Console, side: Side = "preds") -> ShapeSet:
        """Read an array or a folder, and tell how far it is."""
        with progress_bar(console, f"reading {path.name}", "shapes") as tell:
            shapes = read_shapes(
                path,
                points=self.points,
                normalize=self.normalize,
                seed=self.seed,
                skip_bad=self.skip_bad,
                progress=tell,
                workers=available_cores(),
                store=self.store,
                side=side,
            )
        if path.is_dir() and (others := count_others(path, SUFFIXES)):
            kinds = list_some([kind for kind, _ in others.most_common()], 5)
            say(console, f"{path}: ignored {others.total()} files of other kinds: {kinds}")
        return shapes


def parse_numbers(text: str) -> list[int]:
    """Numbers from ``"1:100"``, both ends included, or ``"1,2,5"``; none from another text, or from one of too many.

    Example:
        >>> parse_numbers("1:3"), parse_numbers("1,x"), parse_numbers("1:99999999999")
        ([1, 2, 3], [], [])
    """
    first, colon, last = text.partition(":")
    try:
        numbers = range(int(first), int(last) + 1) if colon else [int(part) for part in text.split(",")]
    except ValueError:
        return []
    return [] if numbers[MOST_NUMBERS:] else list(numbers)


def tell_skipped(console: Console, skipped: Mapping[str, Sequence[BadShape]]) -> None:
    """One line a reason why samples of a set were left out; it says of which set where there are several."""
    for what, samples in skipped.items():
        of = f" of the {what}" if len(skipped) > 1 else ""
        for reason in dict.fromkeys(bad.reason for bad in samples):
            names = [bad.name for bad in samples if bad.reason == reason]
            say(console, f"skipped {list_some(names)}{of}: {reason}")


def list_some(names: Sequence[str], shown: int = 3) -> str:
    """The first few, and how many there are if not all are shown."""
    return ", ".join(names) if len(names) <= shown else f"{', '.join(names[:shown])}, .. ({len(names)})"


def shorten(text: str, width: int = 60) -> str:
    """A text in quotes, for an error; of a long one its beginning.

    Example:
        >>> shorten("9" * 5000, 3)
        "'999..' (5000 characters)"
    """
    return repr(text) if len(text) <= width else f"{text[:width] + '..'!r} ({len(text)} characters)"


def say(console: Console, text: str) -> None:
    """A line as it is: no markup, no colours, not wrapped, nothing that steers the terminal."""
    console.print(printable(text), markup=False, highlight=False, soft_wrap=True)
