"""What holds for all tests, and services that many of them share, because each start takes a second."""

import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

from tests.support.service import Service, running, wait_until_workers

# A time limit for each example would only measure how busy the machine is.
hypothesis_settings.register_profile("tests", deadline=None)
hypothesis_settings.load_profile("tests")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a skipped test fail where CI is set: there, what a test needs is to be installed."""
    report = yield
    if report.skipped and os.environ.get("CI"):
        report.outcome = "failed"
    return report


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run the service with its defaults and two workers, for tests that leave it as it is."""
    with running(tmp_path_factory.mktemp("service") / "output", arguments=[]) as service:
        yield service


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run the service without the views of the tests."""
    with running(tmp_path_factory.mktemp("product") / "output") as service:
        yield service


@pytest.fixture(scope="session")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run the service with one worker, so that all clients meet in the same event loop."""
    with running(tmp_path_factory.mktemp("single") / "output", arguments=[], WEB_CONCURRENCY=1) as service:
        yield service


@pytest.fixture(scope="session")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run the service with short time limits."""
    output = tmp_path_factory.mktemp("impatient") / "output"
    limits = ("head=0.5", "body=0.5", "send=1", "close=0.5")
    arguments = [argument for limit in limits for argument in ("--limit", limit)]
    with running(output, arguments=arguments, WEB_CONCURRENCY=1, KEEP_ALIVE=1) as service:
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
