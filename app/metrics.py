"""The metrics of the service, as Prometheus reads them."""

from collections.abc import Iterable
from http import HTTPStatus

from flask import Flask
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_flask_exporter import PrometheusMetrics

from app.exchange import UNMATCHED, Exchange
from app.slots import REQUESTS, Slots
from app.sums import OUTCOMES

METHODS = ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
OTHER_METHOD = "_OTHER"

# The objective of latency is 25 ms for 99 of 100 sums: an edge exactly there makes the share exact.
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
NUMBERS = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)
BYTES = (100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)

REJECTIONS = (400, 408, 414, 431, 500, 503)
EXITS = ("stopped", "timeout", "crashed")


class Metrics:
    """Counts what the measuring point observes; an observer of it."""

    def __init__(self, slots: Slots) -> None:
        # The extension serves nothing here and measures nothing by itself: its own measuring misses what never reaches
        # a view, labels by raw path, and would count twice. Views can still use its decorators.
        self.extension = PrometheusMetrics.for_app_factory(
            path=None, export_defaults=False, registry=CollectorRegistry()
        )
        registry = self.extension.registry
        self._slots = slots
        self.slot: int | None = None
        self._durations = Histogram(
            "http_request_duration_seconds",
            "Time from the server's hand-over of a request until its response is closed.",
            ["method", "route", "status"],
            buckets=SECONDS,
            registry=registry,
        )
        self._duration: dict[tuple[str, str, int], Histogram] = {}
        self._rejected = Counter(
            "http_requests_rejected",
            "Requests that the HTTP server has refused before the application saw them.",
            ["status"],
            registry=registry,
        )
        for status in REJECTIONS:
            self._rejected.labels(str(status))
        sums = Counter("sum_requests", "Requests for a sum.", ["outcome"], registry=registry)
        self._sum = {outcome: sums.labels(outcome) for outcome in ("ok", "too_large", *OUTCOMES.values())}
        self._numbers = Histogram("sum_numbers", "Numbers added by a request.", buckets=NUMBERS, registry=registry)
        self._bytes = Histogram("sum_body_bytes", "Size of a request's body.", buckets=BYTES, registry=registry)
        exits = Counter("gunicorn_worker_exits", "Workers that have ended.", ["reason"], registry=registry)
        self._dropped = Counter("log_lines_dropped", "Log lines that standard output did not take.", registry=registry)
        self._exit = {reason: exits.labels(reason) for reason in EXITS}

    def init_app(self, app: Flask) -> None:
        """Bind the extension to the application, and make the series that are known in advance exist at 0."""
        self.extension.init_app(app)
        app.extensions["metrics"] = self.extension
        for series in _known_series(app):
            self._duration_of(*series)

    def started(self) -> None:
        """Count a request as in progress."""
        if self.slot is not None:
            self._slots.count(self.slot, REQUESTS, 1)

    def finished(self, exchange: Exchange) -> None:
        """Count a request that the application has answered."""
        try:
            self._count(exchange)
        finally:  # And not before: a worker that is killed meanwhile has left a count undone.
            if self.slot is not None:
                self._slots.count(self.slot, REQUESTS, -1)

    def _count(self, exchange: Exchange) -> None:
        self._duration_of(exchange.method, exchange.route, exchange.status).observe(exchange.duration)
        if exchange.outcome is not None:
            self._sum[exchange.outcome].inc()
            self._bytes.observe(exchange.request_bytes)
        if exchange.numbers is not None:
            self._numbers.observe(exchange.numbers)

    def rejected(self, exchange: Exchange) -> None:
        """Count a request that the HTTP server has refused."""
        self._rejected.labels(str(exchange.status)).inc()

    def warm_up(self) -> None:
        """Open the files of this process now: it takes 15 ms, which the first request would wait for."""
        self._sum["ok"].inc(0)

    def worker_exited(self, reason: str) -> None:
        """Count a worker that has ended."""
        self._exit[reason].inc()

    def line_dropped(self) -> None:
        """Count a log line that nobody will read."""
        self._dropped.inc()

    def _duration_of(self, method: str, route: str, status: int) -> Histogram:
        series = (method if method in METHODS else OTHER_METHOD, route, status)
        child = self._duration.get(series)
        if child is None:
            child = self._duration[series] = self._durations.labels(*series)
        return child


def _known_series(app: Flask) -> Iterable[tuple[str, str, int]]:
    for method in (*METHODS, OTHER_METHOD):
        yield method, UNMATCHED, HTTPStatus.NOT_FOUND
        if method != "POST":
            yield method, "/", HTTPStatus.METHOD_NOT_ALLOWED
    for rule in app.url_map.iter_rules():
        yield OTHER_METHOD, rule.rule, HTTPStatus.METHOD_NOT_ALLOWED
        for method in rule.methods or ():
            yield method, rule.rule, HTTPStatus.OK
    for status in (400, 413, 415, 422, 500):
        yield "POST", "/", status
    yield "GET", "/readyz", HTTPStatus.SERVICE_UNAVAILABLE
