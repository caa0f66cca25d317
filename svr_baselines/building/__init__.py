"""Data sets built by one call each: the paper's synthetic set; points, renders and occupancy of a folder of meshes."""

from svr_baselines.building.build import Summary, Workers
from svr_baselines.building.kaolin_meshes import kaolin_sources
from svr_baselines.building.occupancy import build_occupancy
from svr_baselines.building.points import build_points
from svr_baselines.building.renders import RANGES, Viewpoints, build_renders
from svr_baselines.building.sources import MeshFile, MeshSource, find_meshes
from svr_baselines.building.synthetic import build_synthetic

__all__ = [
    "RANGES",
    "MeshFile",
    "MeshSource",
    "Summary",
    "Viewpoints",
    "Workers",
    "build_occupancy",
    "build_points",
    "build_renders",
    "build_synthetic",
    "find_meshes",
    "kaolin_sources",
]
