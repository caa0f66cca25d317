"""Sets of pictures that are more or less alike, drawn from a folder `class/name.png`, for `features.py`.

A picture is a `(size, size, 3)` array of uint8. Everything that is drawn comes from the generator that is handed over.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

Classes = Mapping[str, Sequence[np.ndarray]]
SUFFIXES = {".png", ".jpg", ".jpeg"}
SHIFT = 2  # pixels
QUALITY = 85, 95  # of JPEG
BRIGHTNESS = 0.02
DARKENED = 0.7


def read_classes(folder: Path, size: int = 128, light: float = 1.0) -> dict[str, list[np.ndarray]]:
    """Pictures of each subfolder, over white, padded to squares and resized to one size.

    Light scales the colours of what is not transparent: the white behind it stays.
    """
    classes = {}
    for subfolder in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = sorted(path for path in subfolder.iterdir() if path.suffix.lower() in SUFFIXES)
        if files:
            classes[subfolder.name] = [read_picture(file, size, light) for file in files]
    if not classes:
        raise ValueError(f"{folder} must hold a subfolder of pictures for each class, but has none")
    return classes


def read_picture(path: Path, size: int, light: float) -> np.ndarray:
    with Image.open(path) as file:
        original = np.array(file.convert("RGBA"))
    original[..., :3] = scale(original[..., :3], light)
    picture = Image.fromarray(original)
    side = max(picture.size)
    square = Image.new("RGBA", (side, side), "white")
    square.alpha_composite(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    return np.array(square.convert("RGB").resize((size, size), Image.Resampling.LANCZOS))


def near_duplicates(picture: np.ndarray, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """One picture again and again: moved by one or two pixels, a little brighter or darker, compressed as JPEG."""
    return [near_duplicate(picture, rng) for _ in range(count)]


def near_duplicate(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    shift = np.zeros(2, dtype=int)
    while not shift.any():
        shift = rng.integers(-SHIFT, SHIFT + 1, 2)
    padded = np.pad(picture, ((SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0)), mode="edge")
    top, left = SHIFT + shift
    moved = padded[top : top + picture.shape[0], left : left + picture.shape[1]]
    lit = scale(moved, rng.uniform(1 - BRIGHTNESS, 1 + BRIGHTNESS))
    file = io.BytesIO()
    Image.fromarray(lit).save(file, "JPEG", quality=int(rng.integers(QUALITY[0], QUALITY[1] + 1)))
    return np.array(Image.open(file))


def one_class(pictures: Sequence[np.ndarray], count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Different pictures of a class."""
    return [pictures[i] for i in rng.choice(len(pictures), count, replace=False)]


def many_classes(classes: Classes, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Different pictures of as many classes as there are, in equal parts as far as each has enough."""
    if count > sum(map(len, classes.values())):
        raise ValueError(f"there must be {count} pictures, but there are {sum(map(len, classes.values()))}")
    shuffled = [one_class(pictures, len(pictures), rng) for _, pictures in sorted(classes.items())]
    shuffled = [shuffled[i] for i in rng.permutation(len(shuffled))]
    longest = max(map(len, shuffled))
    return [pictures[turn] for turn in range(longest) for pictures in shuffled if turn < len(pictures)][:count]


def all_and_near_duplicates(classes: Classes, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Half different pictures, as far as there are so many, half near-duplicates of them."""
    pictures = many_classes(classes, min((count + 1) // 2, sum(map(len, classes.values()))), rng)
    return pictures + [near_duplicate(pictures[i % len(pictures)], rng) for i in range(count - len(pictures))]


def darken(classes: Classes) -> dict[str, list[np.ndarray]]:
    """All pixels at 70 % of their value, the background with the object."""
    return {name: [scale(picture, DARKENED) for picture in found] for name, found in classes.items()}


def scale(picture: np.ndarray, factor: float) -> np.ndarray:
    return np.clip(np.rint(picture * factor), 0, 255).astype(np.uint8)


def resize(pictures: Sequence[np.ndarray], size: int) -> list[np.ndarray]:
    return [np.array(Image.fromarray(picture).resize((size, size), Image.Resampling.BICUBIC)) for picture in pictures]


def as_images(pictures: Sequence[np.ndarray]) -> list[torch.Tensor]:
    """As extractors take them: `(3, H, W)` tensors of uint8."""
    return [torch.from_numpy(picture).permute(2, 0, 1).contiguous() for picture in pictures]
