import psutil
import pytest

from ds_metrics.pairwise import memory, memory_bytes


@pytest.mark.parametrize(
    ("budget", "expected"),
    [(1000, 1000), ("1000", 1000), ("64MB", 64 * 10**6), ("1.5 GiB", 3 * 2**29), ("2tb", 2 * 10**12)],
)
def test_amounts(budget, expected):
    assert memory_bytes(budget) == expected


@pytest.mark.parametrize("budget", [0, -5, "0", "much", "5 MBit", "", "1e9", 2.5j, True])
def test_refuses_what_is_no_amount(budget):
    with pytest.raises(ValueError, match="`memory_budget` must be a number of bytes or a text like"):
        memory_bytes(budget)


def test_default_is_half_of_what_is_free(monkeypatch):
    monkeypatch.setattr(memory, "_control_group_rooms", list)
    free = psutil.virtual_memory().available
    assert memory_bytes(None) == pytest.approx(free / 2, rel=0.2)


def test_control_groups_above_limit_too(monkeypatch, tmp_path):
    group = tmp_path / "fs" / "job" / "step"
    group.mkdir(parents=True)
    (tmp_path / "self").write_text("1:cpu:/\n0::/job/step\n")
    (group / "memory.max").write_text("max\n")
    for name, text in {"max": "3000", "current": "2500", "stat": "anon 2000\ninactive_file 300\n"}.items():
        (group.parent / f"memory.{name}").write_text(text)
    rooms = memory._control_group_rooms(tmp_path / "fs", tmp_path / "self")
    assert rooms == [800]
    monkeypatch.setattr(memory, "_control_group_rooms", lambda: rooms)
    assert memory.free_memory() == 800


def test_without_control_groups(tmp_path):
    assert memory._control_group_rooms(tmp_path, tmp_path / "none") == []
