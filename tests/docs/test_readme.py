"""The blocks of the README, and of the pages on data and training, run."""

import pytest


@pytest.mark.parametrize("page", ["README.md", "docs/data.md", "docs/training.md"])
def test_blocks_run(page, run_page):
    run_page(page)
