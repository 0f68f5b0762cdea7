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
    """Queues requests, and has `runner` run the application for them: in turns of the event loop, or in threads."""

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
        self.requests = WorkQueue(limits, service.set_waiting)
        self.probes = WorkQueue(limits, lambda _: None)
        self.runner: ApplicationTurns | ApplicationThreads = (
            ApplicationThreads(loop, threads, self.requests, self.probes, self._begin, self._finish)
            if threads > 1
            else ApplicationTurns(loop, self.requests, self.probes, self._begin, self._finish, is_opening)
        )

    def opened(self, connection: Connection) -> None:
        """Add a new connection."""
        self._connections.add(connection)

    def closed(self, connection: Connection) -> None:
        """Remove a closed connection, and let the application end the response that was being sent."""
        self._connections.remove(connection)
        self.requests.discard(connection)
        self.probes.discard(connection)
        self._service.count_connections(-1)
        self.runner.go_on(connection)

    def received_head(self, connection: Connection, now: float) -> None:
        """Reject a request before its body arrives, if there are too many."""
        is_probe = self._service.is_probe(connection.request.target)
        if not is_probe and (reason := self._overload(now)) is not None:
            self.rejected(connection, Rejection(503, reason))

    def grown(self, connection: Connection) -> None:
        """Reject requests until all together are within the limit; one may not suffice, since it may hold little."""
        self._connections.account(connection)
        while (rejected := self._connections.excess(connection, connection.last_received)) is not None:
            reason = f"overloaded: requests hold more than {self._limits.held_bytes} bytes"
            self.rejected(rejected, Rejection(503, reason))

    def received(self, connection: Connection, now: float) -> None:
        """Queue a complete request, or reject it."""
        queue = self.probes if self._service.is_probe(connection.request.target) else self.requests
        if self.rejects_after is not None and connection.served and connection.request.started > self.rejects_after:
            self.rejected(connection, Rejection(503, STOPPING))
        elif queue is self.requests and (reason := self._overload(now)) is not None:
            self.rejected(connection, Rejection(503, reason))
        else:
            queue.put(connection)
            self.runner.schedule()

    def rejected(self, connection: Connection, rejection: Rejection) -> None:
        """Answer a request instead of the application, and close the connection."""
        reject(connection, rejection, self._service)

    def drained(self, connection: Connection) -> None:
        """Continue a response whose client has read what was sent."""
        self.runner.go_on(connection)

    def look_after(self, now: float) -> None:
        """Reject requests that have waited too long and would wait longer, because views occupy all threads."""
        for queue in (self.requests, self.probes):
            while queue.is_too_late(now):
                self._begin(queue.take())

    def _overload(self, now: float) -> str | None:
        if self.requests.is_late(now):
            return self.requests.late
        # None could be evicted: clients read their answers. 3,000 of them read endless streams beside each other.
        return None if self._connections.has_room_beyond else CROWDED

    def _begin(self, connection: Connection) -> Response | None:
        if connection.state is not State.WAITING:
            return None
        request = connection.request
        if time.monotonic() - request.received > 2 * self._limits.wait:  # It arrived together with many others.
            self.rejected(connection, Rejection(503, self.requests.too_late))
            return None
        environ = make_environ(request, connection.peer, self._service.environ)
        request.body, request.fields = b"", []  # The environ has a copy.
        keep_alive = request.keep_alive and not request.is_too_large and not self.closes_connections
        connection.respond()
        application, is_aborted = self._service.application, self._service.is_aborted
        return Response(application, request, environ, keep_alive=keep_alive, is_aborted=is_aborted)

    def _finish(self, connection: Connection, response: Response, failure: BaseException | None) -> None:
        connection.response = None
        response.end(connection.cut_reason, failure)
        self._service.served()
        if failure is None:
            connection.end_response(keep_alive=response.keep_alive)
        else:
            fail(connection, response, failure, self._service)
