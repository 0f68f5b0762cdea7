"""The queue of spans: what is sent, what is dropped, and why."""

import logging
from collections.abc import Sequence
from threading import Event

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from app.observability.otel import span_queue
from app.observability.otel.span_queue import SpanQueue
from tests.support.collector import Answer, Collector

LIMIT_SECONDS = 20.0


class Drops:
    """Notes what is dropped."""

    def __init__(self) -> None:
        self.added: list[tuple[int, str]] = []

    def add(self, spans: int, reason: str) -> None:
        """Note it."""
        self.added.append((spans, reason))


class HeldExporter(SpanExporter):
    """Takes batches, once it is told to."""

    def __init__(self) -> None:
        self.is_held = Event()
        self.goes_on = Event()
        self.names: list[str] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Wait, and take a batch."""
        self.is_held.set()
        assert self.goes_on.wait(LIMIT_SECONDS)
        self.names += [span.name for span in spans]
        return SpanExportResult.SUCCESS


def test_a_full_queue_drops(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a batch does not get away the queue takes what fits, and what does not is dropped: no request waits."""
    monkeypatch.setattr(span_queue, "QUEUED_SPANS", 4)
    monkeypatch.setattr(span_queue, "BATCH_SPANS", 2)
    exporter, drops = HeldExporter(), Drops()
    queue = SpanQueue(exporter, Resource({}), drops)  # type: ignore[arg-type]
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(queue)
    tracer = provider.get_tracer("tested")
    for number in range(2):
        tracer.start_span(str(number)).end()
    assert exporter.is_held.wait(LIMIT_SECONDS)
    for number in range(2, 7):
        tracer.start_span(str(number)).end()
    assert ([(1, "the queue is full")] * 3, 4) == (drops.added, queue.unsent)
    exporter.goes_on.set()
    provider.shutdown()
    assert (["0", "1", "2", "3"], 0) == (exporter.names, queue.unsent)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([Answer(200)], []),
        ([Answer(400)], [(1, "Failed to export spans batch code: 400, reason: Bad Request")]),
        ([Answer(503, {"Retry-After": "0"}), Answer(200)], []),
        (
            [Answer(429, {"Retry-After": "600"})],
            [(1, "Failed to export spans batch due to timeout, max retries or shutdown.")],
        ),
    ],
)
def test_failures_are_told(collector: Collector, answers: list[Answer], expected: list[tuple[int, str]]) -> None:
    """A batch that does not get through is dropped, with what the exporter says of it; one that does later is not."""
    collector.answers = answers
    drops = Drops()
    queue = SpanQueue(OTLPSpanExporter(f"{collector.endpoint}/v1/traces"), Resource({}), drops)  # type: ignore[arg-type]
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(queue)
    provider.get_tracer("tested").start_span("a").end()
    provider.shutdown()
    assert (expected, 0) == (drops.added, queue.unsent)
    assert not logging.getLogger("opentelemetry.exporter").propagate
