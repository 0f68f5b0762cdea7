"""The application of the metrics port: one path, and a rendering that scrapes share."""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry, Counter, Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from werkzeug.test import Client

from app.serving.http.request import RECEIVED_AT
from app.serving.metrics_application import MetricsApplication

if TYPE_CHECKING:
    from tests.support.log_lines import Lines

LABEL = 'a "quoted" \\ one\nof two lines'


@pytest.fixture
def registry() -> CollectorRegistry:
    """Make a registry with one metric."""
    registry = CollectorRegistry()
    Counter("things", "Things \\ of\na kind.", ["kind"], registry=registry).labels(LABEL).inc()
    return registry


@pytest.fixture
def client(registry: CollectorRegistry) -> Client:
    """Make a client of the metrics."""
    return Client(MetricsApplication(registry))


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/metrics", 200),
        ("HEAD", "/metrics", 200),
        ("POST", "/metrics", 405),
        ("OPTIONS", "/metrics", 200),
        ("GET", "/", 404),
        ("GET", "/metrics/", 404),
        ("GET", "/METRICS", 404),
        ("GET", "/healthz", 404),
    ],
)
def test_only_the_metrics_are_there(client: Client, method: str, path: str, expected: int) -> None:
    """The port has one path, with the methods that prometheus_client knows, and HEAD."""
    assert expected == client.open(path, method=method).status_code


def test_head_is_get(client: Client) -> None:
    """HEAD has the headers of GET; the server sends no body."""
    assert client.get("/metrics").headers["Content-Type"] == client.head("/metrics").headers["Content-Type"]


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "text/plain"),
        ("", "text/plain"),
        ("*/*", "text/plain"),
        ("text/html", "text/plain"),
        ("text/plain;version=0.0.4", "text/plain"),
        ("application/openmetrics-text", "application/openmetrics-text"),
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", "application/openmetrics-text"),
        ("application/openmetrics-text; version=x", "text/plain"),
        ('text/plain; version="1.0.0"', "text/plain"),
        ("text/plain; version=" + "9" * 5000, "text/plain"),
    ],
)
def test_the_form_is_chosen_by_accept(client: Client, accept: str | None, expected: str) -> None:
    """OpenMetrics is for those who ask for it, and the text format for all others, whatever they send."""
    headers = {} if accept is None else {"Accept": accept}
    answer = client.get("/metrics", headers=headers)
    assert expected == answer.mimetype
    assert ("# EOF" in answer.text) == (expected == "application/openmetrics-text")


def test_openmetrics_is_strict(client: Client) -> None:
    """The strict parser takes what is in a label and in a help text as it was meant."""
    text = client.get("/metrics", headers={"Accept": "application/openmetrics-text"}).text
    (family,) = text_string_to_metric_families(text)
    assert ("things", "counter", "Things \\ of\na kind.") == (family.name, family.type, family.documentation)
    assert {LABEL: 1.0} == {s.labels["kind"]: s.value for s in family.samples if s.name == "things_total"}


def test_404_is_a_problem(client: Client) -> None:
    """What is not found is told in the form of all errors, with the place where the metrics are."""
    answer = client.get("/", headers={"X-Request-ID": "my-id"})
    assert answer.mimetype == "application/problem+json"
    assert {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "metrics are at GET /metrics",
        "request_id": "my-id",
    } == answer.json


class Counted(Collector):
    """A metric that says how often it has been collected, or fails."""

    def __init__(self) -> None:
        self.collected = 0
        self.failure: Exception | None = None

    def collect(self) -> Iterable[Metric]:
        """Count, or fail."""
        if self.failure is not None:
            raise self.failure
        self.collected += 1
        return []


def test_scrapes_share_a_rendering(registry: CollectorRegistry) -> None:
    """Scrapes that had arrived before a rendering began share it; a later one has its own, as has another form."""
    counted = Counted()
    registry.register(counted)
    before = counted.collected
    client = Client(MetricsApplication(registry))
    early, late = time.monotonic(), time.monotonic() + 3600.0
    numbers = []
    for received, accept in [(early, ""), (early, ""), (early, "application/openmetrics-text"), (late, ""), (late, "")]:
        assert client.get("/metrics", headers={"Accept": accept}, environ_base={RECEIVED_AT: received}).data
        numbers.append(counted.collected - before)
    assert [1, 1, 2, 3, 4] == numbers


def test_a_name_of_a_series_that_came_late(registry: CollectorRegistry, client: Client) -> None:
    """`name[]` finds what had no series when the metrics were first read."""
    late = Counter("late", "Late.", ["kind"], registry=registry)
    assert b"late_total{" not in client.get("/metrics?name[]=late_total").data
    late.labels("a").inc()
    assert b'late_total{kind="a"} 1.0' in client.get("/metrics?name[]=late_total").data


@pytest.mark.parametrize("failure", [RuntimeError("a bug"), ValueError("a bug")])
@pytest.mark.parametrize("query", ["", "?name[]=things_total"])
def test_a_rendering_that_fails(
    registry: CollectorRegistry, log_lines: "Lines", failure: Exception, query: str
) -> None:
    """A metric that cannot be collected fails the scrape, with a line in the log; the next scrape tries again."""
    counted = Counted()
    registry.register(counted)
    client = Client(MetricsApplication(registry))
    counted.failure = failure
    with pytest.raises(type(failure)):
        client.get("/metrics" + query)
    assert ("error", "cannot render the metrics") == (log_lines.only["level"], log_lines.only["event"])
    counted.failure = None
    assert b"things_total{" in client.get("/metrics" + query).data
