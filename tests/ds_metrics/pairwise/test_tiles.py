import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_metrics.pairwise.tiles import TilePlan, choose_edge

sizes = st.integers(0, 40)


@given(sizes, sizes, st.integers(1, 50), st.booleans())
def test_tiles_hold_each_pair_once(n_rows, n_columns, edge, symmetric):
    plan = TilePlan(n_rows, n_rows if symmetric else n_columns, edge, symmetric)
    counts = np.zeros((plan.n_rows, plan.n_columns), dtype=int)
    tiles = list(plan.tiles())
    for tile in tiles:
        i, j = tile.pair_indices()
        assert len(i) == tile.pairs
        assert tile.shape <= (edge, edge)
        np.add.at(counts, (i + tile.rows.start, j + tile.columns.start), 1)
    expected = np.triu(np.ones_like(counts), 1) if symmetric else np.ones_like(counts)
    np.testing.assert_array_equal(counts, expected)
    assert [tile.index for tile in tiles] == list(range(len(plan)))
    assert sum(tile.pairs for tile in tiles) == plan.pairs


def test_finished_tiles_are_left_out():
    plan = TilePlan(10, 10, 4, symmetric=True)
    finished = np.array([1, 0, 1, 1, 0, 1], dtype=np.uint8)
    assert [tile.index for tile in plan.tiles(finished)] == [1, 4]


@pytest.mark.parametrize("workers", [1, 2, 3, 64])
@pytest.mark.parametrize("points", [2, 5000, 10**7])
def test_edge_keeps_two_blocks_in_the_budget_and_all_workers_busy(points, workers):
    edge = choose_edge(4000, points, bytes_per_cloud=20 * points, budget=10**8, workers=workers)
    assert edge >= 1
    assert edge == 1 or 2 * edge * 20 * points <= 10**8
    if workers > 1:
        assert len(TilePlan(4000, 4000, edge, symmetric=True)) >= 8 * workers
