"""Problem details (RFC 9457): the one form of every error's body."""

from http import HTTPStatus

import msgspec

CONTENT_TYPE = "application/problem+json"

# As RFC 9110 calls them. HTTPStatus does since Python 3.13, and a client should not see which Python serves it.
RENAMED = {413: "Content Too Large", 414: "URI Too Long", 422: "Unprocessable Content"}


class Problem(msgspec.Struct):
    """An error as the client sees it. `type` is about:blank: the status says all that a program needs."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str


def title(status: int) -> str:
    """Return the name of a status."""
    return RENAMED.get(status) or HTTPStatus(status).phrase


def problem_body(status: int, detail: str, request_id: str) -> bytes:
    """Encode the problem details of an error as one line of JSON."""
    problem = Problem("about:blank", title(status), status, detail, request_id)
    return msgspec.json.encode(problem) + b"\n"
