"""Clients that are slow, silent or too many: no other client waits for them."""

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.support import example
from tests.support.http_client import Client, exchange, get, post, post_chunked
from tests.support.kernel import bytes_in_flight
from tests.support.scraping import scrape
from tests.support.service import Service, running, wait_until

MEBIBYTE = 1024 * 1024
STALLED_SECONDS = 1.0

UNREAD = 100 * b"GET /openapi.json HTTP/1.1\r\nHost: test\r\n\r\n"

# A worker takes a thousand.
MORE_CONNECTIONS_THAN_FIT = 1010


def limit_descriptors() -> None:
    """Leave a process few descriptors."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))


@pytest.fixture
def many_descriptors() -> None:
    """Allow the tests themselves more descriptors than the 256 or 1,024 that some systems begin with."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 4096:
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096 if hard == resource.RLIM_INFINITY else min(4096, hard), hard))


@pytest.mark.parametrize(
    "begin",
    [
        pytest.param(b"", id="silent"),
        pytest.param(b"POST / HT", id="request line"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: test\r\nA: ", id="headers"),
        pytest.param(example.REQUEST[:-3], id="body"),
        pytest.param(post_chunked(example.BODY)[:-7], id="chunks"),
    ],
)
def test_others_do_not_wait_for_the_slow(single: Service, begin: bytes) -> None:
    """A hundred clients of one worker that have begun and do not go on delay no other client."""
    with ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(Client(single.port)).send(begin)
        assert exchange(single.port, example.REQUEST).body == example.ANSWER
        assert get(single.port, "/readyz").status == 200


def test_the_slow_are_served_in_the_end(single: Service) -> None:
    """Requests that come byte by byte, many at once, are all answered."""
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(single.port)) for _ in range(20)]
        for byte in example.REQUEST:
            for client in clients:
                client.send(bytes([byte]))
        assert [example.ANSWER] * 20 == [client.receive().body for client in clients]


def test_a_client_that_does_not_read_keeps_no_other_waiting(single: Service) -> None:
    """Answers that a client does not take wait for it alone, and are all there when it reads."""
    request = b"GET /openapi.json HTTP/1.1\r\nHost: test\r\nX-Request-ID: %d\r\n\r\n"
    numbers = range(2000)
    with Client(single.port) as client:
        client.send(b"".join(request % number for number in numbers))
        for _ in range(20):
            assert exchange(single.port, example.REQUEST).body == example.ANSWER
        answers = [client.receive() for _ in numbers]
    assert [(200, str(number)) for number in numbers] == [
        (answer.status, answer.headers["x-request-id"]) for answer in answers
    ]


def test_clients_that_do_not_read_keep_no_threads(output: Path) -> None:
    """Where a worker has threads, more clients than these that leave their answers unread keep no other from one."""
    with running(output, arguments=[], WEB_CONCURRENCY=1, THREADS=2) as service, ExitStack() as stack:
        unread = b"GET /openapi.json HTTP/1.1\r\nHost: test\r\n\r\n" * 200
        for _ in range(8):
            stack.enter_context(Client(service.port)).send(unread)
        wait_until(lambda: len(service.requests(route="/openapi.json")) >= 8, "they are answered")
        for _ in range(20):
            assert exchange(service.port, example.REQUEST).body == example.ANSWER


def test_out_of_connections_the_longest_waiting_gives_way(output: Path, many_descriptors: None) -> None:
    """When a worker has as many connections as it takes, a new client is served in place of the longest idle one."""
    assert many_descriptors is None
    with running(output, arguments=[], WEB_CONCURRENCY=1) as service, ExitStack() as stack:
        clients = [stack.enter_context(Client(service.port)) for _ in range(MORE_CONNECTIONS_THAN_FIT)]
        assert exchange(service.port, example.REQUEST).body == example.ANSWER
        assert clients[0].is_at_end()
        assert clients[-1].ask(example.REQUEST).body == example.ANSWER


@contextmanager
def four_connections(output: Path) -> Iterator[Service]:
    """Run a worker that has room for four clients, and none yet."""
    with running(output, arguments=["--limit", "connections=4"], WEB_CONCURRENCY=1) as service:
        wait_until(lambda: scrape(service).samples["http_connections"] == 0, "the connection of the probe is closed")
        yield service


def test_out_of_connections_those_that_do_not_close_give_way(output: Path) -> None:
    """Clients that have been answered for the last time and stay are no better than one between two requests."""
    with four_connections(output) as service, ExitStack() as stack:
        for _ in range(3):
            client = stack.enter_context(Client(service.port))
            assert 400 == client.ask(b"GARBAGE\r\n\r\n").status
        regular = stack.enter_context(Client(service.port))
        for _ in range(3):
            assert example.ANSWER == regular.ask(example.REQUEST).body
            assert example.ANSWER == stack.enter_context(Client(service.port)).ask(example.REQUEST).body


def test_out_of_connections_those_that_do_not_read_give_way(output: Path) -> None:
    """Clients that have left an answer unread for a second are no better than younger ones between two requests."""
    with four_connections(output) as service, ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(Client(service.port)).send(UNREAD)
        sent = time.monotonic()
        wait_until(lambda: time.monotonic() > sent + 2 * STALLED_SECONDS, "they have not read for a second")
        regular = stack.enter_context(Client(service.port))
        for _ in range(3):
            assert example.ANSWER == regular.ask(example.REQUEST).body
            assert example.ANSWER == stack.enter_context(Client(service.port)).ask(example.REQUEST).body


def test_connections_leave_descriptors_to_the_application(output: Path) -> None:
    """Silent clients take at most half of the descriptors that the system allows: views can open files."""
    with running(output, WEB_CONCURRENCY=1, preexec=limit_descriptors) as service, ExitStack() as stack:
        (started,) = [line for line in service.lines() if line["event"] == "starting"]
        assert 128 == started["connections"]
        before = psutil.Process(service.workers()[0]).num_fds()
        clients = [stack.enter_context(Client(service.port)) for _ in range(200)]
        assert example.ANSWER == clients[-1].ask(example.REQUEST).body
        assert clients[0].is_at_end()
        assert before + 128 >= psutil.Process(service.workers()[0]).num_fds()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux changes the limits of another process")
def test_out_of_descriptors_the_longest_waiting_gives_way(output: Path) -> None:
    """When the system gives a worker no more descriptors, a new client is served in place of the longest idle one."""
    with running(output, arguments=[], WEB_CONCURRENCY=1) as service, ExitStack() as stack:
        psutil.Process(service.workers()[0]).rlimit(psutil.RLIMIT_NOFILE, (64, 64))
        clients = [stack.enter_context(Client(service.port)) for _ in range(100)]
        assert exchange(service.port, example.REQUEST).body == example.ANSWER
        assert clients[0].is_at_end()
        assert clients[-1].ask(example.REQUEST).body == example.ANSWER


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux changes the limits of another process")
def test_out_of_descriptors_without_a_connection(output: Path) -> None:
    """Where the system has no descriptor for the first client, it waits, the log says so once, and it is served."""
    with running(output, arguments=[], WEB_CONCURRENCY=1) as service, ExitStack() as stack:
        assert exchange(service.port, example.REQUEST).body == example.ANSWER
        worker = psutil.Process(service.workers()[0])
        wait_until(lambda: scrape(service).samples["http_connections"] == 0, "the connection is closed")
        soft, hard = worker.rlimit(psutil.RLIMIT_NOFILE)
        worker.rlimit(psutil.RLIMIT_NOFILE, (0, hard))
        clients = [stack.enter_context(Client(service.port)) for _ in range(3)]
        waiting = {"level": "error", "event": "cannot accept clients: Too many open files"}
        wait_until(lambda: any(waiting.items() <= line.items() for line in service.lines()), "they wait")
        switches = worker.num_ctx_switches().voluntary
        wait_until(lambda: worker.num_ctx_switches().voluntary > switches + 5, "the worker sleeps in between")
        worker.rlimit(psutil.RLIMIT_NOFILE, (soft, hard))
        assert [example.ANSWER] * 3 == [client.ask(example.REQUEST).body for client in clients]
        assert 1 == sum(waiting.items() <= line.items() for line in service.lines())


def test_large_bodies_are_bounded(output: Path) -> None:
    """A worker holds eight large bodies; clients that do not come to the end of theirs give way to others in a second.

    The one that has been at it for the longest time is the first to go, and the others are served.
    """
    request = post(b"x" * MEBIBYTE)
    with running(output, arguments=[], WEB_CONCURRENCY=1) as service, ExitStack() as stack:
        clients = [stack.enter_context(Client(service.port)) for _ in range(8)]
        begun = time.monotonic()
        for some in (clients[:1], clients[1:]):
            for client in some:
                client.send(request[:-1])
            wait_until(lambda: bytes_in_flight(service.port) == 0, "the worker has taken all that was sent")
        answers = []

        def ask() -> bool:
            answers.append(exchange(service.port, request))
            # For the service, which measures from the first byte, less time has passed.
            assert answers[-1].status == 503 or time.monotonic() - begun > STALLED_SECONDS
            return answers[-1].status == 200

        wait_until(ask, "one more is served")
        assert [clients[0]] == [client for client in clients if client.has_answer()]
        refused = clients[0].receive()
        assert {(503, "1")} == {
            (answer.status, answer.headers.get("retry-after")) for answer in [*answers[:-1], refused]
        }
        assert clients[0].is_at_end()
        for client in clients[1:]:
            assert client.ask(request[-1:]).status == 200


def test_large_bodies_that_drip_give_way(output: Path) -> None:
    """Clients that send a byte of a large body now and then keep other large bodies out for a second, and no longer."""
    request = post(b"x" * MEBIBYTE)
    with running(output, arguments=[], WEB_CONCURRENCY=1) as service, ExitStack() as stack:
        clients = [stack.enter_context(Client(service.port)) for _ in range(8)]
        for client in clients:
            client.send(request[:-10_000])

        def is_served() -> bool:
            for client in clients:
                with suppress(ConnectionError):  # The one that gives way.
                    client.send(b"x")
            return exchange(service.port, request).status == 200

        wait_until(is_served, "one more is served")


def test_a_large_body_outweighs_many_that_drip(output: Path, many_descriptors: None) -> None:
    """For what one large body takes, as many small ones that have stalled give way as it needs."""
    assert many_descriptors is None
    some, request = 17 * 1024, post(b"x" * MEBIBYTE)
    with running(output, arguments=[], WEB_CONCURRENCY=1) as service, ExitStack() as stack:
        stalled = [stack.enter_context(Client(service.port)) for _ in range(8 * MEBIBYTE // some)]
        for client in stalled:
            client.send(request[:some])
        sent = time.monotonic()
        wait_until(lambda: time.monotonic() > sent + 2 * STALLED_SECONDS, "they have stalled")
        fast = [stack.enter_context(Client(service.port)) for _ in range(12)]
        for client in fast:
            with suppress(ConnectionError):
                client.send(request[:-1])
        wait_until(lambda: bytes_in_flight(service.port) == 0, "the worker has taken all that was sent")
        held = [some for client in stalled if not client.has_answer()]
        held += [len(request) for client in fast if not client.has_answer()]
        assert 8 * (MEBIBYTE + some) > sum(held)
        assert len(fast) / 2 < sum(not client.has_answer() for client in fast)
