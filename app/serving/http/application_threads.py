"""The threads that the application has, in the place of turns of the event loop."""

import asyncio
from collections.abc import Callable

from app.serving.http.connection import Connection
from app.serving.http.response import Response
from app.serving.http.thread_pool import ThreadPool
from app.serving.http.work_queue import WorkQueue


class ApplicationThreads:
    """Runs the application for requests and for probes, each in threads of their own.

    `begin` makes the response to a request, or None if there is none to make; `finish` ends a response.
    """

    is_running_in_loop = False

    def __init__(  # noqa: PLR0913, PLR0917 - the counterpart of ApplicationTurns
        self,
        loop: asyncio.AbstractEventLoop,
        threads: int,
        requests: WorkQueue,
        probes: WorkQueue,
        begin: Callable[[Connection], Response | None],
        finish: Callable[[Connection, Response, BaseException | None], None],
    ) -> None:
        self._begin = begin
        self._finish = finish
        # Probes have a thread of their own: an application's hook may wait for a database in each request.
        queues = (threads, requests), (1, probes)
        self._pools = [(ThreadPool(loop, size, finish, self.schedule), queue) for size, queue in queues]

    @property
    def are_threads_idle(self) -> bool:
        """Whether no thread runs the application."""
        return all(pool.is_idle for pool, _ in self._pools)

    def schedule(self) -> None:
        """Run the application in idle threads, for what waits."""
        for pool, queue in self._pools:
            while pool.has_room and queue:
                connection = queue.take()
                if (response := self._begin(connection)) is not None:
                    pool.run(connection, response)

    def go_on(self, connection: Connection) -> None:
        """End a connection's response, if it has one: its client has taken it late, or has gone."""
        if connection.response is not None:
            self._finish(connection, connection.response, None)

    def close(self) -> None:
        """Abandon what still runs: it has had its grace."""
        for pool, _ in self._pools:
            pool.close()
