"""The answers that the server gives instead of the application."""

import time
from typing import TYPE_CHECKING

from app.serving.http.connection import Connection
from app.serving.http.rejection import Rejection
from app.serving.http.request import BODY_BYTES, STARTED_AT, make_environ
from app.serving.http.response import Response
from app.serving.http.response_head import date_line
from app.serving.http.service import Service
from app.serving.http.state import State

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment


def reject(connection: Connection, rejection: Rejection, service: Service) -> None:
    """Answer a request that does not reach the application, and close the connection."""
    if connection.state is State.RESPONDING:
        connection.abort(rejection.reason)
        return
    request = connection.request
    body_bytes = len(request.body)
    request.body = b""
    environ = make_environ(request, connection.peer, service.environ)
    _answer(connection, environ | {STARTED_AT: request.started, BODY_BYTES: body_bytes}, rejection, service)


def fail(connection: Connection, response: Response, failure: BaseException, service: Service) -> None:
    """Answer a request that the application has failed on, or cut the response short if it has begun."""
    rejection = Rejection(500, "internal error", is_sent=not (response.has_begun or connection.is_closed))
    rejection.__cause__ = failure
    request = response.request
    body_bytes = None if request.is_chunked else request.content_length
    known = {"REQUEST_METHOD": request.method, STARTED_AT: request.received, BODY_BYTES: body_bytes}
    _answer(connection, response.environ | known, rejection, service)
    if not rejection.is_sent:
        connection.abort()


def _answer(connection: Connection, environ: "WSGIEnvironment", rejection: Rejection, service: Service) -> None:
    status, headers, body = service.answer_rejection(environ, rejection)
    if rejection.is_sent:
        connection.respond()
        connection.send(response_bytes(status, headers, body, has_body=environ["REQUEST_METHOD"] != "HEAD"))
        connection.end_response(keep_alive=False)


def response_bytes(status: str, headers: list[tuple[str, str]], body: bytes, *, has_body: bool) -> bytes:
    """Make a complete response, the last one on its connection."""
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), date_line(int(time.time()))]
    lines += [f"Content-Length: {len(body)}", "Connection: close\r\n\r\n"]
    return "\r\n".join(lines).encode("latin-1") + (body if has_body else b"")
