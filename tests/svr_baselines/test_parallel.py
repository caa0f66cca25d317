import os
import time

import pytest
from forked import forked_dask

from svr_baselines.parallel import map_in_order

WHERE = [{}, {"workers": 2}, {"workers": 3, "chunk": 4}, {"cluster": "local:2"}]


@pytest.fixture(autouse=True)
def _quick_dask():
    """Workers of a cluster fork from a server; those without a cluster start as ever."""
    with forked_dask():
        yield


def square(number):
    time.sleep(0.01 * (number % 3))
    return number**2, os.getpid()


def fail_at_seven(number):
    if number == 7:
        raise ValueError("seven")
    return number


def die_at_seven(number):
    if number == 7:
        os._exit(1)
    return number


@pytest.mark.parametrize("where", WHERE, ids=str)
def test_results_come_in_order_from_where_they_should(where):
    results = list(map_in_order(square, range(20), lost=print, **where))
    assert [value for value, _ in results] == [number**2 for number in range(20)]
    assert (os.getpid() in {process for _, process in results}) == (where == {})


@pytest.mark.parametrize("where", WHERE, ids=str)
def test_what_the_function_raises_comes_through(where):
    seen = []
    with pytest.raises(ValueError, match="seven"):
        seen.extend(map_in_order(fail_at_seven, range(40), lost=print, **where))


@pytest.mark.parametrize("where", WHERE[1:], ids=str)
def test_an_item_that_ends_its_process_is_the_only_one_lost(where):
    results = list(map_in_order(die_at_seven, range(20), lost=lambda number: -number, **where))
    assert results == [*range(7), -7, *range(8, 20)]


def test_no_item():
    assert list(map_in_order(square, [], lost=print, workers=2)) == []


def test_workers_of_a_cluster_that_die_are_said_in_a_line_each(caplog, capfd):
    list(map_in_order(die_at_seven, range(12), lost=lambda number: -number, cluster="local:2"))
    said = [record.getMessage() for record in caplog.records if record.name == "ds_metrics"]
    assert said
    assert all(line.startswith("worker tcp://") and "is gone" in line for line in said)
    assert len(set(said)) == len(said)
    assert "Traceback" not in capfd.readouterr().err
