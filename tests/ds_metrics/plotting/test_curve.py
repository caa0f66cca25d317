import numpy as np
import pytest

from ds_metrics.clustering import Curve
from ds_metrics.plotting import plot_curve, plot_curves


def test_curve_marks_knee_and_choice(save):
    figure, ax = plot_curve([4, 1, 2], [1.0, 5.0, 2.0], knee=2, chosen=3, score_label="DS, Chamfer")
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), [1, 2, 4])
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [5, 2, 1])
    assert list(ax.lines[1].get_xdata()) == [2, 2]
    assert (ax.lines[2].get_xdata()[0], ax.lines[2].get_ydata()[0]) == (3, 1.5)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["knee: k = 2", "chosen: k = 3"]
    assert ax.get_ylabel() == "DS, Chamfer"
    save(figure)


def test_curve_of_one_point_has_no_legend(save):
    figure, ax = plot_curve([3], [0.0])
    assert ax.get_legend() is None
    save(figure)


@pytest.mark.parametrize("scores", [[], [1.0, 2.0, 3.0]])
def test_curve_refuses(scores):
    with pytest.raises(ValueError, match="`scores`"):
        plot_curve([1, 2] if scores else [], scores)


def test_interval_is_an_error_bar_at_the_chosen_k(save):
    figure, ax = plot_curve([1, 2, 4], [5.0, 2.0, 1.0], chosen=2, interval=(1.5, 2.75))
    (bar,) = ax.collections
    np.testing.assert_allclose(bar.get_segments()[0], [[2, 1.5], [2, 2.75]])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["chosen: k = 2", "its confidence interval"]
    save(figure)
    with pytest.raises(ValueError, match="`interval` goes with `chosen`"):
        plot_curve([1, 2], [2.0, 1.0], interval=(1.0, 2.0))


@pytest.mark.parametrize(
    ("top", "scale", "ticks"),
    [(63, "linear", "60"), (64, "log", "50"), (2000, "log", "2,000"), (10**6, "log", "100,000")],
)
def test_a_wide_grid_has_a_logarithmic_axis(top, scale, ticks, save):
    ks = np.unique(np.geomspace(1, top, 30).round())
    figure, ax = plot_curve(ks, 1 / ks)
    save(figure)
    assert ax.get_xscale() == scale
    low, high = ax.get_xlim()
    shown = [label.get_text() for label in ax.get_xticklabels() if low <= label.get_position()[0] <= high]
    assert shown.count(ticks) == 1
    assert len(shown) <= 12


def curve(scores, knee, ks=(1, 2, 3)):
    return Curve(np.array(ks), np.array(scores, dtype=float), knee, "kneedle")


def test_curves_share_axes_and_mark_their_knees(save):
    curves = {"truth": curve([5, 2, 1], 2), "network": curve([4, 3, 2, 1], 4, (1, 2, 4, 6))}
    figure, ax = plot_curves(curves, {"network": (2, 2.5, 4.0)}, score_label="DS, Chamfer")
    lines = {tuple(line.get_ydata()): line for line in ax.lines}
    assert list(lines[5, 2, 1].get_xdata()) == [1, 2, 3]
    assert list(lines[4, 3, 2, 1].get_xdata()) == [1, 2, 4, 6]
    knees = [
        (line.get_xdata()[0], line.get_ydata()[0])
        for line in ax.lines
        if line.get_marker() == "o" and len(line.get_xdata()) == 1
    ]
    assert knees == [(2, 2), (4, 2)]
    assert lines[5, 2, 1].get_color() != lines[4, 3, 2, 1].get_color()
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["truth, knee at k = 2", "network, knee at k = 4"]
    (bar,) = ax.collections
    np.testing.assert_allclose(bar.get_segments()[0], [[2, 2.5], [2, 4.0]])
    assert ax.get_ylabel() == "DS, Chamfer"
    save(figure)


def test_many_curves_are_told_apart(save):
    figure, ax = plot_curves({f"set {i}": curve([i + 3, i + 2, i + 1], 2) for i in range(23)})
    looks = {(line.get_color(), line.get_linestyle()) for line in ax.lines if len(line.get_xdata()) == 3}
    assert len(looks) == 23
    save(figure)


def test_any_name_is_in_the_legend(save):
    figure, ax = plot_curves({"_old $a$ \\x $": curve([3, 2, 1], 2), "$": curve([4, 2, 1], 2)})
    save(figure)
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["_old $a$ \\x $, knee at k = 2", "$, knee at k = 2"]


def test_curves_refuse():
    with pytest.raises(ValueError, match="`curves` must hold at least one"):
        plot_curves({})
    with pytest.raises(ValueError, match=r"`intervals` must be of the curves \['a'\], but got \['b'\]"):
        plot_curves({"a": curve([3, 2, 1], 2)}, {"b": (1, 0.0, 1.0)})
