"""The service as a process of its own, on ports of its own, with all that it prints."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import psutil

from app.observability import trace_settings
from app.settings import VARIABLES
from tests.support.http_client import Client, get
from tests.support.paths import ROOT

T = TypeVar("T")

PROGRAM = (ROOT / "app" / "app.py",)
LAUNCHER = ROOT / "tests" / "support" / "launch.py"
GUNICORN = ("-m", "gunicorn")

# Whatever a test waits for takes milliseconds; a busy machine may need longer. Beyond this limit the test fails.
LIMIT_SECONDS = 20.0


def wait_until(condition: Callable[[], T], what: str) -> T:
    """Wait until a condition holds, and return what it says."""
    end = time.monotonic() + LIMIT_SECONDS
    while not (outcome := condition()):
        assert time.monotonic() < end, f"waited {LIMIT_SECONDS} s in vain until {what}"
        time.sleep(0.01)
    return outcome


def free_ports(number: int) -> list[int]:
    """Find ports without a listener; all are held until the last is found, so that they differ.

    They lie below those that systems give to clients: in the thousands of connections of a load test, one took such a
    port before the service could. Each process of pytest-xdist takes its own share of them: two services that had found
    the same port before either listened failed one run of twelve.
    """
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    with ExitStack() as holders:
        ports: list[int] = []
        while len(ports) < number:
            port = random.randrange(10_000 + process, 32_000, processes)  # noqa: S311 - no secret
            with suppress(OSError):
                holders.enter_context(socket.create_server(("0.0.0.0", port)))  # noqa: S104 - as the service does
                ports.append(port)
        return ports


def environment(**settings: str | int) -> dict[str, str]:
    """Take the environment of the tests, with these settings of the service and none of the caller's."""
    own = {*VARIABLES, *trace_settings.VARIABLES}
    inherited = {name: value for name, value in os.environ.items() if name not in own}
    return inherited | {name: str(value) for name, value in settings.items()}


class Service:
    """A running service; `with` ends it in any case."""

    def __init__(  # noqa: PLR0913 - each but the first two has a default
        self,
        output: Path,
        settings: Mapping[str, str | int],
        *,
        folder: Path = ROOT,
        program: Sequence[str | Path] = PROGRAM,
        arguments: Sequence[object] | None = None,
        stdout: int | None = None,
        preexec: Callable[[], None] | None = None,
    ) -> None:
        self.port, self.metrics_port = free_ports(2)
        self._output = output
        self._lines: list[dict[str, Any]] = []
        self._lines_end = 0
        if arguments is not None:
            program = (LAUNCHER, *map(str, arguments))
        with output.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, *program],
                cwd=folder,
                env=environment(**{"PORT": self.port, "METRICS_PORT": self.metrics_port} | dict(settings)),
                stdin=subprocess.DEVNULL,
                stdout=file if stdout is None else stdout,
                stderr=subprocess.STDOUT,
                preexec_fn=preexec,  # noqa: PLW1509 - no test starts a service while it has threads
            )

    def refusal(self) -> tuple[int, dict[str, Any]]:
        """Wait for the end of a service that must not start; return its exit status and its only line."""
        try:
            status = self.wait()
        finally:
            self.kill()
        (line,) = self.lines()
        return status, line

    def wait_until_ready(self) -> None:
        """Wait for `/readyz` to answer 200."""
        wait_until(self._is_ready, "the service is ready")

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.text()}"
        with suppress(ConnectionError, TimeoutError):
            return get(self.port, "/readyz").status == 200
        return False

    def text(self) -> str:
        """Return all that the service has printed so far."""
        return self._output.read_text()

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines printed so far; each must be a JSON object."""
        # Tests ask for them again and again while they wait: only what is new is read.
        with self._output.open("rb") as file:
            file.seek(self._lines_end)
            whole, end, _ = file.read().rpartition(b"\n")
        self._lines += [json.loads(line) for line in whole.decode().splitlines()]
        self._lines_end += len(whole + end)
        return self._lines.copy()

    def requests(self, **members: object) -> list[dict[str, Any]]:
        """Return the lines of requests that have these members."""
        wanted = {"event": "request"} | members
        return [line for line in self.lines() if wanted.items() <= line.items()]

    def workers(self) -> list[int]:
        """Return the process ids of the workers that are alive, the oldest first."""
        booted = [line["pid"] for line in self.lines() if line["event"].startswith("Booting worker")]
        with suppress(psutil.NoSuchProcess):
            alive = {child.pid for child in self.tree()[1:] if child.status() != psutil.STATUS_ZOMBIE}
            return [pid for pid in booted if pid in alive]
        return []

    def tree(self) -> list[psutil.Process]:
        """Return the processes of the service, the master first."""
        master = psutil.Process(self.process.pid)
        return [master, *master.children(recursive=True)]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the master."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for the end and return the exit status."""
        return self.process.wait(LIMIT_SECONDS)

    def stop(self) -> int:
        """Stop by SIGTERM and return the exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """End every process that is left."""
        with suppress(psutil.NoSuchProcess):
            for process in self.tree():
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        self.process.wait()


@contextmanager
def running(  # noqa: PLR0913 - each but the first has a default
    output: Path,
    *,
    folder: Path = ROOT,
    program: Sequence[str | Path] = PROGRAM,
    arguments: Sequence[object] | None = None,
    stdout: int | None = None,
    preexec: Callable[[], None] | None = None,
    **settings: str | int,
) -> Iterator[Service]:
    """Start the service with two workers, wait until it is ready; at the end, stop it if the test has not done so.

    With `arguments`, even none, it is the launcher of the tests that starts it, with their application.
    """
    service = Service(
        output,
        {"WEB_CONCURRENCY": 2} | settings,
        folder=folder,
        program=program,
        arguments=arguments,
        stdout=stdout,
        preexec=preexec,
    )
    try:
        service.wait_until_ready()
        yield service
        if service.process.poll() is None:
            assert service.stop() == 0
    finally:
        service.kill()


def wait_until_workers(service: Service, number: int, *, other_than: Collection[int] = ()) -> set[int]:
    """Wait until there are `number` workers, all of them other than these; return their process ids."""
    wait_until(
        lambda: len(pids := service.workers()) == number and not set(pids) & set(other_than),
        f"there are {number} workers, other than {other_than}",
    )
    return set(service.workers())


def wait_until_all_serve(service: Service, number: int = 2) -> None:
    """Connect until each of `number` workers has a client: one that still starts leaves all of them to the others."""
    with ExitStack() as clients:

        def have_all_a_client() -> bool:
            clients.enter_context(Client(service.port))
            return number == sum(has_client(process, service.port) for process in service.tree())

        wait_until(have_all_a_client, "all workers serve")


def has_client(process: psutil.Process, port: int) -> bool:
    """Tell whether a process has a client at this port."""
    return any(connection.raddr and connection.laddr.port == port for connection in process.net_connections())
