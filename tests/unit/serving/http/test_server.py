"""The HTTP server: how it looks after its connections, makes room, and stops."""

import math
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from app.serving.http.connection import CONTINUE
from app.serving.http.limits import Limits
from app.serving.http.request_reader import RequestReader
from tests.support.http_client import Client, is_refused, post

if TYPE_CHECKING:
    from tests.support.log_lines import Lines
    from tests.unit.serving.http.conftest import Running

Serve = Callable[..., "Running"]

GET = b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n"
LARGE = bytes(10_000_000)
STOPPING = b"the server is shutting down"


def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer the path, or more than a client takes at once."""
    start_response("200 OK", [])
    return [LARGE] if environ["PATH_INFO"] == "/large" else [environ["PATH_INFO"].encode()]


def begin(client: Client) -> None:
    """Begin a request, and wait until the server knows of it."""
    client.send(post(b"abc", "Expect: 100-continue")[:-3])
    assert CONTINUE == client.take(len(CONTINUE))


def rest_of(client: Client) -> bytes:
    """Receive what comes before the server ends the connection, which resets it where something is left to send."""
    with suppress(ConnectionResetError):
        return client.rest()
    return b""


def limits(**changes: Any) -> Limits:
    """Make limits."""
    return Limits(**{"body_bytes": 1000, "close": 0.1} | changes)


@pytest.mark.parametrize("data", [b"GET", post(b"abc")[:-1]])
def test_a_request_that_does_not_arrive_in_time(serve: Serve, data: bytes) -> None:
    """A client that is too slow is told so: 408."""
    client = serve(answer, limits=limits(head=0.0, body=0.0)).client()
    response = client.ask(data)
    assert (408, b"the rest of the request did not arrive in time") == (response.status, response.body)
    assert client.is_at_end()


def test_an_idle_connection_ends(serve: Serve) -> None:
    """A connection on which no request begins is closed without a word."""
    server = serve(answer, limits=limits(keep_alive=0.01))
    assert server.client().is_at_end()
    server.wait_until(lambda: server.connections == 0)


def test_no_connection_is_kept_where_none_may_be(serve: Serve) -> None:
    """Where none is kept, the client is told so, and does not send a request that meets the end."""
    server = serve(answer, limits=limits(keep_alive=0.0))
    client = server.client()
    server.wait_until(lambda: server.connections == 1)
    server.call(server.server._look_after, time.monotonic())  # noqa: SLF001 - the tick of each second
    assert "close" == client.ask(GET % b"").headers["connection"]
    assert client.is_at_end()


def test_a_client_that_does_not_read(serve: Serve) -> None:
    """A client that does not take its answer in time loses it."""
    server = serve(answer, limits=limits(send=0.0))
    client = server.client()
    client.send(GET % b"large")
    client.take(1)
    server.wait_until(lambda: server.connections == 0)
    assert len(LARGE) > len(rest_of(client))


def test_heartbeat(serve: Serve) -> None:
    """The service is told again and again that the server is alive, also while it stops."""
    beats: list[int] = []
    server = serve(answer, heartbeat=lambda: beats.append(1))
    server.wait_until(lambda: len(beats) > 2)
    client = server.client()
    begin(client)
    server.call(server.server.stop, math.inf)
    before = len(beats)
    server.wait_until(lambda: len(beats) > before + 2)
    client.send(b"abc")
    assert 200 == client.receive().status


@pytest.mark.parametrize("untouched", [1e-6, 3600.0])
def test_the_longest_silent_gives_way(serve: Serve, monkeypatch: pytest.MonkeyPatch, untouched: float) -> None:
    """Where there is no room, the client goes that has been silent for the longest time, and not one that has begun.

    If all have come or been answered a moment ago, it is one of these.
    """
    monkeypatch.setattr("app.serving.http.server.UNTOUCHED_SECONDS", untouched)
    server = serve(answer, limits=limits(connections=2))
    silent, sending = server.client(), server.client()
    silent.ask(GET % b"silent")
    begin(sending)
    assert b"/new" == server.client().ask(GET % b"new").body
    assert silent.is_at_end()
    assert b"/echo" == sending.ask(b"abc").body


def test_a_client_that_does_not_read_gives_way_at_last(serve: Serve) -> None:
    """Where there is no room, and the others do not read their answers, one of them makes room."""
    server = serve(answer, limits=limits(connections=1))
    client = server.client()
    client.send(GET % b"large")
    client.take(1)
    assert b"/new" == server.client().ask(GET % b"new").body
    assert len(LARGE) > len(rest_of(client))


@pytest.mark.parametrize(
    ("opening", "senders", "evicted"),
    [
        pytest.param(1, 8, None, id="there is room beyond the limit"),
        pytest.param(2, 8, 0, id="there is none, and all have sent"),
        pytest.param(2, 7, 7, id="there is none, and one is silent"),
    ],
)
def test_a_request_in_the_kernel_is_no_silence(serve: Serve, opening: int, senders: int, evicted: int | None) -> None:
    """A client whose request is still to be read is not reset, unless there are more than an eighth above the limit."""
    server = serve(answer, limits=limits(connections=8))
    clients = [server.client() for _ in range(8)]
    server.wait_until(lambda: server.connections == 8)
    server.turn()

    def send_and_evict() -> None:
        for client in clients[:senders]:
            client.send(GET % b"path")
        for _ in range(opening):
            server.server._connections.expect()  # noqa: SLF001 - in the place of clients that connect at this moment
        server.server._evict()  # noqa: SLF001 - the same

    server.call(send_and_evict)
    reset = [rest_of(clients.pop(evicted))] if evicted is not None else []
    assert ({b"/path"}, b"") == ({client.receive().body for client in clients}, b"".join(reset))


@pytest.fixture
def crowd(serve: Serve) -> Iterator[tuple["Running", list[Client]]]:
    """Fill a server with clients: two views hold its threads, and six requests wait."""
    release = threading.Event()

    def hold(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        release.wait(20)
        return answer(environ, start_response)

    waiting: list[int] = []
    server = serve(hold, threads=2, limits=limits(connections=8), set_waiting=waiting.append)
    clients = [server.client() for _ in range(8)]
    for number, client in enumerate(clients):
        client.send(GET % b"%d" % number)
        server.wait_until(lambda number=number: server.connections == 8 and (waiting[-1:] or [0])[0] >= number - 1)
    yield server, clients
    release.set()


def test_a_request_gives_way_where_most_clients_wait(crowd: tuple["Running", list[Client]]) -> None:
    """One that waits is answered by 503, and not one reset that has just connected."""
    server, clients = crowd
    new = server.client()
    assert 503 == clients[-1].receive().status
    new.send(GET % b"new")
    server.turn()
    assert not new.has_answer()


def test_a_waiting_request_gives_its_descriptor(crowd: tuple["Running", list[Client]]) -> None:
    """Where the system has no descriptor left, its connection is closed at once; else that of a silent client is."""
    server, clients = crowd
    freed: list[bool] = []
    for _ in range(3):
        server.call(lambda: freed.append(server.server._free_descriptors()))  # noqa: SLF001 - in the place of EMFILE
    assert [True, True, False] == freed
    assert [b"", b""] == [rest_of(client) for client in clients[-2:]]


def test_a_probe_is_served_where_none_gives_way(serve: Serve) -> None:
    """Where there is no room at all, a new client comes in all the same: it may be a probe."""
    server = serve(answer, limits=limits(connections=0), is_probe={"/probe"}.__contains__)
    assert b"/probe" == server.client().ask(GET % b"probe").body
    assert 503 == server.client().ask(GET % b"path").status


def test_stop(serve: Serve) -> None:
    """A server that stops accepts no more, ends the idle connections, and waits for a request that has begun."""
    server = serve(answer, limits=limits(linger=0.0))
    idle, receiving = server.client(), server.client()
    idle.ask(GET % b"before")
    begin(receiving)
    server.call(server.server.stop, math.inf)
    server.call(server.server.stop, 0.0)  # Only the first one counts.
    assert idle.is_at_end()
    assert is_refused(server.port)
    response = receiving.ask(b"abc")
    assert (b"/echo", "close") == (response.body, response.headers["connection"])
    server.wait()


def test_a_request_on_its_way_during_a_stop(serve: Serve) -> None:
    """An idle connection lingers for a request that may be on its way, which is served."""
    server = serve(answer, limits=limits(linger=100.0))
    client = server.client()
    client.ask(GET % b"before")
    server.call(server.server.stop, math.inf)
    assert b"/after" == client.ask(GET % b"after").body
    assert client.is_at_end()
    server.wait()


def test_a_silent_client_that_a_stop_has_accepted(serve: Serve) -> None:
    """A client that is accepted at the moment of a stop, and stays silent, holds it up no longer than others do."""
    server = serve(answer, limits=limits(linger=0.2))
    late: list[socket.socket] = []

    def connect_and_stop() -> None:
        late.append(socket.create_connection(("127.0.0.1", server.port)))
        server.server.drain(0.0, math.inf)
        server.server.stop(math.inf)

    server.call(connect_and_stop)
    server.wait()
    assert b"" == late[0].recv(1)
    late[0].close()


def test_the_grace_has_an_end(serve: Serve) -> None:
    """A request that has not arrived when the grace is over is rejected, and a client that does not read is left."""
    server = serve(answer)
    receiving, slow = server.client(), server.client()
    begin(receiving)
    slow.send(GET % b"large")
    slow.take(1)
    server.stop(0.0)
    response = receiving.receive()
    assert (503, STOPPING) == (response.status, response.body)
    assert len(LARGE) > len(rest_of(slow))


def test_the_grace_has_an_end_for_threads(serve: Serve) -> None:
    """A request that waits for a thread when the grace is over is rejected; what threads still run is abandoned."""
    gate = threading.Event()
    entered = threading.Semaphore(0)

    def wait(_environ: dict[str, Any], _start_response: Callable[..., Any]) -> Iterable[bytes]:
        entered.release()
        assert gate.wait(20)
        raise TimeoutError

    server = serve(wait, threads=2)
    busy = [server.client() for _ in range(2)]
    for client in busy:
        client.send(GET % b"busy")
        assert entered.acquire(timeout=20)
    waiting = server.client()
    server.wait_until(lambda: server.connections == 3)
    waiting.send(GET % b"waiting")
    server.turn()
    server.stop(0.0)
    response = waiting.receive()
    assert (503, STOPPING) == (response.status, response.body)
    for client in busy:
        assert b"" == rest_of(client)
    gate.set()
    server.wait_until(lambda: not any(thread.name.startswith("application") for thread in threading.enumerate()))


def test_drain(serve: Serve) -> None:
    """While it drains, a server serves everything, on connections that end; then it stops."""
    server = serve(answer)
    kept = server.client()
    kept.ask(GET % b"before")
    server.call(server.server.drain, time.monotonic() + 0.5, math.inf)
    for client in (kept, server.client()):
        response = client.ask(GET % b"during")
        assert (b"/during", "close") == (response.body, response.headers["connection"])
        assert client.is_at_end()
    server.wait()
    assert is_refused(server.port)


def test_requests_behind_a_drain(serve: Serve) -> None:
    """When the draining is over, a client that goes on using its connection is sent elsewhere."""
    server = serve(answer, limits=limits(linger=100.0))
    served, new = server.client(), server.client()
    served.ask(GET % b"before")
    server.wait_until(lambda: server.connections == 2)
    server.call(server.server.drain, 0.0, math.inf)
    server.wait_until(lambda: is_refused(server.port))
    response = served.ask(GET % b"after")
    assert (503, STOPPING) == (response.status, response.body)
    assert b"/new" == new.ask(GET % b"new").body
    server.wait()


def test_a_bug_ends_one_connection(serve: Serve, monkeypatch: pytest.MonkeyPatch, log_lines: "Lines") -> None:
    """A bug in the server itself is logged and ends one connection, and all the others go on."""

    def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    server = serve(answer)
    client, other = server.client(), server.client()
    other.ask(GET % b"before")
    with monkeypatch.context() as patch:
        patch.setattr(RequestReader, "feed", fail)
        client.send(GET % b"path")
        with suppress(ConnectionResetError):
            assert client.is_at_end()
    assert b"/after" == other.ask(GET % b"after").body
    assert {"error"} == {line["level"] for line in log_lines.json}
    assert "a bug" in log_lines.json[0]["traceback"]


# uvloop forgets to close the transport that it could not open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore:unclosed:ResourceWarning")
def test_a_client_that_is_gone_before_it_is_welcomed(serve: Serve) -> None:
    """A connection that cannot be made is counted no longer, and others are."""
    server = serve(answer)
    gone = socket.socket()
    gone.close()
    server.call(server.server._welcome, gone, "peer")  # noqa: SLF001 - as the acceptor calls it
    client = server.client()
    assert b"/here" == client.ask(GET % b"here").body
    server.wait_until(lambda: server.connections == 1)
