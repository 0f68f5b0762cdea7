"""The pace at which workers are replaced."""

import pytest

from app.pace import INTERVAL_SECONDS, Pace

BURST = 3


def taken(pace: Pace, now: float) -> int:
    """Take as many tokens as there are."""
    number = 0
    while pace.take(now):
        number += 1
    return number


def test_several_workers_may_die_at_once() -> None:
    """As many as the bucket holds are replaced at the same moment, and then no more."""
    pace = Pace(BURST, 100.0)
    assert [BURST, 0] == [taken(pace, 100.0) for _ in range(2)]


@pytest.mark.parametrize(("intervals", "expected"), [(0.5, 0), (1.0, 1), (2.5, 2), (3.0, BURST), (1000.0, BURST)])
def test_later_there_is_one_for_each_interval(intervals: float, expected: int) -> None:
    """An empty bucket fills again, one worker for each interval, and never beyond its size."""
    pace = Pace(BURST, 100.0)
    taken(pace, 100.0)
    assert expected == taken(pace, 100.0 + intervals * INTERVAL_SECONDS)
