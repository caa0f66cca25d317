"""Surfaces and cameras to pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from svr_baselines.data.cameras import Camera
from svr_baselines.data.points import check_count
from svr_baselines.rendering.backends import choose_renderer, load_renderer
from svr_baselines.rendering.projection import View
from svr_baselines.rendering.shading import Array, Hits, Shader
from svr_baselines.rendering.surface import Surface


def render(
    surface: Surface, cameras: Sequence[Camera], size: int = 224, renderer: str = "auto", samples: int = 2
) -> npt.NDArray[np.uint8]:
    """Draw a surface from each camera, on a transparent ground.

    The light is that of `shading`. A pixel is the mean of `samples` x `samples` samples at the centres of equal
    squares; its alpha is the share of them that see the surface, its colour the mean of what those see. Pixels that see
    nothing are zero.

    Args:
        surface: What to draw; cameras look at the origin of its frame. `Surface.normalized` brings it there.
        cameras: Where from.
        size: Pixels along each side.
        renderer: `"auto"`, `"kaolin"` or `"embree"`.
        samples: Samples along each side of a pixel; 1 gives no anti-aliasing.

    Returns:
        `(V, size, size, 4)` uint8, RGB and alpha, not premultiplied; row 0 is on top.

    Raises:
        ValueError: If `size` or `samples` is not an integer of at least 1, the surface has no size, or the renderer
            is unknown or not installed.

    Example:
        >>> corners = np.array([[0, y, z] for y in (-1.0, 1) for z in (-1.0, 1)])
        >>> square = Surface(corners, np.array([[0, 1, 2], [1, 3, 2]]))
        >>> picture = render(square, [Camera(azimuth=0, elevation=0, distance=4)], size=5, renderer="embree")[0]
        >>> picture[..., 3]
        array([[  0,   0,   0,   0,   0],
               [  0, 255, 255, 255,   0],
               [  0, 255, 255, 255,   0],
               [  0, 255, 255, 255,   0],
               [  0,   0,   0,   0,   0]], dtype=uint8)
        >>> picture[2, 2]  # grey, 0.8, in the light that falls on faces towards +X
        array([137, 137, 137, 255], dtype=uint8)
    """
    check_count("size", size)
    check_count("samples", samples)
    trace = load_renderer(choose_renderer(renderer))
    # Renderers compute in float32: they get the shape about the origin and of size 1, wherever it is.
    centre, diagonal = surface.frame()
    surface = replace(surface, vertices=(np.asarray(surface.vertices, dtype=np.float64) - centre) / diagonal)
    views = [View.of(camera, centre, diagonal) for camera in cameras]
    shader = Shader(surface)
    pictures = np.zeros((len(views), size, size, 4), dtype=np.uint8)
    found = trace(surface.vertices, surface.faces, views, size * samples)
    for picture, view, hits in zip(pictures, views, found, strict=True):
        _fill(picture, hits, shader.colors(hits, view), samples)
    return pictures


def _fill(picture: Array, hits: Hits, colors: Array, samples: int) -> None:
    """Average the samples `(N, 3)` of each pixel into a picture `(size, size, 4)`."""
    size = len(picture)
    row, column = np.divmod(hits.sample, size * samples)
    pixel = row // samples * size + column // samples
    count = np.bincount(pixel, minlength=size * size)
    seen = np.flatnonzero(count)
    flat = picture.reshape(-1, 4)
    for channel in range(3):
        total = np.bincount(pixel, weights=colors[:, channel], minlength=size * size)
        flat[seen, channel] = np.clip(255 * total[seen] / count[seen], 0, 255).round()
    flat[seen, 3] = (255 * count[seen] / samples**2).round()
