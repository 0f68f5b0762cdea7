"""The pool of threads that run the application, for views that wait for something else."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from app.serving.http.connection import Connection
from app.serving.http.response import Response


class ThreadPool:
    """Runs responses in threads: each one whole in one thread, which waits for its client where the client is slow."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        threads: int,
        finish: Callable[[Connection, Response, BaseException | None], None],
    ) -> None:
        self._loop = loop
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="application")
        self._idle = threads
        self._finish = finish

    @property
    def has_room(self) -> bool:
        """Whether a thread is idle."""
        return self._idle > 0

    def run(self, connection: Connection, response: Response) -> None:
        """Run a response in an idle thread."""
        self._idle -= 1
        self._executor.submit(self._run, connection, response)

    def close(self) -> None:
        """Abandon the threads: what they still run has had its grace."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _run(self, connection: Connection, response: Response) -> None:
        failure: BaseException | None = None
        try:
            while not (response.is_exhausted or connection.is_closed):
                if piece := response.read():
                    asyncio.run_coroutine_threadsafe(connection.send_whole(piece), self._loop).result()
        except BaseException as error:  # noqa: BLE001 - SystemExit included: it may end one request and not the worker
            failure = error
        response.close()
        self._loop.call_soon_threadsafe(self._end, connection, response, failure)

    def _end(self, connection: Connection, response: Response, failure: BaseException | None) -> None:
        self._idle += 1
        self._finish(connection, response, failure)
