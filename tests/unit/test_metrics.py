"""The metrics as an observer of the measuring point."""

from collections.abc import Callable

import prometheus_client
import pytest
from flask import Flask

from app import create_app
from app.exchange import UNMATCHED, Exchange
from app.metrics import EXITS, REJECTIONS, SECONDS, Metrics
from app.readiness import Readiness
from app.settings import Settings
from app.slots import Slots
from app.sums import OUTCOMES

COUNT = "http_request_duration_seconds_count"


@pytest.fixture
def slots() -> Slots:
    """Make a table of workers."""
    return Slots(2)


@pytest.fixture
def metrics(slots: Slots) -> Metrics:
    """Make metrics that count to the account of the first worker."""
    metrics = Metrics(slots)
    metrics.slot = slots.take(1)
    return metrics


def exchange(**members: object) -> Exchange:
    """Describe a request."""
    exchange = Exchange(request_id="id", method="POST", path="/", client="127.0.0.1", user_agent="", route="/")
    for name, value in members.items():
        setattr(exchange, name, value)
    return exchange


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """Read a sample; there may be none."""
    return metrics.extension.registry.get_sample_value(name, labels)


def test_in_progress(metrics: Metrics, slots: Slots) -> None:
    """A request is in progress from its start to its end."""
    progress = []
    for step in (metrics.started, metrics.started, lambda: metrics.finished(exchange())):
        step()
        progress.append(slots.requests_in_progress())
    assert [1, 2, 1] == progress


def test_without_a_slot(slots: Slots) -> None:
    """Outside of a worker a request is counted, and in progress for nobody."""
    metrics = Metrics(slots)
    metrics.started()
    assert 0 == slots.requests_in_progress()
    metrics.finished(exchange(status=200))
    assert 1 == value(metrics, COUNT, method="POST", route="/", status="200")


@pytest.mark.parametrize(
    ("method", "label"),
    [("GET", "GET"), ("CONNECT", "CONNECT"), ("BREW", "_OTHER"), ("get", "_OTHER"), ("", "_OTHER")],
)
def test_labels(metrics: Metrics, method: str, label: str) -> None:
    """A method outside of the standard ones is `_OTHER`; route and status are those of the measuring point."""
    metrics.finished(exchange(method=method, route=UNMATCHED, status=404))
    assert 1 == value(metrics, COUNT, method=label, route="unmatched", status="404")


def test_an_edge_lies_on_the_objective(metrics: Metrics) -> None:
    """A request of exactly 25 ms has met the objective, and one that took a bit longer has not."""
    assert 0.025 in SECONDS
    for duration in (0.025, 0.025000001):
        metrics.finished(exchange(status=200, duration=duration))
    labels = {"method": "POST", "route": "/", "status": "200"}
    assert 1 == value(metrics, "http_request_duration_seconds_bucket", le="0.025", **labels)
    assert 2 == value(metrics, "http_request_duration_seconds_bucket", le="0.05", **labels)
    assert value(metrics, "http_request_duration_seconds_sum", **labels) == pytest.approx(0.050000001)


@pytest.mark.parametrize("outcome", ["ok", "too_large", *OUTCOMES.values()])
def test_outcome_of_a_sum(metrics: Metrics, outcome: str) -> None:
    """A request for a sum has one outcome, and a size."""
    metrics.finished(exchange(outcome=outcome, request_bytes=20))
    assert 1 == value(metrics, "sum_requests_total", outcome=outcome)
    assert (1, 20) == (value(metrics, "sum_body_bytes_count"), value(metrics, "sum_body_bytes_sum"))
    assert 0 == value(metrics, "sum_numbers_count")


@pytest.mark.parametrize("numbers", [0, 3, 1_000_000])
def test_numbers_of_a_sum(metrics: Metrics, numbers: int) -> None:
    """How many numbers have been added is counted, no number included."""
    metrics.finished(exchange(outcome="ok", numbers=numbers))
    assert (1, numbers) == (value(metrics, "sum_numbers_count"), value(metrics, "sum_numbers_sum"))


def test_what_is_no_sum(metrics: Metrics) -> None:
    """A request for something else is none of the sums."""
    metrics.finished(exchange(method="GET", route="/healthz", status=200))
    assert 0 == value(metrics, "sum_body_bytes_count")
    assert {0.0} == {value(metrics, "sum_requests_total", outcome=o) for o in ("ok", "too_large", *OUTCOMES.values())}


@pytest.mark.parametrize("status", REJECTIONS)
def test_rejected(metrics: Metrics, status: int) -> None:
    """What the server has refused is counted apart from what the application has answered."""
    metrics.rejected(exchange(status=status))
    assert 1 == value(metrics, "http_requests_rejected_total", status=str(status))
    assert value(metrics, COUNT, method="POST", route="/", status=str(status)) is None


@pytest.mark.parametrize("reason", EXITS)
def test_worker_exited(metrics: Metrics, reason: str) -> None:
    """A worker that has ended is counted by the reason, and the other reasons stay at 0."""
    metrics.worker_exited(reason)
    counts = {other: value(metrics, "gunicorn_worker_exits_total", reason=other) for other in EXITS}
    assert {other: float(other == reason) for other in EXITS} == counts


@pytest.fixture
def app(metrics: Metrics, make_settings: Callable[..., Settings]) -> Flask:
    """Make the application with its metrics."""
    app = create_app(make_settings(), Readiness(), [metrics])
    metrics.init_app(app)
    return app


def test_extension(app: Flask, metrics: Metrics) -> None:
    """The extension is bound to the application, and serves nothing there."""
    assert metrics.extension is app.extensions["metrics"]
    assert 404 == app.test_client().get("/metrics").status_code


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/"),
        ("GET", "/"),
        ("PUT", "/"),
        ("BREW", "/"),
        ("GET", "/healthz"),
        ("HEAD", "/healthz"),
        ("GET", "/readyz"),
        ("GET", "/version"),
        ("GET", "/openapi.json"),
        ("BREW", "/openapi.json"),
        ("GET", "/nowhere"),
        ("DELETE", "/nowhere"),
        ("BREW", "/nowhere"),
    ],
)
def test_known_series_are_kept(app: Flask, monkeypatch: pytest.MonkeyPatch, method: str, path: str) -> None:
    """Whatever is known in advance has its series before its first request, which then makes no new one."""

    def labels(*_: object) -> None:
        raise AssertionError("a series was looked up")

    monkeypatch.setattr(prometheus_client.Histogram, "labels", labels)
    app.test_client().open(path, method=method)


def test_known_series_stand_at_0(app: Flask, metrics: Metrics) -> None:
    """Before the first request every count is there, at 0."""
    assert "sums.sum_numbers" in app.view_functions
    counts = [
        sample.value
        for family in metrics.extension.registry.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    ]
    assert {0.0} == set(counts)
    assert 0 == value(metrics, COUNT, method="GET", route="/readyz", status="503")


def test_dropped_lines_are_counted(metrics: Metrics) -> None:
    """Each log line that nobody takes counts, and there is a 0 before the first."""
    values = []
    for _ in range(2):
        values.append(value(metrics, "log_lines_dropped_total"))
        metrics.line_dropped()
    assert [0, 1] == values
