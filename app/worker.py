"""The worker of gunicorn: a process that runs event loops."""

import os
import signal
from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import Any

from gunicorn.workers.base import Worker as BaseWorker

from app.event_loop import EventLoop
from app.gateway import base_environ
from app.limits import Limits
from app.service import Service
from app.slots import CONNECTIONS

STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}

# The master kills who is still there when the grace is over, and logs and counts a crash: a worker ends before that.
END_SECONDS = 0.5


class Worker(BaseWorker):  # type: ignore[misc]
    """Runs `threads` event loops, each with connections of its own.

    gunicorn.conf.py tells why this takes the place of gunicorn's own workers.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        # The master takes the time of the heartbeat's file, which is new, for a moment in a future far away: a worker
        # that hung before its first heartbeat would never be killed.
        self.notify()

    def init_signals(self) -> None:
        """Take signals from here on; the master has blocked them for the fork."""
        super().init_signals()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    def run(self) -> None:
        """Serve until the worker is told to stop, the grace for those who are connected included."""
        self.app.enter_worker(self.slot)
        loops = [self._event_loop(self._heartbeat)]
        loops += [self._event_loop(lambda: None) for _ in range(1, self.cfg.threads)]
        self.sockets[0].close()
        threads = [Thread(target=loop.run) for loop in loops[1:]]
        for thread in threads:
            thread.start()
        loops[0].run()
        for thread in threads:
            thread.join()
        self.app.slots.leave(self.slot)

    def _event_loop(self, heartbeat: Callable[[], None]) -> EventLoop:
        # A copy of the listening socket for each loop, which it can close when it is done.
        listener = self.sockets[0].sock.dup()
        listener.setblocking(False)
        return EventLoop(
            listener,
            self.PIPE[0],
            Service(
                application=self.wsgi,
                measurement=self.wsgi.extensions["measurement"],
                environ=base_environ(
                    listener.getsockname()[1],
                    multithread=self.cfg.threads > 1,
                    multiprocess=self.cfg.workers > 1,
                ),
                limits=Limits(body_bytes=self.app.settings.max_body_bytes, keep_alive=self.cfg.keepalive),
                max_connections=self.cfg.worker_connections,
                graceful_seconds=self.cfg.graceful_timeout - END_SECONDS,
                has_fewest_connections=partial(self.app.slots.has_fewest_connections, self.slot),
                count_connections=partial(self.app.slots.count, self.slot, CONNECTIONS),
                is_running=lambda: self.alive,
                is_ready=lambda: bool(self.app.readiness),
                heartbeat=heartbeat,
                served=self._count,
            ),
        )

    def _heartbeat(self) -> None:
        self.notify()
        if os.getppid() != self.ppid:
            self.log.error("the master process is gone: worker %s stops", self.pid)
            self.alive = False

    def _count(self) -> None:
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("worker %s stops after %s requests", self.pid, self.nr)
            self.alive = False
