"""The master process of gunicorn: it keeps workers, and stops in an order that a balancer can follow."""

import gc
import signal
import time
from typing import TYPE_CHECKING

from gunicorn.arbiter import Arbiter as BaseArbiter

from app.pace import BURST, INTERVAL_SECONDS, Pace
from app.worker import STOP_SIGNALS, Worker

if TYPE_CHECKING:
    from app.server import Server


class Arbiter(BaseArbiter):  # type: ignore[misc]
    """gunicorn's master process, with a stop that is announced before it begins.

    SIGTERM makes `/readyz` answer 503 first. A balancer has DRAIN_SECONDS to notice; then the listener closes and the
    requests in flight have GRACEFUL_TIMEOUT to end. A second SIGTERM ends the draining.

    SIGHUP replaces the workers while everything else goes on. gunicorn's own way is to wait for those that leave: for
    as long as one of them had a slow client, nobody replaced a worker that died, and a SIGTERM was not even noticed.
    """

    _drained_at: float | None = None
    _reload_is_due = False
    _age_to_leave = 0  # The workers up to this age are those that leave: each is one older than the one before.
    starting: Worker | None = None

    def __init__(self, app: "Server") -> None:
        super().__init__(app)
        self._pace = Pace(max(BURST, self.num_workers), time.monotonic())

    def spawn_worker(self) -> int | None:
        """Start a worker that misses no signal, or return None if there is no process, file or memory for one.

        A signal that came between the fork and the worker's own handlers would end up in the worker's copy of the
        master's queue: such a worker has been seen to sleep through a stop until it was killed.
        """
        self.starting = None
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            pid: int | None = super().spawn_worker()
        except OSError as error:
            # gunicorn would end the whole service, because of a shortage that another worker may outlive.
            self.log.critical("no worker can be started: %s", error.strerror)
            if self.starting is not None:
                self.app.slots.release(self.starting.slot)
            return None
        else:
            return pid
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    def spawn_workers(self) -> None:
        """Start the workers that are missing, at a pace that leaves the machine to others if each of them dies."""
        for _ in range(min(self._missing_workers(), self.app.slots.capacity - len(self.WORKERS))):
            if not self._pace.take(time.monotonic()) or self.spawn_worker() is None:
                break

    def _missing_workers(self) -> int:
        staying = sum(worker.age > self._age_to_leave for worker in self.WORKERS.values())
        missing: int = self.num_workers - staying
        return missing

    def start(self) -> None:
        """Listen on both ports."""
        super().start()
        # What is there now, no process shall search for garbage: a search marks each object, and the kernel then copies
        # the memory that it has shared. After a hundred scrapes, this has been seen to cost 13 MB at once.
        gc.freeze()
        self._keep_metrics()

    def stop(self, graceful: bool = True) -> None:
        """Stop the workers, and the server of the metrics last: it has their last counts."""
        super().stop(graceful)
        self.app.metrics_server.stop()

    def _keep_metrics(self) -> None:
        try:
            self.app.metrics_server.ensure(self.app.metrics.extension, self._release_workers)
        except OSError as error:
            self.log.critical("the metrics cannot be served: %s", error.strerror)

    def _release_workers(self) -> None:
        for listener in self.LISTENERS:
            listener.close()
        for worker in self.WORKERS.values():
            worker.tmp.close()

    def _has_leaving_workers(self) -> bool:
        return any(worker.age <= self._age_to_leave for worker in self.WORKERS.values())

    def handle_term(self) -> None:
        """Begin to stop."""
        self.app.readiness.withdraw()
        seconds = self.app.settings.drain_seconds
        if seconds == 0 or self._drained_at is not None:
            raise StopIteration
        self.log.info("draining for %s seconds", seconds)
        self._drained_at = time.monotonic() + seconds

    def handle_hup(self) -> None:
        """Replace all workers, once those that an earlier reload replaces have left."""
        self._reload_is_due = True

    def handle_ttin(self) -> None:
        """Add a worker, as long as there is a place for one."""
        if self.num_workers < self.app.slots.capacity:
            super().handle_ttin()
        else:
            self.log.warning("SIGTTIN is ignored: there are %s workers", self.num_workers)

    def handle_int(self) -> None:
        """Stop without grace, as gunicorn does."""
        self.app.readiness.withdraw()
        super().handle_int()

    handle_quit = handle_int

    def handle_usr2(self) -> None:
        """Refuse to run a second master beside this one: it would want the metrics port, too."""
        self.log.warning("SIGUSR2 is not supported: start another instance instead")

    def wait_for_signals(self, timeout: float = 1.0) -> list[int]:
        """Wait for signals, and not beyond the end of draining or the time for the next worker."""
        if self._missing_workers() > 0:
            timeout = min(timeout, INTERVAL_SECONDS)
        if self._drained_at is not None:
            timeout = min(timeout, max(self._drained_at - time.monotonic(), 0.0))
        signals: list[int] = super().wait_for_signals(timeout)
        return signals

    def manage_workers(self) -> None:
        """Keep the number of workers, until draining has ended."""
        if self._drained_at is not None and time.monotonic() >= self._drained_at:
            raise StopIteration
        if self._reload_is_due and not self._has_leaving_workers():
            self._reload_is_due = False
            self._age_to_leave = self.worker_age
            self.num_workers = self.cfg.workers
        if self._has_leaving_workers():
            self.spawn_workers()  # The new ones come first: gunicorn ends the oldest of those that are too many.
        super().manage_workers()
        self._keep_metrics()
