"""The measuring point: every request passes it once, and all who watch are told the same."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from werkzeug.test import Client, EnvironBuilder

from app.application import Application
from app.client import ClientAddress
from app.correlation import Trace
from app.exchange import ENVIRON_KEY, UNMATCHED, Exchange
from app.measurement import Measurement


class Watcher:
    """An observer that keeps what it is told, in order."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Exchange | None]] = []

    def started(self) -> None:
        """Keep that a request has begun."""
        self.told.append(("started", None))

    def finished(self, exchange: Exchange) -> None:
        """Keep the request that has ended."""
        self.told.append(("finished", exchange))

    def rejected(self, exchange: Exchange) -> None:
        """Keep the request that was refused."""
        self.told.append(("rejected", exchange))


class Clock:
    """A clock that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Give the clock of the measuring point."""
    return Clock()


@pytest.fixture
def watcher() -> Watcher:
    """Give an observer of the measuring point."""
    return Watcher()


@pytest.fixture
def measure(clock: Clock, watcher: Watcher) -> Callable[..., Measurement]:
    """Put the measuring point before an application."""
    return lambda application: Measurement(application, [watcher], ClientAddress("127.0.0.1"), clock)


class Body:
    """A response that tells when it is read and closed, and lets time go by."""

    def __init__(self, clock: Clock, *chunks: bytes, error: Exception | None = None) -> None:
        self.clock = clock
        self.chunks = chunks
        self.error = error
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        """Hand out the chunks, half a second for each."""
        for chunk in self.chunks:
            self.clock.now += 0.5
            yield chunk
        if self.error:
            raise self.error

    def close(self) -> None:
        """Take a quarter of a second to close."""
        self.closed += 1
        self.clock.now += 0.25


def environ(**changes: Any) -> dict[str, Any]:
    """Make an environ as the gateway does."""
    return EnvironBuilder(environ_base={"REMOTE_ADDR": "203.0.113.9"}, **changes).get_environ()


def answering(response: Iterable[bytes], status: str = "200 OK") -> Callable[..., Iterable[bytes]]:
    """Make an application that answers with a response."""

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response(status, [("Content-Type", "text/plain")])
        return response

    return application


def ignore_start(*_: Any) -> None:
    """Take the status and the headers and forget them."""


def test_duration_until_the_response_is_closed(
    measure: Callable[..., Measurement], clock: Clock, watcher: Watcher
) -> None:
    """A request takes from the hand-over to the end of closing, its body included."""
    body = Body(clock, b"ab", b"cde")
    response = measure(answering(body, "201 CREATED"))(environ(), ignore_start)
    assert [("started", None)] == watcher.told
    assert b"abcde" == b"".join(response)
    assert 1 == len(watcher.told)
    response.close()  # type: ignore[attr-defined]
    (_, (kind, exchange)) = watcher.told
    assert exchange is not None
    assert ("finished", 201, 1.25, 5, 1) == (
        kind,
        exchange.status,
        exchange.duration,
        exchange.response_bytes,
        body.closed,
    )


def test_response_without_close(measure: Callable[..., Measurement], watcher: Watcher) -> None:
    """A response need not have a way to be closed."""
    response = measure(answering([b"ab"]))(environ(), ignore_start)
    response.close()  # type: ignore[attr-defined]
    assert ["started", "finished"] == [kind for kind, _ in watcher.told]


def test_response_that_fails_to_close(measure: Callable[..., Measurement], clock: Clock, watcher: Watcher) -> None:
    """A response that cannot be closed is told of all the same, once."""
    body = Body(clock)
    body.close = lambda: 1 / 0  # type: ignore[assignment, method-assign, return-value]
    response = measure(answering(body))(environ(), ignore_start)
    with pytest.raises(ZeroDivisionError):
        response.close()  # type: ignore[attr-defined]
    assert ["started", "finished"] == [kind for kind, _ in watcher.told]


def test_crash(measure: Callable[..., Measurement], clock: Clock, watcher: Watcher) -> None:
    """An application that raises is told of as 500 with the kind of the error, and the error goes on."""

    def application(_environ: dict[str, Any], _start_response: Callable[..., Any]) -> Iterable[bytes]:
        clock.now += 2.0
        raise LookupError("secret")

    with pytest.raises(LookupError):
        measure(application)(environ(), ignore_start)
    (_, (kind, exchange)) = watcher.told
    assert exchange is not None
    assert ("finished", 500, "LookupError", 2.0) == (kind, exchange.status, exchange.error, exchange.duration)


def test_crash_while_the_body_is_made(measure: Callable[..., Measurement], clock: Clock, watcher: Watcher) -> None:
    """A response that breaks off has failed, whatever status it had begun with."""
    response = measure(answering(Body(clock, b"ab", error=LookupError("secret"))))(environ(), ignore_start)
    with pytest.raises(LookupError):
        list(response)
    response.close()  # type: ignore[attr-defined]
    (_, (kind, exchange)) = watcher.told
    assert exchange is not None
    assert ("finished", 500, "LookupError") == (kind, exchange.status, exchange.error)


def test_headers(measure: Callable[..., Measurement]) -> None:
    """Every answer carries the request id and forbids sniffing, beside its own headers."""
    started: list[Any] = []
    measure(answering([]))(environ(headers={"X-Request-ID": "abc"}), lambda *arguments: started.extend(arguments))
    expected = [("Content-Type", "text/plain"), ("X-Request-ID", "abc"), ("X-Content-Type-Options", "nosniff")]
    assert ["200 OK", expected, None] == started


def test_write_of_start_response_is_passed_on(measure: Callable[..., Measurement]) -> None:
    """The old way to write of PEP 3333 still works behind the measuring point."""
    written: list[bytes] = []

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])(b"written")
        return []

    measure(application)(environ(), lambda *_: written.append)
    assert [b"written"] == written


def test_exchange_of_an_environ(measure: Callable[..., Measurement]) -> None:
    """A request is described by what its environ says."""
    exchange = measure(answering([])).exchange(
        {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/a b",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_X_FORWARDED_FOR": "198.51.100.1",
            "HTTP_X_REQUEST_ID": "abc",
            "HTTP_USER_AGENT": "curl/8",
            "HTTP_TRACEPARENT": f"00-{'1' * 32}-{'2' * 16}-01",
        }
    )
    expected = Exchange("abc", "POST", "/a b", "198.51.100.1", "curl/8", Trace("1" * 32, "2" * 16))
    assert expected == exchange
    assert (UNMATCHED, 500, None, None) == (exchange.route, exchange.status, exchange.numbers, exchange.outcome)


def test_exchange_of_next_to_nothing(measure: Callable[..., Measurement]) -> None:
    """A request of which only the beginning has arrived can be described, too."""
    exchange = measure(answering([])).exchange({"REQUEST_METHOD": ""})
    assert ("", "", "", "", None) == (
        exchange.method,
        exchange.path,
        exchange.client,
        exchange.user_agent,
        exchange.trace,
    )
    assert 32 == len(exchange.request_id)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/plain", "/plain"),
        ('/quotes"and\\backslashes', '/quotes"and\\backslashes'),
        ("/line\nbreak\r", "/line\\nbreak\\r"),
        ("/\x1b[31m\x7f\x00", "/\\x1b[31m\\x7f\\x00"),
        ("/\u202e\u2028", "/\\u202e\\u2028"),
        ("/\xe2\x80\xae", "/\\xe2\\x80\\xae"),
        ("/é", "/\\xe9"),
        ("x" * 600, "x" * 512),
        ("\n" * 600, "\\n" * 256),
        ("\U0001f600" * 600, "\\U0001f600" * 51 + "\\U"),
    ],
    ids=lambda text: ascii(text)[:24],
)
def test_logged_text_is_harmless(measure: Callable[..., Measurement], text: str, expected: str) -> None:
    """Method, path and user agent are at most 512 characters of printable ASCII."""
    exchange = measure(answering([])).exchange({"REQUEST_METHOD": text, "PATH_INFO": text, "HTTP_USER_AGENT": text})
    assert (expected, expected, expected) == (exchange.method, exchange.path, exchange.user_agent)


def test_all_observers_are_told_the_same(clock: Clock) -> None:
    """Each observer gets the very same description: what one shows, the other shows."""
    watchers = [Watcher(), Watcher()]
    measurement = Measurement(answering([b"ab"]), watchers, ClientAddress("127.0.0.1"), clock)  # type: ignore[arg-type]
    response = measurement(environ(), ignore_start)
    list(response)
    response.close()  # type: ignore[attr-defined]
    measurement.reject(measurement.exchange({"REQUEST_METHOD": "GET"}))
    assert ["started", "finished", "rejected"] == [kind for kind, _ in watchers[0].told]
    assert watchers[0].told[1][1] is watchers[1].told[1][1]
    assert watchers[0].told[2][1] is watchers[1].told[2][1]


def item(number: int) -> str:
    """Answer a number."""
    return str(number)


def test_route_is_the_rule(measure: Callable[..., Measurement], watcher: Watcher) -> None:
    """The route is the rule, of which there are only so many; without one it is `unmatched`."""
    app = Application(__name__, static_folder=None)
    app.add_url_rule("/items/<int:number>", view_func=item)
    app.wsgi_app = measure(app.wsgi_app)  # type: ignore[method-assign]
    client = Client(app)
    for path in ("/items/1", "/items/2", "/items/x", "/nowhere"):
        client.get(path).close()
    exchanges = [exchange for kind, exchange in watcher.told if exchange]
    assert ["/items/<int:number>", "/items/<int:number>", UNMATCHED, UNMATCHED] == [e.route for e in exchanges]


def test_exchange_is_in_the_environ(measure: Callable[..., Measurement], watcher: Watcher) -> None:
    """The application finds the description under its key, and can fill it in."""

    def application(request_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        request_environ[ENVIRON_KEY].numbers = 7
        return []

    measure(application)(environ(), ignore_start).close()  # type: ignore[attr-defined]
    exchange = watcher.told[1][1]
    assert exchange is not None
    assert 7 == exchange.numbers
