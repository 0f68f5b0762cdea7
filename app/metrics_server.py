"""The server of the metrics: a process of its own, which answers whatever the workers are doing."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterable
from types import FrameType
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_flask_exporter import PrometheusMetrics

from app.client import ClientAddress
from app.event_loop import EventLoop
from app.exchange import ENVIRON_KEY, Exchange
from app.gateway import base_environ
from app.limits import Limits
from app.measurement import Measurement
from app.metrics_files import MetricsFiles
from app.problem import CONTENT_TYPE, problem_body
from app.process_metrics import ProcessMetrics
from app.service import Service
from app.settings import ADDRESS
from app.slots import Slots

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


def metrics_application(extension: PrometheusMetrics) -> "WSGIApplication":
    """Make the WSGI application that answers `GET /metrics`, and 404 for everything else."""

    def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/metrics" and environ["REQUEST_METHOD"] in {"GET", "HEAD"}:
            try:
                text, content_type = extension.generate_metrics(environ.get("HTTP_ACCEPT"))
            except (TypeError, ValueError):  # The library compares the version in Accept as a number, whatever it is.
                text, content_type = extension.generate_metrics(None)
            start_response("200 OK", [("Content-Type", content_type)])
            return [text.encode()]
        exchange: Exchange = environ[ENVIRON_KEY]
        start_response("404 Not Found", [("Content-Type", CONTENT_TYPE)])
        return [problem_body(404, "metrics are at GET /metrics", exchange.request_id)]

    return application


class MetricsServer:
    """Keeps the process that serves the metrics alive, on behalf of the master process.

    A thread in the master would do the same until the master forks the next worker: a fork in a process with threads
    can deadlock, and Python 3.12 warns of it.
    """

    def __init__(self, port: int, slots: Slots, files: MetricsFiles, revision: str) -> None:
        self._slots = slots
        self._files = files
        self._revision = revision
        # The socket belongs to the master: while the process is replaced, scrapes wait and do not fail.
        self._listener = socket.create_server((ADDRESS, port), backlog=64)
        self._port = port
        self._pid = 0

    def ensure(self, extension: PrometheusMetrics, release: Callable[[], None]) -> None:
        """Start the process where it does not run; `release` lets go, in it, of what belongs to the workers.

        Raises OSError where there is no room for another process.
        """
        if self._runs():
            return
        master = os.getpid()
        self._pid = 0
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # Until the handler below is in place.
        try:
            self._pid = os.fork()
            if self._pid == 0:
                status = 1
                try:
                    release()
                    self._serve(extension, master)
                    status = 0
                finally:
                    os._exit(status)  # What the master has registered for its own exit is not for this process.
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

    def stop(self) -> None:
        """End the process."""
        if self._runs():
            os.kill(self._pid, signal.SIGTERM)
            os.waitpid(self._pid, 0)
        self._listener.close()

    def _runs(self) -> bool:
        try:
            return self._pid != 0 and os.waitpid(self._pid, os.WNOHANG) == (0, 0)
        except ChildProcessError:  # The master has reaped it together with its workers.
            return False

    def _serve(self, extension: PrometheusMetrics, master: int) -> None:
        is_running = True

        def stop(_signal: int, _frame: FrameType | None) -> None:
            nonlocal is_running
            is_running = False

        def watch_master() -> None:
            nonlocal is_running
            if os.getppid() != master:
                self._files.remove()
                is_running = False

        wake, wake_write = os.pipe()
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write)
        signal.signal(signal.SIGTERM, stop)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        for ignored in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):  # A terminal sends them to the whole group.
            signal.signal(ignored, signal.SIG_IGN)
        # With this variable set, the extension would collect by itself, without ProcessMetrics and by process id.
        del os.environ["PROMETHEUS_MULTIPROC_DIR"]
        extension.registry = CollectorRegistry()
        extension.registry.register(self._files)
        extension.registry.register(ProcessMetrics(self._slots, master, [os.getpid()], self._revision))
        # Without observers: a scrape is no request of the service.
        application = Measurement(metrics_application(extension), [], ClientAddress("127.0.0.1"), time.perf_counter)
        self._listener.setblocking(False)
        service = Service(
            application=application,
            measurement=application,
            environ=base_environ(self._port, multithread=False, multiprocess=False),
            limits=Limits(body_bytes=0),
            max_connections=64,
            graceful_seconds=1.0,
            has_fewest_connections=lambda: True,
            count_connections=lambda _: None,
            is_running=lambda: is_running,
            is_ready=lambda: True,
            heartbeat=watch_master,
            served=lambda: None,
        )
        EventLoop(self._listener, wake, service).run()
