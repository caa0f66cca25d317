import json
import os
import subprocess
import sys

import numpy as np
import pytest
from ds_command import fails, run

from svr_baselines.building import build_points, build_renders, build_synthetic
from svr_baselines.data.manifest import read_manifest
from svr_baselines.data.opening import DataOptions

SMALL = "--points", 64, "--size", 32
OPTIONS = json.dumps({"data": "a", "options": {**DataOptions(points=64).to_json(), "views": 1}, "images": None})


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "synthetic"
    build_synthetic(folder, count=20, points=64, size=32, samples=1, renderer="embree")
    return folder


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    file = tmp_path_factory.mktemp("config") / "small.json"
    options = {"points": 50, "code": 16, "hidden": 16}
    values = {"network_options": options, "epochs": 2, "decays": [1], "batch_size": 7, "validation_samples": 0}
    file.write_text(json.dumps(values))
    return file


@pytest.fixture(scope="module")
def trained(data, config, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "psgn"
    done = run("train", "psgn", data, out, "--config", config, *SMALL)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"{out}: psgn, 2 epochs in")
    assert "14 samples for training, 2 for validation." in done.stderr
    return out


def test_predictions_are_ready_for_eval(data, trained, tmp_path):
    done = run("predict", trained, data, tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert np.load(tmp_path / "out" / "predictions.npy").shape == (4, 50, 3)
    assert np.load(tmp_path / "out" / "targets.npy").shape == (4, 64, 3)
    arrays = [tmp_path / "out" / name for name in ("predictions.npy", "targets.npy")]
    done = run("eval", arrays[0], "--target", arrays[1], "--clusters", 2, "--json", "-")
    assert set(json.loads(done.stdout)["scores"]) == {"chamfer-distance", "dispersion-score", "f-score"}


def test_as_many_points_of_both_give_a_share(data, trained, tmp_path):
    done = run("predict", trained, data, tmp_path / "out", "--points", 40)
    assert done.exit_code == 0, done.output
    arrays = [tmp_path / "out" / name for name in ("predictions.npy", "targets.npy")]
    assert [np.load(array).shape for array in arrays] == [(4, 40, 3)] * 2
    done = run("eval", arrays[0], "--target", arrays[1], "--clusters", 2, "--json", "-")
    assert json.loads(done.stdout)["dispersion"]["normalized"]["score"] > 0
    said = fails("predict", trained, data, tmp_path / "out", "--points", 51)
    assert "--points must be at most 50, as many as the predictions have, but got 51" in said


def test_a_run_knows_its_data(data, trained):
    done = run("predict", trained, "--part", "validation")
    assert done.exit_code == 0, done.output
    rows = read_manifest(trained / "predictions").samples
    parts = {row.id: row.split for row in read_manifest(data).samples}
    assert [parts[row.id] for row in rows] == ["validation"] * 2


def test_a_run_goes_on_but_is_not_begun_twice(data, config, trained):
    assert "holds a run already" in fails("train", "psgn", data, trained, "--config", config, *SMALL)
    done = run("train", "psgn", data, trained, "--config", config, *SMALL, "--resume")
    assert done.exit_code == 0, done.output
    assert "Going on after epoch 2." in done.stderr


def test_to_go_on_without_a_run_begins_one_and_says_so(data, config, tmp_path):
    """So that one command line can be given again and again, as schedulers do."""
    done = run("train", "psgn", data, tmp_path / "run", "--config", config, *SMALL, "--resume")
    assert done.exit_code == 0, done.output
    assert "run holds no run to go on with: a new one begins" in done.stderr


def test_a_refused_start_leaves_what_the_run_says_of_its_data(data, config, trained, tmp_path):
    before = (trained / "data.json").read_bytes()
    build_synthetic(tmp_path / "other", count=30, points=64, size=32, samples=1, renderer="embree")
    assert "holds a run already" in fails("train", "psgn", tmp_path / "other", trained, "--config", config, *SMALL)
    said = fails("train", "psgn", tmp_path / "other", trained, "--config", config, *SMALL, "--resume")
    assert "A run goes on with its data" in said
    assert (trained / "data.json").read_bytes() == before


@pytest.mark.parametrize("method", ["oracle-nn", "retrieval", "clustering"])
def test_recall(data, tmp_path, method):
    done = run("recall", method, data, tmp_path / "out", "--clusters", 2, *SMALL)
    assert done.exit_code == 0, done.output
    assert np.load(tmp_path / "out" / "predictions.npy").shape == (4, 64, 3)


def test_points_and_pictures_of_two_folders(data, config, tmp_path):
    build_points(data / "meshes", tmp_path / "points", points=64)
    build_renders(data / "meshes", tmp_path / "renders", size=32, samples=1, renderer="embree")
    pictures = tmp_path / "renders" / "azimuth-90"
    done = run("train", "psgn", tmp_path / "points", tmp_path / "run", "--images", pictures, "--config", config, *SMALL)
    assert done.exit_code == 0, done.output
    assert "16 samples for training, 4 for validation." in done.stderr
    assert run("predict", tmp_path / "run").exit_code == 0


def test_occnet_trains_on_occupancy(data, tmp_path):
    build_points(data / "meshes", tmp_path / "points", points=64)
    build_renders(data / "meshes", tmp_path / "renders", size=32, samples=1, renderer="embree")
    done = run("build", "occupancy", data / "meshes", tmp_path / "points", tmp_path / "occupancy", "--queries", 3000)
    assert done.exit_code == 0, done.output
    options = {"points": 50, "code": 16, "hidden": 16, "resolution": 16}
    values = {"network_options": options, "epochs": 1, "decays": [], "batch_size": 8, "validation_samples": 0}
    (tmp_path / "small.json").write_text(json.dumps(values))
    places = "--images", tmp_path / "renders" / "azimuth-90", "--config", tmp_path / "small.json"
    command = "train", "occnet", tmp_path / "points", tmp_path / "run", *places, *SMALL
    assert "--occupancy goes with occnet" in fails(*command)
    done = run(*command, "--occupancy", tmp_path / "occupancy")
    assert done.exit_code == 0, done.output
    assert run("predict", tmp_path / "run").exit_code == 0
    assert np.load(tmp_path / "run" / "predictions" / "predictions.npy").shape == (4, 50, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "transformer", "DATA", "OUT"], "transformer"),
        (["train", "psgn", "nothing", "OUT"], "No folder at nothing"),
        (["train", "psgn", "OUT", "OUT"], "must hold ShapeNetV1PointCloud/ or manifest.csv"),
        (["train", "psgn", "DATA", "OUT", "--preset", "fast"], "Option --preset must be one of"),
        (["train", "psgn", "DATA", "OUT", "--crop", "x"], "--crop must be auto, none or a number of pixels"),
        (["train", "psgn", "DATA", "OUT", "--coordinates", "world"], "Option --coordinates must be one of"),
        (["predict", "OUT", "DATA"], "No checkpoint at"),
        (["predict", "nothing", "OUT"], "No file or folder at nothing"),
        (["predict", "OUT"], "DATA is missing"),
        (["recall", "memory", "DATA", "OUT"], "`method` must be one of"),
    ],
)
def test_bad_input_is_one_line(data, tmp_path, arguments, message):
    places = {"DATA": data, "OUT": tmp_path}
    assert message in fails(*(places.get(argument, argument) for argument in arguments), *["--points", 64])


def test_two_processes(data, config, tmp_path):
    command = [sys.executable, "-m", "ds_cli", "train", "psgn", data, tmp_path / "run", "--config", config]
    options = ["--devices", "2", "--accelerator", "cpu", *map(str, SMALL)]
    done = subprocess.run(
        [*command, *options], capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("psgn, 2 epochs in") == 1
    assert (tmp_path / "run" / "last.safetensors").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--batch-size", 1, "--clusters", 1],
            "--batch-size must leave at least 2 samples to each batch, as the batch norm",
        ),
        (["--batch-size", 10**8], "--batch-size must be at most 1,000,000"),
        (["--epochs", 10**8], "--epochs must be at most 1,000,000"),
        (["--points", 10**8], "--points must be at most"),
        (["--size", 10**6], "--size must be at most 16,384"),
        (["--crop", 10**6], "--crop must be at most 16,384"),
        (["--accelerator", "abacus"], "--accelerator: Fabric can't serve this configuration"),
        (["--devices", 10**6, "--accelerator", "cpu"], "--devices must be at most the"),
        (["--nodes", 10**5], "--nodes must be 1 where neither torchrun"),
        (["--clusters", 10**8], "--clusters must be at most 1,000,000"),
        (["--seed", 10**30], "--seed must be an integer of 64 bits"),
    ],
)
def test_absurd_sizes_are_one_line_and_nothing_else(data, tmp_path, monkeypatch, options, message):
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    result = run(
        "train", "psgn", data, tmp_path / "out", "--preset", "quick", *SMALL, "--precision", "bf16-mixed", *options
    )
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert not list(tmp_path.rglob("*.safetensors"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"data": 3, "options": {}}', "data.json: field 'data': expected `str`, got `int`"),
        ('{"images": null}', "data.json: object missing required field"),
        ('{"data": "a", "options": [], "images": null}', "data.json: field 'options': expected `object`"),
        ('{"data": "a", "options": {"points": 1e12}}', "data.json: "),
        ('{"data": "a", "options": {}, "images": null}', "data.json: field 'options': object missing required field"),
        (OPTIONS.replace("64", "1000000000000"), "data.json: Argument `points` must be at most"),
        ("[" * 100_000, "data.json"),
    ],
)
def test_edited_data_files_are_one_line(trained, tmp_path, text, message):
    (tmp_path / "last.safetensors").symlink_to(trained / "last.safetensors")
    (tmp_path / "data.json").write_text(text)
    assert message in fails("predict", tmp_path)


def test_what_is_wrong_is_told_before_the_data_are_opened(data, trained, config, tmp_path):
    nothing = tmp_path / "nothing"
    for option in ("--images", "--validation", "--occupancy"):
        said = fails("train", "psgn", data, tmp_path / "out", option, nothing)
        assert f"{option} must name a folder, but there is none at {nothing}" in said
    assert "--which must be last or best, but got 'worst'" in fails("predict", trained, "--which", "worst")
    assert "No checkpoint at" in fails("predict", tmp_path, tmp_path)
    (tmp_path / "run.toml").write_text("network = 3")
    said = fails("train", "psgn", data, tmp_path / "out", "--config", tmp_path / "run.toml")
    assert "run.toml: Argument `name` must be a registered network, but got 3" in said
