import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from ds_metrics.plotting import plot_curve, plot_distance_matrix, plot_medoids

RNG = np.random.default_rng(0)


def save(figure, tmp_path):
    figure.savefig(tmp_path / "figure.png", dpi=50)
    assert (tmp_path / "figure.png").stat().st_size > 500


def line_distances(places):
    places = np.asarray(places, dtype=float)
    return np.abs(places[:, None] - places[None])


def test_matrix_rows_go_by_cluster_size_then_distance_to_the_medoid(tmp_path):
    # Cluster 7: samples 1, 2, 4 around the medoid 4; cluster 3: samples 0, 3.
    distances = line_distances([0, 12, 9, 1, 10])
    figure, ax = plot_distance_matrix(distances, [3, 7, 7, 3, 7], medoids=[3, 4])
    order = [4, 2, 1, 3, 0]
    np.testing.assert_array_equal(ax.images[0].get_array(), distances[np.ix_(order, order)])
    # Without medoids, the sample with the least sum of distances is found: the same one here.
    _, again = plot_distance_matrix(distances, [3, 7, 7, 3, 7])
    np.testing.assert_array_equal(again.images[0].get_array()[:3], ax.images[0].get_array()[:3, [0, 1, 2, 4, 3]])
    save(figure, tmp_path)


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
def test_matrix_of_any_size(labels, tmp_path):
    figure, _ = plot_distance_matrix(line_distances(np.arange(len(labels))), list(labels))
    save(figure, tmp_path)


def test_matrix_of_equal_samples(tmp_path):
    save(plot_distance_matrix(np.zeros((4, 4)), [0, 0, 1, 1])[0], tmp_path)


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


def test_curve_marks_knee_and_choice(tmp_path):
    figure, ax = plot_curve([4, 1, 2], [1.0, 5.0, 2.0], knee=2, chosen=3, score_label="DS, Chamfer")
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), [1, 2, 4])
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [5, 2, 1])
    assert list(ax.lines[1].get_xdata()) == [2, 2]
    assert (ax.lines[2].get_xdata()[0], ax.lines[2].get_ydata()[0]) == (3, 1.5)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["knee: k = 2", "chosen: k = 3"]
    assert ax.get_ylabel() == "DS, Chamfer"
    save(figure, tmp_path)


def test_curve_of_one_point_has_no_legend(tmp_path):
    figure, ax = plot_curve([3], [0.0])
    assert ax.get_legend() is None
    save(figure, tmp_path)


@pytest.mark.parametrize("scores", [[], [1.0, 2.0, 3.0]])
def test_curve_refuses(scores):
    with pytest.raises(ValueError, match="`scores`"):
        plot_curve([1, 2] if scores else [], scores)


def test_plots_go_into_given_axes():
    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert plot_curve([1, 2], [2, 1], ax=left) == (figure, left)
    assert plot_distance_matrix(np.zeros((2, 2)), [0, 0], ax=right) == (figure, right)


def test_medoids_are_sorted_and_the_rest_counted(tmp_path):
    clouds = [RNG.random((50, 3)) for _ in range(4)]
    figure = plot_medoids(clouds, [1, 500, 99, 0], names=["a", "b", "c", "d"], max_shapes=2)
    assert [ax.get_title() for ax in figure.axes] == ["500 shapes · 83 %", "99 shapes · 16 %"]
    assert [ax.texts[0].get_text() for ax in figure.axes] == ["b", "c"]
    assert figure.get_supxlabel() == "2 smaller clusters with < 1 % of the shapes not shown"
    save(figure, tmp_path)


def test_medoids_paint_near_points_last():
    cloud = RNG.random((200, 3))
    (ax,) = plot_medoids([cloud], [1], azimuth=0, elevation=0).axes
    order = np.argsort(cloud[:, 2])
    x = ax.collections[0].get_offsets()[:, 0]
    assert np.corrcoef(x, cloud[order, 0])[0, 1] > 0.999999


@pytest.mark.parametrize(("up", "axis"), [("y", 1), ("z", 2)])
def test_medoids_stand_upright(up, axis):
    cloud = np.zeros((50, 3))
    cloud[:, axis] = np.linspace(0, 1, 50)
    (ax,) = plot_medoids([cloud], [1], up=up).axes
    drawn = ax.collections[0].get_offsets()
    assert np.ptp(drawn[:, 0]) < 1e-9
    assert np.ptp(drawn[:, 1]) == pytest.approx(1)


def test_medoids_are_lit_from_above():
    sphere = RNG.normal(size=(2000, 3))
    sphere /= np.linalg.norm(sphere, axis=1, keepdims=True)
    (ax,) = plot_medoids([sphere], [1]).axes
    points, colors = ax.collections[0].get_offsets()[1000:], ax.collections[0].get_facecolors()[1000:]
    assert colors[points[:, 1] > 0.2, :3].mean() > 1.2 * colors[points[:, 1] < -0.2, :3].mean()


@pytest.mark.parametrize(
    "cloud",
    [
        np.zeros((1, 3)),
        np.ones((30, 3)),
        np.eye(3),
        RNG.random((40, 3)) * [1, 1, 0],
        RNG.random((40, 3)) * [1, 0, 0],
        RNG.random((40, 3)).astype(np.float32) * 1e6,
    ],
)
def test_medoids_of_degenerate_clouds(cloud, tmp_path):
    figure = plot_medoids([cloud], [1])
    assert np.isfinite(figure.axes[0].collections[0].get_facecolors()).all()
    save(figure, tmp_path)


def test_medoids_of_many_clusters(tmp_path):
    figure = plot_medoids([RNG.random((5, 3))] * 500, [2] * 500, title="Many")
    assert len(figure.axes) == 24
    assert "476 smaller clusters with 95 %" in figure.get_supxlabel()
    save(figure, tmp_path)


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"sizes": [1, 2]}, "sizes"),
        ({"clouds": [], "sizes": []}, "sizes"),
        ({"sizes": [0]}, "sizes"),
        ({"names": ["a", "b"]}, "names"),
        ({"max_shapes": 0}, "max_shapes"),
        ({"up": "x"}, "up"),
        ({"clouds": [np.zeros((2, 2))]}, "clouds"),
        ({"clouds": [np.full((2, 3), np.nan)]}, "clouds"),
    ],
)
def test_medoids_refuse(options, argument):
    with pytest.raises(ValueError, match=f"`{argument}`"):
        plot_medoids(**{"clouds": [np.eye(3)], "sizes": [1], **options})


def test_no_global_state():
    from matplotlib import pyplot

    before = pyplot.get_fignums()
    plot_medoids([np.eye(3)], [1])
    plot_curve([1, 2], [1.0, 0.5])
    assert pyplot.get_fignums() == before
