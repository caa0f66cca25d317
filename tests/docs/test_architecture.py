"""What the page on the architecture says of folders and imports holds."""

import ast
import re

import pytest
from pages import PAGES, ROOT

ORDER = ("ds_metrics", "svr_baselines", "ds_cli")  # each imports those before it


def imported(path):
    """Top-level packages that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize(("folder", "package"), [("ds_metrics", "ds_metrics"), ("svr_baselines", "svr_baselines")])
def test_imports_go_one_way(folder, package):
    later = set(ORDER[ORDER.index(package) + 1 :])
    files = list((ROOT / folder).rglob("*.py"))
    assert len(files) > 50
    assert {str(path): found for path in files if (found := later & set(imported(path)))} == {}


def test_folders_are_there():
    text = PAGES["docs/architecture.md"].read_text()
    folders = re.findall(r"^\| `([\w/*.]+)` ", text, re.MULTILINE)
    assert len(folders) == 13
    assert [folder for folder in folders if not list(ROOT.glob(folder))] == []
