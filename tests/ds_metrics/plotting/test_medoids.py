import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

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
        ({"medoids": [], "sizes": []}, "sizes"),
        ({"sizes": [0]}, "sizes"),
        ({"names": ["a", "b"]}, "names"),
        ({"max_shapes": 0}, "max_shapes"),
        ({"up": "x"}, "up"),
        ({"medoids": [np.zeros((2, 2))]}, "medoids"),
        ({"medoids": [np.zeros((0, 3))]}, "medoids"),
        ({"medoids": [np.full((2, 3), np.nan)]}, "medoids"),
    ],
)
def test_medoids_refuse(options, argument):
    with pytest.raises(ValueError, match=f"`{argument}`"):
        plot_medoids(**{"medoids": [np.eye(3)], "sizes": [1], **options})


def picture(height=60, width=80, dtype=np.uint8):
    return (
        RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)
        if dtype is np.uint8
        else RNG.random((height, width, 3))
    )


@pytest.mark.parametrize("dtype", [np.uint8, float])
def test_pictures_are_drawn_as_they_are(dtype, save):
    pictures = [picture(60, 80, dtype), picture(137, 137, dtype), picture(70, 50, dtype)]
    figure = plot_medoids(pictures, [1, 3, 0], names=["a", "$ \\x $", "c"], max_shapes=2)
    assert [ax.get_title() for ax in figure.axes] == ["3 images · 75 %", "1 image · 25 %"]
    assert [ax.texts[0].get_text() for ax in figure.axes] == ["$ \\x $", "a"]
    assert figure.get_supxlabel() == "1 smaller cluster with 0 % of the images not shown"
    for ax, drawn in zip(figure.axes, (pictures[1], pictures[0]), strict=True):
        np.testing.assert_array_equal(ax.images[0].get_array(), drawn)
    save(figure)


def test_pictures_keep_their_aspect(save):
    figure = plot_medoids([picture(40, 120)], [1])
    save(figure)
    box = figure.axes[0].get_window_extent()
    assert box.width / box.height == pytest.approx(3, rel=0.02)


@pytest.mark.parametrize("size", [16, 137])
def test_a_white_picture_is_framed(size):
    figure = plot_medoids([np.full((size, size, 3), 255, dtype=np.uint8)], [1])
    FigureCanvasAgg(figure).draw()
    ax = figure.axes[0]
    dark = np.asarray(figure.canvas.buffer_rgba())[::-1, :, :3].min(axis=2) < 235
    box = ax.get_window_extent()
    row, column = round((box.y0 + box.y1) / 2), round((box.x0 + box.x1) / 2)
    np.testing.assert_allclose(np.flatnonzero(dark[row]), [box.x0, box.x1], atol=2)
    np.testing.assert_allclose(np.flatnonzero(dark[: round(box.y1) + 3, column]), [box.y0, box.y1], atol=2)


@pytest.mark.parametrize(("size", "smooth"), [(8, False), (64, True)])
def test_only_pictures_of_few_pixels_show_them(size, smooth):
    squares = np.indices((size, size)).sum(axis=0) % 2 * 255
    figure = plot_medoids([np.repeat(squares[..., None], 3, axis=2).astype(np.uint8)], [1])
    FigureCanvasAgg(figure).draw()
    box = figure.axes[0].get_window_extent()
    inside = np.asarray(figure.canvas.buffer_rgba())[::-1, :, 0]
    inside = inside[round(box.y0) + 5 : round(box.y1) - 5, round(box.x0) + 5 : round(box.x1) - 5]
    between = ((inside > 20) & (inside < 235)).mean()
    assert (between > 0.2) == smooth


@pytest.mark.parametrize(
    "wrong",
    [
        picture().transpose(2, 0, 1),
        picture()[..., :1],
        picture()[:0],
        picture().astype(int),
        picture().astype(float),
        picture() > 100,
        np.full((2, 2, 3), -0.1),
        np.full((2, 2, 3), np.nan),
        np.zeros((1, 2, 2, 3)),
    ],
)
def test_pictures_refuse(wrong):
    with pytest.raises(ValueError, match=r"`medoids` must hold .* at 1"):
        plot_medoids([picture(), wrong], [1, 1])


def test_points_and_pictures_do_not_mix():
    with pytest.raises(ValueError, match=r"points or pictures, not both, but got \(60, 80, 3\) at 0 and \(3, 3\) at 2"):
        plot_medoids([picture(), picture(), np.eye(3)], [1, 1, 1])
