"""Problems: every error raised while serving a request is answered in one format (RFC 9457)."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask, request
from werkzeug.exceptions import HTTPException, InternalServerError, SecurityError, default_exceptions
from werkzeug.wrappers import Response

from app.observability.correlation import request_id
from app.observability.measured_response import UNHANDLED
from app.observability.request_record import current_record
from app.observability.statuses import title
from app.web.problem_details import CONTENT_TYPE, problem_body, status_line

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment


class Problem(HTTPException):
    """An error with a reason for the log: `raise Problem(422, 'quantity: "abc"', reason="no such quantity")`.

    The client sees `detail`, which may quote the client. `reason` goes to the log and must not quote it; the default is
    the status's name.
    """

    def __init__(
        self, status: int, detail: str, *, reason: str | None = None, headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        super().__init__(detail)
        self.code = status
        self.reason = reason
        self.headers = tuple(headers)

    def get_headers(
        self, environ: "WSGIEnvironment | None" = None, scope: dict[str, object] | None = None
    ) -> list[tuple[str, str]]:
        """List the headers of the answer."""
        return [*super().get_headers(environ, scope), *self.headers]


def init_app(app: Flask) -> None:
    """Answer every error as a problem, unless the application has its own handler for it."""
    # Not Exception: what a view does not catch arrives here as Flask's InternalServerError, after Flask has logged it,
    # sent its signal and, in debug mode, left it to the debugger.
    app.register_error_handler(HTTPException, _answer)


def _answer(error: HTTPException) -> Response:
    status = error.code or 500
    record = current_record()  # There is none in app.test_request_context().
    if record is None:
        identity = request_id(request.headers.get("X-Request-ID"))
    else:
        identity = record.request_id
        if isinstance(error, InternalServerError) and error.original_exception is not None:
            record.error, record.reason = type(error.original_exception).__name__, UNHANDLED
        else:
            record.reason = getattr(error, "reason", None) or title(status)
    if error.response is not None or _has_own_answer(error):  # abort(401, response=...)
        return error.get_response(request.environ)
    body = problem_body(status, _detail(error, status), identity)
    # Not the bare number: werkzeug's status names are older than those in the body.
    response = Response(body, status_line(status), content_type=CONTENT_TYPE)
    for name, value in error.get_headers(request.environ):
        if name != "Content-Type":
            response.headers.add(name, value)
    return response


def _has_own_answer(error: HTTPException) -> bool:
    return (type(error).get_body, type(error).get_response) != (HTTPException.get_body, HTTPException.get_response)


def _detail(error: HTTPException, status: int) -> str:
    if isinstance(error, SecurityError):  # Its own text quotes the host, however long that is.
        return "this host is not served"
    default = default_exceptions.get(status)
    if error.description and (default is None or error.description != default.description):
        return str(error.description)  # abort(400, error) and lazily translated texts are as usual.
    details = {
        404: "no such path" if request.url_rule is None else "not found",
        405: f"{request.method} is not allowed here",
        500: "internal error",
    }
    limit = request.max_content_length
    if limit is not None and (request.content_length or 0) > limit:
        details[413] = f"the body is larger than {limit} bytes"
    return details.get(status) or title(status)
