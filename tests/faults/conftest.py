"""What the tests that take minutes share with the others: the file for what a service prints."""

from pathlib import Path

import pytest


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Name the file for what a service prints."""
    return tmp_path / "output"
