"""The event loop, in the process of the test: what the tests over real processes meet by chance alone."""

import contextlib
import os
import select
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from gunicorn.asgi.parser import PythonProtocol

from app.client import ClientAddress
from app.event_loop import EventLoop
from app.gateway import base_environ
from app.incoming_request import LARGE_BODY_BYTES
from app.limits import Limits
from app.measurement import Measurement
from app.service import Service
from app.work_queue import WorkQueue

if TYPE_CHECKING:
    from tests.support.log_lines import Lines

LARGE = 16 * 1024 * 1024
GET = b"GET /%s HTTP/1.1\r\nHost: test\r\n\r\n"
LIMIT_SECONDS = 20.0


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer with the path, or with more than sockets take at once."""
    start_response("200 OK", [])
    return [b"x" * LARGE if environ["PATH_INFO"] == "/large" else environ["PATH_INFO"].encode()]


@pytest.fixture
def serve() -> Iterator[Callable[..., None]]:
    """Run an event loop until a client has done its steps, one of them in each turn of the loop."""
    wake, wake_write = os.pipe()

    def run(
        steps: Callable[[socket.socket], Iterator[None]],
        *,
        max_connections: int = 10,
        body_bytes: int = 1000,
        and_then: Callable[[EventLoop], None] = lambda _: None,
    ) -> None:
        measurement = Measurement(application, [], ClientAddress("127.0.0.1"), time.perf_counter)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            with socket.create_connection(listener.getsockname()) as client:
                client.setblocking(False)
                script = steps(client)
                end = time.monotonic() + LIMIT_SECONDS

                def is_running() -> bool:
                    assert time.monotonic() < end
                    os.write(wake_write, b"x")  # The next turn waits for nothing.
                    return next(script, StopIteration) is not StopIteration

                service = Service(
                    application=measurement,
                    measurement=measurement,
                    environ=base_environ(5000, multithread=False, multiprocess=False),
                    limits=Limits(body_bytes=body_bytes),
                    max_connections=max_connections,
                    graceful_seconds=0.0,
                    has_fewest_connections=lambda: True,
                    count_connections=lambda _: None,
                    is_running=is_running,
                    is_ready=lambda: True,
                    heartbeat=lambda: None,
                    served=lambda: None,
                )
                loop = EventLoop(listener, wake, service)
                loop.run()
                and_then(loop)

    yield run
    os.close(wake)
    os.close(wake_write)


def received(client: socket.socket) -> bytes:
    """Receive what there is; no bytes mean that there is nothing yet."""
    try:
        return client.recv(LARGE)
    except BlockingIOError:
        return b""


def receive_until(client: socket.socket, end: bytes, answer: bytearray) -> Iterator[None]:
    """Receive an answer up to its end, as it comes from turn to turn."""
    while not answer.endswith(end):
        yield
        answer.extend(received(client))


def test_who_finds_nobody_to_give_way_is_served(serve: Callable[..., None]) -> None:
    """Where there is no room and nobody waits idly, a new client comes in all the same."""
    answer = b""

    def steps(client: socket.socket) -> Iterator[None]:
        nonlocal answer
        client.sendall(GET % b"path")
        while not answer.endswith(b"/path"):
            yield
            answer += received(client)

    serve(steps, max_connections=0)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


def test_who_does_not_read_gives_way_at_last(serve: Callable[..., None]) -> None:
    """Where there is no room, and all there are do not read their answers, one of them makes room."""
    answer = b""
    left = bytearray()

    def steps(client: socket.socket) -> Iterator[None]:
        nonlocal answer
        client.sendall(GET % b"large")
        while not left:
            yield
            left.extend(client.recv(1) if select.select([client], [], [], 0)[0] else b"")
        with socket.create_connection(client.getpeername()) as second:
            second.setblocking(False)
            second.sendall(GET % b"path")
            while not answer.endswith(b"/path"):
                yield
                answer += received(second)
        client.settimeout(LIMIT_SECONDS)
        with contextlib.suppress(ConnectionResetError):
            while data := client.recv(LARGE):
                left.extend(data)

    serve(steps, max_connections=1)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert LARGE > len(left)


def test_who_is_sending_does_not_give_way_to_who_is_silent(serve: Callable[..., None]) -> None:
    """Where there is no room, the client goes that has been silent for the longest time, and not one that has begun."""
    answers: list[bytes] = []

    def answer(client: socket.socket, path: bytes) -> Iterator[None]:
        text = b""
        while not text.endswith(b"/" + path):
            yield
            text += received(client)
        answers.append(path)

    def steps(silent: socket.socket) -> Iterator[None]:
        silent.sendall(GET % b"silent")
        yield from answer(silent, b"silent")
        request = GET % b"sending"
        with socket.create_connection(silent.getpeername()) as sending:
            sending.setblocking(False)
            sending.sendall(request[:9])
            yield  # It is accepted.
            yield  # It has begun.
            with socket.create_connection(silent.getpeername()) as new:
                new.setblocking(False)
                new.sendall(GET % b"new")
                yield from answer(new, b"new")
                sending.sendall(request[9:])
                yield from answer(sending, b"sending")

    serve(steps, max_connections=2)
    assert [b"silent", b"new", b"sending"] == answers


def test_what_is_malformed_behind_a_large_response_is_refused_after_it(serve: Callable[..., None]) -> None:
    """A response that a client takes slowly comes whole, and then the refusal of what follows its request."""
    answer = bytearray()

    def steps(client: socket.socket) -> Iterator[None]:
        client.sendall(GET % b"large" + b"malformed\r\n\r\n")
        yield from receive_until(client, b"}\n", answer)

    serve(steps)
    first, _, rest = bytes(answer).partition(b"\r\n\r\n")
    assert (b"HTTP/1.1 200 OK", b"x" * LARGE) == (first.split(b"\r\n")[0], rest[:LARGE])
    assert rest[LARGE:].startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_an_event_of_a_connection_that_is_gone_is_passed_over(serve: Callable[..., None]) -> None:
    """What the selector has reported before a connection was closed in the same turn is no error."""

    def steps(client: socket.socket) -> Iterator[None]:
        client.sendall(GET % b"path")
        yield

    def late(loop: EventLoop) -> None:
        loop._receive(-1)  # noqa: SLF001 - what the selector calls
        loop._flush(-1)  # noqa: SLF001

    serve(steps, and_then=late)


def test_what_would_wait_for_too_long_is_refused_at_once(
    serve: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that the queue does not take is answered 503 with Retry-After, and its connection is closed."""
    monkeypatch.setattr(WorkQueue, "offer", lambda *_: False)
    answer = bytearray()

    def steps(client: socket.socket) -> Iterator[None]:
        client.sendall(GET % b"path")
        yield from receive_until(client, b"}\n", answer)

    serve(steps)
    assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"\r\nRetry-After: 1\r\n" in answer
    assert b"\r\nConnection: close\r\n" in answer


def test_an_overload_is_told_before_the_body_has_come(
    serve: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While there is too much work, a request is refused as soon as its head is there, and its body is not awaited."""
    monkeypatch.setattr(WorkQueue, "is_full", True)
    answer = bytearray()

    def steps(client: socket.socket) -> Iterator[None]:
        client.sendall(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\n{")
        yield from receive_until(client, b"}\n", answer)

    serve(steps)
    assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"\r\nRetry-After: 1\r\n" in answer


def test_a_large_body_under_way_is_received_in_an_overload(
    serve: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Work that has become too much meanwhile refuses nobody of whose large body a part has been received."""
    answer = bytearray()
    body = b"x" * 2 * LARGE_BODY_BYTES

    def steps(client: socket.socket) -> Iterator[None]:
        client.sendall(b"POST /path HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n" % len(body))
        client.sendall(body[:-2])
        for _ in range(5):  # A turn to accept, and one for each 16 kB.
            yield
        monkeypatch.setattr(WorkQueue, "is_full", True)
        for byte in body[-2:]:
            client.sendall(bytes([byte]))
            yield
        yield from receive_until(client, b"/path", answer)

    serve(steps, body_bytes=len(body))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_bug_ends_one_connection(
    serve: Callable[..., None], monkeypatch: pytest.MonkeyPatch, log_lines: "Lines"
) -> None:
    """What nobody has foreseen is answered by 500 and logged, and the event loop goes on with everybody else."""
    answer = bytearray()

    def fail(*_: object) -> None:
        raise RuntimeError("a secret")

    def steps(client: socket.socket) -> Iterator[None]:
        monkeypatch.setattr(PythonProtocol, "feed", fail)
        client.sendall(GET % b"path")
        yield from receive_until(client, b"}\n", answer)

    serve(steps)
    assert answer.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert b"secret" not in answer
    assert ("error", "connection error") == (log_lines.only["level"], log_lines.only["event"])
    assert "a secret" in log_lines.only["traceback"]
