"""The pipeline: samplers, headers, compression, and the end."""

import logging
import logging.config
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from opentelemetry import trace
from prometheus_client import REGISTRY

from app.observability.otel.span_pipeline import SpanPipeline
from app.observability.trace_settings import TraceSettings
from tests.support.collector import LATE, Answer, Collector

if TYPE_CHECKING:
    from tests.support.log_lines import Lines

Make = Callable[..., tuple[SpanPipeline, trace.Tracer]]


@pytest.fixture
def make(collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Make a pipeline to the collector, with these variables."""
    providers: list[trace.TracerProvider] = []
    monkeypatch.setattr(trace, "set_tracer_provider", providers.append)

    def make(**variables: str) -> tuple[SpanPipeline, trace.Tracer]:
        settings = TraceSettings.from_environ({"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint} | variables)
        assert settings is not None
        pipeline = SpanPipeline(settings, tmp_path)
        return pipeline, providers[-1].get_tracer("tested")

    return make


@pytest.mark.parametrize(
    ("sampler", "expected"),
    [
        ("parentbased_always_on", ["root", "sampled"]),
        ("parentbased_always_off", ["sampled"]),
        ("parentbased_traceidratio", ["sampled"]),
        ("always_on", ["root", "sampled", "unsampled"]),
        ("always_off", []),
        ("traceidratio", []),
    ],
)
def test_samplers(make: Make, collector: Collector, sampler: str, expected: list[str]) -> None:
    """Each sampler leaves out what it should, of traces that begin here and of those of callers."""
    pipeline, tracer = make(OTEL_TRACES_SAMPLER=sampler, OTEL_TRACES_SAMPLER_ARG="0")
    tracer.start_span("root").end()
    for name, flags in (("sampled", 1), ("unsampled", 0)):
        caller = trace.SpanContext(1, 1, is_remote=True, trace_flags=trace.TraceFlags(flags))
        tracer.start_span(name, trace.set_span_in_context(trace.NonRecordingSpan(caller))).end()
    pipeline.stop(20.0)
    assert expected == [span.name for span in collector.spans]


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_what_is_sent(make: Make, collector: Collector, compression: str) -> None:
    """Headers, compression and resource are those of the settings."""
    pipeline, tracer = make(
        OTEL_EXPORTER_OTLP_HEADERS="api-key=general",
        OTEL_EXPORTER_OTLP_TRACES_HEADERS="api-key=a%20b",
        OTEL_EXPORTER_OTLP_COMPRESSION=compression,
        OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test",
        OTEL_SERVICE_NAME="shop",
    )
    tracer.start_span("a").end()
    pipeline.stop(20.0)
    (headers,), (resource,) = collector.received, collector.resources
    assert ("a b", {"none": None, "gzip": "gzip"}[compression]) == (headers["api-key"], headers.get("content-encoding"))
    assert {"service.name": "shop", "deployment.environment.name": "test"}.items() <= resource.items()


def test_the_end_does_not_wait_for_long(make: Make, collector: Collector) -> None:
    """A collector that does not answer holds the stop up for no longer than it may; what is left is counted."""
    collector.default = LATE
    before = REGISTRY.get_sample_value("otel_spans_dropped_total") or 0.0
    pipeline, tracer = make()
    tracer.start_span("a").end()
    pipeline.stop(0.01)
    assert before + 1 == REGISTRY.get_sample_value("otel_spans_dropped_total")
    # Its thread goes on, and must not count what has been counted.
    pipeline.queue.settle(1, "refused")
    assert before + 1 == REGISTRY.get_sample_value("otel_spans_dropped_total")


def test_the_end_tells_why_each_was_dropped(make: Make, collector: Collector, log_lines: "Lines") -> None:
    """Spans that were refused since the last line are not said to be unsent."""
    collector.default = LATE
    pipeline, tracer = make()
    for reason in ("first", "refused"):
        pipeline.queue.unsent += 1
        pipeline.queue.settle(1, reason)
    tracer.start_span("a").end()
    pipeline.stop(0.01)
    expected = ["first", "refused", "the worker has stopped before they were sent"]
    assert expected == [line["reason"] for line in log_lines.json if line["event"] == "spans dropped"]


def test_a_reset_is_tried_again(make: Make, collector: Collector) -> None:
    """A connection that the collector resets is made anew."""
    collector.answers = [Answer(resets=True)]
    pipeline, tracer = make()
    tracer.start_span("a").end()
    pipeline.stop(20.0)
    assert (["a"], 2) == ([span.name for span in collector.spans], len(collector.received))


def test_a_redirect_is_no_success(make: Make, collector: Collector, log_lines: "Lines") -> None:
    """Spans sent to a port that wants HTTPS, or a login, are dropped, and the line says where it points."""
    collector.default = Answer(307, {"Location": "https://collector/"})
    pipeline, tracer = make()
    tracer.start_span("a").end()
    pipeline.stop(20.0)
    reason = "Failed to export spans batch code: None, reason: 307 Temporary Redirect, redirected to https://collector/"
    assert [(1, reason)] == [(line["spans"], line["reason"]) for line in log_lines.json if "spans" in line]


def test_an_application_that_disables_loggers(
    make: Make, collector: Collector, log_lines: "Lines", monkeypatch: pytest.MonkeyPatch
) -> None:
    """dictConfig() does so by default; the reason for dropped spans is still known."""
    for other in map(logging.getLogger, logging.root.manager.loggerDict):
        monkeypatch.setattr(other, "disabled", other.disabled)  # Enabled again after the test.
    monkeypatch.setattr(logging.root, "level", logging.root.level)
    logging.config.dictConfig({"version": 1, "root": {"level": "CRITICAL"}})
    collector.default = Answer(400)
    pipeline, tracer = make()
    tracer.start_span("a").end()
    pipeline.stop(20.0)
    reason = "Failed to export spans batch code: 400, reason: Bad Request"
    assert [(1, reason)] == [(line["spans"], line["reason"]) for line in log_lines.json if "spans" in line]
