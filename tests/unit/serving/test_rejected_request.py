"""A rejected request: what its client, the log and the counts get."""

import time
from typing import TYPE_CHECKING

from app.observability.forwarded import Forwarded
from app.observability.middleware import describe
from app.serving.http.rejection import Rejection
from app.serving.rejected_request import answer_rejection

if TYPE_CHECKING:
    from tests.support.log_lines import Lines

FORWARDED = Forwarded("127.0.0.1")


def test_a_failure_outside_of_the_application(log_lines: "Lines") -> None:
    """What fails before the request is measured is a 500 with a line and a traceback, and nothing of it in the body."""
    environ = {"REQUEST_METHOD": "HEAD", "PATH_INFO": "/", "REMOTE_ADDR": "127.0.0.1"}
    environ |= {"request.started_at": time.monotonic(), "request.body_bytes": None}
    environ |= {"HTTP_TRACEPARENT": f"00-{'a' * 32}-{'b' * 16}-01"}
    rejection = Rejection(500, "internal error")
    rejection.__cause__ = LookupError("a secret")
    status, _, body = answer_rejection(FORWARDED, environ, rejection)
    assert ("500 Internal Server Error", False) == (status, b"secret" in body)
    line, bug = log_lines.json
    assert ("error", "unhandled exception", line["request_id"]) == (bug["level"], bug["event"], bug["request_id"])
    assert bug["traceback"].endswith("LookupError: a secret\n")
    assert (500, "LookupError", 0) == (line["status"], line["error"], line["response_bytes"])
    assert ("a" * 32, bug["span_id"]) == (bug["trace_id"], line["span_id"])


def test_a_failure_of_what_has_sent_something(log_lines: "Lines") -> None:
    """Where a response has begun of which nothing was measured, the line does not say that nothing was sent."""
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "request.started_at": 0.0, "request.body_bytes": 0}
    rejection = Rejection(500, "internal error", is_sent=False)
    rejection.__cause__ = LookupError("a bug")
    answer_rejection(FORWARDED, environ, rejection)
    line, _ = log_lines.json
    assert (500, None) == (line["status"], line["response_bytes"])


def test_a_client_that_does_not_wait(log_lines: "Lines") -> None:
    """The line of a request that nothing answers says that nothing was sent."""
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "request.started_at": 0.0, "request.body_bytes": 0}
    answer_rejection(FORWARDED, environ, Rejection(499, "gone", is_sent=False))
    assert (499, 0, "warning") == (log_lines.only["status"], log_lines.only["response_bytes"], log_lines.only["level"])


def test_overload_is_told_when_to_come_back(log_lines: "Lines") -> None:
    """A 503 says when the client may try again; a request that has its line already gets no second one."""
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "HTTP_X_REQUEST_ID": "known"}
    environ["app.request_record"] = describe(environ, FORWARDED)
    status, headers, body = answer_rejection(FORWARDED, environ, Rejection(503, "overloaded"))
    assert ("503 Service Unavailable", True, True) == (status, ("Retry-After", "1") in headers, b"known" in body)
    assert [] == log_lines.json
