"""Stateless measures. `chamfer_distance` and `f_score` have the signatures of Kaolin's functions."""

from ds_metrics.functional.chamfer import chamfer_distance
from ds_metrics.functional.density_aware import density_aware_chamfer_distance
from ds_metrics.functional.dispersion import dispersion_score
from ds_metrics.functional.earth_movers import earth_movers_bounds, earth_movers_distance
from ds_metrics.functional.f_score import f_score
from ds_metrics.functional.hausdorff import hausdorff_distance
from ds_metrics.functional.manifold import PRDC, prdc
from ds_metrics.functional.matching import coverage, minimum_matching_distance, one_nn_accuracy
from ds_metrics.functional.memorization import memorization_z_score, oracle_nn_distance
from ds_metrics.functional.normal_consistency import normal_consistency
from ds_metrics.functional.occupancy import occupancy_divergence
from ds_metrics.functional.occupancy_iou import occupancy_iou
from ds_metrics.functional.point_to_surface import point_to_surface_distance
from ds_metrics.functional.recognition import Recognition, recognition_share
from ds_metrics.functional.vendi import distance_similarity, median_scale, vendi_score
from ds_metrics.functional.voxel_iou import voxel_iou, voxelize_clouds

__all__ = [
    "PRDC",
    "Recognition",
    "chamfer_distance",
    "coverage",
    "density_aware_chamfer_distance",
    "dispersion_score",
    "distance_similarity",
    "earth_movers_bounds",
    "earth_movers_distance",
    "f_score",
    "hausdorff_distance",
    "median_scale",
    "memorization_z_score",
    "minimum_matching_distance",
    "normal_consistency",
    "occupancy_divergence",
    "occupancy_iou",
    "one_nn_accuracy",
    "oracle_nn_distance",
    "point_to_surface_distance",
    "prdc",
    "recognition_share",
    "vendi_score",
    "voxel_iou",
    "voxelize_clouds",
]
