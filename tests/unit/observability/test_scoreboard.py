"""The scoreboard: the slots of the workers, in memory that all processes share."""

import os
from typing import Any

import pytest

from app.observability.scoreboard import CONNECTIONS, IN_PROGRESS, STATE, WAITING, Scoreboard, WorkerState


def test_lowest_free_slot_is_taken() -> None:
    """A new worker takes the slot of one that has ended."""
    board = Scoreboard(4)
    assert [0, 1, 2] == [board.take(pid) for pid in (11, 12, 13)]
    board.release(1)
    assert 1 == board.take(14)
    assert [11, 14, 13] == board.pids()


def test_no_free_slot() -> None:
    """When every slot is taken, there is none for one more."""
    board = Scoreboard(1)
    board.take(11)
    with pytest.raises(ValueError, match=r"not in list"):
        board.take(12)


def test_columns() -> None:
    """A process counts in its own slot; the numbers of a worker that is gone are gone with it."""
    board = Scoreboard(3)
    for pid in (11, 12):
        board.enter(board.take(pid), pid)
        board.count(IN_PROGRESS, pid)
        board.count(WAITING, 2)
    board.count(IN_PROGRESS, -1)
    assert [11, 11] == board.column(IN_PROGRESS)
    assert ([2, 2], [0, 0]) == (board.column(WAITING), board.column(CONNECTIONS))
    assert 11 == board.read(1, IN_PROGRESS)
    board.release(0)
    assert [0, 11] == board.column(IN_PROGRESS)


def test_process_without_a_slot() -> None:
    """A process that no master has started counts like one worker."""
    board = Scoreboard(3)
    board.count(IN_PROGRESS, 2)
    assert ([2], [], True) == (board.column(IN_PROGRESS), board.pids(), board.is_ready())


def test_a_slot_begins_with_nothing() -> None:
    """What takes a slot, or enters it as another process, starts at nothing."""
    board = Scoreboard(1)
    board.enter(board.take(11), 11)
    board.count(CONNECTIONS, 5)
    board.set_state(0, WorkerState.LEAVING)
    board.enter(0, 12)
    assert ([12], [0], [WorkerState.SERVING]) == (board.pids(), board.column(CONNECTIONS), board.column(STATE))


@pytest.mark.parametrize(("has_left", "pids"), [(True, []), (False, [11])])
def test_release(has_left: bool, pids: list[int]) -> None:
    """A worker that has ended as it should is told from one that was killed."""
    board = Scoreboard(1)
    board.take(11)
    if has_left:
        board.set_state(0, WorkerState.LEFT)
    assert pids == board.pids()
    assert has_left == board.release(0)
    assert [] == board.pids()


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([WorkerState.SERVING], True),
        ([WorkerState.LEAVING], False),
        ([WorkerState.LEFT], False),
        ([WorkerState.LEAVING, WorkerState.SERVING], True),
        ([WorkerState.LEAVING, WorkerState.LEFT], False),
    ],
)
def test_readiness(states: list[WorkerState], expected: bool) -> None:
    """The service is ready as long as some worker is not about to leave."""
    board = Scoreboard(4)
    for state in states:
        board.set_state(board.take(11), state)
    assert expected == board.is_ready()


def test_a_slot_that_is_taken_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """The master takes a further slot while a worker reads one column after the other."""
    board = Scoreboard(20)
    board.take(11)

    class Cells:
        """The cells of the scoreboard, in which a slot is taken behind each column that is read."""

        def __init__(self, cells: memoryview) -> None:
            self.cells = cells
            self.pid = 12

        def __getitem__(self, key: int | slice) -> Any:
            value = self.cells[key]
            if isinstance(key, slice):
                other.take(self.pid)
                self.pid += 1
                return memoryview(bytes(value)).cast("i")
            return value

    other = Scoreboard(20)
    monkeypatch.setattr(other, "_cells", board._cells)  # noqa: SLF001 - the same memory, as a fork has it
    monkeypatch.setattr(board, "_cells", Cells(board._cells))  # noqa: SLF001
    assert [11] == board.pids()
    assert (True, True, True) == (board.has_serving(), board.has_fewest_connections(), board.is_ready())


def test_shared_with_forked_processes() -> None:
    """What a worker counts, the master process sees."""
    board = Scoreboard(2)
    slot = board.take(os.getpid())
    child = os.fork()
    if child == 0:
        board.enter(slot, os.getpid())
        board.count(IN_PROGRESS, 3)
        os._exit(0)
    os.waitpid(child, 0)
    assert ([child], [3]) == (board.pids(), board.column(IN_PROGRESS))
