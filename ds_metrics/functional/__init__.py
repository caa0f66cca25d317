"""Stateless measures, with Kaolin's signatures where Kaolin has the function."""

from ds_metrics.functional.chamfer import chamfer_distance
from ds_metrics.functional.dispersion import dispersion_score
from ds_metrics.functional.f_score import f_score

__all__ = ["chamfer_distance", "dispersion_score", "f_score"]
