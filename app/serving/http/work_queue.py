"""The queue of requests that wait for the application: first come, first served."""

from collections import deque
from collections.abc import Callable
from contextlib import suppress

from app.serving.http.connection import Connection
from app.serving.http.limits import Limits


class WorkQueue:
    """Complete requests, in the order of their arrival.

    The queue estimates nothing: a new request is late when the first one in the queue has already waited too long.
    `late` and `too_late` are the reasons to reject a new request, and one that has waited itself. `changed` is told how
    many wait.
    """

    def __init__(self, limits: Limits, changed: Callable[[int], None]) -> None:
        self._waiting: deque[Connection] = deque()
        self._changed = changed
        self._wait = limits.wait
        self.late = f"overloaded: requests have waited for more than {limits.wait:g} s"
        self.too_late = f"overloaded: the request has waited for more than {2 * limits.wait:g} s"

    def __len__(self) -> int:
        return len(self._waiting)

    def is_late(self, now: float) -> bool:
        """Tell whether the first request has waited so long that new ones are rejected."""
        return bool(self._waiting) and now - self._waiting[0].request.received > self._wait

    def is_too_late(self, now: float) -> bool:
        """Tell whether the first request has waited so long that it is rejected itself."""
        return self.is_late(now) and now - self._waiting[0].request.received > 2 * self._wait

    def put(self, connection: Connection) -> None:
        """Add a request."""
        self._waiting.append(connection)
        self._changed(len(self._waiting))

    def discard(self, connection: Connection) -> None:
        """Remove a request whose client is gone, if it waits."""
        with suppress(ValueError):
            self._waiting.remove(connection)
            self._changed(len(self._waiting))

    def take_last(self) -> Connection:
        """Remove and return the newest request, or one whose client sends no more, and may be gone."""
        last = next((connection for connection in self._waiting if connection.is_at_end), self._waiting[-1])
        self.discard(last)
        return last

    def take(self) -> Connection:
        """Remove and return the first request."""
        connection = self._waiting.popleft()
        self._changed(len(self._waiting))
        return connection
