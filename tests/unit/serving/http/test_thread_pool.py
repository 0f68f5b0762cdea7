"""The pool of threads: responses run beside each other, each whole in one thread."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from app.serving.http.limits import Limits
from app.serving.http.request import Request
from app.serving.http.response import LAST_BYTES, Response
from app.serving.http.response_listener import ADD_LISTENER
from app.serving.http.thread_pool import ThreadPool
from tests.support.http_client import post

if TYPE_CHECKING:
    from tests.unit.serving.http.conftest import Running

Serve = Callable[..., "Running"]

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def run(
    loop: asyncio.AbstractEventLoop,
    application: Callable[..., Any],
    connection: object,
    finish: Callable[[], object] = lambda: None,
) -> tuple[Response, bool]:
    """Run one response in a pool, until its thread is idle; return it, and whether the whole pool is idle then."""
    idle: list[bool] = []

    def refill() -> None:
        idle.append(pool.is_idle)
        loop.stop()

    pool = ThreadPool(loop, 2, lambda *_: finish(), refill)
    response = Response(application, Request(method="GET"), {"REQUEST_METHOD": "GET"}, keep_alive=True)
    pool.run(connection, response)  # type: ignore[arg-type]
    loop.run_forever()
    pool.close()
    return response, idle == [True]


class Listener:
    """What an application wants called at the end of a response."""

    def __init__(self, end: Callable[[str | None], object]) -> None:
        self._end = end

    def close(self) -> None:
        """Release nothing."""

    def end(self, cut_reason: str | None, _failure: BaseException | None) -> None:
        """End the request."""
        self._end(cut_reason)


def test_requests_are_served_beside_each_other(serve: Serve) -> None:
    """As many requests as there are threads are served at the same time, and the next ones when a thread is idle."""
    meeting = threading.Barrier(3)

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [b"%d" % meeting.wait(20)]

    server = serve(application, threads=3)
    clients = [server.client() for _ in range(6)]
    for client in clients:
        client.send(GET)
    assert [b"0", b"0", b"1", b"1", b"2", b"2"] == sorted(client.receive().body for client in clients)


def test_a_client_that_does_not_read_keeps_no_thread(serve: Serve) -> None:
    """The thread of a response that has been handed over whole serves others while its client has yet to read it."""
    large = bytes(10_000_000)
    bodies = {"/large": large, "/small": b"small"}
    closed: list[str] = []

    class Body(list[bytes]):
        def close(self) -> None:
            closed.append("closed")

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        return Body([bodies[environ["PATH_INFO"]]])

    server = serve(application, threads=2)
    slow = [server.client() for _ in range(4)]
    for client in slow:
        client.send(GET.replace(b"/", b"/large", 1))
    assert b"small" == server.client().ask(GET.replace(b"/", b"/small", 1)).body
    server.wait_until(lambda: ["closed"] * 5 == closed)
    server.wait_until(lambda: server.served == 1)
    assert [large] * 4 == [client.receive().body for client in slow]
    server.wait_until(lambda: server.served == 5)
    assert [b"small"] * 4 == [client.ask(GET.replace(b"/", b"/small", 1)).body for client in slow]


class RoomForOne(Limits):
    """Limits that leave room for one large body."""

    @property
    def held_bytes(self) -> int:
        """Return how much more than one body of a megabyte there may be."""
        return 1_500_000


def test_an_answered_request_holds_no_memory(serve: Serve) -> None:
    """A client that has its answer can send the next body at once: the one before does not count any more."""

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [b"%d" % len(environ["wsgi.input"].read())]

    server = serve(application, threads=2, limits=RoomForOne(1_000_000))
    answers = [server.client().ask(post(bytes(1_000_000))) for _ in range(4)]
    assert [(200, b"1000000")] * 4 == [(answer.status, answer.body) for answer in answers]


def test_a_response_stays_in_its_thread(serve: Serve) -> None:
    """The application is called, its response read and closed in one and the same thread, and not in the server's."""
    threads: list[threading.Thread] = []

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            """Hand out pieces."""
            for _ in range(2):
                threads.append(threading.current_thread())
                yield b"piece"

        def close(self) -> None:
            """Note the thread."""
            threads.append(threading.current_thread())

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        threads.append(threading.current_thread())
        start_response("200 OK", [("Content-Length", "10")])
        return Body()

    server = serve(application, threads=2)
    assert b"piecepiece" == server.client().ask(GET).body
    server.wait_until(lambda: server.served)
    assert (4, 1) == (len(threads), len(set(threads)))
    assert threads[0].name.startswith("application")


def test_a_thread_waits_for_a_slow_client(serve: Serve) -> None:
    """A thread makes the pieces of a stream without waiting for each, but is not far ahead of its client."""
    made: list[int] = []

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "20000000")])
        for number in range(2_000):
            made.append(number)
            yield bytes(10_000)

    server = serve(application, threads=2)
    client = server.client()
    client.send(GET)
    server.wait_until(lambda: [connection.is_paused for connection in server.server._connections] == [True])  # noqa: SLF001
    assert len(made) < 2_000
    assert bytes(20_000_000) == client.receive().body


def test_a_stream_without_an_end_of_its_own(serve: Serve) -> None:
    """All pieces are sent before the connection is closed, which to a client of HTTP/1.0 is the end."""

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        for _ in range(1_000):
            yield b"0123456789"

    client = serve(application, threads=2).client()
    client.send(b"GET / HTTP/1.0\r\n\r\n")
    assert 200 == client.receive().status
    assert b"0123456789" * 1_000 == client.take(10_000)
    assert client.is_at_end()


def test_what_a_thread_was_given_is_run(loop: asyncio.AbstractEventLoop) -> None:
    """The application is called although the client has gone before the thread could begin: it logs and counts."""
    called: list[str] = []

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        called.append(environ["REQUEST_METHOD"])
        start_response("200 OK", [])
        return [b"x"]

    run(loop, application, SimpleNamespace(is_closed=True, cut_reason=None))
    assert ["GET"] == called


class FakeConnection:
    """A connection whose client reads when the test says so."""

    def __init__(self, loop: asyncio.AbstractEventLoop, events: list[str]) -> None:
        self.is_closed = self.is_paused = False
        self.cut_reason: str | None = None
        self.response: Response | None = None
        self._loop = loop
        self._events = events
        self.reads = loop.create_future()

    def send(self, data: bytes) -> None:
        """Note the body, unless the client is gone."""
        if not self.is_closed:
            self._events.append(data.decode().rpartition("\n")[2])

    async def send_whole(self, data: bytes) -> None:
        """Wait for the client."""
        await self.reads
        self.send(data)

    def leave(self, cut_reason: str) -> None:
        """Close the connection."""
        self.is_closed = True
        self.cut_reason = cut_reason
        self.reads.set_result(None)


@pytest.mark.parametrize(
    ("cut_reason", "expected"),
    [
        pytest.param(None, "(ready)ab(ended: None)c", id="the client reads"),
        pytest.param("", "(ready)(ended: '')", id="the client leaves"),
        pytest.param("no time", "(ready)(ended: 'no time')", id="the client does not read in time"),
    ],
)
def test_a_stream_ends_when_its_pieces_are_taken(
    loop: asyncio.AbstractEventLoop, cut_reason: str | None, expected: str
) -> None:
    """A thread is ahead of its client, but the request is logged and counted when the kernel has all but the last."""
    events: list[str] = []
    connection = FakeConnection(loop, events)

    def go_on() -> None:
        events.append("(ready)")
        if cut_reason is None:
            connection.reads.set_result(None)
        else:
            connection.leave(cut_reason)

    def pieces() -> Iterator[bytes]:
        yield b"a"
        yield b"b"
        loop.call_soon_threadsafe(loop.call_later, 0.02, go_on)  # A thread that does not wait ends before that.
        yield b"c"

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ[ADD_LISTENER](Listener(lambda cut_reason: events.append(f"(ended: {cut_reason!r})")))
        start_response("200 OK", [("Content-Length", "3")])
        return pieces()

    run(loop, application, connection)
    assert expected == "".join(events)


def test_a_large_answer_is_sent_before_its_request_ends(loop: asyncio.AbstractEventLoop) -> None:
    """What the kernel may not take at once is sent first: the line says whether the client got it."""
    events: list[str] = []

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ[ADD_LISTENER](Listener(lambda cut_reason: events.append(f"ended: {cut_reason}")))
        start_response("200 OK", [])
        return [b"x" * (LAST_BYTES + 1)]

    response, _ = run(loop, application, FakeConnection(loop, events))
    assert ["x" * (LAST_BYTES + 1)] == events
    response.end(None)  # As the dispatcher does.
    assert ["x" * (LAST_BYTES + 1), "ended: None"] == events


def test_an_end_that_is_not_read_keeps_no_thread(loop: asyncio.AbstractEventLoop) -> None:
    """Where the kernel has no room for the last bytes, the response is left to what waits for its client."""

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [b"x"]

    events: list[str] = []
    connection = FakeConnection(loop, events)
    connection.is_paused = True
    response, is_idle = run(loop, application, connection)
    assert (response, ["x"], True) == (connection.response, events, is_idle)


def test_a_failure_to_end_keeps_no_thread(loop: asyncio.AbstractEventLoop) -> None:
    """Whatever goes wrong when a response ends, its thread serves the next one."""

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("204 No Content", [])
        return []

    def finish() -> None:
        raise LookupError("a bug")

    loop.set_exception_handler(lambda *_: None)
    _, is_idle = run(loop, application, FakeConnection(loop, []), finish)
    assert is_idle


def test_threads_that_do_not_start(loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has no room for all threads there is no pool, and the worker does not start."""
    started: list[threading.Thread] = []

    def start(thread: threading.Thread) -> None:
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        ThreadPool(loop, 3, lambda *_: None, lambda: None)
    assert 2 == len(started)


def test_a_request_waits_for_no_thread_for_ever(serve: Serve) -> None:
    """Where views keep all threads, a request that has waited for too long is rejected meanwhile."""
    gate = threading.Event()

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        gate.wait(20)
        start_response("200 OK", [])
        return [b"done"]

    server = serve(application, threads=2, limits=Limits(body_bytes=0, wait=0.01))
    clients = [server.client() for _ in range(3)]
    for client in clients:
        client.send(GET)
    assert 503 == clients[-1].receive().status
    gate.set()
    assert [b"done"] * 2 == [client.receive().body for client in clients[:2]]
