"""Which of the connections go when there is not enough for all."""

from collections.abc import Collection
from types import SimpleNamespace
from typing import Any

import pytest

from app.connection import State
from app.connections import EVICTED_SHARE, SLOW_SECONDS, Connections

BODY_BYTES = 100
FIT = 8


def connections_of(*members: tuple[State, float], quick: Collection[int] = ()) -> Connections:
    """Make connections of these states that began, and will end, at these times; all but the quick keep waiting.

    Each has a body, and so many of them fit.
    """
    connections = Connections(FIT * BODY_BYTES)
    for descriptor, (state, time) in enumerate(members):
        connection: Any = SimpleNamespace(
            descriptor=descriptor,
            state=state,
            started=time,
            deadline=time,
            request=SimpleNamespace(is_large=True, body=bytes(BODY_BYTES)),
            keeps_waiting=lambda is_quick=descriptor in quick: not is_quick,
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


OLD, NEW = 0.9, 2.0
NOW = 1.0 + SLOW_SECONDS


@pytest.mark.parametrize(
    ("started", "quick", "expected"),
    [
        pytest.param([NEW] * FIT, [], [], id="as many as fit"),
        pytest.param([NEW] * (FIT + 1), [], [FIT], id="the newest"),
        pytest.param([NEW] * (FIT + 2), [], [FIT + 1, FIT], id="the two newest"),
        pytest.param([OLD] + [NEW] * FIT, [], [0], id="the oldest is slow"),
        pytest.param([NEW, OLD] + [NEW] * FIT, [], [1, FIT + 1], id="the oldest has not become large first"),
        pytest.param([OLD] + [NEW] * FIT, [0], [FIT], id="the oldest has sent more than was received"),
    ],
)
def test_which_large_bodies_are_refused(started: list[float], quick: list[int], expected: list[int]) -> None:
    """Of too many large bodies that are being received, a slow one is refused, the oldest first, or else the newest."""
    connections = connections_of(*[(State.RECEIVING, time) for time in started], quick=quick)
    assert expected == [c.descriptor for c in connections.too_many_large(NOW)]


def test_a_large_body_that_is_complete_is_no_longer_counted() -> None:
    """As soon as a large body is there, another one may be received."""
    connections = connections_of(*[(State.RECEIVING, NEW)] * (FIT + 1))
    first, *_ = connections
    first.state = State.READY
    connections.settle(first)
    assert [] == connections.too_many_large(NOW)


def test_who_has_expired() -> None:
    """A time limit holds from its very instant, and not for a request whose turn has yet to come."""
    connections = connections_of((State.IDLE, 1.0), (State.RECEIVING, 2.0), (State.READY, 1.0), (State.SENDING, 2.1))
    assert [0, 1] == [c.descriptor for c in connections.expired(2.0)]
