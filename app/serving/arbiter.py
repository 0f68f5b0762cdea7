"""The master process of gunicorn, where no setting and no hook of gunicorn's does what is needed."""

import os
import signal
from types import FrameType
from typing import Any

from gunicorn.arbiter import Arbiter as BaseArbiter

from app.observability.scoreboard import STATE, WorkerState, scoreboard
from app.serving.hooks import Hooks
from app.serving.worker import STOP_SIGNALS


class Arbiter(BaseArbiter):  # type: ignore[misc]
    """gunicorn's master process; each method tells why it is here, and has a test that fails without it."""

    _reload_is_due = False
    _age_to_leave = 0  # The workers up to this age are those that leave: each is one older than the one before.

    def __init__(self, app: Any, hooks: Hooks) -> None:
        super().__init__(app)
        self._hooks = hooks
        hooks.has_own_master = True
        self._has_terminal = os.isatty(0)

    def init_signals(self) -> None:
        """Set the handlers for the signals, and let those in that have come while the server started."""
        super().init_signals()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {*STOP_SIGNALS, signal.SIGHUP})

    def spawn_worker(self) -> int | None:
        """Start a worker that misses no signal, or return None if there is no process, file, memory or slot for one.

        A signal that comes between the fork and the worker's own handlers would end up in the worker's copy of the
        master's queue, where it is lost. And gunicorn would end the whole service because of a shortage.
        """
        if len(self.WORKERS) >= self._hooks.slots:
            return None
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
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
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    def signal(self, sig: int, frame: FrameType | None) -> None:
        """Announce a stop, and hand a second SIGTERM on to the workers, which ends their draining: gunicorn forgets it.

        A worker cannot tell from its own SIGTERM whether all of them leave, nor a second one from the first.
        """
        if sig == signal.SIGTERM:
            scoreboard.request_stop()
            if scoreboard.stop_requests > 1:
                self.kill_workers(sig)
        super().signal(sig, frame)

    def stop(self, graceful: bool = True) -> None:
        """Stop the workers; from here on a SIGTERM is a second one, whatever began the stop."""
        if not scoreboard.stop_requests:
            scoreboard.request_stop()
        super().stop(graceful)

    def handle_hup(self) -> None:
        """Replace all workers, once those that an earlier reload replaces have left; or stop, if the terminal is gone.

        gunicorn waits here for the workers that leave. As long as one of them has a slow client, it would replace no
        worker that dies, and would not even notice SIGTERM.
        """
        if self._has_terminal and not os.isatty(0):
            self.handle_term()
        self._reload_is_due = True

    def handle_usr2(self) -> None:
        """Refuse to run a second master beside this one: it would want the metrics port, too."""
        self.log.warning("SIGUSR2 is not supported: start another instance instead")

    def manage_workers(self) -> None:
        """Keep the number of workers, those that leave not counted, and the process of the metrics."""
        for worker in self.WORKERS.values():
            if scoreboard.read(worker.slot, STATE) != WorkerState.SERVING:
                worker.age = 0  # It leaves by itself, and gunicorn ends the oldest first.
        if self._reload_is_due and not any(0 < worker.age <= self._age_to_leave for worker in self.WORKERS.values()):
            self._reload_is_due = False
            self._age_to_leave = self.worker_age
            self.num_workers = self.cfg.workers
        if self._leaving():
            # The new ones come first: gunicorn ends the oldest of those that are too many. But slow clients and a small
            # `--max-requests` fill no memory with workers that leave.
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
