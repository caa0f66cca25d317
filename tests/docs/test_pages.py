"""The blocks of all other pages run."""

import pytest
from pages import PAGES, blocks

ELSEWHERE = ("README.md", "docs/data.md", "docs/training.md", "docs/tutorial.md")


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page not in ELSEWHERE and any(kind in ("python", "sh") for kind, *_ in blocks(page))],
)
def test_blocks_run(page, run_page):
    run_page(page)
