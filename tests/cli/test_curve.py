"""`ds curve`."""

import json

import numpy as np
import pytest
import trimesh
from ds_command import fails, run

from ds_metrics.clustering import dispersion_curve
from ds_metrics.pairwise import pairwise_distance


@pytest.fixture
def more(tmp_path):
    np.save(tmp_path / "more.npy", np.random.default_rng(1).random((12, 30, 3)).astype(np.float32))
    return tmp_path / "more.npy"


def curves(*arguments):
    result = run("curve", *arguments, "--json", "-")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["curves"], result.stderr


def test_curves_are_those_of_the_library(array, more, tmp_path):
    found, stderr = curves(array, more, "--out", tmp_path / "c.png")
    for path, curve in zip((array, more), found, strict=True):
        expected = dispersion_curve(pairwise_distance(np.load(path)))
        assert curve["set"] == str(path)
        assert curve["n_clusters"] == expected.n_clusters.tolist()
        assert curve["scores"] == expected.scores.tolist()
        assert (curve["knee"], curve["knee_method"]) == (expected.knee, expected.knee_method)
        assert f"{expected.scores[expected.n_clusters == expected.knee].item():.5g}" in stderr
    assert "ds: warning: not comparable with preds: more (N 12 instead of 8)" in stderr
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")


def test_options_reach_the_curve(array, tmp_path):
    options = ["--clusters", "2:4", "--solver", "alternate", "--seed", 7, "--store", tmp_path / "store"]
    (curve,), stderr = curves(array, *options, "--out", tmp_path / "c.svg")
    expected = dispersion_curve(pairwise_distance(np.load(array)), [2, 3, 4], solver="alternate", seed=7)
    assert curve["n_clusters"] == [2, 3, 4]
    assert curve["scores"] == expected.scores.tolist()
    assert curve["conditions"]["solver"] == "alternate"
    assert list((tmp_path / "store").glob("*/distances.npy"))
    assert "warning" not in stderr
    assert "<svg" in (tmp_path / "c.svg").read_text()


def test_result_files_and_shapes_in_the_order_given(array, more, tmp_path):
    run("eval", more, "--target", more, "--json", tmp_path / "result.json")
    found, _ = curves(array, tmp_path / "result.json", more, "--out", tmp_path / "c.pdf")
    names = [str(array), str(tmp_path / "result.json"), f"{tmp_path / 'result.json'}, ground truth", str(more)]
    assert [curve["set"] for curve in found] == names
    own, truth, again = found[1:]
    assert own["scores"] == pytest.approx(again["scores"], rel=1e-3)
    assert truth["scores"] == pytest.approx(again["scores"], rel=1e-3)
    assert own["conditions"] == again["conditions"]
    assert (tmp_path / "c.pdf").read_bytes().startswith(b"%PDF")


def test_interval_of_a_result_is_drawn(array, tmp_path, monkeypatch):
    from ds_metrics import plotting

    drawn, draw = [], plotting.plot_curves
    monkeypatch.setattr(plotting, "plot_curves", lambda *args, **kw: drawn.append(args) or draw(*args, **kw))
    np.save(tmp_path / "truth.npy", np.load(array)[:, ::-1] * np.float32(2))
    run("eval", array, "--target", tmp_path / "truth.npy", "--json", tmp_path / "result.json")
    curves(tmp_path / "result.json", array, "--out", tmp_path / "c.png")
    ((lines, intervals),) = drawn
    assert list(lines) == ["result, N = 8", "result, ground truth, N = 8", "preds, N = 8"]
    result = json.loads((tmp_path / "result.json").read_text())
    interval = result["dispersion"]["interval"]
    k = result["provenance"]["dispersion"]["n_clusters"]
    assert intervals == {"result, N = 8": (k, interval["low"], interval["high"])}


def test_a_shared_ground_truth_is_drawn_once(array, tmp_path):
    for name, seed in (("a", 1), ("b", 2), ("truth", 3), ("other", 4)):
        np.save(tmp_path / f"{name}.npy", np.random.default_rng(seed).random((8, 30, 3)).astype(np.float32))
    for name, truth in (("a", "truth"), ("b", "truth"), ("truth", "other")):
        run(
            "eval", tmp_path / f"{name}.npy", "--target", tmp_path / f"{truth}.npy", "--json", tmp_path / f"{name}.json"
        )
    found, _ = curves(*(tmp_path / f"{name}.json" for name in ("a", "b", "truth")), "--out", tmp_path / "c.png")
    names = [curve["set"].removeprefix(f"{tmp_path}/") for curve in found]
    assert names == ["a.json", "a.json, ground truth", "b.json", "truth.json", "truth.json, ground truth"]


def test_equal_names_are_told_apart(array, tmp_path):
    (tmp_path / "b").mkdir()
    np.save(tmp_path / "b" / "preds.npy", np.load(array))
    found, _ = curves(array, tmp_path / "b" / "preds.npy", array, "--out", tmp_path / "c.png")
    assert len(found) == 3


def test_meshes_and_bad_ones(tmp_path):
    folder = tmp_path / "meshes"
    folder.mkdir()
    for index, size in enumerate((1.0, 2.0, 3.0, 4.0)):
        trimesh.creation.box((1.0, size, 1.0)).export(folder / f"box{index}.obj")
    (folder / "bad.obj").write_text("v 0 0 0\n")
    out = ["--out", tmp_path / "c.png"]
    assert "--skip-bad" in fails("curve", folder, *out)
    (curve,), stderr = curves(folder, "--points", 50, "--skip-bad", *out)
    assert curve["conditions"]["n_samples"] == 4
    assert curve["conditions"]["points"] == "50"
    assert curve["conditions"]["normalization"] == "unit-ball"
    assert "skipped bad" in stderr


def test_a_curve_that_was_drawn_is_in_the_result(array, tmp_path):
    options = "--clusters", 3, "--plots", tmp_path / "plots", "--json", tmp_path / "result.json"
    assert run("eval", array, "--target", array, *options).exit_code == 0
    settings = json.loads((tmp_path / "result.json").read_text())["provenance"]["dispersion"]
    assert (settings["n_clusters"], settings["n_clusters_chosen"]) == (3, "given")
    (found,), _ = curves(tmp_path / "result.json", "--out", tmp_path / "c.png")
    assert found["scores"] == dispersion_curve(pairwise_distance(np.load(array))).scores.tolist()


@pytest.mark.parametrize("clusters", ["5:1", "0:3", "1,1,2", "2,1", "a:b", "1:", "", "1.5", "1:2:3"])
def test_bad_grids(array, clusters):
    assert "--clusters must be ascending numbers" in fails("curve", array, f"--clusters={clusters}")


def test_refuses(array, tmp_path):
    assert "300 clusters take 301 shapes at least, but there are 8" in fails("curve", array, "--clusters", "1,300")
    assert "--out must end in one of .png .pdf .svg" in fails("curve", array, "--out", tmp_path / "c.jpg")
    assert "--out must name a file" in fails("curve", array, "--out", tmp_path / "no" / "c.png")
    assert "No file or folder" in fails("curve", tmp_path / "nowhere.npy", "--out", tmp_path / "c.png")
    run("eval", array, "--clusters", 3, "--json", tmp_path / "given.json")
    message = fails("curve", array, tmp_path / "given.json", "--out", tmp_path / "c.png")
    assert "given.json holds no curve, as its number of clusters was given" in message
    assert "--clusters is for shapes" in fails("curve", tmp_path / "given.json", "--clusters", "1:3")
    np.save(tmp_path / "one.npy", np.load(array)[:1])
    assert "1 clusters take 2 shapes at least" in fails("curve", tmp_path / "one.npy", "--out", tmp_path / "c.png")
    assert not (tmp_path / "c.png").exists()


@pytest.mark.parametrize(
    "edit",
    [
        lambda curve: curve.update(scores=curve["scores"][:-1]),
        lambda curve: curve.update(n_clusters=curve["n_clusters"][::-1]),
        lambda curve: curve.update(knee=99),
        lambda curve: curve["scores"].__setitem__(0, None),
        lambda curve: curve["n_clusters"].__setitem__(0, "1"),
    ],
)
def test_bad_curves_in_results(array, tmp_path, edit):
    run("eval", array, "--json", tmp_path / "result.json")
    document = json.loads((tmp_path / "result.json").read_text())
    edit(document["provenance"]["dispersion"]["curve"])
    (tmp_path / "result.json").write_text(json.dumps(document))
    message = fails("curve", tmp_path / "result.json", "--out", tmp_path / "c.png")
    assert "result.json: field 'provenance.dispersion.curve" in message
