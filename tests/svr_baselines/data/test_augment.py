import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance

from svr_baselines.data.augment import Augmentation, Change, cut_at, recolour

NOTHING = Change(None, None, False, 1.0, 1.0, 1.0)


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (12, 9, 3), dtype=np.uint8)


def as_image(picture):
    return torch.from_numpy(picture).permute(2, 0, 1) / 255


def test_off_by_default(picture):
    assert Augmentation().draw(np.random.default_rng(0)) == NOTHING
    assert recolour(as_image(picture), NOTHING).equal(as_image(picture))


@pytest.mark.parametrize("factor", [0.0, 0.3, 1.7])
@pytest.mark.parametrize(
    ("name", "enhance"),
    [("brightness", ImageEnhance.Brightness), ("contrast", ImageEnhance.Contrast), ("saturation", ImageEnhance.Color)],
)
def test_colours_change_as_pillow_changes_them(picture, name, enhance, factor):
    expected = np.asarray(enhance(Image.fromarray(picture)).enhance(factor))

    image = recolour(as_image(picture), NOTHING._replace(**{name: factor}))

    # Pillow rounds, the grey first and then the blend.
    np.testing.assert_allclose(image.permute(1, 2, 0).numpy() * 255, expected, atol=1.6)
    assert float(image.min()) >= 0
    assert float(image.max()) <= 1


def test_cuts_reach_every_place_and_no_other(picture):
    rng = np.random.default_rng(0)
    found = set()
    for _ in range(400):
        change = Augmentation(crop=True).draw(rng)
        cut = cut_at(picture, 7, change.top, change.left)
        places = [
            (row, column)
            for row in range(6)
            for column in range(3)
            if np.array_equal(cut, picture[row : row + 7, column : column + 7])
        ]
        assert len(places) == 1
        found.update(places)
    assert found == {(row, column) for row in range(6) for column in range(3)}


def test_a_picture_smaller_than_the_cut_is_refused(picture):
    with pytest.raises(ValueError, match="the image has 9 x 12 pixels, fewer than the crop of 10"):
        cut_at(picture, 10, 0, 0)


def test_half_of_the_pictures_are_mirrored():
    rng = np.random.default_rng(0)
    mirrored = sum(Augmentation(flip=True).draw(rng).mirrored for _ in range(1000))
    assert 450 < mirrored < 550


def test_factors_fill_their_range():
    rng = np.random.default_rng(0)
    changes = [Augmentation(brightness=0.4, contrast=0.2).draw(rng) for _ in range(1000)]
    brightness = [change.brightness for change in changes]
    assert 0.6 <= min(brightness) < 0.61
    assert 1.39 < max(brightness) <= 1.4
    assert np.mean(brightness) == pytest.approx(1, abs=0.03)
    assert all(0.8 <= change.contrast <= 1.2 and change.saturation == 1 for change in changes)
    assert abs(np.corrcoef(brightness, [change.contrast for change in changes])[0, 1]) < 0.1


def test_one_change_does_not_move_another():
    alone = Augmentation(flip=True).draw(np.random.default_rng(5))
    together = Augmentation(crop=True, flip=True, contrast=0.5).draw(np.random.default_rng(5))
    assert alone.mirrored == together.mirrored
    assert together.contrast == Augmentation(contrast=0.5).draw(np.random.default_rng(5)).contrast


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_strengths_beyond_their_range_are_refused(strength):
    with pytest.raises(ValueError, match=r"`saturation` must be in \[0, 1\]"):
        Augmentation(saturation=strength)
