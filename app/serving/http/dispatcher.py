"""The dispatcher: queues complete requests for the application, and sends its responses."""

import asyncio
import time
from asyncio import _set_running_loop

from app.serving.http.connection import Connection
from app.serving.http.connection_table import ConnectionTable
from app.serving.http.limits import Limits
from app.serving.http.ready_responses import ReadyResponses
from app.serving.http.rejection import Rejection
from app.serving.http.rejection_answer import fail, reject
from app.serving.http.request import make_environ
from app.serving.http.response import Response
from app.serving.http.service import Service
from app.serving.http.state import State
from app.serving.http.thread_pool import ThreadPool
from app.serving.http.work_queue import WorkQueue

# How long the application runs between two polls of the sockets. A longer turn would delay what has arrived meanwhile.
TURN_SECONDS = 0.005
STOPPING = "the server is shutting down"


class Dispatcher:
    """Runs the application: one request after another in the event loop (`is_running_application`), or in threads."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        service: Service,
        limits: Limits,
        connections: ConnectionTable,
        threads: int,
    ) -> None:
        self.is_running_application = self._is_scheduled = False
        self.closes_connections = limits.keep_alive == 0  # gunicorn's word for keeping none.
        self.rejects_after: float | None = None  # Rejects later requests, except the first on a connection.
        self._loop = loop
        self._service = service
        self._limits = limits
        self._connections = connections
        self.queue = WorkQueue(limits, service.set_waiting)
        self.urgent = WorkQueue(limits, lambda _: None)
        self._ready = ReadyResponses()
        # Probes have a thread of their own: an application's hook may wait for a database in each request.
        pools = [(threads, self.queue), (1, self.urgent)] if threads > 1 else []
        self._pools = [(ThreadPool(loop, size, self._finish, self._fill_pools), queue) for size, queue in pools]
        self._requests: WorkQueue | tuple[()] = () if pools else self.queue  # Those for the event loop.
        self._probes: WorkQueue | tuple[()] = () if pools else self.urgent
        self._wake = self._fill_pools if pools else self._schedule

    def opened(self, connection: Connection) -> None:
        """Add a new connection."""
        self._connections.add(connection)

    def closed(self, connection: Connection) -> None:
        """Remove a closed connection, and end the response that was being sent."""
        self._connections.remove(connection)
        self.queue.discard(connection)
        self.urgent.discard(connection)
        self._service.count_connections(-1)
        response, connection.response = connection.response, None
        if response is not None:
            response.close(connection.cut_reason)

    def received_head(self, connection: Connection, now: float) -> None:
        """Reject a request before its body arrives, if others have waited too long."""
        if self.queue.is_late(now):
            self.rejected(connection, Rejection(503, self.queue.late))

    def grown(self, connection: Connection) -> None:
        """Reject requests until all together are within the limit; one may not suffice, since it may hold little."""
        self._connections.account(connection)
        while (rejected := self._connections.excess(connection, connection.last_received)) is not None:
            reason = f"overloaded: requests hold more than {self._limits.held_bytes} bytes"
            self.rejected(rejected, Rejection(503, reason))

    def received(self, connection: Connection, now: float) -> None:
        """Queue a complete request, or reject it."""
        queue = self.urgent if self._service.is_urgent(connection.request.target) else self.queue
        if self.rejects_after is not None and connection.served and connection.request.started > self.rejects_after:
            self.rejected(connection, Rejection(503, STOPPING))
        elif queue is self.queue and queue.is_late(now):
            self.rejected(connection, Rejection(503, queue.late))
        else:
            queue.put(connection)
            self._wake()

    def rejected(self, connection: Connection, rejection: Rejection) -> None:
        """Answer a request instead of the application, and close the connection."""
        reject(connection, rejection, self._service)

    def drained(self, connection: Connection) -> None:
        """Continue a response whose client has read what was sent."""
        self._ready.append(connection)
        self._schedule()

    def look_after(self, now: float) -> None:
        """Reject requests that have waited too long and would wait longer, because views occupy all threads."""
        for queue in (self.queue, self.urgent):
            while queue.is_too_late(now):
                self._begin(queue.take())

    @property
    def is_idle(self) -> bool:
        """Whether no thread runs the application."""
        return all(pool.is_idle for pool, _ in self._pools)

    def close(self) -> None:
        """Abandon what still runs in threads."""
        for pool, _ in self._pools:
            pool.close()

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self._run)

    def _run(self) -> None:
        self._is_scheduled = False
        self.is_running_application = True
        # Without a running loop, `asyncio.run()` and `async def` views work as usual. asyncio exports this for event
        # loops (`asyncio.__all__`). To stop the loop and run it again costs uvloop twenty system calls, 16 us.
        _set_running_loop(None)
        try:
            self._run_turn()
        finally:
            _set_running_loop(self._loop)
            self.is_running_application = False

    def _run_turn(self) -> None:
        until = time.monotonic() + TURN_SECONDS
        # Probes get as much time as what came before them took: no flood keeps probes waiting until a busy process is
        # restarted, no flood of probes keeps requests waiting, and neither does an endless stream.
        while (began := time.monotonic()) < until:
            if not (self._requests or self._probes or self._ready):
                return
            if self._requests:
                self._go_on(self.queue.take())
            self._ready.run(self._go_on, time.monotonic() - began, self._requests)
            probes_until = 2 * time.monotonic() - began
            while self._probes:
                self._go_on(self.urgent.take())
                if time.monotonic() >= probes_until:
                    break
        self._schedule()

    def _begin(self, connection: Connection) -> Response | None:
        if connection.state is not State.WAITING:
            return None
        request = connection.request
        if time.monotonic() - request.received > 2 * self._limits.wait:  # It arrived together with many others.
            self.rejected(connection, Rejection(503, self.queue.too_late))
            return None
        environ = make_environ(request, connection.peer, self._service.environ)
        request.body, request.fields = b"", []  # The environ has a copy.
        keep_alive = request.keep_alive and not request.is_too_large and not self.closes_connections
        connection.respond()
        return Response(self._service.application, environ, keep_alive=keep_alive, is_aborted=self._service.is_aborted)

    def _go_on(self, connection: Connection) -> None:
        response = connection.response or self._begin(connection)
        if response is None:  # The client has gone, or has had its answer.
            return
        connection.response = response  # Not set in a pool, whose thread closes the response.
        try:
            while not response.is_exhausted:
                if piece := response.read():
                    connection.send(piece)
                if connection.is_paused or connection.state is State.CLOSED:
                    return  # drained() continues, or closed() has ended the response.
                if not (response.is_complete or response.is_exhausted):
                    self._ready.append(connection)  # The others have their turn before the next piece.
                    return
        except BaseException as error:  # SystemExit too: whatever a view raises ends only its own request.
            response.close(failure=error)
            if self._service.is_aborted():
                raise
            self._finish(connection, response, error)
        else:
            response.close()
            self._finish(connection, response, None)

    def _finish(self, connection: Connection, response: Response, failure: BaseException | None) -> None:
        connection.response = None
        self._service.served()
        if failure is None:
            connection.end_response(keep_alive=response.keep_alive)
        else:
            fail(connection, response, failure, self._service)

    def _fill_pools(self) -> None:
        for pool, queue in self._pools:
            while pool.has_room and queue:
                connection = queue.take()
                if (response := self._begin(connection)) is not None:
                    pool.run(connection, response)
