"""gunicorn's worker: a process that runs the HTTP server."""

import os
import signal
from contextvars import copy_context
from dataclasses import replace
from functools import partial
from time import monotonic
from types import FrameType
from typing import TYPE_CHECKING, Any

from gunicorn.workers.base import Worker as BaseWorker

from app.observability.forwarded import Forwarded
from app.observability.request_log import PROBES
from app.observability.scoreboard import CONNECTIONS, STATE, WAITING, WorkerState, scoreboard
from app.serving import worker_signals
from app.serving.event_loop import new_event_loop
from app.serving.gunicorn_options import UNUSED_BY_OUR_WORKER, without_effect
from app.serving.http.limits import Limits
from app.serving.http.request import base_environ
from app.serving.http.server import HttpServer
from app.serving.http.service import Service
from app.serving.rejected_request import answer_rejection

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.serving.hooks import Hooks

# A worker ends this long before the grace is over: the master then kills it, and logs and counts a crash.
END_SECONDS = 0.5

# gunicorn's own master does not announce a stop. It signals its workers one after another, and only when it has
# signalled all of them can a worker tell a stop from a reload, in which other workers stay.
SIGNALLING_SECONDS = 0.1

# How long a worker that has served enough requests waits for its successor: twice the interval of the master's checks.
SUCCESSOR_SECONDS = 2.0


class Worker(BaseWorker):  # type: ignore[misc]
    """Serves connections with an event loop; docs/architecture.md lists what this adds to gunicorn's own workers."""

    hooks: "Hooks"
    slot: int
    unblocks_signals = True

    new_event_loop = staticmethod(new_event_loop)

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Refuse the options for TLS, which this worker does not speak, and warn of others that it does not know."""
        if cfg.is_ssl:
            raise RuntimeError("TLS needs one of gunicorn's own workers (-k gthread), or a proxy in front")
        if options := without_effect(cfg, UNUSED_BY_OUR_WORKER):
            log.warning("options of gunicorn without effect with this worker: %s", ", ".join(options))

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._is_aborted = False
        self._left_at = 0.0  # When it began to leave, by time.monotonic().
        # A signal handler runs in the context of the request that it interrupts. Its effects must not.
        self._context = copy_context()
        # The heartbeat file is new, and its wall-clock time is in the far future of the master's monotonic clock: a
        # worker that hung before its first heartbeat would never be killed.
        self.notify()

    def init_signals(self) -> None:
        """Set the signal handlers; run() unblocks the signals once there is a server to stop."""
        super().init_signals()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # A terminal that closes sends it to the whole group.

    def run(self) -> None:
        """Serve until told to stop, and then for the grace, while clients are connected."""
        self._loop = self.new_event_loop()
        listeners = [listener.sock.dup() for listener in self.sockets]
        for listener in self.sockets:
            listener.sock.close()
        self._server = HttpServer(self._loop, listeners, self._service(), self._limits(), self.cfg.threads)
        worker_signals.unblock()
        self._server.run()

    def _limits(self) -> Limits:
        # gunicorn's command line may say otherwise than the settings.
        return replace(self.hooks.limits, keep_alive=self.cfg.keepalive)

    def _service(self) -> Service:
        forwarded = Forwarded(self.hooks.settings.forwarded_allow_ips)
        return Service(
            application=self.wsgi,
            environ=base_environ(
                self.hooks.settings.port, multithread=self.cfg.threads > 1, multiprocess=self.cfg.workers > 1
            ),
            answer_rejection=partial(answer_rejection, forwarded),
            # uvloop finishes its turn before SystemExit ends it: a client accepted then would be lost.
            has_fewest_connections=lambda: not self._is_aborted and scoreboard.has_fewest_connections(),
            count_connections=partial(scoreboard.count, CONNECTIONS),
            set_waiting=partial(scoreboard.put, WAITING),
            is_probe=PROBES.__contains__,
            heartbeat=self._heartbeat,
            served=self._count,
            is_aborted=lambda: self._is_aborted,
        )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - gunicorn's signature
        """Begin to leave; on a second SIGTERM, end the draining. The master counts: a supervisor may signal all."""
        if not self._left_at:
            self._begin_to_leave()
            self._call_soon(self._loop.call_later, SIGNALLING_SECONDS, self._leave)
        elif scoreboard.stop_requests > 1:
            self._call_soon(self._server.stop, self._give_up_at)

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """End at once: by SystemExit while the application runs, and otherwise through the event loop.

        `_is_aborted` tells it from a SystemExit that a view raises. uvloop would blame a SystemExit in the callback of
        a connection on that connection.
        """
        self._is_aborted = True
        if self._server.is_running_application:
            super().handle_quit(sig, frame)
        else:
            self._call_soon(self._server.abort)

    def handle_abort(self, sig: int, frame: FrameType | None) -> None:
        """End at once: the master has received no heartbeat for too long."""
        self._is_aborted = True
        super().handle_abort(sig, frame)

    def _call_soon(self, function: "Callable[..., object]", *arguments: object) -> None:
        self._loop.call_soon_threadsafe(function, *arguments, context=self._context)

    @property
    def _grace(self) -> float:
        # gunicorn's command line may say otherwise than the settings.
        whole: float = self.cfg.graceful_timeout - self.hooks.settings.drain_seconds
        return whole - self.hooks.flush_seconds - END_SECONDS

    @property
    def _give_up_at(self) -> float:
        # Of a stop whose draining ends now, or has ended: the master's time for it began with the first signal.
        return min(monotonic(), self._left_at + self.hooks.settings.drain_seconds) + self._grace

    @property
    def _is_stop(self) -> bool:
        return scoreboard.stop_requests > 0 or not (self.hooks.has_own_master or scoreboard.has_serving())

    def _begin_to_leave(self) -> None:
        super().handle_exit(signal.SIGTERM, None)
        self._left_at = monotonic()
        scoreboard.set_state(self.slot, WorkerState.LEAVING)

    def _leave(self) -> None:
        if self._is_stop:
            stop_at = self._left_at + self.hooks.settings.drain_seconds
            self._server.drain(stop_at, stop_at + self._grace)
        else:
            self._server.stop(self._left_at + self._grace)

    def _heartbeat(self) -> None:
        self.notify()
        if self._is_aborted:  # By SystemExit, which the view that it interrupted has caught.
            self._server.abort()
        if os.getppid() != self.ppid:
            if self.alive:
                self.log.error("worker %s exiting: lost its master", self.pid)
                self._begin_to_leave()
            # Do not drain: the next start waits for the port.
            self._server.stop(monotonic() + self._grace)
        elif not (self.alive or self._left_at):  # gunicorn's reloader, which has a thread, ends a worker like this.
            self._begin_to_leave()
            self._server.stop(self._left_at + self._grace)
        elif scoreboard.stop_requests > 1 and not self.alive:
            # The kernel may merge a second SIGTERM with the first.
            self._server.stop(self._give_up_at)

    def _count(self) -> None:
        self.nr += 1
        if self.nr >= self.max_requests and scoreboard.read(self.slot, STATE) == WorkerState.SERVING:
            self.log.info("worker %s exiting after %s requests", self.pid, self.nr)
            scoreboard.set_state(self.slot, WorkerState.RETIRING)
            self._loop.call_later(SUCCESSOR_SECONDS, self._retire)

    def _retire(self) -> None:
        if not self.alive:
            return
        if self.hooks.has_own_master and not scoreboard.has_serving():
            self._loop.call_later(SUCCESSOR_SECONDS, self._retire)  # There is no room for a successor yet.
        else:
            self._begin_to_leave()
            self._server.stop(self._left_at + self._grace)
