"""A stop, a killed process, a full disk: what the container as a whole makes of them."""

import socket
import threading
import time
from contextlib import ExitStack

import pytest

from tests.support import engine, example
from tests.support.engine import Start

REQUEST = example.request("Connection: close")
GRACE = 10  # Docker's own: after it, SIGKILL
CHILDREN = """
import os
for name in filter(str.isdigit, os.listdir("/proc")):
    if open(f"/proc/{name}/stat").read().rpartition(")")[2].split()[1] == "1" and int(name) != os.getpid():
        print(name)
"""


def half_a_request(port: int) -> socket.socket:
    """Send all of a request but its last byte."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=GRACE)
    connection.sendall(REQUEST[:-1])
    return connection


def test_stop_completes_requests_in_flight(start: Start) -> None:
    """During `docker stop` the requests that have begun are answered; then the server ends by itself, with status 0."""
    container = start("--stop-timeout", str(GRACE))
    engine.until(container.answers)
    port = container.port()
    begun = time.monotonic()
    stop = threading.Thread(target=engine.run, args=("stop", container.name))
    with ExitStack() as stack:
        connections = [stack.enter_context(half_a_request(port)) for _ in range(20)]
        # Answered after the others were accepted, so these are in the hands of a worker.
        assert container.ask("GET", "/healthz")[0] == 200
        stop.start()
        engine.until(lambda: not container.answers())
        for connection in connections:
            connection.sendall(REQUEST[-1:])
        answers = [b"".join(iter(lambda: connection.recv(4096), b"")) for connection in connections]  # noqa: B023
    stop.join()

    assert [answer.rpartition(b"\r\n\r\n")[2] for answer in answers] == [example.ANSWER] * len(connections)
    assert container.state()["ExitCode"] == 0
    assert time.monotonic() - begun < GRACE


def test_killed_processes_are_replaced(start: Start) -> None:
    """SIGKILL of each child of the server in turn: others take their place, and the container stays healthy."""
    container = start("--health-interval", "1s")
    engine.until(lambda: container.health() == "healthy")
    before = set(container.python(CHILDREN).split())
    for child in before:
        container.python("import os, sys; os.kill(int(sys.argv[1]), 9)", child)

    def replaced() -> bool:
        now = set(container.python(CHILDREN).split())
        return len(now) >= len(before) and not now & before

    engine.until(replaced)
    engine.until(container.answers)
    probes = len(container.state()["Health"]["Log"])
    engine.until(lambda: len(container.state()["Health"]["Log"]) >= min(probes + 2, 5))
    assert container.health() == "healthy"


@pytest.mark.parametrize(
    "shared_memory",
    [
        pytest.param(("--shm-size", "4k"), id="full"),
        pytest.param(("--tmpfs", "/dev/shm:ro"), id="read-only"),  # noqa: S108
    ],
)
def test_unusable_shared_memory(start: Start, shared_memory: tuple[str, str]) -> None:
    """Where /dev/shm is full or cannot be written, the start ends with a line that says so, and not with status 0."""
    container = start(*engine.HARDENED, *shared_memory)
    engine.until(lambda: container.state()["Status"] == "exited")
    assert container.state()["ExitCode"] not in {0, 137, 139}
    assert [line for line in container.log() if line["level"] == "critical" and "/dev/shm" in line["event"]] != []  # noqa: S108


def test_bad_setting(start: Start) -> None:
    """A bad setting ends the start with status 78 and one line that names it."""
    container = start("--env", "PORT=http")
    engine.until(lambda: container.state()["Status"] == "exited")
    assert container.state()["ExitCode"] == 78
    assert [line["level"] for line in container.log()] == ["critical"]
    assert "PORT" in container.log()[0]["event"]
