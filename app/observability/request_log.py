"""The log line of a request."""

import logging
from typing import Any

from app.observability.logs import emit
from app.observability.request_record import RequestRecord

PROBES = frozenset({"/healthz", "/readyz"})

_declared: dict[str, None] = {}


def declare_key(name: str) -> None:
    """Add a key to the line of every request: null unless a view binds a value with structlog's bind_contextvars()."""
    _declared[name] = None


def write_request(record: RequestRecord) -> None:
    """Write the line of a request."""
    status = record.status
    # Flask also answers //healthz, which no orchestrator asks for.
    if record.route in PROBES and record.path == record.route and record.method in {"GET", "HEAD"}:
        level = logging.DEBUG
    elif status >= 500:  # noqa: PLR2004 - 5xx
        level = logging.ERROR
    elif status >= 400:  # noqa: PLR2004 - 4xx
        level = logging.WARNING
    else:
        level = logging.INFO
    event: dict[str, Any] = {
        "event": "request",
        "request_id": record.request_id,
        "method": record.method,
        "path": record.path,
        "route": record.route,
        "status": status,
        "duration_ms": _milliseconds(record.duration),
        "queue_ms": _milliseconds(record.queued),
        "request_bytes": record.request_bytes,
        "response_bytes": record.response_bytes,
        "client": record.client,
        "user_agent": record.user_agent,
        **_declared,
    }
    if record.trace:
        event["trace_id"], event["span_id"] = record.trace
    if record.error:
        event["error"] = record.error
    if record.reason:
        event["reason"] = record.reason
    emit(level, event)


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
