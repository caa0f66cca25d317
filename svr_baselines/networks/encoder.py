"""From images to codes: torchvision's ResNets, trained from scratch."""

from __future__ import annotations

from typing import Literal, cast, get_args

from torch import nn

Encoder = Literal["resnet18", "resnet50"]


def create_encoder(name: Encoder, code: int) -> nn.Module:
    """Make a ResNet whose last layer gives a code instead of classes, with random weights.

    Args:
        name: `"resnet18"` or `"resnet50"`.
        code: Length of the code.

    Returns:
        A module from images `(B, 3, H, W)` to codes `(B, code)`.

    Raises:
        ValueError: If there is no such encoder, or torchvision can't be imported.

    Example:
        >>> create_encoder("resnet18", code=16).fc
        Linear(in_features=512, out_features=16, bias=True)
    """
    if name not in get_args(Encoder):
        raise ValueError(f"Argument `encoder` must be one of {get_args(Encoder)}, but got {name!r}.")
    try:
        from torchvision import models
    except (ImportError, RuntimeError) as error:  # RuntimeError: built for another torch
        raise ValueError(
            f"Networks need torchvision, which can't be imported ({error}): pip install 'dispersion-score[train]'"
        ) from error
    return cast(nn.Module, getattr(models, name)(weights=None, num_classes=code))
