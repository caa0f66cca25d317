import numpy as np
import pytest

from ds_metrics.plotting import plot_medoids

RNG = np.random.default_rng(0)


def test_medoids_are_sorted_and_the_rest_counted(save):
    clouds = [RNG.random((50, 3)) for _ in range(4)]
    figure = plot_medoids(clouds, [1, 500, 99, 0], names=["a", "b", "c", "d"], max_shapes=2)
    assert [ax.get_title() for ax in figure.axes] == ["500 shapes · 83 %", "99 shapes · 16 %"]
    assert [ax.texts[0].get_text() for ax in figure.axes] == ["b", "c"]
    assert figure.get_supxlabel() == "2 smaller clusters with < 1 % of the shapes not shown"
    save(figure)


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
def test_medoids_of_degenerate_clouds(cloud, save):
    figure = plot_medoids([cloud], [1])
    assert np.isfinite(figure.axes[0].collections[0].get_facecolors()).all()
    save(figure)


def test_medoids_of_many_clusters(save):
    figure = plot_medoids([RNG.random((5, 3))] * 500, [2] * 500, title="Many")
    assert len(figure.axes) == 24
    assert "476 smaller clusters with 95 %" in figure.get_supxlabel()
    save(figure)


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
