"""Files of every store are damaged or replaced: what is computed from it again has the same score, or is refused."""

import os
import random
import shutil
from contextlib import suppress

import experiment_work
import numpy as np
import pytest
import torch

from ds_metrics.pairwise import pairwise_distance
from svr_baselines.building import build_points, build_synthetic
from svr_baselines.data import read_images, read_shapes
from svr_baselines.data.feature_store import FeatureStore
from svr_baselines.data.spool import Spool
from svr_baselines.dispersion import Resources, Scoring
from svr_baselines.evaluation import evaluate
from svr_baselines.experiments.graph import run_jobs
from svr_baselines.experiments.jobs import Context, Job

FLIPS = 200
CUBE = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 {z}\nf 1 2 3\nf 1 3 4\n"


class Mean:
    key, batch_size = {"name": "mean"}, 8

    def __call__(self, images):
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


def replace_by_link(file, other):
    file.unlink()
    file.symlink_to(other)


def replace_by_loop(file, other):
    file.unlink()
    file.symlink_to(file.name)


def replace_by_pipe(file, other):
    file.unlink()
    os.mkfifo(file)


REPLACED = {
    "by another's": lambda file, other: file.write_bytes(other.read_bytes()),
    "by a link": replace_by_link,
    "by a link to itself": replace_by_loop,
    "by a pipe": replace_by_pipe,
    "by nothing": lambda file, other: file.unlink(),
    "by halves exchanged": lambda file, other: file.write_bytes(exchange_halves(file.read_bytes())),
    "by more": lambda file, other: file.write_bytes(file.read_bytes() + b"\n{}\n"),
}


def exchange_halves(data):
    middle = len(data) // 2
    return data[middle:] + data[:middle]


@pytest.mark.parametrize("replaced", REPLACED)
@pytest.mark.parametrize("score", [score_shapes, score_images, build])
def test_replaced_files_give_no_other_score(tmp_path, monkeypatch, score, replaced):
    monkeypatch.setattr("ds_metrics.pairwise.tiles._LARGEST_EDGE", 3)
    meshes(tmp_path / "meshes")
    np.save(tmp_path / "images.npy", np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8))
    expected = score(tmp_path)
    shutil.copytree(tmp_path / "store", tmp_path / "whole")
    files = sorted(file for file in (tmp_path / "whole").rglob("*") if file.is_file())
    described = {"dataset.json", "manifest.csv"}
    for whole, other in zip(files, files[1:] + files[:1], strict=True):
        file = tmp_path / "store" / whole.relative_to(tmp_path / "whole")
        REPLACED[replaced](file, other)
        if file.name in described:
            with suppress(ValueError):
                assert score(tmp_path) == expected, file
        else:
            assert score(tmp_path) == expected, file
        shutil.rmtree(tmp_path / "store")
        shutil.copytree(tmp_path / "whole", tmp_path / "store")
    assert [file.read_bytes() for file in files] == [
        (tmp_path / "store" / file.relative_to(tmp_path / "whole")).read_bytes() for file in files
    ]


def copy_all(source, target):
    for file in source.iterdir():
        shutil.copy(file, target)


def test_all_files_of_another_store_are_not_taken(tmp_path):
    for key, value in (("a", 1.0), ("b", 2.0)):
        with Spool.open(tmp_path / f"points-{key}", key) as spool:
            spool.extend([(np.full((5, 3), value), "points")])
        with FeatureStore.open(tmp_path / f"features-{key}", {"network": key}) as store:
            store.append([bytes(32)], np.full((1, 4), value, dtype=np.float32))
    for kind in ("points", "features"):
        copy_all(*(next((tmp_path / f"{kind}-{key}").iterdir()) for key in "ab"))
    with Spool.open(tmp_path / "points-b", "b") as spool:
        assert len(spool) == 0
    with FeatureStore.open(tmp_path / "features-b", {"network": "b"}) as store:
        assert bytes(32) not in store


def test_tiles_of_another_matrix_are_not_taken(tmp_path):
    first, second = torch.rand(2, 4, 5, 3, generator=torch.manual_seed(0))
    pairwise_distance(first, store=tmp_path / "first")
    expected = pairwise_distance(second, store=tmp_path / "second").clone()
    source, target = (next((tmp_path / name).iterdir()) for name in ("first", "second"))
    for name in ("distances.npy", "finished"):
        shutil.copy(source / name, target)
    torch.testing.assert_close(pairwise_distance(second, store=tmp_path / "second"), expected, rtol=0, atol=0)
