"""gunicorn's server hooks: what the server's processes share, and what happens when one starts or ends.

They work with gunicorn's own master and workers, and with this project's.
"""

import gc
import logging
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from prometheus_client.multiprocess import mark_process_dead

from app.observability import traces
from app.observability.captured_output import end_lines
from app.observability.logs import emit, forward_logger
from app.observability.measured_response import END_REQUEST
from app.observability.metric_files import MetricFiles, slot_owner
from app.observability.scoreboard import IN_PROGRESS, PID, WAITING, WorkerState, scoreboard
from app.observability.trace_settings import TraceSettings
from app.serving import worker_signals
from app.serving.addresses import addresses, bind_text, listen_on_all
from app.serving.cpus import usable_cpus
from app.serving.descriptors import allow_descriptors
from app.serving.gunicorn_options import UNUSED, without_effect
from app.serving.http import acceptor, response
from app.serving.http.limits import Limits
from app.serving.metrics_server import MetricsServer
from app.serving.warm_up import warm_up
from app.settings import Settings
from app.version import __version__

# Files that change with each request belong in memory. A Mac has no /dev/shm. A read-only container has nothing else,
# and gettempdir() raises there.
SHARED_MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path(tempfile.gettempdir())  # noqa: S108

# The part of the grace in which a worker sends the spans that remain after its last request; at most a quarter of it.
FLUSH_SECONDS = 1.0

# Those of the server. dictConfig() in the application, as Flask's documentation shows it, replaces the handler of all,
# and disables, by default, all loggers that exist.
LOGGERS = ("gunicorn.error", acceptor.__name__, response.__name__)


class Hooks:
    """The hooks, named as in gunicorn's configuration, and what they share."""

    def __init__(  # noqa: PLR0913 - each but the first three has a default
        self,
        settings: Settings,
        limits: Limits,
        shared_memory: Path,
        slots: int | None = None,
        *,
        metrics_server: type[MetricsServer] = MetricsServer,
        trace_settings: TraceSettings | None = None,
    ) -> None:
        """Create the metric files. Raises OSError if there is no room for them."""
        self.settings = settings
        self.limits = limits
        self.trace_settings = trace_settings
        self._master = os.getpid()
        self.flush_seconds = min(FLUSH_SECONDS, settings.graceful_timeout / 4) if trace_settings else 0.0
        self.slots = slots or scoreboard.capacity
        self.has_own_master = False  # It announces a stop, and starts the successor of a worker that retires.
        self.workers = settings.workers or usable_cpus()
        self.addresses = addresses(settings.bind)
        self.bind = [bind_text(address, settings.port) for address in self.addresses]
        # A reload temporarily doubles the number of workers.
        self._slots_with_files = 2 * self.workers
        self.metric_files = MetricFiles(shared_memory, self._slots_with_files)
        listeners = listen_on_all(self.addresses, settings.metrics_port)
        self.metrics_server = metrics_server(listeners, self.metric_files, settings)

    def on_starting(self, arbiter: Any) -> None:
        """Start the metrics process, now that the application is loaded, and log the settings."""
        # A garbage collection marks each object, so the kernel copies memory that the processes share: 12 MB after a
        # few hundred scrapes. The objects that exist now are never freed, so exclude them from collection.
        gc.freeze()
        end_lines()
        for name in LOGGERS:
            forward_logger(name)
        self.metric_files.prepare(self._slots_with_files)
        self.metrics_server.ensure(lambda: None)
        os.register_at_fork(after_in_parent=worker_signals.unblock)  # What pre_fork() has blocked.
        settings = self.settings
        emit(
            logging.INFO,
            {
                "event": "starting",
                "version": __version__,
                "revision": settings.revision,
                "port": settings.port,
                "metrics_port": settings.metrics_port,
                "addresses": list(self.addresses),
                "workers": arbiter.cfg.workers,  # gunicorn's command line may say otherwise than the settings.
                "threads": arbiter.cfg.threads,
                "max_body_bytes": settings.max_body_bytes,
                "held_bytes": self.limits.held_bytes,
                "connections": self.limits.connections,
                "keep_alive_seconds": arbiter.cfg.keepalive,
                "drain_seconds": settings.drain_seconds,
                "graceful_timeout_seconds": arbiter.cfg.graceful_timeout - settings.drain_seconds,
                "traces": self.trace_settings is not None,
            },
        )
        if options := without_effect(arbiter.cfg, UNUSED):
            emit(logging.WARNING, {"event": f"options of gunicorn without effect: {', '.join(options)}"})

    def pre_fork(self, _arbiter: Any, worker: Any) -> None:
        """Take a slot for a worker, and block the signals that stop it until it has handlers for them.

        The worker's copy of gunicorn's own handlers would lose them, and the worker would serve until it is killed.
        """
        worker.slot = scoreboard.take(os.getpid())
        worker_signals.block(worker_signals.STOPS)

    def post_fork(self, _arbiter: Any, worker: Any) -> None:
        """Make this process, a worker, count in the metric files of its slot."""
        self.metrics_server.close()
        scoreboard.enter(worker.slot, os.getpid())
        allow_descriptors(2 * self.limits.connections)
        self.metric_files.owner = slot_owner(worker.slot)
        self.count_dropped_line(0)  # Opens the files, which takes 15 ms, so that the first request need not.
        # Before traces start, which register a function that takes longer: no signal may come between.
        os.register_at_fork(
            before=worker_signals.block, after_in_parent=worker_signals.unblock, after_in_child=self._leave_child
        )
        if self.trace_settings is not None:
            traces.start(self.trace_settings, self.metric_files.directory)
        worker.hooks = self

    def _leave_child(self) -> None:
        """Detach a process that a view forks, for example by multiprocessing.

        It would otherwise take its own SIGTERM for the worker's, and change what the worker has counted.
        """
        for number in worker_signals.ENDS:
            signal.signal(number, signal.SIG_DFL)
        worker_signals.unblock()
        self.metric_files.detach()
        scoreboard.detach()

    def post_worker_init(self, worker: Any) -> None:
        """Warm up, before the first client comes."""
        warm_up()
        if not getattr(worker, "unblocks_signals", False):  # Ours does so when it has a server to stop.
            worker_signals.unblock()

    def post_request(self, _worker: Any, _request: Any, environ: dict[str, Any], _response: Any) -> None:
        """End a request whose response a middleware has not closed, on gunicorn's own workers."""
        if END_REQUEST in environ:
            environ[END_REQUEST](sys.exception())  # gunicorn calls this on the way out, too.

    def child_exit(self, _arbiter: Any, worker: Any) -> None:
        """Count a worker that has ended, and free its slot."""
        from app.observability.metrics import worker_exits  # noqa: PLC0415 - see count_dropped_line()

        mark_process_dead(slot_owner(worker.slot))  # type: ignore[no-untyped-call]
        self._log_lost(worker.slot, worker.pid)
        has_left = scoreboard.release(worker.slot)
        worker_exits.labels("stopped" if has_left else "timeout" if worker.aborted else "crashed").inc()

    def worker_exit(self, _arbiter: Any, worker: Any) -> None:
        """Record in the worker that it exits cleanly, if it does, and send its last spans."""
        end = sys.exception()  # gunicorn calls this on the way out.
        end_lines()
        if isinstance(end, SystemExit) and not end.code:
            scoreboard.set_state(worker.slot, WorkerState.LEFT)
            traces.stop(self.flush_seconds)

    def on_exit(self, _arbiter: Any) -> None:
        """Stop serving the metrics last of all, so that they include the last counts of the workers."""
        # A KeyboardInterrupt takes one of gunicorn's own workers back into its copy of the master, and then here.
        if os.getpid() == self._master:
            for slot in scoreboard.taken():  # The master kills a worker at the end of the grace and does not reap it.
                self._log_lost(slot, scoreboard.read(slot, PID))
            self.metrics_server.stop()
            self.metric_files.remove()

    def _log_lost(self, slot: int, pid: int) -> None:
        # They were not answered. A request that was ending may be logged but not counted: this line says by how many
        # the log and the counts may differ.
        lost, waiting = scoreboard.read(slot, IN_PROGRESS), scoreboard.read(slot, WAITING)
        if lost or waiting:
            others = f", and {waiting} waiting" if waiting else ""
            emit(logging.ERROR, {"event": f"worker {pid} exited with {lost} requests in progress{others}"})

    def count_dropped_line(self, lines: int = 1) -> None:
        """Count log lines that standard output did not take."""
        # Imported here because the files must exist before the first metric is created.
        from app.observability.metrics import lines_dropped  # noqa: PLC0415

        lines_dropped.inc(lines)
