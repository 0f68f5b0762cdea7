"""Traces: a span of each request arrives at a collector and says what its log line says, or is counted as dropped."""

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from app.observability import trace_settings
from tests.support import example
from tests.support.checks import head
from tests.support.collector import LATE, RESET, Answer, Collector, attributes, collecting
from tests.support.http_client import exchange, get
from tests.support.load import Load, check_agreement
from tests.support.scraping import scrape
from tests.support.service import GUNICORN, PROGRAM, Service, free_ports, running, wait_until, wait_until_workers

if TYPE_CHECKING:
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

NAME = f"{example.METHOD} {example.ROUTE}"
DROPPED = "otel_spans_dropped_total"
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
BAD_SETTINGS = [
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "grpc://collector:4317"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "a password"),
    ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a password"),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", "10000"),
    ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "0"),
    ("OTEL_EXPORTER_OTLP_COMPRESSION", "zip"),
    ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "deflate"),
    ("OTEL_SERVICE_NAME", "a\nb"),
    ("OTEL_RESOURCE_ATTRIBUTES", "production"),
    ("OTEL_TRACES_SAMPLER", "some"),
    ("OTEL_TRACES_SAMPLER_ARG", "2"),
    ("OTEL_TRACES_EXPORTER", "console"),
    ("OTEL_SDK_DISABLED", "maybe"),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
    ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
]
COMMANDS = {
    "python app/app.py": PROGRAM,
    "gunicorn": GUNICORN,
    "gunicorn -k gthread": (*GUNICORN, "-k", "gthread", "--threads", "4"),
    "gunicorn -k sync": (*GUNICORN, "-k", "sync"),
}


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Run a collector."""
    with collecting() as collector:
        yield collector


@pytest.fixture
def without_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let services find no package of OpenTelemetry, as if none were installed."""
    (tmp_path / "opentelemetry.py").write_text("raise ModuleNotFoundError('opentelemetry')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def ids_of_span(span: "Span") -> tuple[str, str]:
    """Return the ids of a span as the log writes them."""
    return span.trace_id.hex(), span.span_id.hex()


def ids_of_line(line: dict[str, Any]) -> tuple[str, str]:
    """Return the ids of a line."""
    return line["trace_id"], line["span_id"]


def told_by_span(span: "Span") -> tuple[Any, ...]:
    """Return what the span of a request tells."""
    told = attributes(span)
    names = ("http.response.status_code", "url.path", "http.route", "client.address")
    milliseconds = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6
    return (*map(told.get, names), milliseconds)


def told_by_line(line: dict[str, Any]) -> tuple[Any, ...]:
    """Return what the line of a request tells."""
    route = None if line["route"] == "unmatched" else line["route"]
    return line["status"], line["path"], route, line["client"], pytest.approx(line["duration_ms"], abs=0.001)


def check_spans(service: Service, collector: Collector, *, but_for: frozenset[int] = frozenset()) -> None:
    """Hold the spans of a service that has ended against its lines; those of processes that were killed may be gone."""
    spans = {ids_of_span(span): told_by_span(span) for span in collector.spans}
    lines = {ids_of_line(line): line for line in service.requests()}
    assert len(collector.spans) == len(spans)
    assert {} == {ids: line for ids, line in lines.items() if ids not in spans and line["pid"] not in but_for}
    assert but_for or spans.keys() == lines.keys()
    told = {ids: told_by_line(line) for ids, line in lines.items() if ids in spans}
    assert told == {ids: spans[ids] for ids in told}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_each_request_has_a_span(output: Path, collector: Collector, command: tuple[str | Path, ...]) -> None:
    """Whichever way of serving is taken, each request has one span, which says what its line says."""
    traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "LOG_LEVEL": "debug"}
    with running(output, program=command, **traced) as service:
        for _ in range(10):
            assert example.ANSWER == exchange(service.port, example.REQUEST).body
        assert 404 == get(service.port, "/nowhere").status
        assert (
            405 == exchange(service.port, head(f"{example.WRONG_METHOD} {example.ROUTE} HTTP/1.1", "Host: test")).status
        )
        assert service.stop() == 0
    assert len(service.requests()) >= 13
    check_spans(service, collector)


@pytest.mark.measured
def test_what_a_span_tells(output: Path, collector: Collector) -> None:
    """Spans follow the conventions for HTTP; a rejected request has one as well, and a view's own are its children."""
    traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}
    with running(output, arguments=[], **traced, LOG_LEVEL="debug", THREADS=2, WEB_CONCURRENCY=1) as service:
        exchange(
            service.port, head("GET /nested HTTP/1.1", "Host: a", f"traceparent: {TRACEPARENT}", "tracestate: a=1")
        )
        exchange(service.port, head("GET /fail HTTP/1.1", "Host: a"))
        exchange(service.port, head("BREW / HTTP/1.1", "Host: a"))
        assert service.stop() == 0
    named = {span.name: span for span in collector.spans}
    parent, child, failed, rejected = (named[name] for name in ("GET /nested", "nested", "GET /fail", "HTTP"))
    assert ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "a=1") == (
        parent.trace_id.hex(),
        parent.parent_span_id.hex(),
        parent.trace_state,
    )
    assert (parent.trace_id, parent.span_id) == (child.trace_id, child.parent_span_id)
    (line,) = [line for line in service.lines() if line["event"] == "nested"]
    assert (ids_of_span(parent), child.span_id.hex()) == (ids_of_line(line), line["child"])
    assert (500, "RuntimeError", "/fail") == tuple(
        attributes(failed)[name] for name in ("http.response.status_code", "error.type", "http.route")
    )
    assert (501, "_OTHER", "BREW") == tuple(
        attributes(rejected)[name]
        for name in ("http.response.status_code", "http.request.method", "http.request.method_original")
    )
    assert {"gzip"} == {headers["content-encoding"] for headers in collector.received}
    collector.spans.remove(child)
    check_spans(service, collector)


def test_spans_lines_and_counts_agree(output: Path, collector: Collector) -> None:
    """With kills and reloads under load, a thousand requests and more have their line, count and span."""
    killed: set[int] = set()
    with running(output, OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint, LOG_LEVEL="debug") as service:
        load = Load(service.port, clients=8)
        with load.running():
            for number in range(1, 7):
                wait_until(lambda: len(load.answers) >= number * 200, "requests are answered")  # noqa: B023
                workers = wait_until_workers(service, 2)
                if number % 2:
                    victim = random.choice(sorted(workers))  # noqa: S311 - no secret
                    killed.add(victim)
                    os.kill(victim, signal.SIGKILL)
                    wait_until_workers(service, 2, other_than={victim})
                else:
                    service.signal(signal.SIGHUP)
                    wait_until_workers(service, 2, other_than=workers)
        lines, _ = check_agreement(service, load)
        assert lines >= 1000
        assert service.stop() == 0
    check_spans(service, collector, but_for=frozenset(killed))
    assert len(collector.spans) >= 1000


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([Answer(429, {"Retry-After": "1"})], id="too many requests"),
        pytest.param([Answer(503, {"Retry-After": "0"})], id="unavailable"),
        pytest.param([Answer(503)], id="unavailable, for it does not say how long"),
        pytest.param([RESET, RESET], id="reset"),
    ],
)
def test_a_collector_that_recovers_gets_all_spans(output: Path, collector: Collector, answers: list[Answer]) -> None:
    """Spans that a collector does not take at first are sent again, and none is dropped."""
    collector.answers = list(answers)
    with running(
        output, OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint, LOG_LEVEL="debug", WEB_CONCURRENCY=1
    ) as service:
        assert example.ANSWER == exchange(service.port, example.REQUEST).body
        wait_until(lambda: NAME in {span.name for span in collector.spans}, "the span arrives")
        assert 0 == scrape(service).samples[DROPPED]
        assert service.stop() == 0
    assert len(collector.received) > len(answers)
    check_spans(service, collector)


def test_a_collector_that_rejects(output: Path, collector: Collector) -> None:
    """Spans that a collector does not want are counted, and one line of all workers says why."""
    collector.default = Answer(400)
    with running(output, OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint) as service:
        for number in range(1, 4):
            assert example.ANSWER == exchange(service.port, example.REQUEST).body
            wait_until(lambda: scrape(service).samples[DROPPED] > number, "the span is dropped")  # noqa: B023
        dropped = scrape(service).samples[DROPPED]
        assert 1 == len(drop_lines(service))
        assert service.stop() == 0
    lines = drop_lines(service)
    assert {"Failed to export spans batch code: 400, reason: Bad Request"} == {line["reason"] for line in lines}
    assert {"warning"} == {line["level"] for line in lines}
    assert dropped <= sum(line["spans"] for line in lines)  # More spans are dropped during the stop.


def drop_lines(service: Service) -> list[dict[str, Any]]:
    """Take the lines that tell of dropped spans."""
    return [line for line in service.lines() if line["event"] == "spans dropped"]


@pytest.mark.parametrize("fault", ["down", "late"])
def test_a_collector_that_does_not_answer(output: Path, collector: Collector, fault: str) -> None:
    """More requests than the queue has room for are answered, logged and counted; the stop waits for no collector."""
    collector.default = LATE
    endpoint = f"http://127.0.0.1:{free_ports(1)[0]}" if fault == "down" else collector.endpoint
    with running(output, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, WEB_CONCURRENCY=1) as service:
        load = Load(service.port, clients=8)
        with load.running():
            wait_until(lambda: scrape(service).samples[DROPPED] > 0, "spans are dropped")
        assert {200} == set(load.answers.values())
        check_agreement(service, load)
        assert 1 == len(drop_lines(service))
        dropped = scrape(service).samples[DROPPED]
        begun = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - begun < 8
    assert "the worker has stopped before they were sent" == drop_lines(service)[-1]["reason"]
    assert dropped <= sum(line["spans"] for line in drop_lines(service))
    assert [] == collector.spans
    assert [] == [line for line in service.lines() if line["level"] in {"error", "critical"}]


@pytest.mark.parametrize(("variable", "value"), BAD_SETTINGS)
def test_a_bad_setting_stops_the_start(variable: str, value: str, output: Path) -> None:
    """A bad value is told in one line as for other settings, with exit status 78."""
    status, line = Service(output, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", variable: value}).refusal()
    assert 78 == status
    assert ("critical", variable) == (line["level"], line["variable"])
    shown = "(not shown)" if "HEADERS" in variable else value
    assert line["event"].startswith(f"bad setting: {variable} is {shown!r}, but must be ")


def test_every_setting_has_a_bad_value_here() -> None:
    """The table above misses no setting."""
    assert set(trace_settings.VARIABLES) == {variable for variable, _ in BAD_SETTINGS}


@pytest.mark.usefixtures("without_packages")
def test_without_the_packages(output: Path) -> None:
    """The service needs no package of OpenTelemetry, nor where its variables ask for no traces."""
    for variables in (
        {},
        {"OTEL_SERVICE_NAME": "a"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:1", "OTEL_SDK_DISABLED": "true"},
    ):
        with running(output, **variables) as service:
            assert example.ANSWER == exchange(service.port, example.REQUEST).body


@pytest.mark.usefixtures("without_packages")
def test_asked_for_without_the_packages(output: Path) -> None:
    """Where traces are asked for and the packages are missing, the start ends with 78 and says how to install them."""
    status, line = Service(output, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}).refusal()
    assert 78 == status
    assert ("critical", "OTEL_EXPORTER_OTLP_ENDPOINT") == (line["level"], line["variable"])
    assert "make run OTEL=1" in line["event"]
