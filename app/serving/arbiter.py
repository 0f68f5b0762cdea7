"""gunicorn's master process, changed where none of gunicorn's settings and hooks does what is needed."""

import os
import signal
from types import FrameType
from typing import Any

from gunicorn.arbiter import Arbiter as BaseArbiter

from app.observability.scoreboard import STATE, WorkerState, scoreboard
from app.serving import worker_signals
from app.serving.early_signals import EarlySignals
from app.serving.hooks import Hooks


class Arbiter(BaseArbiter):  # type: ignore[misc]
    """gunicorn's master process; each method says why it is here, and has a test that fails without it."""

    _reload_is_due = False
    _age_to_leave = 0  # Workers up to this age leave. gunicorn counts up: each new worker's age is one higher.

    def __init__(self, app: Any, hooks: Hooks, early_signals: EarlySignals) -> None:
        self._early_signals = early_signals
        super().__init__(app)  # Loads the application.
        early_signals.end_loading()
        self._hooks = hooks
        hooks.has_own_master = True
        self._has_terminal = os.isatty(0)

    def init_signals(self) -> None:
        """Set the signal handlers, and handle the signals that arrived during the start."""
        super().init_signals()
        self._early_signals.send_again()

    def spawn_worker(self) -> int | None:
        """Start a worker, or return None if there is no process, file, memory or slot for one.

        On a shortage, gunicorn would end the whole service.
        """
        if len(self.WORKERS) >= self._hooks.slots:
            return None
        slots = scoreboard.taken()
        try:
            pid: int | None = super().spawn_worker()
        except OSError as error:
            self.log.critical("cannot start a worker: %s", error.strerror)
            for slot in scoreboard.taken() - slots:
                scoreboard.release(slot)
            return None
        else:
            return pid
        finally:  # A hook may fail between pre_fork(), which blocks signals, and the fork.
            worker_signals.unblock()

    def signal(self, sig: int, frame: FrameType | None) -> None:
        """Announce a stop, and pass on a second SIGTERM, which gunicorn ignores, to end the draining of the workers.

        A worker cannot tell from its own SIGTERM whether all workers leave, or whether the signal is the second one.
        """
        if sig == signal.SIGTERM:
            scoreboard.request_stop()
            if scoreboard.stop_requests > 1:
                self.kill_workers(sig)
        super().signal(sig, frame)

    def stop(self, graceful: bool = True) -> None:
        """Stop the workers; whatever began the stop, any later SIGTERM counts as the second one."""
        if not scoreboard.stop_requests:
            scoreboard.request_stop()
        super().stop(graceful)

    def handle_hup(self) -> None:
        """Replace all workers, once those that an earlier reload replaces have left; or stop, if the terminal is gone.

        gunicorn waits here for the workers that leave. While one of them had a slow client, it would not replace a
        worker that dies, or even notice SIGTERM.
        """
        if self._has_terminal and not os.isatty(0):
            self.handle_term()
        self._reload_is_due = True

    def handle_usr2(self) -> None:
        """Refuse to start a second master: it would need the metrics port too."""
        self.log.warning("SIGUSR2 is not supported: start another instance instead")

    def manage_workers(self) -> None:
        """Maintain the number of workers, not counting those that leave, and the metrics process."""
        for worker in self.WORKERS.values():
            if scoreboard.read(worker.slot, STATE) != WorkerState.SERVING:
                worker.age = 0  # It leaves on its own, and gunicorn stops the oldest first.
        if self._reload_is_due and not any(0 < worker.age <= self._age_to_leave for worker in self.WORKERS.values()):
            self._reload_is_due = False
            self._age_to_leave = self.worker_age
            self.num_workers = self.cfg.workers
        if self._leaving():
            # Start the new workers first; gunicorn then stops the oldest surplus ones. The bound keeps slow clients and
            # a small `--max-requests` from filling the memory with workers that leave.
            wanted = min(self.num_workers + self._leaving(), 2 * self.num_workers)
            for _ in range(wanted - len(self.WORKERS)):
                if self.spawn_worker() is None:
                    break
        super().manage_workers()
        try:
            self._hooks.metrics_server.ensure(self._release_workers)
        except OSError as error:
            self.log.critical("cannot serve the metrics: %s", error.strerror)

    def _leaving(self) -> int:
        return sum(worker.age <= self._age_to_leave for worker in self.WORKERS.values())

    def _release_workers(self) -> None:
        for listener in self.LISTENERS:
            listener.close()
        for worker in self.WORKERS.values():
            worker.tmp.close()
