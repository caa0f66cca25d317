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


VERSIONS = {
    1: ("4:memory:/job/step", "fs/memory", "limit_in_bytes", "usage_in_bytes", "total_inactive_file"),
    2: ("0::/job/step", "fs", "max", "current", "inactive_file"),
}


@pytest.mark.parametrize("version", VERSIONS)
def test_control_groups_above_limit_too(monkeypatch, tmp_path, version):
    line, base, limit, used, cached = VERSIONS[version]
    (tmp_path / "self").write_text(f"1:cpu:/\n{line}\n")
    group = tmp_path / base / "job" / "step"
    group.mkdir(parents=True)
    (group / f"memory.{limit}").write_text("max\n")
    for name, text in {limit: "3000", used: "2500", "stat": f"anon 2000\n{cached} 300\n"}.items():
        (group.parent / f"memory.{name}").write_text(text)
    rooms = memory._control_group_rooms(tmp_path / "fs", tmp_path / "self")
    assert rooms == [800]
    monkeypatch.setattr(memory, "_control_group_rooms", lambda: rooms)
    assert memory.free_memory() == 800


def test_without_control_groups(tmp_path):
    assert memory._control_group_rooms(tmp_path, tmp_path / "none") == []
