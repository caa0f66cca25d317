"""Figures of a clustering: the ordered distance matrix, the score over k, and the medoids, shapes or pictures.

Figures are made without pyplot: nothing global is touched and no display is needed. `ds_metrics` does not
import this module by itself, so matplotlib is loaded only where something is drawn.
"""

from ds_metrics.plotting.clouds import draw_cloud
from ds_metrics.plotting.curve import plot_curve, plot_curves
from ds_metrics.plotting.matrix import plot_distance_matrix
from ds_metrics.plotting.medoids import draw_picture, plot_medoids

__all__ = ["draw_cloud", "draw_picture", "plot_curve", "plot_curves", "plot_distance_matrix", "plot_medoids"]
