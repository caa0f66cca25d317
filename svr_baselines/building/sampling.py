"""Points of a surface, evenly by area: by Kaolin where it is there, by numpy otherwise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from svr_baselines.data.points import sample_mesh
from svr_baselines.rendering import Surface

SAMPLERS = ("auto", "kaolin", "numpy")


def choose_sampler(name: str = "auto") -> str:
    """Name of what draws: for `"auto"`, `"kaolin"` where NVIDIA Kaolin can be imported, and `"numpy"` elsewhere.

    Both draw from the same distribution, but not the same points.

    Raises:
        ValueError: If the name is unknown, or Kaolin is asked for and not there.

    Example:
        >>> choose_sampler("numpy")
        'numpy'
    """
    if name not in SAMPLERS:
        raise ValueError(f"Argument `sampler` must be one of {SAMPLERS}, but got {name!r}.")
    if name == "numpy":
        return name
    from ds_metrics.pairwise.backends import import_quietly

    try:
        import_quietly("kaolin.ops.mesh")
    except ImportError as error:
        if name == "kaolin":
            raise ValueError(f"Argument `sampler` is 'kaolin', which can't be imported: {error}.") from error
        return "numpy"
    return "kaolin"


def sample_surface(surface: Surface, points: int, seed: int, sampler: str = "numpy") -> npt.NDArray[np.float32]:
    """Draw points from a surface, evenly by area.

    Args:
        surface: What to draw from.
        points: How many.
        seed: Seed of the draw; torch's own generator is left as it is.
        sampler: `"numpy"` or `"kaolin"`, whose `kaolin.ops.mesh.sample_points` is used.

    Returns:
        `(points, 3)`.

    Raises:
        ValueError: If the surface has no area.

    Example:
        >>> square = Surface(np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]), np.array([[0, 1, 2], [0, 2, 3]]))
        >>> cloud = sample_surface(square, 1000, seed=0)
        >>> cloud.shape, cloud.mean(axis=0).round(1).tolist()
        ((1000, 3), [0.5, 0.5, 0.0])
    """
    if sampler == "numpy":
        return sample_mesh(surface.vertices, surface.faces, points, seed).astype(np.float32)
    return _sample_by_kaolin(surface, points, seed)


def _sample_by_kaolin(surface: Surface, points: int, seed: int) -> npt.NDArray[np.float32]:
    import torch

    from ds_metrics.pairwise.backends import import_quietly

    mesh = import_quietly("kaolin.ops.mesh")
    vertices = torch.from_numpy(np.asarray(surface.vertices, dtype=np.float32))[None]
    faces = torch.from_numpy(np.asarray(surface.faces, dtype=np.int64))
    areas = mesh.face_areas(vertices, faces)
    if not areas.sum() > 0:
        raise ValueError("the surface of the mesh has no area")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed % 2**63)
        cloud, _ = mesh.sample_points(vertices, faces, points, areas=areas)
    drawn: npt.NDArray[np.float32] = cloud[0].numpy()
    return drawn
