"""A rejected request: its answer, its log line and its count."""

import logging
from http import HTTPMethod, HTTPStatus
from time import monotonic
from typing import TYPE_CHECKING

from app.observability.forwarded import Forwarded
from app.observability.logs import emit
from app.observability.measured_response import MIDDLEWARE_FAILED, UNHANDLED
from app.observability.middleware import describe, reject
from app.observability.request_record import ENVIRON_KEY, RequestRecord
from app.serving.http.rejection import Rejection
from app.serving.http.request import BODY_BYTES, STARTED_AT
from app.serving.http.service import Headers
from app.web.problem_details import problem_body, problem_headers, status_line

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment


def answer_rejection(
    forwarded: Forwarded, environ: "WSGIEnvironment", rejection: Rejection
) -> tuple[str, Headers, bytes]:
    """Make the answer; log and count the request, unless it has reached the application, whose middleware does both."""
    known: RequestRecord | None = environ.get(ENVIRON_KEY)
    record = known or describe(environ, forwarded)
    body = problem_body(rejection.status, rejection.detail, record.request_id)
    if known is None:
        record.status = rejection.status
        record.reason = rejection.reason
        record.duration = monotonic() - environ[STARTED_AT]
        record.request_bytes = environ[BODY_BYTES]
        has_body = rejection.is_sent and record.method != HTTPMethod.HEAD
        is_unknown = rejection.__cause__ is not None and not rejection.is_sent  # A middleware may have sent something.
        record.response_bytes = None if is_unknown else len(body) if has_body else 0
        record.error = type(rejection.__cause__).__name__ if rejection.__cause__ else None
        reject(record, environ)
        _log_failure(rejection, record)
    elif known.reason == MIDDLEWARE_FAILED:
        _log_failure(rejection, record)
    headers = problem_headers(record.request_id)
    if rejection.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append(("Retry-After", "1"))
    return status_line(rejection.status), headers, body


def _log_failure(rejection: Rejection, record: RequestRecord) -> None:
    if error := rejection.__cause__:
        event = {"event": UNHANDLED, "exc_info": error, "request_id": record.request_id}
        if record.trace:
            event["trace_id"], event["span_id"] = record.trace
        emit(logging.ERROR, event)
