"""What holds for every answer."""

import re
from http import HTTPStatus

from tests.support.http_client import Answer

# RFC 9110 has other names for these than Python 3.11.
TITLES = {413: "Content Too Large", 414: "URI Too Long", 422: "Unprocessable Content"}


def checked(answer: Answer) -> Answer:
    """Check what every answer must have."""
    assert re.fullmatch("[A-Za-z0-9._-]{1,128}", answer.headers["x-request-id"])
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "server" not in answer.headers
    return answer


def checked_problem(answer: Answer, status: int) -> str:
    """Check the form of an error, and return its detail."""
    checked(answer)
    problem = answer.json()
    assert status == answer.status
    assert answer.headers["content-type"] == "application/problem+json"
    assert {
        "type": "about:blank",
        "title": TITLES.get(status) or HTTPStatus(status).phrase,
        "status": status,
        "detail": problem["detail"],
        "request_id": answer.headers["x-request-id"],
    } == problem
    return str(problem["detail"])


def head(first: str = "GET /healthz HTTP/1.1", *headers: str) -> bytes:
    """Make the bytes of a head."""
    return "\r\n".join([first, *headers, "", ""]).encode("latin-1")
