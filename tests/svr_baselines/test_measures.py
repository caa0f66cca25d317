"""All metrics of an evaluation share their matrices of distances."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch

from ds_metrics import DispersionScore, SetMetric, list_metrics, pairwise, set_distances
from ds_metrics.functional import minimum_matching_distance, recognition_share
from ds_metrics.pairwise import memory_bytes, pairwise_distance
from svr_baselines.data import ShapeSet
from svr_baselines.dispersion import Resources, Scoring
from svr_baselines.evaluation import evaluate
from svr_baselines.measures import SharedSets, left_out, select_metrics

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
        infos = select_metrics(names, with_targets=True)
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
    assert name not in left_out(["all"], with_targets=True, points=1024)
    assert "seconds a pair of more than 1,024 points" in left_out(["all"], with_targets=True, points=1025)[name]
    assert name in [info.name for info in select_metrics(["all", "emd"], with_targets=True, points=1025)]


def test_asked_for_by_name_it_is_an_error():
    with pytest.raises(ValueError, match="'recognition-share' compares with training shapes"):
        select_metrics(["recognition"], with_targets=True)
    with pytest.raises(ValueError, match="'coverage' compares predictions with targets"):
        select_metrics(["all", "cov"], with_targets=False)
    with pytest.raises(ValueError, match="did you mean"):
        select_metrics(["all", "coverag"], with_targets=True)
    with pytest.raises(ValueError, match="`nearest_k` must be less than the 4 samples"):
        evaluate(shapes(0, n=4), shapes(1, n=4), ["all", "recall"], Scoring(3))
    assert left_out(["coverage"], with_targets=True) == {}
    by_name = evaluate(shapes(0), shapes(1), ["cov"], Scoring(3, estimator="sampled"))
    assert list(by_name.scores) == ["coverage"]
