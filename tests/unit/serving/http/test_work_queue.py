"""The queue of requests that wait for the application."""

from types import SimpleNamespace
from typing import Any

import pytest

from app.serving.http.limits import Limits
from app.serving.http.work_queue import WorkQueue

LIMITS = Limits(body_bytes=100, wait=2.0)


def waiting(received: float, *, is_at_end: bool = False) -> Any:
    """Make a connection whose request has arrived at a time."""
    return SimpleNamespace(request=SimpleNamespace(received=received), is_at_end=is_at_end)


def queue_of(*connections: Any) -> WorkQueue:
    """Make a queue."""
    queue = WorkQueue(LIMITS, lambda _: None)
    for connection in connections:
        queue.put(connection)
    return queue


def test_requests_are_served_in_their_order() -> None:
    """First come, first served."""
    connections = [waiting(float(n)) for n in range(3)]
    queue = queue_of(*connections)
    assert connections == [queue.take() for _ in range(len(queue))]
    assert 0 == len(queue)


@pytest.mark.parametrize(
    ("connections", "expected"),
    [
        pytest.param([], False, id="none waits"),
        pytest.param([waiting(1.0)], False, id="as long as may be"),
        pytest.param([waiting(0.9)], True, id="longer"),
        pytest.param([waiting(1.0), waiting(0.9)], False, id="the first one counts"),
    ],
)
def test_overload(connections: list[Any], *, expected: bool) -> None:
    """More requests are too many while the first one has waited for too long."""
    assert expected == queue_of(*connections).is_late(3.0)


@pytest.mark.parametrize(("now", "expected"), [(2.0, False), (3.5, False), (5.0, False), (5.1, True)])
def test_too_late(now: float, *, expected: bool) -> None:
    """The first one has waited for too long at twice the time at which no more come."""
    assert expected == queue_of(waiting(1.0)).is_too_late(now)


@pytest.mark.parametrize(
    ("at_end", "expected"),
    [
        pytest.param([False] * 3, 2, id="the newest"),
        pytest.param([False, True, True], 1, id="one that may be gone"),
    ],
)
def test_last(at_end: list[bool], expected: int) -> None:
    """Where there are too many, the newest goes, or one of a client that sends no more."""
    connections = [waiting(1.0, is_at_end=is_at_end) for is_at_end in at_end]
    queue = queue_of(*connections)
    last = connections.pop(expected)
    assert last is queue.take_last()
    assert connections == [queue.take() for _ in range(len(queue))]


def test_end_of_an_overload() -> None:
    """What has been taken out no longer stands in the way."""
    queue = queue_of(waiting(0.0), waiting(2.0))
    assert queue.is_late(3.0)
    queue.take()
    assert not queue.is_late(3.0)


def test_how_many_wait() -> None:
    """Each change is told: a request that comes, one whose turn it is, and one whose client is gone."""
    told: list[int] = []
    queue = WorkQueue(LIMITS, told.append)
    first, gone, stranger = waiting(0.0), waiting(1.0), waiting(2.0)
    queue.put(first)
    queue.put(gone)
    queue.discard(gone)
    queue.discard(stranger)
    assert first is queue.take()
    assert [1, 2, 1, 0] == told
