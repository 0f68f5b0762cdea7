"""The server: gunicorn with the settings of this service, and what its processes share."""

import os
import tempfile
from pathlib import Path

from flask import Flask
from gunicorn.app.base import Application

from app import create_app
from app.arbiter import Arbiter
from app.metrics import Metrics
from app.metrics_files import MetricsFiles
from app.metrics_server import MetricsServer
from app.readiness import Readiness
from app.request_log import RequestLog
from app.settings import Settings
from app.slots import Slots
from app.worker import Worker

CONFIGURATION = Path(__file__).resolve().parent.parent / "gunicorn.conf.py"

# Files that change at each request belong in memory. A Mac has no such folder. A read-only container has nothing else,
# and gettempdir() raises there.
SHARED_MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path(tempfile.gettempdir())  # noqa: S108


class Server(Application):  # type: ignore[misc]
    """gunicorn for this application: gunicorn.conf.py is its configuration, whatever the working directory is."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.readiness = Readiness()
        # A reload doubles the number of workers for a while; SIGTTIN adds some.
        self.slots = Slots(4 * settings.workers + 16)
        self._slots_with_files = 2 * settings.workers
        self.metrics_files = MetricsFiles(SHARED_MEMORY, self._slots_with_files)
        self.metrics = Metrics(self.slots)
        self.metrics_server = MetricsServer(settings.metrics_port, self.slots, self.metrics_files, settings.revision)
        super().__init__()

    def init(self, parser: object, opts: object, args: object) -> None:
        """Take nothing from a command line."""

    def load_config(self) -> None:
        """Take the configuration from gunicorn.conf.py and from nowhere else."""
        self.load_config_from_file(str(CONFIGURATION))
        self.cfg.set("pre_fork", self._take_slot)
        self.cfg.set("child_exit", self._release_slot)

    def load(self) -> Flask:
        """Make the application: once, in the master process."""
        app = create_app(self.settings, self.readiness, [RequestLog(), self.metrics])
        self.metrics.init_app(app)
        self.metrics_files.prepare(self._slots_with_files)
        return app

    def run(self) -> None:
        """Run until told to stop; ends with SystemExit."""
        master = os.getpid()
        try:
            Arbiter(self).run()
        except SystemExit as end:
            # To take the interpreter of a worker down in good order costs 150 ms of CPU time, and nobody needs it.
            if os.getpid() != master:
                os._exit(int(end.code or 0))
            raise
        finally:
            # The workers, forked inside of run(), end by the same SystemExit as the master.
            if os.getpid() == master:
                self.metrics_files.remove()

    def enter_worker(self, slot: int) -> None:
        """Let this process, a worker, count to the account of its slot."""
        self.slots.enter(slot, os.getpid())
        self.metrics.slot = slot
        self.metrics_files.owner = str(slot)
        self.metrics.warm_up()

    def _take_slot(self, arbiter: Arbiter, worker: Worker) -> None:
        worker.slot = self.slots.take(arbiter.pid)
        arbiter.starting = worker

    def _release_slot(self, arbiter: Arbiter, worker: Worker) -> None:
        if lost := self.slots.requests_of(worker.slot):
            # Nobody has answered them, and one that was ending may be in the log and not in the counts: whoever
            # compares the two finds here by how many they may differ.
            arbiter.log.error("worker %s has ended with requests in progress: %s", worker.pid, lost)
        has_left = self.slots.release(worker.slot)
        self.metrics.worker_exited("stopped" if has_left else "timeout" if worker.aborted else "crashed")
