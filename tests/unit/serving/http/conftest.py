"""Event loops of both kinds, and HTTP servers that run on them."""

import asyncio
import socket
import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from app.serving.http import server as server_module
from app.serving.http.limits import Limits
from app.serving.http.rejection import Rejection
from app.serving.http.request import base_environ
from app.serving.http.server import HttpServer
from app.serving.http.service import Headers, Service
from tests.support.event_loop import FACTORIES, LIMIT_SECONDS, name_of
from tests.support.http_client import Client

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment


@pytest.fixture(params=FACTORIES, ids=name_of)
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    """Make an event loop."""
    loop = request.param()
    yield loop
    loop.close()


LIMITS = Limits(body_bytes=100_000)


class Running:
    """A server in a thread of its own, what it has told, and clients of it."""

    def __init__(
        self,
        stack: ExitStack,
        loop: asyncio.AbstractEventLoop,
        application: Any,
        *,
        limits: Limits,
        threads: int,
        **service: Any,
    ) -> None:
        self.rejections: list[tuple[dict[str, Any], Rejection]] = []
        self.connections = 0
        self.served = 0
        self.ended: Future[None] = Future()
        self._stack = stack
        self._loop = loop
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        environ = base_environ(self.port, multithread=threads > 1, multiprocess=False)
        told = {"count_connections": self._count, "served": self._serve}
        self.server = HttpServer(
            loop, [listener], Service(application, environ, self._reject, **told | service), limits, threads
        )
        self._thread = Thread(target=self._run)
        self._thread.start()

    def client(self) -> Client:
        """Connect a client."""
        return self._stack.enter_context(Client(self.port))

    def leaving_client(self) -> socket.socket:
        """Connect a client that resets its connection when it closes."""
        client = self._stack.enter_context(socket.create_connection(("127.0.0.1", self.port)))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return client

    def call(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function in the thread of the server, and wait until it has been called."""
        done: Future[object] = Future()
        self._loop.call_soon_threadsafe(lambda: done.set_result(function(*arguments)))
        done.result(LIMIT_SECONDS)

    def turn(self) -> None:
        """Wait until the event loop has looked at what clients have sent."""
        for _ in range(2):
            self.call(lambda: None)

    def stop(self, grace: float = 0.0) -> None:
        """Stop the server and wait for its end."""
        if not self.ended.done():
            self.call(self.server.stop, time.monotonic() + grace)
        self.wait()

    def wait(self) -> None:
        """Wait for the end of the server."""
        self._thread.join(LIMIT_SECONDS)
        assert not self._thread.is_alive()

    def run_to_the_end(self) -> None:
        """Go on with a server that has ended by an exception, and let it stop."""
        self._loop.call_soon(self.server.stop, 0.0)
        self.server.run()
        self._loop.run_until_complete(asyncio.sleep(0.01))

    def wait_until(self, condition: Callable[[], object]) -> None:
        """Wait until a condition holds."""
        end = time.monotonic() + LIMIT_SECONDS
        while not condition():
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.001)

    def _run(self) -> None:
        try:
            self.server.run()
        except BaseException as error:  # noqa: BLE001 - SystemExit is what some tests wait for
            self.ended.set_exception(error)
        else:
            # What was aborted last is closed now, where a worker would end.
            self._loop.run_until_complete(asyncio.sleep(0.01))
            self.ended.set_result(None)

    def _count(self, change: int) -> None:
        self.connections += change

    def _serve(self) -> None:
        self.served += 1

    def _reject(self, environ: "WSGIEnvironment", rejection: Rejection) -> tuple[str, Headers, bytes]:
        self.rejections.append((environ, rejection))
        return f"{rejection.status} Rejected", [("X-Rejected", "yes")], rejection.detail.encode()


@pytest.fixture
def serve(loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Running]]:
    """Run servers, which look after their connections often."""
    monkeypatch.setattr(server_module, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(server_module, "LAST_TICK_SECONDS", 0.01)
    with ExitStack() as stack:
        running: list[Running] = []

        def make(application: Any, *, limits: Limits = LIMITS, threads: int = 1, **service: Any) -> Running:
            running.append(Running(stack, loop, application, limits=limits, threads=threads, **service))
            return running[-1]

        yield make
        stack.close()  # A server whose clients are gone has nothing to wait for.
        for each in running:
            each.stop(LIMIT_SECONDS)
