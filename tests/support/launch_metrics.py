"""Start the service with what the tests of the metrics need to reach; each variable changes one thing.

TEST_MAX_REQUESTS   recycle a worker after so many requests
TEST_TIMEOUT        kill a worker that gives no sign of life for so many seconds
TEST_SHARED_MEMORY  the folder for the metrics in place of /dev/shm
TEST_SLOTS          the number of slots
TEST_FILE_BYTES     the size that no file may exceed: to whoever writes one, it is like a memory that is full
TEST_HEAD_SECONDS   the time limit of a head
TEST_GATE           a file: GET /wait answers only when it is there
TEST_FAILING        a file: as long as it is there, workers fail as soon as they run
TEST_BURST          so many workers may be replaced without a pause
TEST_SLOW_METRICS   the process of the metrics begins only when SIGTERM has been sent to it

Nothing else differs from `python app/app.py`.
"""

import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

sys.path[0] = str(Path(__file__).resolve().parent.parent.parent)

from flask import Flask  # noqa: E402

from app import arbiter, create_app, server, worker  # noqa: E402
from app.limits import Limits  # noqa: E402
from app.main import main  # noqa: E402
from app.slots import Slots  # noqa: E402


def setting(name: str) -> str:
    """Read a variable; the empty text stands for none."""
    return os.environ.get(f"TEST_{name}", "")


class Server(server.Server):
    """The server, with workers that do not last."""

    def load_config(self) -> None:
        """Recycle the workers."""
        super().load_config()
        self.cfg.set("max_requests", int(setting("MAX_REQUESTS") or 0))
        self.cfg.set("timeout", int(setting("TIMEOUT") or self.cfg.timeout))
        self.cfg.set("worker_class", Worker)


class Arbiter(server.Arbiter):
    """The master process, with a process of the metrics that may be slow to start."""

    is_stopping = False

    def signal(self, number: int, frame: FrameType | None) -> None:
        """Take note of SIGTERM."""
        self.is_stopping = number == signal.SIGTERM
        super().signal(number, frame)

    def _release_workers(self) -> None:
        while setting("SLOW_METRICS") and not (self.is_stopping or signal.SIGTERM in signal.sigpending()):
            time.sleep(0.01)
        super()._release_workers()


class Worker(worker.Worker):
    """A worker that may fail to run."""

    def run(self) -> None:
        """Fail, or serve."""
        if setting("FAILING") and Path(setting("FAILING")).exists():
            raise RuntimeError("a bug at the start of a worker")
        super().run()


def gate(path: str) -> None:
    """Wait until a file is there."""
    while path and not Path(path).exists():
        time.sleep(0.01)


def wait() -> str:
    """Keep the event loop busy until the test says otherwise."""
    gate(setting("GATE"))
    return "done\n"


def create_app_that_waits(*arguments: object) -> Flask:
    """Make the application, with one more route."""
    app = create_app(*arguments)  # type: ignore[arg-type]
    app.add_url_rule("/wait", view_func=wait)
    return app


def changed(make: Callable[..., object], **changes: object) -> Callable[..., object]:
    """Make something with other arguments."""
    return lambda *arguments, **named: make(*arguments, **(named | changes))


server.Server = Server  # type: ignore[misc]
server.Arbiter = Arbiter  # type: ignore[misc]
server.create_app = create_app_that_waits  # type: ignore[assignment]
if setting("SHARED_MEMORY"):
    server.SHARED_MEMORY = Path(setting("SHARED_MEMORY"))
if setting("SLOTS"):
    server.Slots = lambda _capacity: Slots(int(setting("SLOTS")))  # type: ignore[assignment,misc]
if setting("BURST"):
    arbiter.BURST = int(setting("BURST"))  # type: ignore[misc]
if setting("HEAD_SECONDS"):
    worker.Limits = changed(Limits, head=float(setting("HEAD_SECONDS")))  # type: ignore[assignment,misc]
unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
try:
    if setting("FILE_BYTES"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(setting("FILE_BYTES")), unlimited[1]))
    status = main(os.environ, sys.stdout)
finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)  # Or else coverage could not write its own file.
sys.exit(status)
