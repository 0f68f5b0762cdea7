"""A connection: what comes of the bytes of its client, and when its time is over."""

import asyncio
import math
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import SimpleNamespace

import pytest

from app.serving.http import connection as module
from app.serving.http.connection import CONTINUE, Connection, State
from app.serving.http.connection_table import ConnectionTable
from app.serving.http.limits import Limits
from app.serving.http.owner import Owner
from app.serving.http.read_buffer import HEAD_BYTES
from app.serving.http.rejection import Rejection
from app.serving.http.request_reader import FIELD_BYTES
from tests.support.event_loop import run_until

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
THREE = POST + b"Content-Length: 3\r\n\r\nabc"
LIMITS = Limits(body_bytes=100_000, keep_alive=75.0, head=10.0, body=30.0, send=20.0, close=2.0, longest_close=5.0)
LARGE = bytes(range(256)) * 40_000


class Pair(Owner):
    """A connection, the socket of its client, and what the owner was told."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: SimpleNamespace) -> None:
        self.told: list[str] = []
        self.rejections: list[Rejection] = []
        self.clock = clock
        self.client, server = socket.socketpair()
        self.client.setblocking(False)
        self.connection = Connection(self, "203.0.113.9", LIMITS)
        self._loop = loop
        loop.run_until_complete(loop.connect_accepted_socket(lambda: self.connection, server))

    def opened(self, _connection: Connection) -> None:
        """Note it."""
        self.told.append("opened")

    def received_head(self, _connection: Connection, now: float) -> None:
        """Note it."""
        self.told.append(f"head at {now:g}")

    def grown(self, connection: Connection) -> None:
        """Note how much it is, as the table of connections does."""
        connection.held_bytes = connection.memory_bytes if connection.state is not State.IDLE else 0
        self.told.append(f"{connection.held_bytes} bytes")

    def received(self, connection: Connection, now: float) -> None:
        """Note the request."""
        self.told.append(f"{connection.request.method} {bytes(connection.request.body).decode()}at {now:g}")

    def rejected(self, connection: Connection, rejection: Rejection) -> None:
        """Answer it, as the dispatcher does."""
        self.rejections.append(rejection)
        if not connection.is_closed:
            connection.respond()
            connection.send(b"rejected")
            connection.end_response(keep_alive=False)

    def drained(self, _connection: Connection) -> None:
        """Note it."""
        self.told.append("drained")

    def closed(self, _connection: Connection) -> None:
        """Note it."""
        self.told.append("closed")

    def deliver(self, data: bytes, now: float = 1.0) -> None:
        """Hand over bytes at a time, as an event loop does."""
        self.clock.now = now
        while data:
            buffer = self.connection.get_buffer(-1)
            piece, data = data[: len(buffer)], data[len(buffer) :]
            buffer[: len(piece)] = piece
            self.connection.buffer_updated(len(piece))

    def answer(self, data: bytes, now: float = 2.0, *, keep_alive: bool = True) -> None:
        """Answer a request at a time."""
        self.clock.now = now
        self.connection.respond()
        self.connection.send(data)
        self.connection.end_response(keep_alive=keep_alive)

    def until(self, condition: Callable[[], object]) -> None:
        """Run the event loop until a condition holds."""
        run_until(self._loop, condition)

    def receive(self, size: int) -> bytes:
        """Receive a number of bytes."""
        received = bytearray()

        def has_all() -> bool:
            with suppress(BlockingIOError):
                received.extend(self.client.recv(1024 * 1024))
            return len(received) >= size

        self.until(has_all)
        return bytes(received)

    def is_at_end(self) -> bool:
        """Tell whether the server has closed its side."""
        with suppress(BlockingIOError):
            return self.client.recv(1) == b""
        return False

    def close(self) -> None:
        """End the connection and its client."""
        self.connection.abort()
        self.client.close()
        self.until(lambda: "closed" in self.told)
        self.until(self.connection.transport.is_closing)
        self._loop.run_until_complete(asyncio.sleep(0))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Set the clock of connections to 0."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


@pytest.fixture
def pair(loop: asyncio.AbstractEventLoop, clock: SimpleNamespace) -> Iterator[Pair]:
    """Connect a client at the time 0."""
    pair = Pair(loop, clock)
    yield pair
    pair.close()


def test_new_connection(pair: Pair) -> None:
    """A new connection waits for the first byte, as long as one is kept that is idle."""
    connection = pair.connection
    assert (State.IDLE, 75.0, 0, "203.0.113.9") == (
        connection.state,
        connection.deadline,
        connection.served,
        connection.peer,
    )
    assert (["opened"], False) == (pair.told, connection.is_closed)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        pytest.param(GET, "GET at 1", id="no body"),
        pytest.param(THREE, "POST abcat 1", id="length"),
        pytest.param(POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "POST abcat 1", id="chunks"),
    ],
)
def test_complete_request(pair: Pair, data: bytes, told: str) -> None:
    """A request waits for its turn when all of it is there, wherever the network cuts it."""
    for size in (len(data), 1):
        for start in range(0, len(data), size):
            assert pair.connection.state in {State.IDLE, State.RECEIVING}
            pair.deliver(data[start : start + size])
        assert (State.WAITING, 1.0, told) == (pair.connection.state, pair.connection.request.received, pair.told[-1])
        pair.answer(b"answer")


def test_a_request_over_the_network(pair: Pair) -> None:
    """Bytes that the event loop reads become a request, and its answer goes out."""
    pair.client.sendall(THREE)
    pair.until(lambda: pair.connection.state is State.WAITING)
    assert "POST abcat 0" == pair.told[-1]
    pair.answer(b"answer")
    assert b"answer" == pair.receive(6)


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
    assert (5.0, 25.0) == (pair.connection.started, pair.connection.last_received)
    pair.connection.respond()
    assert math.inf == pair.connection.deadline


def test_an_empty_line_starts_no_clock(pair: Pair) -> None:
    """An empty line in front of a request leaves the connection idle."""
    pair.deliver(b"\r\n")
    assert (State.IDLE, 75.0) == (pair.connection.state, pair.connection.deadline)


def test_the_head_is_told_before_the_body(pair: Pair) -> None:
    """The owner sees a request, once, whose body has not come, and may reject it."""
    pair.deliver(POST + b"Content-Length: 3\r\n\r\n", 1.0)
    pair.deliver(b"a", 2.0)
    pair.deliver(b"bc", 3.0)
    assert ["opened", "head at 1", "POST abcat 3"] == pair.told


@pytest.mark.parametrize("expected", [True, False])
def test_expect(pair: Pair, *, expected: bool) -> None:
    """A client that waits for it is told to go on, unless its body is too large anyway."""
    size = 10 if expected else 100_001
    pair.deliver(POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % size)
    if expected:
        assert CONTINUE == pair.receive(len(CONTINUE))
    else:
        assert State.WAITING is pair.connection.state
        with pytest.raises(BlockingIOError):
            pair.client.recv(1)


def test_malformed_request(pair: Pair) -> None:
    """What is no request is rejected, and nothing more is read on this connection."""
    pair.deliver(b"GARBAGE\r\n\r\n")
    assert ["malformed HTTP: no valid request line"] == [rejection.reason for rejection in pair.rejections]
    assert State.CLOSING is pair.connection.state
    assert b"rejected" == pair.receive(8)
    pair.until(pair.is_at_end)


def test_large_requests_are_told(pair: Pair) -> None:
    """The owner hears of a request that holds more than a little, each time that it grows, and when it is answered."""
    head = POST + b"Content-Length: 60000\r\n\r\n"
    held = len(head) + 2 * FIELD_BYTES
    pair.deliver(head + b"x" * 10_000)
    assert "head at 1" == pair.told[-1]
    pair.deliver(b"x" * 20_000)
    assert f"{held + 30_000} bytes" == pair.told[-1]
    pair.deliver(b"x" * 30_000)
    assert [f"{held + 60_000} bytes", True] == [pair.told[-2], pair.told[-1].endswith("at 1")]
    pair.answer(b"answer")
    assert "0 bytes" == pair.told[-1]


def test_a_large_head_is_told(pair: Pair) -> None:
    """Fields take memory as long as their request waits, those of many small ones more than their text."""
    head = POST + b"Content-Length: 3\r\n" + b"X-Much: %s\r\n" % (b"x" * 100) * 98 + b"\r\n"
    pair.deliver(head)
    assert f"{len(head) + 100 * FIELD_BYTES} bytes" == pair.told[-2]


def test_what_stands_behind_is_told(pair: Pair) -> None:
    """What stands behind a request in the same read takes memory until its turn comes."""
    pair.deliver(THREE.ljust(HEAD_BYTES, b"x"))
    assert f"{HEAD_BYTES + 2 * FIELD_BYTES} bytes" == pair.told[-2]


def test_a_large_request_may_be_rejected_while_it_grows(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the owner rejects a request for what it holds, it is not one that has arrived."""
    monkeypatch.setattr(pair, "grown", lambda connection: pair.rejected(connection, Rejection(503, "too much")))
    pair.deliver(POST + b"Content-Length: 20000\r\n\r\n" + b"x" * 20_000)
    assert (["opened"], State.CLOSING) == (pair.told, pair.connection.state)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", 16 * 1024),
        (POST, 16 * 1024),
        (POST + b"Content-Length: 100000\r\n\r\n", 64 * 1024),
        (POST + b"Content-Length: 40000\r\n\r\nabc", 39_997),
        (POST + b"Content-Length: 40000\r\n\r\n" + b"x" * 30_000, 16 * 1024),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nffff\r\n", 16 * 1024),
        (GET, 1024),
    ],
)
def test_how_much_is_read_at_once(pair: Pair, data: bytes, expected: int) -> None:
    """Of what may be another request no more is read than fits into one head."""
    pair.deliver(data)
    assert expected == len(pair.connection.get_buffer(-1))


def test_what_stands_behind_a_request_stays_with_the_kernel(pair: Pair) -> None:
    """Of requests whose turn has yet to come, a connection holds little more than fits into one head."""
    pair.clock.now = 1.0
    pair.client.sendall(THREE + GET * 2000)
    pair.until(lambda: not pair.connection.transport.is_reading())  # type: ignore[attr-defined]
    assert (State.WAITING, "POST abcat 1") == (pair.connection.state, pair.told[-1])
    assert pair.connection.memory_bytes < HEAD_BYTES + 2 * FIELD_BYTES + 1025
    for _ in range(2001):
        pair.until(lambda: pair.connection.state is State.WAITING)
        pair.answer(b"1")
    assert 2001 == sum(told.startswith(("GET", "POST")) for told in pair.told)
    assert b"1" * 2001 == pair.receive(2001)


def test_response_on_a_connection_that_is_kept(pair: Pair) -> None:
    """After its response, a connection waits for the next request, and serves it."""
    pair.deliver(THREE, 1.0)
    pair.answer(b"response", 2.0)
    connection = pair.connection
    assert (State.IDLE, 77.0, 1, 0) == (
        connection.state,
        connection.deadline,
        connection.served,
        connection.memory_bytes,
    )
    pair.deliver(GET, 3.0)
    assert (State.WAITING, 3.0) == (pair.connection.state, pair.connection.started)


def test_pipelined_requests(pair: Pair) -> None:
    """Requests that come in one piece are served one after the other."""
    pair.deliver(THREE + THREE.replace(b"abc", b"def") + GET[:10])
    pair.answer(b"1", 2.0)
    assert ["POST abcat 1", "POST defat 2"] == pair.told[1:]
    pair.answer(b"2", 3.0)
    assert (State.RECEIVING, 13.0) == (pair.connection.state, pair.connection.deadline)
    assert b"12" == pair.receive(2)


def test_pipelined_garbage(pair: Pair) -> None:
    """Garbage behind a request is rejected after the request has its answer."""
    pair.deliver(GET + b"GARBAGE\r\n\r\n")
    assert [] == pair.rejections
    pair.answer(b"1")
    assert b"1rejected" == pair.receive(9)


def test_last_response(pair: Pair) -> None:
    """After its last response a connection is closed for writing, and waits for the client to close."""
    pair.deliver(THREE + GET)
    pair.answer(b"response", 2.0, keep_alive=False)
    assert (State.CLOSING, 4.0, 0) == (pair.connection.state, pair.connection.deadline, pair.connection.memory_bytes)
    assert b"response" == pair.receive(8)
    pair.until(pair.is_at_end)
    pair.client.close()
    pair.until(lambda: pair.connection.is_closed)
    assert ["opened", "POST abcat 1", "closed"] == pair.told


def test_a_client_that_sends_behind_the_last_response(pair: Pair) -> None:
    """A client that still sends has not read the response: it has more time for it, but not for ever."""
    pair.deliver(THREE)
    pair.answer(b"response", 2.0, keep_alive=False)
    deadlines = []
    for now in (3.0, 4.0, 6.0):
        pair.deliver(b"more", now)
        deadlines.append(pair.connection.deadline)
    assert [5.0, 6.0, 7.0] == deadlines
    assert 256 * 1024 == len(pair.connection.get_buffer(-1))


@pytest.mark.parametrize("data", [b"", b"GET", POST + b"Content-Length: 3\r\n\r\nab"])
def test_a_client_that_closes(pair: Pair, data: bytes) -> None:
    """A client that closes before its request is complete ends the connection."""
    pair.client.sendall(data)
    pair.client.close()
    pair.until(lambda: pair.connection.is_closed)
    assert "closed" == pair.told[-1]


def test_a_client_that_shuts_down_its_side(pair: Pair) -> None:
    """A client that will send no more still has its answer, and then the connection ends."""
    pair.client.sendall(GET)
    pair.client.shutdown(socket.SHUT_WR)
    pair.until(lambda: pair.connection.state is State.WAITING)
    pair.answer(b"response")
    assert b"response" == pair.receive(8)
    pair.until(lambda: pair.connection.is_closed)
    pair.until(pair.is_at_end)


@pytest.mark.parametrize("keep_alive", [True, False])
def test_a_client_that_is_gone_before_the_response(pair: Pair, *, keep_alive: bool) -> None:
    """A response to a client that is gone is no error, and the connection is told of as closed once."""
    pair.deliver(GET)
    pair.connection.abort()
    pair.connection.abort()
    pair.connection.connection_lost(None)
    assert ["opened", "GET at 1", "closed"] == pair.told
    assert [499] == [rejection.status for rejection in pair.rejections]
    pair.connection.send(b"response")
    pair.connection.end_response(keep_alive=keep_alive)
    pair.connection.buffer_updated(3)
    assert (State.CLOSED, 0, 0) == (pair.connection.state, pair.connection.served, pair.connection.memory_bytes)


def test_a_client_that_reads_on_has_more_time(pair: Pair) -> None:
    """A large answer may take longer than the limit, as long as the client reads some of it within each."""
    table = ConnectionTable(LIMITS)
    pair.deliver(GET, 1.0)
    pair.clock.now = 2.0
    pair.connection.respond()
    pair.connection.send(LARGE)
    unsent = pair.connection.transport.get_write_buffer_size()
    assert (22.0, False) == (pair.connection.deadline, table.reads_on(pair.connection, 22.0))
    pair.receive(1)
    pair.until(lambda: pair.connection.transport.get_write_buffer_size() <= unsent - LIMITS.large_bytes)
    assert (True, 42.0) == (table.reads_on(pair.connection, 22.0), pair.connection.deadline)
    assert not table.reads_on(pair.connection, 42.0)


def test_a_client_that_reads_slowly(pair: Pair) -> None:
    """A response that the client does not take at once waits for it, within its time."""
    pair.deliver(GET)
    pair.connection.respond()
    pair.clock.now = 2.0
    pair.connection.send(LARGE)
    assert (True, 22.0) == (pair.connection.is_paused, pair.connection.deadline)
    assert LARGE == pair.receive(len(LARGE))
    pair.until(lambda: not pair.connection.is_paused)
    assert (math.inf, "drained") == (pair.connection.deadline, pair.told[-1])


def test_a_client_that_has_not_read_what_came_before(pair: Pair) -> None:
    """A response whose client has not even read the 100 before it does not wait for ever."""
    pair.deliver(GET)
    pair.connection.send(LARGE)
    pair.clock.now = 2.0
    pair.connection.respond()
    assert (True, 22.0) == (pair.connection.is_paused, pair.connection.deadline)


def test_the_next_request_while_the_client_reads_slowly(pair: Pair) -> None:
    """A response that is whole does not hold up the next request, whose time does not begin anew when it is read."""
    pair.deliver(GET)
    pair.answer(LARGE, 2.0)
    deadline = pair.connection.deadline
    assert LARGE == pair.receive(len(LARGE))
    pair.until(lambda: not pair.connection.is_paused)
    assert (State.IDLE, deadline, "GET at 1") == (pair.connection.state, pair.connection.deadline, pair.told[-1])


def test_a_thread_that_waits_for_the_client(pair: Pair, loop: asyncio.AbstractEventLoop) -> None:
    """A piece that is sent whole is waited for, until the client has read it."""
    pair.deliver(GET)
    pair.connection.respond()
    loop.run_until_complete(pair.connection.send_whole(b"x"))
    sending = loop.create_task(pair.connection.send_whole(LARGE))
    assert b"x" + LARGE == pair.receive(1 + len(LARGE))
    loop.run_until_complete(sending)
    assert (False, "GET at 1") == (pair.connection.is_paused, pair.told[-1])


def test_a_thread_that_waits_for_a_client_that_is_gone(pair: Pair, loop: asyncio.AbstractEventLoop) -> None:
    """The wait ends when the client is gone."""
    pair.deliver(GET)
    pair.connection.respond()
    sending = loop.create_task(pair.connection.send_whole(LARGE))
    pair.until(lambda: pair.connection.is_paused)
    assert not sending.done()
    pair.connection.abort()
    loop.run_until_complete(sending)
    loop.run_until_complete(pair.connection.send_whole(b"x"))
    assert State.CLOSED is pair.connection.state


def test_a_transport_that_closes_takes_nothing_more(pair: Pair) -> None:
    """A client that is gone, or will be when it has read, is given up: nothing would end its connection later."""
    pair.connection.send(LARGE)
    pair.connection.transport.close()  # It goes on until all is sent.
    pair.connection.send(b"more")
    assert (State.CLOSED, ["opened", "closed"]) == (pair.connection.state, pair.told)
    received = b""

    def has_ended() -> bool:
        nonlocal received
        with suppress(BlockingIOError):
            while piece := pair.client.recv(1_000_000):
                received += piece
            return True
        return False

    pair.until(has_ended)
    assert len(received) < len(LARGE)
