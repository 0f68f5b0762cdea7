"""The connections of a worker, and which of them give way when there is not enough for all."""

import heapq
import math
from collections.abc import Iterator

from app.serving.http.connection import Connection
from app.serving.http.limits import Limits
from app.serving.http.state import State

# One in this number is evicted when there is no room. To look for them takes 0.5 ms of a thousand connections: one at a
# time, a flood of clients would cost eight times as much as it does while there is room.
_EVICTED_SHARE = 64

# A client that has its last answer and does not close is no better than one that has yet to send: spared, two thousand
# of them cost one request in six on the connections that others kept.
_SILENT = frozenset({State.IDLE, State.RECEIVING, State.CLOSING})

_HOLDING = frozenset({State.RECEIVING, State.WAITING, State.RESPONDING})


class ConnectionTable:
    """The open connections, and how many bytes they hold together."""

    def __init__(self, limits: Limits) -> None:
        self._connections: set[Connection] = set()
        self._limits = limits
        self._opening = 0
        self._held_bytes = 0

    def __len__(self) -> int:
        return len(self._connections)

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._connections))

    @property
    def is_full(self) -> bool:
        """Whether there are as many connections as there may be, those that are being opened included."""
        return len(self._connections) + self._opening >= self._limits.connections

    def expect(self) -> None:
        """Keep room for one that is being opened: add() or give_up() follows."""
        self._opening += 1

    def give_up(self) -> None:
        """Expect one less."""
        self._opening -= 1

    def add(self, connection: Connection) -> None:
        """Take in one that was expected."""
        self._opening -= 1
        self._connections.add(connection)

    def remove(self, connection: Connection) -> None:
        """Forget one that is closed."""
        self._connections.discard(connection)
        self.account(connection)

    def account(self, connection: Connection) -> None:
        """Take note of how many bytes a connection holds by now."""
        held = connection.memory_bytes if connection.state in _HOLDING else 0
        self._held_bytes += held - connection.held_bytes
        connection.held_bytes = held
        if not connection.marked_bytes <= held < connection.marked_bytes + self._limits.large_bytes:
            connection.marked_bytes = held
            connection.marked = connection.last_received

    def excess(self, connection: Connection, now: float) -> Connection | None:
        """Choose the request to reject, after one has grown, when all together hold more than they may.

        It is one that has stalled or drips, so that uploads that never end keep no other out, and otherwise the one
        that has grown: to reject the oldest would be to have received most of it for nothing.
        """
        if self._held_bytes <= self._limits.held_bytes or connection.held_bytes <= self._limits.large_bytes:
            return None
        stalled = [
            c
            for c in self._connections
            if c.state is State.RECEIVING
            and c.held_bytes > self._limits.large_bytes
            and now - c.marked > self._limits.stalled
        ]
        return min(stalled, key=lambda c: c.started, default=connection)

    def longest_silent(self, now: float) -> list[Connection]:
        """Choose those that give way to new ones. One that is being served does not: it came first."""
        unread = [c for c in self._connections if c.state is State.RESPONDING and c.is_paused]
        # The deadline of an answer is set when its client stops reading.
        stalled = [c for c in unread if now - (c.deadline - self._limits.send) > self._limits.stalled]
        yielding = [c for c in self._connections if c.state in _SILENT] + stalled or unread
        # Not by the deadline: that of a request which has just begun is sooner than that of a silent connection. Nor by
        # the last byte received: clients that drip would never give way. A large upload that gets on does not, either.
        evicted = math.ceil(len(yielding) / _EVICTED_SHARE)
        return heapq.nsmallest(evicted, yielding, key=lambda c: max(c.started, c.marked))

    def expired(self, now: float) -> list[Connection]:
        """Choose those whose time is over."""
        return [c for c in self._connections if c.deadline <= now and c.state is not State.WAITING]
