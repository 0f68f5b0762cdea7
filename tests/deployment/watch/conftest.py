"""One service and one Prometheus for all tests that only look; a test that breaks something starts its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployment.watch.processes import Prometheus, Service, require, status_of
from tests.support import example
from tests.support.example import METHOD, ROUTE
from tests.support.paths import ROOT

# Method, path, body, how often; and the labels under which the service is to count it.
TRAFFIC = (
    (METHOD, ROUTE, example.BODY, 20, (METHOD, ROUTE, "200")),
    (METHOD, ROUTE, example.BAD_BODY, 5, (METHOD, ROUTE, str(example.BAD_STATUS))),
    (example.WRONG_METHOD, ROUTE, None, 3, (example.WRONG_METHOD, ROUTE, "405")),
    ("GET", "/version", None, 2, ("GET", "/version", "200")),
    ("GET", "/nowhere", None, 6, ("GET", "unmatched", "404")),
)


# The installed one, and those of later releases that `make promtools` has fetched.
PROMTOOLS = {"installed": "promtool"} | {
    path.parent.name: str(path) for path in sorted((ROOT / "build" / "promtools").glob("*/promtool"))
}


@pytest.fixture(scope="session", params=PROMTOOLS)
def promtool(request: pytest.FixtureRequest) -> str:
    """Return the path of Prometheus' own checker."""
    return require(PROMTOOLS[request.param], "prometheus")


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run the service."""
    require("prometheus", "prometheus")
    with Service(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(scope="session")
def prometheus(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Run a Prometheus that has scraped the service once, before any traffic."""
    with Prometheus(tmp_path_factory.mktemp("prometheus"), f"127.0.0.1:{service.metrics_port}") as running:
        yield running


@pytest.fixture(scope="session")
def sent(service: Service, prometheus: Prometheus) -> dict[tuple[str, str, str], int]:
    """Send the traffic once, and return how often each method, route and status is to be counted."""
    del prometheus  # It has to run before the traffic: an increase is what lies between two scrapes.
    for method, path, body, times, (*_, status) in TRAFFIC:
        answers = {status_of(service.url(path), body, method) for _ in range(times)}
        assert answers == {int(status)}
    return {labels: times for *_, times, labels in TRAFFIC}


@pytest.fixture
def own_service(tmp_path: Path) -> Iterator[Service]:
    """Run a service that the test may stop."""
    require("prometheus", "prometheus")
    with Service(tmp_path) as running:
        yield running


@pytest.fixture
def own_prometheus(own_service: Service, tmp_path: Path) -> Iterator[Prometheus]:
    """Run a Prometheus for it."""
    with Prometheus(tmp_path, f"127.0.0.1:{own_service.metrics_port}") as running:
        yield running
