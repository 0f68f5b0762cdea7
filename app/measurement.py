"""The one measuring point: each request passes it, and all that watches requests is told here, once, when it ends."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from app.client import ClientAddress
from app.correlation import request_id, trace
from app.exchange import ENVIRON_KEY, Exchange

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

# Together with the other members these keep a log line within 4,096 bytes, which is what a pipe takes in one piece: two
# workers that write longer lines at the same time can mix them.
LOGGED_CHARACTERS = 512


class Observer(Protocol):
    """Something that is told of every request: the log, the metrics."""

    def started(self) -> None:
        """Take note that a request is in progress."""

    def finished(self, exchange: Exchange) -> None:
        """Take note of a request that the application has answered."""

    def rejected(self, exchange: Exchange) -> None:
        """Take note of a request that the HTTP server has refused before the application saw it."""


class Measurement:
    """WSGI middleware that measures every request; `environ["app.exchange"]` is its Exchange."""

    def __init__(
        self,
        application: "WSGIApplication",
        observers: Sequence[Observer],
        client_address: ClientAddress,
        clock: Callable[[], float],
    ) -> None:
        self._application = application
        self._observers = observers
        self._client_address = client_address
        self._clock = clock

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Serve a request. It ends when the server closes the response, or when the application raises."""
        started = self._clock()
        exchange = environ[ENVIRON_KEY] = self.exchange(environ)
        for observer in self._observers:
            observer.started()

        def measured_start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            exchange.status = int(status[:3])
            headers.append(("X-Request-ID", exchange.request_id))
            headers.append(("X-Content-Type-Options", "nosniff"))
            return start_response(status, headers, exc_info)

        def finish() -> None:
            exchange.duration = self._clock() - started
            for observer in self._observers:
                observer.finished(exchange)

        try:
            return _MeasuredResponse(self._application(environ, measured_start_response), exchange, finish)
        except BaseException as error:
            exchange.status = 500
            exchange.error = type(error).__name__
            finish()
            raise

    def exchange(self, environ: "WSGIEnvironment") -> Exchange:
        """Describe a request by its environ."""
        traceparent = environ.get("HTTP_TRACEPARENT")
        return Exchange(
            request_id=request_id(environ.get("HTTP_X_REQUEST_ID")),
            method=_printable(environ["REQUEST_METHOD"]),
            path=_printable(environ.get("PATH_INFO", "")),
            client=self._client_address(environ.get("REMOTE_ADDR", ""), environ.get("HTTP_X_FORWARDED_FOR")),
            user_agent=_printable(environ.get("HTTP_USER_AGENT", "")),
            trace=trace(traceparent) if traceparent else None,
        )

    def reject(self, exchange: Exchange) -> None:
        """Tell the observers of a request that the HTTP server has refused by itself."""
        for observer in self._observers:
            observer.rejected(exchange)


class _MeasuredResponse:
    def __init__(self, response: Iterable[bytes], exchange: Exchange, finish: Callable[[], None]) -> None:
        self._response = response
        self._exchange = exchange
        self._finish = finish

    def __iter__(self) -> Iterator[bytes]:
        try:
            for chunk in self._response:
                self._exchange.response_bytes += len(chunk)
                yield chunk
        except Exception as error:
            self._exchange.status = 500
            self._exchange.error = type(error).__name__
            raise

    def close(self) -> None:
        try:
            close = getattr(self._response, "close", None)
            if close is not None:
                close()
        finally:
            self._finish()


def _printable(text: str) -> str:
    # Bidirectional controls, line separators and terminal escapes are valid in a header and in a path; a log is read
    # on terminals and split by tools that take more than \n for the end of a line.
    text = text[:LOGGED_CHARACTERS]
    if text.isascii() and text.isprintable():
        return text
    return text.encode("unicode_escape").decode("ascii")[:LOGGED_CHARACTERS]
