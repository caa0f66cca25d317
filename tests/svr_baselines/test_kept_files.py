"""Bytes are flipped in every file of every store: what is computed from it again has the same score, or is refused."""

import random

import experiment_work
import numpy as np
import pytest

from svr_baselines.building import build_points, build_synthetic
from svr_baselines.data import read_images, read_shapes
from svr_baselines.dispersion import Resources, Scoring
from svr_baselines.evaluation import evaluate
from svr_baselines.experiments.graph import run_jobs
from svr_baselines.experiments.jobs import Context, Job

FLIPS = 200
CUBE = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 {z}\nf 1 2 3\nf 1 3 4\n"


class Mean:
    key, batch_size = {"name": "mean"}, 8

    def __call__(self, images):
        import torch

        return torch.stack([image.float().mean(dim=(1, 2)) for image in images])


def meshes(folder):
    folder.mkdir()
    for k in range(6):
        (folder / f"{k}.obj").write_text(CUBE.format(z=k + 1))
    return folder


def score_shapes(root):
    """Points and distances."""
    shapes = read_shapes(root / "meshes", points=20, store=root / "store")
    evaluation = evaluate(shapes, scoring=Scoring(2), resources=Resources(store=root / "store"))
    return evaluation.scores, shapes.content_hash


def score_images(root):
    """Features."""
    images = read_images(root / "images.npy", Mean(), store=root / "store")
    return images.features.tolist()


def build(root):
    """Built data: files of points."""
    build_points(root / "meshes", root / "store", points=20)
    return {file.name: file.read_bytes() for file in (root / "store").iterdir()}


def build_morph(root):
    """Built data: meshes, pictures and points."""
    build_synthetic(root / "store", count=3, points=20, size=8, samples=1)
    return {file.name: file.read_bytes() for file in (root / "store").rglob("*") if file.is_file()}


def run_experiment(root):
    """Results of jobs, and the files that they left."""
    jobs = [Job("leave", experiment_work.leave, {"distances": "matrices/a.npy", "name": "a"})]
    jobs.append(Job("add", experiment_work.add, {"name": "add", "amount": 3}, (jobs[0],)))
    results = run_jobs(jobs, Context(root / "store"), tell=lambda line: None)
    (root / "store" / "calls.txt").unlink(missing_ok=True)
    return results, [(root / "store" / file).read_text() for file in ("matrices/a.npy", "predictions/a/b.npy")]


@pytest.mark.parametrize("score", [score_shapes, score_images, build, build_morph, run_experiment])
def test_flipped_bytes_give_no_other_score(tmp_path, monkeypatch, score):
    monkeypatch.setattr("ds_metrics.pairwise.tiles._LARGEST_EDGE", 3)
    meshes(tmp_path / "meshes")
    np.save(tmp_path / "images.npy", np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8))
    expected = score(tmp_path)
    files = sorted(file for file in (tmp_path / "store").rglob("*") if file.is_file())
    whole = {file: file.read_bytes() for file in files}
    draw = random.Random(0)
    refused = []
    for flip in range(FLIPS // 5):
        file = files[flip % len(files)]
        data = bytearray(whole[file])
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        file.write_bytes(data)
        try:
            found = score(tmp_path)
        except (ValueError, OSError) as error:
            refused.append((file.name, str(error)))
        else:
            assert found == expected, (file, flip)
        for each, content in whole.items():
            each.write_bytes(content)
    # Only what describes a built data set is refused: the text names the file, or how it was built.
    assert {name for name, _ in refused} <= {"dataset.json", "manifest.csv"}
    assert all(str(tmp_path) in text for _, text in refused)
