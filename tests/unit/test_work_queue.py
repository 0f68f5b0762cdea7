"""The work queue: which request is served next, and which is refused."""

from types import SimpleNamespace
from typing import Any

import pytest

from app.work_queue import (
    FACTOR_FOR_LARGE,
    FIRST_SECONDS_PER_BYTE,
    LONGEST_WAIT_SECONDS,
    PASSED_SECONDS,
    PATIENCE,
    PIPELINED_SECONDS,
    REQUEST_BYTES,
    WorkQueue,
)

MEBIBYTE = 1024 * 1024
HELD_BYTES = 1024 * MEBIBYTE


def request(size: int, *, is_pipelined: bool = False, is_large: bool = False) -> Any:
    """Make a connection whose request has a body of a size, and may be one that has been admitted as large."""
    incoming = SimpleNamespace(body=bytes(size), is_large=is_large)
    return SimpleNamespace(request=incoming, is_pipelined=is_pipelined)


def drained(queue: WorkQueue) -> list[int]:
    """Take all requests out, and list the sizes of their bodies."""
    return [len(queue.take().request.body) for _ in range(len(queue))]


def test_equal_requests_are_served_in_their_order() -> None:
    """Nobody passes somebody who asks for as much and came first."""
    queue, requests = WorkQueue(HELD_BYTES), [request(10) for _ in range(5)]
    for connection in requests:
        queue.offer(connection, 1.0)
    assert requests == [queue.take() for _ in range(5)]


def test_small_requests_pass_large_ones() -> None:
    """A probe does not wait behind a large sum."""
    queue = WorkQueue(HELD_BYTES)
    for size in (MEBIBYTE, 0, 1000, 100_000):
        queue.offer(request(size), 1.0)
    assert [0, 1000, 100_000, MEBIBYTE] == drained(queue)


def test_large_requests_have_their_turn() -> None:
    """A large request is passed only by what comes within some times its own cost."""
    queue = WorkQueue(HELD_BYTES)
    queue.offer(request(MEBIBYTE), 1.0)
    queue.offer(request(1), 1.0 + PATIENCE * FIRST_SECONDS_PER_BYTE * (MEBIBYTE + REQUEST_BYTES) + 0.001)
    assert [MEBIBYTE, 1] == drained(queue)


@pytest.mark.parametrize(("later", "expected"), [(-0.1, [0, 100_000]), (0.2, [100_000, 0])])
def test_probes_pass_all_but_who_has_waited_long(later: float, expected: list[int]) -> None:
    """A probe does not wait for what others wait for, and a flood of requests without a body starves nobody."""
    queue = WorkQueue(HELD_BYTES)
    queue.offer(request(100_000), 1.0)
    queue.offer(request(0), 1.0 + PASSED_SECONDS + later)
    assert expected == drained(queue)


def test_pipelined_requests_give_way() -> None:
    """A request that was sent before the answer to another one waits for those of others, but not for ever."""
    queue = WorkQueue(HELD_BYTES)
    queue.offer(request(1, is_pipelined=True), 1.0)
    queue.offer(request(2), 1.0 + PIPELINED_SECONDS - 0.001)
    queue.offer(request(3), 1.0 + PIPELINED_SECONDS + 0.001)
    assert [2, 1, 3] == drained(queue)


def test_pipelined_requests_get_nobody_refused() -> None:
    """However many of them there are, others are admitted as if they were not."""
    queue = WorkQueue(HELD_BYTES)
    for _ in range(20):
        queue.offer(request(MEBIBYTE, is_pipelined=True), 1.0)
    assert queue.offer(request(1), 1.0)
    assert 21 == len(drained(queue))
    assert queue.offer(request(1), 1.0)


def test_overload() -> None:
    """Once those before take too long, a request with a body is refused; one without, as a probe, never is."""
    queue = WorkQueue(HELD_BYTES)
    admitted = [queue.offer(request(MEBIBYTE), 1.0) for _ in range(20)]
    bearable = int(LONGEST_WAIT_SECONDS / FIRST_SECONDS_PER_BYTE / (MEBIBYTE + REQUEST_BYTES)) + 1
    assert [True] * bearable + [False] * (20 - bearable) == admitted
    assert (False, True) == (queue.offer(request(1), 1.0), queue.offer(request(0), 1.0))
    assert (bearable + 1, True) == (len(queue), queue.is_full)


def test_a_large_body_that_was_received_may_wait_longer() -> None:
    """Whoever was admitted before an overload has not sent a large body for nothing, but is not served too late."""
    queue = WorkQueue(HELD_BYTES)
    seconds = FIRST_SECONDS_PER_BYTE * (MEBIBYTE + REQUEST_BYTES)
    admitted = [queue.offer(request(MEBIBYTE, is_large=True), 1.0) for _ in range(30)]
    bearable = int(FACTOR_FOR_LARGE * LONGEST_WAIT_SECONDS / seconds) + 1
    assert [True] * bearable + [False] * (30 - bearable) == admitted


@pytest.mark.parametrize(("is_large", "expected"), [(False, 4), (True, 7)])
def test_bodies_that_wait_are_bounded(is_large: bool, expected: int) -> None:
    """However quick requests seem to be, no more of their bodies are held than there is memory for."""
    queue = WorkQueue(3 * MEBIBYTE)
    for _ in range(500):
        queue.learn(0, 1e-9)
    assert expected == sum(queue.offer(request(MEBIBYTE, is_large=is_large), 1.0) for _ in range(20))
    assert (True, True) == (queue.is_full, queue.offer(request(0), 1.0))
    drained(queue)
    assert not queue.is_full


def test_end_of_an_overload() -> None:
    """What has been taken out no longer stands in the way."""
    queue = WorkQueue(HELD_BYTES)
    while queue.offer(request(MEBIBYTE), 1.0):
        pass
    queue.take()
    assert queue.offer(request(MEBIBYTE), 1.0)
    drained(queue)
    assert [True] * 5 == [queue.offer(request(MEBIBYTE), 1.0) for _ in range(5)]


@pytest.mark.parametrize(("seconds", "expected"), [(0.5, 3), (0.005, 201)])
def test_estimate_follows_what_requests_cost(seconds: float, expected: int) -> None:
    """After some hundred requests, so many are taken in as are served within the longest wait."""
    queue = WorkQueue(HELD_BYTES)
    for _ in range(500):
        queue.learn(MEBIBYTE, seconds)
    admitted = 0
    while queue.offer(request(MEBIBYTE), 1.0):
        admitted += 1
    assert admitted in {expected, expected - 1}


def test_one_outlier_does_not_close_the_door() -> None:
    """A single slow request moves the estimate by a twentieth."""
    queue = WorkQueue(HELD_BYTES)
    queue.learn(0, 0.01)
    assert queue.offer(request(MEBIBYTE), 1.0)
    assert queue.offer(request(MEBIBYTE), 1.0)
