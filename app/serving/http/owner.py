"""The owner of connections, as a connection sees it."""

from typing import Protocol

from app.serving.http.connection import Connection
from app.serving.http.rejection import Rejection


class Owner(Protocol):
    """What keeps the connections, and is told of everything that happens on one."""

    def opened(self, connection: Connection) -> None:
        """Take in a new connection."""

    def received_head(self, connection: Connection, now: float) -> None:
        """Look at a request whose head has arrived, and whose body has not."""

    def grown(self, connection: Connection) -> None:
        """Look at how much memory a large request takes by now."""

    def received(self, connection: Connection, now: float) -> None:
        """Take a request that has arrived whole."""

    def rejected(self, connection: Connection, rejection: Rejection) -> None:
        """Answer a request that is none."""

    def drained(self, connection: Connection) -> None:
        """Go on with a response: the kernel has taken all that was sent."""

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""
