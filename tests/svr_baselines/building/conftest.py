import numpy as np
import pytest
import trimesh


@pytest.fixture
def meshes(tmp_path):
    """Three categories of small meshes, one of them broken, one with Z up and far from the origin."""
    folder = tmp_path / "meshes"
    for category in ("box", "ball", "odd"):
        (folder / category).mkdir(parents=True)
    for number in range(5):
        trimesh.creation.box((1, 2 + number, 3)).export(folder / "box" / f"{number}.ply")
        trimesh.creation.icosphere(subdivisions=1, radius=1 + number).export(folder / "ball" / f"{number}.obj")
    cone = trimesh.creation.cone(radius=0.1, height=5)
    cone.apply_translation([100, 200, 300])
    cone.export(folder / "odd" / "cone.off")
    (folder / "odd" / "torn.obj").write_text("v 0 0 0\nf 1 2 3\n")
    return folder


@pytest.fixture
def tree():
    """All files below a folder with their bytes."""
    return lambda folder: {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture
def chi_square():
    """How far counts are from expected shares, per degree of freedom: about 1 where they agree."""

    def measure(counts, shares):
        expected = counts.sum() * np.asarray(shares) / np.sum(shares)
        return float(((counts - expected) ** 2 / expected).sum() / (len(counts) - 1))

    return measure
