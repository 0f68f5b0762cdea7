"""One service and one Prometheus for all tests that only look; a test that breaks something starts its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployment.watch.processes import Prometheus, Service, require, status_of, wait_until
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


# The installed one, and later ones that `make prometheus-releases` has fetched: folders with the programs.
RELEASES = {"installed": ""} | {
    path.name: f"{path}/" for path in sorted((ROOT / "build" / "prometheus").glob("*")) if path.is_dir()
}


@pytest.fixture(scope="session", params=RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    """Choose the release of Prometheus: where its programs are."""
    require("prometheus", "prometheus")
    return RELEASES[request.param]


@pytest.fixture(scope="session")
def promtool(release: str) -> str:
    """Return the path of Prometheus' own checker."""
    return require(f"{release}promtool", "prometheus")


@pytest.fixture(scope="session")
def service(release: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run the service, anew for each release of Prometheus: it counts from 0."""
    del release
    with Service(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(scope="session")
def prometheus(release: str, service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Run a Prometheus that has scraped the service once, before any traffic."""
    folder = tmp_path_factory.mktemp("prometheus")
    with Prometheus(folder, f"127.0.0.1:{service.metrics_port}", f"{release}prometheus") as running:
        yield running


@pytest.fixture(scope="session")
def sent(service: Service, prometheus: Prometheus) -> dict[tuple[str, str, str], int]:
    """Send the traffic once, and return how often each method, route and status is to be counted."""
    # An increase is what lies between two samples: the rules have recorded a first one before the traffic begins.
    wait_until(lambda: prometheus.values("slo:requests:total"), bool)
    for method, path, body, times, (*_, status) in TRAFFIC:
        answers = {status_of(service.url(path), body, method) for _ in range(times)}
        assert answers == {int(status)}
    return {labels: times for *_, times, labels in TRAFFIC}


@pytest.fixture
def own_service(tmp_path: Path) -> Iterator[Service]:
    """Run a service that the test may stop."""
    with Service(tmp_path) as running:
        yield running


@pytest.fixture
def own_prometheus(release: str, own_service: Service, tmp_path: Path) -> Iterator[Prometheus]:
    """Run a Prometheus for it."""
    with Prometheus(tmp_path, f"127.0.0.1:{own_service.metrics_port}", f"{release}prometheus") as running:
        yield running
