"""The time from `docker run` to the first answer."""

import shutil
import time
from contextlib import suppress
from statistics import median

from tests.benchmark.candidates import BODY
from tests.support.engine import Container, run
from tests.support.http_client import exchange
from tests.support.service import free_ports
from tests.support.sums import post

IMAGE = "flask_app:latest"
LIMIT_SECONDS = 30
PAUSE_SECONDS = 0.002


def obstacle() -> str | None:
    """Tell why this cannot be measured, if it cannot."""
    if shutil.which("docker") is None:
        return "no Docker"
    try:
        run("version")
    except RuntimeError:
        return "no Docker engine"
    try:
        run("image", "inspect", IMAGE)
    except RuntimeError:
        return f"no image {IMAGE}"
    return None


def measure(rounds: int) -> float:
    """Measure a few starts; the median, in seconds."""
    return median(_start() for _ in range(rounds))


def _start() -> float:
    (port,) = free_ports(1)
    began = time.monotonic()
    container = Container("--publish", f"127.0.0.1:{port}:5000", image=IMAGE)
    try:
        while not _has_answered(port):
            assert time.monotonic() < began + LIMIT_SECONDS, container.state()
            time.sleep(PAUSE_SECONDS)
        return time.monotonic() - began
    finally:
        container.remove()


def _has_answered(port: int) -> bool:
    with suppress(OSError):  # The engine's proxy listens before the service does, and resets who comes too early.
        return exchange(port, post(BODY)).status == 200
    return False
