"""The span of a request, by the semantic conventions for HTTP servers."""

from collections.abc import Callable
from contextvars import copy_context
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider, sampling
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanKind, StatusCode, format_span_id, format_trace_id

from app.observability import correlation
from app.observability.otel.request_span import RequestSpan
from app.observability.otel.request_spans import RequestSpans
from app.observability.request_record import RequestRecord

TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, UNSAMPLED = f"00-{TRACE_ID}-{SPAN_ID}-01", f"00-{TRACE_ID}-{SPAN_ID}-00"
ATTRIBUTES = {
    "http.request.method": "POST",
    "url.scheme": "http",
    "url.path": "/quotes/7",
    "client.address": "203.0.113.9",
    "user_agent.original": "curl/8",
    "http.response.status_code": 200,
    "http.route": "/quotes/<int:number>",
}


class Traced:
    """What makes spans, and those that it has made."""

    def __init__(self, sampler: sampling.Sampler = sampling.DEFAULT_ON) -> None:
        self.spans: list[ReadableSpan] = []
        self.request_spans = RequestSpans(sampler, self)  # type: ignore[arg-type] # It stands in for the queue.
        self.tracer = TracerProvider(sampler, shutdown_on_exit=False).get_tracer("tested")

    def on_end(self, span: RequestSpan) -> None:
        """Take a span."""
        self.spans.append(span.read(Resource({}), InstrumentationScope("tested")))

    def serve(
        self, headers: dict[str, str] | None = None, view: Callable[[], Any] = lambda: None, **changes: Any
    ) -> RequestRecord:
        """Make the span of a request, and return its record."""
        traceparent = (headers or {}).get("HTTP_TRACEPARENT")
        described = {"method": "POST", "path": "/quotes/7", "client": "203.0.113.9", "user_agent": "curl/8"} | changes
        record = RequestRecord(
            "a",
            *(described[name] for name in ("method", "path", "client", "user_agent")),
            correlation.trace(traceparent) if traceparent else None,
            received=0.0,
        )
        context = copy_context()
        context.run(self.request_spans.start, record, {"wsgi.url_scheme": "http"} | (headers or {}))
        context.run(view)
        for name, value in ({"route": "/quotes/<int:number>", "status": 200, "duration": 0.25} | changes).items():
            setattr(record, name, value)
        self.request_spans.end(record)
        return record

    @property
    def only(self) -> ReadableSpan:
        """The one span."""
        (span,) = self.spans
        return span


@pytest.fixture
def traced() -> Traced:
    """Make spans of all requests."""
    return Traced()


def test_span(traced: Traced) -> None:
    """A span has the name, the attributes and the duration of the request; the record has the ids of the span."""
    record = traced.serve()
    span = traced.only
    assert ("POST /quotes/<int:number>", SpanKind.SERVER, StatusCode.UNSET) == (
        span.name,
        span.kind,
        span.status.status_code,
    )
    assert ATTRIBUTES == span.attributes
    assert span.start_time is not None
    assert span.end_time is not None
    assert 250_000_000 == span.end_time - span.start_time
    context = span.get_span_context()
    assert context is not None
    assert (format_trace_id(context.trace_id), format_span_id(context.span_id)) == record.trace
    assert span.parent is None


@pytest.mark.parametrize(
    ("changes", "name", "expected"),
    [
        ({"method": "GET", "route": "unmatched", "status": 404}, "GET", {"http.response.status_code": 404}),
        ({"route": None, "status": 413}, "POST", {"http.response.status_code": 413}),
        (
            {"method": "BREW", "route": "unmatched", "status": 405},
            "HTTP",
            {"http.request.method": "_OTHER", "http.request.method_original": "BREW", "http.response.status_code": 405},
        ),
        ({"status": 503}, "POST /quotes/<int:number>", {"error.type": "503", "http.response.status_code": 503}),
        (
            {"status": 500, "error": "ValueError"},
            "POST /quotes/<int:number>",
            {"error.type": "ValueError", "http.response.status_code": 500},
        ),
    ],
)
def test_conventions(traced: Traced, changes: dict[str, Any], name: str, expected: dict[str, Any]) -> None:
    """The name takes method and route as far as they are known; of errors, only those of the server are told."""
    traced.serve(**changes)
    span = traced.only
    whole = {**ATTRIBUTES, "http.request.method": changes.get("method", "POST"), **expected}
    if changes.get("route", "") in {"unmatched", None}:
        del whole["http.route"]
    assert (name, whole) == (span.name, span.attributes)
    assert (StatusCode.ERROR if changes["status"] >= 500 else StatusCode.UNSET) == span.status.status_code


def test_nothing_is_known(traced: Traced) -> None:
    """A request that is rejected before its first line was understood has a span of what there is."""
    unknown = dict.fromkeys(("method", "path", "client", "user_agent", "route"))
    traced.serve(**unknown, status=400)
    span = traced.only
    expected = {"http.request.method": "_OTHER", "url.scheme": "http", "http.response.status_code": 400}
    assert ("HTTP", expected) == (span.name, span.attributes)


def test_parent(traced: Traced) -> None:
    """The caller's span is the parent, the trace is the caller's, and its state is kept."""
    record = traced.serve({"HTTP_TRACEPARENT": SAMPLED, "HTTP_TRACESTATE": "a=1,b=2"})
    parent, context = traced.only.parent, traced.only.get_span_context()
    assert parent is not None
    assert context is not None
    assert record.trace is not None
    assert (TRACE_ID, SPAN_ID, True) == (
        format_trace_id(parent.trace_id),
        format_span_id(parent.span_id),
        parent.is_remote,
    )
    assert (TRACE_ID, {"a": "1", "b": "2"}) == (record.trace.trace_id, dict(context.trace_state))
    assert SPAN_ID != record.trace.span_id


@pytest.mark.parametrize("traceparent", ["nonsense", f"ff-{TRACE_ID}-{SPAN_ID}-01", f"00-{'0' * 32}-{SPAN_ID}-01"])
def test_bad_parent(traced: Traced, traceparent: str) -> None:
    """What is no valid traceparent begins a trace of its own."""
    traced.serve({"HTTP_TRACEPARENT": traceparent, "HTTP_TRACESTATE": "a=1"})
    context = traced.only.get_span_context()
    assert context is not None
    assert (None, {}) == (traced.only.parent, dict(context.trace_state))


def test_the_caller_samples(traced: Traced) -> None:
    """Where the caller has left its trace out, there is no span; the record has the ids that a view hands on."""
    record = traced.serve({"HTTP_TRACEPARENT": UNSAMPLED})
    assert [] == traced.spans
    assert record.trace is not None
    assert TRACE_ID == record.trace.trace_id
    assert SPAN_ID != record.trace.span_id


def test_the_span_is_current(traced: Traced) -> None:
    """In the context of the request, and in no other, its span is the parent of those that a view makes."""
    children: list[trace.Span] = []
    record = traced.serve(view=lambda: children.append(traced.tracer.start_span("child")))
    (child,) = children
    assert isinstance(child, ReadableSpan)
    assert traced.only.context == child.parent
    assert record.span is None  # Or it and the record would keep each other alive.
    assert trace.INVALID_SPAN == trace.get_current_span()


def test_what_a_view_may_do(traced: Traced) -> None:
    """A view adds to the current span, and renames it, as to any; to end it is the measuring point's."""

    def view() -> None:
        span = trace.get_current_span()
        assert span.is_recording()
        span.set_attribute("one", 1)
        span.set_attributes({"two": [2], "http.response.status_code": 7})
        span.add_event("told", {"three": 3}, 4)
        span.record_exception(ValueError("five"), {"six": 6})
        span.update_name("of the view")
        span.set_status(StatusCode.ERROR, "seven")
        span.end()

    traced.serve(view=view)
    span = traced.only
    assert ({"one": 1, "two": (2,)} | ATTRIBUTES, "of the view") == (span.attributes, span.name)
    told, exception = span.events
    assert ("told", {"three": 3}, 4) == (told.name, told.attributes, told.timestamp)
    assert exception.attributes is not None
    assert {
        "exception.type": "ValueError",
        "exception.message": "five",
        "six": 6,
    }.items() <= exception.attributes.items()
    assert "ValueError: five" in str(exception.attributes["exception.stacktrace"])
    assert told.timestamp < exception.timestamp
    assert (StatusCode.ERROR, "seven") == (span.status.status_code, span.status.description)


def test_the_status_of_a_view(traced: Traced) -> None:
    """A view may hand over a whole status, which wins over that of the response."""
    traced.serve(view=lambda: trace.get_current_span().set_status(trace.Status(StatusCode.OK)), status=503)
    assert StatusCode.OK == traced.only.status.status_code


def test_a_request_that_has_ended(traced: Traced) -> None:
    """The span of a request that has ended is no longer recording."""
    spans: list[trace.Span] = []
    traced.serve(view=lambda: spans.append(trace.get_current_span()))
    assert not spans[0].is_recording()
