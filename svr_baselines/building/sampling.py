"""Points of a surface, evenly by area: by numpy, or by Kaolin where it is asked for."""

from __future__ import annotations

from threading import Lock

import numpy as np
import numpy.typing as npt

from svr_baselines.data.points import sample_mesh
from svr_baselines.rendering import Surface

SAMPLERS = ("auto", "kaolin", "numpy")

_GENERATOR = Lock()  # torch's own, which Kaolin draws from: one thread at a time has it


def choose_sampler(name: str = "auto") -> str:
    """Name of what draws. `"auto"` is `"numpy"` everywhere, so that any machine, and `ds eval`, draws the same points.

    `"kaolin"` draws from the same distribution, but not the same points; it takes three to five times as long.

    Raises:
        ValueError: If the name is unknown, or Kaolin is asked for and not there.

    Example:
        >>> choose_sampler("auto")
        'numpy'
    """
    if name not in SAMPLERS:
        raise ValueError(f"Argument `sampler` must be one of {SAMPLERS}, but got {name!r}.")
    if name != "kaolin":
        return "numpy"
    from ds_metrics.pairwise.backends import describe_fault, import_quietly

    try:
        import_quietly("kaolin.ops.mesh")
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # as of packages that are half there
        raise ValueError(f"Argument `sampler` is 'kaolin', which can't be imported: {describe_fault(error)}") from error
    return name


def sample_surface(surface: Surface, points: int, seed: int, sampler: str = "numpy") -> npt.NDArray[np.float32]:
    """Draw points from a surface, evenly by area.

    Args:
        surface: What to draw from.
        points: How many.
        seed: Seed of the draw.
        sampler: `"numpy"`; or `"kaolin"`, whose `kaolin.ops.mesh.sample_points` draws from torch's own generator. That
            is seeded for the draw and then left as it was; calls of several threads wait for each other, but a thread
            that draws from torch by itself meanwhile changes the points.

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
    with _GENERATOR, torch.device("cpu"), torch.random.fork_rng(devices=[]):
        areas = mesh.face_areas(vertices, faces)
        if not areas.sum() > 0:
            raise ValueError("the surface of the mesh has no area")
        torch.default_generator.manual_seed(seed % 2**63)  # not those of GPUs, as `torch.manual_seed` does
        cloud, _ = mesh.sample_points(vertices, faces, points, areas=areas)
    drawn: npt.NDArray[np.float32] = cloud[0].numpy()
    return drawn
