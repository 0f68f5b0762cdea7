"""The connections of a worker, and the choice of those to evict or reject when resources run short."""

import math
import select
from collections.abc import Iterable, Iterator

from app.serving.http.connection import Connection
from app.serving.http.limits import Limits
from app.serving.http.state import State

# One connection in this many is evicted when there is no room. Searching a thousand connections takes 0.5 ms: if they
# were evicted one at a time, a flood of clients would cost eight times as much as it does while there is room.
_EVICTED_SHARE = 64

# As a share of the limit on connections: clients that are accepted in two turns of the event loop.
_ROOM_BEYOND = 1 / 8

# CLOSING is included: when clients that have their last response and do not close were spared, two thousand of them
# cost one request in six on the kept connections of others.
_SILENT = frozenset({State.IDLE, State.RECEIVING, State.CLOSING})

# Without CLOSING: what a client sends after its last response is discarded.
_AWAITING_REQUEST = frozenset({State.IDLE, State.RECEIVING})

# A hundred clients that uploaded 17 kB/s each had 93 of 160 bodies of 200 kB rejected that came at once.
_MUCH_SLOWER = 4

_HOLDING = frozenset({State.RECEIVING, State.WAITING, State.RESPONDING})


class ConnectionTable:
    """The open connections, and how many bytes they hold in total."""

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
    def room(self) -> int:
        """How many more connections the limit allows, besides those that are being opened."""
        return max(0, self._limits.connections - len(self._connections) - self._opening)

    @property
    def has_room_beyond(self) -> bool:
        """Whether there is room beyond the limit, for clients whose requests have arrived and are still to be read."""
        return len(self._connections) + self._opening <= self._limits.connections * (1 + _ROOM_BEYOND)

    def expect(self) -> None:
        """Reserve room for a connection that is being opened: add() or give_up() follows."""
        self._opening += 1

    def give_up(self) -> None:
        """Release the room of a connection that was not opened."""
        self._opening -= 1

    def add(self, connection: Connection) -> None:
        """Add an expected connection."""
        self._opening -= 1
        self._connections.add(connection)

    def remove(self, connection: Connection) -> None:
        """Remove a closed connection."""
        self._connections.discard(connection)
        self.account(connection)

    def account(self, connection: Connection) -> None:
        """Record how many bytes a connection holds now."""
        held = connection.memory_bytes if connection.state in _HOLDING else 0
        self._held_bytes += held - connection.held_bytes
        connection.held_bytes = held
        if not connection.marked_bytes <= held < connection.marked_bytes + self._limits.large_bytes:
            connection.marked_bytes = held
            connection.marked = connection.last_received

    def excess(self, connection: Connection, now: float) -> Connection | None:
        """Choose the request to reject, after one has grown, when all together hold more than the limit.

        It is one that has stalled or drips, or whose client does not read the answer, so that these do not keep others
        out. Or it is one that arrives much more slowly than the one that has grown. Otherwise it is this one: rejecting
        the oldest would waste most of what was received.
        """
        if self._held_bytes <= self._limits.held_bytes or connection.held_bytes <= self._limits.large_bytes:
            return None
        large = [c for c in self._connections if c.held_bytes > self._limits.large_bytes]
        dripping = [c for c in large if c.state is State.RECEIVING and now - c.marked > self._limits.stalled]
        if stalled := dripping + self._unread(large, now):
            return min(stalled, key=lambda c: c.started)
        # Not those that have just begun: with many quick clients, each new one would reject one before it.
        longer = [c for c in large if c.state is State.RECEIVING and now - c.started > self._limits.stalled]
        slowest = max(longer, key=lambda c: _seconds_per_byte(c, now), default=connection)
        is_much_slower = _seconds_per_byte(slowest, now) > _MUCH_SLOWER * _seconds_per_byte(connection, now)
        return slowest if is_much_slower else connection

    def longest_silent(self, now: float, at_least: float = 0.0) -> list[Connection]:
        """Choose the connections to evict for new ones. A request that is being served came first, and is spared.

        So are clients that have sent what this server has yet to read, and with `at_least` clients that were silent for
        fewer seconds.
        """
        silent = [c for c in self._connections if c.state in _SILENT and max(c.started, c.marked) <= now - at_least]
        yielding = silent + self._unread(self._connections, now)
        if not (yielding or at_least):
            yielding = self._unread(self._connections, math.inf)
        return next(filter(None, map(_without_arrived_bytes, _by_age(yielding))), [])

    def oldest(self) -> list[Connection]:
        """Choose the connections to evict where longest_silent() spares all."""
        return next(_by_age([c for c in self._connections if c.state in _SILENT]), [])

    def _unread(self, connections: Iterable[Connection], now: float) -> list[Connection]:
        # The deadline of an answer is set when its client stops reading.
        latest = now - self._limits.stalled + self._limits.send
        return [c for c in connections if c.state is State.RESPONDING and c.is_paused and c.deadline < latest]

    def reads_on(self, connection: Connection, now: float) -> bool:
        """Tell at the deadline whether a client reads its answer, however slowly, and if so set the next deadline."""
        unsent_bytes = connection.transport.get_write_buffer_size()
        has_read = connection.unsent_bytes - unsent_bytes >= self._limits.large_bytes
        if connection.state is State.RESPONDING and has_read:
            connection.unsent_bytes = unsent_bytes
            connection.deadline = now + self._limits.send
            return True
        return False

    def expired(self, now: float) -> list[Connection]:
        """List the connections whose deadline has passed."""
        return [c for c in self._connections if c.deadline <= now and c.state is not State.WAITING]


def _seconds_per_byte(connection: Connection, now: float) -> float:
    return (now - connection.started) / connection.held_bytes


def _by_age(connections: list[Connection]) -> Iterator[list[Connection]]:
    # Not by the deadline: a request that has just begun has an earlier one than a silent connection. Nor by the last
    # byte received: clients that drip would never be evicted. `marked` spares a large upload that progresses.
    ordered = sorted(connections, key=lambda c: max(c.started, c.marked))
    evicted = math.ceil(len(ordered) / _EVICTED_SHARE)
    return (ordered[start : start + evicted] for start in range(0, len(ordered), evicted or 1))


def _without_arrived_bytes(silent: list[Connection]) -> list[Connection]:
    # While a thousand clients have requests, a turn of the event loop takes 50 ms. A client that has just connected is
    # older by then than those that were answered; it was reset although its request lay in the kernel.
    poll = select.poll()
    descriptors = {c: c.transport.get_extra_info("socket").fileno() for c in silent if c.state in _AWAITING_REQUEST}
    for descriptor in descriptors.values():
        poll.register(descriptor, select.POLLIN)
    readable = {descriptor for descriptor, _ in poll.poll(0)}
    return [c for c in silent if descriptors.get(c) not in readable]
