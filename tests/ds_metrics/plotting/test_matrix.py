import numpy as np
import pytest
from matplotlib.collections import LineCollection

from ds_metrics.plotting import plot_distance_matrix


def line_distances(places):
    places = np.asarray(places, dtype=float)
    return np.abs(places[:, None] - places[None])


def test_matrix_rows_go_by_cluster_size_then_distance_to_the_medoid(save):
    # Cluster 7: samples 1, 2, 4 around the medoid 4; cluster 3: samples 0, 3.
    distances = line_distances([0, 12, 9, 1, 10])
    figure, ax = plot_distance_matrix(distances, [3, 7, 7, 3, 7], medoids=[3, 4])
    order = [4, 2, 1, 3, 0]
    np.testing.assert_array_equal(ax.images[0].get_array(), distances[np.ix_(order, order)])
    # Without medoids, the sample with the least sum of distances is found: the same one here.
    _, again = plot_distance_matrix(distances, [3, 7, 7, 3, 7])
    np.testing.assert_array_equal(again.images[0].get_array()[:3], ax.images[0].get_array()[:3, [0, 1, 2, 4, 3]])
    save(figure)


def test_matrix_outlines_clusters_and_states_the_distance():
    figure, ax = plot_distance_matrix(
        line_distances([0, 1, 9]), [0, 0, 1], title="Predictions", distance_label="Chamfer, sum of squares"
    )
    (squares,) = [item for item in ax.collections if isinstance(item, LineCollection)]
    np.testing.assert_array_equal(squares.get_segments()[0][2], [1.5, 1.5])
    assert len(squares.get_segments()) == 2
    assert figure.axes[1].get_ylabel() == "Chamfer, sum of squares"
    assert ax.get_title() == "Predictions"


@pytest.mark.parametrize("labels", [[0], [0, 0], [0, 1], range(500), [0] * 30])
def test_matrix_of_any_size(labels, save):
    figure, _ = plot_distance_matrix(line_distances(np.arange(len(labels))), list(labels))
    save(figure)


def test_matrix_of_equal_samples(save):
    save(plot_distance_matrix(np.zeros((4, 4)), [0, 0, 1, 1])[0])


@pytest.mark.parametrize(
    ("distances", "labels", "message"),
    [
        (np.zeros((2, 3)), [0, 0], "`distances` must have shape"),
        (np.zeros((0, 0)), [], "`distances` must have shape"),
        (np.zeros((2, 2)), [0], "`labels` must have shape"),
        (np.full((2, 2), np.nan), [0, 0], "finite"),
    ],
)
def test_matrix_refuses(distances, labels, message):
    with pytest.raises(ValueError, match=message):
        plot_distance_matrix(distances, labels)
