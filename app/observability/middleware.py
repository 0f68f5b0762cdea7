"""The one measuring point: a WSGI middleware that logs and counts each request once, when it ends."""

import os
import sys
from contextlib import suppress
from contextvars import copy_context
from time import monotonic
from typing import TYPE_CHECKING, cast

from flask import Flask, Request, got_request_exception
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge

from app.observability import metrics, traces
from app.observability.captured_output import end_lines
from app.observability.correlation import request_id, trace
from app.observability.forwarded import Forwarded
from app.observability.measured_response import UNHANDLED, MeasuredResponse
from app.observability.request_body import TooLargeBody, body_bytes, is_chunked, receive_chunked
from app.observability.request_log import write_request
from app.observability.request_record import ENVIRON_KEY, UNMATCHED, RequestRecord, current_record
from app.observability.scoreboard import IN_PROGRESS, scoreboard
from app.observability.statuses import title
from app.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from werkzeug.routing import MapAdapter

# Set by our own servers in the environ: the time.monotonic() at which the whole request had arrived.
RECEIVED_AT = "request.received_at"

# With this limit, a log line stays within the 4,096 bytes that a pipe takes atomically. Longer lines from two workers
# can interleave.
LOGGED_CHARACTERS = 512


class RequestMiddleware:
    """Measures every request; `environ["app.request_record"]` is its record."""

    def __init__(self, application: "WSGIApplication", app: Flask, settings: Settings) -> None:
        self._application = application
        self._app = app
        self._max_body_bytes = settings.max_body_bytes
        self._forwarded = Forwarded(settings.forwarded_allow_ips)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> "Iterator[bytes]":
        """Serve a request. It ends with its response, or when the application raises."""
        is_repeated = ENVIRON_KEY in environ  # A view may call the application in a thread, with a copy of the environ.
        record = environ[ENVIRON_KEY] = describe(environ, self._forwarded)
        record.queued = 0.0
        received = environ.get(RECEIVED_AT)
        record.request_bytes = body_bytes(environ)
        if received is not None:
            record.queued, record.received = record.received - received, received
            if record.request_bytes > self._max_body_bytes:
                environ["wsgi.input"] = TooLargeBody()
        record.route = UNMATCHED
        record.response_bytes = 0
        is_from_server = received is not None or "SERVER_SOFTWARE" in environ
        record.is_internal = not is_from_server or is_repeated or current_record() is not None
        self._count_in_progress(record, 1)
        # Each request has its own context: a server may start a second request in the same thread before it has closed
        # the response to the first, and the keys that a view binds to log lines belong to its request alone.
        context = copy_context()
        if traces.request_spans is not None:
            context.run(traces.request_spans.start, record, environ)
        response = MeasuredResponse(context, environ, record, self._finish)
        return response.start(self._receive if is_chunked(environ) else self._serve, start_response)

    def _receive(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> "Iterable[bytes]":
        record: RequestRecord = environ[ENVIRON_KEY]
        record.request_bytes = receive_chunked(environ, self._max_body_bytes)
        return self._serve(environ, start_response)

    def _serve(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> "Iterable[bytes]":
        try:
            return self._application(environ, start_response)
        except RequestEntityTooLarge as error:  # A middleware has read the body before Flask did.
            with self._app.request_context(environ):
                response = self._app.make_response(self._app.handle_user_exception(error))
            failure = sys.exc_info()  # The middleware may have started another response.
            return response(environ, lambda status, headers, _=None: start_response(status, headers, failure))

    def _finish(self, record: RequestRecord, environ: "WSGIEnvironment", request: Request | None) -> None:
        if scoreboard.is_detached:
            os._exit(1)  # A process that a view has forked did not exit: it must not answer as a second worker.
        record.duration = monotonic() - record.received
        if record.status >= 400:  # noqa: PLR2004 - the first error
            record.reason = record.reason or title(record.status)
        if request is not None:
            # prometheus-flask-exporter's do_not_track() and exclude_all_metrics() set these attributes.
            record.is_tracked = not ("prom_do_not_track" in vars(request) or "prom_exclude_all" in vars(request))
        try:
            end_lines()
            record.route = self._route(record, request, environ)
            if traces.request_spans is not None:
                traces.request_spans.end(record)
            write_request(record)
            metrics.observe(record)
        finally:  # Not earlier: if the worker is killed before this, the master must count the request as lost.
            self._count_in_progress(record, -1)

    def _count_in_progress(self, record: RequestRecord, change: int) -> None:
        if not record.is_internal:
            scoreboard.count(IN_PROGRESS, change)

    def _route(self, record: RequestRecord, request: Request | None, environ: "WSGIEnvironment") -> str:
        if request is not None and request.url_rule is not None:
            return request.url_rule.rule if request.url_rule.map is self._app.url_map else UNMATCHED
        if request is not None and not isinstance(request.routing_exception, MethodNotAllowed):
            return UNMATCHED
        if request is None and _printable(environ.get("PATH_INFO")) != record.path:
            return UNMATCHED  # DispatcherMiddleware has passed it to another application.
        # Flask has dropped the request if the application raised, and sets no rule for a wrong method, although the
        # path matched one.
        with suppress(Exception):  # A converter may raise anything. Flask has not called it for a wrong method.
            adapter = cast("MapAdapter", self._app.create_url_adapter(request or Request(environ)))
            try:
                return adapter.match(return_rule=True)[0].rule
            except MethodNotAllowed as error:
                methods = error.valid_methods or ["GET"]
            return adapter.match(method=next(iter(methods)), return_rule=True)[0].rule
        return UNMATCHED


def describe(environ: "WSGIEnvironment", forwarded: Forwarded) -> RequestRecord:
    """Make the record of a request from its environ, after applying the headers of a trusted proxy."""
    forwarded.apply(environ)
    traceparent = environ.get("HTTP_TRACEPARENT")
    return RequestRecord(
        request_id(environ.get("HTTP_X_REQUEST_ID")),
        _printable(environ.get("REQUEST_METHOD")),
        _printable(environ.get("PATH_INFO")),
        environ.get("REMOTE_ADDR") or None,
        _printable(environ.get("HTTP_USER_AGENT")),
        trace(traceparent) if traceparent else None,
        monotonic(),
    )


def reject(record: RequestRecord, environ: "WSGIEnvironment") -> None:
    """Log and count a request that one of our servers has rejected; the record has all that is known about it."""
    if traces.request_spans is not None:
        copy_context().run(traces.request_spans.start, record, environ)
        traces.request_spans.end(record)
    write_request(record)
    metrics.count_rejection(record)


def init_app(app: Flask, settings: Settings) -> None:
    """Measure all requests of an application."""
    app.wsgi_app = RequestMiddleware(app.wsgi_app, app, settings)  # type: ignore[method-assign]
    got_request_exception.connect(_note_exception, app)


def _note_exception(_app: Flask, exception: BaseException) -> None:
    """Record an exception that a view did not catch, whether or not the application has its own handler for it."""
    record = current_record()  # There is none in app.test_request_context().
    if record is None:
        return
    if isinstance(exception, HTTPException):  # Flask-RESTful and flask-restx send the signal for abort(), too.
        record.reason = getattr(exception, "reason", None)
    else:
        record.error = type(exception).__name__
        record.reason = UNHANDLED


def _printable(text: str | None) -> str | None:
    # Headers and paths may contain bidirectional controls, line separators and terminal escapes. People read logs on
    # terminals, and some tools take more than \n for the end of a line.
    if not text:
        return None
    if len(text) <= LOGGED_CHARACTERS and text.isascii() and text.isprintable():
        return text
    text = text[:LOGGED_CHARACTERS]
    if text.isascii() and text.isprintable():
        return text
    return text.encode("unicode_escape").decode("ascii")[:LOGGED_CHARACTERS]
