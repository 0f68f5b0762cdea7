"""The record of a request: what the log and the metrics tell of it."""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from app.observability.correlation import Trace

UNMATCHED = "unmatched"
ENVIRON_KEY = "app.request_record"


@dataclass(slots=True)
class RequestRecord:
    """A request and its response; each part of the service that they pass fills in what it knows, None is not known.

    `received` is a time of time.monotonic(); durations are in seconds, sizes in bytes. `duration` lasts until the
    response is closed, `queued` until the application is called. `is_tracked` is False where no metric is wanted.
    `span` is that of OpenTelemetry, `printed` the starts of lines that were printed; None where there are none.
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
    span: Any = None
    printed: Any = None


_current: ContextVar[RequestRecord | None] = ContextVar("request_record", default=None)

current_record = _current.get
set_current_record = _current.set
