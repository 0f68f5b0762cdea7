"""The acceptor: who takes a new client."""

import math
import selectors
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace

import pytest

from app import acceptor
from app.acceptor import CLIENTS_IN_A_TURN, UNREAD_BYTES, YIELD_SECONDS, Acceptor


class Worker:
    """An acceptor with what it needs, and what it has handed on."""

    def __init__(self, listener: socket.socket) -> None:
        self.selector = selectors.DefaultSelector()
        self.clients: list[socket.socket] = []
        self.has_fewest = True
        self.has_fewest_until = math.inf
        self.made_room = 0
        self.acceptor = Acceptor(
            listener,
            self.selector,
            lambda: self.has_fewest and len(self.clients) < self.has_fewest_until,
            lambda client, _: self.clients.append(client),
            self.make_room,
        )

    def make_room(self) -> None:
        """Count that room was asked for."""
        self.made_room += 1

    def turn(self) -> None:
        """Do what an event loop does."""
        for key, _ in self.selector.select(self.acceptor.next_turn(10.0)):
            key.data(key.fileobj)
        self.acceptor.resume()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Listen on the loopback interface."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


@pytest.fixture
def worker(listener: socket.socket) -> Iterator[Worker]:
    """Accept from the listener; whoever was accepted is let go in the end."""
    worker = Worker(listener)
    worker.acceptor.open()
    yield worker
    for client in worker.clients:
        client.close()
    worker.selector.close()


def test_a_client_is_accepted_at_once_by_who_has_fewest(worker: Worker, listener: socket.socket) -> None:
    """A worker that has the fewest connections takes a new one as soon as it is there."""
    with socket.create_connection(listener.getsockname()):
        worker.turn()
        assert [False] == [client.getblocking() for client in worker.clients]


def test_a_client_is_left_to_others_for_a_moment_only(worker: Worker, listener: socket.socket) -> None:
    """A worker with more connections than another one yields, and takes the client if nobody else has."""
    worker.has_fewest = False
    with socket.create_connection(listener.getsockname()):
        worker.turn()
        assert ([], YIELD_SECONDS) == (worker.clients, worker.acceptor.next_turn(10.0))
        while worker.acceptor.next_turn(10.0) == YIELD_SECONDS:
            worker.turn()
        worker.turn()
        assert 1 == len(worker.clients)


def test_those_who_wait_are_taken_together(worker: Worker, listener: socket.socket) -> None:
    """New clients need not wait for a turn each, which may take long."""
    with ExitStack() as stack:
        for _ in range(CLIENTS_IN_A_TURN + 1):
            stack.enter_context(socket.create_connection(listener.getsockname()))
        worker.turn()
        assert CLIENTS_IN_A_TURN == len(worker.clients)


@pytest.mark.parametrize(("yields", "expected"), [(1.5, 1), (10.5, 10), (1000.5, CLIENTS_IN_A_TURN)])
def test_a_worker_takes_more_where_others_had_more_time(
    worker: Worker, listener: socket.socket, monkeypatch: pytest.MonkeyPatch, yields: float, expected: int
) -> None:
    """A worker that was busy for long while it yielded takes all those whom nobody else has taken meanwhile."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(acceptor, "time", SimpleNamespace(monotonic=lambda: clock.now))
    worker.has_fewest = False
    with ExitStack() as stack:
        for _ in range(CLIENTS_IN_A_TURN + 1):
            stack.enter_context(socket.create_connection(listener.getsockname()))
        worker.turn()
        clock.now += yields * YIELD_SECONDS
        worker.turn()
        worker.turn()
        assert expected == len(worker.clients)


def test_who_no_longer_has_fewest_leaves_the_rest_to_others(worker: Worker, listener: socket.socket) -> None:
    """With each client that a worker takes it looks again at whose turn it is."""
    worker.has_fewest_until = 2
    with ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(socket.create_connection(listener.getsockname()))
        worker.turn()
        assert 2 == len(worker.clients)


def test_another_worker_can_be_quicker(worker: Worker, listener: socket.socket) -> None:
    """A client that somebody else has taken meanwhile is no error."""
    with socket.create_connection(listener.getsockname()):
        events = worker.selector.select(10.0)
        listener.accept()[0].close()
        for key, _ in events:
            key.data(key.fileobj)
    assert ([], 0) == (worker.clients, worker.made_room)


def test_room_is_made_where_the_system_has_none(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where accept() fails, as it does without a free descriptor, somebody has to give way."""

    class Full:
        """A listener of a process that is out of descriptors."""

        def accept(self) -> None:
            """Fail."""
            raise OSError("too many open files")

    monkeypatch.setattr(worker.acceptor, "_listener", Full())
    worker.acceptor._on_readable(Full())  # type: ignore[arg-type]  # noqa: SLF001 - what the selector calls
    assert ([], 1) == (worker.clients, worker.made_room)


@pytest.mark.parametrize(("is_last_chance", "expected"), [(True, 2), (False, 0)])
def test_the_last_worker_takes_who_waits(
    worker: Worker, listener: socket.socket, is_last_chance: bool, expected: int
) -> None:
    """When the socket is closed for good, those whom the kernel has let in are taken first."""
    address = listener.getsockname()
    with socket.create_connection(address), socket.create_connection(address):
        worker.acceptor.close(is_last_chance=is_last_chance)
        assert (expected, -1) == (len(worker.clients), listener.fileno())


def test_a_closed_acceptor_stays_closed(worker: Worker, listener: socket.socket) -> None:
    """A worker that is stopped while it yields does not open the closed socket again."""
    worker.has_fewest = False
    with socket.create_connection(listener.getsockname()):
        worker.turn()
        worker.acceptor.close(is_last_chance=False)
        worker.acceptor.resume()
        assert (10.0, {}) == (worker.acceptor.next_turn(10.0), dict(worker.selector.get_map()))


def test_what_clients_do_not_read_is_bounded(listener: socket.socket) -> None:
    """The kernel takes no megabytes of answers for a client that does not read them."""
    worker = Worker(listener)
    worker.acceptor.open()
    with socket.create_connection(listener.getsockname()):
        worker.turn()
        (client,) = worker.clients
        with client:
            assert 4 * UNREAD_BYTES >= client.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
