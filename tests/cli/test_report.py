"""`ds report`."""

import json
import sys

import numpy as np
import pytest
from ds_command import fails, run


@pytest.fixture
def result(array, tmp_path):
    np.save(tmp_path / "truth.npy", np.load(array)[:, ::-1] * np.float32(2))
    scored = run("eval", array, "--target", tmp_path / "truth.npy", "--json", tmp_path / "result.json")
    assert scored.exit_code == 0, scored.output
    return tmp_path / "result.json"


def test_writes_one_page(result, tmp_path):
    out = tmp_path / "page.html"
    done = run("report", result, "--out", out, "--title", "A & B", "--store", tmp_path / "store")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"wrote {out}: ")
    assert "<title>A &amp; B</title>" in out.read_text()
    assert list((tmp_path / "store").glob("*/distances.npy"))


def test_films(result, tmp_path, monkeypatch):
    monkeypatch.setattr("svr_baselines.report.turntables.FRAMES", 2)
    done = run("report", result, "--out", tmp_path / "r.html", "--turntables", tmp_path / "films")
    assert done.exit_code == 0, done.output
    k = len(json.loads(result.read_text())["clusters"])
    assert len(list((tmp_path / "films").glob("*.gif"))) == k + 1
    assert f"wrote {k + 1} films to {tmp_path / 'films'}" in done.stdout


def test_what_is_gone_is_a_warning(result, array, tmp_path):
    array.unlink()
    done = run("report", result, "--out", tmp_path / "r.html", "--turntables", tmp_path / "films")
    assert done.exit_code == 0, done.output
    assert f"ds: warning: result: The shapes of {array} can't be shown: there is nothing there now." in done.stderr
    assert "wrote 0 films" in done.stdout


def test_images_have_scores_and_clusters(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (8, 6, 6, 3), dtype=np.uint8)
    np.save(tmp_path / "images.npy", images)
    options = ["--features", "pixels", "--size", 4, "--clusters", 2, "--json", tmp_path / "r.json"]
    assert run("eval", "--images", tmp_path / "images.npy", *options).exit_code == 0
    done = run("report", tmp_path / "r.json", "--out", tmp_path / "r.html")
    assert done.exit_code == 0, done.output
    assert "These are images" in done.stderr
    assert '"noun":"image"' in (tmp_path / "r.html").read_text()


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["--out", "page.pdf"], "--out must end in .html, but got 'page.pdf'"),
        (["--out", "no/such/folder/page.html"], "--out must name a file in a folder that can be written"),
        (["--turntables", "films", "--format", "avi"], "--format must be one of gif, mp4, but got 'avi'"),
    ],
)
def test_bad_options(result, tmp_path, monkeypatch, options, fault):
    monkeypatch.chdir(tmp_path)
    assert fault in fails("report", result, *options)
    assert not (tmp_path / "films").exists()


def test_bad_results(tmp_path):
    (tmp_path / "text.json").write_text("no")
    assert "text.json is not a JSON file" in fails("report", tmp_path / "text.json", "--out", tmp_path / "r.html")
    assert "No file or folder" in fails("report", tmp_path / "gone.json", "--out", tmp_path / "r.html")
    assert "no folder of an experiment" in fails("report", tmp_path, "--out", tmp_path / "r.html")
    assert not (tmp_path / "r.html").exists()


@pytest.mark.parametrize(("module", "package"), [("plotly.offline", "plotly"), ("sklearn.manifold", "scikit-learn")])
def test_says_what_to_install(result, tmp_path, monkeypatch, module, package):
    monkeypatch.setitem(sys.modules, module, None)
    line = fails("report", result, "--out", tmp_path / "r.html")
    assert f"needs {package}, which is not installed: pip install 'dispersion-score[report]'" in line
    assert not (tmp_path / "r.html").exists()
