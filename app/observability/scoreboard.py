"""The scoreboard: what each worker is doing, in memory that all processes of the server share."""

import mmap
from collections.abc import Iterator
from enum import IntEnum
from threading import Lock

CAPACITY = 1024


# The columns: what the scoreboard knows of a worker.
PID, STATE, CONNECTIONS, WAITING, IN_PROGRESS = range(5)
COLUMNS = 5


class WorkerState(IntEnum):
    """What a worker is about to do. RETIRING: it serves until it has a successor. LEFT: it has ended as it should."""

    SERVING = 0
    RETIRING = 1
    LEAVING = 2
    LEFT = 3


class Scoreboard:
    """A row for each worker, its slot: process id, state, connections, requests that wait and that are in progress.

    A new worker takes the slot of one that has ended. What is kept by slot, and not by process, is therefore neither
    lost with a worker nor piles up. The master process takes and releases slots; a worker writes to its own alone.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._cells = memoryview(mmap.mmap(-1, (capacity * COLUMNS + 2) * 4)).cast("i")
        self._used = capacity * COLUMNS  # The cell of how many slots have ever been taken: no other is looked at.
        self._stops = self._used + 1
        self.capacity = capacity
        self.slot = 0  # This process's own; a process that no master has started keeps the first one.
        self._lock = Lock()  # Of one process, whose threads all write to its slot.

    def take(self, pid: int) -> int:
        """Take the lowest free slot, for the time being in the name of `pid`. Raises ValueError if there is none."""
        pids = self._cells[PID : self._used : COLUMNS].tolist()
        slot = pids.index(0)
        self._cells[self._used] = max(self._cells[self._used], slot + 1)
        self._reset(slot, pid)
        return slot

    def enter(self, slot: int, pid: int) -> None:
        """Let this process, `pid`, write to a slot from here on, with nothing to its account."""
        self.slot = slot
        self._reset(slot, pid)

    def set_state(self, slot: int, state: WorkerState) -> None:
        """Note what a worker is about to do."""
        self._cells[slot * COLUMNS + STATE] = state

    def release(self, slot: int) -> bool:
        """Free a slot whose process is gone, and tell whether it had ended as it should."""
        has_left = self.read(slot, STATE) == WorkerState.LEFT
        self._reset(slot, 0)
        return has_left

    def request_stop(self) -> None:
        """Note that the service is to stop. For the master process alone."""
        self._cells[self._stops] += 1

    @property
    def stop_requests(self) -> int:
        """How many times the service was told to stop: a second one ends the draining."""
        return self._cells[self._stops]

    def count(self, column: int, change: int) -> None:
        """Add to a column of this process's slot."""
        with self._lock:
            self._cells[self.slot * COLUMNS + column] += change

    def put(self, column: int, number: int) -> None:
        """Set a column of this process's slot. For one thread alone."""
        self._cells[self.slot * COLUMNS + column] = number

    def read(self, slot: int, column: int) -> int:
        """Read a column of one slot."""
        return self._cells[slot * COLUMNS + column]

    def column(self, column: int) -> list[int]:
        """Read a column of all slots, those that are free included."""
        return [number for (number,) in self._rows(column)]

    def pids(self) -> list[int]:
        """List the workers that are alive."""
        return [pid for pid, state in self._rows(PID, STATE) if pid and state != WorkerState.LEFT]

    def taken(self) -> set[int]:
        """Return the slots that are taken."""
        return {slot for slot, pid in enumerate(self.column(PID)) if pid}

    def has_serving(self) -> bool:
        """Tell whether some worker is not about to leave."""
        return any(pid and state == WorkerState.SERVING for pid, state in self._rows(PID, STATE))

    def has_fewest_connections(self) -> bool:
        """Tell whether no worker that stays has fewer connections than this one."""
        mine = self.read(self.slot, CONNECTIONS)
        rows = self._rows(PID, STATE, CONNECTIONS)
        return all(connections >= mine for pid, state, connections in rows if pid and state == WorkerState.SERVING)

    def is_ready(self) -> bool:
        """Tell whether new requests are wanted: some worker is not about to leave, or there is no table of workers.

        And the service does not stop: a worker that hangs does not say that it leaves.
        """
        states = [state for pid, state in self._rows(PID, STATE) if pid]
        return not self.stop_requests and (not states or min(states) < WorkerState.LEAVING)

    def _rows(self, *columns: int) -> Iterator[tuple[int, ...]]:
        # A process that no master has started has taken none, and counts in the first. The master may take a further
        # slot meanwhile: all columns end where the first one does.
        end = max(1, self._cells[self._used]) * COLUMNS
        return zip(*(self._cells[column:end:COLUMNS].tolist() for column in columns), strict=True)

    def _reset(self, slot: int, pid: int) -> None:
        start = slot * COLUMNS
        for column in range(COLUMNS):
            self._cells[start + column] = 0
        self._cells[start + PID] = pid


scoreboard = Scoreboard()
