"""What the tests of the image have in common: an engine, the image, containers that are gone afterwards."""

from collections.abc import Iterator

import pytest

from tests.support import engine
from tests.support.paths import NAME, ROOT


@pytest.fixture(scope="session", autouse=True)
def _engine() -> None:
    """Leave out the whole folder where no Docker engine answers."""
    try:
        engine.run("version")
    except (OSError, RuntimeError):
        pytest.skip("no Docker engine answers: install docker.io (or Docker) and start dockerd")


@pytest.fixture(scope="session")
def image(_engine: None) -> str:
    """Build the image with the literal command of the contract."""
    engine.run("build", ".", "-t", f"{NAME}:latest", cwd=ROOT)
    return f"{NAME}:latest"


@pytest.fixture
def start(image: str) -> Iterator[engine.Start]:
    """Start containers, on a free port of the loopback interface."""
    running: list[engine.Container] = []

    def start(*options: str, image: str = image) -> engine.Container:
        container = engine.Container("--publish", "127.0.0.1::5000", *options, image=image)
        running.append(container)
        return container

    yield start
    for container in running:
        container.remove()
