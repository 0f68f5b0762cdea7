"""The handler: what a connection has received becomes the bytes that it sends."""

import json
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from app.client import ClientAddress
from app.connection import Connection
from app.exchange import Exchange
from app.gateway import base_environ
from app.handler import Handler
from app.limits import Limits
from app.measurement import Measurement
from app.refusal import Refusal
from app.service import Service

if TYPE_CHECKING:
    from tests.support.log_lines import Lines

REQUEST = b"POST /path HTTP/1.1\r\nHost: a\r\nX-Request-ID: abc\r\nContent-Length: 3\r\n\r\nxyz"


class World:
    """What surrounds a handler: a service whose state a test can change, and what it was told."""

    def __init__(self) -> None:
        self.is_running = self.is_ready = True
        self.served = 0
        self.finished_exchanges: list[Exchange] = []
        self.rejected_exchanges: list[Exchange] = []

    def started(self) -> None:
        """Do nothing."""

    def finished(self, exchange: Exchange) -> None:
        """Keep the request."""
        self.finished_exchanges.append(exchange)

    def rejected(self, exchange: Exchange) -> None:
        """Keep the request."""
        self.rejected_exchanges.append(exchange)

    def count(self) -> None:
        """Count a request."""
        self.served += 1

    def handler(self, application: Callable[..., Iterable[bytes]]) -> Handler:
        """Make a handler of an application."""
        measurement = Measurement(application, [self], ClientAddress("127.0.0.1"), lambda: 0.0)
        return Handler(
            Service(
                application=measurement,
                measurement=measurement,
                environ=base_environ(5000, multithread=False, multiprocess=False),
                limits=Limits(body_bytes=100),
                max_connections=10,
                graceful_seconds=1.0,
                has_fewest_connections=lambda: True,
                count_connections=lambda _change: None,
                is_running=lambda: self.is_running,
                is_ready=lambda: self.is_ready,
                heartbeat=lambda: None,
                served=self.count,
            )
        )


@pytest.fixture
def world() -> World:
    """Surround a handler."""
    return World()


@pytest.fixture
def connection_of() -> Iterator[Callable[[bytes], Connection]]:
    """Make a connection that has received bytes at the time 1."""
    client, server = socket.socketpair()
    with client, server:
        server.setblocking(False)

        def make(request: bytes) -> Connection:
            connection = Connection(server, "203.0.113.9", Limits(body_bytes=100), 0.0)
            client.sendall(request)
            connection.receive(1.0)
            return connection

        yield make


def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer the path and the body of a request."""
    start_response("200 OK", [])
    return [environ["PATH_INFO"].encode(), environ["wsgi.input"].read()]


@pytest.mark.parametrize(
    ("request_bytes", "changes", "expected"),
    [
        pytest.param(REQUEST, {}, False, id="kept"),
        pytest.param(REQUEST.replace(b"Host", b"Connection: close\r\nHost"), {}, True, id="the client closes"),
        pytest.param(REQUEST.replace(b"1.1", b"1.0"), {}, True, id="HTTP/1.0"),
        pytest.param(REQUEST.replace(b": 3", b": 101"), {}, True, id="a body that is not read to its end"),
        pytest.param(REQUEST, {"is_running": False}, True, id="the worker stops"),
        pytest.param(REQUEST, {"is_ready": False}, True, id="the service stops"),
    ],
)
def test_last_answer(
    world: World,
    connection_of: Callable[[bytes], Connection],
    request_bytes: bytes,
    changes: dict[str, bool],
    expected: bool,
) -> None:
    """A connection is kept unless somebody wants it closed, and the answer says which."""
    for name, value in changes.items():
        setattr(world, name, value)
    response, is_last = world.handler(answer).answer(connection_of(request_bytes))
    assert expected == is_last
    assert (b"\r\nConnection: close\r\n" if expected else b"\r\nConnection: keep-alive\r\n") in response
    assert response.startswith(b"HTTP/1.1 200 OK\r\n")
    assert 1 == world.served


def test_answer(world: World, connection_of: Callable[[bytes], Connection]) -> None:
    """The application's answer is sent as it is, with the id of the request."""
    response, _ = world.handler(answer).answer(connection_of(REQUEST))
    assert response.endswith(b"\r\n\r\n/pathxyz")
    assert b"\r\nX-Request-ID: abc\r\n" in response
    assert [200] == [exchange.status for exchange in world.finished_exchanges]


def crash(_environ: dict[str, Any], _start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Fail."""
    raise LookupError("secret")


def split(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Try to send two headers as one."""
    start_response("200 OK", [("X-A", "a\nX-Secret: b")])
    return []


@pytest.mark.parametrize("application", [crash, split])
def test_bug(
    world: World,
    connection_of: Callable[[bytes], Connection],
    log_lines: "Lines",
    application: Callable[..., Iterable[bytes]],
) -> None:
    """A bug outside of Flask is answered by 500 without internals, logged once, told of once as 500, and closes."""
    response, is_last = world.handler(application).answer(connection_of(REQUEST))
    assert (True, True) == (is_last, response.startswith(b"HTTP/1.1 500 Internal Server Error\r\n"))
    assert b"ecret" not in response
    assert "internal error" == json.loads(response.partition(b"\r\n\r\n")[2])["detail"]
    line = log_lines.only
    assert ("error", "abc", True) == (line["level"], line["request_id"], "traceback" in line)
    assert ([500], 1) == ([exchange.status for exchange in world.finished_exchanges], world.served)


def test_refuse(world: World, connection_of: Callable[[bytes], Connection]) -> None:
    """A refusal has the form of every error, and is told of as rejected, with its time and its size."""
    connection = connection_of(REQUEST)
    response = world.handler(answer).refuse(connection, Refusal(503, "why"), 3.5)
    assert response.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    (exchange,) = world.rejected_exchanges
    expected = (503, 2.5, 3, "abc", "/path", "203.0.113.9")
    assert expected == (
        exchange.status,
        exchange.duration,
        exchange.request_bytes,
        exchange.request_id,
        exchange.path,
        exchange.client,
    )
    assert len(response.partition(b"\r\n\r\n")[2]) == exchange.response_bytes
    assert [] == world.finished_exchanges
