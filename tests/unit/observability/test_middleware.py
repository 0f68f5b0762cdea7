"""The measuring point: every request passes it once, and its line in the log and the metrics are told the same."""

import asyncio
import gc
import io
from asyncio import CancelledError
from collections.abc import Callable, Iterable, Iterator
from contextvars import Context, ContextVar, copy_context
from functools import partial
from io import BytesIO
from itertools import islice
from time import monotonic
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
import structlog
from flask import Flask, Request, Response, got_request_exception, request
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, sampling
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import format_span_id, format_trace_id, get_current_span
from prometheus_client import REGISTRY
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.shared_data import SharedDataMiddleware
from werkzeug.routing import BaseConverter
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request as WerkzeugRequest

from app.observability import middleware as module
from app.observability import traces
from app.observability.captured_output import end_lines
from app.observability.correlation import Trace
from app.observability.forwarded import Forwarded
from app.observability.measured_response import ADD_LISTENER, END_REQUEST
from app.observability.metrics import metrics
from app.observability.middleware import RequestMiddleware, describe, init_app, reject
from app.observability.otel.request_span import RequestSpan
from app.observability.otel.request_spans import RequestSpans
from app.observability.request_record import ENVIRON_KEY, current_record
from app.observability.scoreboard import IN_PROGRESS, scoreboard
from app.settings import Settings
from app.web.problems import Problem
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from tests.support.log_lines import Lines

COUNT = "http_request_duration_seconds_count"


class Clock:
    """A clock that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Give the clock of the measuring point."""
    clock = Clock()
    monkeypatch.setattr(module, "monotonic", clock)
    return clock


@pytest.fixture
def app(log_lines: "Lines", make_settings: Callable[..., Settings]) -> Flask:  # noqa: ARG001 - before the application
    """Make an application whose bodies have up to 100 bytes, and measure it."""
    app = Flask("measured", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = 100
    init_app(app, make_settings(max_body_bytes=100))
    return app


@pytest.fixture
def measure(app: Flask, make_settings: Callable[..., Settings]) -> Callable[..., RequestMiddleware]:
    """Put the measuring point before any WSGI application."""
    return lambda application: RequestMiddleware(application, app, make_settings(max_body_bytes=100))


FORWARDED = Forwarded(Settings.from_environ({}).forwarded_allow_ips)


class Spans(list[ReadableSpan]):
    """The spans that have ended."""

    def on_end(self, span: RequestSpan) -> None:
        """Take one, as a queue does."""
        self.append(span.read(Resource({}), InstrumentationScope("tested")))


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Spans:
    """Let the measuring point make spans, and return them."""
    spans = Spans()
    monkeypatch.setattr(traces, "request_spans", RequestSpans(sampling.DEFAULT_ON, spans))  # type: ignore[arg-type]
    return spans


class Body:
    """A response that tells when it is closed, and lets time go by."""

    def __init__(self, clock: Callable[[], float], *chunks: bytes, error: BaseException | None = None) -> None:
        self.clock: Any = clock
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
    """Make an environ as a server does."""
    return EnvironBuilder(environ_base={"REMOTE_ADDR": "203.0.113.9"}, **changes).get_environ()


def from_our_server(listeners: list[Any]) -> dict[str, Any]:
    """Make an environ as our server does, for what watches the response."""
    return environ() | {"SERVER_SOFTWARE": "ours", ADD_LISTENER: listeners.append}


def answering(response: Iterable[bytes], status: str = "200 OK") -> Callable[..., Iterable[bytes]]:
    """Make an application that answers with a response."""

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response(status, [("Content-Type", "text/plain")])
        return response

    return application


def ignore_start(*_: Any) -> None:
    """Take the status and the headers and forget them."""


def serve(application: RequestMiddleware, request: dict[str, Any]) -> bytes:
    """Read and close the response to a request, as a server does."""
    response = application(request, ignore_start)
    try:
        return b"".join(response)
    finally:
        response.close()  # type: ignore[attr-defined]


def count(method: str = "GET", route: str = "unmatched", status: int = 200) -> float:
    """Read how many requests have been counted."""
    labels = {"method": method, "route": route, "status": str(status)}
    return REGISTRY.get_sample_value(COUNT, labels) or 0.0


def test_duration_until_the_response_is_closed(
    measure: Callable[..., RequestMiddleware], clock: Clock, log_lines: "Lines"
) -> None:
    """A request takes from the call of the application to the end of closing, its body included."""
    body = Body(clock, b"ab", b"cde")
    response = measure(answering(body, "201 CREATED"))(environ(), ignore_start)
    assert b"abcde" == b"".join(response)
    assert [] == log_lines.raw
    before = count(status=201)
    response.close()  # type: ignore[attr-defined]
    response.close()  # type: ignore[attr-defined]
    line = log_lines.only
    expected = (201, 1250.0, 0.0, 5, 1)
    assert expected == (line["status"], line["duration_ms"], line["queue_ms"], line["response_bytes"], body.closed)
    assert before + 1 == count(status=201)


def test_duration_from_the_arrival(measure: Callable[..., RequestMiddleware], clock: Clock, log_lines: "Lines") -> None:
    """Where the server tells when a request has arrived, the wait until the application is called counts."""
    request = environ() | {"request.received_at": clock.now - 2.0}
    serve(measure(answering(Body(clock, b"ab"))), request)
    assert (2750.0, 2000.0) == (log_lines.only["duration_ms"], log_lines.only["queue_ms"])


def test_response_without_close(measure: Callable[..., RequestMiddleware], log_lines: "Lines") -> None:
    """A response need not have a way to be closed."""
    assert b"ab" == serve(measure(answering([b"ab"])), environ())
    assert "reason" not in log_lines.only


def test_response_that_fails_to_close(
    measure: Callable[..., RequestMiddleware], clock: Clock, log_lines: "Lines"
) -> None:
    """A response that cannot be closed is told of all the same, once, and the error has the id of its request."""
    body = Body(clock)
    body.close = lambda: 1 / 0  # type: ignore[assignment, method-assign, return-value]
    serve(measure(answering(body)), environ(headers={"X-Request-ID": "one"}))
    expected = [("the application failed to close a response", "one"), ("request", "one")]
    assert expected == [(line["event"], line["request_id"]) for line in log_lines.json]


def test_response_that_is_longer_than_it_says(measure: Callable[..., RequestMiddleware], log_lines: "Lines") -> None:
    """A server reads no more than Content-Length has promised: that is no client that is gone."""

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
        return iter([b"ab", b"c", b"d"])

    response = measure(application)(environ(), ignore_start)
    for _ in range(2):
        next(iter(response))
    response.close()  # type: ignore[attr-defined]
    assert "reason" not in log_lines.only


GONE = "client disconnected before the response was complete"
AROUND = "a middleware around the application failed"


@pytest.mark.parametrize(
    ("cut_reason", "failure", "expected"),
    [
        pytest.param(None, None, (200, None, None), id="whole"),
        pytest.param("", None, (200, None, GONE), id="the client has gone"),
        pytest.param("no time", None, (200, None, "no time"), id="the server had a reason"),
        pytest.param(None, KeyError("a"), (500, "KeyError", AROUND), id="a middleware has failed"),
        pytest.param("", KeyError("a"), (500, "KeyError", AROUND), id="a middleware has failed, and no client waits"),
    ],
)
@pytest.mark.parametrize("is_closed", [True, False])
def test_the_server_knows_how_a_response_ends(  # noqa: PLR0913 - two fixtures, four columns
    measure: Callable[..., RequestMiddleware],
    log_lines: "Lines",
    cut_reason: str | None,
    failure: Exception | None,
    expected: tuple[int, str | None, str | None],
    *,
    is_closed: bool,
) -> None:
    """On our server, a request ends with its response, whenever a middleware closes what it has read."""
    listeners: list[Any] = []
    response: Any = measure(answering([b"ab", b"c"]))(from_our_server(listeners), ignore_start)
    assert b"ab" == next(response)
    if is_closed:
        response.close()
    assert [] == log_lines.raw
    for _ in range(2):
        listeners[0].close()
        listeners[0].end(cut_reason, failure)
    line = log_lines.only
    assert expected == (line["status"], line.get("error"), line.get("reason"))


def test_what_fails_in_the_application_is_not_blamed_on_what_is_around_it(
    measure: Callable[..., RequestMiddleware], log_lines: "Lines"
) -> None:
    """An exception that passes through a middleware has one line, which says where it came from."""

    def pieces() -> Iterator[bytes]:
        yield b"a"
        raise LookupError

    listeners: list[Any] = []
    response: Any = measure(answering(pieces()))(from_our_server(listeners), ignore_start)
    with pytest.raises(LookupError) as failure:
        list(response)
    listeners[0].end(None, failure.value)
    _, line = log_lines.json
    expected = (500, "LookupError", "the application failed after the response had begun")
    assert expected == (line["status"], line["error"], line["reason"])


def test_a_request_of_the_application_itself_ends_when_it_is_closed(
    measure: Callable[..., RequestMiddleware], log_lines: "Lines"
) -> None:
    """A view that calls the application with the environ of its own request waits for no server."""
    listeners: list[Any] = []
    inner = measure(answering([b"ab"], "201 CREATED"))
    request = from_our_server(listeners)

    def outer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        inner(environ, ignore_start).close()  # type: ignore[attr-defined]
        start_response("200 OK", [])
        return []

    measure(outer)(request, ignore_start)
    assert 201 == log_lines.only["status"]
    listeners[0].end(None, None)
    assert 1 == len(listeners)
    assert [201, 200] == [line["status"] for line in log_lines.json]


def test_a_request_of_the_application_itself_in_a_thread(
    measure: Callable[..., RequestMiddleware], log_lines: "Lines"
) -> None:
    """Its context does not know of the request around it, but its environ does."""
    listeners: list[Any] = []
    request = from_our_server(listeners)
    measure(answering([]))(request, ignore_start)
    response: Any = Context().run(measure(answering([b"ab"], "201 CREATED")), request.copy(), ignore_start)
    assert 1 == scoreboard.read(scoreboard.slot, IN_PROGRESS)
    list(response)
    response.close()
    assert 201 == log_lines.only["status"]
    listeners[0].end(None, None)


def test_an_application_that_is_mounted(
    app: Flask, measure: Callable[..., RequestMiddleware], log_lines: "Lines"
) -> None:
    """What another application answers is not counted as a route of this one that has the rest of its path."""
    mounted = Flask("mounted")
    for each in (app, mounted):
        each.add_url_rule("/hello", view_func=lambda: "")
    others = {"/old": answering([b"old"]), "/new": mounted}
    measured = measure(DispatcherMiddleware(partial(Flask.wsgi_app, app), others))
    for path in ("/old/hello", "/new/hello", "/hello"):
        serve(measured, environ(path=path))
    expected = [("/old/hello", "unmatched"), ("/new/hello", "unmatched"), ("/hello", "/hello")]
    assert expected == [(line["path"], line["route"]) for line in log_lines.json]


@pytest.mark.parametrize(("method", "status"), [("GET", 200), ("POST", 405)])
def test_a_middleware_that_takes_a_prefix(
    app: Flask, measure: Callable[..., RequestMiddleware], log_lines: "Lines", method: str, status: int
) -> None:
    """The route is that of the path which the application has seen."""
    app.add_url_rule("/hello", view_func=lambda: "")
    measured = measure(DispatcherMiddleware(answering([]), {"/api": partial(Flask.wsgi_app, app)}))
    serve(measured, environ(path="/api/hello", method=method))
    assert (status, "/hello") == (log_lines.only["status"], log_lines.only["route"])


@pytest.mark.parametrize("chunked", [False, True])
def test_a_middleware_that_reads_a_body_which_is_too_large(
    app: Flask, measure: Callable[..., RequestMiddleware], log_lines: "Lines", *, chunked: bool
) -> None:
    """It is a 413 there as well, in the form that the application gives to its errors."""
    app.register_error_handler(413, lambda _error: ("too large", 413))

    def read(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))]

    size = {"HTTP_TRANSFER_ENCODING": "chunked"} if chunked else {"CONTENT_LENGTH": "101"}
    request = environ(method="POST") | {"wsgi.input": io.BytesIO(bytes(101)), "wsgi.input_terminated": True} | size
    assert b"too large" == serve(measure(read), request | {module.RECEIVED_AT: 100.0})
    assert 413 == log_lines.only["status"]


@pytest.mark.parametrize("read", [0, 1, 3])
@pytest.mark.parametrize(
    ("failure", "status", "error", "reason"),
    [
        (None, 200, None, None),
        (KeyError("a"), 500, "KeyError", AROUND),
        (BrokenPipeError(), 200, None, GONE),
        (ConnectionResetError(), 200, None, GONE),
    ],
)
def test_response_that_nothing_closes(  # noqa: PLR0913, PLR0917 - the columns of the table
    measure: Callable[..., RequestMiddleware],
    log_lines: "Lines",
    failure: Exception | None,
    status: int,
    error: str | None,
    reason: str | None,
    read: int,
) -> None:
    """Where a middleware around this one fails, or does not close what it has read, the server ends the request."""
    before = count(status=status)
    request = environ()
    response = measure(answering([b"ab", b"c"]))(request, ignore_start)
    assert min(read, 2) == len(list(islice(response, read)))
    request[END_REQUEST](failure)
    line = log_lines.only
    assert (status, error, reason) == (line["status"], line.get("error"), line.get("reason"))
    assert (before + 1, False) == (count(status=status), END_REQUEST in request)


@pytest.mark.parametrize(
    ("error", "events"),
    [
        (LookupError, ["unhandled exception", "request"]),
        (CancelledError, ["unhandled exception", "request"]),
        (SystemExit, ["request"]),
    ],
)
def test_crash(
    measure: Callable[..., RequestMiddleware],
    clock: Clock,
    log_lines: "Lines",
    error: type[BaseException],
    events: list[str],
) -> None:
    """An application that raises is told of as 500 with the kind of the error, and the error goes on."""

    def application(_environ: dict[str, Any], _start_response: Callable[..., Any]) -> Iterable[bytes]:
        clock.now += 2.0
        raise error("secret")

    with pytest.raises(error):
        measure(application)(environ(), ignore_start)
    *_, line = log_lines.json
    assert events == [line["event"] for line in log_lines.json]
    assert (500, error.__name__, 2000.0, "unhandled exception") == (
        line["status"],
        line["error"],
        line["duration_ms"],
        line["reason"],
    )
    assert 1 == len({line["request_id"] for line in log_lines.json})


def test_crash_while_the_body_is_made(
    measure: Callable[..., RequestMiddleware], clock: Clock, log_lines: "Lines"
) -> None:
    """A response that breaks off has failed, whatever status it had begun with; its traceback is in the log."""
    with pytest.raises(LookupError):
        serve(measure(answering(Body(clock, b"ab", error=LookupError("secret")))), environ())
    traceback, line = log_lines.json
    assert "LookupError: secret" in traceback["traceback"]
    assert (500, "LookupError", traceback["event"]) == (line["status"], line["error"], line["reason"])
    assert traceback["request_id"] == line["request_id"]


def test_a_piece_that_is_text(measure: Callable[..., RequestMiddleware], clock: Clock, log_lines: "Lines") -> None:
    """A response of text instead of bytes is the application's error, whichever server meets it."""
    with pytest.raises(TypeError):
        serve(measure(answering(Body(clock, "text"))), environ())  # type: ignore[arg-type]
    line = log_lines.json[-1]
    assert (500, "TypeError") == (line["status"], line["error"])


def test_a_reason_is_that_of_the_answer(measure: Callable[..., RequestMiddleware], log_lines: "Lines") -> None:
    """An error that the application has met and made a good answer of is not the request's."""

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ[ENVIRON_KEY].reason = "Not Found"
        start_response("200 OK", [])
        return [b"a"]

    serve(measure(application), environ())
    assert (200, False) == (log_lines.only["status"], "reason" in log_lines.only)


@pytest.mark.parametrize("limit", [20, None])
@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"CONTENT_LENGTH": "11", "wsgi.input": b""}, id="not taken"),
        pytest.param({"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": b"a" * 11}, id="chunked"),
    ],
)
def test_a_view_with_a_larger_limit(
    make_settings: Callable[..., Settings], log_lines: "Lines", body: dict[str, Any], limit: int | None
) -> None:
    """What the server has not taken, or not whole, is a 413 for a view that would take it, and no empty body."""
    app = Flask("larger", static_folder=None)
    init_app(app, make_settings(max_body_bytes=10))

    @app.post("/")
    def view() -> str:
        request.max_content_length = limit
        return str(len(request.get_data()))

    received = {"request.received_at": 0.0, "wsgi.input_terminated": True, "REQUEST_METHOD": "POST"}
    serve(app, environ() | received | body | {"wsgi.input": BytesIO(body["wsgi.input"])})
    assert (413, 11) == (log_lines.only["status"], log_lines.only["request_bytes"])


def test_client_that_is_gone(measure: Callable[..., RequestMiddleware], clock: Clock, log_lines: "Lines") -> None:
    """A response that the server closes before its end has met a client that is gone; its status stands."""
    response = measure(answering(Body(clock, b"ab", b"c")))(environ(), ignore_start)
    next(iter(response))
    response.close()  # type: ignore[attr-defined]
    line = log_lines.only
    assert ("info", 200, 2, "client disconnected before the response was complete") == (
        line["level"],
        line["status"],
        line["response_bytes"],
        line["reason"],
    )


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", "200 OK"), ("GET", "204 NO CONTENT"), ("GET", "304 NOT MODIFIED")]
)
def test_response_without_a_body(
    measure: Callable[..., RequestMiddleware], log_lines: "Lines", method: str, status: str
) -> None:
    """A server need not read a response that has no body."""
    measure(answering([], status))(environ(method=method), ignore_start).close()  # type: ignore[attr-defined]
    assert "reason" not in log_lines.only


def test_headers(measure: Callable[..., RequestMiddleware]) -> None:
    """Every answer carries the request id and forbids sniffing, beside its own headers."""
    started: list[Any] = []
    measure(answering([]))(environ(headers={"X-Request-ID": "abc"}), lambda *arguments: started.extend(arguments))
    expected = [("Content-Type", "text/plain"), ("X-Request-ID", "abc"), ("X-Content-Type-Options", "nosniff")]
    assert ["200 OK", expected, None] == started


def test_write_of_start_response_is_passed_on(measure: Callable[..., RequestMiddleware]) -> None:
    """The old way to write of PEP 3333 still works behind the measuring point."""
    written: list[bytes] = []

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])(b"written")
        return []

    measure(application)(environ(), lambda *_: written.append)
    assert [b"written"] == written


def test_record_of_an_environ() -> None:
    """A request is described by what its environ says."""
    record = describe(
        {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/a b",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.url_scheme": "http",
            "HTTP_X_FORWARDED_FOR": "198.51.100.1",
            "HTTP_X_REQUEST_ID": "abc",
            "HTTP_USER_AGENT": "curl/8",
            "HTTP_TRACEPARENT": f"00-{'1' * 32}-{'2' * 16}-01",
        },
        FORWARDED,
    )
    expected = ("abc", "POST", "/a b", "198.51.100.1", "curl/8", Trace("1" * 32, "2" * 16))
    assert expected == (record.request_id, record.method, record.path, record.client, record.user_agent, record.trace)


def test_record_of_next_to_nothing() -> None:
    """A request of which only the beginning has arrived can be described, too: what is not known is None."""
    record = describe({"REQUEST_METHOD": "", "REMOTE_ADDR": ""}, FORWARDED)
    assert (None,) * 5 == (record.method, record.path, record.client, record.user_agent, record.trace)
    assert 32 == len(record.request_id)


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
def test_logged_text_is_harmless(text: str, expected: str) -> None:
    """Method, path and user agent are at most 512 characters of printable ASCII."""
    record = describe({"REQUEST_METHOD": text, "PATH_INFO": text, "HTTP_USER_AGENT": text}, FORWARDED)
    assert (expected, expected, expected) == (record.method, record.path, record.user_agent)


def test_rejection(log_lines: "Lines") -> None:
    """What the server refuses by itself is logged, and counted apart from what the application has answered."""
    record = describe({"REMOTE_ADDR": "192.0.2.1"}, FORWARDED)
    record.status, record.reason = 431, "the head is larger than 16384 bytes"
    before = REGISTRY.get_sample_value("http_requests_rejected_total", {"status": "431"}) or 0.0
    reject(record, environ())
    line = log_lines.only
    assert ("warning", 431, record.reason, "192.0.2.1") == (
        line["level"],
        line["status"],
        line["reason"],
        line["client"],
    )
    unknown = ("method", "path", "route", "duration_ms", "queue_ms", "request_bytes", "response_bytes", "user_agent")
    assert {None} == {line[key] for key in unknown}
    assert before + 1 == REGISTRY.get_sample_value("http_requests_rejected_total", {"status": "431"})


@pytest.mark.parametrize(
    ("server", "expected"),
    [({"request.received_at": 0.0}, 1), ({"SERVER_SOFTWARE": "gunicorn"}, 1), ({}, 0)],
    ids=["ours", "another", "none"],
)
def test_in_progress(measure: Callable[..., RequestMiddleware], server: dict[str, Any], expected: int) -> None:
    """A request is in progress from its call to its end, unless the application made it, which may never end it."""
    before = sum(scoreboard.column(IN_PROGRESS))
    response = measure(answering([]))(environ() | server, ignore_start)
    assert before + expected == sum(scoreboard.column(IN_PROGRESS))
    response.close()  # type: ignore[attr-defined]
    assert before == sum(scoreboard.column(IN_PROGRESS))


def test_a_middleware_that_answers_by_itself(log_lines: "Lines", make_settings: Callable[..., Settings]) -> None:
    """A request that a middleware answers has its line, if the application had it before it was measured."""
    app = Flask("measured", static_folder=None)
    app.wsgi_app = SharedDataMiddleware(app.wsgi_app, {"/static": str(ROOT)})  # type: ignore[method-assign]
    init_app(app, make_settings())
    app.test_client().get("/static/LICENSE", buffered=True)
    line = log_lines.only
    assert (200, "unmatched", (ROOT / "LICENSE").stat().st_size) == (
        line["status"],
        line["route"],
        line["response_bytes"],
    )


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("GET", "/items/1", "/items/<int:number>"),
        ("GET", "/items/2", "/items/<int:number>"),
        ("GET", "/items/x", "unmatched"),
        ("GET", "/nowhere", "unmatched"),
        ("PUT", "/items/1", "/items/<int:number>"),
        ("GET", "/folder", "unmatched"),
        ("PUT", "/folder", "unmatched"),
    ],
)
def test_route_is_the_rule(app: Flask, log_lines: "Lines", method: str, path: str, route: str) -> None:
    """The route is the rule, also for a wrong method; without one it is `unmatched`: there is no end to paths."""
    app.add_url_rule("/items/<int:number>", endpoint="item", view_func=_item)
    app.add_url_rule("/folder/", view_func=lambda: "", methods=["GET"])
    app.test_client().open(path, method=method, buffered=True)
    assert route == log_lines.only["route"]


def test_route_of_a_wrong_method_below_a_subdomain(log_lines: "Lines", make_settings: Callable[..., Settings]) -> None:
    """Where the host chooses the rule, a wrong method has the route that the right one has."""
    app = Flask("measured", static_folder=None, subdomain_matching=True)
    app.config["SERVER_NAME"] = "example.org"
    init_app(app, make_settings())
    app.add_url_rule("/items", view_func=_item, subdomain="shop", methods=["GET"])
    status = app.test_client().put("/items", base_url="http://shop.example.org", buffered=True).status_code
    assert (405, "/items") == (status, log_lines.only["route"])


def test_route_where_a_converter_fails(app: Flask, log_lines: "Lines") -> None:
    """An error of a converter keeps no line and no count back: Flask has answered 405 without asking it."""

    class Failing(BaseConverter):
        def to_python(self, value: str) -> str:
            raise KeyError(value)

    app.url_map.converters["failing"] = Failing
    app.add_url_rule("/<failing:name>", endpoint="item", view_func=_item)
    before = count("POST", status=405)
    app.test_client().post("/one", buffered=True)
    assert (405, "unmatched", before + 1) == (
        log_lines.only["status"],
        log_lines.only["route"],
        count("POST", status=405),
    )


def test_a_view_that_sets_our_fields(measure: Callable[..., RequestMiddleware]) -> None:
    """An answer has one id, that of the log, also where a view hands on the fields of another service."""
    started: list[tuple[str, str]] = []

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("x-request-id", "other"), ("X-Content-Type-Options", "nosniff"), ("A", "b")])
        return []

    request = environ(headers={"X-Request-ID": "one"})
    measure(application)(request, lambda _status, headers, _error: started.extend(headers)).close()  # type: ignore[attr-defined]
    assert [("A", "b"), ("X-Request-ID", "one"), ("X-Content-Type-Options", "nosniff")] == started


def test_a_print_that_outlives_its_request(app: Flask, configured_logs: "Callable[..., Lines]") -> None:
    """What a thread prints in the context of a request has the id of that request, whichever one is current then."""
    lines = configured_logs()
    contexts: list[Context] = []
    app.add_url_rule("/first", view_func=lambda: contexts.append(copy_context()) or "")  # type: ignore[func-returns-value]

    def free() -> str:
        contexts.pop().run(print, "late", end="")
        return ""

    app.add_url_rule("/second", view_func=free)
    for identity in ("first", "second"):
        app.test_client().get(f"/{identity}", headers={"X-Request-ID": identity}, buffered=True)
    gc.collect()
    end_lines()
    assert [("late", "first")] == [
        (line["event"], line["request_id"]) for line in lines.json if line["event"] != "request"
    ]


def test_the_size_of_what_the_server_answers_is_not_known(
    measure: Callable[..., RequestMiddleware], clock: Clock, log_lines: "Lines"
) -> None:
    """Where the application has failed before its first byte, the server answers in its place."""
    with pytest.raises(LookupError):
        serve(measure(answering(Body(clock, error=LookupError()))), environ())
    line = log_lines.json[-1]
    assert (500, None, "unhandled exception") == (line["status"], line["response_bytes"], line["reason"])


@pytest.mark.parametrize("kind", [WerkzeugRequest, Request])
def test_a_view_that_makes_a_request_of_its_own(
    app: Flask, log_lines: "Lines", kind: Callable[[dict[str, Any]], WerkzeugRequest]
) -> None:
    """A view may replace the request that werkzeug has put into the environ by one that Flask does not know."""
    app.add_url_rule("/", view_func=lambda: kind(request.environ).path)
    app.test_client().get("/", buffered=True)
    assert (200, "/") == (log_lines.only["status"], log_lines.only["route"])


def test_record_of_the_request_is_current(measure: Callable[..., RequestMiddleware], log_lines: "Lines") -> None:
    """The application finds the record of its request, as a value of its context and in the environ."""

    def application(request: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("400 BAD REQUEST", [])
        record = current_record()
        assert record is request["app.request_record"]
        record.reason = "because"
        yield b"x"

    serve(measure(application), environ())
    assert "because" == log_lines.only["reason"]
    assert current_record() is None


def test_contexts_of_requests_are_apart(measure: Callable[..., RequestMiddleware], log_lines: "Lines") -> None:
    """Two responses that a server reads in turns keep what is bound to their lines, and their context variables."""
    variable: ContextVar[str] = ContextVar("variable", default="none")

    def application(request: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", [])
        structlog.contextvars.bind_contextvars(customer=request["PATH_INFO"])
        variable.set(request["PATH_INFO"])
        yield b"one"
        structlog.get_logger().info("between")
        yield variable.get().encode()

    responses = [measure(application)(environ(path=path), ignore_start) for path in ("/a", "/b")]
    assert [b"one", b"one"] == [next(iter(response)) for response in responses]
    assert [[b"/a"], [b"/b"]] == [list(response) for response in responses]
    for response in responses:
        response.close()  # type: ignore[attr-defined]
    assert ["/a", "/b", "/a", "/b"] == [line["customer"] for line in log_lines.json]
    assert "none" == variable.get()


@pytest.mark.parametrize(("length", "expected"), [("20", 20), ("", 0), ("x", 0), ("-1", 0), ("9" * 5000, 0), ("٣", 0)])
def test_size_of_a_request(
    measure: Callable[..., RequestMiddleware], log_lines: "Lines", length: str, expected: int
) -> None:
    """The size of a request is what its Content-Length says, if that is a number."""
    serve(measure(answering([])), environ() | {"CONTENT_LENGTH": length})
    assert expected == log_lines.only["request_bytes"]


@pytest.mark.parametrize(("size", "status", "logged"), [(0, 200, 0), (99, 200, 99), (100, 200, 100), (5000, 413, 101)])
def test_chunked_body(app: Flask, log_lines: "Lines", size: int, status: int, logged: int) -> None:
    """A view gets the whole of a chunked body up to the limit, or the client a 413; what was read is its size."""
    app.add_url_rule("/", view_func=_length, methods=["POST"])
    chunked = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    response = app.test_client().post("/", data=b"x" * size, environ_overrides=chunked, buffered=True)
    assert status == response.status_code
    assert logged == log_lines.only["request_bytes"]
    assert status != 200 or str(size) == response.text


def _item(number: int) -> str:
    return str(number)


def _length() -> Response:
    from flask import request  # noqa: PLC0415

    return Response(str(len(request.get_data())))


def test_do_not_track(app: Flask, log_lines: "Lines") -> None:
    """A view that prometheus-flask-exporter's decorator excepts is in the log, and not in the metrics."""
    app.add_url_rule("/quiet", view_func=metrics.do_not_track()(lambda: "quiet"))
    assert "quiet" == app.test_client().get("/quiet", buffered=True).text
    assert ("/quiet", 200) == (log_lines.only["route"], log_lines.only["status"])
    assert 0 == count(route="/quiet")


def test_span(measure: Callable[..., RequestMiddleware], log_lines: "Lines", spans: Spans) -> None:
    """With traces, the line of a request and the lines of its view bear the ids of its span."""

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        structlog.get_logger().info("in the view")
        get_current_span().set_attribute("of.the.view", 7)
        start_response("200 OK", [])
        return [b"ab"]

    traceparent = f"00-{'a' * 32}-{'b' * 16}-01"
    serve(measure(application), environ() | {"HTTP_TRACEPARENT": traceparent, "request.received_at": monotonic() - 2.0})
    (span,) = spans
    ids = [format_trace_id(span.context.trace_id), format_span_id(span.context.span_id)]
    of_view, line = log_lines.json
    assert [ids, ids] == [[line["trace_id"], line["span_id"]] for line in (of_view, line)]
    assert ("a" * 32, 7) == (ids[0], span.attributes["of.the.view"])
    assert line["duration_ms"] == pytest.approx((span.end_time - span.start_time) / 1e6, abs=0.001)
    assert line["duration_ms"] > 2000


def test_span_of_a_rejection(log_lines: "Lines", spans: Spans) -> None:
    """A request that the server refuses has a span as well, which is no longer the current one."""
    request = environ()
    record = describe(request, FORWARDED)
    record.status, record.reason, record.duration = 408, "late", 1.5
    reject(record, request)
    (span,) = spans
    expected = (format_trace_id(span.context.trace_id), format_span_id(span.context.span_id))
    assert expected == (log_lines.only["trace_id"], log_lines.only["span_id"])
    assert (408, 1_500_000_000) == (span.attributes["http.response.status_code"], span.end_time - span.start_time)
    assert not get_current_span().get_span_context().is_valid


def test_a_printed_line_ends_with_its_request(app: Flask, configured_logs: "Callable[..., Lines]") -> None:
    """What a view prints without the end of a line is not the start of the next request's line."""
    lines = configured_logs()  # Here, since pytest has standard streams of its own for each phase of a test.
    app.add_url_rule("/", view_func=lambda: print("begun", end="") or "")  # type: ignore[func-returns-value]  # noqa: T201
    for identity in ("one", "two"):
        app.test_client().get("/", headers={"X-Request-ID": identity}, buffered=True)
    expected = [("begun", "one"), ("request", "one"), ("begun", "two"), ("request", "two")]
    assert expected == [(line["event"], line["request_id"]) for line in lines.json]


@pytest.mark.parametrize("is_begun", [False, True])
def test_a_printed_line_of_a_task(app: Flask, configured_logs: "Callable[..., Lines]", *, is_begun: bool) -> None:
    """What a task of a view prints belongs to the request, is lost nowhere and comes once."""
    lines = configured_logs()

    async def print_more() -> None:
        print("more", end="")  # noqa: T201

    def view() -> str:
        if is_begun:
            print("begun ", end="")  # noqa: T201
        asyncio.run(print_more())
        return ""

    app.add_url_rule("/", view_func=view)
    app.test_client().get("/", headers={"X-Request-ID": "one"}, buffered=True)
    expected = [("begun more" if is_begun else "more", "one"), ("request", "one")]
    # asyncio has a line of its own, at debug.
    assert expected == [(line["event"], line["request_id"]) for line in lines.json if line["level"] != "debug"]


@pytest.mark.parametrize(
    ("status", "expected"),
    [(500, ("LookupError", "unhandled exception")), (503, ("LookupError", "unhandled exception")), (200, (None, None))],
)
def test_an_exception_that_the_application_answers(
    app: Flask, log_lines: "Lines", status: int, expected: tuple[str | None, str | None]
) -> None:
    """Where the application has a handler of its own, the line says all the same what has failed, if it has."""

    def fail() -> str:
        raise LookupError("secret")

    app.add_url_rule("/", view_func=fail)
    app.register_error_handler(500, lambda _: ("sorry", status))
    app.test_client().get("/", buffered=True)
    line = log_lines.json[-1]
    assert (status, *expected) == (line["status"], line.get("error"), line.get("reason"))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (NotFound(), (404, None, "Not Found")),
        (Problem(422, "no", reason="no such quantity"), (422, None, "no such quantity")),
    ],
)
def test_an_extension_that_answers_errors(
    app: Flask, log_lines: "Lines", error: HTTPException, expected: tuple[int, str | None, str]
) -> None:
    """Flask-RESTful tells of abort() as of an exception that nothing has caught, and answers it: it is as in a view."""

    def view() -> tuple[str, int]:
        got_request_exception.send(app, exception=error)
        return "sorry", expected[0]

    app.add_url_rule("/", view_func=view)
    app.test_client().get("/", buffered=True)
    line = log_lines.only
    assert expected == (line["status"], line.get("error"), line.get("reason"))


@pytest.mark.parametrize(
    ("environ", "expected"),
    [({"gunicorn.socket": None}, (101, None, None)), ({}, (500, "StopIteration", "unhandled exception"))],
)
def test_a_socket_that_the_application_takes(
    app: Flask, log_lines: "Lines", environ: dict[str, None], expected: tuple[int, str | None, str | None]
) -> None:
    """The way in which flask-sock ends a WebSocket under gunicorn's own workers is no failure there."""

    class Ended(Response):
        def __call__(self, *_: object) -> NoReturn:
            raise StopIteration

    app.add_url_rule("/", view_func=Ended)
    with pytest.raises(StopIteration):
        app.test_client().get("/", environ_overrides=environ)
    line = log_lines.json[-1]
    assert expected == (line["status"], line.get("error"), line.get("reason"))


def test_an_exception_outside_of_a_server(app: Flask) -> None:
    """In a request context that no server has made there is no record of the request."""
    app.config["PROPAGATE_EXCEPTIONS"] = True
    with app.test_request_context("/"), pytest.raises(LookupError):
        app.handle_exception(LookupError("secret"))


def test_a_request_that_a_view_makes(app: Flask, log_lines: "Lines") -> None:
    """A view that calls the application, and does not close the response, leaves nothing in progress."""
    before = sum(scoreboard.column(IN_PROGRESS))
    app.add_url_rule("/inner", "inner", view_func=lambda: "inner")
    app.add_url_rule("/", "outer", view_func=lambda: app.test_client().get("/inner").data)
    assert b"inner" == app.test_client().get("/", buffered=True).data
    assert (before, "/") == (sum(scoreboard.column(IN_PROGRESS)), log_lines.only["path"])


def test_a_forked_process_answers_nothing(app: Flask, log_lines: "Lines", monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that a view has forked, and that goes on as if it were the worker, ends before its response does."""
    ended: list[int] = []
    monkeypatch.setattr(scoreboard, "is_detached", True)
    monkeypatch.setattr(module.os, "_exit", ended.append)
    app.add_url_rule("/", view_func=lambda: "")
    app.test_client().get("/", buffered=True)
    assert [1] == ended
    assert "request" in [line["event"] for line in log_lines.json]  # Since the test goes on.
