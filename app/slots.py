"""Slots: the places that workers take one after the other, in memory that all processes of the server share."""

import mmap
from threading import Lock

# The columns of a place.
PID, CONNECTIONS, REQUESTS = range(3)
COLUMNS = 3

# What stands for the process id of a place that nobody has, and of a worker that has ended as it should.
FREE = 0
STOPPED = -1


class Slots:
    """A table of the workers: each one's process id, its connections and its requests in progress.

    A new worker takes the place of one that has ended. What is kept by place, and not by process, is therefore neither
    lost with a worker nor piles up. The master process takes and releases places; a worker writes to its own alone.
    """

    def __init__(self, capacity: int) -> None:
        self._cells = memoryview(mmap.mmap(-1, capacity * COLUMNS * 4)).cast("i")
        self.capacity = capacity
        self._lock = Lock()  # Of one process, whose event loops all write to its place.

    def take(self, pid: int) -> int:
        """Take the lowest free place, for the time being in the name of `pid`. Raises ValueError if there is none."""
        slot = self._column(PID).index(FREE)
        self.enter(slot, pid)
        return slot

    def enter(self, slot: int, pid: int) -> None:
        """Put a process into a place, with nothing to its account."""
        start = slot * COLUMNS
        self._cells[start + PID], self._cells[start + CONNECTIONS], self._cells[start + REQUESTS] = pid, 0, 0

    def leave(self, slot: int) -> None:
        """Note that the worker has ended as it should."""
        self._cells[slot * COLUMNS + PID] = STOPPED

    def release(self, slot: int) -> bool:
        """Free a place whose process is gone, and tell whether it had ended as it should."""
        has_left = self._cells[slot * COLUMNS + PID] == STOPPED
        self.enter(slot, FREE)
        return has_left

    def count(self, slot: int, column: int, change: int) -> None:
        """Add to the connections or to the requests in progress of a place."""
        with self._lock:
            self._cells[slot * COLUMNS + column] += change

    def has_fewest_connections(self, slot: int) -> bool:
        """Tell whether no worker has fewer connections than this one."""
        mine = self._cells[slot * COLUMNS + CONNECTIONS]
        rows = zip(self._column(PID), self._column(CONNECTIONS), strict=True)
        return all(connections >= mine for pid, connections in rows if pid > 0)

    def pids(self) -> list[int]:
        """List the workers that are alive."""
        return [pid for pid in self._column(PID) if pid > 0]

    def requests_of(self, slot: int) -> int:
        """Count the requests in progress of one place."""
        return self._cells[slot * COLUMNS + REQUESTS]

    def requests_in_progress(self) -> int:
        """Count the requests in progress, of all workers."""
        return sum(self._column(REQUESTS))

    def _column(self, column: int) -> list[int]:
        return self._cells[column::COLUMNS].tolist()
