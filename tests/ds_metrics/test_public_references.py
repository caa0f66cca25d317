"""The measures against public references: libraries, published code, documentation, and definitions solved by hand."""

import math
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from forked import run_script

from ds_metrics import functional

ROOT = Path(__file__).parents[2]


def load():
    """The comparisons that `benchmarks/measures.py --references` prints."""
    folder = str(ROOT / "benchmarks")
    sys.path.insert(0, folder)
    try:
        values = import_module("reference_values")
        return values, values.references()
    finally:
        sys.path.remove(folder)


VALUES, REFERENCES = load()


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda of: f"{of.measure}, {of.case}")
def test_value_is_that_of_the_reference(reference):
    if reference.missing:
        pytest.skip(f"compares with a package that is not installed: {', '.join(reference.missing)}")
    ours, theirs = reference.values()
    np.testing.assert_allclose(ours, theirs, rtol=reference.within, atol=0)


def test_every_measure_has_a_reference_but_the_one_of_this_package():
    from ds_metrics import list_metrics

    own = {info.name for info in list_metrics() if info.provider == "dispersion-score"}
    assert own - {reference.measure for reference in REFERENCES} == {"recognition-share"}


def test_the_documented_table_is_the_one_that_is_printed():
    """But for the differences, which are those of rounding, and for what compares with packages that are missing."""

    def without_difference(line):
        cells = line.split(" | ")
        return (*cells[:4], cells[5])

    documented = (ROOT / "docs" / "checked-values.md").read_text("utf-8").splitlines()
    start = documented.index("| measure | case | ours | theirs | difference | theirs is |")
    rows = [without_difference(line) for line in documented[start + 2 : start + 2 + len(REFERENCES)]]
    done = run_script(ROOT / "benchmarks" / "measures.py", "--references")
    assert done.returncode == 0, done.stderr
    printed = [without_difference(line) for line in done.stdout.splitlines()[2:]]
    assert printed == [row for row, of in zip(rows, REFERENCES, strict=True) if not of.missing]


@pytest.mark.parametrize("squared", [False, True])
def test_sinkhorn_is_certain_of_what_pot_finds(squared):
    ot = pytest.importorskip("ot", reason="needs POT: pip install 'dispersion-score[ot]'")
    p, q = VALUES.clouds(3, 1, points=20), VALUES.clouds(3, 400, points=13)
    lower, upper = functional.earth_movers_bounds(p, q, squared=squared, tolerance=0.02)
    values = functional.earth_movers_distance(p, q, squared=squared, method="sinkhorn", tolerance=0.02)
    for index in range(3):
        cost = ot.dist(p[index].double().numpy(), q[index].double().numpy(), "sqeuclidean" if squared else "euclidean")
        exact = ot.emd2([], [], cost)
        assert lower[index] <= exact <= upper[index]
        assert abs(values[index] - exact) <= 0.02 * values[index]


# Three generated samples and two of the reference. PointFlow's code takes them in this order: sample, reference.
D_GR = torch.tensor([[1.0, 4.0], [2.0, 5.0], [3.0, 1.5]])
D_GG = torch.tensor([[0.0, 6.0, 7.0], [6.0, 0.0, 1.75], [7.0, 1.75, 0.0]])
D_RR = torch.tensor([[0.0, 0.5], [0.5, 0.0]])


def test_matching_by_hand():
    """PointFlow's `lgan_mmd_cov`: the nearest sample of each reference, and the nearest reference of each sample."""
    assert functional.minimum_matching_distance(D_GR) == (1.0 + 1.5) / 2
    assert functional.minimum_matching_distance(D_GR.T) == (1.0 + 2.0 + 1.5) / 3
    assert functional.coverage(D_GR) == 2 / 2  # nearest: the first, the first, the second
    assert functional.coverage(D_GR.T) == torch.tensor(2 / 3)  # nearest: the first and the third of three


def test_nearest_neighbours_by_hand():
    """PointFlow's `knn` with k = 1: the second generated sample and both references are told right, 3 of 5."""
    assert functional.one_nn_accuracy(D_GG, D_GR, D_RR) == torch.tensor(3 / 5)
    assert functional.one_nn_accuracy(D_RR, D_GR.T, D_GG) == torch.tensor(3 / 5)


def test_manifolds_by_hand():
    """Radii with k = 1: 6, 1.75 and 1.75 of the generated samples, 0.5 and 0.5 of the reference."""
    found = functional.prdc(D_GG, D_GR, D_RR, nearest_k=1)
    assert found.precision == found.density == found.coverage == 0  # nobody is within 0.5 of a reference
    assert found.recall == 1  # both are within 6 of the first sample
    swapped = functional.prdc(D_RR, D_GR.T, D_GG, nearest_k=1)
    assert swapped.precision == 1
    assert swapped.recall == 0
    assert swapped.density == 3 / 2  # the first lies in one ball, the second in two
    assert swapped.coverage == torch.tensor(2 / 3)  # the balls of the first and the third hold one


def test_divergence_by_hand():
    """PointFlow's `jensen_shannon_divergence` counts points, in bits: shares of 3/4 and 1/4 against halves."""
    left, right = torch.tensor([[-0.5, 0.0, 0.0]]), torch.tensor([[0.5, 0.0, 0.0]])

    def entropy(share):
        return -share * math.log2(share) - (1 - share) * math.log2(1 - share)

    value = functional.occupancy_divergence([left, left, torch.cat([left, right])], [torch.cat([left, right])], 3, 0.5)
    assert value.item() == pytest.approx(entropy(5 / 8) - (entropy(3 / 4) + entropy(1 / 2)) / 2, rel=1e-6)
