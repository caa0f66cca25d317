import json

import numpy as np
import pytest
import trimesh
from ds_command import fails, run


@pytest.fixture
def meshes(tmp_path):
    folder = tmp_path / "meshes"
    for category in ("ball", "box"):
        (folder / category).mkdir(parents=True)
        for number in range(2):
            size = (1, 1 + number, 2)
            mesh = trimesh.creation.box(size) if category == "box" else trimesh.creation.capsule(1 + number, 1)
            mesh.export(folder / category / f"{number}.ply")
    return folder


@pytest.fixture
def broken(meshes):
    (meshes / "box" / "torn.obj").write_text("v 0 0 0\nf 1 2 3\n")
    return meshes


def test_points_then_eval(meshes, tmp_path):
    out = tmp_path / "points"
    done = run("build", "points", meshes, out, "--points", 200, "--workers", 1)
    assert done.stdout.startswith(f"{out}: 4 of 4 meshes built in ")
    assert np.load(out / "box" / "1.npy").shape == (200, 3)
    scores = tmp_path / "scores.json"
    run("eval", out, "--clusters", 2, "--json", scores)
    assert json.loads(scores.read_text())["provenance"]["n_samples"] == 4


def test_renders_then_eval(meshes, tmp_path):
    out = tmp_path / "renders"
    options = "--azimuth-range", "0,90", "--elevation", 10, 20, "--views", 2, "--size", 32, "--workers", 1
    done = run("build", "renders", meshes, out, *options, "--distance", 0.7, 0.8, "--azimuth-centre", 45)
    assert "4 of 4 meshes built" in done.stdout
    settings = json.loads((out / "azimuth-90" / "dataset.json").read_text())["settings"]
    wanted = {"azimuth": 90.0, "elevation": [10.0, 20.0], "distance": [0.7, 0.8], "centre": 45.0}
    assert settings["viewpoints"] == wanted
    assert (settings["views"], settings["size"], settings["samples"]) == (2, 32, 2)
    done = run("eval", "--images", out / "azimuth-90", "--clusters", 1, "--features", "pixels", "--views", 1)
    assert "4 images" in done.stdout


def test_synthetic(tmp_path):
    out = tmp_path / "synthetic"
    run("build", "synthetic", out, "--count", 4, "--points", 50, "--size", 16, "--samples", 1, "--workers", 1)
    assert sorted(path.name for path in out.iterdir()) == ["dataset.json", "images", "manifest.csv", "meshes", "points"]
    assert json.loads((out / "dataset.json").read_text())["settings"]["count"] == 4


def test_broken_meshes_are_named_and_do_not_stop_the_rest(broken, tmp_path):
    out = tmp_path / "points"
    done = run("build", "points", broken, out, "--points", 20, "--workers", 1)
    assert "4 of 5 meshes built" in done.stdout
    assert done.stdout.rstrip().endswith(", 1 skipped")
    assert "skipped box/torn.obj: " in done.stderr
    again = run("build", "points", broken, out, "--points", 20, "--workers", 1)
    assert "4 were there, 0 of 5 meshes built" in again.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["points", "MESHES", "OUT", "--up", "x"], "Option --up must be one of"),
        (["points", "nothing", "OUT"], "No folder at nothing"),
        (["points", "MESHES", "MESHES"], "must be empty or hold a build to go on with"),
        (["renders", "MESHES", "OUT", "--azimuth-range", "wide"], "--azimuth-range must be numbers such as 0,90"),
        (["renders", "MESHES", "OUT", "--azimuth-range", "200"], r"`azimuth` must be in [0, 180] degrees"),
        (["renders", "MESHES", "OUT", "--elevation", "30", "20"], "--elevation must be a range"),
        (["renders", "MESHES", "OUT", "--renderer", "blender"], "--renderer must be one of"),
    ],
)
def test_bad_input_is_one_line(meshes, tmp_path, arguments, message):
    places = {"MESHES": meshes, "OUT": tmp_path / "out"}
    assert message in fails("build", *(places.get(argument, argument) for argument in arguments))


def test_other_settings_are_refused(meshes, tmp_path):
    run("build", "points", meshes, tmp_path / "out", "--points", 20, "--workers", 1)
    said = fails("build", "points", meshes, tmp_path / "out", "--points", 30, "--workers", 1)
    assert "was built with other settings: points 20, not 30" in said


def test_all_ranges_of_the_paper(meshes, tmp_path):
    out = tmp_path / "renders"
    run("build", "renders", meshes, out, "--azimuth-range", "paper", "--size", 8, "--samples", 1, "--workers", 1)
    assert sorted(path.name for path in out.iterdir()) == sorted(
        f"azimuth-{angle}" for angle in (0, 15, 30, 45, 60, 75, 90)
    )
