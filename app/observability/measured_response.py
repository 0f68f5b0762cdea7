"""The response, measured while the server reads it."""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextvars import Context
from typing import TYPE_CHECKING, Any, Self

from flask import Request

from app.observability.logs import emit
from app.observability.request_record import RequestRecord, set_current_record

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    Finish = Callable[[RequestRecord, WSGIEnvironment, Request | None], None]

NO_SNIFFING = ("X-Content-Type-Options", "nosniff")
OURS = frozenset({"x-request-id", "x-content-type-options"})
UNHANDLED = "unhandled exception"
CUT_SHORT = "the application failed after the response had begun"
CLIENT_GONE = "client disconnected before the response was complete"

# In the environ of our server: takes an object whose close() and end() it calls. end() gets the reason for which the
# server has cut the response short (empty if its client has gone, and None if it is whole), and what has failed around
# it, or None.
ADD_LISTENER = "response.add_listener"

# What our hook calls on gunicorn's own workers, if it is still there: a middleware has not closed the response. Not
# left to the garbage collector, which may run while a thread holds the lock of a metric.
END_REQUEST = "request.end"
MIDDLEWARE_FAILED = "a middleware around the application failed"

# The key of the client's socket, in the environ of gunicorn's own workers.
SOCKET = "gunicorn.socket"

BODILESS = frozenset({204, 304})


class MeasuredResponse:
    """A response iterable that runs all application code in the request's context, however the server calls it."""

    def __init__(self, context: Context, environ: "WSGIEnvironment", record: RequestRecord, finish: "Finish") -> None:
        self._context = context
        self._environ = environ
        self._record = record
        self._finish = finish
        self._headers: list[tuple[str, str]] = []
        self._request: Request | None = None
        self._is_open = True
        self._is_whole = self._is_closed = self._server_ends_it = self._has_failed = False

    def start(self, application: "WSGIApplication", start_response: "StartResponse") -> Self:
        """Call the application. If it raises, end the request and raise the error again."""
        self._start = start_response
        add_listener = self._environ.get(ADD_LISTENER)
        if add_listener is None:
            self._environ[END_REQUEST] = self._abandon
        elif not self._record.is_internal:
            add_listener(self)
            self._server_ends_it = True
        self._context.run(self._call, application)
        return self

    def _call(self, application: "WSGIApplication") -> None:
        set_current_record(self._record)
        try:
            self._response: Iterable[bytes] = application(self._environ, self._start_response)
            self._chunks = iter(self._response)
        except BaseException as error:
            # So flask-sock tells gunicorn's own workers that it has taken the socket, for a WebSocket that is over now.
            if isinstance(error, StopIteration) and SOCKET in self._environ:
                self._record.status = 101
            else:
                self._fail(error, UNHANDLED)
            self._is_closed = True
            self._end()
            raise

    def _start_response(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        self._record.status = int(status[:3])
        # werkzeug sets it, and Flask removes it before the server has read a streamed response. A view may have made
        # another one from the same environ, which Flask has not routed.
        request = self._environ.get("werkzeug.request")
        if isinstance(request, Request) and (request.url_rule or request.routing_exception):
            self._request = request
        self._headers = [field for field in headers if field[0].lower() not in OURS]
        self._headers += [("X-Request-ID", self._record.request_id), NO_SNIFFING]
        return self._start(status, self._headers, exc_info)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            chunk = self._context.run(next, self._chunks)
            if not isinstance(chunk, bytes):
                raise TypeError(f"a piece of a response is {type(chunk).__name__}, and not bytes")  # noqa: TRY301
        except StopIteration:
            self._is_whole = True
            raise
        except BaseException as error:
            self._context.run(self._fail, error, CUT_SHORT if self._record.response_bytes else UNHANDLED)
            raise
        self._record.response_bytes += len(chunk)  # type: ignore[operator]
        return chunk

    def close(self) -> None:
        """Close the application's response. The request ends as well, unless the server tells when it does."""
        try:
            self._close()
        finally:
            if not self._server_ends_it:
                self.end(None if self._is_sent() else "", None)

    def end(self, cut_reason: str | None, failure: BaseException | None) -> None:
        """End the request, once. How its response ended is known by now."""
        if not self._is_open:
            return
        record = self._record
        if failure is not None and not self._has_failed:
            record.status = 500
            record.reason = MIDDLEWARE_FAILED
            record.error = type(failure).__name__
            record.response_bytes = None  # What came out of the middleware is not known.
        elif record.status < 400:  # noqa: PLR2004 - the application has handled any error itself
            record.reason = record.error = None
        if record.reason is None and cut_reason is not None:
            record.reason = cut_reason or CLIENT_GONE
        self._context.run(self._end)

    def _abandon(self, failure: BaseException | None) -> None:
        self._close()
        # gunicorn raises these where the client has gone. A middleware's own lost connection cannot be told from it.
        if isinstance(failure, BrokenPipeError | ConnectionResetError):
            self.end("", None)
        else:
            self.end(None, failure)

    def _close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._context.run(self._close_application)

    def _close_application(self) -> None:
        try:
            close = getattr(self._response, "close", None)
            if close is not None:
                close()
        except Exception:  # noqa: BLE001 - the client already has its answer
            emit(logging.ERROR, {"event": "the application failed to close a response", "exc_info": True})

    def _is_sent(self) -> bool:
        record = self._record
        # If a response has no body, a server may not read the iterable at all.
        if self._is_whole or record.method == "HEAD" or record.status in BODILESS:
            return True
        # Nor does it read more than Content-Length has promised.
        promised = [value for name, value in self._headers if name.lower() == "content-length" and value.isdecimal()]
        return bool(promised) and record.response_bytes > int(promised[0])  # type: ignore[operator]

    def _fail(self, error: BaseException, reason: str) -> None:
        self._has_failed = True
        record = self._record
        record.status = 500
        record.error = type(error).__name__
        record.reason = reason
        record.response_bytes = record.response_bytes or None  # The server answers instead, if nothing has been sent.
        if not isinstance(error, SystemExit | GeneratorExit):
            emit(logging.ERROR, {"event": reason, "exc_info": True})

    def _end(self) -> None:
        self._is_open = False
        self._environ.pop(END_REQUEST, None)
        self._finish(self._record, self._environ, self._request)
