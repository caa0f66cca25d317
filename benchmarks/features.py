"""Image features: are they VGG16's, how fast, what does the Dispersion Score of images say, memory, and distances.

    python benchmarks/features.py --folder icons                         # some ten minutes on two cores
    python benchmarks/features.py --folder icons --quick --out table.md  # two minutes; the tables as Markdown, too

The folder holds `class/name.png`; transparent pictures are laid over white. Debian's package `sweethome3d-furniture`
has 820 such icons in its catalogues. Pictures are brought to 128 x 128 pixels, and to the size of the network by the
extractor. Linux only.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pictures
import torch
from memory import peak
from report import Section, print_tables, say
from scipy.spatial.distance import cdist
from timing import allowed_cores, median, take_turns
from torch import nn

from ds_metrics.features import Extractor, create_extractor
from ds_metrics.features.weights import load_weights
from ds_metrics.functional import dispersion_score
from ds_metrics.pairwise import pairwise_distance

BATCH = 32  # of the plain loop
CLUSTERS = 1, 5
MEAN = 123.68, 116.779, 103.939  # of RGB in [0, 255], which the bundled weights expect to be taken off
POOLINGS = "channel-max", "none"
Scores = dict[tuple[str, str], np.ndarray]  # of a set by its kind and name: each extractor, each k
TINY = np.finfo(np.float64).tiny


@dataclass(frozen=True)
class Sizes:
    """How many pictures each section takes, and how often what is timed is repeated.

    Attributes:
        samples: Pictures of a set whose score is computed.
        classes: Classes that are shown by themselves, at most.
        draws: Sets of near-duplicates, and of many classes.
        compared: Pictures of the comparison with the plain loop.
        memory: Pictures whose unpooled features are held at once.
        pairwise: Feature vectors of the comparison of distances.
        repeats: Of what is timed.
        image_size: Pixels that the network sees.
    """

    samples: int = 16
    classes: int = 20
    draws: int = 5
    compared: int = 64
    memory: int = 1000
    pairwise: int = 1000
    repeats: int = 5
    image_size: int = 224


QUICK = Sizes(classes=3, draws=1, compared=32, memory=100, pairwise=300, repeats=3)
SMOKE = Sizes(samples=6, classes=2, draws=1, compared=4, memory=8, pairwise=12, repeats=1, image_size=32)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="pictures, class/name.png")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="few pictures")
    size.add_argument("--smoke", action="store_true", help="tiny: shows that it runs, its numbers say nothing")
    parser.add_argument("--samples", type=int, help="pictures of a set whose score is computed; by default 16")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="write the tables to this file, too, as Markdown")
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    options = parser.parse_args(arguments)
    sizes = QUICK if options.quick else SMOKE if options.smoke else Sizes()
    if options.samples:
        sizes = Sizes(**{**vars(sizes), "samples": options.samples})
    try:
        classes = pictures.read_classes(options.folder)
    except (OSError, ValueError) as error:
        parser.error(f"--folder: {error}")
    available = sum(map(len, classes.values()))
    if available < max(sizes.samples, sizes.compared) or sizes.samples <= max(CLUSTERS):
        parser.error(
            f"--samples must be more than {max(CLUSTERS)}, and {options.folder} must hold as many pictures, and at "
            f"least {sizes.compared}, but got {sizes.samples} and {available}"
        )
    cores = len(allowed_cores())
    heading = (
        f"{available} pictures in {len(classes)} classes. torch {torch.__version__} on {torch.get_num_threads()} "
        f"threads of {cores} cores; seed {options.seed}. Distances are mean squared differences of features."
    )
    sections = [
        compare_with_plain_loop(classes, sizes, options.seed),
        *score_sets(options.folder, sizes, options.seed),
        measure_memory(options.folder, sizes, options.seed),
        compare_distances(classes, sizes, options.seed),
    ]
    print_tables(heading, sections, options.markdown, out=options.out)


def compare_with_plain_loop(classes: pictures.Classes, sizes: Sizes, seed: int) -> Section:
    """Values and speed of the extractor beside what a user would write first."""
    say("a plain loop over VGG16")
    drawn = pictures.many_classes(classes, sizes.compared, np.random.default_rng(seed))
    # Resized before, so that what is compared is the network alone.
    images = pictures.as_images(pictures.resize(drawn, sizes.image_size))
    network, origin = plain_network()
    rows = []
    for pooling in POOLINGS:
        extractor = create_extractor("vgg16", pooling=pooling, weights="bundled", image_size=sizes.image_size)
        tasks: dict[str, Callable[[], torch.Tensor]] = {
            "plain loop": lambda pooling=pooling: plain_features(network, images, pooling),
            "extractor": lambda extractor=extractor: extractor(images),
        }
        plain, ours = tasks["plain loop"](), tasks["extractor"]()
        error = float((ours.double() - plain.double()).abs().max() / plain.abs().max())
        off = worst_error(pairwise_distance(ours, distance="features").numpy(), direct(plain.numpy()))
        speeds = {name: len(images) / median(seconds) for name, seconds in take_turns(tasks, sizes.repeats).items()}
        for name, speed in speeds.items():
            errors = ["", ""] if name == "plain loop" else [f"{error:.0e}", f"{off:.0e}"]
            rows.append([f"{name}, {pooling}", f"{speed:.1f}", f"{speed / speeds['plain loop']:.2f}", *errors])
    return Section(
        f"VGG16 up to relu3_3, {len(images)} images of {sizes.image_size} x {sizes.image_size}",
        ["", "images/s", "speed, plain = 1", "feature error", "distance error"],
        rows,
        f"Plain loop: {origin}, the same bundled weights, default memory format, batches of {BATCH}, float32. Tasks "
        f"take turns; the median of {sizes.repeats} counts. Feature error: greatest difference as a part of the "
        "greatest value. Distance error: greatest relative difference over all pairs from float64 on the plain loop's "
        "features. Unpooled, the extractor returns half precision.",
    )


def plain_network() -> tuple[nn.Module, str]:
    """The layers up to relu3_3 with the bundled weights, and where the layers come from."""
    try:
        layers = import_module("torchvision.models").vgg16().features[:16]
        origin = "torchvision.models.vgg16().features[:16]"
    except (ImportError, RuntimeError):  # RuntimeError: built for another torch
        layers, before = nn.Sequential(), 3
        for channels in (64, 64, 0, 128, 128, 0, 256, 256, 256):
            if channels:
                layers.extend([nn.Conv2d(before, channels, kernel_size=3, padding=1), nn.ReLU(inplace=True)])
            else:
                layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
            before = channels or before
        origin = "the same nn.Sequential as torchvision's, which is not installed, built by hand"
    values = load_weights("bundled").values
    layers.load_state_dict({name.removeprefix("features."): value for name, value in values.items()})
    return layers.eval(), origin


@torch.no_grad()
def plain_features(network: nn.Module, images: Sequence[torch.Tensor], pooling: str) -> torch.Tensor:
    parts = []
    for start in range(0, len(images), BATCH):
        batch = torch.stack(list(images[start : start + BATCH])).float() - torch.tensor(MEAN).view(3, 1, 1)
        maps = network(batch)
        parts.append((maps.amax(dim=1) if pooling == "channel-max" else maps).flatten(1))
    return torch.cat(parts)


def extractors(image_size: int) -> dict[str, Extractor]:
    """What scores are computed with, by the name of their columns."""
    vgg16 = {
        pooling: create_extractor("vgg16", pooling=pooling, weights="bundled", image_size=image_size)
        for pooling in POOLINGS
    }
    return {**vgg16, "pixels": create_extractor("pixels", image_size=image_size)}


def score_sets(folder: Path, sizes: Sizes, seed: int) -> list[Section]:
    """DS of sets that are more and more diverse, as they are and in less light."""
    classes = pictures.read_classes(folder)
    dark = pictures.read_classes(folder, light=pictures.DARKENED)
    share = f"at {pictures.DARKENED:.0%}"
    lights = {"": classes, f", objects {share}": dark, f", all pixels {share}": pictures.darken(classes)}
    used = extractors(sizes.image_size)
    scores = {}
    for light, lit in lights.items():
        sets = make_sets(lit, sizes, seed)  # the same in each light
        say(f"scores of {len(sets)} sets{light}")
        scores[light] = {key: score(drawn, used) for key, drawn in sets.items()}
    columns = [f"{name}, k = {k}" for name in used for k in CLUSTERS]
    notes = {
        "": f"Near-duplicates: one picture moved by up to {pictures.SHIFT} pixels, brightness "
        f"+-{pictures.BRIGHTNESS:.0%}, JPEG of quality {pictures.QUALITY[0]} to {pictures.QUALITY[1]}. Many classes: "
        f"of all that have {sizes.samples} pictures, each as often as any other. Columns: VGG16 by its pooling, and "
        "the pixels, at the size that the network sees."
    }
    title = f"Dispersion Score of {sizes.samples} pictures"
    return [
        *(Section(title + light, ["", *columns], score_rows(of), notes.get(light)) for light, of in scores.items()),
        Section(
            "How far the kinds lie apart",
            ["", *columns],
            compare_kinds(scores[""]) + compare_lights(scores),
            "Moves: the mean absolute difference of the scores of classes, over their mean; from one class to "
            "another, or from one light to another.",
        ),
    ]


def make_sets(classes: pictures.Classes, sizes: Sizes, seed: int) -> dict[tuple[str, str], list[np.ndarray]]:
    """The sets by kind and name, all of one size."""
    rng = np.random.default_rng(seed)
    large = sorted((name for name in classes if len(classes[name]) >= sizes.samples), key=lambda n: -len(classes[n]))
    if not large:
        raise ValueError(f"one class at least must have {sizes.samples} pictures")
    sets = {}
    for name in [large[i % len(large)] for i in range(sizes.draws)]:
        picture = classes[name][rng.integers(len(classes[name]))]
        sets["near-duplicates", name] = pictures.near_duplicates(picture, sizes.samples, rng)
    for name in large[: sizes.classes]:
        sets["one class", name] = pictures.one_class(classes[name], sizes.samples, rng)
    for draw in range(sizes.draws):
        among = {name: classes[name] for name in large}
        sets["many classes", f"draw {draw + 1}"] = pictures.many_classes(among, sizes.samples, rng)
    return sets


def score(drawn: Sequence[np.ndarray], used: dict[str, Extractor]) -> np.ndarray:
    """DS for each extractor and each k."""
    found = []
    for extractor in used.values():
        features = extractor(pictures.as_images(drawn))
        found += [float(dispersion_score(features, n_clusters=k, distance="features")) for k in CLUSTERS]
    return np.array(found)


def score_rows(scores: Scores) -> list[list[str]]:
    return [[f"{kind}: {name}", *map("{:.3g}".format, row)] for (kind, name), row in scores.items()]


def compare_kinds(scores: Scores) -> list[list[str]]:
    """Means of the kinds over one another, and how many classes are less dispersed than many are on average."""
    near, one, many = (of_kind(scores, kind) for kind in ("near-duplicates", "one class", "many classes"))
    below = (one < many.mean(axis=0)).sum(axis=0)
    return [
        ["one class / near-duplicates", *map("{:.3g}".format, one.mean(axis=0) / near.mean(axis=0))],
        ["many classes / one class", *map("{:.3g}".format, many.mean(axis=0) / one.mean(axis=0))],
        ["classes below many classes", *(f"{count} of {len(one)}" for count in below)],
    ]


def compare_lights(scores: dict[str, Scores]) -> list[list[str]]:
    """How far the score of a class moves when the class changes, and when its light does."""
    plain, *others = (of_kind(of, "one class") for of in scores.values())
    pairs = max(1, len(plain) * (len(plain) - 1))
    moves = {"moves: another class": np.abs(plain[:, None] - plain).sum(axis=(0, 1)) / pairs}
    for light, other in zip(list(scores)[1:], others, strict=True):
        moves[f"moves{light}"] = np.abs(other - plain).mean(axis=0)
    return [[what, *map("{:.1%}".format, moved / plain.mean(axis=0))] for what, moved in moves.items()]


def of_kind(scores: Scores, kind: str) -> np.ndarray:
    return np.array([row for (of, _), row in scores.items() if of == kind])


def measure_memory(folder: Path, sizes: Sizes, seed: int) -> Section:
    """Unpooled features, the largest there are, of many images at once."""
    say("memory")
    # A process of its own, as the high-water mark never falls.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        measured = pool.apply(memory_of_unpooled, (folder, sizes, seed))
    steps = [
        ("images read, torch and the network loaded", "before"),
        ("features", "extract"),
        ("score, k = 5", "score"),
    ]
    return Section(
        f"Memory: {sizes.memory:,} images without pooling, {measured['features']:,.0f} MB of features",
        ["until then", "peak RSS, MB", "seconds"],
        [[step, f"{measured[key][0]:,.0f}", f"{measured[key][1]:.1f}"] for step, key in steps],
        "High-water mark of a process of its own, Python and torch included. The icons come again, slightly changed.",
    )


def memory_of_unpooled(folder: Path, sizes: Sizes, seed: int) -> dict[str, Any]:
    start = time.perf_counter()
    classes = pictures.read_classes(folder)
    drawn = pictures.all_and_near_duplicates(classes, sizes.memory, np.random.default_rng(seed))
    images = pictures.as_images(drawn)
    extractor = create_extractor("vgg16", pooling="none", weights="bundled", image_size=sizes.image_size)
    extractor(images[:1])
    marks = [(peak(), time.perf_counter() - start)]
    start = time.perf_counter()
    features = extractor(images)
    marks.append((peak(), time.perf_counter() - start))
    start = time.perf_counter()
    dispersion_score(features, n_clusters=5, distance="features")
    marks.append((peak(), time.perf_counter() - start))
    size = features.numel() * features.element_size() / 1e6
    return {"features": size, **dict(zip(("before", "extract", "score"), marks, strict=True))}


def compare_distances(classes: pictures.Classes, sizes: Sizes, seed: int) -> Section:
    """All distances among pooled features, beside what others offer."""
    say("distances")
    drawn = pictures.all_and_near_duplicates(classes, sizes.pairwise, np.random.default_rng(seed))
    extractor = create_extractor("vgg16", pooling="channel-max", weights="bundled", image_size=sizes.image_size)
    features = extractor(pictures.as_images(drawn))
    width = features.shape[1]
    tasks: dict[str, Callable[[], np.ndarray]] = {
        "pairwise_distance": lambda: pairwise_distance(features, distance="features").numpy(),
        "torch.cdist(float32)**2": lambda: (torch.cdist(features, features) ** 2 / width).numpy(),
    }
    note = ""
    try:
        euclidean = import_module("sklearn.metrics.pairwise").euclidean_distances
        wide = features.numpy().astype(np.float64)
        tasks["scikit-learn euclidean_distances(squared), float64"] = lambda: euclidean(wide, squared=True) / width
    except ImportError as error:
        note = f"\nNot run: scikit-learn ({error})."
    exact = direct(features.numpy())
    errors = {name: worst_error(task(), exact) for name, task in tasks.items()}
    seconds = {name: median(times) for name, times in take_turns(tasks, sizes.repeats).items()}
    return Section(
        f"Distances among {len(features):,} vectors of {width:,} features",
        ["", "ms", "times ours", "worst relative error"],
        [
            [name, f"{1e3 * seconds[name]:.3g}", f"{seconds[name] / seconds['pairwise_distance']:.3g}", f"{error:.0e}"]
            for name, error in errors.items()
        ],
        "Error: over all pairs, from differences squared and summed in float64. Half of the images are near-duplicates "
        f"of the others, whose distances cancel where they are computed from scalar products.{note}",
    )


def direct(features: np.ndarray) -> np.ndarray:
    """Mean squared differences, in float64, difference by difference."""
    wide = features.astype(np.float64)
    return cdist(wide, wide, "sqeuclidean") / features.shape[1]


def worst_error(distances: np.ndarray, exact: np.ndarray) -> float:
    """The greatest relative error over pairs of different samples."""
    pairs = np.triu_indices(len(exact), 1)
    error = np.abs(distances[pairs] - exact[pairs]) / np.maximum(exact[pairs], TINY)
    return float(error.max()) if error.size else math.nan


if __name__ == "__main__":
    main()
