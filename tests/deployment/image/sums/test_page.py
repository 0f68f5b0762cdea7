"""The page as the image serves it, in a real browser."""

import os
import subprocess
import sys

from tests.support import engine
from tests.support.engine import Start
from tests.support.paths import ROOT


def test_page_of_the_hardened_container(start: Start) -> None:
    """All tests in the browser pass against a container from which everything is taken that Docker can take."""
    container = start(*engine.HARDENED)
    engine.until(container.answers)
    environment = {**os.environ, "SERVICE_URL": f"http://localhost:{container.port()}/"}
    command = [sys.executable, "-m", "pytest", "tests/browser"]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
