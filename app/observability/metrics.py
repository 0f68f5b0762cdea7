"""The metrics of any such service. A package adds its own as module-level objects, as client_python documents."""

from collections.abc import Iterable

from flask import Flask
from prometheus_client import Counter, Histogram
from prometheus_flask_exporter import PrometheusMetrics

from app.observability.request_record import UNMATCHED, RequestRecord

METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
OTHER_METHOD = "_OTHER"

# The latency objective is 25 ms for 99 of 100 requests: a bucket boundary exactly there makes the share exact.
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

# 499 is nginx's: the client has left while its request waited. 500: what is around the application has failed.
REJECTIONS = (400, 408, 413, 414, 431, 499, 500, 501, 503)
EXITS = ("stopped", "timeout", "crashed")

# The extension neither serves nor measures here: its own measurement misses requests that never reach a view, labels by
# raw path, and would count twice. Views use its decorators.
metrics = PrometheusMetrics.for_app_factory(path=None, export_defaults=False)

request_seconds = Histogram(
    "http_request_duration_seconds",
    "Time from the arrival of a request until its response is closed.",
    ["method", "route", "status"],
    buckets=SECONDS,
)
rejections = Counter(
    "http_requests_rejected",
    "Requests that the HTTP server has rejected, or that failed around the application.",
    ["status"],
)
lines_dropped = Counter("log_lines_dropped", "Log lines that standard output did not take.")
spans_dropped = Counter("otel_spans_dropped", "Spans that did not get to the collector.")
worker_exits = Counter("gunicorn_worker_exits", "Workers that have ended.", ["reason"])

for _status in REJECTIONS:
    rejections.labels(str(_status))
for _reason in EXITS:
    worker_exits.labels(_reason)

# labels() takes a lock and converts its arguments to strings on every call.
_series: dict[tuple[str | None, str | None, int], Histogram] = {}


def init_app(app: Flask, documented: Iterable[tuple[str, str, int]]) -> None:
    """Bind the extension, and create the series known in advance at 0: those of the URL rules, and `documented`.

    `documented` lists further series: method, rule and status.
    """
    metrics.init_app(app)
    _duration_of("GET", UNMATCHED, 404)
    for rule in app.url_map.iter_rules():
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            _duration_of(method, rule.rule, 200)
    for series in documented:
        _duration_of(*series)


def observe(record: RequestRecord) -> None:
    """Count a request that the application has answered."""
    if record.is_tracked and record.duration is not None:
        _duration_of(record.method, record.route, record.status).observe(record.duration)


def count_rejection(record: RequestRecord) -> None:
    """Count a request that the HTTP server has rejected."""
    rejections.labels(str(record.status)).inc()


def _duration_of(method: str | None, route: str | None, status: int) -> Histogram:
    series = (method if method in METHODS else OTHER_METHOD, route, status)
    child = _series.get(series)
    if child is None:
        child = _series[series] = request_seconds.labels(*series)
    return child
