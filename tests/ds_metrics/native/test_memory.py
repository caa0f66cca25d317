"""What would be undefined behaviour in C++ is refused, or survived, whoever calls the native functions."""

import ctypes
import sys

import numpy as np
import pytest
from native_core import core

POINTS = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
LENGTHS = np.array([20, 30, 10])


def unaligned(array):
    """The same values, one byte off."""
    raw = np.zeros(array.nbytes + 1, np.uint8)[1:]
    view = raw.view(array.dtype).reshape(array.shape)
    view[...] = array
    assert not view.flags.aligned
    return view


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_unaligned_points_and_indices_are_refused(dtype):
    points = POINTS.astype(dtype)
    with pytest.raises(ValueError, match=rf"`points` must be an aligned .* got an unaligned array of {points.dtype}"):
        core.Clouds(unaligned(points), LENGTHS)
    with pytest.raises(ValueError, match=r"`lengths` must be an aligned .* got an unaligned array of int64"):
        core.Clouds(points, unaligned(LENGTHS))
    x, index = core.Clouds(points, LENGTHS), np.arange(3)
    with pytest.raises(ValueError, match=r"`j` must be an aligned .* got an unaligned array"):
        core.chamfer_pairs(x, x, index, unaligned(index))


def test_unaligned_matrix_is_refused_and_unaligned_indices_are_copied():
    distances = np.abs(np.subtract.outer(np.arange(5.0), np.arange(5.0))).astype(np.float32)
    order, medoids = np.array([4, 2, 0, 3, 1]), np.array([1, 3])
    with pytest.raises(ValueError, match="distances are not aligned"):
        core.kmedoids_order(unaligned(distances))
    with pytest.raises(ValueError, match="distances are not aligned"):
        core.kmedoids_assign(unaligned(distances), order, medoids)
    labels, inertia = core.kmedoids_assign(distances, unaligned(order), unaligned(medoids))
    assert inertia == 3.0
    assert labels[[0, 1, 3, 4]].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -1.0])
@pytest.mark.parametrize("share", [0.1, 1.0])
def test_invalid_distances_lead_nowhere_outside(bad, share):
    """Their results mean nothing, but labels and medoids stay indices."""
    rng = np.random.default_rng(1)
    distances = rng.uniform(size=(40, 40)).astype(np.float32)
    distances[rng.uniform(size=distances.shape) < share] = bad
    order = core.kmedoids_order(distances)
    assert sorted(order) == list(range(40))
    for solver in ("alternate", "fasterpam"):
        for seed in range(5):
            assert set(core.kmedoids_solve(distances, order, 7, solver, seed, 2, 20)) <= set(range(40))
        assert set(core.kmedoids_refine(distances, order, order[:5], solver, 20)) <= set(range(40))
    assert set(core.kmedoids_extend(distances, order, order[:2], 9)) <= set(range(40))
    assert set(core.kmedoids_assign(distances, order, order[:5])[0]) <= set(range(5))


@pytest.fixture
def threads_too_large_to_start():
    """New threads ask for stacks of 2^46 bytes, and two of those exceed the address space."""
    libc, attributes, before = ctypes.CDLL(None), (ctypes.c_char * 64)(), (ctypes.c_char * 64)()
    assert libc.pthread_getattr_default_np(before) == 0
    libc.pthread_attr_init(attributes)
    assert libc.pthread_attr_setstacksize(attributes, ctypes.c_size_t(1 << 46)) == 0
    assert libc.pthread_setattr_default_np(attributes) == 0
    yield
    assert libc.pthread_setattr_default_np(before) == 0


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or not hasattr(ctypes.CDLL(None), "pthread_setattr_default_np"),
    reason="needs glibc's default thread attributes",
)
@pytest.mark.usefixtures("threads_too_large_to_start")
def test_goes_on_with_the_threads_that_could_be_started():
    i, j = (index.ravel() for index in np.indices((3, 3)).repeat(20, axis=2))
    alone = core.Clouds(POINTS, LENGTHS)
    many = core.Clouds(POINTS, LENGTHS, threads=8)
    expected = core.chamfer_pairs(alone, alone, i, j)
    np.testing.assert_array_equal(core.chamfer_pairs(many, many, i, j, threads=8), expected)
    assert core.nearest(many, many, threads=8)[0].tolist() == [0.0] * 60
