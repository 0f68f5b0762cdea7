"""The server of the metrics. That its process lives, dies and comes back is tested in tests/service."""

import os
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_flask_exporter import PrometheusMetrics
from werkzeug.test import Client

from app.client import ClientAddress
from app.measurement import Measurement
from app.metrics_server import MetricsServer, metrics_application
from app.slots import Slots

LABEL = 'a "quoted" \\ one\nof two lines'


@pytest.fixture
def client() -> Client:
    """Make a client of metrics of which there is one."""
    registry = CollectorRegistry()
    Counter("things", "Things \\ of\na kind.", ["kind"], registry=registry).labels(LABEL).inc()
    extension = PrometheusMetrics.for_app_factory(path=None, export_defaults=False, registry=registry)
    return Client(Measurement(metrics_application(extension), [], ClientAddress("127.0.0.1"), lambda: 0.0))


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/metrics", 200),
        ("HEAD", "/metrics", 200),
        ("POST", "/metrics", 404),
        ("OPTIONS", "/metrics", 404),
        ("GET", "/", 404),
        ("GET", "/metrics/", 404),
        ("GET", "/METRICS", 404),
        ("GET", "/healthz", 404),
    ],
)
def test_only_the_metrics_are_there(client: Client, method: str, path: str, expected: int) -> None:
    """The port has one path."""
    assert expected == client.open(path, method=method).status_code


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
    """OpenMetrics is for those who ask for it, the text format for everybody else."""
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
    answer = client.get("/")
    assert answer.mimetype == "application/problem+json"
    assert {"type", "title", "status", "detail", "request_id"} == answer.json.keys()
    assert (404, "metrics are at GET /metrics") == (answer.json["status"], answer.json["detail"])


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    """Make a server of the metrics on any port, whose process has not been started."""
    server = MetricsServer(0, Slots(1), None, "")  # type: ignore[arg-type] - which only the process needs
    yield server
    server.stop()


@pytest.mark.parametrize(("error", "expected"), [(None, 0), (ValueError("a bug"), 1)])
def test_what_the_master_does_at_its_exit_is_not_for_the_process(
    server: MetricsServer, monkeypatch: pytest.MonkeyPatch, error: Exception | None, expected: int
) -> None:
    """The forked process lets go of what is the workers', serves, and ends at once; its status tells of a bug."""
    steps = []

    def serve(*_: object) -> None:
        steps.append("serve")
        if error:
            raise error

    def leave(status: int) -> None:
        raise SystemExit(status)

    monkeypatch.setattr(os, "fork", lambda: 0)
    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(MetricsServer, "_serve", serve)
    with pytest.raises(SystemExit) as end:
        server.ensure(None, lambda: steps.append("release"))  # type: ignore[arg-type] - which only the process needs
    assert expected == end.value.code
    assert ["release", "serve"] == steps


def test_a_stop_before_the_start(server: MetricsServer) -> None:
    """A server whose process has never run can be stopped, and lets go of its port."""
    server.stop()
    assert -1 == server._listener.fileno()  # noqa: SLF001 - nothing else tells


def test_a_stop_when_the_process_has_been_reaped(server: MetricsServer) -> None:
    """A process that the master has reaped together with its workers is not there any more, and gets no signal."""
    server._pid = os.getpid()  # noqa: SLF001 - a process that is no child of this one
    server.stop()
    assert -1 == server._listener.fileno()  # noqa: SLF001 - nothing else tells
