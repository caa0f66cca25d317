"""Shapes as metrics take them."""

from __future__ import annotations

import numpy as np
import torch

from ds_metrics.clouds import Clouds
from svr_baselines.data import ShapeSet


def as_clouds(shapes: ShapeSet) -> Clouds:
    """One tensor where all clouds are equally large, as most metrics expect; a list otherwise."""
    clouds = [np.ascontiguousarray(cloud) for cloud in shapes.clouds]
    if len({(cloud.shape, cloud.dtype) for cloud in clouds}) > 1:
        return [torch.from_numpy(cloud) for cloud in clouds]
    first = clouds[0]
    if all(cloud.ctypes.data == first.ctypes.data + k * first.nbytes for k, cloud in enumerate(clouds)):
        # Views of one array, end to end: a mapped file larger than memory stays where it is.
        strides = (first.nbytes, *first.strides)
        return torch.from_numpy(np.lib.stride_tricks.as_strided(first, (len(clouds), *first.shape), strides))
    return torch.from_numpy(np.stack(clouds))
