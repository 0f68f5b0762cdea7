"""Problem details (RFC 9457): the one format of all error bodies."""

import msgspec

from app.observability.statuses import title

CONTENT_TYPE = "application/problem+json"


class ProblemDetails(msgspec.Struct):
    """An error as the client sees it. `type` is about:blank: the status says all that a program needs."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str


def problem_body(status: int, detail: str, request_id: str) -> bytes:
    """Encode the problem details of an error as one line of JSON."""
    return msgspec.json.encode(ProblemDetails("about:blank", title(status), status, detail, request_id)) + b"\n"


def problem_headers(request_id: str) -> list[tuple[str, str]]:
    """List the headers of a problem that is answered outside the application."""
    return [("Content-Type", CONTENT_TYPE), ("X-Request-ID", request_id), ("X-Content-Type-Options", "nosniff")]


def status_line(status: int) -> str:
    """Return a status with its name, as in the first line of a response."""
    return f"{status} {title(status)}"
