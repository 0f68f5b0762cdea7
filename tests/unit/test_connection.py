"""Connections: what comes of the bytes that a client sends, over a pair of sockets."""

import contextlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from app.connection import Connection, State
from app.limits import Limits
from app.refusal import Refusal
from app.request_parser import LINE_BYTES

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
LIMITS = Limits(body_bytes=100, keep_alive=75.0, head=10.0, body=30.0, send=20.0, close=2.0)


@dataclass
class Pair:
    """A connection and the socket of its client."""

    client: socket.socket
    connection: Connection

    def deliver(self, data: bytes, now: float = 1.0) -> None:
        """Send bytes to the connection in pieces that the socket takes, and let it take them in."""
        for start in range(0, len(data), 16_384):
            self.client.sendall(data[start : start + 16_384])
            self.connection.receive(now)

    def received(self) -> bytes:
        """Take what the connection has sent so far."""
        with contextlib.suppress(BlockingIOError):
            return self.client.recv(1024 * 1024)
        return b""


@pytest.fixture
def connect() -> Iterator[Callable[..., Pair]]:
    """Connect clients at the time 0."""
    with contextlib.ExitStack() as stack:

        def make(limits: Limits = LIMITS) -> Pair:
            client, server = (stack.enter_context(end) for end in socket.socketpair())
            client.setblocking(False)
            server.setblocking(False)
            return Pair(client, Connection(server, "203.0.113.9", limits, 0.0))

        yield make


@pytest.fixture
def pair(connect: Callable[..., Pair]) -> Pair:
    """Connect one client."""
    return connect()


def refusal_of(pair: Pair, *pieces: bytes) -> tuple[int, str]:
    """Deliver what must be refused, and give status and detail."""
    *before, last = pieces
    for piece in before:
        pair.deliver(piece)
    with pytest.raises(Refusal) as caught:
        pair.deliver(last)
    return caught.value.status, caught.value.detail


def test_new_connection(pair: Pair) -> None:
    """A new connection waits for the first byte, as long as one is kept that is idle."""
    connection = pair.connection
    assert (State.IDLE, 75.0, 0, "203.0.113.9") == (
        connection.state,
        connection.deadline,
        connection.served,
        connection.address,
    )


def test_nothing_to_receive(pair: Pair) -> None:
    """To be woken for nothing changes nothing."""
    pair.connection.receive(1.0)
    assert (State.IDLE, 75.0) == (pair.connection.state, pair.connection.deadline)


@pytest.mark.parametrize(
    ("request_bytes", "body"),
    [
        pytest.param(GET, b"", id="no body"),
        pytest.param(b"GET / HTTP/1.0\r\n\r\n", b"", id="HTTP/1.0 without a host"),
        pytest.param(POST + b"Content-Length: 3\r\n\r\nabc", b"abc", id="length"),
        pytest.param(CHUNKED + b"3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\n\r\n", b"abcde", id="chunks"),
        pytest.param(POST + b"transfer-encoding: CHUNKED\r\n\r\n0\r\n\r\n", b"", id="chunked in capitals"),
        pytest.param(POST + b"Content-Length: 100\r\n\r\n" + b"x" * 100, b"x" * 100, id="largest body"),
    ],
)
def test_complete_request(connect: Callable[..., Pair], request_bytes: bytes, body: bytes) -> None:
    """A request is ready when all of it is there, whether it comes at once or byte by byte."""
    at_once, byte_by_byte = connect(), connect()
    at_once.deliver(request_bytes)
    for index in range(len(request_bytes)):
        assert byte_by_byte.connection.state is not State.READY
        byte_by_byte.deliver(request_bytes[index : index + 1])
    for pair in (at_once, byte_by_byte):
        assert (State.READY, body, False) == (
            pair.connection.state,
            bytes(pair.connection.request.body),
            pair.connection.request.is_too_large,
        )


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(POST + b"Content-Length: 101\r\n\r\n", id="announced"),
        pytest.param(POST + b"Content-Length: 99999999999\r\n\r\nabc", id="announced, far too large"),
        pytest.param(CHUNKED + b"65\r\n" + b"x" * 101, id="in chunks"),
    ],
)
def test_too_large_body(pair: Pair, request_bytes: bytes) -> None:
    """A body beyond the limit is not waited for: the application answers 413 at once."""
    pair.deliver(request_bytes)
    assert (State.READY, True) == (pair.connection.state, pair.connection.request.is_too_large)


@pytest.mark.parametrize(
    ("request_bytes", "status", "detail"),
    [
        (b"GARBAGE\r\n\r\n", 400, None),
        (POST + b"Content-Length: " + b"0" * 5000 + b"\r\n\r\n", 400, "not HTTP: Invalid Content-Length value"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "no Host header"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, None),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "Host header: no host"),
        (b"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400, "Host header: no host"),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 400, None),
        (b"get / HTTP/1.1\r\nHost: a\r\n\r\n", 400, None),
        (
            b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",
            400,
            None,
        ),
        (b"GET / HTTP/1.1\nHost: a\n\n", 400, None),
        (b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400, None),
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, None),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00\r\n\r\n", 400, None),
        (POST + b"Content-Length: x\r\n\r\n", 400, None),
        (POST + b"Content-Length: -1\r\n\r\n", 400, None),
        (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, None),
        (POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, None),
        (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 400, "Transfer-Encoding: only chunked is read"),
        (POST + b"Transfer-Encoding: gzip\r\n\r\n", 400, None),
        (POST + b"Transfer-Encoding: identity\r\n\r\n", 400, None),
        (CHUNKED + b"zz\r\n", 400, None),
        (CHUNKED + b"3\r\nabcde", 400, None),
        (CHUNKED + b"1\r\na\r\n" * 40_000, 400, "too many small chunks"),
        (b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "not HTTP: Invalid request line"),
        (b"GET http://user@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "not HTTP: Invalid request line"),
        (b"GET a?b=http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "not HTTP: Invalid request line"),
        (b"CONNECT http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "not HTTP: Invalid request line"),
        (b"CONNECT  HTTP/1.1\r\nHost: a\r\n\r\n", 400, "not HTTP: Invalid request line"),
        (b"GET / HTTP/1.1\r\nHost: a..b\r\n\r\n", 400, "Host header: no host"),
        (b"GET / HTTP/1.1\r\nHost: " + b"a" * 64 + b"\r\n\r\n", 400, "Host header: no host"),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n", 414, None),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431, None),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * 100 + b"\r\n", 431, None),
    ],
    ids=lambda value: str(value)[:60],
)
def test_refused_request(connect: Callable[..., Pair], request_bytes: bytes, status: int, detail: str | None) -> None:
    """What is not HTTP, or more of it than is read, is refused with its status and what is wrong."""
    pair = connect(Limits(body_bytes=100_000))
    actual_status, actual_detail = refusal_of(pair, request_bytes)
    assert (status, detail or actual_detail) == (actual_status, actual_detail)
    assert actual_detail.startswith("not HTTP: ") or status != 400 or detail


def test_refusal_of_a_later_piece(pair: Pair) -> None:
    """Also what comes later can be refused."""
    assert 400 == refusal_of(pair, CHUNKED, b"3\r\nabc\r\n", b"x\r\n")[0]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        pytest.param(POST + b"Expect: 100-continue\r\nContent-Length: 10\r\n\r\n", True, id="length"),
        pytest.param(CHUNKED.replace(b"Host", b"expect: 100-Continue\r\nHost"), True, id="chunked, in capitals"),
        pytest.param(POST + b"Expect: 100-continue\r\nContent-Length: 101\r\n\r\n", False, id="too large"),
        pytest.param(POST + b"Expect: something\r\nContent-Length: 10\r\n\r\n", False, id="something else"),
        pytest.param(POST + b"Content-Length: 10\r\n\r\n", False, id="nothing"),
        pytest.param(POST + b"Expect: 100-continue\r\n\r\n", False, id="no body"),
        pytest.param(b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n", False, id="HTTP/1.0"),
    ],
)
def test_expect(pair: Pair, head: bytes, expected: bool) -> None:
    """A client that waits for it is told to go on, unless its body would be too large anyway."""
    pair.deliver(head)
    assert (b"HTTP/1.1 100 Continue\r\n\r\n" if expected else b"") == pair.received()


def test_expect_of_a_client_that_has_gone_away(pair: Pair) -> None:
    """To tell somebody to go on who has gone away harms nobody."""
    pair.client.sendall(POST + b"Expect: 100-continue\r\nContent-Length: 10\r\n\r\n")
    pair.client.close()
    pair.connection.receive(1.0)
    assert pair.connection.state in {State.RECEIVING, State.CLOSED}


@pytest.mark.parametrize(
    ("first", "connection", "expected"),
    [
        ("GET / HTTP/1.1", [], True),
        ("GET / HTTP/1.1", ["Close"], False),
        ("GET / HTTP/1.1", ["close", "keep-alive"], False),
        ("GET / HTTP/1.1", ["keep-alive", "x, close\t,y"], False),
        ("GET / HTTP/1.1", ["enclosed"], True),
        ("GET / HTTP/1.0", [], False),
        ("GET / HTTP/1.0", ["Keep-Alive"], True),
        ("GET / HTTP/1.0", ["x, keep-alive"], True),
        ("GET / HTTP/1.0", ["not-keep-alive"], False),
        ("GET / HTTP/1.0", ["keep-alive, close"], False),
        ("CONNECT a:443 HTTP/1.1", [], False),
    ],
)
def test_connection_options(pair: Pair, first: str, connection: list[str], expected: bool) -> None:
    """A connection ends when any of its options says so, and behind an attempt at a tunnel."""
    lines = [first, "Host: a", *[f"Connection: {value}" for value in connection], "", ""]
    pair.deliver("\r\n".join(lines).encode())
    assert expected == pair.connection.request.parser.should_keep_alive


def test_what_stands_behind_a_request_stays_with_the_kernel(pair: Pair) -> None:
    """Of requests that nobody can answer yet, a connection holds no more than fits into one head."""
    pair.client.sendall(POST + b"Content-Length: 3\r\n\r\nabc" + GET * 2000)
    pair.connection.receive(1.0)
    assert State.READY is pair.connection.state
    assert 16 * 1024 >= len(pair.connection.request.parser.remaining())


def test_deadlines(pair: Pair) -> None:
    """Each phase has its own time from its beginning; bytes that trickle in do not prolong it."""
    deadlines = []
    for now, data in [
        (5.0, POST[:9]),
        (7.0, POST[9:]),
        (9.0, b"Content-Length: 3\r\n\r\n"),
        (20.0, b"a"),
        (25.0, b"b"),
    ]:
        pair.deliver(data, now)
        deadlines.append(pair.connection.deadline)
    assert [15.0, 15.0, 39.0, 39.0, 39.0] == deadlines
    assert 5.0 == pair.connection.started


def test_response_on_a_connection_that_is_kept(pair: Pair) -> None:
    """After its response, a connection waits for the next request, and serves it."""
    pair.deliver(POST + b"Content-Length: 3\r\n\r\nabc", 1.0)
    pair.connection.send(b"response", is_last=False, now=2.0)
    assert (State.IDLE, 77.0, 1, b"") == (
        pair.connection.state,
        pair.connection.deadline,
        pair.connection.served,
        bytes(pair.connection.request.body),
    )
    assert b"response" == pair.received()
    pair.deliver(GET, 3.0)
    assert (State.READY, 3.0) == (pair.connection.state, pair.connection.started)


def test_pipelined_requests(pair: Pair) -> None:
    """Requests that come in one piece are served one after the other."""
    pair.deliver(POST + b"Content-Length: 3\r\n\r\nabc" + POST + b"Content-Length: 2\r\n\r\nde" + GET[:10])
    bodies = [bytes(pair.connection.request.body)]
    pair.connection.send(b"1", is_last=False, now=2.0)
    assert State.READY is pair.connection.state
    bodies.append(bytes(pair.connection.request.body))
    pair.connection.send(b"2", is_last=False, now=3.0)
    assert (State.RECEIVING, 13.0) == (pair.connection.state, pair.connection.deadline)
    assert ([b"abc", b"de"], b"12") == (bodies, pair.received())


def test_pipelined_requests_are_known_as_such(pair: Pair) -> None:
    """A request that has come before the answer to the one before is told from one that comes after it."""
    known = []
    for data in (GET + GET, b"", GET):
        pair.deliver(data) if data else None
        known.append(pair.connection.is_pipelined)
        pair.connection.send(b"1", is_last=False, now=2.0)
    assert [False, True, False] == known


def test_pipelined_garbage(pair: Pair) -> None:
    """Garbage behind a request is refused after the request has its answer."""
    pair.deliver(GET + b"GARBAGE\r\n\r\n")
    with pytest.raises(Refusal):
        pair.connection.send(b"1", is_last=False, now=2.0)
    assert b"1" == pair.received()


def test_last_response(pair: Pair) -> None:
    """After its last response a connection is closed for writing, and waits a little for the client to close."""
    pair.deliver(POST + b"Content-Length: 3\r\n\r\nabc")
    pair.connection.send(b"response", is_last=True, now=2.0)
    assert (State.CLOSING, 4.0, b"") == (
        pair.connection.state,
        pair.connection.deadline,
        bytes(pair.connection.request.body),
    )
    assert (b"response", b"") == (pair.received(), pair.client.recv(1))
    pair.deliver(b"more that nobody reads", 3.0)
    assert State.CLOSING is pair.connection.state
    pair.client.close()
    pair.connection.receive(3.5)
    assert State.CLOSED is pair.connection.state


@pytest.mark.parametrize(
    ("sent", "expected"), [(0, True), (LINE_BYTES - 1, True), (LINE_BYTES, False), (2 * LINE_BYTES, False)]
)
def test_who_keeps_whom_waiting(pair: Pair, sent: int, expected: bool) -> None:
    """A client is slow if it has sent less than could be received; what it has sent is still there."""
    pair.client.sendall(b"x" * sent)
    assert expected == pair.connection.keeps_waiting()
    assert min(sent, LINE_BYTES) == len(pair.connection.socket.recv(LINE_BYTES) if sent else b"")


def test_what_is_answered_is_not_held(pair: Pair) -> None:
    """The body of a request takes no memory while the client does not read the answer."""
    pair.deliver(POST + b"Content-Length: 3\r\n\r\nabc")
    pair.connection.send(bytes(10_000_000), is_last=False, now=2.0)
    assert (State.SENDING, b"") == (pair.connection.state, bytes(pair.connection.request.body))


def test_client_that_reads_slowly(pair: Pair) -> None:
    """A response that the client does not take at once is sent in pieces, within its time."""
    response = bytes(range(256)) * 16_384
    pair.deliver(GET)
    pair.connection.send(response, is_last=False, now=2.0)
    assert (State.SENDING, 22.0, 0) == (pair.connection.state, pair.connection.deadline, pair.connection.served)
    pair.connection.flush(3.0)
    received = b""
    while pair.connection.state is State.SENDING:
        received += pair.received()
        pair.connection.flush(4.0)
    while piece := pair.received():
        received += piece
    assert response == received
    assert (State.IDLE, 79.0, 1) == (pair.connection.state, pair.connection.deadline, pair.connection.served)


@pytest.mark.parametrize("data", [b"", b"GET", POST + b"Content-Length: 3\r\n\r\nab"])
def test_client_that_closes(pair: Pair, data: bytes) -> None:
    """A client that closes before its request is complete ends the connection."""
    if data:
        pair.deliver(data)
    pair.client.close()
    pair.connection.receive(2.0)
    assert (State.CLOSED, -1) == (pair.connection.state, pair.connection.socket.fileno())


@pytest.mark.parametrize("is_last", [False, True])
def test_client_that_closes_before_the_response(pair: Pair, is_last: bool) -> None:
    """A response that nobody takes ends the connection."""
    pair.deliver(GET)
    pair.client.close()
    pair.connection.send(b"response", is_last=is_last, now=2.0)
    assert State.CLOSED is pair.connection.state


def test_reset(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that the client has reset is closed."""

    class Reset:
        """A socket whose peer has reset the connection."""

        def recv(self, _size: int) -> bytes:
            """Fail as the kernel does."""
            raise ConnectionResetError

        def close(self) -> None:
            """Close."""

    monkeypatch.setattr(pair.connection, "socket", Reset())
    pair.connection.receive(1.0)
    assert State.CLOSED is pair.connection.state


def test_shutdown_of_a_connection_that_is_gone(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is gone when it is to be closed for writing is closed altogether."""

    class Gone:
        """A socket that has sent everything just before its peer went away."""

        def send(self, data: bytes) -> int:
            """Take all."""
            return len(data)

        def shutdown(self, _how: int) -> None:
            """Fail as the kernel does."""
            raise OSError

        def close(self) -> None:
            """Close."""

    pair.deliver(GET)
    monkeypatch.setattr(pair.connection, "socket", Gone())
    pair.connection.send(b"response", is_last=True, now=2.0)
    assert State.CLOSED is pair.connection.state
