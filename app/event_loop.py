"""The event loop of a worker: it takes what clients send as they send it, serves what is complete, waits for nobody."""

import math
import os
import selectors
import socket
import time
from contextlib import suppress

import structlog

from app.acceptor import Acceptor
from app.connection import Connection, State
from app.connections import Connections
from app.handler import Handler
from app.refusal import Refusal
from app.service import Service
from app.work_queue import WorkQueue

TURN_SECONDS = 1.0
LAST_TURN_SECONDS = 0.1

# How long requests are served before the sockets are looked at again, so that a probe need not wait for all of them.
SERVE_SECONDS = 0.005

# How long a stopping worker keeps an idle connection, for a request that may be on its way.
LINGER_SECONDS = 1.0

OVERLOADED = "more work than can be done in time"


class EventLoop:
    """Serves the connections to some listeners until the service no longer runs."""

    def __init__(self, listener: socket.socket, wake: int, service: Service) -> None:
        self._wake = wake
        self._service = service
        self._handler = Handler(service)
        self._connections = Connections(service.limits.held_bytes)
        self._queue = WorkQueue(service.limits.held_bytes)
        self._now = self._expired = time.monotonic()
        self._stopped = math.inf
        self._selector = selectors.DefaultSelector()
        self._acceptor = Acceptor(listener, self._selector, service.has_fewest_connections, self._welcome, self._evict)

    def run(self) -> None:
        """Serve; once the service no longer runs, serve those who are connected, within the grace period."""
        self._acceptor.open()
        self._selector.register(self._wake, selectors.EVENT_READ, self._wake_up)
        while self._service.is_running():
            self._turn(TURN_SECONDS)
        self._stopped = self._now
        self._acceptor.close(is_last_chance=not self._service.is_ready())
        for connection in self._connections:
            if connection.state is State.IDLE:
                connection.deadline = min(connection.deadline, self._now + LINGER_SECONDS)
        give_up = self._now + self._service.graceful_seconds
        while self._connections and self._now < give_up:
            self._turn(LAST_TURN_SECONDS)
        for connection in self._connections:
            connection.close()
        self._selector.close()

    def _turn(self, seconds: float) -> None:
        events = self._selector.select(0 if self._queue else self._acceptor.next_turn(seconds))
        self._now = time.monotonic()
        for key, _ in events:
            key.data(key.fileobj)
        look_again = self._now + SERVE_SECONDS
        while self._queue and self._now < look_again:
            connection = self._queue.take()
            self._serve(connection)
            self._settle(connection)
        self._acceptor.resume()
        if self._now - self._expired >= seconds:
            self._expired = self._now
            self._service.heartbeat()
            self._expire()

    def _wake_up(self, descriptor: int) -> None:
        with suppress(BlockingIOError):  # Another loop of this worker has read it.
            os.read(descriptor, 4096)

    def _welcome(self, client: socket.socket, address: tuple[str, int]) -> None:
        if len(self._connections) >= self._service.max_connections:
            self._evict()
        connection = Connection(client, address[0], self._service.limits, self._now)
        self._connections.add(connection)
        self._selector.register(connection.descriptor, selectors.EVENT_READ, self._receive)
        self._service.count_connections(1)

    def _evict(self) -> None:
        for connection in self._connections.longest_silent():
            connection.close()
            self._settle(connection)

    def _receive(self, descriptor: int) -> None:
        connection = self._connections.get(descriptor)
        if connection is None or connection.state in {State.READY, State.SENDING}:
            return  # Evicted earlier in this turn, or busy: what it sends meanwhile stays with the kernel.
        try:
            connection.receive(self._now)
        except Refusal as refusal:
            self._refuse(connection, refusal)
        except Exception:  # noqa: BLE001 - a bug, of the parser for instance, may end one connection and not the worker
            structlog.get_logger().exception("connection error", client=connection.address)
            self._refuse(connection, Refusal(500, "internal error"))
        else:
            if connection.awaits_body and not connection.request.is_large and self._queue.is_full:
                # Before much of it is there: to receive what is then refused takes time from what is not.
                self._refuse(connection, Refusal(503, OVERLOADED))
        self._settle(connection)
        if connection.request.is_large:
            for refused in self._connections.too_many_large(self._now):
                self._refuse(refused, Refusal(503, "too many large bodies at once"))
                self._settle(refused)

    def _flush(self, descriptor: int) -> None:
        connection = self._connections.get(descriptor)
        if connection is not None and connection.state is State.SENDING:
            try:
                connection.flush(self._now)
            except Refusal as refusal:
                self._refuse(connection, refusal)
            self._settle(connection)

    def _settle(self, connection: Connection) -> None:
        """Let what happens next to a connection follow from its state."""
        descriptor = connection.descriptor
        self._connections.settle(connection)
        if connection.state is State.READY:
            self._enqueue(connection)
        elif connection.state is State.CLOSED:
            self._connections.remove(connection)
            self._selector.unregister(descriptor)
            self._service.count_connections(-1)
        elif connection.is_writing != (connection.state is State.SENDING):
            connection.is_writing = not connection.is_writing
            if connection.is_writing:
                self._selector.modify(descriptor, selectors.EVENT_WRITE, self._flush)
            else:
                self._selector.modify(descriptor, selectors.EVENT_READ, self._receive)

    def _enqueue(self, connection: Connection) -> None:
        if connection.started > self._stopped and connection.served and not self._service.is_ready():
            self._refuse(connection, Refusal(503, "shutting down"))
        elif not self._queue.offer(connection, self._now):
            self._refuse(connection, Refusal(503, OVERLOADED))
        else:
            return
        self._settle(connection)

    def _serve(self, connection: Connection) -> None:
        size = len(connection.request.body)
        started = time.monotonic()
        response, is_last = self._handler.answer(connection)
        self._now = time.monotonic()
        self._queue.learn(size, self._now - started)
        self._send(connection, response, is_last=is_last)

    def _refuse(self, connection: Connection, refusal: Refusal) -> None:
        self._send(connection, self._handler.refuse(connection, refusal, self._now), is_last=True)

    def _send(self, connection: Connection, response: bytes, *, is_last: bool) -> None:
        try:
            connection.send(response, is_last=is_last, now=self._now)
        except Refusal as refusal:  # Of what the client has sent behind the request.
            self._refuse(connection, refusal)

    def _expire(self) -> None:
        for connection in self._connections.expired(self._now):
            if connection.state is State.RECEIVING:
                self._refuse(connection, Refusal(408, "the rest of the request did not come in time"))
            else:
                connection.close()
            self._settle(connection)
