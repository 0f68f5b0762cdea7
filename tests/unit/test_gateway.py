"""The gateway: requests become environs, answers become bytes."""

import json
import socket
from collections.abc import Callable, Iterable, Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from app import gateway
from app.connection import Connection
from app.exchange import Exchange
from app.gateway import base_environ, call, make_environ, refusal_bytes
from app.limits import Limits
from app.refusal import Refusal

BASE = base_environ(5000, multithread=False, multiprocess=True)


@pytest.fixture
def environ_of() -> Iterator[Callable[[bytes], dict[str, Any]]]:
    """Make environs of requests as a client would send them."""
    client, server = socket.socketpair()
    with client, server:
        server.setblocking(False)

        def make(request: bytes) -> dict[str, Any]:
            connection = Connection(server, "203.0.113.9", Limits(body_bytes=1000), 0.0)
            client.sendall(request)
            connection.receive(0.0)
            return make_environ(connection, BASE)

        yield make


def parse(response: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
    """Take a response apart: status line, headers, body."""
    head, _, body = response.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    return status, [header for header in headers if header[0] != "Date"], body


def answer(status: str, headers: list[tuple[str, str]], body: bytes, *, method: str = "GET", keep_alive: bool) -> bytes:
    """Let an application answer so."""

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response(status, headers)
        return [body]

    return call(application, {"REQUEST_METHOD": method}, keep_alive=keep_alive)


def test_base_environ() -> None:
    """What PEP 3333 requires and every request shares."""
    assert {"SERVER_NAME": "localhost", "SERVER_PORT": "5000", "SCRIPT_NAME": ""} == {
        key: value for key, value in BASE.items() if key.isupper()
    }
    assert (False, True, False) == (BASE["wsgi.multithread"], BASE["wsgi.multiprocess"], BASE["wsgi.run_once"])
    assert ((1, 0), "http", True) == (BASE["wsgi.version"], BASE["wsgi.url_scheme"], BASE["wsgi.input_terminated"])


def test_environ(environ_of: Callable[[bytes], dict[str, Any]]) -> None:
    """Each part of a request is found where PEP 3333 puts it."""
    environ = environ_of(
        b"POST /a/b?c=d&e=%20 HTTP/1.1\r\nHost: example:5000\r\nContent-Type: text/plain\r\nX-Two: 1\r\n"
        b"Content-Length: 3\r\nx-two: 2\r\nX-Latin: \xe9\r\n\r\nabc"
    )
    expected = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/a/b",
        "QUERY_STRING": "c=d&e=%20",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "203.0.113.9",
        "CONTENT_TYPE": "text/plain",
        "CONTENT_LENGTH": "3",
        "HTTP_HOST": "example:5000",
        "HTTP_X_TWO": "1,2",
        "HTTP_X_LATIN": "é",
    }
    assert expected == {key: environ[key] for key in expected}
    assert b"abc" == environ["wsgi.input"].read()
    assert set(BASE) < set(environ)


def test_requests_do_not_share_an_environ(environ_of: Callable[[bytes], dict[str, Any]]) -> None:
    """What one request leaves in its environ, the next does not see."""
    before = BASE.copy()
    environ_of(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")["left"] = "behind"
    assert before == BASE


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/", "/", ""),
        ("//a//b", "//a//b", ""),
        ("/?", "/", ""),
        ("/a?b?c", "/a", "b?c"),
        ("/%C3%A9%2f%3F", "/\xc3\xa9/?", ""),
        ("/%zz", "/%zz", ""),
        ("/a?u=http://h/p", "/a", "u=http://h/p"),
        ("http://h:80/p?q", "/p", "q"),
        ("http://h", "/", ""),
        ("http://h/", "/", ""),
    ],
)
def test_target(environ_of: Callable[[bytes], dict[str, Any]], target: str, path: str, query: str) -> None:
    """The target is split at the first question mark and unquoted; of the absolute form this is the path."""
    environ = environ_of(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert (path, query) == (environ["PATH_INFO"], environ["QUERY_STRING"])


@pytest.mark.parametrize(("target", "host"), [("/", "a"), ("http://b:80/", "b:80"), ("HTTPS://[::1]?a", "[::1]")])
def test_host(environ_of: Callable[[bytes], dict[str, Any]], target: str, host: str) -> None:
    """The host of an absolute target counts, and not the one of the header."""
    assert host == environ_of(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())["HTTP_HOST"]


def test_long_names_are_not_remembered(environ_of: Callable[[bytes], dict[str, Any]]) -> None:
    """The names of headers that a client has invented do not stay in memory."""
    before = gateway._remembered_key.cache_info().currsize  # noqa: SLF001 - nothing else shows it
    assert "1" == environ_of(b"GET / HTTP/1.1\r\nHost: a\r\n%s: 1\r\n\r\n" % (b"X" * 65))["HTTP_" + "X" * 65]
    assert before + 1 >= gateway._remembered_key.cache_info().currsize  # noqa: SLF001


def test_header_with_an_underscore_is_dropped(environ_of: Callable[[bytes], dict[str, Any]]) -> None:
    """Nobody can pass X_Forwarded_For off as X-Forwarded-For."""
    environ = environ_of(b"GET / HTTP/1.1\r\nHost: a\r\nX_Forwarded_For: 1.2.3.4\r\nX-A: 1\r\nX_A: 2\r\n\r\n")
    assert "HTTP_X_FORWARDED_FOR" not in environ
    assert "1" == environ["HTTP_X_A"]


def test_protocol(environ_of: Callable[[bytes], dict[str, Any]]) -> None:
    """HTTP/1.0 is told from 1.1."""
    assert "HTTP/1.0" == environ_of(b"GET / HTTP/1.0\r\n\r\n")["SERVER_PROTOCOL"]


def test_environ_of_next_to_nothing(environ_of: Callable[[bytes], dict[str, Any]]) -> None:
    """A request of which only the beginning has arrived has an environ, for its log line."""
    environ = environ_of(b"GET /nev")
    assert ("", "", "203.0.113.9") == (environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["REMOTE_ADDR"])


class Body:
    """A response that counts how often it is closed."""

    def __init__(self, *chunks: bytes | Exception) -> None:
        self.chunks = chunks
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        """Hand out the chunks."""
        for chunk in self.chunks:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk

    def close(self) -> None:
        """Count."""
        self.closed += 1


def test_call() -> None:
    """The whole answer is collected, what is written the old way first, and the response closed once."""
    body = Body(b"b", b"c")

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("X-A", "1")])(b"a")
        return body

    status, headers, written = parse(call(application, {"REQUEST_METHOD": "GET"}, keep_alive=True))
    expected = [("X-A", "1"), ("Content-Length", "3"), ("Connection", "keep-alive")]
    assert ("HTTP/1.1 200 OK", expected, b"abc") == (status, headers, written)
    assert 1 == body.closed


def test_call_with_a_second_start() -> None:
    """An application that fails half-way can start again with another status (PEP 3333, exc_info)."""

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("X-A", "1")])
        start_response("500 ERROR", [], (ValueError, ValueError(), None))
        return [b"x"]

    status, headers, written = parse(call(application, {"REQUEST_METHOD": "GET"}, keep_alive=True))
    expected = [("Content-Length", "1"), ("Connection", "keep-alive")]
    assert ("HTTP/1.1 500 ERROR", expected, b"x") == (status, headers, written)


def test_call_of_a_response_that_fails() -> None:
    """A response that fails half-way is closed, and its error goes on."""
    body = Body(b"a", LookupError())

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        return body

    with pytest.raises(LookupError):
        call(application, {"REQUEST_METHOD": "GET"}, keep_alive=True)
    assert 1 == body.closed


@pytest.mark.parametrize(
    ("status", "headers", "method", "keep_alive", "expected_headers", "expected_body"),
    [
        ("200 OK", [], "GET", True, [("Content-Length", "4"), ("Connection", "keep-alive")], b"body"),
        ("200 OK", [], "GET", False, [("Content-Length", "4"), ("Connection", "close")], b"body"),
        ("200 OK", [], "HEAD", True, [("Content-Length", "4"), ("Connection", "keep-alive")], b""),
        (
            "200 OK",
            [("content-length", "4"), ("X-A", "é")],
            "POST",
            True,
            [("content-length", "4"), ("X-A", "é"), ("Connection", "keep-alive")],
            b"body",
        ),
        ("204 NO CONTENT", [], "GET", True, [("Connection", "keep-alive")], b""),
        ("304 NOT MODIFIED", [], "GET", True, [("Connection", "keep-alive")], b""),
        ("101 SWITCHING", [], "GET", True, [("Connection", "keep-alive")], b""),
    ],
)
def test_response(  # noqa: PLR0913, PLR0917 - the columns of the table
    status: str,
    headers: list[tuple[str, str]],
    method: str,
    keep_alive: bool,
    expected_headers: list[tuple[str, str]],
    expected_body: bytes,
) -> None:
    """A response has its length and says whether the connection is kept; some have no body."""
    line, actual, body = parse(answer(status, headers, b"body", method=method, keep_alive=keep_alive))
    assert (f"HTTP/1.1 {status}", expected_headers, expected_body) == (line, actual, body)


def test_date() -> None:
    """The date is that of now, in the form of HTTP."""
    head = answer("200 OK", [], b"", keep_alive=True).decode()
    (date,) = [line.removeprefix("Date: ") for line in head.split("\r\n") if line.startswith("Date: ")]
    assert date.endswith(" GMT")
    assert 0 == parsedate_to_datetime(date).utcoffset().total_seconds()  # type: ignore[union-attr]


@pytest.mark.parametrize("value", ["a\nb", "a\r\nSet-Cookie: b", "\r"])
def test_response_cannot_be_split(value: str) -> None:
    """A header with a line break is an error of ours, not a second header."""
    with pytest.raises(ValueError, match=r"^a line break in a header$"):
        answer("200 OK", [("X-A", value)], b"", keep_alive=True)


@pytest.mark.parametrize(
    ("status", "phrase", "more"),
    [
        (400, "Bad Request", []),
        (408, "Request Timeout", []),
        (414, "URI Too Long", []),
        (431, "Request Header Fields Too Large", []),
        (500, "Internal Server Error", []),
        (503, "Service Unavailable", [("Retry-After", "1")]),
    ],
)
def test_refusal(status: int, phrase: str, more: list[tuple[str, str]]) -> None:
    """What the server refuses has the form of every error, and ends the connection."""
    exchange = Exchange("abc", "GET", "/", "203.0.113.9", "curl/8")
    line, headers, body = parse(refusal_bytes(Refusal(status, "why"), exchange))
    document = json.loads(body)
    assert f"HTTP/1.1 {status} {phrase}" == line
    expected = [
        ("Content-Type", "application/problem+json"),
        ("X-Request-ID", "abc"),
        ("X-Content-Type-Options", "nosniff"),
        *more,
        ("Content-Length", str(len(body))),
        ("Connection", "close"),
    ]
    assert expected == headers
    assert (status, "why", "abc") == (document["status"], document["detail"], document["request_id"])
    assert len(body) == exchange.response_bytes


def test_refusal_of_head() -> None:
    """A refused HEAD has no body either."""
    exchange = Exchange("abc", "HEAD", "/", "203.0.113.9", "")
    assert b"" == parse(refusal_bytes(Refusal(503, "why"), exchange))[2]
