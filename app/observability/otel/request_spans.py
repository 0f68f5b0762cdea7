"""The spans of requests: start, parent, sampling and destination of each."""

from time import monotonic, time_ns
from typing import TYPE_CHECKING

from opentelemetry.context import Context, attach
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    TraceFlags,
    format_span_id,
    format_trace_id,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.observability.correlation import Trace
from app.observability.otel.request_span import RequestSpan

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

    from opentelemetry.sdk.trace.sampling import Sampler

    from app.observability.otel.span_queue import SpanQueue
    from app.observability.request_record import RequestRecord

_NO_PARENT = Context()

_ids = RandomIdGenerator()
_propagator = TraceContextTextMapPropagator()


class RequestSpans:
    """Makes the span of each request from its record."""

    def __init__(self, sampler: "Sampler", queue: "SpanQueue") -> None:
        self._sampler = sampler
        self._queue = queue

    def start(self, record: "RequestRecord", environ: "WSGIEnvironment") -> None:
        """Start the span of a request, make it current in this context, and store its ids in the record.

        The span starts when the whole request had arrived or, if the request has ended, as long ago as it took.
        """
        above, parent = _caller(environ) if record.trace else (_NO_PARENT, None)
        trace_id = _ids.generate_trace_id() if parent is None else parent.trace_id
        sampled = self._sampler.should_sample(above, trace_id, record.method or "", SpanKind.SERVER)
        random = TraceFlags.RANDOM_TRACE_ID if parent is None else parent.trace_flags & TraceFlags.RANDOM_TRACE_ID
        context = SpanContext(
            trace_id,
            _ids.generate_span_id(),
            is_remote=False,
            trace_flags=TraceFlags(random | (sampled.decision is Decision.RECORD_AND_SAMPLE)),
            trace_state=sampled.trace_state,
        )
        if context.trace_flags.sampled:
            elapsed = monotonic() - record.received if record.duration is None else record.duration
            started = time_ns() - round(elapsed * 1e9)
            record.span = RequestSpan(record, environ["wsgi.url_scheme"], context, parent, started)
        record.trace = Trace(format_trace_id(trace_id), format_span_id(context.span_id))
        attach(set_span_in_context(record.span or NonRecordingSpan(context), above))

    def end(self, record: "RequestRecord") -> None:
        """Send the span of a request that has ended."""
        span, record.span = record.span, None  # The two would form a reference cycle.
        if span is not None:
            self._queue.on_end(span)


def _caller(environ: "WSGIEnvironment") -> tuple[Context, SpanContext | None]:
    headers = {"traceparent": environ["HTTP_TRACEPARENT"], "tracestate": environ.get("HTTP_TRACESTATE", "")}
    context = _propagator.extract(headers, _NO_PARENT)
    caller = get_current_span(context).get_span_context()
    return context, caller if caller.is_valid else None
