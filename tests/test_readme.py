"""The Python of the README and of the docs runs as it stands, in the order of each page."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

PAGES = {
    page: re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    for page in [ROOT / "README.md", *ROOT.glob("docs/*.md")]
}


@pytest.mark.parametrize("page", [page for page, blocks in sorted(PAGES.items()) if blocks], ids=lambda page: page.name)
def test_blocks_run(page, monkeypatch, tmp_path):
    from ds_metrics import registry

    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in PAGES[page]:
        exec(compile(block, str(page), "exec"), names)


def test_there_are_blocks():
    counts = {page.name: len(blocks) for page, blocks in PAGES.items()}
    assert (counts["README.md"], counts["data.md"], counts["image-dispersion.md"]) == (3, 2, 1)
