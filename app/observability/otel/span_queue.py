"""The queue of spans for the collector: a thread sends them in batches, and a full queue drops further spans."""

import logging
from collections.abc import Sequence
from threading import Lock

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from app.observability.otel.request_span import RequestSpan
from app.observability.otel.span_drops import SpanDrops
from app.version import __version__

# The values of OpenTelemetry's specification, except for the interval, which is 5 s there: a killed worker loses the
# spans of one second.
QUEUED_SPANS = 2048
BATCH_SPANS = 512
INTERVAL_MILLISECONDS = 1000

SCOPE = InstrumentationScope("app.observability.otel", __version__)
QUEUE_FULL = "the queue is full"


class SpanQueue(BatchSpanProcessor):
    """The SDK's batch processor, extended to count dropped spans; by itself it logs a line for each span.

    `unsent` is the number of spans in the queue and in the batch being sent.
    """

    def __init__(self, exporter: SpanExporter, resource: Resource, drops: SpanDrops) -> None:
        super().__init__(_Batches(self, exporter, resource), QUEUED_SPANS, INTERVAL_MILLISECONDS, BATCH_SPANS)
        self._drops = drops
        self._lock = Lock()
        self.unsent = 0
        self._is_over = False

    def on_end(self, span: ReadableSpan | RequestSpan) -> None:
        """Queue a span, or drop it if there is no room."""
        with self._lock:
            has_room = self.unsent < QUEUED_SPANS
            self.unsent += has_room
        if has_room:
            super().on_end(span)  # type: ignore[arg-type] # It only reads the context; _Batches does the rest.
        else:
            self._drops.add(1, QUEUE_FULL)

    def give_up(self) -> int:
        """Account for what is unsent as dropped, whatever becomes of it; return the number of spans."""
        with self._lock:
            self._is_over = True
            return self.unsent

    def settle(self, spans: int, failure: str | None) -> None:
        """Account for a batch that was sent, or dropped because of a failure."""
        with self._lock:
            if self._is_over:
                return
            self.unsent -= spans
        if failure is not None:
            self._drops.add(spans, failure)


class _Batches(SpanExporter):
    """Sends batches through another exporter, whose errors become the reasons for dropped spans."""

    def __init__(self, queue: SpanQueue, exporter: SpanExporter, resource: Resource) -> None:
        self._queue = queue
        self._resource = resource
        self._exporter = exporter
        self._errors = _LastError()
        log = logging.getLogger("opentelemetry.exporter")
        log.handlers = [self._errors]
        log.propagate = False
        log.setLevel(logging.WARNING)
        # dictConfig() in the application disables loggers that exist.
        logging.getLogger(type(exporter).__module__).disabled = False

    def export(self, spans: Sequence[ReadableSpan | RequestSpan]) -> SpanExportResult:
        result = self._exporter.export([self._read(span) for span in spans])
        self._queue.settle(len(spans), None if result is SpanExportResult.SUCCESS else self._errors.message)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def _read(self, span: ReadableSpan | RequestSpan) -> ReadableSpan:
        return span.read(self._resource, SCOPE) if isinstance(span, RequestSpan) else span


class _LastError(logging.Handler):
    """Keeps the last message of a logger: the exporter only returns that it has failed."""

    message = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.message = record.getMessage()
