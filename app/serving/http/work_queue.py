"""The queue of requests that wait for the application: first come, first served."""

from collections import deque

from app.serving.http.connection import Connection
from app.serving.http.limits import Limits


class WorkQueue:
    """Requests that have arrived whole, in the order of their arrival.

    Nothing is estimated: a request is late when the one at the head of the queue, which came before it, has waited for
    too long already. `late` and `too_late` say so of a new request, and of one that has waited itself.
    """

    def __init__(self, limits: Limits) -> None:
        self._waiting: deque[Connection] = deque()
        self._wait = limits.wait
        self.late = f"overloaded: requests have waited for more than {limits.wait:g} s"
        self.too_late = f"overloaded: the request has waited for more than {2 * limits.wait:g} s"

    def __len__(self) -> int:
        return len(self._waiting)

    def is_late(self, now: float) -> bool:
        """Tell whether requests wait for too long, so that no more should come."""
        while self._waiting and self._waiting[0].is_closed:
            self._waiting.popleft()
        return bool(self._waiting) and now - self._waiting[0].request.received > self._wait

    def is_too_late(self, now: float) -> bool:
        """Tell whether the first request has waited for so long that it is rejected in its turn."""
        return self.is_late(now) and now - self._waiting[0].request.received > 2 * self._wait

    def put(self, connection: Connection) -> None:
        """Add a request."""
        self._waiting.append(connection)

    def take(self) -> Connection:
        """Remove and return the first request."""
        return self._waiting.popleft()
