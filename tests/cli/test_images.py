"""`ds eval --images` as a user runs it."""

import json

import numpy as np
import pytest
import torch
from ds_command import fails, run
from PIL import Image

from ds_metrics.features import create_extractor
from ds_metrics.functional import dispersion_score

SMALL = "--size", 32, "--clusters", 2


@pytest.fixture
def pictures():
    return np.random.default_rng(0).integers(0, 256, (6, 40, 40, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path, pictures):
    for index, picture in enumerate(pictures):
        path = tmp_path / "renders" / f"class-{index % 2}" / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
    return tmp_path / "renders"


def document_of(*arguments):
    result = run("eval", *arguments, "--json", "-")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_folder_scores_as_the_function_does(folder, pictures):
    document = document_of("--images", folder, *SMALL)
    images = torch.from_numpy(pictures).permute(0, 3, 1, 2)
    expected = dispersion_score(images, 2, distance="vgg16", image_size=32)
    assert document["scores"]["dispersion-score"] == pytest.approx(float(expected), rel=1e-5)
    provenance = document["provenance"]
    key = create_extractor("vgg16", image_size=32).key
    assert provenance["features"] == key | {"count": 64, "dtype": "float32"}
    assert provenance["dispersion"]["distance"] == f"vgg16 (channel-max, 32 px, weights {key['weights'][:12]})"
    assert provenance["dispersion"]["convention"] == "mean squared difference of features"
    assert provenance["predictions"]["normalization"] == "over white, uncropped"
    assert provenance["versions"]["pillow"]
    assert sorted(document["labels"]) == [f"class-{i % 2}/{i}" for i in (0, 2, 4, 1, 3, 5)]


def test_an_array_scores_as_its_files(folder, pictures, tmp_path):
    order = [0, 2, 4, 1, 3, 5]
    np.save(tmp_path / "a.npy", pictures[order])
    expected = document_of("--images", folder, *SMALL)["scores"]
    assert document_of("--images", tmp_path / "a.npy", *SMALL)["scores"] == expected


def test_the_table_says_of_what(folder):
    result = run("eval", "--images", folder, *SMALL, "--features", "pixels", "--background", "black", "--crop", 32)
    assert result.exit_code == 0, result.output
    assert "6 images of 3072 features: pixels (32 px), over black, centre 32 px" in result.stdout


def test_a_store_spares_the_network(folder, tmp_path, monkeypatch):
    first = document_of("--images", folder, *SMALL, "--store", tmp_path / "store")

    def refuse(*arguments):
        raise AssertionError("computed again")

    monkeypatch.setattr("ds_metrics.features.VGG16.forward", refuse)
    again = document_of("--images", folder, *SMALL, "--store", tmp_path / "store")
    assert again["scores"] == first["scores"]


def test_r2n2_views(tmp_path, pictures):
    for index, picture in enumerate(pictures):
        for view in (0, 1):
            path = tmp_path / f"02691156/shape-{index}/rendering/{view:02d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture if view else 255 - picture).save(path)
        (path.parent / "rendering_metadata.txt").write_text("0 0 0 1 25\n")
    document = document_of("--images", tmp_path, *SMALL, "--views", 1, "--crop", 32)
    assert sorted(document["labels"]) == [f"02691156/shape-{index}/01" for index in range(6)]
    assert document_of("--images", tmp_path, *SMALL)["provenance"]["n_samples"] == 12
    assert "02691156" in str(document["clusters"][0]["medoid"])


def test_plots_show_the_medoids(folder, tmp_path):
    result = run("eval", "--images", folder, *SMALL, "--plots", tmp_path / "plots")
    assert result.exit_code == 0, result.output
    written = sorted(path.name for path in (tmp_path / "plots").iterdir())
    assert written == ["dispersion-curve.png", "distance-matrix.png", "medoids.png"]


def test_different_features_do_not_compare(folder, tmp_path, array):
    def result(name, *options):
        assert run("eval", "--images", folder, *SMALL, *options, "--json", tmp_path / name).exit_code == 0
        return tmp_path / name

    first, same = result("a.json"), result("b.json", "--seed", 1)
    assert run("compare", first, same).exit_code == 0
    for name, options, said in (
        ("pooling.json", ("--pooling", "none"), "distance vgg16 (none, 32 px"),
        ("features.json", ("--features", "pixels"), "distance pixels (32 px)"),
        ("background.json", ("--background", "black"), "normalisation over black, uncropped instead of over white"),
    ):
        assert said in fails("compare", first, result(name, *options))
    shapes = tmp_path / "shapes.json"
    assert run("eval", array, "--clusters", 2, "--json", shapes).exit_code == 0
    assert "points a cloud 30 instead of -" in fails("compare", first, shapes)


def test_curves_of_images(folder, tmp_path):
    assert run("eval", "--images", folder, "--size", 32, "--json", tmp_path / "a.json").exit_code == 0
    result = run("curve", tmp_path / "a.json", "--out", tmp_path / "curve.png")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "curve.png").exists()


def test_bad_images_are_named_or_left_out(folder, tmp_path):
    (folder / "class-0" / "bad.png").write_bytes((folder / "class-0" / "0.png").read_bytes()[:200])
    said = fails("eval", "--images", folder, *SMALL)
    assert "1 of 7 images cannot be read: class-0/bad.png" in said
    assert "--skip-bad" in said
    result = run("eval", "--images", folder, *SMALL, "--skip-bad")
    assert result.exit_code == 0
    assert "skipped class-0/bad" in result.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--points", 100), "--points is for shapes, but --images was given"),
        (("--target", "t.npy"), "--target is for shapes, but --images was given"),
        (("--metric", "ds"), "--metric is for shapes, but --images was given"),
        (("--features", "vgg19"), "must be a network or one of ['vgg16', 'pixels'"),
        (("--weights", "nowhere.pth"), "'bundled', 'torchvision' or the path of a file, but got 'nowhere.pth'"),
        (("--pooling", "mean"), "--pooling must be one of ('channel-max', 'none'), but got 'mean'"),
        (("--background", "pink"), "--background must be"),
        (("--crop", 50), "6 of 6 images cannot be read"),
        (("--views", "x"), "--views must be numbers such as '0', '1,5' or '1:23', but got 'x'"),
        (("--views", "0"), "R2N2"),
        (("--device", "abacus"), "Option --device can't be 'abacus' here"),
        (("--clusters", 6), "must be from 1 to 5"),
    ],
)
def test_bad_options_are_named(folder, options, message):
    assert message in fails("eval", "--images", folder, "--size", 32, *options)


def test_one_set_is_scored(folder, array):
    assert "PREDICTIONS is missing" in fails("eval")
    assert "PREDICTIONS or --images, but got both" in fails("eval", array, "--images", folder)
    assert "--crop is for images, but --images was not given" in fails("eval", array, "--crop", 127)
    assert "nowhere" in fails("eval", "--images", "nowhere")
