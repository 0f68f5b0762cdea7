"""The record of a request: what the log and the metrics report about it."""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from app.observability.correlation import Trace

UNMATCHED = "unmatched"
ENVIRON_KEY = "app.request_record"


@dataclass(slots=True)
class RequestRecord:
    """A request and its response; each part of the service that handles them fills in what it knows. None is unknown.

    `received` is a time of time.monotonic(); durations are in seconds, sizes in bytes. `duration` lasts until the
    response ends, `queued` until the application is called. `is_tracked` is False if a view wants no metrics.
    `is_internal` is True if the application makes the request, as by a test client: it may never close the response.
    `span` is the OpenTelemetry span, `printed` has the unfinished printed lines; either may be None.
    """

    request_id: str
    method: str | None
    path: str | None
    client: str | None
    user_agent: str | None
    trace: Trace | None
    received: float
    queued: float | None = None
    duration: float | None = None
    route: str | None = None
    status: int = 500
    request_bytes: int | None = None
    response_bytes: int | None = None
    error: str | None = None
    reason: str | None = None
    is_tracked: bool = True
    is_internal: bool = False
    span: Any = None
    printed: Any = None


_current: ContextVar[RequestRecord | None] = ContextVar("request_record", default=None)

current_record = _current.get
set_current_record = _current.set
