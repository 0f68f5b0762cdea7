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
    """The state of a worker. RETIRING: it serves until it has a successor. LEFT: it has ended as it should."""

    SERVING = 0
    RETIRING = 1
    LEAVING = 2
    LEFT = 3


class Scoreboard:
    """A row for each worker, its slot: process id, state, connections, requests waiting and requests in progress.

    A new worker takes the slot of one that has ended. Data kept by slot instead of by process is therefore not lost
    with a worker, and does not pile up. The master process takes and releases slots; a worker writes only to its own.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._cells = memoryview(mmap.mmap(-1, (capacity * COLUMNS + 2) * 4)).cast("i")
        self._used = capacity * COLUMNS  # The cell with the number of slots ever taken: readers skip all others.
        self._stops = self._used + 1
        self.capacity = capacity
        self.is_detached = False
        self.slot = 0  # This process's own; a process that no master started keeps the first one.
        self._lock = Lock()  # For this process's threads, which all write to its slot.

    def take(self, pid: int) -> int:
        """Take the lowest free slot, for now under the id `pid`. Raises ValueError if there is none."""
        pids = self._cells[PID : self._used : COLUMNS].tolist()
        slot = pids.index(0)
        self._cells[self._used] = max(self._cells[self._used], slot + 1)
        self._reset(slot, pid)
        return slot

    def enter(self, slot: int, pid: int) -> None:
        """Assign a slot to this process, `pid`, and reset its counts."""
        self.slot = slot
        self._reset(slot, pid)

    def detach(self) -> None:
        """Keep what this process does from here on from all others, in a copy."""
        self._cells = memoryview(bytearray(self._cells)).cast("i")
        self._lock = Lock()  # Another thread may have held the other one at the fork.
        self.is_detached = True

    def set_state(self, slot: int, state: WorkerState) -> None:
        """Set the state of a worker."""
        self._cells[slot * COLUMNS + STATE] = state

    def release(self, slot: int) -> bool:
        """Free a slot whose process is gone, and tell whether it had ended as it should."""
        has_left = self.read(slot, STATE) == WorkerState.LEFT
        self._reset(slot, 0)
        return has_left

    def request_stop(self) -> None:
        """Record that the service is to stop. Only for the master process."""
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
        """Set a column of this process's slot. Only one thread may do so."""
        self._cells[self.slot * COLUMNS + column] = number

    def read(self, slot: int, column: int) -> int:
        """Read a column of one slot."""
        return self._cells[slot * COLUMNS + column]

    def column(self, column: int) -> list[int]:
        """Read a column of all slots, including free ones."""
        return [number for (number,) in self._rows(column)]

    def pids(self) -> list[int]:
        """List the workers that are alive."""
        return [pid for pid, state in self._rows(PID, STATE) if pid and state != WorkerState.LEFT]

    def taken(self) -> set[int]:
        """Return the slots that are taken."""
        return {slot for slot, pid in enumerate(self.column(PID)) if pid}

    def has_serving(self) -> bool:
        """Tell whether some worker is in state SERVING."""
        return any(pid and state == WorkerState.SERVING for pid, state in self._rows(PID, STATE))

    def has_fewest_connections(self) -> bool:
        """Tell whether no worker in state SERVING has fewer connections than this one."""
        mine = self.read(self.slot, CONNECTIONS)
        rows = self._rows(PID, STATE, CONNECTIONS)
        return all(connections >= mine for pid, state, connections in rows if pid and state == WorkerState.SERVING)

    def is_ready(self) -> bool:
        """Tell whether the service wants new requests: some worker is not about to leave, or none is registered.

        Once the service is told to stop, it wants none: a worker that hangs does not announce that it leaves.
        """
        states = [state for pid, state in self._rows(PID, STATE) if pid]
        return not self.stop_requests and (not states or min(states) < WorkerState.LEAVING)

    def _rows(self, *columns: int) -> Iterator[tuple[int, ...]]:
        # A process that no master started has taken no slot, and counts in the first. Read the end once: the master may
        # take another slot meanwhile.
        end = max(1, self._cells[self._used]) * COLUMNS
        return zip(*(self._cells[column:end:COLUMNS].tolist() for column in columns), strict=True)

    def _reset(self, slot: int, pid: int) -> None:
        start = slot * COLUMNS
        for column in range(COLUMNS):
            self._cells[start + column] = 0
        self._cells[start + PID] = pid


scoreboard = Scoreboard()
