"""A response: one call of a WSGI application becomes bytes of HTTP/1.1, as PEP 3333 has it."""

import io
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import pytest

from app.serving.http.rejection_answer import response_bytes
from app.serving.http.request import Request
from app.serving.http.response import Response

if TYPE_CHECKING:
    from tests.support.log_lines import Lines

Headers = list[tuple[str, str]]

LARGE = b"x" * 17 * 1024


class Body:
    """Pieces, and how often they have been closed."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self.pieces = pieces
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        """Hand out the pieces; an exception among them is raised."""
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def close(self) -> None:
        """Count."""
        self.closed += 1


def response_to(
    application: Callable[..., Iterable[bytes]], method: str = "GET", version: str = "1.1", *, keep_alive: bool = True
) -> Response:
    """Call an application."""
    request = Request(method=method, is_http_1_0=version == "1.0")
    return Response(application, request, {"wsgi.input": io.BytesIO(b"body")}, keep_alive=keep_alive)


def answering(body: Iterable[bytes], *headers: tuple[str, str], status: str = "200 OK") -> Callable[..., Any]:
    """Make an application that answers so."""

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response(status, list(headers))
        return body

    return application


def pieces_of(response: Response) -> list[bytes]:
    """Read a response to its end."""
    pieces = []
    while not response.is_exhausted:
        if piece := response.read():
            pieces.append(piece)
    assert None is response.read()
    return pieces


def parse(data: bytes) -> tuple[str, Headers, bytes]:
    """Take a response apart: status line, headers without the date, body."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = [tuple(line.split(": ", 1)) for line in lines]
    return first, [header for header in headers if header[0] != "Date"], body  # type: ignore[misc, return-value]


CHUNKED = ("Transfer-Encoding", "chunked")
KEPT = ("Connection", "keep-alive")
CLOSED = ("Connection", "close")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param([b"abc"], ([("Content-Length", "3"), KEPT], b"abc"), id="one piece in a list"),
        pytest.param((b"abc",), ([("Content-Length", "3"), KEPT], b"abc"), id="one piece in a tuple"),
        pytest.param([b"a", b"", b"bc"], ([CHUNKED, KEPT], b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"), id="pieces"),
        pytest.param(iter([b"abc"]), ([CHUNKED, KEPT], b"3\r\nabc\r\n0\r\n\r\n"), id="an iterator"),
        pytest.param([], ([("Content-Length", "0"), KEPT], b""), id="nothing"),
        pytest.param([b"", b""], ([("Content-Length", "0"), KEPT], b""), id="empty pieces"),
    ],
)
def test_framing(body: Iterable[bytes], expected: tuple[Headers, bytes]) -> None:
    """A body of one known piece has its length, and another one is chunked."""
    response = response_to(answering(body))
    assert ("HTTP/1.1 200 OK", *expected) == parse(b"".join(pieces_of(response)))
    assert response.keep_alive


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        ([b"abc"], [("Content-Length", "3"), KEPT], b"abc"),
        ([b"ab", b"c"], [CLOSED], b"abc"),
    ],
)
def test_http_1_0(body: list[bytes], headers: Headers, expected: bytes) -> None:
    """A client of HTTP/1.0, which knows no chunks, takes the end of the connection for that of a long body."""
    response = response_to(answering(body), version="1.0")
    assert ("HTTP/1.1 200 OK", headers, expected) == parse(b"".join(pieces_of(response)))
    assert (headers[-1] == KEPT) == response.keep_alive


@pytest.mark.parametrize(
    ("body", "expected", "keep_alive"),
    [
        pytest.param([b"ab", b"cd"], [b"ab", b"cd"], True, id="as many bytes"),
        pytest.param([b"ab", b"cdef", b"gh"], [b"ab", b"cd"], True, id="more"),
        pytest.param([b"ab", b"c"], [b"ab", b"c"], False, id="fewer"),
        pytest.param([b""], [b""], False, id="none"),
    ],
)
def test_content_length(body: list[bytes], expected: list[bytes], *, keep_alive: bool) -> None:
    """What an application promises is what is sent, or the end of the connection tells the client of less."""
    response = response_to(answering(body, ("content-length", "4")))
    first, *others = pieces_of(response)
    assert expected == [parse(first)[2], *others]
    assert [("content-length", "4"), KEPT] == parse(first)[1]
    assert keep_alive == response.keep_alive


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (b"cd", [(True, False, False), (True, True, True)]),
        (LARGE, [(True, False, False), (True, True, False), (True, True, True)]),
    ],
    ids=["a few bytes", "many"],
)
def test_complete_response(last: bytes, expected: list[tuple[bool, bool, bool]]) -> None:
    """A response is complete when all that was promised has been read, and over by then, if the last bytes are few."""
    response = response_to(answering(iter([b"ab", last]), ("Content-Length", str(2 + len(last)))))
    states = []
    while not response.is_exhausted:
        response.read()
        states.append((response.has_begun, response.is_complete, response.is_exhausted))
    assert expected == states


@pytest.mark.parametrize("headers", [[("Content-Length", "2")], []], ids=["a length", "chunks"])
@pytest.mark.parametrize("pieces", [(b"ab",), (b"a", b"b")])
def test_the_last_bytes_are_known_as_such(pieces: tuple[bytes, ...], headers: Headers) -> None:
    """There is no more to read when they are returned: the request can be counted before the client sees the end."""
    response = response_to(answering(Body(*pieces), *headers))
    returned = []
    while not response.is_exhausted:
        returned.append(response.read())
    assert None not in returned


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        ([b"abc"], [("Content-Length", "3")], [("Content-Length", "3"), KEPT]),
        ([], [("Content-Length", "3")], [("Content-Length", "3"), KEPT]),
        ([b"abc"], [], [CHUNKED, KEPT]),
        ([], [], [CHUNKED, KEPT]),
    ],
)
def test_head(body: list[bytes], headers: Headers, expected: Headers) -> None:
    """An answer to HEAD has the headers of that to GET, no body, and keeps the connection."""
    response = response_to(answering(body, *headers), method="HEAD")
    assert ("HTTP/1.1 200 OK", expected, b"") == parse(b"".join(pieces_of(response)))
    assert response.keep_alive


@pytest.mark.parametrize("status", ["101 SWITCHING PROTOCOLS", "204 NO CONTENT", "304 NOT MODIFIED"])
@pytest.mark.parametrize("body", [[], [b"body"], [b"bo", b"dy"]])
def test_statuses_without_a_body(status: str, body: list[bytes]) -> None:
    """A status that has no body has none, and no length of one."""
    response = response_to(answering(body, status=status))
    assert (f"HTTP/1.1 {status}", [KEPT], b"") == parse(b"".join(pieces_of(response)))
    assert response.keep_alive


@pytest.mark.parametrize(
    ("headers", "expected", "keep_alive"),
    [
        pytest.param([("Connection", "close")], [CLOSED], False, id="close"),
        pytest.param([("Connection", "Keep-Alive"), ("Keep-Alive", "timeout=5")], [KEPT], True, id="keep-alive"),
        pytest.param([("Transfer-Encoding", "chunked")], [KEPT], True, id="transfer-encoding"),
        pytest.param([("Upgrade", "h2c"), ("Trailer", "X")], [KEPT], True, id="upgrade"),
        pytest.param([("X-A", "é"), ("x-a", "2")], [("X-A", "é"), ("x-a", "2"), KEPT], True, id="others"),
    ],
)
def test_headers_of_the_connection(headers: Headers, expected: Headers, *, keep_alive: bool) -> None:
    """What concerns the connection is the server's matter, but an application may have it closed."""
    response = response_to(answering([b""], *headers, status="204 NO CONTENT"))
    assert expected == parse(b"".join(pieces_of(response)))[1]
    assert keep_alive == response.keep_alive


def test_last_response() -> None:
    """Where the connection is not kept, the response says so."""
    assert CLOSED in parse(b"".join(pieces_of(response_to(answering([b""]), keep_alive=False))))[1]


def test_date() -> None:
    """The date is that of now, in the form of HTTP, unless the application has its own."""
    head = b"".join(pieces_of(response_to(answering([])))).decode()
    (date,) = [line.removeprefix("Date: ") for line in head.split("\r\n") if line.startswith("Date: ")]
    assert date.endswith(" GMT")
    assert timedelta(0) == parsedate_to_datetime(date).utcoffset()
    own = b"".join(pieces_of(response_to(answering([], ("Date", "today"))))).decode()
    assert ["date: today"] == [line.lower() for line in own.split("\r\n") if line.lower().startswith("date:")]


@pytest.mark.parametrize(
    ("written", "returned", "expected"),
    [
        ([b"a", b"b"], [b"c"], b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"),
        ([b"a", b"b"], [], b"2\r\nab\r\n0\r\n\r\n"),
        ([b""], [b"c"], b"c"),
        ([b"", b"a"], [b"", b"c"], b"1\r\na\r\n1\r\nc\r\n0\r\n\r\n"),
    ],
)
def test_write(written: list[bytes], returned: list[bytes], expected: bytes) -> None:
    """What is written the old way comes in front of what is returned (PEP 3333, the write() callable)."""

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        write = start_response("200 OK", [])
        for piece in written:
            write(piece)
        return returned

    assert expected == parse(b"".join(pieces_of(response_to(application))))[2]


def test_second_start() -> None:
    """An application that fails before the head is out can start again with another status (PEP 3333, exc_info)."""

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("X-A", "1")])
        start_response("500 ERROR", [], (ValueError, ValueError(), None))
        return [b"x"]

    expected = ("HTTP/1.1 500 ERROR", [("Content-Length", "1"), KEPT], b"x")
    assert expected == parse(b"".join(pieces_of(response_to(application))))


def test_second_start_that_is_too_late() -> None:
    """An application that fails when the head is out has its exception raised (PEP 3333, exc_info)."""

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        yield b"a"
        start_response("500 ERROR", [], (ValueError, ValueError("late"), None))

    response = response_to(application)
    assert response.read()
    with pytest.raises(ValueError, match=r"^late$"):
        response.read()


def start_twice(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Call start_response a second time, without exc_info."""
    start_response("200 OK", [])
    start_response("200 OK", [])
    return []


def never_start(_environ: dict[str, Any], _start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Return a body without a status."""
    return [b"x"]


CONTROL = "a line break or a null character in a header of the response"


@pytest.mark.parametrize(
    ("application", "error", "text"),
    [
        (start_twice, AssertionError, "start_response was called twice, without exc_info"),
        (never_start, AssertionError, "the application has not called start_response"),
        (answering([], ("X-A", "a\nb")), ValueError, CONTROL),
        (answering([], ("X-A", "a\r\nSet-Cookie: b")), ValueError, CONTROL),
        (answering([], ("X-A\r", "a")), ValueError, CONTROL),
        (answering([], status="200 OK\r\nX-A: b"), ValueError, CONTROL),
        (answering([], ("X-A", "a\0b")), ValueError, CONTROL),
        (answering([], ("X A", "a")), ValueError, "a header of the response whose name is no token"),
        (answering([], ("", "a")), ValueError, "a header of the response whose name is no token"),
    ],
)
def test_what_is_no_wsgi(application: Callable[..., Any], error: type[Exception], text: str) -> None:
    """An application that breaks PEP 3333, or a header that would be two, is an error before any byte is out."""
    response = response_to(application)
    with pytest.raises(error, match=re.escape(text)):
        response.read()
    assert not response.has_begun


def test_empty_pieces() -> None:
    """They are no end: a generator that yields nothing, while it waits, lets the server do something else."""
    response = response_to(answering(iter([b"", b"a", b"", b""])))
    first = response.read()
    assert (b"", False) == (first, response.has_begun)
    data = response.read()
    assert data is not None
    assert data.endswith(b"1\r\na\r\n")
    assert [b"", b"", b"0\r\n\r\n", None] == [response.read() for _ in range(4)]


def test_a_body_that_fails() -> None:
    """A body that fails raises its error, before or after the head is out, and is closed once."""
    for pieces, has_begun in ([LookupError()], False), ([b"a", LookupError()], True):
        body = Body(*pieces)  # type: ignore[arg-type]
        response = response_to(answering(body))
        with pytest.raises(LookupError):
            pieces_of(response)
        response.close()
        response.close()
        assert (has_begun, 1) == (response.has_begun, body.closed)


def test_close() -> None:
    """The end of a response lets go of the body of the request, and of a response that was never begun."""
    body = Body(b"a")
    begun, never_begun = response_to(answering(body)), response_to(answering(body))
    pieces_of(begun)
    begun.close()
    never_begun.close()
    assert (1, b"", b"") == (body.closed, begun.environ["wsgi.input"].read(), never_begun.environ["wsgi.input"].read())


def test_close_that_fails(log_lines: "Lines") -> None:
    """An application that fails to close a response is logged, and the response is over."""

    class Failing(Body):
        def close(self) -> None:
            """Fail."""
            raise LookupError("a bug")

    response = response_to(answering(Failing(b"a")))
    pieces_of(response)
    response.close()
    expected = ("error", "the application failed to close a response")
    assert expected == (log_lines.only["level"], log_lines.only["event"])
    assert log_lines.only["traceback"].endswith("LookupError: a bug\n")


@pytest.mark.parametrize("is_aborted", [True, False])
def test_close_that_exits(log_lines: "Lines", *, is_aborted: bool) -> None:
    """A SystemExit of the application's own ends the response alone; that of a signal goes on."""

    class Exiting(Body):
        def close(self) -> None:
            """Exit."""
            sys.exit(1)

    response = Response(answering(Exiting(b"a")), Request(), {}, keep_alive=True, is_aborted=lambda: is_aborted)
    pieces_of(response)
    with pytest.raises(SystemExit) if is_aborted else nullcontext():
        response.close()
    assert (0 if is_aborted else 1) == len(log_lines.json)


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        ("200 ✓", []),
        ("200 OK", [("X-Name", "€")]),
        ("200 OK", [("Content-Length", "-2")]),
        ("200 OK", [("Content-Length", "two")]),
    ],
)
def test_head_that_cannot_be_sent(status: str, headers: list[tuple[str, str]]) -> None:
    """What is no head of HTTP is the application's error, before anything is sent."""
    response = response_to(answering([b"a"], *headers, status=status))
    with pytest.raises(ValueError, match=r"latin-1|no number"):
        response.read()
    assert not response.has_begun


@pytest.mark.parametrize(("has_body", "body"), [(True, b"why"), (False, b"")])
def test_response_of_the_server(body: bytes, *, has_body: bool) -> None:
    """What the server itself answers has a length, a date, and ends the connection."""
    data = response_bytes("503 Service Unavailable", [("X-A", "é")], b"why", has_body=has_body)
    expected = [("X-A", "é"), ("Content-Length", "3"), CLOSED]
    assert ("HTTP/1.1 503 Service Unavailable", expected, body) == parse(data)
    assert b"\r\nDate: " in data
