"""Whole experiments, small: real meshes, trainings of a few steps."""

import html
import json
from dataclasses import replace

import numpy as np
import pytest
import trimesh

from svr_baselines.experiments import Context, Options, more_images, more_shapes, more_views, run_experiment
from svr_baselines.experiments.graph import run_jobs
from svr_baselines.experiments.protocol import REAL
from svr_baselines.experiments.running import plan_experiment
from svr_baselines.report import read_results, write_report
from svr_baselines.results import read_result

pytest.importorskip("torchvision", reason="networks need torchvision: pip install '.[train]'")
pytest.importorskip("lightning_fabric", reason="training needs Lightning Fabric: pip install '.[train]'")


@pytest.fixture(scope="module")
def meshes(tmp_path_factory):
    """Ten boxes and ten cones of different sizes."""
    folder = tmp_path_factory.mktemp("meshes")
    rng = np.random.default_rng(0)
    for name, make in (
        ("box", lambda a, b: trimesh.creation.box((1, a, b))),
        ("cone", lambda a, b: trimesh.creation.cone(a, b, sections=8)),
    ):
        (folder / name).mkdir()
        for i in range(10):
            make(*rng.uniform(0.5, 2, 2)).export(folder / name / f"{i}.ply")
    return folder


@pytest.fixture
def tiny(monkeypatch):
    """The quick preset, smaller still."""
    network = {"psgn": {"points": 60, "code": 16, "hidden": 16}}
    training = {"batch_size": 8, "precision": "32-true"}
    protocol = replace(
        REAL["quick"],
        size=32,
        points=60,
        scored_points=50,
        clusters=2,
        steps=6,
        training=training,
        network_options=network,
    )
    for module in (more_images, more_shapes, more_views):
        monkeypatch.setitem(module.REAL, "quick", protocol)
    monkeypatch.setattr(more_images, "RANGES", (0.0, 90.0))
    monkeypatch.setattr(more_views, "VIEWS", (1, 3))
    return protocol


def run(name, meshes, out, tell=lambda line: None, clusters=None):
    plan = plan_experiment(name, Options("quick", meshes, networks=["psgn"], clusters=clusters))
    run_experiment(plan, Context(out), tell=tell)
    return json.loads((out / "results.json").read_text())


def without_times(document):
    document["provenance"].pop("seconds")
    return document


def test_growing_ranges_from_meshes_to_results_and_again_without_work(tiny, meshes, tmp_path):
    document = run("more-images", meshes, tmp_path)
    assert [row["step"] for row in document["rows"]] == ["0°", "90°"]
    narrow, wide = document["rows"]
    assert narrow["image_ds"] < wide["image_ds"]
    assert narrow["shape_ds"] == wide["shape_ds"]
    for row in document["rows"]:
        result = read_result(tmp_path / row["result"])
        assert result.dispersion == row["output_ds"]
        assert result.chamfer == row["cd"]
        assert row["n"] == 4
        assert row["share"] == pytest.approx(row["output_ds"] / row["truth_ds"])
    scored = json.loads((tmp_path / narrow["result"]).read_text())["provenance"]
    assert (tmp_path / scored["predictions"]["source"]).exists()
    assert scored["points"] == {"min": 50, "max": 50}
    assert (tmp_path / document["figures"][0]["file"]).read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in (tmp_path / "runs/azimuth-90/psgn-1").glob("*.safetensors")) == [
        "best.safetensors"
    ]

    page = tmp_path / "report.html"
    assert write_report(read_results([tmp_path]), page) == ()
    text = page.read_text()
    assert html.escape(document["verdicts"][0]["sentence"]) in text
    assert "azimuth-90" in text

    told = []
    assert run("more-images", meshes, tmp_path, told.append) == document
    assert told == []


def test_another_number_of_clusters_scores_the_same_trainings(tiny, meshes, tmp_path):
    before = run("more-images", meshes, tmp_path)
    told = []
    after = run("more-images", meshes, tmp_path, told.append, clusters=1)
    assert {line.split()[3].split("/")[0] for line in told} == {"images", "shapes", "score"}
    assert after["rows"][0]["output_ds"] > before["rows"][0]["output_ds"]
    assert read_result(tmp_path / before["rows"][0]["result"]).conditions.n_clusters == 2


def test_more_clusters_than_test_shapes_are_refused_before_any_job(tiny, meshes, tmp_path):
    with pytest.raises(
        ValueError, match="must be less than the number of shapes, but got 4 for the 4 of the test part"
    ):
        run("more-shapes", meshes, tmp_path, clusters=4)
    assert list(tmp_path.iterdir()) == []


def test_too_few_views_are_told_before_any_training(tiny, meshes, tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr("svr_baselines.data.item_dataset.ItemDataset.__getitem__", lack_views)
    with pytest.raises(ValueError, match="no such picture"):
        run("more-views", meshes, tmp_path, told.append)
    assert [line.split()[3] for line in told] == ["data/points", "data/renders"]


def lack_views(dataset, index):
    raise ValueError("no such picture")


def test_axes_and_recognition(tiny, meshes, tmp_path):
    document = run("more-shapes", meshes, tmp_path)
    rows = {(row["network"], row["step"]): row for row in document["rows"]}
    assert set(rows) == {("psgn", "OC"), ("psgn", "VC")} | {
        (method, method) for method in ("oracle-nn", "retrieval", "clustering")
    }
    assert rows["psgn", "OC"]["image_ds"] == rows["psgn", "VC"]["image_ds"]
    assert rows["psgn", "OC"]["shape_ds"] < rows["psgn", "VC"]["shape_ds"]
    assert rows["clustering", "clustering"]["output_ds"] <= rows["retrieval", "retrieval"]["output_ds"]
    assert [row[0] for row in document["table"]["rows"]] == [
        "psgn",
        "oracle-nn",
        "retrieval",
        "clustering",
        "ground truth",
    ]
    # Predictions of the viewer-centred network are turned back, so both have one truth.
    truths = [np.load(tmp_path / f"predictions/{step}/psgn-1/targets.npy") for step in ("OC", "VC")]
    np.testing.assert_array_equal(*truths)


def test_more_views_train_on_more_and_a_killed_run_ends_with_the_same_numbers(tiny, meshes, tmp_path):
    whole = run("more-views", meshes, tmp_path / "whole")
    trained = [
        json.loads(file.read_text())["result"] for file in sorted((tmp_path / "whole/jobs/train").rglob("*.json"))
    ]
    assert [found["samples"] for found in trained] == [16, 48]

    # Ended within the second training: its job is not done, and its last checkpoint is that of an epoch before.
    from svr_baselines.training import fit

    class Ended(BaseException):
        pass

    count = 0
    write = fit._Run._write

    def end(self, *arguments):
        nonlocal count
        write(self, *arguments)
        count += 1
        if count == 5:
            raise Ended

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit._Run, "_write", end)
        with pytest.raises(Ended):
            run("more-views", meshes, tmp_path / "broken")
    assert list((tmp_path / "broken/runs").rglob("last.safetensors"))
    assert without_times(run("more-views", meshes, tmp_path / "broken")) == without_times(whole)


def test_a_training_on_two_devices_runs_in_processes_of_its_own(tiny, meshes, tmp_path):
    jobs = plan_experiment("more-views", Options("quick", meshes, networks=["psgn"])).jobs()
    first = next(job for job in jobs if job.name.startswith("train/"))
    results = run_jobs([*first.needs, first], Context(tmp_path, accelerator="cpu", devices=2), tell=lambda line: None)
    assert (results[first.name]["samples"], results[first.name]["steps"]) == (16, 6)
    assert json.loads((tmp_path / first.arguments["run"] / "config.json").read_text())["devices"] == 2


def test_other_settings_are_refused_in_the_folder(tiny, meshes, tmp_path, monkeypatch):
    run("more-views", meshes, tmp_path)
    for module in (more_images, more_shapes, more_views):
        monkeypatch.setitem(module.REAL, "quick", replace(tiny, scored_points=40))
    with pytest.raises(ValueError, match=r"was done with other settings: .*points 50, not 40"):
        run("more-views", meshes, tmp_path)
