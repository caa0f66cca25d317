"""Where VGG16's weights come from, and what input they expect.

A file given by its path holds the convolutions under torchvision's names, ``features.0.weight`` to
``features.14.bias``, alone or among others: safetensors, or a state dict, of which nothing is ever unpickled but
tensors. They are taken to expect what torchvision's classifiers do, RGB in [0, 1] less ImageNet's mean, over its
standard deviation; unless they are known to expect RGB in [0, 255] less the mean: torchvision's
``IMAGENET1K_FEATURES``, by the hash of the file, and a safetensors file whose metadata says so under ``input``, as that
of this package does.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

LAYERS = ((0, 64), (2, 64), (5, 128), (7, 128), (10, 256), (12, 256), (14, 256))  # place in torchvision's net, channels

_BUNDLED = Path(__file__).parent / "weights" / "vgg16_to_relu3_3.safetensors"
_MEAN_FILE = "88682ab5"  # start of the SHA-256 of vgg16_features-amdegroot-88682ab5.pth, IMAGENET1K_FEATURES
_MEAN_INPUT = "RGB in [0,255] minus (123.68, 116.779, 103.939)"

_Scale = tuple[float, float, float]
_LESS_MEAN: tuple[_Scale, _Scale] = (123.68 / 255, 116.779 / 255, 103.939 / 255), (1 / 255, 1 / 255, 1 / 255)
_STANDARDISED: tuple[_Scale, _Scale] = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Weights:
    """Convolutions up to relu3_3, and how their input is scaled.

    Attributes:
        values: By torchvision's names, float32.
        mean: Taken off RGB in [0, 1].
        std: What the difference is divided by.
    """

    values: dict[str, Tensor]
    mean: _Scale
    std: _Scale


def load_weights(weights: str | Path) -> Weights:
    """Load the weights of a name or from a file, see `ds_metrics.features.VGG16`.

    Raises:
        ValueError: If it is neither a name nor a file, or the file doesn't hold the convolutions.
        OSError: If the file can't be read, or the download fails.

    Example:
        >>> load_weights("bundled").values["features.0.weight"].shape
        torch.Size([64, 3, 3, 3])
    """
    if weights == "bundled":
        return _from_file(_BUNDLED)
    if weights == "torchvision":
        return Weights(_convolutions(_download(), "torchvision"), *_STANDARDISED)
    if not isinstance(weights, (str, os.PathLike)) or not Path(weights).is_file():
        raise ValueError(
            f"Argument `weights` must be 'bundled', 'torchvision' or the path of a file, but got {str(weights)!r}"
        )
    return _from_file(Path(weights))


def _from_file(path: Path) -> Weights:
    values: Mapping[str, Any]
    if path.suffix == ".safetensors":
        values, about = _read_safetensors(path)
        less_mean = about.get("input", "").startswith(_MEAN_INPUT)
    else:
        values = _read_state_dict(path)
        less_mean = _file_hash(path).startswith(_MEAN_FILE)
    return Weights(_convolutions(values, str(path)), *(_LESS_MEAN if less_mean else _STANDARDISED))


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"Argument `weights`: {path} is no whole safetensors file: {error}") from error


def _read_state_dict(path: Path) -> Mapping[str, Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a file that is no state dict: the error says so
            values = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # of a damaged file it raises whatever its parts raise
        reason = str(error).partition("\n")[0].partition(". ")[0] or type(error).__name__
        raise ValueError(f"Argument `weights`: {path} is no state dict that torch loads safely: {reason}") from error
    if not isinstance(values, Mapping):
        raise ValueError(f"Argument `weights`: {path} must hold a state dict, but holds {type(values).__name__}")
    return values


def _convolutions(values: Mapping[str, Any], source: str) -> dict[str, Tensor]:
    """Those that are used, checked."""
    used, before = {}, 3
    for index, channels in LAYERS:
        for part, shape in (("weight", (channels, before, 3, 3)), ("bias", (channels,))):
            name = f"features.{index}.{part}"
            value = values.get(name)
            if not isinstance(value, Tensor) or tuple(value.shape) != shape or not value.is_floating_point():
                found = f"one of shape {tuple(value.shape)}" if isinstance(value, Tensor) else "none"
                raise ValueError(
                    f"Argument `weights`: {source} must hold a float tensor {name!r} of shape {shape}, but has {found}"
                )
            used[name] = value.float()
            if not torch.isfinite(used[name]).all():
                raise ValueError(f"Argument `weights`: {source} has NaN or infinite values in {name!r}")
        before = channels
    return used


def _download() -> Mapping[str, Any]:
    """The ``IMAGENET1K_V1`` of torchvision, from its cache if it is there."""
    try:
        from torchvision.models import VGG16_Weights
    except (ImportError, RuntimeError) as error:  # RuntimeError: built for another torch
        raise ValueError(
            f"Argument `weights` is 'torchvision', which can't be imported ({error}): pip install torchvision"
        ) from error
    chosen = VGG16_Weights.IMAGENET1K_V1
    try:
        values: Mapping[str, Any] = chosen.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: a damaged download
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        raise OSError(
            f"the weights of torchvision could not be downloaded ({error}); fetch {chosen.url} where there is a "
            f"network and put it into {folder} or name it by `weights`, or use the bundled ones"
        ) from error
    return values


def _file_hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()
