"""Input, ground truth and prediction side by side: the worst samples by Chamfer distance, and those in the middle."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from svr_baselines.report.distances import pair_distances
from svr_baselines.report.encode import bounding_cube, encode_surface
from svr_baselines.report.surfaces import find_surface

SHOWN = 4
_POINTS = 2048
_PIXELS = 160  # of the longer side of an input image, at most


def choose_ranks(count: int, shown: int = SHOWN) -> tuple[list[int], list[int]]:
    """Ranks, counted from the worst, of the worst samples and of those around the median; none is in both.

    Example:
        >>> choose_ranks(100), choose_ranks(5)
        (([0, 1, 2, 3], [48, 49, 50, 51]), ([0, 1, 2, 3], [4]))
    """
    worst = list(range(min(shown, count)))
    start = max(len(worst), (count - shown) // 2)
    return worst, list(range(start, min(start + shown, count)))


def describe_pairs(
    predictions: Sequence[npt.NDArray[Any]],
    targets: Sequence[npt.NDArray[Any]],
    order: npt.NDArray[np.int64],
    inputs: npt.NDArray[np.uint8] | None,
) -> dict[str, Any]:
    """The samples that the page shows, with their clouds in one scale and the image that the network saw.

    Args:
        predictions: Predicted clouds.
        targets: Their ground truth.
        order: `(N,)` the sample at each position.
        inputs: `(N, s, s, 3)` images, if they are there.

    Returns:
        Lists ``"worst"`` and ``"median"``.
    """
    chamfer = pair_distances(predictions, targets)
    position = np.argsort(order)
    ranked = np.lexsort((np.arange(len(chamfer)), -chamfer))
    groups = dict(zip(("worst", "median"), choose_ranks(len(chamfer)), strict=True))
    return {
        name: [
            {
                "position": int(position[i]),
                "rank": rank + 1,
                "chamfer": float(chamfer[i]),
                "image": None if inputs is None else png_uri(inputs[i]),
                **_encode_pair(predictions[i], targets[i]),
            }
            for rank in ranks
            for i in (ranked[rank],)
        ]
        for name, ranks in groups.items()
    }


def png_uri(image: npt.NDArray[np.uint8]) -> str:
    """An `(h, w, 3)` image as a data URI, of 160 pixels at most.

    Example:
        >>> png_uri(np.zeros((1, 1, 3), dtype=np.uint8))[:30]
        'data:image/png;base64,iVBORw0K'
    """
    from PIL import Image

    file = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(image))
    picture.thumbnail((_PIXELS, _PIXELS))
    picture.save(file, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _encode_pair(prediction: npt.NDArray[Any], target: npt.NDArray[Any]) -> dict[str, Any]:
    cube = bounding_cube(prediction, target)
    clouds = {"prediction": prediction, "truth": target}
    return {name: encode_surface(find_surface(cloud, _POINTS), cube) for name, cloud in clouds.items()}
