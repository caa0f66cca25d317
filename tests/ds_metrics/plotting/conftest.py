import pytest


@pytest.fixture
def save(tmp_path):
    """Render a figure: what can't be drawn fails here."""

    def write(figure):
        figure.savefig(tmp_path / "figure.png", dpi=50)
        assert (tmp_path / "figure.png").stat().st_size > 500

    return write
