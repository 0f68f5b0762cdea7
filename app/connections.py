"""The connections of an event loop, and which of them go when there is not enough for all."""

import heapq
import math
from collections.abc import Iterator

from app.connection import Connection, State

# One in so many gives way when there is no room. To look for them takes 0.5 ms of a thousand connections: one at a
# time, a flood of clients would cost eight times as much as it does while there is room.
EVICTED_SHARE = 64

# A client that has begun a large body longer ago than this, and keeps this side waiting for the rest, is a slow one and
# gives way to new ones: clients that never come to an end keep nobody out. (Those who begin anew each second do; that
# takes 8 MB a second.) Among quicker ones it is the new one that is refused. When it was the oldest, in an overload of
# large bodies most of each was received before it was refused, and a third of the throughput was lost.
SLOW_SECONDS = 1.0


class Connections:
    """The open connections by their descriptors."""

    def __init__(self, held_bytes: int) -> None:
        self._by_descriptor: dict[int, Connection] = {}
        self._held_bytes = held_bytes
        self._large: dict[int, Connection] = {}  # In the order in which they became large.

    def __len__(self) -> int:
        return len(self._by_descriptor)

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._by_descriptor.values()))

    def add(self, connection: Connection) -> None:
        """Take in a new one."""
        self._by_descriptor[connection.descriptor] = connection

    def remove(self, connection: Connection) -> None:
        """Forget one that is closed."""
        del self._by_descriptor[connection.descriptor]

    def settle(self, connection: Connection) -> None:
        """Take note of whether a large body is being received on one."""
        if connection.request.is_large and connection.state is State.RECEIVING:
            self._large.setdefault(connection.descriptor, connection)
        else:
            self._large.pop(connection.descriptor, None)

    def get(self, descriptor: int) -> Connection | None:
        """Find one, unless it was closed in the meantime."""
        return self._by_descriptor.get(descriptor)

    def longest_silent(self) -> list[Connection]:
        """Choose those that give way to new ones."""
        yielding = [c for c in self if c.state in {State.IDLE, State.RECEIVING}]
        if not yielding:
            # Who does not read an answer gives way last, but does: a worker that is out of descriptors and has no other
            # connections would try to accept again and again, and do nothing else.
            yielding = [c for c in self if c.state is not State.READY]
        # Not by the deadline: that of a request which has just begun is sooner than that of whoever is silent.
        return heapq.nsmallest(math.ceil(len(yielding) / EVICTED_SHARE), yielding, key=lambda c: c.started)

    def too_many_large(self, now: float) -> list[Connection]:
        """Choose those to refuse, if the bodies that are being received take more memory than they may."""
        staying, refused = list(self._large.values()), []
        excess = sum(len(c.request.body) for c in staying) - self._held_bytes
        while excess > 0:
            oldest = min(staying, key=lambda c: c.started)
            is_slow = now - oldest.started > SLOW_SECONDS and oldest.keeps_waiting()
            refused.append(oldest if is_slow else staying[-1])
            staying.remove(refused[-1])
            excess -= len(refused[-1].request.body)
        return refused

    def expired(self, now: float) -> list[Connection]:
        """Choose those whose time is over."""
        return [c for c in self if c.deadline <= now and c.state is not State.READY]
