"""Random rounds of Chamfer distances and nearest neighbours against brute force in float64."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from native_core import core

ISAS = core.supported_isas()
SUBNORMAL = 5e-324  # what values near the end of float64's range are a multiple of
MAX_DISTANCES = 200_000  # of one brute force, so that a round takes a fraction of a second

SHAPES = {
    "ball": lambda rng, n: rng.normal(size=(n, 3)),
    "box": lambda rng, n: rng.uniform(-1, 1, (n, 3)) * 10.0 ** rng.uniform(-6, 0, 3),
    "grid": lambda rng, n: np.array(np.unravel_index(np.arange(n), [round(n ** (1 / 3)) + 1] * 3)).T,
    "line": lambda rng, n: np.outer(rng.uniform(-1, 1, n), rng.normal(size=3)),
    "plane": lambda rng, n: rng.normal(size=(n, 3)) * rng.permutation([0.0, -0.0, 1.0]),
    "one point": lambda rng, n: np.tile(rng.normal(size=3), (n, 1)),
    "duplicates": lambda rng, n: rng.integers(-2, 3, (n, 3)) * 0.1,
    "signed zeros": lambda rng, n: rng.choice([0.0, -0.0, 1.0, -1.0], (n, 3)),
    "far apart": lambda rng, n: rng.normal(size=(n, 3)) + rng.choice([0.0, 1e4], (n, 1)),
    "all scales": lambda rng, n: rng.normal(size=(n, 3)) * 10.0 ** rng.uniform(-10, 0, (n, 1)),
    "offset": lambda rng, n: rng.normal(size=(n, 3)) + 10.0 ** rng.uniform(0, 6, 3),
}
SCALES = {np.float32: [1e-44, 1e-38, 1e-20, 1e20, 1e31], np.float64: [1e-322, 1e-300, 1e-40, 1e40, 1e297]}


def draw_sizes(rng):
    kind = rng.choice(["few", "tiny", "none"], p=[0.75, 0.2, 0.05])
    if kind == "tiny":
        return rng.integers(1, 5, rng.integers(1, 300))
    return np.exp(rng.uniform(0, np.log(4000), rng.integers(1, 6) if kind == "few" else 0)).astype(int)


def draw_set(rng, sizes, dtype):
    """Clouds of these sizes, mostly alike so that their exponents meet, now and then with a coordinate not finite."""
    shape, scale = rng.choice(list(SHAPES)), rng.choice([1.0, *SCALES[dtype]], p=[0.5] + [0.1] * 5)
    clouds = []
    for size in sizes:
        if rng.uniform() < 0.3:
            shape, scale = rng.choice(list(SHAPES)), rng.choice([1.0, *SCALES[dtype]])
        cloud = (SHAPES[shape](rng, size) * scale).astype(dtype)
        if rng.uniform() < 0.03:
            cloud[rng.integers(size), rng.integers(3)] = rng.choice([np.nan, np.inf, -np.inf])
        clouds.append(cloud)
    return clouds


def pack(clouds, dtype, threads=1):
    points = np.concatenate([np.zeros((0, 3), dtype), *clouds])
    return core.Clouds(points, np.array([len(cloud) for cloud in clouds], np.int64), threads)


def norms(gaps):
    """Lengths of vectors of float64, whose squares may not be in range."""
    largest = np.abs(gaps).max(-1)
    return largest * np.sqrt(((gaps / np.where(largest > 0, largest, 1)[..., None]) ** 2).sum(-1))


def brute_force(x, y):
    """Distances to the nearest point, both ways."""
    distances = norms(x[:, None].astype(np.float64) - y[None].astype(np.float64))
    return distances.min(1), distances.min(0)


def least_distance(x, y):
    """Below this share of the largest coordinate, squares that are in range for it may not be."""
    return float(max(np.abs(x).max(), np.abs(y).max())) * (1e-26 if x.dtype == np.float32 else 1e-224)


def check_chamfer(rng, x, y, dtype):
    pairs = int(rng.integers(0, 40)) if x and y else 0
    i, j = rng.integers(0, len(x) or 1, pairs), rng.integers(0, len(y) or 1, pairs)
    work = np.cumsum([len(x[a]) * len(y[b]) for a, b in zip(i, j, strict=True)])
    i, j = (index[work <= MAX_DISTANCES] for index in (i, j))
    (w1, w2), squared = rng.uniform(0, 3, 2), bool(rng.integers(2))
    x_set, y_set = pack(x, dtype, int(rng.integers(1, 5))), pack(y, dtype)

    values = core.chamfer_pairs(x_set, y_set, i, j, w1, w2, squared)
    for value, a, b in zip(values, i, j, strict=True):
        if not (np.isfinite(x[a]).all() and np.isfinite(y[b]).all()):
            assert np.isnan(value)
            continue
        to_y, to_x = brute_force(x[a], y[b])
        power = 2 if squared else 1
        expected = w1 * np.mean(to_y**power) + w2 * np.mean(to_x**power)
        least = max(3 * np.float64(least_distance(x[a], y[b])) ** power, 10 * SUBNORMAL)
        assert value == pytest.approx(expected, rel=1e-6, abs=least), (len(x[a]), len(y[b]), w1, w2, squared)

    again = [core.chamfer_pairs(x_set, y_set, i, j, w1, w2, squared, int(rng.integers(1, 9)), isa) for isa in ISAS]
    shuffled = pack([rng.permutation(cloud) for cloud in x], dtype)
    again.append(core.chamfer_pairs(y_set, shuffled, j, i, w2, w1, squared))
    with ThreadPoolExecutor(2) as pool:
        again += pool.map(lambda _: core.chamfer_pairs(x_set, y_set, i, j, w1, w2, squared, 2), range(2))
    for other in again:
        np.testing.assert_array_equal(other, values)


def check_nearest(rng, x, y, dtype):
    both = [(a, b) for a, b in zip(x, y, strict=False) if len(a) * len(b) <= MAX_DISTANCES]
    x, y = [a for a, _ in both], [b for _, b in both]
    x_set, y_set, threads = pack(x, dtype), pack(y, dtype), int(rng.integers(1, 5))
    results = [core.nearest(x_set, y_set, threads, isa) for isa in ISAS]
    starts = np.cumsum([0, *map(len, x)])
    for squared, index in results:
        assert squared.dtype == dtype
        assert len(squared) == len(index) == starts[-1]
        np.testing.assert_array_equal(squared, results[0][0])
        for a, b, start in zip(x, y, starts, strict=False):
            rows = slice(start, start + len(a))
            if not (np.isfinite(a).all() and np.isfinite(b).all()):
                assert np.isnan(squared[rows]).all()
                continue
            to_y, _ = brute_force(a, b)
            least = np.float64(least_distance(a, b))
            squares = max(np.finfo(dtype).tiny, least**2)
            np.testing.assert_allclose(squared[rows], (to_y**2).astype(dtype), rtol=1e-6, atol=squares)
            of_index = norms(a.astype(np.float64) - b[index[rows]].astype(np.float64))
            np.testing.assert_allclose(of_index, to_y, rtol=1e-6, atol=max(least, 10 * SUBNORMAL))


VIEWS = {
    "plain": lambda p: p,
    "read-only": lambda p: np.frombuffer(p.tobytes(), p.dtype).reshape(p.shape),
    "every second": lambda p: np.repeat(p, 2, 0)[::2],
    "backwards": lambda p: p[::-1].copy()[::-1],
    "transposed": lambda p: p.T.copy().T,
    "columns": lambda p: np.pad(p, ((0, 0), (0, 2)))[:, :3],
    "unaligned": lambda p: np.frombuffer(b"\0" + p.tobytes(), p.dtype, offset=1).reshape(p.shape),
    "repeated": lambda p: np.broadcast_to(p[:1], p.shape),
    "swapped": lambda p: p.astype(p.dtype.newbyteorder()),
    "half": lambda p: p.astype(np.float16),
    "integers": lambda p: p.astype(np.int64),
    "complex": lambda p: p.astype(np.complex64),
    "objects": lambda p: p.astype(object),
    "flat": lambda p: p.ravel(),
    "two columns": lambda p: p[:, :2].copy(),
    "nested": lambda p: p[None],
}


def check_views(rng, dtype):
    """Points that can be read in place give the right value, any others are refused by name."""
    points = rng.normal(size=(int(rng.integers(1, 200)), 3)).astype(dtype)
    name = rng.choice(list(VIEWS))
    view, lengths = VIEWS[name](points), np.array([len(points)])
    flags = view.flags
    readable = view.dtype in (np.float32, np.float64) and flags.c_contiguous and flags.aligned
    if not (readable and view.shape == points.shape):
        with pytest.raises((TypeError, ValueError), match="Argument `points` must be"):
            core.Clouds(view, lengths)
        return
    other, zero = rng.normal(size=(50, 3)).astype(dtype), np.array([0])
    value = core.chamfer_pairs(core.Clouds(view, lengths), pack([other], dtype), zero, zero)
    to_y, to_x = brute_force(view, other)
    np.testing.assert_allclose(value, np.mean(to_y**2) + np.mean(to_x**2), rtol=1e-6)


def check_refusals(rng, x, dtype):
    """Lengths and indices drawn around what is allowed."""
    rows, extremes = sum(map(len, x)), [-(2**63), -1, 0, 2**31 - 1, 2**32, 2**63 - 1]
    lengths = np.array([len(cloud) for cloud in x] + [1], np.int64)
    lengths[rng.integers(len(lengths))] = rng.choice(extremes)
    with pytest.raises(ValueError, match="Argument `lengths` must be"):
        core.Clouds(np.zeros((rows, 3), dtype), lengths)
    prepared, index = pack(x, dtype), rng.integers(0, len(x) or 1, 20)
    wrong = index.copy()
    wrong[rng.integers(20)] = rng.choice([len(x), *(entry for entry in extremes if not 0 <= entry < len(x))])
    for i, j, name in ((wrong, index, "i"), (index, wrong, "j"), (index[::2], index[::2], "i")):
        with pytest.raises(ValueError, match=f"Argument `{name if len(x) else 'i'}` must be"):
            core.chamfer_pairs(prepared, prepared, i, j)


def play(rng):
    """One round."""
    dtype = [np.float32, np.float64][rng.integers(2)]
    x, y = (draw_set(rng, draw_sizes(rng), dtype) for _ in range(2))
    if rng.uniform() < 0.2:
        y = [rng.permutation(cloud) for cloud in x]
    check_chamfer(rng, x, y, dtype)
    check_nearest(rng, x, y, dtype)
    check_views(rng, dtype)
    check_refusals(rng, x, dtype)
