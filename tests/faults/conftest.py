"""What the tests that take minutes share with the others: their modules, and the file for what a service prints."""

import sys
from pathlib import Path

import pytest

for folder in ("server", "image"):
    sys.path.append(str(Path(__file__).resolve().parent.parent / folder))


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Name the file for what a service prints."""
    return tmp_path / "output"
