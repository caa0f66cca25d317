"""What is compared: point clouds, feature vectors, or images by their features."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

from torch import Tensor, nn

from ds_metrics.arguments import check_flag
from ds_metrics.clouds import Clouds, PackedClouds, pack_clouds, pack_features
from ds_metrics.features import Extractor, Images, create_extractor, has_extractor, list_extractors
from ds_metrics.pairwise.backends import FEATURES, check_backend

Samples: TypeAlias = "Clouds | Images"


class Measure:
    """A distance by its name, with the samples that it takes.

    Args:
        distance: ``"chamfer"`` between point clouds; ``"features"``, the mean squared difference of feature vectors;
            or the same between images, of what an extractor makes of them: ``"vgg16"``, ``"pixels"``, another of
            `ds_metrics.features.list_extractors`, or a network, see `ds_metrics.features.Extractor`.
        squared: Whether the Chamfer distance squares nearest distances.
        backend: Backend of the Chamfer distance, see `ds_metrics.pairwise.pairwise_distance`.
        weights: Weights of the extractor, see `ds_metrics.features.VGG16`.
        pooling: Likewise.
        image_size: Pixels to which images are resized.

    Raises:
        ValueError: If an option is unknown or belongs to another distance.

    Example:
        >>> import torch
        >>> Measure("pixels", image_size=2).pack(torch.zeros(5, 3, 4, 4)).points.shape
        torch.Size([5, 12])
    """

    def __init__(
        self,
        distance: str | nn.Module | Extractor = "chamfer",
        squared: bool = True,
        backend: str = "auto",
        weights: str | Path | None = None,
        pooling: str | None = None,
        image_size: int | None = None,
    ) -> None:
        check_backend(backend)
        check_flag("squared", squared)
        options = {"weights": weights, "pooling": pooling, "image_size": image_size}
        self.extractor: Extractor | None = None
        if distance not in ("chamfer", FEATURES):
            self.extractor = _extractor(distance, options)
        elif given := [name for name, value in options.items() if value is not None]:
            raise ValueError(f"Argument `{given[0]}` is for images, but `distance` is {distance!r}")
        if distance != "chamfer":
            if squared is not True:
                raise ValueError(f"Argument `squared` is for the Chamfer distance, but `distance` is {distance!r}")
            if backend != "auto":
                raise ValueError(
                    f"Argument `backend` is for the Chamfer distance; others have one way, but got {backend!r}"
                )
        self.name = distance if isinstance(distance, str) else self.extractor.name if self.extractor else FEATURES
        self.squared = squared
        self.backend = backend if distance == "chamfer" else FEATURES

    @property
    def convention(self) -> str:
        """The distance in words."""
        if self.backend == FEATURES:
            return "mean squared difference of features"
        return f"sum of the two means of {'squared ' if self.squared else ''}nearest distances"

    def pack(
        self, samples: Samples | PackedClouds, lengths: Tensor | None = None, name: str = "samples"
    ) -> PackedClouds:
        """Samples checked and as the engine takes them: images as their features.

        Raises:
            TypeError: If samples are not of the kind that the distance is for.
            ValueError: If a sample has a wrong shape or values out of range.
        """
        if self.backend != FEATURES:
            return pack_clouds(samples, lengths, name)
        if lengths is not None:
            raise ValueError("Argument `lengths` goes with padded point clouds, not with images or features")
        if self.extractor is None or isinstance(samples, PackedClouds):
            return pack_features(samples, name)
        return pack_features(self.extractor(samples, name), name)


def _extractor(distance: str | nn.Module | Extractor, options: dict[str, Any]) -> Extractor:
    if isinstance(distance, str) and not has_extractor(distance):
        known = ["chamfer", FEATURES, *list_extractors()]
        raise ValueError(f"Argument `distance` must be a network or one of {known}, but got {distance!r}")
    if not isinstance(distance, (str, nn.Module, Extractor)):
        raise ValueError(f"Argument `distance` must be a name or a network, but got {type(distance).__name__}")
    return create_extractor(distance, **options)
