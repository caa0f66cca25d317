import pytest


@pytest.fixture
def forked_workers(monkeypatch):
    """Processes of `map_in_order` fork from a server; those of test_parallel.py and of commands start as ever."""
    from forked import context

    monkeypatch.setattr("svr_baselines.parallel.get_context", context)
