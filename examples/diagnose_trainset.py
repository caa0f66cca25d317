"""What a training set will make of a network, before any training: the dispersion of its images and of its shapes.

    python examples/diagnose_trainset.py
    python examples/diagnose_trainset.py mine/ other/ --clusters 500

Each folder is a training set: `images/` holds pictures, `shapes/` the shapes as the network is trained on them. One set
alone says little, as the scores depend on their number and on k, and those of images and of shapes have different
units. So each set is compared with the one before, and the differences are read as the paper reads them, with the
section that says so. A difference counts if its 95 % interval leaves out 0; that is a choice of this example, the paper
gives no threshold. Leaves `OUT/<set>-images.json` and `OUT/<set>-shapes.json`, which `ds compare` and `ds report` read.

Without folders of yours it makes three sets of 20 pairs from the morph of section 4. In "two-ends" the pictures show
all but cubes and spheres, and the shapes are one of either; in "more-images" the pictures show the whole morph, and in
"more-shapes" so do the shapes.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from ds_metrics.features import create_extractor
from svr_baselines.building import build_synthetic
from svr_baselines.comparison import compare
from svr_baselines.data import read_images, read_shapes
from svr_baselines.dispersion import Scoring
from svr_baselines.evaluation import evaluate, evaluate_images
from svr_baselines.results import read_result

# What follows from more (1), as much (0) or less (-1) dispersed images and shapes.
READING = {
    (0, 0): "not told apart: nothing follows",
    (1, 0): "toward recognition: images more dispersed, shapes as before (3.4, 4.3, 5.3)",
    (-1, 0): "toward reconstruction: images less dispersed, shapes as before (3.4, 4.3, 5.3)",
    (0, 1): "toward reconstruction: images as before, shapes more dispersed (3.4, 4.4, 5.4)",
    (0, -1): "toward recognition: images as before, shapes less dispersed (3.4, 4.4, 5.4)",
    (1, -1): "toward recognition: images more dispersed, shapes less (3.4)",
    (-1, 1): "toward reconstruction: images less dispersed, shapes more (3.4)",
    (1, 1): "both grow; where the paper did that, by more views, viewer-centred, output DS and CD improved (5.5)",
    (-1, -1): "both shrink: the paper says nothing of that",
}
REMEDIES = """\
what the paper did to make networks reconstruct:
  viewer-centred instead of object-centred shapes: they are more dispersed, the images stay the same (5.4)
  more views of each shape, viewer-centred: images and shapes are more dispersed (5.5)
either way measure the DS of the predictions beside the Chamfer distance (6): more dispersed images improved
  the Chamfer distance while the predictions became less dispersed (5.3)"""


def make_sets(folder: Path) -> list[Path]:
    """Three training sets of 20 pairs from a morph of 100 steps, as folders."""
    build_synthetic(folder / "morph", count=100)
    ends, whole = [*range(10), *range(90, 100)], [*range(0, 50, 5), *range(54, 100, 5)]
    two = [0] * 10 + [99] * 10
    for name, images, shapes in (
        ("two-ends", ends, two),
        ("more-images", whole, two),
        ("more-shapes", whole, whole),
    ):
        for kind, source, suffix, steps in (("images", "images", "png", images), ("shapes", "points", "npy", shapes)):
            (folder / name / kind).mkdir(parents=True, exist_ok=True)
            for pair, step in enumerate(steps):
                file = folder / "morph" / source / f"{step:04d}.{suffix}"
                shutil.copyfile(file, folder / name / kind / f"{pair:02d}.{suffix}")
    return [folder / name for name in ("two-ends", "more-images", "more-shapes")]


def score_set(folder: Path, out: Path, scoring: Scoring) -> dict[str, Path]:
    """Score the images and the shapes of a training set; returns the two result files."""
    images, shapes = read_images(folder / "images", create_extractor("vgg16")), read_shapes(folder / "shapes")
    files = {}
    for kind, samples, evaluation in (
        ("images", images, evaluate_images(images, scoring)),
        ("shapes", shapes, evaluate(shapes, scoring=scoring)),
    ):
        files[kind] = out / f"{folder.name}-{kind}.json"
        evaluation.save(files[kind], samples.names)
    return files


def direction(before: Path, after: Path) -> int:
    """1 if the second score is larger, -1 if it is smaller, 0 if the interval of the difference includes 0.

    Raises:
        ValueError: If the two were computed under different conditions, such as other numbers of samples.
    """
    interval = compare([read_result(before), read_result(after)]).differences[1].interval
    if interval is None:
        raise ValueError(f"{after}: no interval, as there are too few samples for so many clusters")
    return int(interval.low > 0) - int(interval.high < 0)


def main(
    sets: Annotated[list[Path] | None, typer.Argument(help="Folders, each with images/ and shapes/.")] = None,
    *,
    out: Path = Path("demo/diagnose_trainset"),
    clusters: int = 2,
    seed: int = 0,
) -> None:
    """Score training sets, compare each with the one before, and read the differences."""
    out.mkdir(parents=True, exist_ok=True)
    sets = sets or make_sets(out)
    if len(sets) < 2 or len({folder.name for folder in sets}) < len(sets):
        raise typer.BadParameter(f"expected two folders or more of different names, but got {[*map(str, sets)]}")
    print("training set     DS of images  DS of shapes")
    previous: dict[str, Path] = {}
    for folder in sets:
        print(f"scoring {folder}", file=sys.stderr)
        files = score_set(folder, out, Scoring(n_clusters=clusters, seed=seed))
        images, shapes = (read_result(files[kind]).dispersion for kind in ("images", "shapes"))
        print(f"{folder.name:<15}  {images:12,.0f}  {shapes:12.6f}")
        if previous:
            changes = tuple(direction(previous[kind], files[kind]) for kind in ("images", "shapes"))
            print(f"  {READING[changes]}")
        previous = files
    print(REMEDIES)


if __name__ == "__main__":
    typer.run(main)
