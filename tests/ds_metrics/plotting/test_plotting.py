"""What holds for all pictures."""

import numpy as np
from matplotlib.figure import Figure

from ds_metrics.plotting import plot_curve, plot_distance_matrix, plot_medoids


def test_plots_go_into_given_axes():
    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert plot_curve([1, 2], [2, 1], ax=left) == (figure, left)
    assert plot_distance_matrix(np.zeros((2, 2)), [0, 0], ax=right) == (figure, right)


def test_no_global_state():
    from matplotlib import pyplot

    before = pyplot.get_fignums()
    plot_medoids([np.eye(3)], [1])
    plot_curve([1, 2], [1.0, 0.5])
    assert pyplot.get_fignums() == before
