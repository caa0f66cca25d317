import json
import re

import ds_cli.experiment
import pytest
from ds_command import fails, run

from svr_baselines.experiments import synthetic
from svr_baselines.experiments.graph import run_jobs
from svr_baselines.experiments.jobs import Job

pytest.importorskip("torchvision", reason="networks need torchvision: pip install '.[train]'")
pytest.importorskip("lightning_fabric", reason="training needs Lightning Fabric: pip install '.[train]'")


@pytest.fixture
def finished(tmp_path, monkeypatch):
    """A synthetic experiment whose jobs are all done, with scores that fall and rise as claimed."""

    def results(jobs, context, workers, tell):
        found = {}
        for job in jobs:
            step = job.name.split("/")[min(2, job.name.count("/"))]  # kind/k/step
            spread = {"images": int(step[3]) * 100.0, "shapes": int(step[1]) / 1000} if step.startswith("S") else {}
            if job.name.startswith("score/"):
                ds = (9 - int(step[3]) + int(step[1]) - 1) / 1000
                found[job.name] = {"ds": ds, "low": None, "high": None, "truth_ds": 0.01, "share": ds / 0.01}
                found[job.name] |= {"cd": 0.02, "n": 200, "result": None}
            else:
                found[job.name] = {"ds": spread.get(job.name.split("/")[0], 0.0)}
        return found

    monkeypatch.setattr("svr_baselines.experiments.running.run_jobs", results)
    monkeypatch.setattr("svr_baselines.experiments.work.open_part", lambda *arguments: range(200))
    monkeypatch.setattr(synthetic.figures, "draw_matrices", lambda plan, series, load: synthetic_figure())
    return tmp_path / "out"


def synthetic_figure():
    from matplotlib.figure import Figure

    from svr_baselines.experiments.plan import Drawing

    return Drawing("figure-3", Figure(), "caption", "alt")


def test_an_experiment_prints_its_table_and_verdicts_and_what_the_preset_changes(finished):
    result = run("experiment", "synthetic", "--out", finished, "--no-report", "--accelerator", "cpu")
    assert result.exit_code == 0, result.stderr
    assert "S1I8 belongs to both series" in result.stderr
    assert "push networks to recognition. Holds: output DS falls with DS of training images" in result.stdout
    assert "push networks to reconstruction. Holds: output DS rises" in result.stdout
    document = json.loads((finished / "results.json").read_text())
    assert [verdict["holds"] for verdict in document["verdicts"]] == [True, True]
    assert document["preset"] == "quick"
    assert document["preset_changes"]
    assert len(document["rows"]) == 48  # two series of eight steps, three seeds


def test_clusters_of_ones_own_are_told_with_what_differs(finished):
    result = run("experiment", "synthetic", "--out", finished, "--no-report", "--clusters", 5)
    assert result.exit_code == 0, result.stderr
    assert "unlike the paper: k = 5 instead of 2." in result.stderr
    document = json.loads((finished / "results.json").read_text())
    assert document["provenance"]["protocol"]["clusters"] == 5
    assert "Scores at k = 5" in document["table"]["caption"]


def test_more_clusters_than_shapes_are_refused(finished):
    assert "got 200 for the 200 of the t" in fails("experiment", "synthetic", "--out", finished, "--clusters", 200)


def test_an_interrupted_experiment_says_that_it_goes_on(finished, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("svr_baselines.experiments.running.run_jobs", interrupt)
    result = run("experiment", "synthetic", "--out", finished, "--no-report")
    assert result.exit_code == 130
    assert "interrupted; what is finished is kept in" in result.stderr


def test_a_failing_job_is_one_line(finished, monkeypatch, tmp_path):
    def fail(context):
        raise ValueError("the disk is full of cats")

    jobs = [Job("data/synthetic", fail, {})]
    monkeypatch.setattr("svr_baselines.experiments.running.run_jobs", lambda plan, *rest: run_jobs(jobs, *rest))
    result = run("experiment", "synthetic", "--out", finished, "--no-report", "--workers", "1")
    assert result.exit_code == 2
    assert "ds: data/synthetic: the disk is full of cats" in result.stderr


def test_missing_packages_are_named_before_the_work(tmp_path, monkeypatch):
    from svr_baselines import environment

    version, missing = environment.package_version, {"plotly"}
    monkeypatch.setattr(environment, "package_version", lambda name: None if name in missing else version(name))
    line = fails("experiment", "synthetic", "--out", tmp_path / "out")
    assert re.search(
        r"the report of an experiment needs plotly>=[\d.]+: pip install 'dispersion-score\[report\]'; or --no-report",
        line,
    )
    missing.update({"lightning", "lightning-fabric"})
    for report in ("--report", "--no-report"):
        line = fails("experiment", "synthetic", "--out", tmp_path / "out", report)
        assert re.search(r"an experiment needs lightning-fabric>=.*'dispersion-score\[train\]'$", line)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["sythetic"], "must be one of ('synthetic', 'more-images', 'more-shapes', 'more-views'), but got 'sythetic'"),
        (["more-images"], "must name a folder of meshes"),
        (["synthetic", "--seeds", "one"], "--seeds must be numbers such as 1,2,3 or 1:3, but got 'one'"),
        (["synthetic", "--preset", "slow"], "must be one of"),
        (["synthetic", "--networks", "psgnn"], "psgn"),
        (["synthetic", "--networks", "psgn,psgn"], "--networks must name each once"),
        (["synthetic", "--networks", "psgn,"], "--networks"),
        (["synthetic", "--seeds", "1,1"], "--seeds must name each once"),
        (["synthetic", "--seeds", "1:99999999999"], "--seeds must be"),
        (["synthetic", "--seeds", "9" * 30], "--seeds must be integers from 0, of 64 bits"),
        (["synthetic", "--clusters", "100000"], "--clusters must be less than the number of shapes"),
        (["synthetic", "--clusters", "20"], "got 20 for the 20 of the train part"),
        (["synthetic", "--workers", "100000"], "--workers must be at most"),
        (["synthetic", "--devices", "1000000", "--accelerator", "cpu"], "--devices must be at most the"),
        (["synthetic", "--accelerator", "abacus"], "--accelerator can't be 'abacus' here"),
    ],
)
def test_bad_options_are_one_line(tmp_path, arguments, text):
    assert text in fails("experiment", *arguments, "--out", tmp_path / "out")


def test_the_demo_is_three_trainings(tmp_path, monkeypatch):
    asked = {}
    monkeypatch.setattr(ds_cli.experiment, "run", lambda plan, out, **options: asked.update(plan=plan, out=out))
    assert run("demo", "--out", tmp_path / "demo").exit_code == 0
    assert [arm.step for arm in asked["plan"].arms] == ["S1I1", "S1I8", "S1I8", "S8I8"]


def test_nothing_is_begun_or_told_without_the_gpu_that_was_asked_for(tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    result = run("experiment", "synthetic", "--out", tmp_path / "out", "--accelerator", "cuda", "--no-report")
    assert result.exit_code == 2
    assert result.stderr.startswith("ds: Option --accelerator can't be 'cuda' here")
    assert len(result.stderr.splitlines()) == 1
    assert list((tmp_path / "out").iterdir()) == []


def test_a_disk_without_room_and_a_folder_without_meshes_are_told_before_the_work(tmp_path, monkeypatch):
    from types import SimpleNamespace

    from svr_baselines.experiments import checks

    (tmp_path / "meshes").mkdir()
    said = fails("experiment", "more-images", "--data", tmp_path / "meshes", "--out", tmp_path / "out", "--no-report")
    assert "no meshes in this folder" in said
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda folder: SimpleNamespace(free=10**6))
    said = fails("experiment", "synthetic", "--out", tmp_path / "out", "--accelerator", "cpu", "--no-report")
    assert "--out must be on a disk with room for the networks of 45 trainings" in said


def test_a_missing_renderer_is_told_before_the_work(tmp_path, monkeypatch):
    from svr_baselines.experiments import checks

    def lack():
        raise ValueError("no renderer is installed")

    monkeypatch.setattr(checks, "choose_renderer", lack)
    said = fails("experiment", "synthetic", "--out", tmp_path / "out", "--accelerator", "cpu", "--no-report")
    assert "no renderer is installed" in said
    assert list((tmp_path / "out").iterdir()) == []


def test_names_in_the_table_are_no_markup(capsys):
    from rich.console import Console

    from svr_baselines.experiments.plan import Table

    table = Table(("[red]", "b"), (("[/]", "\x1b[31m"),), "[bold]caption")
    Console().print(ds_cli.experiment._table(table, "[i]title"))
    shown = capsys.readouterr().out
    assert all(text in shown for text in ("[red]", "[/]", "\\x1b[31m", "[bold]caption", "[i]title"))
