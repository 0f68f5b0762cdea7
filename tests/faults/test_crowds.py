"""Crowds of slow clients, with the limits of the service as they are: others are served, and the slow ones leave."""

import resource
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from http_client import exchange, get, post
from scraping import scrape
from service import Service, running, wait_until_workers

pytestmark = pytest.mark.faults

SUM = post(b'{"data": ["1", "2"]}')
CROWD = 500

# The bound on what a normal client waits; one time in a hundred it may be longer.
P99_SECONDS = 0.1

# From app/limits.py, and how much later the last of a crowd may be gone: it takes a while to come, too.
HEAD_SECONDS, BODY_SECONDS = 10.0, 30.0
SPARE_SECONDS = 5.0

IN_THE_HEAD = b"GET / HTTP/1.1\r\nHost: test\r\nX-Slow: "
IN_THE_BODY = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\n"

# Answers of 1.6 MB, which fill whatever lies between the service and a client that does not read.
NEVER_READ = b"GET /openapi.json HTTP/1.1\r\nHost: test\r\n\r\n" * 100


class Crowd:
    """Clients that begin a request and then send a byte every other second, or nothing."""

    def __init__(self, port: int, size: int, begin: bytes, byte: bytes = b"") -> None:
        self._byte = byte
        self._sockets = [socket.socket() for _ in range(size)]
        for client in self._sockets:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", port))
            client.setblocking(False)
            client.send(begin)

    def go_on(self) -> None:
        """Send one more byte each."""
        for client in self._sockets if self._byte else ():
            with suppress(OSError):
                client.send(self._byte)

    def close(self) -> None:
        """Leave."""
        for client in self._sockets:
            client.close()


class Normal(threading.Thread):
    """A client that asks for one sum after the other on connections of their own, for probes and for metrics."""

    def __init__(self, service: Service) -> None:
        super().__init__()
        self._service = service
        self._ends = threading.Event()
        self.seconds: list[float] = []
        self.statuses: set[int] = set()

    def run(self) -> None:
        """Ask until told to stop."""
        while not self._ends.wait(0.01):
            began = time.monotonic()
            self.statuses.add(exchange(self._service.port, SUM).status)
            self.seconds.append(time.monotonic() - began)
            if len(self.seconds) % 20 == 0:
                self.statuses |= {get(self._service.port, path).status for path in ("/healthz", "/readyz")}
                self.statuses.add(scrape(self._service).status)

    def stop(self) -> None:
        """Stop asking."""
        self._ends.set()
        self.join()

    @property
    def p99(self) -> float:
        """What 99 of 100 sums have not waited longer than."""
        return statistics.quantiles(self.seconds, n=100)[98]


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """Allow the tests and their services a descriptor for each client."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, max(before[1], 8192)))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@contextmanager
def asked_by_a_normal_client(service: Service) -> Iterator[Normal]:
    """Let a normal client ask meanwhile."""
    normal = Normal(service)
    normal.start()
    try:
        yield normal
    finally:
        normal.stop()


def descriptors(service: Service) -> int:
    """Count what the workers have open."""
    return sum(psutil.Process(pid).num_fds() for pid in service.workers())


@pytest.mark.usefixtures("many_descriptors")
def test_slow_in_the_head_slow_in_the_body_and_never_reading(output: Path) -> None:
    """1,500 slow clients at once keep nobody waiting, and each kind is gone when its time is over."""
    with running(output, WEB_CONCURRENCY=2, LOG_LEVEL="warning") as service, ExitStack() as stack:
        wait_until_workers(service, 2)
        usual = descriptors(service)
        normal = stack.enter_context(asked_by_a_normal_client(service))
        began = time.monotonic()
        crowds = [
            Crowd(service.port, CROWD, NEVER_READ),
            Crowd(service.port, CROWD, IN_THE_HEAD, b"x"),
            Crowd(service.port, CROWD, IN_THE_BODY, b" "),
        ]
        for crowd in crowds:
            stack.callback(crowd.close)
        assert descriptors(service) > 3 * CROWD
        present: dict[float, int] = {}
        while descriptors(service) > usual + 10 and time.monotonic() < began + BODY_SECONDS + 2 * SPARE_SECONDS:
            time.sleep(1.9)
            for crowd in crowds:
                crowd.go_on()
            present[time.monotonic() - began] = descriptors(service) - usual
    after_heads = [number for second, number in present.items() if second > HEAD_SECONDS + SPARE_SECONDS]
    assert {200} == normal.statuses
    assert P99_SECONDS > normal.p99
    assert CROWD + 10 >= max(after_heads)
    assert BODY_SECONDS + SPARE_SECONDS > max(present)
    assert 2 * CROWD == len(service.requests(status=408))


@pytest.mark.usefixtures("many_descriptors")
def test_more_slow_clients_than_there_are_connections(output: Path) -> None:
    """Of 3,000 slow clients, 2,000 find room in two workers, and each normal one still does."""
    with running(output, WEB_CONCURRENCY=2, LOG_LEVEL="warning") as service, ExitStack() as stack:
        wait_until_workers(service, 2)
        normal = stack.enter_context(asked_by_a_normal_client(service))
        crowd = Crowd(service.port, 3000, IN_THE_HEAD, b"x")
        stack.callback(crowd.close)
        end = time.monotonic() + HEAD_SECONDS / 2
        while time.monotonic() < end:
            assert 2 * 1000 + 100 > descriptors(service)
            crowd.go_on()
            time.sleep(0.5)
    assert {200} == normal.statuses
    assert P99_SECONDS > normal.p99
