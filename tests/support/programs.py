"""Programs that tests run, and that pip installs beside Python."""

import shutil
import sys
from pathlib import Path

import pytest


def installed(name: str) -> str:
    """Find a program, and leave out the test where it is not there."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"no {name}: make lint installs it")
    return found
