"""What is planned, and what is concluded from results that are made up; the trainings themselves: `test_running`."""

import numpy as np
import pytest

from svr_baselines.experiments import Options, demonstration, more_images, more_shapes, more_views, synthetic
from svr_baselines.experiments.plan import Plan
from svr_baselines.experiments.training_process import plan_steps


@pytest.fixture
def meshes(tmp_path):
    (tmp_path / "meshes").mkdir()
    return tmp_path / "meshes"


def results_of(plan: Plan, output, cd=lambda arm: 0.02, images=lambda arm: 5.0, shapes=lambda arm: 0.001):
    """Results as jobs would leave them, from functions of an arm."""
    results = {}
    for arm in (*plan.arms, *plan.references):
        results[arm.score.name] = {
            "ds": output(arm),
            "low": output(arm) * 0.9,
            "high": output(arm) * 1.1,
            "truth_ds": 0.01,
            "share": output(arm) / 0.01,
            "cd": cd(arm),
            "n": 30,
            "result": f"scores/{arm.score.name}.json",
        }
        for job, score in ((arm.images, images), (arm.shapes, shapes)):
            if job is not None:
                results[job.name] = {"ds": score(arm)}
    return results


def conclude(plan: Plan, **scores):
    rows = plan.rows(results_of(plan, **scores))
    return plan.conclude(plan, rows, lambda name: np.random.default_rng(0).random((20, 20)))


def names(plan, start):
    return [job.name for job in plan.jobs() if job.name.startswith(start)]


def step_of(arm):
    return int(arm.step[3 if arm.series == synthetic.IMAGES else 1])


def test_the_synthetic_experiment_trains_fifteen_networks_and_the_middle_one_once():
    plan = synthetic.plan(Options("paper"))
    assert len(names(plan, "train/")) == 15
    assert len(plan.arms) == 16
    training = next(job for job in plan.jobs() if job.name == "train/S1I8/atlasnet-sphere-1")
    assert training.arguments["changes"] == {"batch_size": 8, "epochs": 1200, "decays": (800, 1000, 1100)}
    assert training.arguments["options"]["size"] == 224
    assert training.arguments["steps"] is None


def test_every_job_comes_after_what_it_needs(meshes):
    for plan in (synthetic.plan(Options()), more_shapes.plan(Options(data=meshes))):
        seen = set()
        for job in plan.jobs():
            assert {other.name for other in job.needs} <= seen
            seen.add(job.name)


def test_the_synthetic_claim_holds_where_scores_say_so_and_not_elsewhere():
    plan = synthetic.plan(Options())

    def images(arm):
        return 100.0 * (step_of(arm) if arm.series == synthetic.IMAGES else 8)

    def shapes(arm):
        return 0.001 * (1 if arm.series == synthetic.IMAGES else step_of(arm))

    def recites(arm):  # S1I8 belongs to both series
        return 0.009 - 0.001 * step_of(arm) if arm.series == synthetic.IMAGES else 0.001 * step_of(arm)

    right = conclude(plan, output=recites, images=images, shapes=shapes)
    assert [verdict.holds for verdict in right.verdicts] == [True, True]
    assert [verdict.rho for verdict in right.verdicts] == [-1.0, 1.0]
    assert {drawing.name for drawing in right.drawings} == {"figure-3", "figure-4"}
    wrong = conclude(plan, output=lambda arm: 0.005 - recites(arm) / 2, images=images, shapes=shapes)
    assert [verdict.holds for verdict in wrong.verdicts] == [False, False]


def test_synthetic_takes_no_data(meshes):
    with pytest.raises(ValueError, match="builds its own, but got"):
        synthetic.plan(Options(data=meshes))


def test_growing_ranges_share_points_and_are_tested_on_one(meshes):
    plan = more_images.plan(Options(data=meshes, networks=["psgn"], seeds=[1, 2]))
    trained = [job for job in plan.jobs() if job.name.startswith("train/")]
    assert len(trained) == 14
    assert {job.arguments["data"]["folder"] for job in trained} == {"data/points"}
    assert trained[0].arguments["data"]["images"] == "data/renders/azimuth-0"
    assert {arm.score.arguments["data"]["images"] for arm in plan.arms} == {"data/renders/azimuth-90"}


def test_verdicts_on_growing_ranges(meshes):
    plan = more_images.plan(Options(data=meshes))
    found = conclude(
        plan,
        output=lambda arm: 0.008 - arm.x * 5e-5,
        cd=lambda arm: 0.03 - arm.x * 1e-4,
        images=lambda arm: 100 + arm.x,
    )
    assert [verdict.holds for verdict in found.verdicts] == [True, True]
    assert found.table.rows[0] == ("0°", "100", "1.00", "8.00", "80%", "30.00")
    moved = conclude(
        plan,
        output=lambda arm: 0.008 - arm.x * 5e-5,
        images=lambda arm: 100 + arm.x,
        shapes=lambda arm: 0.001 + arm.x * 1e-5,
    )
    assert moved.verdicts[0].holds is None


def test_coordinates_are_compared_within_each_network(meshes):
    plan = more_shapes.plan(Options(data=meshes, seeds=[1, 2]))
    assert len(names(plan, "train/")) == 16
    assert names(plan, "images/") == ["images/k10/OC"]
    assert names(plan, "shapes/") == ["shapes/k10/OC", "shapes/k10/VC"]
    assert names(plan, "recall/") == [f"recall/k10/{method}" for method in ("oracle-nn", "retrieval", "clustering")]
    level = {"psgn": 1, "foldingnet": 2, "atlasnet-sphere": 3, "atlasnet-25": 4}

    def output(arm):  # the networks differ by more than the axes do
        return 0.001 * level.get(arm.network, 5) + 0.0001 * arm.x + 1e-6 * (arm.seed or 0)

    found = conclude(plan, output=output, shapes=lambda arm: 0.001 * (1 + arm.x))
    assert found.verdicts[0].holds is True
    assert found.verdicts[0].p == pytest.approx(1 / 256)
    assert found.verdicts[1].holds is False
    table = {row[0]: row for row in found.table.rows}
    assert table["psgn"][1:3] == ("1.00 ± 0.00", "1.10 ± 0.00")
    assert table["oracle-nn"][1:3] == ("5.00", "")
    assert table["ground truth"][1:3] == ("10.00", "10.00")


def test_one_seed_of_four_networks_can_not_decide(meshes):
    plan = more_shapes.plan(Options(data=meshes))
    found = conclude(plan, output=lambda arm: 0.001 + 0.0001 * arm.x, shapes=lambda arm: 0.001 * (1 + arm.x))
    assert (found.verdicts[0].holds, found.verdicts[0].p) == (None, 1 / 16)


def test_views_are_viewer_centred_and_their_inputs_are_not_scored(meshes):
    plan = more_views.plan(Options(data=meshes))
    assert [arm.x for arm in plan.arms] == [1, 3, 6, 9, 12, 15, 18]
    assert names(plan, "images/") == names(plan, "shapes/") == []
    options = [job.arguments["options"] for job in plan.jobs() if job.name.startswith("train/")]
    assert [(o["views"], o["coordinates"]) for o in options][-1] == (18, "viewer")
    assert {arm.score.arguments["options"]["coordinates"] for arm in plan.arms} == {"object"}
    found = conclude(plan, output=lambda arm: 0.001 * arm.x, cd=lambda arm: 0.1 - 0.001 * arm.x)
    assert [verdict.holds for verdict in found.verdicts] == [True, True]


def test_published_shapenet_is_taken_as_it_is_but_has_no_meshes_to_draw(tmp_path):
    (tmp_path / "ShapeNetV1PointCloud").mkdir()
    plan = more_shapes.plan(Options("paper", tmp_path))
    assert names(plan, "data/") == []
    assert plan.arms[0].score.arguments["data"] == {"folder": str(tmp_path), "images": None}
    with pytest.raises(ValueError, match=r"as pictures are drawn of them, but .* holds ShapeNetV1PointCloud"):
        more_images.plan(Options("paper", tmp_path))


def test_data_must_be_there(tmp_path):
    with pytest.raises(ValueError, match="must name a folder of meshes for this experiment, but is missing"):
        more_images.plan(Options())
    with pytest.raises(FileNotFoundError, match="No folder at"):
        more_images.plan(Options(data=tmp_path / "none"))


def test_networks_are_checked(meshes):
    with pytest.raises(ValueError, match="atlasnet-sphere"):
        more_images.plan(Options(data=meshes, networks=["atlasnet-spere"]))
    with pytest.raises(ValueError, match="occnet learns from occupancies"):
        more_images.plan(Options(data=meshes, networks=["occnet"]))


def test_the_demonstration_says_which_way_scores_went():
    plan = demonstration.plan()
    assert names(plan, "train/") == [f"train/{name}/atlasnet-sphere-1" for name in ("S1I1", "S1I8", "S8I8")]
    outputs = {"S1I1": 0.005, "S1I8": 0.001, "S8I8": 0.004}

    def load(name):
        rng = np.random.default_rng(0)
        return rng.random((20, 20)) if name.startswith("distances") else rng.random((20, 50, 3))

    def concluded(**scores):
        return plan.conclude(plan, plan.rows(results_of(plan, **scores)), load)

    found = concluded(output=lambda arm: outputs[arm.step])
    assert [row.step for row in found.rows] == ["S1I1", "S1I8", "S8I8"]
    assert all(verdict.sentence.startswith("As claimed") for verdict in found.verdicts)
    assert [verdict.holds for verdict in found.verdicts] == [None, None]
    turned = concluded(output=lambda arm: 0.01 - outputs[arm.step])
    assert all(verdict.sentence.startswith("Not as claimed") for verdict in turned.verdicts)


@pytest.mark.parametrize(("samples", "batch", "steps"), [(20, 8, 400), (240, 16, 400), (4320, 16, 400), (5, 8, 7)])
def test_planned_steps_come_near_what_was_asked(samples, batch, steps):
    found = plan_steps(samples, batch, steps)
    made = -(-samples // batch) * found["epochs"] * found["passes"]
    least = 3 * -(-samples // batch)
    assert made == pytest.approx(max(steps, least), rel=0.1)
    assert 0 < found["decays"][0] < found["epochs"] or found["epochs"] < 5
