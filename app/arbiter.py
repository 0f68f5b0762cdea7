"""The master process of gunicorn: it keeps workers, and stops in an order that a balancer can follow."""

import signal
import time

from gunicorn.arbiter import Arbiter as BaseArbiter

from app.worker import STOP_SIGNALS


class Arbiter(BaseArbiter):  # type: ignore[misc]
    """gunicorn's master process, with a stop that is announced before it begins.

    SIGTERM makes `/readyz` answer 503 first. A balancer has DRAIN_SECONDS to notice; then the listener closes and the
    requests in flight have GRACEFUL_TIMEOUT to end. A second SIGTERM ends the draining.
    """

    _drained_at: float | None = None

    def spawn_worker(self) -> int | None:
        """Start a worker that misses no signal.

        One that came between the fork and the worker's own handlers would end up in the worker's copy of the master's
        queue: such a worker has been seen to sleep through a stop until it was killed.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            pid: int | None = super().spawn_worker()
            return pid
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    def start(self) -> None:
        """Listen on both ports."""
        super().start()
        self.app.metrics_server.ensure(self.app.metrics.extension, self._release_workers)

    def stop(self, graceful: bool = True) -> None:
        """Stop the workers, and the server of the metrics last: it has their last counts."""
        super().stop(graceful)
        self.app.metrics_server.stop()

    def _release_workers(self) -> None:
        for listener in self.LISTENERS:
            listener.close()
        for worker in self.WORKERS.values():
            worker.tmp.close()

    def handle_term(self) -> None:
        """Begin to stop."""
        self.app.readiness.withdraw()
        seconds = self.app.settings.drain_seconds
        if seconds == 0 or self._drained_at is not None:
            raise StopIteration
        self.log.info("draining for %s seconds", seconds)
        self._drained_at = time.monotonic() + seconds

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
        """Wait for signals, and not beyond the end of draining."""
        if self._drained_at is not None:
            timeout = min(timeout, max(self._drained_at - time.monotonic(), 0.0))
        signals: list[int] = super().wait_for_signals(timeout)
        return signals

    def manage_workers(self) -> None:
        """Keep the number of workers, until draining has ended."""
        if self._drained_at is not None and time.monotonic() >= self._drained_at:
            raise StopIteration
        super().manage_workers()
        self.app.metrics_server.ensure(self.app.metrics.extension, self._release_workers)
