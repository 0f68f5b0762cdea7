"""The HTTP server of a worker: it listens, serves, and stops gracefully."""

import asyncio
import socket
import time
from collections.abc import Iterable
from functools import partial

from app.serving.http.acceptor import Acceptor
from app.serving.http.connection import Connection
from app.serving.http.connection_table import ConnectionTable
from app.serving.http.dispatcher import CROWDED, STOPPING, Dispatcher
from app.serving.http.limits import Limits
from app.serving.http.rejection import Rejection
from app.serving.http.service import Service
from app.serving.http.state import State

# A client that connected or was answered a moment ago is evicted last: its request may be on the way.
UNTOUCHED_SECONDS = 0.5

TICK_SECONDS = 1.0
LAST_TICK_SECONDS = 0.1

# When the grace is over, threads learn that their clients are gone as they send the next piece, and log the request.
THREADS_SECONDS = 0.2


class HttpServer:
    """Serves the clients of its listening sockets until it is stopped."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listeners: Iterable[socket.socket],
        service: Service,
        limits: Limits,
        threads: int = 1,
    ) -> None:
        self._loop = loop
        self._service = service
        self._limits = limits
        self._connections = ConnectionTable(limits)
        self._dispatcher = Dispatcher(loop, service, limits, self._connections, threads, self._is_opening)
        self._acceptors = [
            Acceptor(loop, listener, service.has_fewest_connections, self._welcome, self._free_descriptors)
            for listener in listeners
        ]
        self._greetings: set[asyncio.Task[object]] = set()
        self._is_draining = False
        self._stopped_at: float | None = None
        self._give_up_at = self._linger_until = 0.0

    def run(self) -> None:
        """Serve until stopped."""
        self._tick()
        self._loop.run_forever()
        self._dispatcher.runner.close()

    @property
    def is_running_application(self) -> bool:
        """Whether the application runs in this thread now."""
        return self._dispatcher.runner.is_running_in_loop

    def drain(self, stop_at: float, give_up_at: float) -> None:
        """Serve until `stop_at`, closing each connection after its response, and then stop.

        No other worker takes the clients that wait to be accepted.
        """
        self._is_draining = True
        self._dispatcher.closes_connections = True
        self._loop.call_later(max(0.0, stop_at - time.monotonic()), self.stop, give_up_at)

    def stop(self, give_up_at: float) -> None:
        """Stop accepting, finish open requests before `give_up_at`, and make run() return.

        Both times are those of time.monotonic(). A view may delay this call until most of the grace has passed.
        """
        if self._stopped_at is not None:
            return
        self._stopped_at = now = time.monotonic()
        self._give_up_at = give_up_at
        self._dispatcher.closes_connections = True
        if self._is_draining:
            self._dispatcher.rejects_after = now
        for acceptor in self._acceptors:
            acceptor.close(self._connections.room if self._is_draining else 0)
        self._linger_until = now + self._limits.linger
        self._loop.call_soon(self._tick_last)

    def abort(self) -> None:
        """Close all connections at once, and make run() return."""
        self.stop(0.0)
        for connection in self._connections:
            connection.abort(STOPPING)
        self._loop.stop()

    def _is_finished(self) -> bool:
        if self._stopped_at is None or self._connections or self._greetings:
            return False
        return self._dispatcher.runner.are_threads_idle or time.monotonic() > self._give_up_at + THREADS_SECONDS

    def _tick(self) -> None:
        if self._stopped_at is None:
            self._look_after(time.monotonic())
            self._loop.call_later(TICK_SECONDS, self._tick)

    def _tick_last(self) -> None:
        now = time.monotonic()
        for connection in self._connections:  # Those that have just been accepted, too.
            if connection.state is State.IDLE:
                connection.deadline = min(connection.deadline, self._linger_until)
        self._look_after(now)
        if now >= self._give_up_at:
            for connection in self._connections:
                if connection.state in {State.RECEIVING, State.WAITING}:
                    self._dispatcher.rejected(connection, Rejection(503, STOPPING))
                connection.abort(STOPPING)
        if self._is_finished():
            self._loop.stop()
        else:
            self._loop.call_later(LAST_TICK_SECONDS, self._tick_last)

    def _look_after(self, now: float) -> None:
        self._service.heartbeat()
        self._dispatcher.look_after(now)
        for connection in self._connections.expired(now):
            if connection.state is State.RECEIVING:
                self._dispatcher.rejected(connection, Rejection(408, "the rest of the request did not arrive in time"))
            elif not self._connections.reads_on(connection, now):
                connection.abort("the client did not read the response in time")

    def _is_opening(self) -> bool:
        return bool(self._greetings) or any(acceptor.is_leaving_a_client for acceptor in self._acceptors)

    def _welcome(self, client: socket.socket, peer: str) -> None:
        if not self._connections.room:
            self._evict()
        self._connections.expect()
        # Counted now, because the acceptor asks before each further client which worker has the fewest.
        self._service.count_connections(1)
        connection = Connection(self._dispatcher, peer, self._limits)
        greeting = self._loop.create_task(self._loop.connect_accepted_socket(lambda: connection, client))
        self._greetings.add(greeting)
        greeting.add_done_callback(partial(self._greeted, client))

    def _greeted(self, client: socket.socket, greeting: asyncio.Task[object]) -> None:
        self._greetings.discard(greeting)
        if greeting.exception() is not None:  # The client has gone by now, or there is no descriptor left.
            client.close()
            self._connections.give_up()
            self._service.count_connections(-1)

    def _evict(self) -> None:
        table, now = self._connections, time.monotonic()
        if self._abort(table.longest_silent(now, at_least=UNTOUCHED_SECONDS)):
            return
        if (waiting := self._take_waiting()) is not None:
            # Closed at once, because clients that read and close slowly would add up. The request was read to its end:
            # closing does not reset the connection, by which the client could lose the response.
            self._dispatcher.rejected(waiting, Rejection(503, CROWDED))
            self._abort([waiting])
        elif not self._abort(table.longest_silent(now)) and not table.has_room_beyond:
            self._abort(table.oldest())

    def _free_descriptors(self) -> bool:
        evicted = self._connections.longest_silent(time.monotonic()) or self._connections.oldest()
        if not evicted and (waiting := self._take_waiting()) is not None:
            evicted = [waiting]
        return self._abort(evicted)

    def _take_waiting(self) -> Connection | None:
        # If most clients wait for the application, one of them gives way: of requests or of probes, whichever are more.
        queues = self._dispatcher.requests, self._dispatcher.probes
        if 2 * sum(map(len, queues)) <= self._limits.connections:
            return None
        return max(queues, key=len).take_last()

    def _abort(self, connections: list[Connection]) -> bool:
        for connection in connections:
            connection.abort(CROWDED)
        return bool(connections)
