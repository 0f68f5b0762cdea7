"""The members of a request's log line, as the contract lists them, in its order."""

from tests.support import example

REQUEST_MEMBERS = (
    "timestamp",
    "level",
    "event",
    "request_id",
    "method",
    "path",
    "route",
    "status",
    "duration_ms",
    "queue_ms",
    "request_bytes",
    "response_bytes",
    "client",
    "user_agent",
    *example.KEYS,
    "pid",
)
