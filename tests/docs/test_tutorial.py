"""The tutorial runs, but for its trainings."""


def test_blocks_run(run_page):
    run_page("docs/tutorial.md")
