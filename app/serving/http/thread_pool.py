"""The thread pool that runs the application, for views that wait for something else."""

import asyncio
import signal
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread

from app.serving.http.connection import Connection
from app.serving.http.piece_queue import PieceQueue
from app.serving.http.response import Response


class _ApplicationThread(Thread):
    """A thread for which the end of the process does not wait, as it does for those that a view starts in it.

    By default, a new thread is a daemon where the one that starts it is.
    """

    _is_running_views = False

    @property
    def daemon(self) -> bool:  # type: ignore[override]  # Read-only here.
        return not self._is_running_views

    def run(self) -> None:
        self._is_running_views = True
        super().run()


class ThreadPool:
    """Runs each response in a thread, which waits for a slow client unless the response is one piece.

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
        self._work: SimpleQueue[tuple[Connection, Response] | None] = SimpleQueue()
        self._threads = threads
        self._running = 0
        self._finish = finish
        self._refill = refill
        # All start now: if the system has no room for one, the worker does not start. Not concurrent.futures: it starts
        # threads when they are needed, where each that failed would be missing permanently, and a worker that ends
        # would wait for a view that has had its grace.
        for number in range(threads):
            _ApplicationThread(target=self._serve, name=f"application_{number}").start()

    @property
    def is_idle(self) -> bool:
        """Whether all threads are idle."""
        return self._running == 0

    @property
    def has_room(self) -> bool:
        """Whether a thread is idle."""
        return self._running < self._threads

    def run(self, connection: Connection, response: Response) -> None:
        """Run a response in an idle thread."""
        self._running += 1
        self._work.put((connection, response))

    def _serve(self) -> None:
        # A program that a view starts inherits the signals that its thread blocks. This one may have been started while
        # the worker blocked those that stop it.
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        while work := self._work.get():
            self._run(*work)
            del work  # An idle thread would keep the request alive.

    def close(self) -> None:
        """End the idle threads, and abandon what still runs: it has had its grace."""
        for _ in range(self._threads):
            self._work.put(None)

    def _run(self, connection: Connection, response: Response) -> None:
        failure: BaseException | None = None
        is_handed_over = False  # The whole response, to the event loop.
        pieces = PieceQueue(self._loop, connection)
        piece: bytes | None = None
        try:
            while not (response.is_exhausted or (response.is_called and connection.is_closed)):
                is_first = not response.has_begun
                # Even if the client has gone meanwhile: the application logs and counts what was handed to it.
                piece = response.read()
                # The event loop may have stopped by now, if the client is gone, and would send nothing.
                if piece and not (response.is_exhausted or connection.is_closed):
                    if response.is_complete and is_first:
                        self._loop.call_soon_threadsafe(connection.send, piece)
                        is_handed_over = True
                    else:
                        pieces.put(piece)
                        if response.is_complete:
                            pieces.wait()  # What a generator does after its last piece may rely on that.
        except BaseException as error:  # noqa: BLE001 - SystemExit too: it ends one request and not the worker
            failure = error
        if not (is_handed_over or connection.is_closed):
            pieces.wait()
        response.close()
        if not is_handed_over:
            response.end(connection.cut_reason, failure)
        self._loop.call_soon_threadsafe(self._end, connection, response, piece, failure)
        failure = None  # Its traceback has this frame: it would wait for the garbage collector, and so would the body.

    def _end(
        self, connection: Connection, response: Response, piece: bytes | None, failure: BaseException | None
    ) -> None:
        try:
            if failure is not None:
                self._finish(connection, response, failure)
                return
            # The last piece is sent in the same step as the request ends: a client may send its next one as soon as it
            # has the answer, and the body of this one must not count beside it.
            if piece:
                connection.send(piece)
            if connection.is_paused and not connection.is_closed:
                # A hundred clients that never read would occupy every thread.
                connection.response = response
            else:
                self._finish(connection, response, None)
        finally:
            self._running -= 1
            self._refill()
