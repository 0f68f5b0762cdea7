"""The dispatcher: when the application is called for a request, and what comes of its response."""

import asyncio
import gc
import signal
import socket
import struct
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from app.serving.http import application_turns, connection, ready_responses
from app.serving.http.dispatcher import STOPPING
from app.serving.http.limits import Limits
from app.serving.http.request import BODY_BYTES, STARTED_AT
from app.serving.http.response_listener import ADD_LISTENER
from tests.support.http_client import Client, post, post_chunked

if TYPE_CHECKING:
    from tests.unit.serving.http.conftest import Running

Serve = Callable[..., "Running"]

GET = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"
LIMITS = Limits(body_bytes=100_000)
LARGE = bytes(range(256)) * 20_000

one_thread_and_several = pytest.mark.parametrize("threads", [1, 2])


class Application:
    """A WSGI application, and what it has done."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.entered = threading.Semaphore(0)
        self.gate = threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer the path and the body, or do what the path says."""
        path = environ["PATH_INFO"]
        self.log.append(path)
        if path == "/wait":
            self.entered.release()
            assert self.gate.wait(20)
        if path == "/fail":
            raise LookupError("a bug")
        if path == "/exit":
            raise SystemExit(3)
        start_response("200 OK", [])
        if path.startswith("/stream"):
            return self.stream(path)
        return [LARGE] if path == "/large" else [path.encode() + environ["wsgi.input"].read()]

    def stream(self, path: str) -> Iterator[bytes]:
        """Hand out pieces."""
        try:
            for number in range(4):
                self.log.append(f"piece {number}")
                yield LARGE if path == "/stream-large" else b"%d" % number
                if path == "/stream-fail":
                    raise LookupError("a bug")
        finally:
            self.log.append("closed")


@pytest.fixture
def application() -> Iterator[Application]:
    """Make an application; its gate is open in the end, so that no thread waits."""
    application = Application()
    yield application
    application.gate.set()


def pieces_of(client: Client) -> bytes:
    """Receive a chunked body, without the head."""
    assert 200 == client.receive().status
    return client.take(len(b"1\r\n0\r\n" * 4 + b"0\r\n\r\n"))


@one_thread_and_several
@pytest.mark.parametrize(
    ("data", "connection", "body"),
    [
        pytest.param(post(b"abc"), "keep-alive", b"/echoabc", id="kept"),
        pytest.param(post_chunked(b"a", b"bc"), "keep-alive", b"/echoabc", id="chunked"),
        pytest.param(post(b"abc", "Connection: close"), "close", b"/echoabc", id="the client closes"),
        pytest.param(post(b"abc").replace(b"1.1", b"1.0"), "close", b"/echoabc", id="HTTP/1.0"),
        pytest.param(post(b"").replace(b": 0", b": 100001"), "close", b"/echo", id="a body that is not read"),
    ],
)
def test_answer(  # noqa: PLR0913, PLR0917 - the columns of the table
    serve: Serve, application: Application, threads: int, data: bytes, connection: str, body: bytes
) -> None:
    """The application's answer is sent, and says whether the connection is kept."""
    server = serve(application, threads=threads, limits=LIMITS)
    client = server.client()
    answer = client.ask(data)
    assert (200, connection, body) == (answer.status, answer.headers["connection"], answer.body)
    if connection == "close":
        assert client.is_at_end()
    else:
        assert b"/next" == client.ask(GET % b"/next").body
    server.wait_until(lambda: server.served == len(application.log))


@one_thread_and_several
def test_stream(serve: Serve, application: Application, threads: int) -> None:
    """A response in pieces goes out, is closed, and the connection is kept."""
    client = serve(application, threads=threads).client()
    for _ in range(2):
        client.send(GET % b"/stream")
        assert b"1\r\n0\r\n1\r\n1\r\n1\r\n2\r\n1\r\n3\r\n0\r\n\r\n" == pieces_of(client)
    assert 2 == application.log.count("closed")


def test_others_have_their_turn_between_pieces(serve: Serve, application: Application) -> None:
    """A request that has arrived does not wait for the end of a stream that goes on and on."""
    made: list[str] = []

    def pieces() -> Iterator[bytes]:
        while "/other" not in application.log and len(made) < 100_000:  # An end, where the other request waits for it.
            made.append("piece")
            yield b"piece"

    def stream(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/endless":
            return application(environ, start_response)
        start_response("200 OK", [])
        return pieces()

    server = serve(stream)
    first, streaming, other = server.client(), server.client(), server.client()
    for client in (streaming, other):
        client.ask(GET % b"/before")
    first.send(GET % b"/wait")
    assert application.entered.acquire(timeout=20)
    streaming.send(GET % b"/endless")
    other.send(GET % b"/other")
    application.gate.set()
    first.receive()
    assert b"/other" == other.receive().body
    assert 0 < len(made) < 100_000


@one_thread_and_several
def test_a_client_that_reads_slowly(serve: Serve, application: Application, threads: int) -> None:
    """No piece is made before the client has taken the one before, and others are served meanwhile."""
    server = serve(application, threads=threads)
    slow, other = server.client(), server.client()
    slow.send(GET % b"/stream-large")
    server.wait_until(lambda: "piece 0" in application.log)
    assert b"/other" == other.ask(GET % b"/other").body
    assert "piece 1" not in application.log
    slow.receive()
    body = b"".join(b"%x\r\n%s\r\n" % (len(LARGE), LARGE) for _ in range(4)) + b"0\r\n\r\n"
    assert body == slow.take(len(body))
    assert "closed" == application.log[-1]


@one_thread_and_several
def test_a_client_that_goes_away_while_it_is_answered(serve: Serve, application: Application, threads: int) -> None:
    """The response to a client that is gone is closed, and no further piece of it is made."""
    server = serve(application, threads=threads)
    client = server.client()
    client.send(GET % b"/stream-large")
    server.wait_until(lambda: "piece 0" in application.log)
    client.close()
    server.wait_until(lambda: "closed" in application.log)
    assert ["/stream-large", "piece 0", "closed"] == application.log


@one_thread_and_several
def test_a_client_that_waits_for_nothing(serve: Serve, threads: int) -> None:
    """A view that yields nothing but empty pieces ends when its client resets the connection, with no byte out."""
    log: list[str] = []

    def pieces() -> Iterator[bytes]:
        try:
            while not log or log[-1] != "closed":
                log.append("piece")
                time.sleep(0.001)
                yield b""
        finally:
            log.append("closed")

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        return pieces()

    server = serve(application, threads=threads)
    client = server.leaving_client()
    client.sendall(GET % b"/")
    server.wait_until(lambda: log)
    client.close()
    server.wait_until(lambda: log[-1] == "closed")


@pytest.mark.parametrize(
    ("before", "threads", "expected"),
    [
        pytest.param([b"head"], 1, ["end"], id="one thread"),
        pytest.param([b"head"], 2, ["end"], id="threads"),
        pytest.param([], 1, ["end"], id="one thread, a single piece"),
        pytest.param([], 2, ["sent", "end"], id="threads, a single piece, which keeps none until it is read"),
    ],
)
def test_what_follows_the_last_piece(serve: Serve, before: list[bytes], threads: int, expected: list[str]) -> None:
    """A view whose client has left without reading does not go on as if all had been sent, with one exception."""
    log: list[str] = []

    def pieces() -> Iterator[bytes]:
        try:
            yield from before
            yield LARGE
            log.append("sent")
        finally:
            log.append("end")

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", str(sum(map(len, [*before, LARGE]))))])
        return pieces()

    server = serve(application, threads=threads)
    client = server.client()
    client.send(GET % b"/")
    client.take(1)
    client.close()
    server.wait_until(lambda: "end" in log)
    assert expected == log


def test_a_client_that_resets_its_connection_during_a_turn(serve: Serve, application: Application) -> None:
    """A stream does not go on for the rest of its turn, which would be taken for having sent it."""
    made: list[int] = []

    def pieces() -> Iterator[bytes]:
        yield b"first"
        application.entered.release()
        assert application.gate.wait(20)
        for number in range(100):
            made.append(number)
            yield b"next"

    def streaming(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        return pieces()

    server = serve(streaming)
    client = server.leaving_client()
    client.sendall(GET % b"/")
    assert application.entered.acquire(timeout=20)
    client.close()
    application.gate.set()
    server.wait_until(lambda: server.served == 1)
    assert len(made) <= 2


@pytest.mark.parametrize("threads", [1, 2])
def test_a_middleware_that_changes_the_environ(serve: Serve, threads: int) -> None:
    """The server knows a request from what has arrived: an answer to HEAD has no body, and a failure has its 500."""

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        environ.clear()
        environ["REQUEST_METHOD"], environ["CONTENT_LENGTH"] = "GET", ""
        if path == "/fail":
            raise LookupError("a bug")
        start_response("200 OK", [])
        return [b"body"]

    server = serve(application, threads=threads)
    client = server.client()
    client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + GET % b"/next")
    assert b"" == client.receive(is_head=True).body
    assert b"body" == client.receive().body
    assert 500 == server.client().ask(GET % b"/fail").status


class Held:
    """What a view has when it fails."""


@pytest.mark.parametrize("threads", [1, 2])
def test_a_failure_keeps_nothing_alive(serve: Serve, threads: int) -> None:
    """What a view had when it failed is freed at once, and does not wait for the garbage collector."""
    references: list[weakref.ref[Held]] = []

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        held = Held()
        references.append(weakref.ref(held))
        start_response("200 OK", [])
        yield b"a"
        raise LookupError(held)

    server = serve(application, threads=threads)
    gc.disable()
    try:
        client = server.client()
        client.send(GET % b"/")
        with pytest.raises(ConnectionError):  # Reset, or the end.
            pieces_of(client)
        server.wait_until(lambda: server.served == 1)
        server.rejections.clear()  # What the server has told.
        server.wait_until(lambda: references[0]() is None)
    finally:
        gc.enable()


@one_thread_and_several
def test_ends_that_take_longer_than_the_grace(serve: Serve, threads: int) -> None:
    """Each request has its end, although the server waits for its client no more, and not for all of its responses."""
    ended: list[str] = []

    class Listener:
        def close(self) -> None:
            time.sleep(0.15)  # As long as a database may take.

        def end(self, cut_reason: str, _failure: None) -> None:
            ended.append(cut_reason)

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ[ADD_LISTENER](Listener())
        start_response("200 OK", [])
        return [LARGE]

    server = serve(application, threads=threads)
    clients = [server.client() for _ in range(4)]
    for client in clients:
        client.send(GET % b"/")
        client.take(1)
    server.stop(0.0)
    assert [STOPPING] * 4 == ended


def test_a_client_that_goes_away_finds_no_running_loop(serve: Serve) -> None:
    """What a generator does at its end may use asyncio as views do, although the event loop found the client gone."""
    ended: list[int] = []

    async def clean_up() -> int:
        return 7

    def pieces() -> Iterator[bytes]:
        try:
            while True:
                yield LARGE
        finally:
            ended.append(asyncio.run(clean_up()))

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        return pieces()

    server = serve(application)
    client = server.client()
    client.send(GET % b"/")
    client.take(1)
    client.close()
    server.wait_until(lambda: ended == [7])


def test_a_slow_reader_holds_up_no_event_loop(serve: Serve) -> None:
    """With threads, an answer is closed in the thread that made it, before its client has read it."""
    called: list[int] = []
    closed: list[int] = []

    class Body(list[bytes]):
        def close(self) -> None:
            closed.append(threading.get_ident())

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        called.append(threading.get_ident())
        start_response("200 OK", [])
        return Body([LARGE])

    server = serve(application, threads=2)
    reader, leaver = server.client(), server.client()
    for number, client in enumerate((reader, leaver), 1):
        client.send(GET % b"/")
        client.take(1)
        server.wait_until(lambda number=number: len(closed) == number)
    assert called == closed
    leaver.close()
    server.wait_until(lambda: server.served == 1)
    reader.take(len(LARGE))
    server.wait_until(lambda: server.served == 2)
    assert called == closed


def test_an_end_that_takes_long_holds_up_no_other(serve: Serve, application: Application) -> None:
    """With threads, what one large answer waits for at its end delays no other large answer."""

    class Body(list[bytes]):
        def close(self) -> None:
            application.entered.release()
            assert application.gate.wait(20)

    def large(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        return (Body if environ["PATH_INFO"] == "/slow" else list)([LARGE])

    server = serve(large, threads=2)
    slow, other = server.client(), server.client()
    assert LARGE == slow.ask(GET % b"/slow").body
    assert application.entered.acquire(timeout=20)
    assert [LARGE] * 2 == [other.ask(GET % b"/other").body for _ in range(2)]
    server.wait_until(lambda: server.served == 2)
    application.gate.set()
    server.wait_until(lambda: server.served == 3)


def test_ends_take_turns_with_others(serve: Serve, application: Application) -> None:
    """Clients that leave at once hold up no request by what their streams do at their end."""
    log: list[str] = []

    def pieces() -> Iterator[bytes]:
        try:
            while True:
                yield LARGE
        finally:
            log.append("end")

    def streaming(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/endless":
            start_response("200 OK", [])
            return pieces()
        log.append(environ["PATH_INFO"])
        return application(environ, start_response)

    server = serve(streaming)
    busy, other, *leaving = [server.client() for _ in range(10)]
    other.ask(GET % b"/before")
    for client in leaving:
        client.send(GET % b"/endless")
        client.take(1)
    busy.send(GET % b"/wait")
    assert application.entered.acquire(timeout=20)
    for client in leaving:
        client.close()
    other.send(GET % b"/other")
    application.gate.set()
    assert b"/other" == other.receive().body
    server.wait_until(lambda: log.count("end") == 8)
    assert "end" == log[-1]


def test_a_client_that_goes_away_before_it_is_served(serve: Serve, application: Application) -> None:
    """The application is not called for a client that is gone."""
    server = serve(application, threads=2)
    waiting = [server.client() for _ in range(2)]
    gone = server.leaving_client()
    for client in waiting:
        client.send(GET % b"/wait")
        assert application.entered.acquire(timeout=20)
    server.wait_until(lambda: server.connections == 3)
    gone.sendall(GET % b"/gone")
    server.turn()
    gone.close()
    server.wait_until(lambda: server.connections == 2)
    application.gate.set()
    for client in waiting:
        client.receive()
    assert b"/after" == server.client().ask(GET % b"/after").body
    assert "/gone" not in application.log


@one_thread_and_several
@pytest.mark.parametrize(("path", "error"), [(b"/fail", LookupError), (b"/exit", SystemExit)])
def test_an_application_that_fails(
    serve: Serve, application: Application, threads: int, path: bytes, error: type[BaseException]
) -> None:
    """Whatever the application raises ends one request, is answered by 500, and the server goes on."""
    server = serve(application, threads=threads)
    answer = server.client().ask(post(b"abc", target=path.decode()))
    assert (500, b"internal error", "close") == (answer.status, answer.body, answer.headers["connection"])
    ((environ, rejection),) = server.rejections
    assert (error, path.decode(), 3) == (type(rejection.__cause__), environ["PATH_INFO"], environ[BODY_BYTES])
    assert environ[STARTED_AT] > 0
    assert b"/next" == server.client().ask(GET % b"/next").body
    server.wait_until(lambda: server.served == 2)


def test_the_size_of_a_chunked_body_that_was_not_read(serve: Serve, application: Application) -> None:
    """How much an application has read that fails on a chunked body is not known."""
    server = serve(application)
    assert 500 == server.client().ask(post_chunked(b"abc", target="/fail")).status
    assert None is server.rejections[0][0][BODY_BYTES]


@one_thread_and_several
def test_an_application_that_fails_half_way(serve: Serve, application: Application, threads: int) -> None:
    """Where the head is out, the end of the connection tells the client that the rest is missing."""
    server = serve(application, threads=threads)
    client = server.client()
    client.send(GET % b"/stream-fail")
    with pytest.raises(ConnectionError):  # Reset, or the end.
        pieces_of(client)
    assert "closed" == application.log[-1]
    assert b"/next" == server.client().ask(GET % b"/next").body
    assert [(500, False)] == [(rejection.status, rejection.is_sent) for _, rejection in server.rejections]


def test_a_failure_behind_a_client_that_is_gone(serve: Serve, application: Application) -> None:
    """Where a client is gone when the application fails in a thread, its request is reported, and nothing is sent."""

    def fail_late(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        list(application(environ, start_response))
        raise LookupError("a bug")

    server = serve(fail_late, threads=2)
    client = server.leaving_client()
    client.sendall(GET % b"/wait")
    assert application.entered.acquire(timeout=20)
    client.close()
    server.wait_until(lambda: server.connections == 0)
    application.gate.set()
    server.wait_until(lambda: server.served == 1)
    assert [(500, False)] == [(rejection.status, rejection.is_sent) for _, rejection in server.rejections]


def test_a_signal_ends_the_server(serve: Serve, application: Application) -> None:
    """A SystemExit that comes from the handler of a signal ends the server at once, and not only the request."""
    server = serve(application, is_aborted=lambda: True)
    client = server.client()
    client.send(GET % b"/exit")
    assert 3 == server.ended.exception(20).code  # type: ignore[union-attr]
    assert [] == server.rejections
    server.run_to_the_end()


@one_thread_and_several
def test_an_overload(serve: Serve, application: Application, monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    """While the first request waits for too long, the next are rejected at once, one whose body is to come as well."""
    # Ten seconds pass from each event of a connection to the next.
    clock = SimpleNamespace(monotonic=count(time.monotonic(), 10.0).__next__)
    monkeypatch.setattr(connection, "time", clock)
    waits: list[int] = []
    server = serve(application, threads=threads, set_waiting=waits.append)
    busy = [server.client() for _ in range(threads)]
    first, *others = (server.client() for _ in range(3))
    for client in (first, *others):
        client.ask(GET % b"/before")
    for client in busy:
        client.send(GET % b"/wait")
        assert application.entered.acquire(timeout=20)
    for client, data in zip((first, *others), (GET % b"/first", GET % b"/second", post(b"abc")[:-3]), strict=True):
        client.send(data)
        if threads > 1:
            server.turn()
    application.gate.set()
    late = (503, b"overloaded: requests have waited for more than 1 s")
    assert [late, late] == [(answer.status, answer.body) for answer in (client.receive() for client in others)]
    assert b"/first" == first.receive().body
    assert {"/before", "/wait", "/first"} == set(application.log)
    assert 0 == waits[-1]


@one_thread_and_several
def test_a_request_that_has_waited_for_too_long(serve: Serve, application: Application, threads: int) -> None:
    """A request is not served when its turn comes too late."""
    server = serve(application, threads=threads, limits=Limits(100, wait=-1.0))
    answer = server.client().ask(GET % b"/late")
    assert (503, b"overloaded: the request has waited for more than -2 s") == (answer.status, answer.body)
    assert [] == application.log


def test_what_does_not_wait_for_a_thread(serve: Serve, application: Application) -> None:
    """Where all threads are busy, a probe is served at once."""
    server = serve(application, threads=2, is_probe={"/probe"}.__contains__)
    busy = [server.client() for _ in range(2)]
    for client in busy:
        client.send(GET % b"/wait")
        assert application.entered.acquire(timeout=20)
    assert b"/probe" == server.client().ask(GET % b"/probe").body
    application.gate.set()
    assert [200, 200] == [client.receive().status for client in busy]


def test_a_probe_that_waits_holds_up_no_request(serve: Serve, application: Application) -> None:
    """Where there are threads, a probe whose hook waits for a database keeps none of them, nor the event loop."""
    server = serve(application, threads=2, is_probe={"/wait"}.__contains__)
    probe = server.client()
    probe.send(GET % b"/wait")
    assert application.entered.acquire(timeout=20)
    assert b"/path" == server.client().ask(GET % b"/path").body
    application.gate.set()
    assert 200 == probe.receive().status


def test_a_client_that_resets_its_connection_while_it_waits(serve: Serve, application: Application) -> None:
    """A request whose client is gone is not served when its turn comes."""
    waits: list[int] = []
    server = serve(application, threads=2, set_waiting=waits.append)
    busy = [server.client() for _ in range(2)]
    for client in busy:
        client.send(GET % b"/wait")
        assert application.entered.acquire(timeout=20)
    waits.clear()
    with socket.create_connection(("127.0.0.1", server.port)) as gone:
        gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # Closed by a reset.
        gone.send(GET % b"/gone")
        server.wait_until(lambda: waits == [1])
    server.wait_until(lambda: server.connections == 2)
    application.gate.set()
    assert [200, 200] == [client.receive().status for client in busy]
    assert "/gone" not in application.log
    assert ([1, 0], [499]) == (waits[:2], [rejection.status for _, rejection in server.rejections])


def test_a_thread_blocks_no_signal(serve: Serve) -> None:
    """What a view starts can be stopped, although the worker blocks signals until it serves."""
    blocked: list[object] = []

    def look(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        blocked.append(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        start_response("200 OK", [])
        return []

    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        server = serve(look, threads=2)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert 200 == server.client().ask(GET % b"/").status
    assert [set()] == blocked


def test_probes_that_come_together(serve: Serve, application: Application) -> None:
    """Probes that wait for the same turn are all served in it where nothing else waits."""
    server = serve(application, is_probe={"/probe"}.__contains__)
    busy, *probes = [server.client() for _ in range(4)]
    busy.send(GET % b"/wait")
    assert application.entered.acquire(timeout=20)
    for probe in probes:
        probe.send(GET % b"/probe")
    application.gate.set()
    assert [b"/probe"] * 3 == [probe.receive().body for probe in probes]


@pytest.mark.parametrize(
    ("cost", "expected"), [(0.4, ["request", *["probe"] * 3, "request", "request"]), (2.0, ["request", "probe"] * 3)]
)
def test_probes_and_requests_take_turns(
    serve: Serve, application: Application, monkeypatch: pytest.MonkeyPatch, cost: float, expected: list[str]
) -> None:
    """Probes get as much time as the request before them took, and one its turn: no flood starves the other."""
    clock = SimpleNamespace(now=0.0)
    costs = {"/request": 1.0, "/probe": cost}

    def spend(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        clock.now += costs.get(environ["PATH_INFO"], 0.0)
        return application(environ, start_response)

    server = serve(spend, is_probe={"/probe"}.__contains__)
    monkeypatch.setattr(application_turns, "time", SimpleNamespace(monotonic=lambda: clock.now))
    busy, *clients = [server.client() for _ in range(7)]
    for client in clients:
        client.ask(GET % b"/before")
    busy.send(GET % b"/wait")
    assert application.entered.acquire(timeout=20)
    for path in (b"/request", b"/probe"):
        for _ in range(3):
            clients.pop().send(GET % path)
    application.gate.set()
    server.wait_until(lambda: len(application.log) == 13)
    assert expected == [path[1:] for path in application.log[-6:]]


def test_a_new_client_beside_a_busy_one(
    serve: Serve, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A view that takes long does not run again in each turn of the event loop that opening a connection takes."""
    clock = SimpleNamespace(now=0.0)

    def spend(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        clock.now += 0.02
        return application(environ, start_response)

    server = serve(spend)
    monkeypatch.setattr(application_turns, "time", SimpleNamespace(monotonic=lambda: clock.now))
    busy = server.client()
    busy.send(GET % b"/wait" + GET % b"/next" * 8)
    assert application.entered.acquire(timeout=20)
    new = server.client()
    new.send(GET % b"/new")
    application.gate.set()
    assert b"/new" == new.receive().body
    assert [200] * 9 == [busy.receive().status for _ in range(9)]
    assert application.log.index("/new") <= 3


@pytest.mark.parametrize(
    ("other", "cost", "expected"),
    [
        pytest.param("R", 0.25, "pp" + "Rpppp" * 2 + "R", id="short pieces"),
        pytest.param("R", 2.0, "ppRpRR" + "p" * 7, id="long pieces"),
        pytest.param("P", 0.25, "pp" + "Pp" * 2 + "P" + "p" * 6, id="short pieces and probes"),
        pytest.param("P", 2.0, "ppPPP" + "p" * 8, id="long pieces and probes"),
    ],
)
def test_pieces_and_others_take_turns(  # noqa: PLR0913 - three fixtures, three columns
    serve: Serve, application: Application, monkeypatch: pytest.MonkeyPatch, *, other: str, cost: float, expected: str
) -> None:
    """The next pieces of a stream get as much time as requests (R), and probes (P) as both: none holds another up."""
    clock = SimpleNamespace(now=0.0)

    def pieces() -> Iterator[bytes]:
        for _ in range(10):
            clock.now += cost
            application.log.append("/p")
            yield b"piece"

    def spend(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/pieces":
            start_response("200 OK", [("Content-Length", "50")])
            return pieces()
        clock.now += environ["PATH_INFO"] == f"/{other}"
        return application(environ, start_response)

    server = serve(spend, is_probe={"/P"}.__contains__)
    for module in (application_turns, ready_responses):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    busy, stream, *clients = [server.client() for _ in range(5)]
    for client in (stream, *clients):
        client.ask(GET % b"/before")
    busy.send(GET % b"/wait")
    assert application.entered.acquire(timeout=20)
    stream.send(GET % b"/pieces")
    for client in clients:
        client.send(GET % f"/{other}".encode())
    application.gate.set()
    assert b"piece" * 10 == stream.receive().body
    server.wait_until(lambda: application.log.count(f"/{other}") == 3)
    assert expected == "".join(path[1:] for path in application.log[-13:])


def test_a_client_that_has_read_and_leaves_before_its_turn(serve: Serve, application: Application) -> None:
    """A response that could go on has nothing to go to where the client leaves in the same moment."""
    server = serve(application)
    client = server.client()
    client.send(GET % b"/stream-large")
    server.wait_until(lambda: "piece 0" in application.log)

    def read_and_leave() -> None:
        (connection,) = server.server._connections  # noqa: SLF001 - in one turn of the event loop
        connection.resume_writing()
        connection.abort()

    server.call(read_and_leave)
    server.turn()
    assert ["/stream-large", "piece 0", "closed"] == application.log


def test_a_probe_whose_client_leaves_before_its_turn(serve: Serve, application: Application) -> None:
    """It is forgotten: probes that nothing waits for take no turn."""
    server = serve(application, is_probe={"/probe"}.__contains__)
    server.client().ask(GET % b"/before")

    def arrive_and_leave() -> None:
        (connection,) = server.server._connections  # noqa: SLF001 - in one turn of the event loop
        data = GET % b"/probe"
        connection.get_buffer(-1)[: len(data)] = data
        connection.buffer_updated(len(data))
        connection.abort()

    server.call(arrive_and_leave)
    server.turn()
    assert (["/before"], [499]) == (application.log, [rejection.status for _, rejection in server.rejections])


def test_a_probe_whose_client_is_gone(serve: Serve, application: Application) -> None:
    """Also what no thread runs is closed when its client is gone."""
    server = serve(application, threads=2, is_probe={"/stream-large"}.__contains__)
    client = server.client()
    client.send(GET % b"/stream-large")
    server.wait_until(lambda: "piece 0" in application.log)
    client.close()
    server.wait_until(lambda: "closed" in application.log)


def test_large_requests_are_bounded_together(serve: Serve, application: Application) -> None:
    """Of requests that hold too much together one is rejected, and the others are served."""
    size = 1024 * 1024
    server = serve(application, limits=Limits(size))
    clients = [server.client() for _ in range(9)]
    for client in clients:
        client.send(post(bytes(size))[:-1])
    server.wait_until(lambda: server.rejections)
    server.wait_until(lambda: any(client.has_answer() for client in clients))
    (rejected,) = [client for client in clients if client.has_answer()]
    answer = rejected.receive()
    assert (503, b"overloaded: requests hold more than 8519680 bytes") == (answer.status, answer.body)
    others = [client for client in clients if client is not rejected]
    for client in others:
        client.send(b"x")
    assert [200] * 8 == [client.receive().status for client in others]


def test_answers_that_are_not_read_hold_no_place(serve: Serve, application: Application) -> None:
    """Clients that send much and do not read their answers lose them when another needs the memory."""
    size = 1024 * 1024
    server = serve(application, limits=Limits(size, stalled=-1.0))
    unread = [server.client() for _ in range(8)]
    for client in unread:
        client.send(post(bytes(size), target="/large"))
        client.take(1)
    answer = server.client().ask(post(bytes(size)))
    assert (200, size + len("/echo")) == (answer.status, len(answer.body))
    server.wait_until(lambda: server.connections == 8)
    assert [] == server.rejections


def test_more_streams_than_connections(serve: Serve, application: Application) -> None:
    """Clients that read long streams are not evicted, but others than probes get no more beside an eighth more."""

    def streaming(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/endless":
            return application(environ, start_response)
        start_response("200 OK", [])
        return (time.sleep(0.001) or b"x" for _ in count())

    server = serve(streaming, limits=Limits(100, connections=8), is_probe={"/probe"}.__contains__)
    reading = []
    for _ in range(9):
        reading.append(server.client())
        reading[-1].send(GET % b"/endless")
        reading[-1].take(1)
    answer = server.client().ask(GET % b"/next")
    assert (503, b"overloaded: too many connections") == (answer.status, answer.body)
    assert b"/probe" == server.client().ask(GET % b"/probe").body
    for client in reading:
        client.close()
    server.wait_until(lambda: server.connections <= 2)
    assert b"/next" == server.client().ask(GET % b"/next").body


@pytest.mark.parametrize(("method", "body"), [("GET", b"malformed HTTP: no valid chunk size"), ("HEAD", b"")])
def test_rejection(serve: Serve, application: Application, method: str, body: bytes) -> None:
    """What a request is rejected for is sent as the service puts it, with what is known of the request."""
    server = serve(application)
    client = server.client()
    data = f"{method} /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nx\r\n".encode()
    client.send(data)
    answer = client.receive(is_head=method == "HEAD")
    assert (400, "yes", "close") == (answer.status, answer.headers["x-rejected"], answer.headers["connection"])
    assert body == answer.body
    assert b"" == client.rest()
    environ = server.rejections[0][0]
    assert (method, "/a", 3, b"") == (
        environ["REQUEST_METHOD"],
        environ["PATH_INFO"],
        environ[BODY_BYTES],
        environ["wsgi.input"].read(),
    )
    assert [] == application.log
