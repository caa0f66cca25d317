"""`ds eval --images`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ds_cli.evaluate import check_outputs, report
from ds_cli.progress import pairs_progress, progress_bar
from ds_cli.reading import MOST_NUMBERS, parse_numbers, shorten
from rich.console import Console

from ds_metrics.features import Extractor, create_extractor
from svr_baselines.data import ImageSet, read_images
from svr_baselines.data.points import check_count, check_memory
from svr_baselines.devices import find_device
from svr_baselines.dispersion import Resources, Scoring
from svr_baselines.evaluation import evaluate_images
from svr_baselines.parallel import available_cores

DISTANCE_LABEL = "mean squared difference of features"


@dataclass(frozen=True)
class ImageReading:
    """How to read images and what to make of them, see `svr_baselines.data.read_images` and `create_extractor`."""

    features: str
    weights: str | None
    pooling: str | None
    size: int
    background: str
    crop: int | None
    views: Sequence[int] | None
    device: str
    skip_bad: bool
    store: Path | None = None

    def extractor(self) -> Extractor:
        """The extractor, on its device."""
        check_count("size", self.size)
        # Of VGG16, the widest layer before and after its activation; of others, the pixels.
        check_memory("size", self.size**2 * (512 if self.features == "vgg16" else 12), "the features of one image")
        options = {"weights": self.weights, "pooling": self.pooling, "image_size": self.size}
        return create_extractor(self.features, **options, device=find_device(self.device))

    def read(self, path: Path, console: Console) -> ImageSet:
        """Read an array or a folder, and tell how far it is."""
        extractor = self.extractor()
        with progress_bar(console, f"features of {path.name}", "images") as tell:
            return read_images(
                path,
                extractor,
                background=self.background,
                crop=self.crop,
                views=self.views,
                skip_bad=self.skip_bad,
                progress=tell,
                store=self.store,
                workers=available_cores(),
            )


def run(
    images: Path,
    *,
    scoring: Scoring,
    reading: ImageReading,
    json: str | None,
    plots: Path | None,
    resources: Resources,
) -> None:
    """Read, score, and write what was asked for."""
    check_outputs(json, plots, resources, images)
    stderr = Console(stderr=True)
    found = reading.read(images, stderr)
    evaluation = evaluate_images(found, scoring, resources, partial(pairs_progress, stderr))
    label = f"{DISTANCE_LABEL} ({reading.features})"
    report(evaluation, {"predictions": found}, found.picture, label, json, plots)


def parse_views(text: str | None) -> list[int] | None:
    """Numbers of renderings from ``"0"``, ``"1,5"`` or ``"1:23"``, both ends included."""
    if text is None:
        return None
    views = parse_numbers(text)
    if not views or min(views) < 0:
        numbers = f"numbers such as '0', '1,5' or '1:23', but got {shorten(text)}"
        raise ValueError(f"--views must be {numbers}; {MOST_NUMBERS:,} are the most")
    return views
