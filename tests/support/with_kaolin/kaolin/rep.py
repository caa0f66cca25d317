import enum

import torch

ATTRIBUTES = [
    "vertices",
    "faces",
    "normals",
    "uvs",
    "face_uvs_idx",
    "face_normals_idx",
    "material_assignments",
    "materials",
    "vertex_normals",
    "vertex_colors",
    "face_normals",
    "face_uvs",
    "face_colors",
    "transform",
]


class SurfaceMesh:
    """One mesh, or a batch of some; what is not set is ``None``, but normals, which are computed when asked for."""

    class Batching(str, enum.Enum):
        NONE = "NONE"
        FIXED = "FIXED"
        LIST = "LIST"

    __slots__ = ("batching", *ATTRIBUTES)

    def __init__(self, vertices, faces, **attributes):
        for name, value in {"vertices": vertices, "faces": faces, **attributes}.items():
            if value is not None:
                setattr(self, name, value)
        kinds = self.Batching
        self.batching = (
            kinds.LIST if isinstance(vertices, list) else kinds((kinds.NONE, kinds.FIXED)[vertices.ndim == 3])
        )

    def __getattr__(self, name):
        if name not in self.__slots__:
            raise AttributeError(f'SurfaceMesh does not support attribute named "{name}"')
        if name == "face_normals":
            self.face_normals = torch.ones(*self.faces.shape, 3)
        return object.__getattribute__(self, name) if self.has_attribute(name) else None

    def has_attribute(self, name):
        """Whether it is set."""
        try:
            object.__getattribute__(self, name)
        except AttributeError:
            return False
        return True

    def __reduce__(self):  # as it is with slots and such a `__getattr__`
        return _fail, ()

    def __len__(self):
        return 1 if self.batching == "NONE" else len(self.vertices)

    def __getitem__(self, index):
        if index >= len(self):
            raise IndexError(index)
        if self.batching == "NONE":
            return self
        shared = ("faces",) if self.batching == "FIXED" else ()
        held = {name: getattr(self, name) for name in ATTRIBUTES if self.has_attribute(name)}
        return SurfaceMesh(**{name: value if name in shared else value[index] for name, value in held.items()})

    def as_transformed(self):
        """The mesh with its transform applied, of one mesh alone."""
        if not self.has_attribute("transform"):
            return self
        mesh = SurfaceMesh(**{name: getattr(self, name) for name in ATTRIBUTES if self.has_attribute(name)})
        linear = self.transform[:3, :3].to(self.vertices.dtype)
        mesh.vertices = self.vertices @ linear.T + self.transform[:3, 3].to(self.vertices.dtype)
        for name in ("normals", "vertex_normals", "face_normals"):
            if self.has_attribute(name):
                turned = getattr(self, name) @ torch.linalg.inv(linear)
                setattr(mesh, name, torch.nn.functional.normalize(turned, dim=-1))
        del mesh.transform
        return mesh


def _fail():
    raise RuntimeError("a SurfaceMesh does not unpickle")
