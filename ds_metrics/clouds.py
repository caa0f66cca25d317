"""Point clouds of any sizes, and feature vectors: checked once and packed end to end."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ds_metrics.arguments import check_plain

Clouds: TypeAlias = "Tensor | np.ndarray | Sequence[Tensor | np.ndarray] | PackedClouds"


_ROUNDED = 2.5e-5  # of the extent of a sample: rounded by more, what it differs by from others may be lost
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_CHECKED_ROWS = 2**16  # points at a time, so that a check takes little memory beside the points
_CHECKED_NUMBERS = 2**24  # of feature vectors at a time, so that those in a file are read once


class PackedClouds(NamedTuple):
    """``N`` point clouds laid end to end, or ``N`` feature vectors: a vector is a cloud of one point.

    Attributes:
        points: The points of all clouds, of shape ``(T, 3)``, float32 or float64; the vectors, of shape ``(N, D)``,
            float16, float32 or float64.
        lengths: Points of each cloud, of shape ``(N,)``, int64, on the CPU; they sum to ``T``.
    """

    points: Tensor
    lengths: Tensor

    def split(self) -> tuple[Tensor, ...]:
        """The clouds one by one, each of shape ``(P_i, 3)``; vectors ``(1, D)``."""
        return torch.split(self.points, self.lengths.tolist())

    def take(self, indices: NDArray[np.int64]) -> PackedClouds:
        """Some of the clouds, as a copy: of points that are mapped from a file, only theirs are read."""
        offsets, lengths = self.offsets[indices].tolist(), self.lengths[indices].tolist()
        parts = [self.points[start : start + length] for start, length in zip(offsets, lengths, strict=True)]
        return PackedClouds(torch.cat([self.points[:0], *parts]), self.lengths[indices])

    @property
    def segments(self) -> Tensor:
        """Index of the cloud that each point belongs to, of shape ``(T,)``, beside the points."""
        device = self.points.device  # built there: the lengths are what has to be copied, not an index for each point
        if len(self.lengths) == 1:  # which is common and takes a tenth of the time
            return torch.zeros(len(self.points), dtype=torch.int64, device=device)
        index = torch.arange(len(self.lengths), device=device)
        return torch.repeat_interleave(index, self.lengths.to(device), output_size=len(self.points))

    @property
    def offsets(self) -> Tensor:
        """Where each cloud starts, of shape ``(N,)``, on the CPU."""
        return self.lengths.cumsum(0) - self.lengths


def pack_clouds(
    clouds: Clouds, lengths: Tensor | None = None, name: str = "clouds", finite: bool = True
) -> PackedClouds:
    """Check point clouds and lay them end to end. Gradients flow through.

    Args:
        clouds: A float tensor or array of shape ``(B, P, 3)``, or a sequence of ``(P_i, 3)``.
            Half precision is computed with in float32. Packed clouds were checked before and come back as they are.
        lengths: Valid points of each padded cloud, of shape ``(B,)``; what lies beyond is ignored.
        name: What error messages call the argument.
        finite: Whether to look for NaN and infinity; not so where a later step does, see `check_finite`.

    Raises:
        TypeError: If the points are not floating point numbers, or masked, sparse or nested tensors.
        ValueError: If a shape is wrong, a cloud is empty, or a point is NaN or infinite.

    Example:
        >>> packed = pack_clouds([torch.zeros(4, 3), torch.ones(2, 3)])
        >>> packed.points.shape, packed.lengths.tolist()
        (torch.Size([6, 3]), [4, 2])
    """
    if isinstance(clouds, PackedClouds):
        return clouds
    if isinstance(clouds, (Tensor, np.ndarray)):
        packed = _pack_batch(_as_floats(clouds, name), lengths, name)
    else:
        packed = _pack_list(clouds, lengths, name)
    if finite:
        check_finite(packed, name)
    return packed


def cloud_sizes(clouds: Clouds, packed: PackedClouds) -> list[int]:
    """How many points each cloud has: where shapes tell, without a look at the lengths, which compilation can't take.

    Args:
        clouds: As they were given to `pack_clouds`.
        packed: What it made of them.
    """
    if isinstance(clouds, (Tensor, np.ndarray)) and clouds.shape[0] * clouds.shape[1] == len(packed.points):
        return [clouds.shape[1]] * clouds.shape[0]
    if isinstance(clouds, (Tensor, np.ndarray, PackedClouds)):
        return packed.lengths.tolist()
    return [len(cloud) for cloud in clouds]


def cast(clouds: PackedClouds, device: torch.device, dtype: torch.dtype, name: str) -> PackedClouds:
    """Checked samples without gradient, on a device and in a type; with a warning if that takes digits that matter.

    Raises:
        ValueError: If their numbers are too large for the type.
    """
    given = clouds.points.detach()
    points = given.to(device, dtype)
    if torch.finfo(dtype).eps > torch.finfo(given.dtype).eps and len(given):
        largest = float(given.abs().max())
        if largest > torch.finfo(dtype).max:
            raise ValueError(f"Argument `{name}` must hold numbers that fit {dtype}, but they reach {largest:g}")
        _warn_of_rounding(clouds, dtype, name)
    return PackedClouds(points, clouds.lengths)


def _warn_of_rounding(clouds: PackedClouds, dtype: torch.dtype, name: str) -> None:
    """Warn where a sample lies so far from the origin that a type loses what it differs by from others."""
    points, count = clouds.points.detach(), len(clouds.lengths)
    if (clouds.lengths == 1).all():  # vectors, or single points, which have no extent of their own
        largest, extent = points.abs().amax()[None], (points.amax(dim=0) - points.amin(dim=0)).max()[None]
    else:
        rows = clouds.segments[:, None].expand_as(points)
        low, high = (points.new_zeros(count, points.shape[1]) for _ in range(2))
        low = low.scatter_reduce(0, rows, points, "amin", include_self=False)
        high = high.scatter_reduce(0, rows, points, "amax", include_self=False)
        largest, extent = torch.maximum(low.abs(), high.abs()).amax(dim=1), (high - low).amax(dim=1)
    lost = (largest * torch.finfo(dtype).eps > _ROUNDED * extent) & (extent > 0)
    if lost.any():
        first = int(lost.nonzero()[0])
        warnings.warn(
            f"Argument `{name}` holds numbers up to {float(largest[first]):g} that differ by "
            f"{float(extent[first]):g}, of which {dtype} loses digits that matter: centre them, or call "
            "`set_dtype(torch.float64)` on the metric",
            RuntimeWarning,
            stacklevel=3,
        )


def pack_features(features: Clouds, name: str = "features") -> PackedClouds:
    """Check feature vectors, and take each for a cloud of one point in ``D`` dimensions.

    They are not copied: a memory-mapped array stays in its file.

    Args:
        features: A float tensor or array of shape ``(N, D)``. Half precision stays half, for its size; bfloat16
            becomes float32. Packed vectors were checked before and come back as they are.
        name: What error messages call the argument.

    Raises:
        TypeError: If the features are not floating point numbers.
        ValueError: If the shape is wrong, vectors are empty, or a number is NaN or infinite.

    Example:
        >>> packed = pack_features(torch.zeros(4, 512, dtype=torch.float16))
        >>> packed.points.shape, packed.points.dtype, packed.lengths.tolist()
        (torch.Size([4, 512]), torch.float16, [1, 1, 1, 1])
    """
    if isinstance(features, PackedClouds):
        if (features.lengths != 1).any():
            raise ValueError(f"Argument `{name}` must hold feature vectors, but got point clouds")
        return features
    check_plain(name, features)
    rows = _as_features(features, name)
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise ValueError(f"Argument `{name}` must have shape (N, D) with D at least 1, but got {tuple(rows.shape)}")
    _check_finite_features(rows.detach(), name)
    return PackedClouds(rows, torch.ones(len(rows), dtype=torch.int64, device="cpu"))


def _as_features(features: Clouds, name: str) -> Tensor:
    tensor: object = features
    if isinstance(features, np.ndarray) and features.dtype.kind == "f" and features.dtype.itemsize <= 8:
        tensor = as_tensor(features)
    if not isinstance(tensor, Tensor) or tensor.dtype not in FLOATS:
        kind = getattr(features, "dtype", type(features).__name__)
        raise TypeError(f"Argument `{name}` must be a floating point tensor or array of shape (N, D), but got {kind}")
    return tensor.float() if tensor.dtype == torch.bfloat16 else tensor


def _as_floats(points: Tensor | np.ndarray, name: str) -> Tensor:
    check_plain(name, points)
    tensor: object = points
    if isinstance(points, np.ndarray) and points.dtype.kind == "f" and points.dtype.itemsize <= 8:
        tensor = as_tensor(points)
    if not isinstance(tensor, Tensor) or tensor.dtype not in FLOATS:
        kind = getattr(points, "dtype", type(points).__name__)
        raise TypeError(f"Argument `{name}` must hold floating point tensors or arrays, but got {kind}")
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def as_tensor(array: np.ndarray) -> Tensor:
    """A tensor of the same memory where it can be, also of an array that can't be written."""
    if not array.dtype.isnative or min(array.strides, default=0) < 0:
        array = array.astype(array.dtype.newbyteorder("="))
    with warnings.catch_warnings():
        # An array that is mapped read-only is welcome: points are only ever read.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.as_tensor(array, device="cpu")


def _pack_batch(batch: Tensor, lengths: Tensor | None, name: str) -> PackedClouds:
    if batch.ndim != 3 or batch.shape[-1] != 3:
        raise ValueError(f"Argument `{name}` must have shape (B, P, 3), but got {tuple(batch.shape)}")
    size, width = batch.shape[:2]
    if lengths is None:
        _check_sizes([width] * size, name)
        return PackedClouds(batch.reshape(-1, 3), torch.full((size,), width, dtype=torch.int64, device="cpu"))
    lengths = _as_lengths(lengths, name)
    integers = not (lengths.is_floating_point() or lengths.is_complex() or lengths.dtype == torch.bool)
    if lengths.shape != (size,) or not integers:
        raise ValueError(
            f"Argument `lengths` of `{name}` must be {size} integers, "
            f"but got shape {tuple(lengths.shape)} of {lengths.dtype}"
        )
    lengths = lengths.to(torch.int64).contiguous()
    if size and (int(lengths.min()) < 0 or int(lengths.max()) > width):
        raise ValueError(
            f"Argument `lengths` of `{name}` must lie between 1 and {width}, "
            f"but got values from {int(lengths.min())} to {int(lengths.max())}"
        )
    _check_sizes(lengths.tolist(), name)
    mask = torch.arange(width, device="cpu") < lengths[:, None]
    return PackedClouds(batch[mask.to(batch.device)], lengths)


def _pack_list(clouds: Sequence[Tensor | np.ndarray], lengths: Tensor | None, name: str) -> PackedClouds:
    if not isinstance(clouds, Sequence) or isinstance(clouds, (str, bytes)):
        raise TypeError(
            f"Argument `{name}` must be a (B, P, 3) tensor or a sequence of (P, 3) tensors, "
            f"but got {type(clouds).__name__}"
        )
    if lengths is not None:
        raise ValueError(f"Argument `lengths` of `{name}` goes with a padded (B, P, 3) tensor, not with a sequence")
    tensors = [_as_floats(cloud, name) for cloud in clouds]
    for index, tensor in enumerate(tensors):
        if tensor.ndim != 2 or tensor.shape[-1] != 3:
            raise ValueError(
                f"Argument `{name}` must hold clouds of shape (P, 3), but cloud {index} has shape {tuple(tensor.shape)}"
            )
    if not tensors:
        none = torch.empty(0, 3, dtype=torch.float32, device="cpu")
        return PackedClouds(none, torch.empty(0, dtype=torch.int64, device="cpu"))
    sizes = [len(tensor) for tensor in tensors]
    _check_sizes(sizes, name)
    return PackedClouds(torch.cat(tensors), torch.tensor(sizes, dtype=torch.int64, device="cpu"))


def _as_lengths(lengths: Tensor, name: str) -> Tensor:
    check_plain(f"lengths` of `{name}", lengths)
    try:
        return torch.as_tensor(lengths, device="cpu")
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(
            f"Argument `lengths` of `{name}` must be a tensor of integers, but got {type(lengths).__name__}"
        ) from None


def _check_sizes(sizes: list[int], name: str) -> None:
    if 0 in sizes:
        raise ValueError(
            f"Argument `{name}` must hold clouds of at least one point, but cloud {sizes.index(0)} is empty"
        )


def _check_finite_features(rows: Tensor, name: str) -> None:
    step = max(1, _CHECKED_NUMBERS // rows.shape[1])
    bad = torch.zeros(len(rows), dtype=torch.bool, device=rows.device)
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        # Extremes take no memory, as a mask would, and NaN is either.
        bad[start : start + step] = _not_finite(part.amin(dim=1)) | _not_finite(part.amax(dim=1))
    if bad.any():
        first = int(bad.nonzero()[0])
        more = int(bad.sum()) - 1
        count = int(_not_finite(rows[first]).sum())
        raise ValueError(
            f"Argument `{name}` must hold finite features, but sample {first} has {count} "
            f"NaN or infinite numbers" + (f" ({more} more samples have some too)" if more else "")
        )


def _not_finite(numbers: Tensor) -> Tensor:
    return ~torch.isfinite(numbers)


def check_finite(packed: PackedClouds, name: str) -> None:
    """Raise ``ValueError`` for clouds with NaN or infinity, saying which."""
    points = packed.points.detach()
    if not all(bool(torch.isfinite(rows).all()) for rows in torch.split(points, _CHECKED_ROWS)):
        bad = ~torch.isfinite(points).all(dim=1)
        counts = torch.bincount(packed.segments[bad], minlength=len(packed.lengths))
        first = int(counts.nonzero()[0])
        more = int((counts > 0).sum()) - 1
        raise ValueError(
            f"Argument `{name}` must hold finite points, but cloud {first} has {int(counts[first])} "
            f"NaN or infinite points" + (f" ({more} more clouds have some too)" if more else "")
        )
