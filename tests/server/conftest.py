"""Services that many tests share, because each start takes a second."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from service import Service, running, wait_until_workers

LAUNCHER = Path(__file__).resolve().parent / "launch.py"


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run the service with its defaults and two workers, for tests that leave it as it is."""
    with running(tmp_path_factory.mktemp("service") / "output") as service:
        yield service


@pytest.fixture(scope="session")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run the service with one worker, so that all clients meet in the same event loop."""
    with running(tmp_path_factory.mktemp("single") / "output", WEB_CONCURRENCY=1) as service:
        yield service


@pytest.fixture(scope="session")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run the service with short time limits, and with routes that fail."""
    output = tmp_path_factory.mktemp("impatient") / "output"
    with running(output, program=LAUNCHER, WEB_CONCURRENCY=1) as service:
        yield service


@pytest.fixture(scope="session")
def unmeasured_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run the service with two workers, and without the measuring of coverage, which takes memory and time itself."""
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:  # For the start alone: the tests that follow may be measured.
            patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
            service = stack.enter_context(running(tmp_path_factory.mktemp("unmeasured") / "output"))
        wait_until_workers(service, 2)
        yield service


@pytest.fixture(autouse=True)
def unmeasured(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure the coverage of a test's own services only where it is marked so: it takes longer than their start."""
    if request.node.get_closest_marker("measured") is None:
        monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Name the file for what a service prints."""
    return tmp_path / "output"
