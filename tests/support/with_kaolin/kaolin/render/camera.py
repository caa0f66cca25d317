import math
from types import SimpleNamespace

import torch


class Extrinsics:
    """World to camera: looks along -Z."""

    def __init__(self, eye, at, up):
        forward = (at - eye) / (at - eye).norm(dim=-1, keepdim=True)
        right = torch.cross(forward, up, dim=-1)
        right = right / right.norm(dim=-1, keepdim=True)
        self.rotation = torch.stack([right, torch.cross(right, forward, dim=-1), -forward], dim=1)
        self.eye = eye

    def transform(self, vectors):
        assert vectors.dtype == self.eye.dtype
        return torch.einsum("vij,vpj->vpi", self.rotation, vectors - self.eye[:, None])


class Intrinsics:
    """Camera to normalised device coordinates, of which Y is up."""

    def __init__(self, fov, width, height):
        self.focal = 1 / math.tan(fov / 2)
        self.aspect = width / height

    def transform(self, vectors):
        x, y, z = vectors.unbind(-1)
        return torch.stack([self.focal / self.aspect * x / -z, self.focal * y / -z, torch.zeros_like(z)], dim=-1)


class Camera:
    @classmethod
    def from_args(cls, *, eye, at, up, fov, width, height, dtype, device):
        values = [value.to(dtype=dtype, device=device) for value in (eye, at, up)]
        return SimpleNamespace(extrinsics=Extrinsics(*values), intrinsics=Intrinsics(fov, width, height))
