"""Start the service with the application of the tests, and with whatever of the server a test has to reach.

Nothing else differs from `python app/app.py`.
"""

import argparse
import asyncio
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parent.parent.parent)

from app.serving import start  # noqa: E402
from app.serving.hooks import SHARED_MEMORY, Hooks  # noqa: E402
from app.serving.http.limits import Limits  # noqa: E402
from app.serving.main import main  # noqa: E402
from app.serving.metrics_server import MetricsServer  # noqa: E402
from app.serving.standard_streams import standard_output  # noqa: E402
from app.settings import Settings  # noqa: E402


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--application", default="tests.support.application:create_app()")
    parser.add_argument("--max-requests", type=int, default=0, help="recycle a worker after this number of requests")
    parser.add_argument("--timeout", type=int, default=30, help="kill a worker that is silent for longer, in seconds")
    parser.add_argument("--shared-memory", type=Path, default=SHARED_MEMORY, help="the folder for the metrics")
    parser.add_argument("--file-bytes", type=int, help="the size that no file may exceed, as if the memory were full")
    parser.add_argument("--slots", type=int, help="the most workers that there may be")
    parser.add_argument("--limit", action="append", default=[], metavar="NAME=NUMBER", help="one of app's Limits")
    parser.add_argument("--failing", type=Path, help="a file: while it is there, workers fail as soon as they run")
    parser.add_argument("--asyncio", action="store_true", help="serve by asyncio's own event loop")
    parser.add_argument("--slow-metrics", action="store_true", help="serve the metrics once SIGTERM has been sent")
    return parser.parse_args()


def limits(changes: list[str], settings: Settings) -> Limits:
    """Take the numbers of a test in the place of those of the service."""
    pairs = [change.split("=") for change in changes]
    defaults = start.limits_for(settings)
    return replace(defaults, **{name: type(getattr(defaults, name))(number) for name, number in pairs})


class SlowMetricsServer(MetricsServer):
    """A metrics process that is slow to start."""

    def ensure(self, release: Callable[[], None]) -> None:
        """Start it, and let it wait for SIGTERM before it goes on."""

        def release_late() -> None:
            while signal.SIGTERM not in signal.sigpending():
                time.sleep(0.01)
            release()

        super().ensure(release_late)


def worker_class(arguments: argparse.Namespace) -> Any:
    """Make the class of the workers."""
    from app.serving.worker import Worker  # noqa: PLC0415 - gunicorn reads WEB_CONCURRENCY when it is imported

    class TestedWorker(Worker):
        """A worker that may fail to run, or run on another event loop."""

        def run(self) -> None:
            """Fail, or serve."""
            if arguments.failing is not None and arguments.failing.exists():
                raise RuntimeError("a bug at the start of a worker")
            super().run()

        if arguments.asyncio:
            new_event_loop = staticmethod(asyncio.new_event_loop)

    return TestedWorker


def serve(arguments: argparse.Namespace) -> int:
    """Compose the server, and run it."""
    hooks: Hooks = start.prepare(
        os.environ,
        standard_output(sys.stdout),
        limits=partial(limits, arguments.limit),
        shared_memory=arguments.shared_memory,
        slots=arguments.slots,
        metrics_server=SlowMetricsServer if arguments.slow_metrics else MetricsServer,
    )
    os.environ["WEB_CONCURRENCY"] = str(hooks.workers)
    return main(
        [],
        wsgi_app=arguments.application,
        max_requests=arguments.max_requests,
        timeout=arguments.timeout,
        worker_class=worker_class(arguments),
    )


if __name__ == "__main__":
    parsed = parse()
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        if parsed.file_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (parsed.file_bytes, unlimited[1]))
        status = serve(parsed)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)  # Or else coverage could not write its own file.
    sys.exit(status)
