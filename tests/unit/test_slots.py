"""Slots: the places of the workers, in memory that all processes share."""

import os

import pytest

from app.slots import CONNECTIONS, REQUESTS, Slots


def test_lowest_free_place_is_taken() -> None:
    """A new worker takes the place of one that has ended."""
    slots = Slots(4)
    assert [0, 1, 2] == [slots.take(pid) for pid in (11, 12, 13)]
    slots.release(1)
    assert 1 == slots.take(14)
    assert [11, 14, 13] == slots.pids()


def test_no_free_place() -> None:
    """When every place is taken, there is none for one more."""
    slots = Slots(1)
    slots.take(11)
    with pytest.raises(ValueError, match=r"not in list"):
        slots.take(12)


def test_requests_in_progress() -> None:
    """The requests in progress are added up over all workers; those of a worker that is gone are gone with it."""
    slots = Slots(3)
    for pid in (11, 12):
        slot = slots.take(pid)
        slots.count(slot, REQUESTS, pid)
    slots.count(0, REQUESTS, -1)
    assert (22, 10, 12) == (slots.requests_in_progress(), slots.requests_of(0), slots.requests_of(1))
    slots.release(0)
    assert 12 == slots.requests_in_progress()


def test_a_place_begins_with_nothing() -> None:
    """Who takes a place, or enters it as another process, starts at nothing."""
    slots = Slots(1)
    slots.take(11)
    slots.count(0, CONNECTIONS, 5)
    slots.count(0, REQUESTS, 5)
    slots.enter(0, 12)
    assert ([12], 0, True) == (slots.pids(), slots.requests_in_progress(), slots.has_fewest_connections(0))


@pytest.mark.parametrize(("has_left", "pids"), [(True, []), (False, [11])])
def test_leave(has_left: bool, pids: list[int]) -> None:
    """A worker that has ended as it should is told from one that was killed."""
    slots = Slots(1)
    slots.take(11)
    if has_left:
        slots.leave(0)
    assert pids == slots.pids()
    assert has_left == slots.release(0)
    assert [] == slots.pids()


def test_fewest_connections() -> None:
    """A worker knows whether another one has fewer connections; places that nobody has do not count."""
    slots = Slots(5)
    for pid, connections in [(11, 2), (12, 2), (13, 3), (14, 0)]:
        slots.count(slots.take(pid), CONNECTIONS, connections)
    assert [False, False, False, True] == [slots.has_fewest_connections(slot) for slot in range(4)]
    slots.leave(3)
    assert [True, True, False] == [slots.has_fewest_connections(slot) for slot in range(3)]


def test_shared_with_forked_processes() -> None:
    """What a worker counts, the master process sees."""
    slots = Slots(2)
    slot = slots.take(os.getpid())
    child = os.fork()
    if child == 0:
        slots.enter(slot, os.getpid())
        slots.count(slot, REQUESTS, 3)
        os._exit(0)
    os.waitpid(child, 0)
    assert ([child], 3) == (slots.pids(), slots.requests_in_progress())
