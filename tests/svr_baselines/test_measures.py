"""All metrics of an evaluation share their matrices of distances."""

from contextlib import contextmanager, nullcontext

import numpy as np
import pytest
import torch
import trimesh
from scipy.spatial.distance import cdist

from ds_metrics import DispersionScore, SetMetric, list_metrics, pairwise, set_distances
from ds_metrics.functional import minimum_matching_distance, recognition_share
from ds_metrics.pairwise import memory_bytes, pairwise_distance
from svr_baselines.data import ShapeSet, read_shapes
from svr_baselines.data.surfaces import Surfaces
from svr_baselines.dispersion import Resources, Scoring
from svr_baselines.evaluation import evaluate
from svr_baselines.measures import SharedSets
from svr_baselines.selection import Available, select_metrics

SETS = [
    info.name
    for info in list_metrics()
    if isinstance(info.factory, type) and issubclass(info.factory, (DispersionScore, SetMetric))
]


def shapes(seed, n=12, points=20, scale=1.0):
    clouds = np.random.default_rng(seed).uniform(-0.5, 0.5, size=(n, points, 3)).astype(np.float32) * scale
    return ShapeSet(tuple(f"{seed}-{index}" for index in range(n)), list(clouds), ("points",) * n)


@pytest.fixture
def computed(monkeypatch):
    """Pairs of each matrix that the engine computes."""
    sizes = []
    run = pairwise.AllPairs.run

    def watched(task, ranks=None):
        sizes.append((len(task.x.lengths), None if task.y is None else len(task.y.lengths)))
        return run(task, ranks)

    monkeypatch.setattr(pairwise.AllPairs, "run", watched)
    return sizes


def test_each_matrix_is_computed_once(computed):
    preds, truth, train = shapes(0), shapes(1), shapes(2, n=9)
    found = evaluate(preds, truth, ["1-nna", *SETS], Scoring(3), train=train)
    # the two sets, between them, the training set, and predictions to its three medoids
    assert sorted(computed, key=str) == sorted([(12, None), (12, None), (12, 12), (9, None), (12, 3)], key=str)
    assert next(iter(found.scores)) == "1-nn-accuracy"
    for name in SETS:
        alone = evaluate(preds, truth, [name], Scoring(3), train=train)
        assert alone.scores[name] == found.scores[name]
    assert found.provenance["sets"]["manifold-recall"] == {"nearest_k": 5}
    assert found.provenance["sets"]["recognition-share"]["n_clusters"] == 3
    assert found.provenance["train"]["n_samples"] == 9


def test_neighbours_are_sought_once_for_precision_recall_density_and_coverage(monkeypatch):
    sought, prdc = [], set_distances.prdc
    monkeypatch.setattr(set_distances, "prdc", lambda *args: sought.append(args[-1]) or prdc(*args))
    names = [name for name in SETS if name.startswith("manifold-")]
    found = evaluate(shapes(0), shapes(1), names)
    assert len(found.scores) == 4
    assert sought == [5]


def test_no_matrix_is_kept_that_nobody_asks_for(computed, monkeypatch):
    kept = []
    monkeypatch.setattr(set_distances.SetDistances, "keep", lambda sets, name, matrix: kept.append(name))
    evaluate(shapes(0), shapes(1), ["ds", "cd"], Scoring(3))
    assert kept == []
    assert len(computed) == 2
    evaluate(shapes(0), shapes(1), ["ds", "vendi"], Scoring(3))
    assert kept == ["d_rr", "d_gg"]


def test_resources_do_not_change_values(tmp_path):
    preds, truth, train = shapes(0), shapes(1), shapes(2, n=9)
    expected = evaluate(preds, truth, SETS, Scoring(3), train=train).scores
    for _ in range(2):  # the second from what the first has left in the store
        found = evaluate(preds, truth, SETS, Scoring(3), Resources(4000, tmp_path), train=train)
        assert found.scores == expected
    assert len(list(tmp_path.iterdir())) == 7


def test_resources_reach_the_matrices_which_share_the_memory(tmp_path):
    preds, truth = torch.zeros(4, 5, 3), torch.ones(4, 5, 3)
    resources = Resources("12MB", tmp_path, "tcp://127.0.0.1:8786")
    for names, share in ((["1-nna", "ds"], 3), (["mmd", "ds"], 2), (["mmd"], 1), (["ds", "cd"], 1)):
        infos = select_metrics(names, Available(targets=True)).infos
        sets = SharedSets(infos, preds, truth, None, Scoring(), resources, nullcontext)
        found = sets.distances
        assert (found.store, found.cluster) == (tmp_path, "tcp://127.0.0.1:8786")
        assert found.memory_budget == memory_bytes("12MB") // share
        assert memory_bytes(sets.resources.memory_budget) == found.memory_budget


def test_values_and_who_was_recited():
    truth, train = shapes(1), shapes(2, n=9)
    clouds = list(truth.clouds)
    clouds[4] = train.clouds[7]
    preds = ShapeSet(truth.names, clouds, truth.kinds)
    found = evaluate(preds, truth, ["all"], Scoring(8), train=train)
    p, t, s = (torch.from_numpy(np.stack(of.clouds)) for of in (preds, truth, train))
    assert found.scores["minimum-matching-distance"] == float(minimum_matching_distance(pairwise_distance(p, t)))
    rows = found.to_json(preds.names)["recognition"]
    assert rows["n_clusters"] == 8
    medoids = [train.names.index(name) for name in found.recited.medoids]
    expected = recognition_share(pairwise_distance(p, t).diagonal(), pairwise_distance(p, s[medoids]))
    assert found.scores["recognition-share"] == pytest.approx(float(expected.share), rel=1e-6)
    if 7 in medoids:
        assert rows["samples"]["1-4"] == {
            "share": 1.0,
            "recited": True,
            "medoid": "2-7",
            "to_medoid": 0.0,
            "to_truth": rows["samples"]["1-4"]["to_truth"],
        }
    assert rows["samples"]["1-3"]["share"] == 0
    assert rows["recited"] == pytest.approx(float(expected.proportion))


def test_all_leaves_out_what_it_can_not_and_says_why():
    found = evaluate(shapes(0), None, ["all"], Scoring(3))
    assert set(found.scores) == {"dispersion-score", "vendi-score"}
    assert "no targets were given" in found.left_out["coverage"]
    found = evaluate(shapes(0), shapes(1), ["all"], Scoring(3))
    assert "no training set was given" in found.left_out["recognition-share"]
    assert found.to_json(shapes(0).names)["left_out"] == found.left_out
    found = evaluate(shapes(0), shapes(1), ["all"], Scoring(3, estimator="sampled"))
    assert "all distances" in found.left_out["coverage"]
    assert "occupancy-divergence" in found.scores
    few = evaluate(shapes(0, n=4), shapes(1, n=4), ["all"], Scoring(3))
    assert "`nearest_k` must be less than the 4 samples" in few.left_out["manifold-recall"]
    far = evaluate(shapes(0, scale=9), shapes(1, scale=9), ["all"], Scoring(3))
    assert "`radius` must be" in far.left_out["occupancy-divergence"]


def test_exact_transport_of_large_clouds_must_be_asked_for():
    name = "earth-movers-distance"
    few, many = (Available(targets=True, points=points) for points in (1024, 1025))
    assert name not in select_metrics(["all"], few).left_out
    assert "seconds a pair of more than 1,024 points" in select_metrics(["all"], many).left_out[name]
    assert name in [info.name for info in select_metrics(["all", "emd"], many).infos]


def test_asked_for_by_name_it_is_an_error():
    with pytest.raises(ValueError, match="'recognition-share' compares with training shapes"):
        select_metrics(["recognition"], Available(targets=True))
    with pytest.raises(ValueError, match="'coverage' compares predictions with targets"):
        select_metrics(["all", "cov"], Available())
    with pytest.raises(ValueError, match="did you mean"):
        select_metrics(["all", "coverag"], Available(targets=True))
    with pytest.raises(ValueError, match="`nearest_k` must be less than the 4 samples"):
        evaluate(shapes(0, n=4), shapes(1, n=4), ["all", "recall"], Scoring(3))
    assert select_metrics(["coverage"], Available(targets=True)).left_out == {}
    by_name = evaluate(shapes(0), shapes(1), ["cov"], Scoring(3, estimator="sampled"))
    assert list(by_name.scores) == ["coverage"]


def write_meshes(folder, scale=1.0):
    folder.mkdir()
    for k in range(5):
        trimesh.creation.cylinder(radius=0.2 + 0.1 * k, height=1 + 0.2 * k * scale).export(folder / f"{k}.ply")
    return folder


def test_normals_and_surfaces_of_meshes(tmp_path):
    pred, truth = (read_shapes(write_meshes(tmp_path / name, s), 300) for name, s in (("pred", 1.3), ("truth", 1.0)))
    told = []

    @contextmanager
    def stage(label):
        with pairwise.report_progress(lambda done, total: told.append((label, done, total))):
            yield

    found = evaluate(pred, truth, ["nc", "p2s"], stage=stage)
    assert [entry for entry in told if entry[1] == 5] == [
        (f"surfaces for {name}", 5, 5) for name in ("normal-consistency", "point-to-surface-distance")
    ]
    ours, theirs = Surfaces(pred), Surfaces(truth)
    nearest, agreement = [], []
    for k in range(5):
        mesh = trimesh.Trimesh(theirs[k].vertices, theirs[k].faces)
        nearest.append(trimesh.proximity.closest_point_naive(mesh, pred.clouds[k])[1].mean())
        distances = cdist(pred.clouds[k], truth.clouds[k])
        cosines = np.abs(ours[k].normals @ theirs[k].normals.T)
        agreement.append(np.take_along_axis(cosines, distances.argmin(axis=1)[:, None], 1).mean() / 2)
        agreement[-1] += np.take_along_axis(cosines, distances.argmin(axis=0)[None], 0).mean() / 2
    assert found.scores["point-to-surface-distance"] == pytest.approx(np.mean(nearest), rel=1e-5)
    assert found.scores["normal-consistency"] == pytest.approx(np.mean(agreement), rel=1e-5)


def test_normals_and_surfaces_are_left_out_where_there_are_none(tmp_path):
    truth = read_shapes(write_meshes(tmp_path / "truth"), 300)
    pred = ShapeSet(truth.names, [cloud + 0.01 for cloud in truth.clouds], ("points",) * 5)
    found = evaluate(pred, truth, ["all"], Scoring(2))
    assert found.scores["point-to-surface-distance"] < 0.01
    assert "normals of the predictions, which must be a folder of meshes" in found.left_out["normal-consistency"]
    found = evaluate(truth, pred, ["all"], Scoring(2))
    assert "meshes of the targets" in found.left_out["point-to-surface-distance"]
    with pytest.raises(ValueError, match="'normal-consistency' takes normals of the predictions"):
        evaluate(pred, truth, ["nc"])
    with pytest.raises(ValueError, match="no targets were given"):
        evaluate(truth, None, ["p2s"])
    (tmp_path / "truth" / "3.ply").write_bytes((tmp_path / "truth" / "2.ply").read_bytes())
    found = evaluate(pred, truth, ["all"], Scoring(2))
    assert "has changed" in found.left_out["point-to-surface-distance"]
    assert found.scores["chamfer-distance"] > 0
