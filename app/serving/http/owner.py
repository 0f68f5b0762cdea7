"""The owner of connections, as a connection sees it."""

from typing import Protocol

from app.serving.http.connection import Connection
from app.serving.http.rejection import Rejection


class Owner(Protocol):
    """Keeps the connections, and is told of everything that happens on one."""

    def opened(self, connection: Connection) -> None:
        """Add a new connection."""

    def received_head(self, connection: Connection, now: float) -> None:
        """Check a request whose head has arrived, and whose body has not."""

    def grown(self, connection: Connection) -> None:
        """Check how much memory a large request takes now."""

    def received(self, connection: Connection, now: float) -> None:
        """Take a complete request."""

    def rejected(self, connection: Connection, rejection: Rejection) -> None:
        """Answer a request that is rejected."""

    def drained(self, connection: Connection) -> None:
        """Continue a response: the kernel has taken all that was sent."""

    def closed(self, connection: Connection) -> None:
        """Remove a closed connection."""
