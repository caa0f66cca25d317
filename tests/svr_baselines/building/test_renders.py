import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from ds_command import run
from PIL import Image

from svr_baselines.building import RANGES, Viewpoints, Workers, build_renders
from svr_baselines.data import read_images
from svr_baselines.data.cameras import LENS, UNIT_DISTANCE
from svr_baselines.data.manifest import read_manifest
from svr_baselines.data.metadata import read_metadata
from svr_baselines.rendering import backends, load_surface, render

SMALL = {"size": 24, "renderer": "embree", "samples": 1}


def test_viewpoints_fill_their_ranges():
    cameras = Viewpoints(60, elevation=(-10, 30), distance=(0.5, 0.9), centre=200).draw(4000, seed=0)
    for values, low, high in (
        ([camera.azimuth for camera in cameras], 140, 260),
        ([camera.elevation for camera in cameras], -10, 30),
        ([camera.distance / UNIT_DISTANCE for camera in cameras], 0.5, 0.9),
    ):
        counts, _ = np.histogram(values, bins=10, range=(low, high))
        assert counts.sum() == 4000  # none outside
        assert counts.min() > 320


def test_nothing_is_cut_off_by_default():
    nearest = Viewpoints().distance[0] * UNIT_DISTANCE
    assert nearest * np.sin(np.radians(LENS / 2)) > 0.5  # the ball around a shape of diagonal 1


def test_ranges_share_their_draws():
    narrow, wide = (Viewpoints(azimuth).draw(5, seed=7) for azimuth in (0, 90))
    assert [camera.azimuth for camera in narrow] == [0] * 5
    assert [camera.elevation for camera in narrow] == [camera.elevation for camera in wide]
    assert [camera.distance for camera in narrow] == [camera.distance for camera in wide]
    assert Viewpoints(90).draw(2, seed=7) == wide[:2]
    assert Viewpoints(90).draw(2, seed=8) != wide[:2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"azimuth": 181}, r"`azimuth` must be in \[0, 180\] degrees, but got 181"),
        ({"azimuth": float("nan")}, "`azimuth` must be in"),
        ({"elevation": (30, 20)}, r"`elevation` must be a range in \[-90, 90\], but got 30 to 20"),
        ({"distance": (0, 1)}, "`distance` must be a range"),
        ({"distance": (1, float("inf"))}, "`distance` must be a range"),
        ({"centre": float("inf")}, "`centre` must be finite"),
    ],
)
def test_bad_viewpoints(arguments, message):
    with pytest.raises(ValueError, match=message):
        Viewpoints(**arguments)


@pytest.fixture(scope="module")
def built(tmp_path_factory, request):
    """A small build that no test writes to: the folder of meshes and that of renders."""
    import trimesh

    folder = tmp_path_factory.mktemp("renders")
    (folder / "meshes" / "box").mkdir(parents=True)
    for number in range(3):
        trimesh.creation.box((1, 2 + number, 3)).export(folder / "meshes" / "box" / f"{number}.ply")
    (folder / "meshes" / "torn.obj").write_text("v 0 0 0\nf 1 2 3\n")
    summary = build_renders(folder / "meshes", folder / "out", azimuth_ranges=(0, 90), views=2, **SMALL)
    return folder / "meshes", folder / "out", summary


def test_layout(built, tree):
    _, out, summary = built
    assert (summary.built, [bad.name for bad in summary.skipped]) == (3, ["torn"])
    files = [f"box/{n}/rendering/{name}" for n in range(3) for name in ("00.png", "01.png", "rendering_metadata.txt")]
    for part in ("azimuth-0", "azimuth-90"):
        assert sorted(tree(out / part)) == sorted([*files, "dataset.json", "manifest.csv"])
    assert sorted(path.name for path in out.iterdir()) == ["azimuth-0", "azimuth-90"]


def test_pictures_are_the_renderers_from_the_cameras_listed(built):
    meshes, out, _ = built
    manifest = read_manifest(out / "azimuth-90")
    assert [(sample.id, sample.view) for sample in manifest.samples] == [
        (f"box/{n}", v) for n in range(3) for v in (0, 1)
    ]
    for sample in manifest.samples:
        camera = sample.camera
        surface = load_surface(meshes / sample.mesh).normalized()
        drawn = render(surface, [camera], 24, "embree", samples=1)[0]
        with Image.open(out / "azimuth-90" / sample.image) as file:
            assert file.mode == "RGBA"
            np.testing.assert_array_equal(np.array(file), drawn)
        assert -90 <= camera.azimuth <= 90
        assert 20 <= camera.elevation <= 30


def test_metadata_is_the_manifests(built):
    _, out, _ = built
    listed = [sample.camera for sample in read_manifest(out / "azimuth-90").samples if sample.id == "box/1"]
    read = read_metadata(out / "azimuth-90" / "box" / "1" / "rendering" / "rendering_metadata.txt")
    for one, other in zip(read, listed, strict=True):
        np.testing.assert_allclose(list(one.to_json().values()), list(other.to_json().values()), rtol=1e-14)


def test_shapes_are_not_cropped(built):
    _, out, _ = built
    for file in out.rglob("*.png"):
        with Image.open(file) as picture:
            alpha = np.array(picture)[..., 3]
        assert alpha.any()
        assert not alpha[[0, -1]].any()
        assert not alpha[:, [0, -1]].any()


def test_the_folder_is_a_set_of_images(built):
    class Mean:
        key, batch_size = {"name": "mean"}, 8

        def __call__(self, images):
            import torch

            return torch.stack([image.float().mean(dim=(1, 2)) for image in images])

    images = read_images(built[1] / "azimuth-0", Mean(), views=[1])
    assert images.names == ("box/0/01", "box/1/01", "box/2/01")


def test_a_range_is_added(meshes, tmp_path, tree):
    build_renders(meshes, tmp_path / "out", azimuth_ranges=(90,), **SMALL)
    before = tree(tmp_path / "out")
    summary = build_renders(meshes, tmp_path / "out", azimuth_ranges=(90, 15), **SMALL)
    assert (summary.built, summary.kept) == (11, 0)  # shapes, of each of which one set was there
    build_renders(meshes, tmp_path / "both", azimuth_ranges=(15, 90), **SMALL)
    after = tree(tmp_path / "out")
    assert after == tree(tmp_path / "both")
    assert {name: after[name] for name in before} == before


def test_auto_goes_on_with_what_a_folder_was_begun_with(meshes, tmp_path, monkeypatch):
    out = tmp_path / "out"
    options = {"azimuth_ranges": (0.0, 30.0), "size": 16}
    assert build_renders(meshes, out, **options).folders == (out / "azimuth-0", out / "azimuth-30")
    picture = out / "azimuth-30" / "ball" / "0" / "rendering"
    before = {file.name: file.read_bytes() for file in picture.iterdir()}
    for file in picture.iterdir():
        file.unlink()
    lack = backends.lack
    monkeypatch.setattr(backends, "lack", lambda name: None if name == "kaolin" else lack(name))
    assert build_renders(meshes, out, **options).built == 1
    assert {file.name: file.read_bytes() for file in picture.iterdir()} == before
    with pytest.raises(ValueError, match="other settings: renderer 'embree', not 'kaolin'"):
        build_renders(meshes, out, **options, renderer="kaolin")


@pytest.mark.usefixtures("forked_workers")
def test_more_workers_give_the_same_bytes(meshes, tmp_path, tree):
    for count in (1, 2):
        build_renders(meshes, tmp_path / str(count), azimuth_ranges=(0, 90), workers=Workers(count), **SMALL)
    assert tree(tmp_path / "1") == tree(tmp_path / "2")


def test_the_command_killed_goes_on(meshes, tmp_path, tree):
    command = [sys.executable, "-m", "ds_cli", "build", "renders", meshes, "--azimuth-range", "0,90", "--views", "20"]
    command += ["--size", "64", "--samples", "1"]
    process = subprocess.Popen([*command, tmp_path / "out", "--workers", "2"], start_new_session=True)
    while not list((tmp_path / "out").rglob("rendering_metadata.txt")):
        assert process.poll() is None
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "out" / "azimuth-0" / "manifest.csv").exists()
    for name in ("out", "other"):
        done = run(*command[3:], tmp_path / name, "--workers", "1")
        assert done.exit_code == 0, done.output
    assert tree(tmp_path / "out") == tree(tmp_path / "other")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"azimuth_ranges": ()}, "`azimuth_ranges` must hold different ranges"),
        ({"azimuth_ranges": (5, 5)}, "`azimuth_ranges` must hold different ranges"),
        ({"views": 0}, "`views` must be an integer of at least 1"),
        ({"size": 0}, "`size` must be"),
        ({"renderer": "blender"}, "`renderer` must be one of"),
        ({"up": "-y"}, "`up` must be one of"),
    ],
)
def test_bad_arguments(meshes, tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        build_renders(meshes, tmp_path / "out", **{**SMALL, **arguments})
    assert not (tmp_path / "out").exists()


def test_the_papers_ranges():
    assert RANGES == (0, 15, 30, 45, 60, 75, 90)


def test_damaged_files_are_drawn_again(meshes, tmp_path, tree, caplog):
    out = tmp_path / "out"
    build_renders(meshes, out, azimuth_ranges=(0, 90), **SMALL)
    before = tree(out)
    next((out / "azimuth-0").rglob("*.png")).write_bytes(b"")
    next((out / "azimuth-90").rglob("rendering_metadata.txt")).write_text("0 0 0 0 0\n")
    build_renders(meshes, out, azimuth_ranges=(0, 90), **SMALL)
    assert tree(out) == before
    assert "is damaged: 2 of its files" in caplog.text
