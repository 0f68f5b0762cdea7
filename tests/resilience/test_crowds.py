"""Crowds of slow clients, with the limits of the service as they are: others are served, and the slow ones leave."""

import multiprocessing
import socket
import statistics
import time
from contextlib import ExitStack, suppress
from functools import partial
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.support import example
from tests.support.floods import ask_on, flooding
from tests.support.http_client import exchange, get
from tests.support.service import LIMIT_SECONDS, Service, running, wait_until, wait_until_workers

if TYPE_CHECKING:
    from multiprocessing.queues import Queue


SUM = example.REQUEST
CROWD = 500

# The bound on what a normal client waits; one time in a hundred it may be longer.
P99_SECONDS = 0.1

# From app/limits.py, and how much later the last of a crowd may be gone: it takes a while to come, too.
# Who goes on sending after its 408 has not read it, and has some more time for that.
HEAD_SECONDS, BODY_SECONDS, CLOSE_SECONDS = 10.0, 30.0, 10.0
SPARE_SECONDS = 8.0

IN_THE_HEAD = b"GET / HTTP/1.1\r\nHost: test\r\nX-Slow: "
IN_THE_BODY = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\n"

# Answers of 1.6 MB, which fill whatever lies between the service and a client that does not read.
NEVER_READ = b"GET /openapi.json HTTP/1.1\r\nHost: test\r\n\r\n" * 100


class Crowd:
    """Clients that begin a request and then send a byte every other second, or nothing."""

    def __init__(self, port: int, size: int, begin: bytes, byte: bytes = b"") -> None:
        self._byte = byte
        self._turn = 0
        self._sockets = [socket.socket() for _ in range(size)]
        for number, client in enumerate(self._sockets):
            if number % 10 == 0:
                time.sleep(0.01)  # At once, it would be a flood; the crowd is to be slow.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", port))
            client.setblocking(False)
            client.send(begin)

    def go_on(self) -> None:
        """Let each tenth of the clients in its turn send one more byte."""
        self._turn += 1
        for client in self._sockets[self._turn % 10 :: 10] if self._byte else ():
            with suppress(OSError):
                client.send(self._byte)

    def close(self) -> None:
        """Leave."""
        for client in self._sockets:
            client.close()


def ask(ports: tuple[int, int], ends: Event, results: "Queue[tuple[list[float], set[int]]]") -> None:
    """Ask for one sum after the other on connections of their own, for probes and for metrics, until told to stop."""
    port, metrics_port = ports
    seconds: list[float] = []
    statuses: set[int] = set()
    while not ends.wait(0.01):
        began = time.monotonic()
        statuses.add(exchange(port, SUM).status)
        seconds.append(time.monotonic() - began)
        if len(seconds) % 20 == 0:
            statuses |= {get(port, path).status for path in ("/healthz", "/readyz")}
            statuses.add(get(metrics_port, "/metrics").status)
    results.put((seconds, statuses))


class Normal:
    """A normal client. It is a process of its own: in this one it would wait for the crowd, too."""

    def __init__(self, service: Service) -> None:
        context = multiprocessing.get_context("spawn")
        self._ends = context.Event()
        self._results = context.Queue()
        arguments = ((service.port, service.metrics_port), self._ends, self._results)
        self._process = context.Process(target=ask, args=arguments)
        self._process.start()

    def stop(self) -> tuple[float, set[int]]:
        """Stop; return what 99 of 100 sums have not waited longer than, and the statuses."""
        self._ends.set()
        seconds, statuses = self._results.get(timeout=LIMIT_SECONDS)
        self._process.join()
        assert len(seconds) >= 100
        return statistics.quantiles(seconds, n=100)[98], statuses


def descriptors(service: Service) -> int:
    """Count what the workers have open."""
    return sum(psutil.Process(pid).num_fds() for pid in service.workers())


@pytest.mark.usefixtures("many_descriptors")
def test_slow_in_the_head_slow_in_the_body_and_never_reading(output: Path) -> None:
    """1,500 slow clients at once delay no other client, and each kind is gone when its time is over."""
    with running(output, WEB_CONCURRENCY=2) as service, ExitStack() as stack:
        wait_until_workers(service, 2)
        # libuv opens a descriptor that it holds in reserve with the first connection of each worker.
        usual = descriptors(service) + 2
        began = time.monotonic()
        crowds = [
            Crowd(service.port, CROWD, NEVER_READ),
            Crowd(service.port, CROWD, IN_THE_HEAD, b"x"),
            Crowd(service.port, CROWD, IN_THE_BODY, b" "),
        ]
        for crowd in crowds:
            stack.callback(crowd.close)
        wait_until(lambda: descriptors(service) > 3 * CROWD, "all are let in")
        normal = Normal(service)
        present: dict[float, int] = {}
        while descriptors(service) > usual + 10 and time.monotonic() < began + 60:
            time.sleep(0.2)
            for crowd in crowds:
                crowd.go_on()
            present[time.monotonic() - began] = descriptors(service) - usual
        p99, statuses = normal.stop()
    after_heads = [
        number for second, number in present.items() if second > HEAD_SECONDS + CLOSE_SECONDS + SPARE_SECONDS
    ]
    assert {200} == statuses
    assert P99_SECONDS > p99
    assert CROWD + 10 >= max(after_heads)
    assert BODY_SECONDS + CLOSE_SECONDS + SPARE_SECONDS > max(present)
    assert 2 * CROWD == len(service.requests(status=408))


@pytest.mark.usefixtures("many_descriptors")
def test_more_slow_clients_than_there_are_connections(output: Path) -> None:
    """Of 3,000 slow clients, 2,000 find room in two workers, and each normal one still does."""
    with running(output, WEB_CONCURRENCY=2) as service, ExitStack() as stack:
        wait_until_workers(service, 2)
        crowd = Crowd(service.port, 3000, IN_THE_HEAD, b"x")
        stack.callback(crowd.close)
        normal = Normal(service)
        for _ in range(25):
            assert 2 * 1000 + 100 > descriptors(service)
            crowd.go_on()
            time.sleep(0.2)
        p99, statuses = normal.stop()
    assert {200} == statuses
    assert P99_SECONDS > p99


@pytest.mark.parametrize(
    ("request_of_the_crowd", "probes"),
    [(SUM, {200}), (b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n", {200, 503})],
    ids=["sums", "probes"],
)
@pytest.mark.usefixtures("many_descriptors")
def test_more_busy_clients_than_there_are_connections(
    output: Path, request_of_the_crowd: bytes, probes: set[int]
) -> None:
    """While 1,300 clients of one worker always have a request, it answers each new client, if only by 503."""
    crowd = partial(ask_on, request=request_of_the_crowd)
    with running(output, WEB_CONCURRENCY=1) as service, flooding(crowd, 1300, service.port):
        wait_until(lambda: descriptors(service) > 1000, "all are let in")
        answers = [(get(service.port, "/healthz").status, exchange(service.port, SUM).status) for _ in range(40)]
        assert 1300 > descriptors(service)
    assert probes >= {probe for probe, _ in answers}
    assert {200, 503} >= {status for _, status in answers}
