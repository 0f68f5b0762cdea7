"""The response as the server reads it, measured on its way."""

from collections.abc import Callable, Iterable, Iterator
from contextvars import Context
from typing import TYPE_CHECKING, Any, Self

import structlog

from app.observability.request_record import RequestRecord, set_current_record

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from flask import Request

    Finish = Callable[[RequestRecord, WSGIEnvironment, Request | None], None]

NO_SNIFFING = ("X-Content-Type-Options", "nosniff")
UNHANDLED = "unhandled exception"
CUT_SHORT = "the application failed after the response had begun"
CLIENT_GONE = "client disconnected before the response was complete"
BODILESS = frozenset({204, 304})


class MeasuredResponse:
    """A response iterable; all of the application runs in the context of the request, however the server calls it."""

    def __init__(self, context: Context, environ: "WSGIEnvironment", record: RequestRecord, finish: "Finish") -> None:
        self._context = context
        self._environ = environ
        self._record = record
        self._finish = finish
        self._request: Request | None = None
        self._is_open = True
        self._is_whole = False

    def start(self, application: "WSGIApplication", start_response: "StartResponse") -> Self:
        """Call the application. What it raises ends the request, and is raised again."""
        self._start = start_response
        self._context.run(self._call, application)
        return self

    def _call(self, application: "WSGIApplication") -> None:
        set_current_record(self._record)
        try:
            self._response: Iterable[bytes] = application(self._environ, self._start_response)
            self._chunks = iter(self._response)
        except BaseException as error:
            self._fail(error, UNHANDLED)
            self._end()
            raise

    def _start_response(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        self._record.status = int(status[:3])
        # werkzeug puts it there, and Flask takes it away before a streamed response has been read.
        self._request = self._environ.get("werkzeug.request")
        return self._start(status, [*headers, ("X-Request-ID", self._record.request_id), NO_SNIFFING], exc_info)

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
            self._context.run(self._fail, error, CUT_SHORT)
            raise
        self._record.response_bytes += len(chunk)  # type: ignore[operator]
        return chunk

    def close(self) -> None:
        """End the request."""
        if self._is_open:
            self._context.run(self._close)

    def _close(self) -> None:
        try:
            close = getattr(self._response, "close", None)
            if close is not None:
                close()
        finally:
            record = self._record
            # Of a response without a body, a server may not look at the iterable at all.
            is_bodiless = record.method == "HEAD" or record.status in BODILESS
            if not self._is_whole and not is_bodiless and record.reason is None:
                record.reason = CLIENT_GONE
            self._end()

    def _fail(self, error: BaseException, reason: str) -> None:
        record = self._record
        record.status = 500
        record.error = type(error).__name__
        record.reason = reason
        if not isinstance(error, SystemExit | GeneratorExit):
            structlog.get_logger().exception(reason)

    def _end(self) -> None:
        self._is_open = False
        self._finish(self._record, self._environ, self._request)
