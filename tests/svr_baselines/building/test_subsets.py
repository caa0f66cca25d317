import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svr_baselines.building.subsets import WIDTHS, image_series, shape_series, split_indices, sub_trainsets

SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS)
def test_split_is_even_and_complete(seed):
    split = split_indices(seed=seed)
    assert [len(part) for part in (split.train, split.validation, split.test)] == [700, 100, 200]
    assert sorted(split.train + split.validation + split.test) == list(range(1000))
    for part, share in ((split.train, 7), (split.validation, 1), (split.test, 2)):
        assert list(part) == sorted(part)
        assert (np.bincount(np.array(part) // 10, minlength=100) == share).all()


@given(st.integers(1, 200), SEEDS)
def test_split_of_any_count(count, seed):
    split = split_indices(count, seed)
    assert sorted(split.train + split.validation + split.test) == list(range(count))
    full = count // 10
    for part, share in ((split.train, 7), (split.validation, 1), (split.test, 2)):
        assert share * full <= len(part) <= share * (full + 1)
    larger = split_indices(count + 10, seed)
    assert set(split.train) <= set(larger.train)


def test_split_depends_on_the_seed_alone():
    assert split_indices(seed=3) == split_indices(seed=3)
    assert split_indices(seed=3) != split_indices(seed=4)


@pytest.mark.parametrize("count", [0, -1, 1.5, True])
def test_split_refuses_counts(count):
    with pytest.raises(ValueError, match="`count` must be an integer of at least 1"):
        split_indices(count)


def test_names_and_widths():
    sets = sub_trainsets(range(700))
    widths = {s.name: (s.shape_width, s.image_width) for s in sets}
    assert len(sets) == len(widths) == 15
    assert [widths[name] for name in image_series()] == [(1, width) for width in WIDTHS]
    assert [widths[name] for name in shape_series()] == [(width, 35) for width in WIDTHS]
    assert image_series()[-1] == shape_series()[0] == "S1I8"


def test_pairs_by_hand():
    sets = {s.name: s for s in sub_trainsets(range(700))}
    images = [0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 699, 694, 689, 684, 679, 674, 669, 664, 659, 654]
    assert sets["S1I2"].pairs == tuple(zip(images, [0] * 10 + [699] * 10, strict=True))
    wide = [35 * n for n in range(10)] + [699 - 35 * n for n in range(10)]
    assert sets["S2I8"].pairs == tuple(zip(wide, images, strict=True))
    assert sets["S8I8"].pairs == tuple(zip(wide, wide, strict=True))


@given(SEEDS)
def test_each_series_changes_one_side(seed):
    train = split_indices(seed=seed).train
    sets = {s.name: s for s in sub_trainsets(train)}
    for name in image_series():
        assert [shape for _, shape in sets[name].pairs] == [train[0]] * 10 + [train[-1]] * 10
    for name in shape_series():
        assert [image for image, _ in sets[name].pairs] == [image for image, _ in sets["S1I8"].pairs]
    for subset in sets.values():
        images = [image for image, _ in subset.pairs]
        assert len(set(images)) == len(images) == 20
        assert set(images) <= set(train)
        assert max(images[:10]) < min(images[10:])


@given(SEEDS)
def test_width_runs_from_the_ends_to_an_even_spread(seed):
    sets = {s.name: s for s in sub_trainsets(split_indices(seed=seed).train)}
    narrow = np.sort([image for image, _ in sets["S1I1"].pairs])
    assert narrow[9] < 20
    assert narrow[10] >= 980
    wide = np.sort([shape for _, shape in sets["S8I8"].pairs])
    gaps = np.delete(np.diff(wide), 9)
    assert gaps.min() > 40
    assert gaps.max() < 60
    assert wide[10] - wide[9] < 110  # 70 training samples: the two innermost are two strides apart


def test_order_of_the_training_samples_does_not_matter():
    train = split_indices().train
    shuffled = np.random.default_rng(0).permutation(train).tolist()
    assert sub_trainsets(shuffled) == sub_trainsets(train)


def test_other_widths_and_sizes():
    sets = sub_trainsets(range(14), widths=(1, 3), cluster_size=3)
    assert [s.name for s in sets] == ["S1I1", "S1I2", "S2I2"]
    assert sets[2].pairs == tuple((i, i) for i in (0, 3, 6, 13, 10, 7))


@pytest.mark.parametrize(
    ("train", "options", "message"),
    [
        (range(631), {}, "at least 632 samples for two clusters of 10 at width 35, but got 631"),
        ([], {}, "at least 632 samples"),
        ([5] * 700, {}, "must not repeat a sample"),
        (range(700), {"widths": ()}, "must ascend from 1"),
        (range(700), {"widths": (2, 3)}, "must ascend from 1"),
        (range(700), {"widths": (1, 5, 5)}, "must ascend from 1"),
        (range(700), {"widths": (1, 2.5)}, "`widths` must be an integer"),
        (range(700), {"cluster_size": 0}, "`cluster_size` must be an integer"),
    ],
)
def test_refuses(train, options, message):
    with pytest.raises(ValueError, match=message):
        sub_trainsets(train, **options)


def test_the_least_training_samples_do():
    assert len(sub_trainsets(range(632))) == 15
