"""The thread pool that runs the application, for views that wait for something else."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from app.serving.http.connection import Connection
from app.serving.http.piece_queue import PieceQueue
from app.serving.http.response import Response


class ThreadPool:
    """Runs each response in a thread, which waits for a slow client unless the response is complete.

    `finish` ends a response, and `refill` is called when a thread has become idle, both in the event loop.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        threads: int,
        finish: Callable[[Connection, Response, BaseException | None], None],
        refill: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="application")
        self._start(threads)
        self._threads = self._idle = threads  # Less than 0: that number waits for a thread.
        self._finish = finish
        self._refill = refill

    def _start(self, threads: int) -> None:
        # Start all threads now: if the system has no room for one, the worker does not start. The executor starts
        # threads when they are needed, and each one that failed then would be missing permanently.
        started = Barrier(threads + 1)
        try:
            for _ in range(threads):
                self._executor.submit(started.wait)
            started.wait()
        except RuntimeError:
            started.abort()
            raise

    @property
    def is_idle(self) -> bool:
        """Whether all threads are idle."""
        return self._idle == self._threads

    @property
    def has_room(self) -> bool:
        """Whether a thread is idle."""
        return self._idle > 0

    def run(self, connection: Connection, response: Response) -> None:
        """Run a response in an idle thread, or as soon as there is one."""
        self._idle -= 1
        self._executor.submit(self._run, connection, response)

    def close(self, *, wait: bool) -> None:
        """Finish what is to be run, or abandon it where it has had its grace."""
        self._executor.shutdown(wait=wait, cancel_futures=not wait)

    def _run(self, connection: Connection, response: Response) -> None:
        failure: BaseException | None = None
        # A program that a view starts inherits the signals that its thread blocks. This one may have been started while
        # the worker blocked those that stop it.
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        pieces = PieceQueue(self._loop, connection)
        piece: bytes | None = None
        try:
            while not (response.is_exhausted or (response.is_called and connection.is_closed)):
                # Even if the client has gone meanwhile: the application logs and counts what was handed to it.
                piece = response.read()
                # The event loop may have stopped by now, if the client is gone, and would send nothing.
                if piece and not (response.is_exhausted or connection.is_closed):
                    if not response.is_complete:
                        pieces.put(piece)
                    else:
                        pieces.wait()
                        if not self._wait_for(self._send_whole(connection, response, piece)):
                            return
        except BaseException as error:  # noqa: BLE001 - SystemExit too: it ends one request and not the worker
            failure = error
        if not connection.is_closed:
            pieces.wait()
        response.close(connection.cut_reason, failure)
        self._loop.call_soon_threadsafe(self._end, connection, response, piece, failure)

    def _wait_for(self, sending: Coroutine[object, object, bool]) -> bool:
        return asyncio.run_coroutine_threadsafe(sending, self._loop).result()

    async def _send_whole(self, connection: Connection, response: Response, piece: bytes) -> bool:
        connection.send(piece)
        return not self._leave_unread(connection, response)

    def _end(
        self, connection: Connection, response: Response, piece: bytes | None, failure: BaseException | None
    ) -> None:
        # The last piece is sent in the same step: a client may send its next request as soon as it has the answer, and
        # the body of this one must not count beside it.
        if piece and failure is None and not connection.is_closed:
            connection.send(piece)
            if self._leave_unread(connection, response):
                return
        try:
            self._finish(connection, response, failure)
        finally:
            self._release()

    def _leave_unread(self, connection: Connection, response: Response) -> bool:
        # A hundred clients that never read would occupy every thread.
        if connection.is_closed or not connection.is_paused:
            return False
        connection.response = response
        self._release()
        return True

    def _release(self) -> None:
        self._idle += 1
        self._refill()
