"""Errors: whatever is raised on the way of a request becomes a problem (RFC 9457)."""

import structlog
from flask import Flask, current_app, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from app.decoding import QUOTED_CHARACTERS, BodyError, MalformedError
from app.exchange import current_exchange
from app.problem import CONTENT_TYPE, problem_body
from app.response import Response

USAGE = """curl -X POST -d '{"data": ["1", "2"]}' """


def register_errors(app: Flask) -> None:
    """Answer every error of the application in one form."""
    app.register_error_handler(BodyError, _body_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _bug)


def _body_error(error: BodyError) -> Response:
    return _problem(400 if isinstance(error, MalformedError) else 422, str(error))


def _http_error(error: HTTPException) -> Response:
    detail = "no such path" if isinstance(error, NotFound) else error.description or ""
    if isinstance(error, MethodNotAllowed):
        exchange = current_exchange()
        exchange.route = _route_of_path(error)
        detail = f"{exchange.method} is not allowed here"
        if request.path == "/":
            host = request.host if 0 < len(request.host) <= QUOTED_CHARACTERS else None
            host = host or f"localhost:{request.environ['SERVER_PORT']}"
            detail += f"; to add numbers: {USAGE}http://{host}/"
    response = _problem(error.code or 500, detail)
    for name, value in error.get_headers():
        if name != "Content-Type":
            response.headers[name] = value
    return response


def _route_of_path(error: MethodNotAllowed) -> str:
    # Flask has no rule for a request of the wrong method, although the path has matched one.
    methods = error.valid_methods or []
    rule, _ = current_app.url_map.bind("").match(request.path, next(iter(methods)), return_rule=True)
    return rule.rule


def _bug(error: Exception) -> Response:
    exchange = current_exchange()
    exchange.error = type(error).__name__
    structlog.get_logger().exception("unhandled exception", request_id=exchange.request_id)
    return _problem(500, "internal error")


def _problem(status: int, detail: str) -> Response:
    body = problem_body(status, detail, current_exchange().request_id)
    return Response(body, status, content_type=CONTENT_TYPE)
