"""The dispatcher: queues complete requests for the application, and sends its responses."""

import asyncio
import time
from collections.abc import Callable

from app.serving.http.application_threads import ApplicationThreads
from app.serving.http.application_turns import ApplicationTurns
from app.serving.http.connection import Connection
from app.serving.http.connection_table import ConnectionTable
from app.serving.http.limits import Limits
from app.serving.http.rejection import Rejection
from app.serving.http.rejection_answer import fail, reject
from app.serving.http.request import make_environ
from app.serving.http.response import Response
from app.serving.http.service import Service
from app.serving.http.state import State
from app.serving.http.work_queue import WorkQueue

STOPPING = "the server is shutting down"
CROWDED = "overloaded: too many connections"


class Dispatcher:
    """Runs the application in turns of the event loop, or in threads."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a server has one of
        self,
        loop: asyncio.AbstractEventLoop,
        service: Service,
        limits: Limits,
        connections: ConnectionTable,
        threads: int,
        is_opening: Callable[[], bool],
    ) -> None:
        self.closes_connections = limits.keep_alive == 0  # By gunicorn's option --keep-alive.
        self.rejects_after: float | None = None  # Rejects later requests, except the first on a connection.
        self._service = service
        self._limits = limits
        self._connections = connections
        self.queue = WorkQueue(limits, service.set_waiting)
        self.urgent = WorkQueue(limits, lambda _: None)
        self._runner: ApplicationTurns | ApplicationThreads = (
            ApplicationThreads(loop, threads, self.queue, self.urgent, self._begin, self._finish)
            if threads > 1
            else ApplicationTurns(loop, self.queue, self.urgent, self._go_on, is_opening)
        )

    def opened(self, connection: Connection) -> None:
        """Add a new connection."""
        self._connections.add(connection)

    def closed(self, connection: Connection) -> None:
        """Remove a closed connection, and let the application end the response that was being sent."""
        self._connections.remove(connection)
        self.queue.discard(connection)
        self.urgent.discard(connection)
        self._service.count_connections(-1)
        # Not here: the application would run, if only the end of a generator, while asyncio sees a running loop, and
        # hold up the event loop.
        self._runner.go_on_later(connection)

    def received_head(self, connection: Connection, now: float) -> None:
        """Reject a request before its body arrives, if there are too many."""
        if (reason := self._overload(now)) is not None:
            self.rejected(connection, Rejection(503, reason))

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
        elif queue is self.queue and (reason := self._overload(now)) is not None:
            self.rejected(connection, Rejection(503, reason))
        else:
            queue.put(connection)
            self._runner.schedule()

    def rejected(self, connection: Connection, rejection: Rejection) -> None:
        """Answer a request instead of the application, and close the connection."""
        reject(connection, rejection, self._service)

    def drained(self, connection: Connection) -> None:
        """Continue a response whose client has read what was sent."""
        self._runner.go_on_later(connection)

    def look_after(self, now: float) -> None:
        """Reject requests that have waited too long and would wait longer, because views occupy all threads."""
        for queue in (self.queue, self.urgent):
            while queue.is_too_late(now):
                self._begin(queue.take())

    @property
    def is_running_application(self) -> bool:
        """Whether the application runs in the event loop now."""
        return self._runner.is_running

    @property
    def is_idle(self) -> bool:
        """Whether no thread runs the application."""
        return self._runner.is_idle

    def close(self) -> None:
        """End the responses whose clients are gone, and abandon what still runs in threads."""
        self._runner.close()

    def _overload(self, now: float) -> str | None:
        if self.queue.is_late(now):
            return self.queue.late
        # None could be evicted: clients read their answers. 3,000 of them read endless streams beside each other.
        return None if self._connections.has_room_beyond else CROWDED

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
        connection.response = response  # For drained() and closed().
        try:
            has_ended = self._send_pieces(connection, response)
        except BaseException as error:  # SystemExit too: whatever a view raises ends only its own request.
            response.close(failure=error)
            if isinstance(error, SystemExit) and self._service.is_aborted():
                raise
            self._finish(connection, response, error)
        else:
            if has_ended:
                self._finish(connection, response, None)

    def _send_pieces(self, connection: Connection, response: Response) -> bool:
        piece: bytes | None = None
        while not (response.is_exhausted or connection.is_closed):
            piece = response.read()
            if response.is_exhausted:
                break
            if piece:
                connection.send(piece)
            if connection.is_paused or connection.is_closed:
                return False  # drained() or closed() continues.
            if not response.is_complete:
                self._runner.go_on_later(connection)
                return False
        response.close(connection.cut_reason)
        if piece:
            connection.send(piece)
        return connection.is_closed or not connection.is_paused

    def _finish(self, connection: Connection, response: Response, failure: BaseException | None) -> None:
        connection.response = None
        self._service.served()
        if failure is None:
            connection.end_response(keep_alive=response.keep_alive)
        else:
            fail(connection, response, failure, self._service)
