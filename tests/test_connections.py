"""Which of the connections go when there is not enough for all."""

from types import SimpleNamespace
from typing import Any

import pytest

from app.connection import State
from app.connections import EVICTED_SHARE, LARGE_BODIES, SLOW_SECONDS, Connections

BODY_BYTES = 100


def connections_of(*members: tuple[State, float]) -> Connections:
    """Make connections of these states that began, and will end, at these times; the body of each has the limit."""
    connections = Connections(BODY_BYTES)
    for descriptor, (state, time) in enumerate(members):
        request = SimpleNamespace(is_large=True, body=bytes(BODY_BYTES))
        connection: Any = SimpleNamespace(
            descriptor=descriptor, state=state, started=time, deadline=time, request=request
        )
        connections.add(connection)
        connections.settle(connection)
    return connections


def test_what_is_removed_is_not_found() -> None:
    """A descriptor leads to its connection until that is removed."""
    connections = connections_of((State.IDLE, 1.0))
    (connection,) = connections
    assert connection == connections.get(0)
    connections.remove(connection)
    assert (0, None) == (len(connections), connections.get(0))


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param([], [], id="nobody is there"),
        pytest.param([(State.IDLE, 2.0), (State.IDLE, 1.0)], [1], id="the longest idle"),
        pytest.param([(State.IDLE, 2.0), (State.RECEIVING, 1.0)], [1], id="the longest in a request"),
        pytest.param([(State.SENDING, 1.0), (State.IDLE, 2.0)], [1], id="idle before not reading"),
        pytest.param([(State.SENDING, 2.0), (State.CLOSING, 1.0)], [1], id="not reading in the end"),
        pytest.param([(State.READY, 1.0)], [], id="nobody whose turn it is"),
        pytest.param([(State.IDLE, float(n)) for n in range(2 * EVICTED_SHARE)], [0, 1], id="several of many"),
    ],
)
def test_who_gives_way(members: list[tuple[State, float]], expected: list[int]) -> None:
    """Room is made by those who have been silent for the longest time."""
    assert expected == [c.descriptor for c in connections_of(*members).longest_silent()]


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param([(State.RECEIVING, 1.0)] * LARGE_BODIES, [], id="as many as fit"),
        pytest.param([(State.RECEIVING, 1.0)] * (LARGE_BODIES + 1), [LARGE_BODIES], id="the newest"),
        pytest.param(
            [(State.RECEIVING, 1.0)] * (LARGE_BODIES + 2), [LARGE_BODIES + 1, LARGE_BODIES], id="the two newest"
        ),
        pytest.param([(State.RECEIVING, 0.9), *[(State.RECEIVING, 2.0)] * LARGE_BODIES], [0], id="the oldest is slow"),
        pytest.param(
            [(State.RECEIVING, 0.9), *[(State.RECEIVING, 2.0)] * (LARGE_BODIES + 1)],
            [0, LARGE_BODIES + 1],
            id="only one is slow",
        ),
        pytest.param([(State.READY, 1.0), *[(State.RECEIVING, 1.0)] * LARGE_BODIES], [], id="one is complete"),
    ],
)
def test_which_large_bodies_are_refused(members: list[tuple[State, float]], expected: list[int]) -> None:
    """Of too many large bodies that are being received, the slow are refused, the oldest first, and then the newest."""
    assert expected == [c.descriptor for c in connections_of(*members).too_many_large(1.0 + SLOW_SECONDS)]


def test_a_large_body_that_is_complete_is_no_longer_counted() -> None:
    """As soon as a large body is there, another one may be received."""
    connections = connections_of(*[(State.RECEIVING, 1.0)] * (LARGE_BODIES + 1))
    first, *_ = connections
    first.state = State.READY
    connections.settle(first)
    assert [] == connections.too_many_large(1.0)


def test_who_has_expired() -> None:
    """A time limit holds from its very instant, and not for a request whose turn has yet to come."""
    connections = connections_of((State.IDLE, 1.0), (State.RECEIVING, 2.0), (State.READY, 1.0), (State.SENDING, 2.1))
    assert [0, 1] == [c.descriptor for c in connections.expired(2.0)]
