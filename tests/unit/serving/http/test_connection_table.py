"""The connections of a worker: which of them give way when there is not enough for all."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar
from unittest.mock import Mock

import pytest

from app.serving.http.connection import State
from app.serving.http.connection_table import ConnectionTable
from app.serving.http.limits import Limits

BODY_BYTES = 2 * 1024 * 1024
LIMITS = Limits(BODY_BYTES, connections=3)
FIT = LIMITS.held_bytes // BODY_BYTES
NOW = 100.0
STALLED = NOW - LIMITS.stalled - 0.1


@dataclass(eq=False)
class Double:
    """What the table looks at of a connection."""

    state: State
    started: float
    last_received: float
    deadline: float
    memory_bytes: int
    held_bytes: int = 0
    marked_bytes: int = 0
    marked: float = 0.0
    is_paused: bool = True
    transport: ClassVar[Any] = None


@pytest.fixture(autouse=True)
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Connect the client that all doubles share; it has sent nothing."""
    server_side, client = socket.socketpair()
    with server_side, client:
        monkeypatch.setattr(Double, "transport", Mock(**{"get_extra_info.return_value": server_side}))
        yield client


def connection(
    state: State = State.IDLE, time: float = NOW, is_paused: object = True, *, held: int = BODY_BYTES
) -> Any:
    """Make a connection that began, was last heard of and will end at a time, with a request of a given size."""
    deadline = time + LIMITS.send if state is State.RESPONDING else time
    return Double(state, time, time, deadline, held, is_paused=bool(is_paused))


def table_of(*connections: Any) -> ConnectionTable:
    """Make a table of connections, each of which has told how much it holds."""
    table = ConnectionTable(LIMITS)
    for each in connections:
        table.expect()
        table.add(each)
        table.account(each)
    return table


def indexes(of: list[Any], among: list[Any]) -> list[int]:
    """Tell which ones of the connections these are."""
    return [among.index(each) for each in of]


def test_membership() -> None:
    """A connection is there from its beginning to its end; to remove it twice does no harm."""
    one, other = connection(), connection()
    table = table_of(one, other)
    for each in table:  # Which may change meanwhile.
        table.remove(each)
        table.remove(each)
    assert (0, []) == (len(table), list(table))


@pytest.mark.parametrize(
    ("number", "opening", "expected"),
    [(2, 0, 1), (3, 0, 0), (4, 0, 0), (1, 1, 1), (2, 1, 0), (0, 3, 0)],
)
def test_room(number: int, opening: int, expected: int) -> None:
    """There is a limit to the number of connections, those that are being opened included, while they are."""
    table = table_of(*[connection() for _ in range(number)])
    for _ in range(opening):
        table.expect()
    assert expected == table.room
    for _ in range(opening):
        table.give_up()
    assert max(0, LIMITS.connections - number) == table.room


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param([], [], id="none are there"),
        pytest.param([(State.IDLE, 2.0), (State.IDLE, 1.0)], [1], id="the longest idle"),
        pytest.param([(State.IDLE, 2.0), (State.RECEIVING, 1.0)], [1], id="the longest in a request"),
        pytest.param([(State.RESPONDING, 1.0), (State.IDLE, 2.0)], [1], id="idle before not reading for a moment"),
        pytest.param([(State.RESPONDING, 0.9), (State.IDLE, 2.0)], [0], id="the longest not reading"),
        pytest.param([(State.RESPONDING, 0.9), (State.IDLE, 0.8)], [1], id="idle for longer than not reading"),
        pytest.param([(State.IDLE, 2.0), (State.CLOSING, 1.0)], [1], id="the longest closing"),
        pytest.param([(State.RESPONDING, 1.0), (State.CLOSING, 2.0)], [1], id="closing before not reading"),
        pytest.param([(State.RESPONDING, 2.0), (State.RESPONDING, 1.0)], [1], id="not reading in the end"),
        pytest.param([(State.WAITING, 1.0)], [], id="not one that waits for its turn"),
        pytest.param([(State.RESPONDING, 1.0, False), (State.RESPONDING, 2.0)], [1], id="not one that is served"),
        pytest.param([(State.IDLE, n / 128) for n in range(128)], [0, 1], id="several of many"),
    ],
)
def test_which_give_way(members: list[Any], expected: list[int]) -> None:
    """Room is made by those that have been silent for the longest time."""
    connections = [connection(*member) for member in members]
    assert expected == indexes(table_of(*connections).longest_silent(2.0), connections)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param([(State.IDLE, 2.0), (State.CLOSING, 1.6)], [], id="none"),
        pytest.param([(State.IDLE, 1.6), (State.CLOSING, 1.5)], [1], id="one"),
        pytest.param([(State.RESPONDING, 1.0)], [], id="not one that may be reading"),
    ],
)
def test_who_has_been_silent_for_a_while(members: list[Any], expected: list[int]) -> None:
    """Those that have just come, or have just been answered, are spared at first."""
    connections = [connection(*member) for member in members]
    assert expected == indexes(table_of(*connections).longest_silent(2.0, at_least=0.5), connections)


@pytest.mark.parametrize(
    ("state", "expected", "oldest"),
    [
        pytest.param(State.IDLE, [], [0], id="a request"),
        pytest.param(State.RECEIVING, [], [0], id="more of a request"),
        pytest.param(State.CLOSING, [0], [0], id="more after the last answer"),
    ],
)
def test_who_has_sent_what_is_not_read_yet(
    client: socket.socket, state: State, expected: list[int], oldest: list[int]
) -> None:
    """A client is spared whose bytes wait in the kernel, unless all are."""
    client.send(b"G")
    connections = [connection(state, 1.0), connection(state, 2.0)]
    table = table_of(*connections)
    assert (expected, oldest) == tuple(
        indexes(them, connections) for them in (table.longest_silent(2.0), table.oldest())
    )


@pytest.mark.parametrize(
    ("number", "opening", "expected"), [(8, 0, True), (9, 0, True), (10, 0, False), (8, 1, True), (8, 2, False)]
)
def test_room_beyond(number: int, opening: int, expected: bool) -> None:
    """Beyond the limit, there is room for an eighth of it."""
    table = ConnectionTable(replace(LIMITS, connections=8))
    for _ in range(number + opening):
        table.expect()
    for _ in range(number):
        table.add(connection())
    assert expected == table.has_room_beyond


@pytest.mark.parametrize(
    ("times", "grown", "expected"),
    [
        pytest.param([NOW] * FIT, -1, None, id="as much as is held"),
        pytest.param([NOW] * (FIT + 1), -1, -1, id="the one that has grown"),
        pytest.param([NOW] * (FIT + 1), 0, 0, id="that one, wherever it stands"),
        pytest.param([NOW, STALLED] + [NOW] * FIT, -1, 1, id="one that has stalled"),
        pytest.param([STALLED, STALLED - 1.0] + [NOW] * FIT, -1, 1, id="the one that has stalled for the longest time"),
    ],
)
def test_which_request_is_too_much(times: list[float], grown: int, expected: int | None) -> None:
    """Of requests that hold too much together, one that has stalled is rejected, or else the one that has grown."""
    connections = [connection(State.RECEIVING, time) for time in times]
    rejected = table_of(*connections).excess(connections[grown], NOW)
    assert (None if expected is None else connections[expected]) == rejected


@pytest.mark.parametrize(("grown_by", "is_rejected"), [(1, True), (LIMITS.large_bytes, False)])
def test_an_upload_that_drips_has_stalled(grown_by: int, *, is_rejected: bool) -> None:
    """A byte now and then does not keep the place of a large request; as much as makes one large does."""
    dripping = connection(State.RECEIVING, STALLED)
    connections = [connection(State.RECEIVING, NOW - 0.5) for _ in range(FIT)]
    table = table_of(dripping, *connections)
    dripping.memory_bytes += grown_by
    dripping.last_received = NOW
    table.account(dripping)
    assert (dripping if is_rejected else connections[-1]) is table.excess(connections[-1], NOW)


@pytest.mark.parametrize(
    ("slow", "seconds", "is_rejected"),
    [
        pytest.param(5.0, 0.5, True, id="ten times slower"),
        pytest.param(5.0, 2.0, False, id="a little slower"),
        pytest.param(0.5, 0.01, False, id="just begun"),
    ],
)
def test_a_slow_upload_gives_way_to_a_quick_one(slow: float, seconds: float, *, is_rejected: bool) -> None:
    """One that has come for a while, at much less than the pace of the one that has grown, is rejected in its place."""
    uploads = [connection(State.RECEIVING, NOW - each) for each in (slow, *[seconds] * FIT)]
    for each in uploads:
        each.last_received = NOW
    assert uploads[0 if is_rejected else -1] is table_of(*uploads).excess(uploads[-1], NOW)


def test_an_upload_that_gets_on_gives_way_last() -> None:
    """A large request that began early and grows is younger than a client that has been silent for a while."""
    upload, silent = connection(State.RECEIVING, 1.0), connection(State.IDLE, 2.0)
    table = table_of(upload, silent)
    assert [upload] == table.longest_silent(3.0)
    upload.memory_bytes += LIMITS.large_bytes
    upload.last_received = 3.0
    table.account(upload)
    assert [silent] == table.longest_silent(3.0)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(connection(State.WAITING, STALLED), id="it waits for its turn"),
        pytest.param(connection(State.RECEIVING, STALLED, held=LIMITS.large_bytes), id="it is small"),
        pytest.param(connection(State.RESPONDING, STALLED, False), id="it is being answered"),
        pytest.param(connection(State.RESPONDING, STALLED + 0.1), id="it has not been read for a moment"),
    ],
)
def test_which_do_not_give_way(other: Any) -> None:
    """A request that has arrived, and one that holds little, are not rejected for what others hold."""
    connections = [connection(State.RECEIVING) for _ in range(FIT + 1)]
    assert connections[-1] is table_of(other, *connections).excess(connections[-1], NOW)


def test_an_answer_that_is_not_read_gives_way() -> None:
    """A request whose client does not read the answer holds what it has sent, and keeps no other out."""
    unread = connection(State.RESPONDING, STALLED - 0.1)
    connections = [connection(State.RECEIVING) for _ in range(FIT)]
    assert unread is table_of(unread, *connections).excess(connections[-1], NOW)


def test_a_small_request_is_never_too_much() -> None:
    """A request that holds little is received whatever the others hold."""
    small = connection(State.RECEIVING, held=LIMITS.large_bytes)
    assert None is table_of(*[connection(State.RECEIVING) for _ in range(FIT + 1)], small).excess(small, NOW)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (State.RECEIVING, BODY_BYTES),
        (State.WAITING, BODY_BYTES),
        (State.RESPONDING, BODY_BYTES),
        (State.IDLE, 0),
        (State.CLOSED, 0),
    ],
)
def test_what_counts_as_held(state: State, expected: int) -> None:
    """A connection counts from when it receives a request until it has answered, or its client is gone."""
    connections = [connection(State.RECEIVING) for _ in range(FIT + 1)]
    table = table_of(*connections)
    first, last = connections[0], connections[-1]
    first.state = state
    table.account(first)
    assert (expected, expected == 0) == (first.held_bytes, table.excess(last, NOW) is None)


def test_what_is_removed_is_not_held() -> None:
    """A connection that has ended holds nothing."""
    connections = [connection(State.RECEIVING) for _ in range(FIT + 1)]
    table = table_of(*connections)
    connections[0].state = State.CLOSED
    table.remove(connections[0])
    assert None is table.excess(connections[-1], NOW)


def test_which_have_expired() -> None:
    """A time limit holds from its very instant, and not for a request whose turn has yet to come."""
    members = [(State.IDLE, 1.0), (State.RECEIVING, 2.0), (State.WAITING, 1.0), (State.RESPONDING, 2.1)]
    connections = [connection(*member) for member in members]
    assert [0, 1] == sorted(indexes(table_of(*connections).expired(2.0), connections))
