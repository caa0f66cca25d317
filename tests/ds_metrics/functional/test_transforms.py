"""Measures of nearest points under torch.func, torch.compile, and at the ends of the range of floats."""

import pytest
import torch

from ds_metrics.functional import (
    chamfer_distance,
    density_aware_chamfer_distance,
    earth_movers_bounds,
    earth_movers_distance,
    f_score,
    hausdorff_distance,
    normal_consistency,
    point_to_surface_distance,
)

GENERATOR = torch.Generator().manual_seed(0)
X, Y, UP, DOWN = (torch.rand(4, n, 3, generator=GENERATOR) for n in (30, 20, 30, 20))

SMOOTH = {
    "chamfer": chamfer_distance,
    "l1": lambda x, y: chamfer_distance(x, y, squared=False),
    "hausdorff": hausdorff_distance,
    "hd95": lambda x, y: hausdorff_distance(x, y, percentile=95),
    "density": lambda x, y: density_aware_chamfer_distance(x, y, alpha=10),
    "normals": lambda x, y: normal_consistency(x.detach(), y, x, y + 0.1),
}
ALL = {**SMOOTH, "f_score": lambda x, y: f_score(x, y, 0.1, kaolin_recall=True)}


def one(measure):
    return lambda x, y: measure(x[None], y[None])[0]


def gradients(measure, x, y):
    x, y = x.clone().requires_grad_(), y.clone().requires_grad_()
    return torch.autograd.grad(measure(x, y).sum(), (x, y), allow_unused=True)


def test_vmap_of_each_pair_is_that_of_a_batch():
    for name, measure in ALL.items():
        expected = measure(X, Y)
        assert torch.equal(torch.vmap(one(measure))(X, Y), expected), name
        assert torch.equal(torch.vmap(one(measure), in_dims=(1, None))(X.movedim(0, 1), Y[0])[0], expected[0]), name
        assert torch.equal(torch.vmap(measure)(X[None], Y[None])[0], expected), name
        assert torch.equal(torch.vmap(torch.vmap(one(measure)))(X[None], Y[None])[0], expected), name


@pytest.mark.filterwarnings("ignore::FutureWarning")  # torch's own, of what it scripts for forward mode
@pytest.mark.parametrize("measure", SMOOTH.values(), ids=SMOOTH)
def test_gradients_of_each_pair_are_those_of_a_batch(measure):
    own = gradients(measure, X, Y)[0]
    assert torch.equal(torch.func.grad(lambda x: measure(x, Y).sum())(X), own)
    assert torch.equal(torch.vmap(torch.func.grad(one(measure)))(X, Y), own)
    assert torch.func.jacrev(lambda x: measure(x, Y))(X).shape == (4, 4, 30, 3)
    slopes = torch.func.jvp(lambda x: measure(x, Y), (X,), (torch.ones_like(X),))[1]
    torch.testing.assert_close(slopes, own.sum(dim=(1, 2)), check_dtype=False)


@pytest.mark.parametrize("name", ALL)
def test_measures_compile_as_one_graph(name):
    measure = ALL[name]
    torch._dynamo.reset()
    compiled = torch.compile(measure, fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(X, Y), measure(X, Y))
    if name in SMOOTH:
        for found, expected in zip(gradients(compiled, X, Y), gradients(measure, X, Y), strict=True):
            assert (found is None and expected is None) or torch.equal(found, expected)


def test_other_sizes_and_lists_compile_as_one_graph():
    torch._dynamo.reset()
    compiled = torch.compile(chamfer_distance, fullgraph=True, backend="eager")
    for x, y in ((X, Y), (X[:3, 1:], Y[:3]), (list(X), list(Y))):
        assert torch.equal(compiled(x, y), chamfer_distance(x, y))


def test_bad_points_are_refused_under_transforms_too():
    bad = X.clone()
    bad[1, 2] = torch.nan
    measures = (
        torch.vmap(one(chamfer_distance)),
        torch.func.grad(lambda x, y: chamfer_distance(x, y).sum()),
        torch.compile(chamfer_distance, fullgraph=True, backend="aot_eager"),
    )
    for measure in measures:
        with pytest.raises(ValueError, match="`p1` must hold finite points, but cloud 1"):
            measure(bad, Y)
    zero = UP.clone()
    zero[2, 3] = 0
    with pytest.raises(ValueError, match="`normals1` must hold directions, but cloud 2"):
        torch.vmap(lambda *parts: normal_consistency(*(part[None] for part in parts))[0])(X, Y, zero, DOWN)


def test_gradients_are_those_of_differences():
    x, y = X[:2, :6].double().requires_grad_(), Y[:2, :5].double().requires_grad_()
    for measure in SMOOTH.values():
        assert torch.autograd.gradcheck(measure, (x, y))


@pytest.mark.parametrize("measure", ALL.values(), ids=ALL)
@pytest.mark.parametrize("scale", [1e-40, 1e-30, 1e-22, 1e20, 1e25, 1e37])
def test_scales_whose_squares_are_lost_are_refused(measure, scale):
    if measure is ALL["normals"]:
        return  # takes no squares
    with pytest.raises(ValueError, match=r"must be of a scale whose squared distances fit torch.float32"):
        measure(X * scale, Y * scale)
    with pytest.raises(ValueError, match="cloud 3"):  # one of many, in either argument
        measure(torch.cat([X[:3], X[3:] * scale]), torch.cat([Y[:3], Y[3:] * scale]))
    assert torch.isfinite(measure(X.double() * scale, Y.double() * scale)).all()


def test_squares_of_float64_are_refused_likewise():
    for scale in (1e-170, 1e170):
        for measure in (ALL["l1"], earth_movers_distance, earth_movers_bounds):
            with pytest.raises(ValueError, match=r"squared distances fit torch\.float64"):
                measure(X.double() * scale, Y.double() * scale)


def test_points_that_coincide_are_0_apart_at_any_scale():
    for scale in (1e-40, 1e-30, 1.0, 1e15):
        for name in ("chamfer", "l1", "hausdorff", "hd95"):
            assert ALL[name](X * scale, (X * scale).flip(1)).max() == 0
    some = torch.cat([X, X[:, :1] + 1e-30], dim=1)  # a few that all but coincide do no harm
    assert ALL["chamfer"](some, Y).max() < 1


@pytest.mark.parametrize("scale", [1e-40, 1e-30, 1e25, 1e37])
def test_distances_that_are_computed_in_float64_are_right_or_refused(scale):
    triangle = [([[0.0, 0, 0], [scale, 0, 0], [0, scale, 0]], [[0, 1, 2]])] * 4
    x, y = X[:, :20] * scale, Y * scale
    measures = {
        "earth mover's": lambda squared: earth_movers_distance(x, y, squared),
        "surface": lambda squared: point_to_surface_distance(x, triangle, squared),
    }
    unit = [([[0.0, 0, 0], [1.0, 0, 0], [0.0, 1, 0]], [[0, 1, 2]])] * 4
    expected = {
        "earth mover's": earth_movers_distance(X[:, :20], Y),
        "surface": point_to_surface_distance(X[:, :20], unit),
    }
    for name, measure in measures.items():
        torch.testing.assert_close(measure(False).double() / scale, expected[name].double(), rtol=1e-4, atol=0)
        with pytest.raises(ValueError, match=r"must be of a scale whose distances fit torch\.float32"):
            measure(True)
