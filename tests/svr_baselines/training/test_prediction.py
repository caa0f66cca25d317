import errno
import os

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from svr_baselines.data import read_shapes
from svr_baselines.data.manifest import read_manifest
from svr_baselines.training import load_network, predict, read_checkpoint
from svr_baselines.training.validation import choose_points


@pytest.fixture
def trained(fit, tmp_path):
    """Folder of a run of one epoch."""
    fit("trained", epochs=1, decays=[])
    return tmp_path / "trained"


def test_rows_are_the_networks_points_in_the_order_of_the_manifest(trained, tiny, tmp_path):
    path = predict(trained, tiny.Shapes(9), tmp_path / "out", batch_size=4)
    array = np.load(path)
    assert (array.shape, array.dtype) == ((9, 32, 3), np.float32)
    files = ["dataset.json", "inputs.npy", "manifest.csv", "predictions.npy", "targets.npy"]
    assert sorted(file.name for file in path.parent.iterdir()) == files
    targets = np.load(path.parent / "targets.npy")
    inputs = np.load(path.parent / "inputs.npy")
    assert inputs.dtype == np.uint8
    for target, seen, item in zip(targets, inputs, [tiny.Shapes(9)[index] for index in range(9)], strict=True):
        np.testing.assert_array_equal(target, item.points)
        np.testing.assert_array_equal(seen, np.round(item.image.permute(1, 2, 0).numpy() * 255).astype(np.uint8))
    manifest = read_manifest(path.parent)
    assert [sample.id for sample in manifest.samples] == [f"shape-{number:03}" for number in range(9)]
    assert [sample.category for sample in manifest.samples[:2]] == ["rod", "plate"]
    assert manifest.samples[3].camera.azimuth == 30
    settings = manifest.settings
    assert settings["checkpoint"] == read_checkpoint(trained).sha256
    assert (settings["network"], settings["coordinates"], settings["points"]) == ("tiny", "object", 32)
    network = load_network(trained)
    for row, item in zip(array, [tiny.Shapes(9)[index] for index in range(9)], strict=True):
        assert np.allclose(row, network(item.image[None])[0].detach(), atol=1e-6)


def test_scoring_reads_them(trained, tiny, tmp_path):
    path = predict(trained, tiny.Shapes(9), tmp_path / "out")
    shapes = read_shapes(path)
    assert np.array_equal(np.stack(shapes.clouds), np.load(path))


def test_predictions_do_not_depend_on_the_batch_size(trained, tiny, tmp_path):
    arrays = [np.load(predict(trained, tiny.Shapes(9), tmp_path / f"{size}", batch_size=size)) for size in (1, 2, 4, 9)]
    for other in arrays[1:]:
        assert np.abs(other - arrays[0]).max() < 1e-6


def test_viewer_centred_predictions_are_turned_back(fit, tiny, tmp_path):
    fit("seen", tiny.Shapes(coordinates="viewer"), tiny.Shapes(7, start=100, coordinates="viewer"), epochs=1, decays=[])
    dataset = tiny.Shapes(5, coordinates="viewer")
    array = np.load(predict(tmp_path / "seen", dataset, tmp_path / "out"))
    network = load_network(tmp_path / "seen")
    for row, item in zip(array, [dataset[index] for index in range(5)], strict=True):
        seen = network(item.image[None])[0].detach().double().numpy()
        rotation = item.rotation.double().numpy()
        expected = np.array([[sum(rotation[j, i] * p[j] for j in range(3)) for i in range(3)] for p in seen])
        assert np.allclose(row, expected, atol=1e-6)
    targets = np.load(tmp_path / "out" / "targets.npy")
    for target, item in zip(targets, [tiny.Shapes(5)[index] for index in range(5)], strict=True):
        assert np.allclose(target, item.points, atol=1e-6)  # as those of the same items, object-centred

    class Blind(tiny.Shapes):
        def __getitem__(self, index):
            return super().__getitem__(index)._replace(rotation=torch.full((3, 3), torch.nan))

    with pytest.raises(ValueError, match="no camera to turn the points back by, for shape-000, shape-001"):
        predict(tmp_path / "seen", Blind(2), tmp_path / "blind")
    assert not (tmp_path / "blind" / "predictions.npy").exists()


def test_rows_follow_when_the_dataset_is_not_in_the_order_of_ids(trained, tiny, tmp_path):
    class Backwards(tiny.Shapes):
        def __getitem__(self, index):
            return super().__getitem__(self.count - 1 - index)

    straight = predict(trained, tiny.Shapes(9), tmp_path / "a")
    backwards = predict(trained, Backwards(9), tmp_path / "b", batch_size=4)
    assert np.allclose(np.load(straight), np.load(backwards), atol=1e-6)
    assert (tmp_path / "a" / "manifest.csv").read_bytes() == (tmp_path / "b" / "manifest.csv").read_bytes()


def test_equal_ids_of_several_categories_are_told_apart(trained, tiny, tmp_path):
    class Twins(tiny.Shapes):
        def __getitem__(self, index):
            return super().__getitem__(index)._replace(id="twin")

    path = predict(trained, Twins(2), tmp_path / "out")
    assert [sample.id for sample in read_manifest(path.parent).samples] == ["plate/twin", "rod/twin"]
    with pytest.raises(ValueError, match="different ids or views"):
        predict(trained, Twins(3), tmp_path / "three")
    assert not list((tmp_path / "three").iterdir())


def test_as_many_points_of_both_are_kept_at_places_that_are_the_same_for_all(trained, tiny, tmp_path):
    whole, part, other = (tmp_path / name for name in ("whole", "part", "other"))
    predict(trained, tiny.Shapes(9), whole)
    predict(trained, tiny.Shapes(9), part, points=20, batch_size=4)
    predict(trained, tiny.Shapes(9), other, points=20, seed=1)
    for name, count in (("predictions.npy", 32), ("targets.npy", 40)):
        kept, drawn = np.load(part / name), choose_points(count, 20)
        assert kept.shape == (9, 20, 3)
        assert np.allclose(kept, np.load(whole / name)[:, drawn], atol=1e-6)
        assert not np.allclose(kept, np.load(other / name), atol=1e-3)
    recorded = [read_manifest(folder).settings for folder in (whole, part, other)]
    assert [(one["points"], one["points_seed"]) for one in recorded] == [(32, None), (20, 0), (20, 1)]


def test_more_points_than_there_are_can_not_be_kept(trained, tiny, tmp_path):
    with pytest.raises(ValueError, match="`points` must be at most 32, as many as the predictions have, but got 33"):
        predict(trained, tiny.Shapes(9), tmp_path / "out", points=33)
    with pytest.raises(ValueError, match="`points` must be at most 9, as many as the targets have, but got 10"):
        predict(trained, tiny.Shapes(9, points=9), tmp_path / "out", points=10)
    with pytest.raises(ValueError, match="`points` must be an integer of at least 1, but got 0"):
        predict(trained, tiny.Shapes(9), tmp_path / "out", points=0)
    assert not list((tmp_path / "out").iterdir())


def test_a_network_in_double_predicts(fit, tiny, tmp_path):
    fit("double", precision="64-true", epochs=1, decays=[])
    array = np.load(predict(tmp_path / "double", tiny.Shapes(9), tmp_path / "out"))
    assert array.dtype == np.float32
    tensors = load_file(tmp_path / "double" / "last.safetensors")
    network = tiny.Tiny().double().eval()
    network.load_state_dict(
        {name.removeprefix("network/"): value for name, value in tensors.items() if name.startswith("network/")}
    )
    expected = network(torch.stack([item.image.double() for item in tiny.Shapes(9)])).detach()
    assert np.allclose(array, expected, atol=1e-5)


def test_what_can_not_be_predicted_is_refused(trained, tiny, tmp_path):
    with pytest.raises(ValueError, match="`dataset` must have items, but it is empty"):
        predict(trained, tiny.Shapes(0), tmp_path / "out")
    with pytest.raises(FileNotFoundError, match="No checkpoint"):
        predict(tmp_path / "nothing", tiny.Shapes(2), tmp_path / "out")
    with pytest.raises(ValueError, match="`batch_size`"):
        predict(trained, tiny.Shapes(2), tmp_path / "out", batch_size=0)

    class Dark(tiny.Shapes):
        def __getitem__(self, index):
            item = super().__getitem__(index)
            return item._replace(image=item.image * (torch.nan if index == 1 else 1))

    with pytest.raises(ValueError, match="points that are NaN or infinite, for shape-001"):
        predict(trained, Dark(3), tmp_path / "out")


def test_progress_and_best(trained, tiny, tmp_path):
    told = []
    predict(trained, tiny.Shapes(9), tmp_path / "out", which="best", batch_size=4, progress=lambda *at: told.append(at))
    assert told == [(4, 9), (8, 9), (9, 9)]


def test_a_full_disk_ends_it_before_the_first_row_and_leaves_no_file(trained, tiny, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*predictions\.npy'"):
        predict(trained, tiny.Shapes(9), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
