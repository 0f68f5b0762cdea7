"""The metrics of any such service: which series there are, and what counts in them."""

import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import prometheus_client
import pytest
from flask import Flask
from prometheus_client import REGISTRY

from app import create_app
from app.observability import metrics
from app.observability.request_record import UNMATCHED, RequestRecord
from app.settings import Settings
from tests.support import example

if TYPE_CHECKING:
    from tests.support.log_lines import Lines

NAME = "http_request_duration_seconds"

# Prints how many samples an application with a hundred routes has before its first request.
HUNDRED_ROUTES = """
import os, tempfile
from app.observability.metric_files import MetricFiles
files = MetricFiles(__import__("pathlib").Path(tempfile.mkdtemp()))
from app import create_app
from app.observability import metrics
app = create_app()
for number in range(100):
    app.add_url_rule(f"/route-{number}", f"view-{number}", lambda: "")
metrics.init_app(app, ())
print(sum(len(metric.samples) for metric in files.collect()))
files.remove()
"""


def record(**members: object) -> RequestRecord:
    """Describe a request."""
    record = RequestRecord("id", "POST", "/", "127.0.0.1", None, None, 0.0, route="/", status=200, duration=0.001)
    for name, value in members.items():
        setattr(record, name, value)
    return record


def value(name: str, **labels: str) -> float:
    """Read a sample; one that is missing is 0."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.mark.parametrize(
    ("method", "label"),
    [("GET", "GET"), ("CONNECT", "CONNECT"), ("BREW", "_OTHER"), ("get", "_OTHER"), (None, "_OTHER")],
)
def test_labels(method: str | None, label: str) -> None:
    """A method outside of the standard ones is `_OTHER`; route and status are those of the record."""
    labels = {"method": label, "route": "unmatched", "status": "404"}
    before = value(f"{NAME}_count", **labels)
    metrics.observe(record(method=method, route=UNMATCHED, status=404))
    assert before + 1 == value(f"{NAME}_count", **labels)


def test_an_edge_lies_on_the_objective() -> None:
    """A request of exactly 25 ms has met the objective, and one that took a bit longer has not."""
    labels = {"method": "POST", "route": "/edge", "status": "200"}
    for duration in (0.025, 0.025000001):
        metrics.observe(record(route="/edge", duration=duration))
    assert 1 == value(f"{NAME}_bucket", le="0.025", **labels)
    assert 2 == value(f"{NAME}_bucket", le="0.05", **labels)
    assert value(f"{NAME}_sum", **labels) == pytest.approx(0.050000001)


@pytest.mark.parametrize("members", [{"is_tracked": False}, {"duration": None}])
def test_what_is_not_counted(members: dict[str, object]) -> None:
    """A request that wants no metric, or that never reached the application, has no series."""
    metrics.observe(record(route="/untracked", **members))
    assert (
        REGISTRY.get_sample_value(f"{NAME}_count", {"method": "POST", "route": "/untracked", "status": "200"}) is None
    )


@pytest.mark.parametrize("status", metrics.REJECTIONS)
def test_rejections(status: int) -> None:
    """What the server has rejected is counted apart from what the application has answered; the series are known."""
    before = REGISTRY.get_sample_value("http_requests_rejected_total", {"status": str(status)})
    assert before is not None
    metrics.count_rejection(record(status=status, route=None, duration=None))
    assert before + 1 == value("http_requests_rejected_total", status=str(status))


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("log_lines_dropped_total", {}),
        *(("gunicorn_worker_exits_total", {"reason": reason}) for reason in metrics.EXITS),
    ],
)
def test_counters_of_the_server(name: str, labels: dict[str, str]) -> None:
    """The counters that the server counts with are there before the first event."""
    assert REGISTRY.get_sample_value(name, labels) is not None


@pytest.fixture
def app(log_lines: "Lines", make_settings: Callable[..., Settings]) -> Flask:  # noqa: ARG001 - before the application
    """Make the application with its metrics."""
    return create_app(make_settings())


@pytest.mark.parametrize(
    ("method", "path"),
    [
        (example.METHOD, example.ROUTE),
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("GET", "/version"),
        ("GET", "/openapi.json"),
        ("GET", "/nowhere"),
    ],
)
def test_known_series_are_kept(app: Flask, monkeypatch: pytest.MonkeyPatch, method: str, path: str) -> None:
    """What is known in advance has its series before its first request, which then makes no new one."""

    def labels(*_: object) -> None:
        raise AssertionError("a series was looked up")

    monkeypatch.setattr(prometheus_client.Histogram, "labels", labels)
    app.test_client().open(path, method=method, buffered=True)


def test_known_series_have_few_samples() -> None:
    """A hundred routes more cost less than 2,000 samples in all."""
    script = [sys.executable, "-c", HUNDRED_ROUTES]
    samples = int(subprocess.run(script, capture_output=True, text=True, check=True).stdout)
    assert 1500 < samples < 2000
