"""The work queue of an event loop: which request is served next, and which would have to wait for too long."""

import heapq
from itertools import count

from app.connection import Connection

# Whoever would have to wait longer is refused at once.
LONGEST_WAIT_SECONDS = 1.0

# Whoever has sent a large body was not refused when it began, and to refuse it now would be to have received it for
# nothing: it is taken in beyond the limits, up to so many times as much.
FACTOR_FOR_LARGE = 2

# What a request costs next to its body, in bytes of a body that would cost as much.
REQUEST_BYTES = 4096

# A first guess, of the slow side; then a moving average, which one outlier moves by a twentieth.
FIRST_SECONDS_PER_BYTE = 1e-7
SMOOTHING = 0.05

# A request stands behind all that arrive within so many times its own cost: small sums pass large ones, and the large
# ones still have their turn.
PATIENCE = 10

# Without a body, as a probe, it passes all that have not waited for so long: a probe that waits with the others for a
# second ends a process that only has too much to do.
PASSED_SECONDS = FACTOR_FOR_LARGE * LONGEST_WAIT_SECONDS

# A request that was sent before its client had the answer to the one before stands behind all that arrive within this
# time. Without it, 500 clients that send a hundred requests at once, and read nothing, made others wait for seconds.
PIPELINED_SECONDS = 0.5


class WorkQueue:
    """Requests that wait to be served, with an estimate of what they cost, learnt from those before.

    The bodies of those that wait have about `held_bytes` at most, and with those that were received meanwhile twice as
    many: an estimate that was learnt from small sums would admit a hundred megabytes of large ones.
    """

    def __init__(self, held_bytes: int) -> None:
        self._heap: list[tuple[float, int, Connection]] = []
        self._arrivals = count()
        self._work_bytes = 0
        self._body_bytes = 0
        self._held_bytes = held_bytes
        self._seconds_per_byte = FIRST_SECONDS_PER_BYTE

    def __len__(self) -> int:
        """Count the waiting requests."""
        return len(self._heap)

    @property
    def is_full(self) -> bool:
        """Whether those who wait already take too long, or too much memory."""
        return self._load > 1

    @property
    def _load(self) -> float:
        seconds = self._work_bytes * self._seconds_per_byte
        return max(seconds / LONGEST_WAIT_SECONDS, self._body_bytes / self._held_bytes)

    def offer(self, connection: Connection, now: float) -> bool:
        """Take a request in, unless those before it already take too long, or too much memory."""
        size = _size(connection)
        if size > REQUEST_BYTES and self._load > (FACTOR_FOR_LARGE if connection.request.is_large else 1):
            return False
        due = now + PATIENCE * self._seconds_per_byte * size
        if connection.is_pipelined:
            due += PIPELINED_SECONDS
        else:
            self._work_bytes += size
            if size == REQUEST_BYTES:
                due = now - PASSED_SECONDS
        self._body_bytes += len(connection.request.body)
        heapq.heappush(self._heap, (due, next(self._arrivals), connection))
        return True

    def take(self) -> Connection:
        """Hand out the request that is next."""
        connection = heapq.heappop(self._heap)[2]
        if not connection.is_pipelined:
            self._work_bytes -= _size(connection)
        self._body_bytes -= len(connection.request.body)
        return connection

    def learn(self, size: int, seconds: float) -> None:
        """Take note of what a request with a body of `size` bytes has cost."""
        self._seconds_per_byte += SMOOTHING * (seconds / (size + REQUEST_BYTES) - self._seconds_per_byte)


def _size(connection: Connection) -> int:
    return len(connection.request.body) + REQUEST_BYTES
