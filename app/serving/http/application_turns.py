"""The turns that the application has in the event loop, between two polls of the sockets."""

import asyncio
import time
from asyncio import _set_running_loop
from collections.abc import Callable
from contextlib import suppress

from app.serving.http.connection import Connection
from app.serving.http.ready_responses import ReadyResponses
from app.serving.http.response import Response
from app.serving.http.work_queue import WorkQueue

# How long the application runs between two polls of the sockets. A longer turn would delay what has arrived meanwhile.
TURN_SECONDS = 0.005

# After a turn that took longer than this, because a view did, connections that are being opened come first, for
# TURN_SECONDS at most. To open one takes four turns of the event loop: beside a client of a view that takes 0.3 s, new
# clients waited for three or four of its requests. After short turns it would only favour a flood of new clients.
LONG_TURN_SECONDS = 0.01

# How long the ends of responses may take when the server has closed: the master kills a worker soon after its grace.
CLOSE_SECONDS = 0.2


class ApplicationTurns:
    """Runs the application for requests, probes and the next pieces of responses, so that none holds up another.

    `begin` makes the response to a request, or None if there is none to make; `finish` ends a response. `is_opening`
    tells whether connections are being opened.
    """

    are_threads_idle = True

    def __init__(  # noqa: PLR0913, PLR0917 - the counterpart of ApplicationThreads
        self,
        loop: asyncio.AbstractEventLoop,
        requests: WorkQueue,
        probes: WorkQueue,
        begin: Callable[[Connection], Response | None],
        finish: Callable[[Connection, Response, BaseException | None], None],
        is_opening: Callable[[], bool],
    ) -> None:
        self.is_running_in_loop = self._is_scheduled = self._is_probe_due = False
        self._loop = loop
        self._requests = requests
        self._probes = probes
        self._begin = begin
        self._finish = finish
        self._is_opening = is_opening
        self._opening_until = 0.0
        self._ready = ReadyResponses()

    def go_on(self, connection: Connection) -> None:
        """Continue a connection's response, if it has one, when the others have had their turn."""
        if connection.response is not None:
            self._ready.append(connection)
            self.schedule()

    def schedule(self) -> None:
        """Run the application in the next turn of the event loop, for what waits by then."""
        if not (self._is_scheduled or self.is_running_in_loop):
            self._is_scheduled = True
            self._loop.call_soon(self._run)

    def close(self) -> None:
        """End the responses whose clients are gone, after the last turn."""
        until = time.monotonic() + CLOSE_SECONDS
        while self._ready:
            connection = self._ready.popleft()
            if time.monotonic() < until:
                with suppress(SystemExit):  # A view's own, taken for that of a signal while the worker is aborted.
                    self._run_one(connection)
            elif connection.response is not None:  # What it used goes with the process.
                self._finish(connection, connection.response, None)

    def _run(self) -> None:
        began = time.monotonic()
        if began < self._opening_until and self._is_opening():
            self._loop.call_soon(self._run)
            return
        self._is_scheduled = False
        self.is_running_in_loop = True
        # Without a running loop, `asyncio.run()` and `async def` views work as usual. asyncio exports this for event
        # loops (`asyncio.__all__`). To stop the loop and run it again costs uvloop twenty system calls, 16 us.
        _set_running_loop(None)
        try:
            self._run_until(began + TURN_SECONDS)
        finally:
            _set_running_loop(self._loop)
            self.is_running_in_loop = False
            ended = time.monotonic()
            if ended - began > LONG_TURN_SECONDS:
                self._opening_until = ended + TURN_SECONDS
            if self._requests or self._probes or self._ready:
                self.schedule()

    def _run_until(self, end: float) -> None:
        if self._is_probe_due and self._probes:
            self._is_probe_due = False
            self._run_one(self._probes.take())
        # Probes get as much time as what came before them took: no flood keeps probes waiting until a busy process is
        # restarted, no flood of probes keeps requests waiting, and neither does an endless stream.
        while (began := time.monotonic()) < end and (self._requests or self._probes or self._ready):
            if self._requests and not self._ready.are_due:
                self._run_one(self._requests.take())
            self._ready.run(self._run_one, time.monotonic() - began, self._requests, end)
            took = time.monotonic() - began
            # The first that has arrived during a long view comes before the next view: kubelets give up after a second.
            self._is_probe_due = took > LONG_TURN_SECONDS and not self._probes
            probes_until = began + 2 * took
            while self._probes:
                self._run_one(self._probes.take())
                if time.monotonic() >= probes_until:
                    break

    def _run_one(self, connection: Connection) -> None:
        response = connection.response or self._begin(connection)
        if response is None:  # The client has gone, or has had its answer.
            return
        connection.response = response  # For go_on().
        failure: BaseException | None = None
        try:
            if not self._send_pieces(connection, response):
                return
        except BaseException as error:  # SystemExit too: whatever a view raises ends only its own request.
            failure = error
            try:
                response.close()
            finally:
                response.end(connection.cut_reason, failure)
            if response.is_aborted_by(error):
                raise
        self._finish(connection, response, failure)
        failure = None  # Its traceback has this frame: it would wait for the garbage collector, and so would the body.

    def _send_pieces(self, connection: Connection, response: Response) -> bool:
        piece: bytes | None = None
        while not (response.is_exhausted or connection.is_closed):
            piece = response.read()
            if response.is_exhausted:
                break
            if piece:
                connection.send(piece)
            if connection.is_paused or connection.is_closed:
                return False  # go_on() continues.
            if not response.is_complete:
                self.go_on(connection)
                return False
        response.close()
        response.end(connection.cut_reason)
        if piece:
            connection.send(piece)
        return connection.is_closed or not connection.is_paused
