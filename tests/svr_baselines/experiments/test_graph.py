import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import experiment_work as work
import pytest

from svr_baselines.experiments.graph import run_jobs
from svr_baselines.experiments.jobs import Context, Job, read_finished, result_file

SUPPORT = Path(work.__file__).parent


def job(name, amount=1, needs=()):
    return Job(name, work.add, {"name": name, "amount": amount}, tuple(needs))


def calls(out):
    return [line.split()[0] for line in (out / "calls.txt").read_text().splitlines()]


@pytest.fixture
def chain():
    first = job("first", 1)
    second = job("deep/second", 2, [first])
    return [first, second, job("third", 3, [second])]


def silent(line):
    pass


def test_results_by_name_each_job_once_after_its_needs(tmp_path, chain):
    told = []
    results = run_jobs(chain, Context(tmp_path), tell=told.append)
    assert results == {"first": {"value": 1}, "deep/second": {"value": 2}, "third": {"value": 3}}
    assert calls(tmp_path) == ["first", "deep/second", "third"]
    assert told[-1].startswith("3 of 3  third")


def test_a_finished_job_is_never_done_again(tmp_path, chain):
    run_jobs(chain[:2], Context(tmp_path), tell=silent)
    again = run_jobs(chain, Context(tmp_path), tell=silent)
    assert calls(tmp_path) == ["first", "deep/second", "third"]
    assert again["first"] == {"value": 1}


def test_a_failing_job_ends_what_needs_it_and_nothing_else_and_is_tried_again(tmp_path):
    bad = Job("bad", work.fail, {"text": "it is Tuesday"})
    jobs = [bad, job("needs-bad", 1, [bad]), job("other")]
    with pytest.raises(ValueError, match=r"^bad: it is Tuesday$"):
        run_jobs(jobs, Context(tmp_path), tell=silent)
    assert calls(tmp_path) == ["other"]
    mended = [job("bad"), jobs[2]]
    assert set(run_jobs(mended, Context(tmp_path), tell=silent)) == {"bad", "other"}


def test_several_failures_are_counted(tmp_path):
    jobs = [Job(f"bad-{i}", work.fail, {"text": f"reason {i}"}) for i in range(3)]
    with pytest.raises(ValueError, match=r"^bad-0: reason 0; 2 more failed, such as bad-1$"):
        run_jobs(jobs, Context(tmp_path), tell=silent)


def test_other_settings_are_refused_before_any_work(tmp_path, chain):
    run_jobs(chain, Context(tmp_path), tell=silent)
    with pytest.raises(ValueError, match=r"third.json: third was done with other settings: amount 3, not 4"):
        run_jobs([*chain[:2], job("third", 4, [chain[1]])], Context(tmp_path), tell=silent)
    assert calls(tmp_path) == ["first", "deep/second", "third"]


def test_a_change_upstream_reaches_what_needs_it(chain):
    changed = job("deep/second", 2, [job("first", 5)])
    assert changed.key() != chain[1].key()


DAMAGES = {
    "half of it": lambda file: file.write_text(file.read_text()[:20]),
    "another number": lambda file: file.write_text(file.read_text().replace('"value": 1', '"value": 7')),
    "no checksum": lambda file: file.write_text(json.dumps({"schema": 1, "result": {"value": 7}})),
    "a list": lambda file: file.write_text("[]"),
    "nested": lambda file: file.write_text("[" * 100_000),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_result_is_made_again_and_said(tmp_path, chain, caplog, damage):
    expected = run_jobs(chain, Context(tmp_path), tell=silent)
    file = result_file(tmp_path, chain[0])
    DAMAGES[damage](file)
    assert run_jobs(chain, Context(tmp_path), tell=silent) == expected
    assert calls(tmp_path) == ["first", "deep/second", "third", "first"]
    assert caplog.messages == [f"{file} is damaged: first and what it left are made again"]


def test_a_result_of_a_later_version_is_refused(tmp_path, chain, monkeypatch):
    monkeypatch.setattr("svr_baselines.experiments.jobs._SCHEMA", 3)
    run_jobs(chain, Context(tmp_path), tell=silent)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="not a result of schema 2"):
        run_jobs(chain, Context(tmp_path), tell=silent)


def test_a_job_whose_files_are_damaged_is_done_again(tmp_path):
    jobs = [Job("leave", work.leave, {"distances": "matrices/a.npy", "name": "a"})]
    run_jobs(jobs, Context(tmp_path), tell=silent)
    for file in ("matrices/a.npy", "predictions/a/b.npy"):
        (tmp_path / file).write_text("nothing")
        run_jobs(jobs, Context(tmp_path), tell=silent)
        assert (tmp_path / file).read_text() == "something"
    (tmp_path / "matrices/a.npy").unlink()
    run_jobs(jobs, Context(tmp_path), tell=silent)
    assert (tmp_path / "matrices/a.npy").exists()
    assert calls(tmp_path) == ["a"] * 4
    run_jobs(jobs, Context(tmp_path), tell=silent)
    assert calls(tmp_path) == ["a"] * 4


def test_jobs_of_one_name_and_jobs_before_their_needs_are_refused(tmp_path, chain):
    with pytest.raises(ValueError, match="a name each, but got 'first' twice"):
        run_jobs([chain[0], chain[0]], Context(tmp_path), tell=silent)
    with pytest.raises(ValueError, match="what 'deep/second' needs before it, but lacks 'first'"):
        run_jobs(chain[1:], Context(tmp_path), tell=silent)


def test_two_workers_work_at_once_with_a_share_of_the_cores(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(SUPPORT))
    jobs = [
        Job("a", work.wait_for, {"file": "b.here", "name": "a"}),
        Job("b", work.wait_for, {"file": "a.here", "name": "b"}),
        Job("threads", work.threads, {"name": "threads"}),
    ]
    results = run_jobs(jobs, Context(tmp_path, processes=8), workers=2, tell=silent)
    assert results["a"] == results["b"] == {"found": True}
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert results["threads"] == {"threads": max(1, cores // 2), "processes": 4}


def test_a_killed_process_leaves_its_job_to_the_next(tmp_path):
    jobs = [job("before"), Job("long", work.sleep_once, {"name": "long"})]
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import experiment_work as work; from pathlib import Path\n"
        "from svr_baselines.experiments.graph import run_jobs\n"
        "from svr_baselines.experiments.jobs import Context, Job\n"
        "before = Job('before', work.add, {'name': 'before', 'amount': 1})\n"
        "run_jobs([before, Job('long', work.sleep_once, {'name': 'long'})], Context(Path(sys.argv[2])))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(SUPPORT), str(tmp_path)], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (tmp_path / "long.begun").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert read_finished(tmp_path, jobs[1]) is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert run_jobs(jobs, Context(tmp_path), tell=silent)["long"] == {"second": True}
    assert calls(tmp_path) == ["before"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="finds processes in /proc, which is Linux's")
def test_helpers_end_with_the_process_that_started_them(tmp_path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import experiment_work as work; from pathlib import Path\n"
        "from svr_baselines.experiments.graph import run_jobs\n"
        "from svr_baselines.experiments.jobs import Context, Job\n"
        "jobs = [Job(name, work.sleep_with_pid, {'name': name}) for name in 'ab']\n"
        "if __name__ == '__main__': run_jobs(jobs, Context(Path(sys.argv[2])), workers=2)\n"
    )
    (tmp_path / "script.py").write_text(code)
    environment = {**os.environ, "PYTHONPATH": str(SUPPORT)}
    command = [sys.executable, str(tmp_path / "script.py"), str(SUPPORT), str(tmp_path)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    files = [tmp_path / "a.pid", tmp_path / "b.pid"]
    deadline = time.monotonic() + 120
    while not all(file.exists() and file.read_text() for file in files):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    pids = {int(file.read_text()) for file in files}
    assert len(pids) == 2
    process.send_signal(signal.SIGKILL)
    process.wait()
    (helper,) = pids - {process.pid}
    while Path(f"/proc/{helper}").exists() and "State:\tZ" not in Path(f"/proc/{helper}/status").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_job_that_another_process_holds_is_waited_for(tmp_path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import experiment_work as work; from pathlib import Path\n"
        "from svr_baselines.experiments.graph import run_jobs\n"
        "from svr_baselines.experiments.jobs import Context, Job\n"
        "run_jobs([Job('held', work.wait_for, {'file': 'go', 'name': 'held'})], Context(Path(sys.argv[2])))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(SUPPORT), str(tmp_path)], stdout=subprocess.DEVNULL)
    while not (tmp_path / "held.here").exists():
        assert process.poll() is None
        time.sleep(0.05)
    release = job("release")
    held = Job("held", work.wait_for, {"file": "go", "name": "held"})
    (tmp_path / "go").touch()
    results = run_jobs([held, release], Context(tmp_path), tell=silent)
    assert process.wait() == 0
    assert results["held"] == {"found": True}


def test_the_same_failure_twice_in_a_row_ends_the_run_and_keeps_what_is_finished(tmp_path):
    bad = [Job(f"bad-{i}", work.fail, {"text": "no GPU for it"}) for i in range(4)]
    told = []
    message = r"^bad-0: no GPU for it; 1 more failed, such as bad-1; no other was begun, as two in a row failed for one"
    with pytest.raises(ValueError, match=message):
        run_jobs([job("before"), *bad, job("after")], Context(tmp_path), tell=told.append)
    assert calls(tmp_path) == ["before"]
    assert told[1:] == ["bad-0 failed", "bad-1 failed"]
    assert set(run_jobs([job("before"), job("after")], Context(tmp_path), tell=silent)) == {"before", "after"}


def test_failures_that_differ_but_for_the_names_of_jobs_are_the_same(tmp_path):
    bad = [Job(f"bad-{i}", work.fail_in, {"run": f"runs/{i}"}) for i in range(3)]
    with pytest.raises(ValueError, match="two in a row failed"):
        run_jobs(bad, Context(tmp_path), tell=silent)


def test_what_works_between_failures_lets_the_run_go_on(tmp_path):
    bad = [Job(f"bad-{i}", work.fail, {"text": "it is Tuesday"}) for i in range(2)]
    with pytest.raises(ValueError, match=r"^bad-0: it is Tuesday; 1 more failed, such as bad-1$"):
        run_jobs([bad[0], job("between"), bad[1], job("after")], Context(tmp_path), tell=silent)
    assert calls(tmp_path) == ["between", "after"]


def test_a_result_of_other_types_is_named(tmp_path, chain):
    from svr_baselines.experiments import jobs

    run_jobs(chain[:1], Context(tmp_path), tell=silent)
    file = result_file(tmp_path, chain[0])
    whole = json.loads(file.read_text())
    for field, value in (("settings", 3), ("result", []), ("seconds", "one"), ("files", [1]), ("seconds", None)):
        document = {name: kept for name, kept in whole.items() if name != "crc"} | {field: value}
        file.write_text(json.dumps({**document, "crc": jobs._checksum(document)}))
        with pytest.raises(ValueError, match=rf"first.json: field '{field}': expected"):
            run_jobs(chain[:1], Context(tmp_path), tell=silent)


def test_what_a_damaged_job_would_go_on_with_is_removed(tmp_path):
    jobs = [Job(name, work.keep, {"run": f"runs/{name}", "folder": f"data/{name}"}) for name in "ab"]
    expected = run_jobs(jobs, Context(tmp_path), tell=silent)
    for name in ("runs/{}/best.safetensors", "data/{}/dataset.json", "data/{}/points/1.npy"):
        other, own = (tmp_path / name.format(run) for run in "ab")
        whole = own.read_bytes()
        own.write_bytes(other.read_bytes())
        assert run_jobs(jobs, Context(tmp_path), tell=silent) == expected
        assert own.read_bytes() == whole
