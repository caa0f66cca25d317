import numpy as np
import pytest


@pytest.fixture
def clouds():
    return np.random.default_rng(0).random((8, 30, 3)).astype(np.float32)


@pytest.fixture
def array(tmp_path, clouds):
    np.save(tmp_path / "preds.npy", clouds)
    return tmp_path / "preds.npy"
