"""The metrics server: a separate process, which answers whatever the workers are doing."""

import logging
import mmap
import os
import signal
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import psutil

from app.observability.correlation import request_id
from app.observability.joined_metrics import JoinedMetrics
from app.observability.logs import emit
from app.observability.metric_files import MetricFiles
from app.observability.process_metrics import ProcessMetrics
from app.observability.scoreboard import scoreboard
from app.serving.event_loop import new_event_loop
from app.serving.http.limits import Limits
from app.serving.http.rejection import Rejection
from app.serving.http.request import base_environ
from app.serving.http.server import HttpServer
from app.serving.http.service import Headers, Service
from app.serving.metrics_application import MetricsApplication
from app.settings import Settings
from app.web.problem_details import problem_body, problem_headers, status_line

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

GRACE_SECONDS = 1.0

# A process that has not ended this long after SIGTERM hangs or is suspended: it is killed, and the stop goes on.
STOP_SECONDS = 2.0

# A process that fails at once is not started more often than this.
RESTART_SECONDS = 0.5

# How long gunicorn waits for a worker's heartbeat by default.
HEARTBEAT_SECONDS = 30.0

LIMITS = Limits(body_bytes=0, connections=64)

HEARTBEAT, IS_STOP = range(2)


class MetricsServer:
    """Keeps the metrics process alive, on behalf of the master process.

    A thread in the master would work only until the master forks the next worker: a fork in a process with threads can
    deadlock, and Python 3.12 warns of it.
    """

    def __init__(self, listeners: list[socket.socket], files: MetricFiles, settings: Settings) -> None:
        # The master owns the sockets: while the process is replaced, scrapes wait and do not fail.
        self._listeners = listeners
        self._files = files
        self._settings = settings
        self._pid = 0
        self._started_at = -RESTART_SECONDS
        # Shared with the process: its last heartbeat, on the clock of time.monotonic(), and whether it is to stop.
        self._shared = memoryview(mmap.mmap(-1, 16)).cast("d")

    def ensure(self, release: Callable[[], None]) -> None:
        """Start the process if it does not run, and kill it if it hangs, so that the next call starts another.

        The new process calls `release` to close what belongs to the workers. Raises OSError if the fork fails.
        """
        now = time.monotonic()
        if self._runs():
            if now - self._shared[HEARTBEAT] > HEARTBEAT_SECONDS:
                emit(logging.CRITICAL, {"event": "the metrics process hangs"})
                os.kill(self._pid, signal.SIGKILL)
            return
        if now < self._started_at + RESTART_SECONDS:
            return
        master = os.getpid()
        self._pid = 0
        self._shared[HEARTBEAT] = self._started_at = now
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # Until its handler is in place.
        try:
            self._pid = os.fork()
            if self._pid == 0:
                status = 1
                try:
                    release()
                    self._serve(master)
                    status = 0
                except Exception:  # noqa: BLE001 - the process ends here, whatever it was
                    emit(logging.ERROR, {"event": "cannot serve the metrics", "exc_info": True})
                finally:
                    os._exit(status)  # Skip the exit handlers that the master has registered.
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)

    def stop(self) -> None:
        """End the process."""
        if self._runs():
            process = psutil.Process(self._pid)
            self._shared[IS_STOP] = True
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except psutil.TimeoutExpired:
                process.kill()
                process.wait()
        self.close()

    def close(self) -> None:
        """Close the sockets, in a process that does not serve the metrics."""
        for listener in self._listeners:
            listener.close()

    def _runs(self) -> bool:
        try:
            return self._pid != 0 and os.waitpid(self._pid, os.WNOHANG) == (0, 0)
        except ChildProcessError:  # The master has reaped it together with its workers.
            return False

    def _serve(self, master: int) -> None:
        def watch_master() -> None:
            self._shared[HEARTBEAT] = time.monotonic()
            if os.getppid() != master:
                self._files.remove()
                server.stop(0.0)

        def stop(*_: object) -> None:
            # systemd and others may send SIGTERM to all processes. This one serves until the workers have counted all.
            if self._shared[IS_STOP]:
                loop.call_soon_threadsafe(server.stop, time.monotonic() + GRACE_SECONDS)

        # A terminal sends the first three to the whole group, and `pkill -USR1 gunicorn` another one to each process.
        for ignored in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(ignored, signal.SIG_IGN)
        loop = new_event_loop()
        own = ProcessMetrics(scoreboard, master, [os.getpid()], self._settings.revision)
        service = Service(
            application=MetricsApplication(JoinedMetrics([own, self._files])),
            environ=base_environ(self._settings.metrics_port, multithread=False, multiprocess=False),
            answer_rejection=_answer_rejection,
            heartbeat=watch_master,
        )
        server = HttpServer(loop, self._listeners, service, LIMITS)
        # Not loop.add_signal_handler(): uvloop loses a signal that arrives between two turns of its loop.
        signal.signal(signal.SIGTERM, stop)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        server.run()


def _answer_rejection(environ: "WSGIEnvironment", rejection: Rejection) -> tuple[str, Headers, bytes]:
    identity = request_id(environ.get("HTTP_X_REQUEST_ID"))
    body = problem_body(rejection.status, rejection.detail, identity)
    return status_line(rejection.status), problem_headers(identity), body
