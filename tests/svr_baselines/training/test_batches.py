from itertools import chain

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch.utils.data import Subset

from svr_baselines.training.batches import (
    EpochBatches,
    FixedBatches,
    check_items,
    collate,
    coordinates_of,
    create_loader,
    read_batches,
    set_epoch,
)


@given(
    count=st.integers(1, 60),
    batch_size=st.integers(1, 20),
    world_size=st.integers(1, 4),
    seed=st.integers(0, 5),
    epoch=st.integers(0, 3),
)
def test_processes_share_the_batches_of_one(count, batch_size, world_size, seed, epoch):
    whole = EpochBatches(count, batch_size, seed)
    whole.epoch = epoch
    batches = list(whole)
    assert sorted(chain(*batches)) == list(range(count))
    sizes = [len(batch) for batch in batches]
    assert sizes == whole.sizes
    assert len(batches) == len(whole) == -(-count // batch_size)
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1
    assume(min(sizes) >= world_size)
    parts = []
    for rank in range(world_size):
        part = EpochBatches(count, batch_size, seed, rank, world_size)
        part.epoch = epoch
        parts.append(list(part))
        assert all(parts[-1])
    assert [list(chain(*pieces)) for pieces in zip(*parts, strict=True)] == batches


def test_order_depends_on_seed_and_epoch():
    def order(seed, epoch):
        batches = EpochBatches(30, 10, seed)
        batches.epoch = epoch
        return list(chain(*batches))

    assert order(0, 0) == order(0, 0)
    assert order(0, 0) != order(0, 1)
    assert order(0, 0) != order(1, 0)


def test_refuses_batches_that_leave_a_process_without_a_sample():
    with pytest.raises(ValueError, match="sample to each of 3 processes, but 4 cuts 5 samples into batches of 2"):
        EpochBatches(5, 4, world_size=3)


@given(count=st.integers(0, 40), batch_size=st.integers(1, 9), world_size=st.integers(1, 5))
def test_fixed_batches_cover_the_set_once_in_order(count, batch_size, world_size):
    parts = [FixedBatches(count, batch_size, rank, world_size) for rank in range(world_size)]
    assert list(chain(*(batch for part in parts for batch in part))) == list(range(count))
    assert all(len(part) == len(list(part)) for part in parts)


def test_items_of_several_sizes_are_named(tiny):
    with pytest.raises(ValueError, match=r"`image` of 'shape-000' is \(3, 16, 16\), of 'shape-001' \(3, 8, 8\)"):
        collate([tiny.Shapes()[0], tiny.Shapes(size=8)[1]])
    with pytest.raises(ValueError, match=r"`points` of 'shape-000' is \(40, 3\), of 'shape-001' \(9, 3\)"):
        collate([tiny.Shapes()[0], tiny.Shapes(points=9)[1]])


def test_errors_of_workers_are_one_line(tiny):
    class Damaged(tiny.Shapes):
        def __getitem__(self, index):
            raise ValueError(f"file-{index}.png: torn.")

    loader = create_loader(Damaged(4), FixedBatches(4, 2), 1, torch.device("cpu"))
    with pytest.raises(ValueError, match=r"^file-0.png: torn\.$"):
        list(read_batches(loader))


def test_loaders_leave_the_default_generator_alone(tiny):
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    list(create_loader(tiny.Shapes(4), FixedBatches(4, 2), 0, torch.device("cpu")))
    assert torch.equal(torch.rand(3), expected)


def test_refuses_sets_without_items_or_of_others(tiny):
    with pytest.raises(ValueError, match="`train_set` must have items, but it is empty"):
        check_items(tiny.Shapes(0), "train_set")
    with pytest.raises(ValueError, match="its first is a int"):
        check_items([3], "train_set")
    item = tiny.Shapes()[0]
    with pytest.raises(ValueError, match=r"image of shape \(3, H, W\), but 'shape-000' has \(1, 16, 16\)"):
        check_items([item._replace(image=item.image[:1])], "train_set")
    with pytest.raises(ValueError, match=r"points of shape \(P, 3\), but 'shape-000' has \(0, 3\)"):
        check_items([item._replace(points=item.points[:0])], "train_set")


def test_looks_through_subsets(tiny):
    inner = tiny.Shapes(coordinates="viewer")
    subset = Subset(Subset(inner, range(4)), range(2))
    assert coordinates_of(subset) == "viewer"
    assert coordinates_of([1]) == "object"
    set_epoch(subset, 7)
    assert inner.epoch == 7
    set_epoch([1], 7)
