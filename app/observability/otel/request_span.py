"""The span of one request, following OpenTelemetry's semantic conventions for HTTP servers."""

from collections.abc import Mapping
from time import time_ns
from traceback import format_exception
from typing import TYPE_CHECKING

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Span, SpanContext, SpanKind, Status, StatusCode

from app.observability.metrics import METHODS, OTHER_METHOD
from app.observability.request_record import UNMATCHED, RequestRecord

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.util.types import AnyValue, Attributes

# In a span's name, this replaces a method that HTTP does not define.
UNKNOWN = "HTTP"

UNSET, ERROR = Status(), Status(StatusCode.ERROR)


class RequestSpan(Span):
    """The span of a request, which is built from the record only when it is sent.

    Making an SDK span while serving the request took a third of the request's CPU time. This one takes a twentieth,
    and the thread that sends a batch reads all of it at once, which costs less. A view may use it like any other
    current span; it ends with its request.
    """

    def __init__(
        self, record: RequestRecord, scheme: str, context: SpanContext, parent: SpanContext | None, started: int
    ) -> None:
        self.context = context
        self._record = record
        self._scheme = scheme
        self._parent = parent
        self._started = started
        self._name: str | None = None
        self._status: Status | None = None
        self._attributes: BoundedAttributes | None = None
        self._events: list[Event] = []

    def read(self, resource: "Resource", scope: "InstrumentationScope") -> ReadableSpan:
        """Return the span of a request that has ended, in the form that the SDK's exporters take."""
        record = self._record
        route = record.route if record.route != UNMATCHED else None
        method = record.method if record.method in METHODS else UNKNOWN
        is_error = record.status >= 500  # noqa: PLR2004 - the client causes a 4xx
        return ReadableSpan(
            self._name or (f"{method} {route}" if route else str(method)),
            self.context,
            self._parent,
            resource,
            _attributes(record, route, self._scheme, self._attributes or {}),
            self._events,
            kind=SpanKind.SERVER,
            status=self._status or (ERROR if is_error else UNSET),
            start_time=self._started,
            end_time=self._started + round((record.duration or 0.0) * 1e9),
            instrumentation_scope=scope,
        )

    # What a view may do with the current span

    def get_span_context(self) -> SpanContext:
        """Return the ids."""
        return self.context

    def is_recording(self) -> bool:
        """Tell whether the request is in progress."""
        return self._record.duration is None

    def set_attribute(self, key: str, value: "AnyValue") -> None:
        """Add an attribute."""
        self.set_attributes({key: value})

    def set_attributes(self, attributes: Mapping[str, "AnyValue"]) -> None:
        """Add attributes."""
        if self._attributes is None:
            self._attributes = BoundedAttributes(immutable=False)  # It checks the values.
        self._attributes.update(attributes)

    def add_event(self, name: str, attributes: "Attributes" = None, timestamp: int | None = None) -> None:
        """Add an event; `timestamp` is in nanoseconds of Unix time, by default now."""
        self._events.append(Event(name, BoundedAttributes(attributes=attributes), timestamp or time_ns()))

    def record_exception(
        self,
        exception: BaseException,
        attributes: "Attributes" = None,
        timestamp: int | None = None,
        escaped: bool = False,  # noqa: ARG002 - deprecated
    ) -> None:
        """Add the event of an exception, with its message and traceback."""
        told = {
            "exception.type": type(exception).__qualname__,
            "exception.message": str(exception),
            "exception.stacktrace": "".join(format_exception(exception)),
        }
        self.add_event("exception", {**told, **(attributes or {})}, timestamp)

    def update_name(self, name: str) -> None:
        """Replace the default name, which is method and route."""
        self._name = name

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Override the status that follows from the response."""
        self._status = status if isinstance(status, Status) else Status(status, description)

    def end(self, end_time: int | None = None) -> None:
        """Do nothing: the span ends with its request."""


def _attributes(
    record: RequestRecord, route: str | None, scheme: str, others: Mapping[str, "AnyValue"]
) -> dict[str, "AnyValue"]:
    attributes: dict[str, AnyValue] = {
        **others,
        "http.request.method": OTHER_METHOD,
        "http.response.status_code": record.status,
        "url.scheme": scheme,
    }
    if record.method in METHODS:
        attributes["http.request.method"] = str(record.method)
    elif record.method:
        attributes["http.request.method_original"] = record.method
    if record.path:
        attributes["url.path"] = record.path
    if route:
        attributes["http.route"] = route
    if record.client:
        attributes["client.address"] = record.client
    if record.user_agent:
        attributes["user_agent.original"] = record.user_agent
    if record.status >= 500:  # noqa: PLR2004 - as above
        attributes["error.type"] = record.error or str(record.status)
    return attributes
