"""The connections of an event loop, and which of them go when there is not enough for all."""

import heapq
import math
from collections.abc import Iterator

from app.connection import Connection, State

# One in so many gives way when there is no room. To look for them takes 0.5 ms of a thousand connections: one at a
# time, a flood of clients would cost eight times as much as it does while there is room.
EVICTED_SHARE = 64

# So many large bodies of the largest size are held at the same time: eight at once fit a container of 128 MB.
LARGE_BODIES = 8


class Connections:
    """The open connections by their descriptors."""

    def __init__(self, largest_body_bytes: int) -> None:
        self._by_descriptor: dict[int, Connection] = {}
        self._bytes = LARGE_BODIES * largest_body_bytes

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

    def oldest_of_too_many_large(self) -> Connection | None:
        """Choose the one to refuse, if the bodies that are being received take more memory than they may."""
        large = [c for c in self if c.is_large and c.state is State.RECEIVING]
        if sum(len(c.body) for c in large) <= self._bytes:
            return None
        return min(large, key=lambda c: c.deadline)

    def expired(self, now: float) -> list[Connection]:
        """Choose those whose time is over."""
        return [c for c in self if c.deadline <= now and c.state is not State.READY]
