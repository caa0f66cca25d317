"""The command as a user runs it: exit codes, what goes to which stream, what is written."""

import json
import os
import pickle
import re
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh
from ds_cli.app import app
from ds_command import fails, run
from typer.testing import CliRunner

from ds_metrics.functional import chamfer_distance, dispersion_score


def test_scores_an_array(array, clouds, tmp_path):
    result = run("eval", array, "--clusters", 3, "--json", tmp_path / "out.json")
    assert result.exit_code == 0, result.output
    document = json.loads((tmp_path / "out.json").read_text())
    score = dispersion_score(clouds, 3).item()
    assert document["scores"] == {"dispersion-score": score}
    assert f"{score:.6g}" in result.stdout
    assert sum(cluster["size"] for cluster in document["clusters"]) == 8
    settings = document["provenance"]["dispersion"]
    assert settings["n_clusters"] == 3
    assert settings["n_clusters_chosen"] == "given"
    assert settings["solver"] == "fasterpam"
    assert settings["seed"] == 0
    provenance = document["provenance"]
    assert provenance["n_samples"] == 8
    assert provenance["points"] == {"min": 30, "max": 30}
    assert set(provenance["versions"]) >= {"dispersion-score", "torch", "numpy", "python"}
    assert len(provenance["predictions"]["sha256"]) == 64
    assert provenance["predictions"]["read_with"] == {"points": 2500, "normalize": "auto", "seed": 0, "side": "preds"}
    assert settings["backend"] == "native"
    assert settings["convention"] == "sum of the two means of squared nearest distances"


def test_json_on_stdout_is_json_alone(array):
    result = run("eval", array, "--json", "-")
    document = json.loads(result.stdout)
    curve = document["provenance"]["dispersion"]["curve"]
    assert curve["n_clusters"] == list(range(1, 8))
    assert "dispersion-score" in result.stderr


def test_targets_add_reconstruction_scores(array, clouds, tmp_path):
    targets = clouds[:, ::-1] + np.float32(0.01)
    np.save(tmp_path / "targets.npy", targets)
    document = json.loads(run("eval", array, "--target", tmp_path / "targets.npy", "--json", "-").stdout)
    assert list(document["scores"]) == ["dispersion-score", "chamfer-distance", "f-score"]
    expected = chamfer_distance(clouds, np.ascontiguousarray(targets)).mean()
    assert document["scores"]["chamfer-distance"] == pytest.approx(float(expected), rel=1e-5)


def test_metric_by_name(array, tmp_path):
    document = json.loads(run("eval", array, "--target", array, "--metric", "cd", "--json", "-").stdout)
    assert document["scores"] == {"chamfer-distance": 0.0}
    assert "clusters" not in document
    assert "'chamfer-distance' compares predictions with targets" in fails("eval", array, "--metric", "cd")
    assert "did you mean" in fails("eval", array, "--metric", "dispersion")
    assert "--plots shows the Dispersion Score" in fails(
        "eval", array, "--target", array, "--metric", "cd", "--plots", tmp_path / "plots"
    )


def test_plots(array, tmp_path):
    for clusters in ("knee", "3"):
        result = run("eval", array, "--clusters", clusters, "--plots", tmp_path / clusters)
        assert result.exit_code == 0, result.output
        written = sorted(path.name for path in (tmp_path / clusters).iterdir())
        assert written == ["dispersion-curve.png", "distance-matrix.png", "medoids.png"]
        for path in (tmp_path / clusters).iterdir():
            assert path.read_bytes().startswith(b"\x89PNG")


def test_meshes_seed_and_points(tmp_path):
    folder = tmp_path / "meshes"
    folder.mkdir()
    for index, size in enumerate((1.0, 2.0, 3.0, 4.0)):
        trimesh.creation.box((1.0, size, 1.0)).export(folder / f"box{index}.obj")
    scores = [
        json.loads(run("eval", folder, "--points", 100, "--seed", seed, "--clusters", 2, "--json", "-").stdout)[
            "scores"
        ]
        for seed in (0, 0, 1)
    ]
    assert scores[0] == scores[1] != scores[2]


def test_bad_shapes_are_named_and_can_be_skipped(tmp_path, clouds):
    for index, cloud in enumerate(clouds):
        np.save(tmp_path / f"{index}.npy", cloud)
    clouds[3, :2] = np.nan
    np.save(tmp_path / "3.npy", clouds[3])
    (tmp_path / "5.npy").write_bytes((tmp_path / "5.npy").read_bytes()[:100])
    message = fails("eval", tmp_path)
    assert "2 of 8 shapes cannot be read" in message
    assert "3.npy: 2 of 30 points are NaN or infinite" in message
    assert "5.npy" in message
    assert "--skip-bad" in message
    result = run("eval", tmp_path, "--skip-bad", "--json", "-")
    document = json.loads(result.stdout)
    assert [bad["name"] for bad in document["provenance"]["predictions"]["skipped"]] == ["3", "5"]
    assert "skipped 3" in result.stderr
    assert document["provenance"]["n_samples"] == 6


def test_targets_that_do_not_pair_are_named(tmp_path, clouds):
    for folder, names in (("preds", "abc"), ("targets", "bcd")):
        (tmp_path / folder).mkdir()
        for name, cloud in zip(names, clouds, strict=False):
            np.save(tmp_path / folder / f"{name}.npy", cloud)
    message = fails("eval", tmp_path / "preds", "--target", tmp_path / "targets")
    assert "1 (a) without a target" in message
    assert "1 (d) without a prediction" in message


def test_part_of_the_predictions(tmp_path, clouds):
    for name, cloud in zip("abcdefgh", clouds, strict=True):
        for folder in ("preds", "targets")[name not in "abcd" :]:
            (tmp_path / folder).mkdir(exist_ok=True)
            np.save(tmp_path / folder / f"{name}.npy", cloud)
    paths = tmp_path / "preds", "--target", tmp_path / "targets"
    assert "`--common`" in fails("eval", *paths)
    result = run("eval", *paths, "--common", "--json", "-")
    document = json.loads(result.stdout)
    assert document["provenance"]["n_samples"] == 4
    assert [bad["name"] for bad in document["provenance"]["targets"]["skipped"]] == list("efgh")
    assert "skipped e, f, g, .. (4) of the targets: it has no prediction" in result.stderr
    assert "--common is for predictions with a ground truth" in fails("eval", paths[0], "--common")


def test_shapenet_pairs_with_points_built_of_it(tmp_path):
    for index in range(3):
        path = tmp_path / "shapenet" / "02691156" / f"{index}a" / "models" / "model_normalized.obj"
        path.parent.mkdir(parents=True)
        trimesh.creation.box((1.0, 1.0 + index, 1.0)).export(path)
    assert run("build", "points", tmp_path / "shapenet", tmp_path / "points", "--points", 50).exit_code == 0
    (tmp_path / "points" / "more.pt").touch()
    options = "--points", 50, "--metric", "cd", "--json", "-"
    result = run("eval", tmp_path / "shapenet", "--target", tmp_path / "points", "--normalize", "unit-ball", *options)
    assert json.loads(result.stdout)["scores"]["chamfer-distance"] == pytest.approx(0, abs=1e-9)
    assert f"{tmp_path / 'points'}: ignored 1 files of other kinds: .pt" in result.stderr


class Bomb:
    def __reduce__(self):
        return (os.mkdir, ("exploded",))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.zeros((4, 3)), "shape (N, P, 3), but got (4, 3)"),
        (np.zeros((1, 5, 3)), "at least 2 samples, but got 1"),
        (np.zeros((4, 0, 3)), "got (4, 0, 3)"),
        (np.array(["a", "b"]), "got (2,)"),
        (np.array([Bomb()], dtype=object), "never unpickled"),
    ],
)
def test_bad_arrays(tmp_path, monkeypatch, value, message):
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "bad.npy", value, allow_pickle=True)
    assert message in fails("eval", tmp_path / "bad.npy")
    assert not (tmp_path / "exploded").exists()


def test_pickles_are_not_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.npy").write_bytes(pickle.dumps(Bomb()))
    assert "not a readable" in fails("eval", tmp_path / "bad.npy")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("clusters", ["0", "-1", "two", "1.5"])
def test_bad_clusters(array, clusters):
    assert "--clusters must be 'knee' or an integer of at least 1" in fails("eval", array, f"--clusters={clusters}")


def test_options_are_named_not_arguments(array):
    assert fails("eval", array, "--clusters", 8).startswith("ds: Option --clusters must be from 1 to 7 for 8 samples")
    assert fails("eval", array, "--metric", "none").startswith("ds: Option --metric must be a registered metric")
    assert fails("eval", array, "--normalize", "none.").startswith("ds: Option --normalize must be 'auto' or one of")
    assert fails("train", "none", array, "out").startswith("ds: Argument `name`")  # it is no option there


def test_paths_are_checked_before_heavy_imports(tmp_path):
    code = "import sys; from ds_command import fails; print(fails(*sys.argv[1:])); print('torch' in sys.modules)"
    for command in ("eval", "curve", "compare", "report"):
        done = subprocess.run(
            [sys.executable, "-c", code, command, "nowhere"], capture_output=True, text=True, cwd=Path(__file__).parent
        )
        assert done.stdout.splitlines() == ["ds: No file or folder at nowhere.", "False"], done.stderr


@pytest.mark.parametrize("columns", ["20", "60", "200"])
def test_narrow_terminals_fold_names_and_cut_no_number(array, clouds, tmp_path, columns):
    np.save(tmp_path / "targets.npy", clouds[:, ::-1] + np.float32(0.01))
    arguments = ["eval", str(array), "--target", str(tmp_path / "targets.npy"), "--metric", "all"]
    options = ["--json", str(tmp_path / "out.json")]
    result = CliRunner().invoke(app, [*arguments, *options], env={"COLUMNS": columns})
    document = json.loads((tmp_path / "out.json").read_text())
    shown = set(result.stdout.split())
    for name, score in document["scores"].items():
        assert f"{score:.6g}" in shown
        assert name[:12] in result.stdout
    assert "…" not in result.stdout


def test_missing_path_and_empty_folder(tmp_path):
    assert "No file or folder" in fails("eval", tmp_path / "nowhere")
    assert "no shapes in this folder" in fails("eval", tmp_path)


def test_unwritable_outputs_are_found_before_the_work(array, tmp_path):
    assert "--json must name a file" in fails("eval", array, "--json", tmp_path / "no" / "out.json")
    assert "--json must name a file" in fails("eval", array, "--json", tmp_path)
    if Path("/proc").exists():
        assert "--json must name a file" in fails("eval", array, "--json", "/proc/out.json")  # not even by root
    assert "--plots must name a folder" in fails("eval", array, "--plots", array)
    if os.geteuid() == 0:
        return  # root writes everywhere
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(stat.S_IRUSR | stat.S_IXUSR)
    assert "--plots must name a folder" in fails("eval", array, "--plots", locked)


def test_lists_metrics():
    wide, narrow = (CliRunner().invoke(app, ["metrics"], env={"COLUMNS": columns}).stdout for columns in ("200", "80"))
    for line in ("chamfer-distance, cd +targets +Mean Chamfer", "normal-consistency, nc +targets, normals +Mean agree"):
        assert re.search(line, wide)
    for word in ("f-score, fscore", "targets, meshes", "targets, train", "of voxel grids", "Mean Chamfer distance"):
        assert word in narrow


def test_installed_command():
    command = Path(sys.executable).parent / "ds"
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("dispersion-score ")


def test_store_keeps_the_distances(array, tmp_path):
    plain = run("eval", array, "--clusters", 3)
    for _ in range(2):
        result = run("eval", array, "--clusters", 3, "--store", tmp_path / "store", "--memory", "1GB")
        assert result.stdout == plain.stdout
    assert len(list((tmp_path / "store").glob("*/distances.npy"))) == 1


def test_interrupted_evaluation_goes_on(array, tmp_path, monkeypatch):
    from ds_metrics.pairwise import blocks, engine

    monkeypatch.setattr("ds_metrics.pairwise.tiles._LARGEST_EDGE", 2)
    computed = []

    def interrupted(tile, *args):
        if len(computed) == 4:
            raise KeyboardInterrupt
        computed.append(tile.index)
        return blocks.tile_distances(tile, *args)

    monkeypatch.setattr(engine, "tile_distances", interrupted)
    result = run("eval", array, "--clusters", 3, "--store", tmp_path)
    assert result.exit_code == 130
    assert result.stdout == ""
    assert f"ds: interrupted; 13 of 28 distances are kept in {tmp_path}" in result.stderr
    monkeypatch.setattr(
        engine, "tile_distances", lambda tile, *args: computed.append(tile.index) or blocks.tile_distances(tile, *args)
    )
    assert run("eval", array, "--clusters", 3, "--store", tmp_path).exit_code == 0
    assert sorted(computed) == list(range(10))


def test_long_evaluations_are_resumable_unasked(array, tmp_path, monkeypatch):
    from ds_metrics.pairwise.store import DiskMatrix

    monkeypatch.setenv("DS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("svr_baselines.dispersion.RESUMABLE_SAMPLES", 8)
    put, folders = DiskMatrix.put, []
    monkeypatch.setattr(DiskMatrix, "put", lambda self, *args: folders.append(self.folder) or put(self, *args))
    assert run("eval", array, "--clusters", 3).exit_code == 0
    assert {folder.parent for folder in folders} == {tmp_path / "cache" / "pairwise"}
    assert not list((tmp_path / "cache" / "pairwise").iterdir())


@pytest.mark.filterwarnings("ignore")
def test_cluster(array):
    pytest.importorskip("distributed", reason="needs Dask: pip install 'dispersion-score[cluster]'")
    result = run("eval", array, "--clusters", 3, "--cluster", "local:1")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == run("eval", array, "--clusters", 3).stdout


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        (
            "--memory",
            "lots",
            "Option --memory must be a number of bytes or a text like '500MB' or '2GiB', but got 'lots'",
        ),
        ("--cluster", "local:none", "Option --cluster must be 'local:N' or the address of a Dask scheduler"),
        ("--store", "/dev/null", "/dev/null"),
    ],
)
def test_refuses_resources(array, option, value, message):
    assert message in fails("eval", array, option, value)


def test_a_log_shows_progress_and_time_left(array, monkeypatch):
    monkeypatch.setattr("ds_cli.progress.LOG_SECONDS", 0.0)
    monkeypatch.setattr("ds_metrics.pairwise.tiles._LARGEST_EDGE", 2)
    stderr = run("eval", array, "--clusters", 3).stderr
    assert "distances: 28 of 28 pairs" in stderr
    assert "pairs, " in stderr
    assert " a second, 0:00:0" in stderr
