"""The benchmark of renderers runs, at a tiny size."""

from pathlib import Path

import pytest
from forked import run_script

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "rendering.py"


def run(*arguments):
    return run_script(BENCHMARK, "--smoke", *arguments)


def tables(text):
    """Rows by their columns, of every table."""
    found = []
    for section in text.split("### ")[1:]:
        rows = [
            [cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"
        ]
        found.append([dict(zip(rows[0], row, strict=True)) for row in rows[2:]])
    return found


def test_rendering(tmp_path):
    out = tmp_path / "table.md"
    done = run("--markdown", "--out", out)
    assert done.returncode == 0, done.stderr
    assert done.stdout == out.read_text(encoding="utf-8")
    assert done.stdout.startswith("Renderer embree, 16 x 16 pixels")
    sizes, peer, files = tables(done.stdout)
    assert [row["faces"] for row in sizes] == ["1,280"]
    assert all(float(row[column]) > 0 for row in sizes for column in ("1 x 1", "2 x 2", "4 x 4"))
    assert [row["speed, peer = 1"] for row in peer][1] == "1.00"
    steps = [float(row["ms a picture"]) for row in files]
    assert files[-1][""] == "all"
    assert steps[-1] == pytest.approx(sum(steps[:-1]), abs=0.2)


def test_a_folder_of_meshes(tmp_path):
    (tmp_path / "a.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    done = run("--markdown", "--meshes", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 meshes, one view each, 1 faces in the median" in done.stdout


def test_a_renderer_that_is_not_there():
    done = run("--backend", "blender")
    assert done.returncode == 2
    assert "Argument `renderer` must be one of" in done.stderr
