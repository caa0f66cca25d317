"""The site builds without a warning, has what it should have, and needs nothing from elsewhere."""

import importlib.util
import re
import subprocess
import sys

import pytest
import typer
from ds_cli.app import app
from pages import PAGES, ROOT

import ds_metrics

MISSING = [name for name in ("sphinx", "furo", "myst_parser", "latex2mathml") if importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"the site needs {MISSING}: pip install '.[docs]'")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q", "-d", folder / "trees"]
    done = subprocess.run([*command, ROOT / "docs", folder / "html"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return folder / "html"


def test_all_pages_are_there(site):
    pages = {name.removeprefix("docs/").removesuffix(".md") for name in PAGES if name.startswith("docs/")}
    assert {page for page in pages if not (site / f"{page}.html").exists()} == set()
    index = (site / "index.html").read_text()
    assert {page for page in pages - {"index"} if f'href="{page}.html"' not in index} == set()


def test_public_names_are_described(site):
    text = (site / "api" / "ds_metrics.html").read_text()
    names = [name for name in ds_metrics.__all__ if name != "functional"]
    assert [name for name in names if f'id="ds_metrics.{name}"' not in text] == []
    text = (site / "api" / "functional.html").read_text()
    names = ds_metrics.functional.__all__
    assert [name for name in names if f'id="ds_metrics.functional.{name}"' not in text] == []


def test_commands_are_described(site):
    text = re.sub("<[^>]+>", "", (site / "command-line.html").read_text())
    for name, command in typer.main.get_command(app).commands.items():
        assert f"ds {name}" in text
        assert [parameter.opts[-1] for parameter in command.params if parameter.opts[-1] not in text] == []


def test_examples_are_listed(site):
    text = (site / "examples.html").read_text()
    names = [path.name for path in ROOT.glob("examples/*.py")]
    assert names
    assert [name for name in names if name not in text] == []


def test_nothing_is_loaded_from_elsewhere(site):
    for page in site.rglob("*.html"):
        loaded = re.findall(r"<(?:script|img|iframe)[^>]* src=\"([^\"]*)\"", page.read_text())
        loaded += re.findall(r"<link[^>]* rel=\"[^\"]*stylesheet[^\"]*\"[^>]* href=\"([^\"]*)\"", page.read_text())
        assert [name for name in loaded if "//" in name] == [], page.name


def test_formulas_are_drawn(site):
    text = (site / "api" / "functional.html").read_text()
    assert text.count("<math") > 20
    assert r"\frac" not in re.sub("<annotation.*?</annotation>", "", text)
    assert re.findall(r"<m[a-z]+[^>]*>(\\[A-Za-z]+)", text) == []  # commands that were not understood


def test_backticks_of_docstrings_are_names_or_values(site):
    text = (site / "api" / "svr_baselines.html").read_text()
    assert '<span class="pre">.npy' in text  # whose dot a reference would lose
    assert 'href="ds_metrics.html#ds_metrics.measure.Measure"' in (site / "api" / "functional.html").read_text()
