"""The acceptor: which worker takes a new client."""

import asyncio
import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest

from app.serving.http import acceptor
from app.serving.http.acceptor import CLIENTS_PER_TURN, PASSED_TURNS, RECEIVE_BYTES, UNREAD_BYTES, Acceptor
from tests.support.event_loop import run_until

if TYPE_CHECKING:
    from tests.support.log_lines import Lines


class Turns:
    """An event loop of which a test calls each turn: that the listening socket is readable."""

    def __init__(self) -> None:
        self.turn: Callable[[], None] | None = None
        self.soon: list[Callable[[], None]] = []
        self.later: list[Mock] = []

    def add_reader(self, _listener: object, turn: Callable[[], None]) -> None:
        """Take what is to be called."""
        self.turn = turn

    def remove_reader(self, _listener: object) -> None:
        """Call it no more."""
        self.turn = None

    def take_turn(self, *, is_readable: bool = True) -> None:
        """Call what is due, and then it."""
        due, self.soon = self.soon, []
        for callback in due:
            callback()
        if is_readable:
            assert self.turn is not None
            self.turn()

    def call_soon(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Take what is to be called in the next turn."""
        self.soon.append(callback)
        return callback

    def call_later(self, _seconds: float, callback: Callable[[], None]) -> Mock:
        """Take what is to be called after a while."""
        self.later.append(Mock(side_effect=callback))
        return self.later[-1]


class Worker:
    """An acceptor with what it needs, and what it has handed on."""

    def __init__(self, loop: Any, listener: Any) -> None:
        self.clients: list[socket.socket] = []
        self.peers: list[str] = []
        self.has_fewest_until = 1000
        self.made_room = 0
        self.has_room_to_make = True
        self.acceptor = Acceptor(loop, listener, self.has_fewest, self.welcome, self.make_room)

    def has_fewest(self) -> bool:
        """Tell whether it has fewer clients than it should."""
        return len(self.clients) < self.has_fewest_until

    def welcome(self, client: socket.socket, peer: str) -> None:
        """Take a client."""
        self.clients.append(client)
        self.peers.append(peer)

    def make_room(self) -> bool:
        """Count that room was asked for."""
        self.made_room += 1
        return self.has_room_to_make

    def close(self) -> None:
        """Let the clients go."""
        for client in self.clients:
            client.close()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Listen on the loopback interface."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield listener


@pytest.fixture
def loop_of_turns() -> Turns:
    """Make an event loop of which the test calls the turns."""
    return Turns()


@pytest.fixture
def worker(loop_of_turns: Turns, listener: socket.socket) -> Iterator[Worker]:
    """Accept from the listener."""
    worker = Worker(loop_of_turns, listener)
    yield worker
    worker.close()


@pytest.fixture
def connect(listener: socket.socket) -> Iterator[Callable[[int], None]]:
    """Connect a number of clients to the listener."""
    with ExitStack() as stack:

        def connect(number: int) -> None:
            for _ in range(number):
                stack.enter_context(socket.create_connection(listener.getsockname()))

        yield connect


def test_a_client_is_accepted_at_once(
    loop: asyncio.AbstractEventLoop, listener: socket.socket, connect: Callable[[int], None]
) -> None:
    """A worker that has the fewest connections takes a new one as soon as it is there."""
    worker = Worker(loop, listener)
    connect(1)
    run_until(loop, lambda: worker.clients)
    worker.acceptor.close()
    assert (["127.0.0.1"], [False]) == (worker.peers, [client.getblocking() for client in worker.clients])
    worker.close()


def test_a_client_is_left_to_others_for_a_moment_only(
    worker: Worker, loop_of_turns: Turns, connect: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker with more connections than another one passes some turns for each client that it takes."""
    monkeypatch.setattr(acceptor, "PASSED_SECONDS", 3600.0)
    worker.has_fewest_until = 0
    connect(2)
    numbers = []
    for _ in range(2 * (PASSED_TURNS + 1)):
        loop_of_turns.take_turn()
        numbers.append(len(worker.clients))
    assert [0] * PASSED_TURNS + [1] * (PASSED_TURNS + 1) + [2] == numbers


def test_the_wait_for_a_client_that_another_worker_takes_is_over(
    worker: Worker, loop_of_turns: Turns, listener: socket.socket, connect: Callable[[int], None]
) -> None:
    """A worker with more connections leaves each client to others for the whole moment, whatever came before it."""
    worker.has_fewest_until = 0
    connect(1)
    for _ in range(PASSED_TURNS):
        loop_of_turns.take_turn()
    listener.accept()[0].close()
    for _ in range(2):
        loop_of_turns.take_turn(is_readable=False)
    assert [] == loop_of_turns.soon
    connect(1)
    for _ in range(PASSED_TURNS):
        loop_of_turns.take_turn()
    assert [] == worker.clients


def test_a_busy_worker_leaves_clients_to_others_for_no_longer(
    worker: Worker, loop_of_turns: Turns, connect: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Turns of a busy worker take long, and the other worker may be in a view that takes longer: it takes all."""
    monkeypatch.setattr(acceptor, "PASSED_SECONDS", 0.0)
    worker.has_fewest_until = 0
    connect(3)
    loop_of_turns.take_turn()
    assert 3 == len(worker.clients)


def test_those_that_wait_are_taken_together(
    worker: Worker, loop_of_turns: Turns, connect: Callable[[int], None]
) -> None:
    """New clients need not wait for a turn each, which may take long; but one turn does not take all of them."""
    connect(CLIENTS_PER_TURN + 1)
    numbers = []
    for _ in range(2):
        loop_of_turns.take_turn()
        numbers.append(len(worker.clients))
    assert [CLIENTS_PER_TURN, CLIENTS_PER_TURN + 1] == numbers


def test_a_worker_that_no_longer_has_the_fewest_leaves_the_rest_to_others(
    worker: Worker, loop_of_turns: Turns, connect: Callable[[int], None]
) -> None:
    """With each client that a worker takes it looks again at whose turn it is."""
    worker.has_fewest_until = 2
    connect(4)
    loop_of_turns.take_turn()
    assert 2 == len(worker.clients)


def test_another_worker_can_be_quicker(worker: Worker, loop_of_turns: Turns) -> None:
    """A client that another worker has taken meanwhile is no error."""
    loop_of_turns.take_turn()
    assert ([], 0) == (worker.clients, worker.made_room)


NO_DESCRIPTOR = OSError(errno.EMFILE, "Too many open files")


def test_a_client_that_has_gone_makes_no_room(loop_of_turns: Turns) -> None:
    """Where the next client has gone before it was accepted, as some systems tell, no other has to give way."""
    worker = Worker(loop_of_turns, Mock(**{"accept.side_effect": ConnectionAbortedError}))
    loop_of_turns.take_turn()
    assert ([], 0) == (worker.clients, worker.made_room)


def test_room_is_made_where_the_system_has_none(loop_of_turns: Turns) -> None:
    """Where accept() fails, as it does without a free descriptor, a connection has to give way."""
    worker = Worker(loop_of_turns, Mock(**{"accept.side_effect": NO_DESCRIPTOR}))
    loop_of_turns.take_turn()
    assert ([], 1, []) == (worker.clients, worker.made_room, loop_of_turns.later)


def test_a_pause_where_no_room_can_be_made(loop_of_turns: Turns, log_lines: "Lines") -> None:
    """Where no connection gives way, the acceptor does not ask again at once, and says so once until it succeeds."""
    accepted = (Mock(), ("192.0.2.1", 50000))
    outcomes = [NO_DESCRIPTOR, NO_DESCRIPTOR, accepted, BlockingIOError, NO_DESCRIPTOR]
    worker = Worker(loop_of_turns, Mock(**{"accept.side_effect": outcomes}))
    worker.has_room_to_make = False
    logged = []
    for _ in range(4):
        if loop_of_turns.turn is None:
            loop_of_turns.later[-1]()
        loop_of_turns.take_turn()
        logged.append((len(worker.clients), loop_of_turns.turn is None, len(log_lines.json)))
    assert [(0, True, 1), (0, True, 1), (1, False, 1), (1, True, 2)] == logged
    assert {"cannot accept clients: Too many open files"} == {line["event"] for line in log_lines.json}
    worker.acceptor.close()
    loop_of_turns.later[-1].cancel.assert_called_once_with()


def test_no_room_is_made_for_an_error_of_the_network(loop_of_turns: Turns, log_lines: "Lines") -> None:
    """Linux tells accept() of errors of the network, for which no connection has to give way."""
    error = OSError(errno.EHOSTUNREACH, "No route to host")
    worker = Worker(loop_of_turns, Mock(**{"accept.side_effect": error}))
    loop_of_turns.take_turn()
    assert (0, 1, None) == (worker.made_room, len(loop_of_turns.later), loop_of_turns.turn)
    assert "cannot accept clients: No route to host" == log_lines.only["event"]


def test_the_last_worker_closes_in_a_pause(loop_of_turns: Turns) -> None:
    """What waits is taken if there is room by now, and the closed socket is not watched again."""
    outcomes = [NO_DESCRIPTOR, (Mock(), ("192.0.2.1", 50000)), BlockingIOError]
    worker = Worker(loop_of_turns, Mock(**{"accept.side_effect": outcomes}))
    worker.has_room_to_make = False
    loop_of_turns.take_turn()
    worker.acceptor.close(1)
    loop_of_turns.later[-1].cancel.assert_called_once_with()
    assert (1, None) == (len(worker.clients), loop_of_turns.turn)


@pytest.mark.parametrize(("room", "expected"), [(3, 2), (1, 1), (0, 0)])
def test_the_last_worker_takes_those_that_wait(
    worker: Worker, listener: socket.socket, connect: Callable[[int], None], room: int, expected: int
) -> None:
    """When the socket is closed for good, those that the kernel has let in are taken first, as far as there is room."""
    connect(2)
    worker.acceptor.close(room)
    assert (expected, -1) == (len(worker.clients), listener.fileno())


@pytest.mark.parametrize(
    ("option", "limit"),
    [(socket.SO_SNDBUF, UNREAD_BYTES), (socket.SO_RCVBUF, RECEIVE_BYTES)],
)
def test_what_the_kernel_buffers_is_bounded(
    worker: Worker, loop_of_turns: Turns, connect: Callable[[int], None], option: int, limit: int
) -> None:
    """The kernel takes no megabytes of answers that a client does not read, nor of what the worker has not read."""
    connect(1)
    loop_of_turns.take_turn()
    highest = "wmem_max" if option == socket.SO_SNDBUF else "rmem_max"
    allowed = min(limit, int(Path("/proc/sys/net/core", highest).read_text()))
    assert 2 * allowed == worker.clients[0].getsockopt(socket.SOL_SOCKET, option)  # Linux doubles it.


def test_a_client_without_an_address(loop_of_turns: Turns, tmp_path: Path) -> None:
    """A client of a Unix domain socket has no address."""
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        worker = Worker(loop_of_turns, listener)
        client.connect(str(tmp_path / "socket"))
        loop_of_turns.take_turn()
        assert [""] == worker.peers
        worker.close()
