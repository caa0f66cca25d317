"""What the blocks of the pages find in the folder that they run in: small, but real."""

import shutil

import numpy as np
import pytest
from ds_command import run
from pages import try_page
from PIL import Image

from svr_baselines import parallel
from svr_baselines.building import build_synthetic
from svr_baselines.data import make_shapes

FOLDERS = {  # of a page, prepared before its first line
    "README.md": "predictions.npy a.npy predictions truth train meshes pictures a.json b.json synthetic run",
    "docs/comparing-papers.md": "predictions truth a.json b.json",
    "docs/data.md": "meshes",
    "docs/index.md": "predictions truth",
    "docs/large-sets.md": "shapes",
    "docs/measures.md": "predictions truth train",
    "docs/real-data.md": "meshes ShapeNetCore.v2 objaverse",
    "docs/report.md": "predictions.npy targets.npy atlasnet.json",
    "docs/score-predictions.md": "predictions truth train",
    "docs/training.md": "synthetic run",
    "docs/tutorial.md": "two-shapes many-shapes",
}


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """A function that makes what a page needs, once for all pages, and copies it to a folder."""
    base = tmp_path_factory.mktemp("prepared")

    def prepare(page, folder):
        for name in FOLDERS.get(page, "").split():
            if not (base / name).exists():
                make(name, base)
            place = folder / name
            (shutil.copytree if (base / name).is_dir() else shutil.copyfile)(base / name, place)

    return prepare


@pytest.fixture
def run_page(prepared, monkeypatch, tmp_path):
    """A function that runs all blocks of a page in a folder of its own."""
    from ds_metrics import registry

    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    monkeypatch.setattr(parallel, "available_cores", lambda: 1)  # other processes take seconds to start
    monkeypatch.setenv("DS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    def run_blocks(page):
        prepared(page, tmp_path)
        try_page(page)

    return run_blocks


def make(name, base):
    """One of the folders or files."""
    path = base / name
    if name.endswith(".npy"):
        np.save(path, clouds(truth=name != "predictions.npy"))
    elif name in ("predictions", "truth", "train", "shapes"):
        save_clouds(path, clouds(truth=name != "predictions", seed=int(name == "train")))
    elif name.endswith(".json"):
        np.save(path.with_suffix(".clouds.npy"), clouds(seed=len(name)))
        assert run("eval", path.with_suffix(".clouds.npy"), "--clusters", 3, "--json", path).exit_code == 0
    elif name == "meshes":
        save_meshes(path, [f"{kind}/{i}.obj" for kind in ("box", "plate") for i in range(6)])
    elif name == "ShapeNetCore.v2":
        save_meshes(
            path, [f"{kind}/{i}/models/model_normalized.obj" for kind in ("02691156", "03001627") for i in "abcde"]
        )
    elif name == "objaverse":
        save_meshes(path / "glbs", [f"000-000/{i}.glb" for i in "abc"])
    elif name == "pictures":
        path.mkdir()
        for i, picture in enumerate(np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)):
            Image.fromarray(picture).save(path / f"{i}.png")
    elif name == "synthetic":
        build_synthetic(path, count=910, points=1000, size=16, samples=1)
    else:
        train_little(path, base)


def clouds(truth=True, seed=0):
    """Furniture, 15 pieces of 200 points; predictions are a little beside it."""
    pieces = np.stack(make_shapes(3, 200, seed).clouds).astype(np.float32)
    return pieces if truth else pieces + 0.02 * np.random.default_rng(1).normal(size=pieces.shape).astype(np.float32)


def save_clouds(folder, arrays):
    """One file a cloud."""
    folder.mkdir()
    for i, cloud in enumerate(arrays):
        np.save(folder / f"{i:02}.npy", cloud)


def save_meshes(folder, names):
    """Boxes of any proportions."""
    import trimesh

    for name, size in zip(names, 0.2 + np.random.default_rng(0).random((len(names), 3)), strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        trimesh.creation.box(size).export(folder / name)


def train_little(path, base):
    """A run as of `ds train atlasnet-sphere synthetic/trainsets/S8I8 RUN --preset quick`, but of three steps."""
    if not (base / "synthetic").exists():
        make("synthetic", base)
    config = base / "little.toml"
    config.write_text(
        'preset = "quick"\nepochs = 1\npasses = 1\ndecays = []\nvalidation_samples = 12\nclusters = 2\n'
        'precision = "32-true"\naccelerator = "cpu"\n[network_options]\ncode = 16\nhidden = 16\npoints = 1000\n'
    )
    data = base / "synthetic" / "trainsets" / "S8I8"
    result = run("train", "atlasnet-sphere", data, path, "--preset", "quick", "--config", config)
    assert result.exit_code == 0, result.output
