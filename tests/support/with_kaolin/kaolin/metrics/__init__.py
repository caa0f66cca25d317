from . import pointcloud, voxelgrid  # noqa: F401
