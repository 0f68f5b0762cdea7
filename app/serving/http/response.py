"""A response: one call of a WSGI application (PEP 3333) becomes bytes of HTTP/1.1, piece by piece."""

import io
import logging
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING

from app.serving.http.request import Request
from app.serving.http.response_head import check_head, head_lines
from app.serving.http.response_listener import ADD_LISTENER, ResponseListener

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication, WSGIEnvironment

_ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None] | None

# The kernel takes this much at once. With a larger limit, the call could end before the client has read.
LAST_BYTES = 16 * 1024

_log = logging.getLogger(__name__)
_BODILESS = ("1", "204", "304")


class Response:
    """A call in progress: `read()` returns the next bytes to send, and None after the last ones.

    Then `close()` lets the application release what it used, and `end()` tells it that the request is over.
    """

    def __init__(
        self,
        application: "WSGIApplication",
        request: Request,
        environ: "WSGIEnvironment",
        *,
        keep_alive: bool,
        is_aborted: Callable[[], bool] = lambda: False,
    ) -> None:
        # The server asks this one: a middleware may change the environ, as that for X-HTTP-Method-Override does.
        self.request = request
        self.environ = environ
        self.keep_alive = keep_alive
        self.has_begun = self.is_exhausted = False
        self._application = application
        self._is_aborted = is_aborted
        self._status = ""
        self._headers: list[tuple[str, str]] = []
        self._written: list[bytes] = []
        self._iterable: Iterable[bytes] | None = None
        self._pieces: Iterator[bytes] = iter(())
        self._is_chunked = False
        self._remaining: int | None = None
        self._listeners: list[ResponseListener] = []
        environ[ADD_LISTENER] = self._listeners.append

    @property
    def is_called(self) -> bool:
        """Whether the application has been called."""
        return self._iterable is not None

    @property
    def is_complete(self) -> bool:
        """Whether everything that Content-Length promised has been returned."""
        return self.has_begun and self._remaining == 0

    def read(self) -> bytes | None:
        """Return the next bytes, if any, or None when all have been returned. Raises what the application raises.

        If the last bytes are few, `is_exhausted` is true as soon as they are returned. End the response before they
        are sent: a request that a client sees answered is then logged and counted, even if the worker is killed the
        next moment.
        """
        data = self._read()
        if data and self.is_complete and len(data) <= LAST_BYTES:
            self._read()
        return data

    def close(self) -> None:
        """Let the application release what the response used. What goes wrong is logged."""
        close = getattr(self._iterable, "close", None)
        # The application holds a method of this object, which would keep it and the body of the request alive.
        self._iterable, self._pieces = (), iter(())
        if close is not None:
            self._call(close)
        for listener in self._listeners:
            self._call(listener.close)
        # Flask keeps a request without a matching view until the next garbage collection.
        self.environ["wsgi.input"] = io.BytesIO()

    def end(self, cut_reason: str | None = None, failure: BaseException | None = None) -> None:
        """End the request, once."""
        while self._listeners:
            self._call(partial(self._listeners.pop(0).end, cut_reason, failure))

    def is_aborted_by(self, error: BaseException) -> bool:
        """Whether an error comes from a signal handler, and not from the application."""
        return isinstance(error, SystemExit) and self._is_aborted()

    def _call(self, function: Callable[[], object]) -> None:
        try:
            function()
        except BaseException as error:  # SystemExit too: whatever a view raises ends only its own request.
            if self.is_aborted_by(error):
                raise
            _log.exception("the application failed to close a response")

    def _read(self) -> bytes | None:
        if self._iterable is None:
            self._iterable = self._application(self.environ, self._start_response)
            self._pieces = iter(self._iterable)
        if self._written:
            piece = b"".join(self._written)
            self._written.clear()
            if piece:
                return self._frame(piece, None)
        for piece in self._pieces:
            if self.has_begun and self._remaining == 0:
                break  # More than Content-Length promised, or the body of a response to HEAD.
            # An empty piece too is returned: a generator that waits for something may yield many, and others have
            # their turn in between.
            return self._frame(piece, len(piece) if _has_one_piece(self._iterable) else None) if piece else b""
        return self._finish()

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: _ExceptionInfo = None
    ) -> Callable[[bytes], object]:
        if exc_info and exc_info[1] and self.has_begun:
            raise exc_info[1].with_traceback(exc_info[2])
        if not exc_info and self._status:
            raise AssertionError("start_response was called twice, without exc_info")
        # Checked here, inside the application, so that its own measurements include the error.
        check_head(status, headers)
        self._status, self._headers = status, headers
        return self._written.append

    def _frame(self, piece: bytes, size: int | None) -> bytes:
        head = b"" if self.has_begun else self._head(size)
        if self._is_chunked:
            return b"%s%x\r\n%s\r\n" % (head, len(piece), piece)
        if self._remaining is not None:
            piece = piece[: self._remaining]
            self._remaining -= len(piece)
        return head + piece

    def _finish(self) -> bytes | None:
        if self.is_exhausted:
            return None
        self.is_exhausted = True
        end = None if self.has_begun else self._head(0)
        if self._is_chunked:
            self._is_chunked = False
            self._remaining = 0
            return (end or b"") + b"0\r\n\r\n"
        if self._remaining:
            # Fewer bytes than Content-Length promised: only the end of the connection tells the client.
            self.keep_alive = False
            self._remaining = 0
        return end

    def _head(self, size: int | None) -> bytes:
        """Make the head; `size` is the size of the body if it is known without a Content-Length."""
        if not self._status:
            raise AssertionError("the application has not called start_response")
        lines, self._remaining, may_keep = head_lines(self._status, self._headers)
        self.keep_alive = self.keep_alive and may_keep
        self._choose_framing(lines, size)
        # HTTP/1.0 keeps a connection only if both sides say so.
        lines.append("Connection: keep-alive\r\n\r\n" if self.keep_alive else "Connection: close\r\n\r\n")
        head = "\r\n".join(lines).encode("latin-1")
        self.has_begun = True
        return head

    def _choose_framing(self, lines: list[str], size: int | None) -> None:
        is_head = self.request.method == "HEAD"
        if self._status.startswith(_BODILESS):
            self._remaining = 0
        elif self._remaining is None:
            if size is not None and not is_head:
                self._remaining = size
                lines.append(f"Content-Length: {size}")
            elif not self.request.is_http_1_0:
                self._is_chunked = not is_head
                lines.append("Transfer-Encoding: chunked")
            else:
                self.keep_alive = False
        if is_head:
            self._remaining = 0


def _has_one_piece(response: Iterable[bytes] | None) -> bool:
    return isinstance(response, list | tuple) and len(response) == 1
