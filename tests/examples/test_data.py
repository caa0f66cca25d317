"""The examples that make or read images: what is drawn, and what is said of it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from ds_command import run
from forked import run_script
from PIL import Image

from ds_metrics.functional import dispersion_score
from svr_baselines.data.manifest import read_manifest

EXAMPLES = Path(__file__).parents[2] / "examples"


def white_images(folder):
    """All pictures of a folder over white, `(N, 3, H, W)` uint8."""
    pictures = []
    for file in sorted(folder.rglob("*.png")):
        picture = Image.open(file).convert("RGBA")
        pictures.append(np.asarray(Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture))[..., :3])
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)


def test_render_variants(tmp_path):
    done = run_script(EXAMPLES / "render_variants.py", "--out", tmp_path, "--ranges", "0,90")
    assert done.returncode == 0, done.stderr
    table = [line.split() for line in done.stdout.splitlines()[1:]]
    assert [(row[0], row[1]) for row in table] == [("0", "24"), ("90", "24")]
    for spread, row in zip((0, 90), table, strict=True):
        samples = read_manifest(tmp_path / "renders" / f"azimuth-{spread}").samples
        azimuths = [sample.camera.azimuth - 60 for sample in samples]
        assert max(map(abs, azimuths)) == pytest.approx(spread, rel=0.3)
        assert max(map(abs, azimuths)) <= spread + 1e-9
        score, low, high = (float(row[column].replace(",", "")) for column in (2, 3, 5))
        assert low < score < high
    expected = float(dispersion_score(white_images(tmp_path / "renders" / "azimuth-90"), 4, distance="vgg16"))
    assert score == pytest.approx(expected, rel=1e-3)

    sheet = np.asarray(Image.open(tmp_path / "contact_sheet.png"))
    assert sheet.shape == (2 * (128 + 16), 8 * 128, 3)
    for row in range(2):
        label, *_ = np.split(sheet[row * 144 : (row + 1) * 144], [16])
        assert (label < 128).any()
        for column in range(8):
            cell = sheet[row * 144 + 16 : (row + 1) * 144, column * 128 : (column + 1) * 128]
            assert 0.01 < (cell != 255).any(axis=2).mean() < 0.6
            assert len(np.unique(cell.reshape(-1, 3), axis=0)) > 10


def test_render_variants_of_shapenet(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    from small_data import make_mesh

    names = [f"{synset}/{index}" for synset in ("02691156", "03001627") for index in "ab"]
    for number, name in enumerate(names):
        (tmp_path / "shapenet" / name / "models").mkdir(parents=True)
        make_mesh("chair", number).export(tmp_path / "shapenet" / name / "models" / "model_normalized.obj")
    settings = (
        "--ranges",
        "paper",
        "--distance",
        "0.65",
        "1",
        "--azimuth-centre",
        "0",
        "--size",
        "32",
        "--clusters",
        "2",
    )
    done = run_script(
        EXAMPLES / "render_variants.py", "--meshes", tmp_path / "shapenet", "--out", tmp_path / "out", *settings
    )
    assert done.returncode == 0, done.stderr
    assert [line.split()[:2] for line in done.stdout.splitlines()[1:]] == [
        [angle, "4"] for angle in ("0", "15", "30", "45", "60", "75", "90")
    ]
    assert all((tmp_path / "out" / "renders" / "azimuth-15" / name / "rendering" / "00.png").exists() for name in names)


@pytest.fixture(scope="module")
def diagnosis(tmp_path_factory):
    """The folder that the example leaves, and its lines."""
    out = tmp_path_factory.mktemp("diagnosis")
    done = run_script(EXAMPLES / "diagnose_trainset.py", "--out", out)
    assert done.returncode == 0, done.stderr
    return out, done.stdout.splitlines()


def test_diagnosis_reads_the_differences_as_the_paper(diagnosis):
    out, lines = diagnosis
    assert [line.split()[0] for line in (lines[1], lines[2], lines[4])] == ["two-ends", "more-images", "more-shapes"]
    assert lines[3] == "  toward recognition: images more dispersed, shapes as before (3.4, 4.3, 5.3)"
    assert lines[5] == "  toward reconstruction: images as before, shapes more dispersed (3.4, 4.4, 5.4)"
    for line in (lines[1], lines[2], lines[4]):
        name, images, shapes = line.split()
        clouds = torch.from_numpy(np.stack([np.load(file) for file in sorted((out / name / "shapes").iterdir())]))
        assert float(shapes) == pytest.approx(float(dispersion_score(clouds, 2)), abs=1e-6)
        expected = float(dispersion_score(white_images(out / name / "images"), 2, distance="vgg16"))
        assert float(images.replace(",", "")) == pytest.approx(expected, rel=1e-3)
    assert "viewer-centred" in lines[7]


def test_every_difference_has_a_reading(diagnosis, monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    from diagnose_trainset import READING, direction

    out, _ = diagnosis

    def changes(*names):
        files = [[out / f"{name}-{kind}.json" for name in names] for kind in ("images", "shapes")]
        return tuple(direction(*pair) for pair in files)

    assert changes("more-images", "two-ends") == (-1, 0)
    assert changes("more-shapes", "more-images") == (0, -1)
    assert changes("two-ends", "more-shapes") == (1, 1)
    assert changes("more-shapes", "two-ends") == (-1, -1)
    assert changes("two-ends", "two-ends") == (0, 0)
    assert set(READING) == {(images, shapes) for images in (-1, 0, 1) for shapes in (-1, 0, 1)}


def test_diagnosis_of_folders_and_its_files(diagnosis, tmp_path):
    out, _ = diagnosis
    done = run_script(EXAMPLES / "diagnose_trainset.py", out / "more-shapes", out / "more-images", "--out", tmp_path)
    assert "toward recognition: images as before, shapes less dispersed (3.4, 4.4, 5.4)" in done.stdout
    files = [tmp_path / f"{name}-images.json" for name in ("more-shapes", "more-images")]
    assert run("compare", *files).exit_code == 0
    assert json.loads(files[0].read_text())["scores"] == json.loads(files[1].read_text())["scores"]

    alone = run_script(EXAMPLES / "diagnose_trainset.py", out / "more-shapes", "--out", tmp_path)
    assert alone.returncode == 2
    assert "expected two folders or more" in " ".join(alone.stderr.replace("│", " ").split())
    assert alone.stdout == ""
