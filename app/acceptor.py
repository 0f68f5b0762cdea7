"""The acceptor: takes new clients from a listening socket that all workers share."""

import selectors
import socket
import time
from collections.abc import Callable
from typing import Any

# How long a worker leaves a new client to those who have fewer, and then takes one for each time that this has passed.
# Without it, the first of two workers to wake up has been seen to take sixteen clients of sixteen, and the other none.
YIELD_SECONDS = 0.001

# What the kernel takes of answers that a client does not read, before the connection waits for it: enough for any one
# of them. Left to itself it takes up to 4 MB, and a hundred requests of a client that never reads are all served.
UNREAD_BYTES = 64 * 1024

# So many new clients are taken in one turn of the event loop, which may serve requests for milliseconds. With one in
# each turn, a worker at its limit has been seen to leave new clients in the kernel's queue for five seconds, probes
# among them: nobody saw that there was too much work, and nobody was refused.
CLIENTS_IN_A_TURN = 64


class Acceptor:
    """Watches a listening socket by the selector of an event loop and hands on the clients that it accepts."""

    def __init__(
        self,
        listener: socket.socket,
        selector: selectors.BaseSelector,
        has_fewest_connections: Callable[[], bool],
        welcome: Callable[[socket.socket, Any], None],
        make_room: Callable[[], None],
    ) -> None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNREAD_BYTES)  # Its clients inherit it.
        self._listener = listener
        self._selector = selector
        self._has_fewest_connections = has_fewest_connections
        self._welcome = welcome
        self._make_room = make_room
        self._yields_since: float | None = None
        self._allowance = 0

    def open(self) -> None:
        """Begin to accept."""
        self._selector.register(self._listener, selectors.EVENT_READ, self._on_readable)

    def close(self, *, is_last_chance: bool) -> None:
        """Accept no more; with `is_last_chance`, take first those whom the kernel has let in already.

        They would be reset when the last worker closes the socket.
        """
        if self._yields_since is None:
            self._selector.unregister(self._listener)
        self._yields_since = None
        while is_last_chance and self._accept():
            pass
        self._listener.close()

    def next_turn(self, seconds: float) -> float:
        """Tell how long the event loop may wait, at most `seconds`, until this has something to do."""
        return seconds if self._yields_since is None else min(seconds, YIELD_SECONDS)

    def resume(self) -> None:
        """Accept again, whoever has how many connections, once the others have had their time."""
        if self._yields_since is not None:
            self._allowance = int((time.monotonic() - self._yields_since) / YIELD_SECONDS)
            if self._allowance:
                self._yields_since = None
                self.open()

    def _on_readable(self, _listener: socket.socket) -> None:
        if not (self._allowance or self._has_fewest_connections()):
            self._yields_since = time.monotonic()
            self._selector.unregister(self._listener)
            return
        for taken in range(CLIENTS_IN_A_TURN):
            if not (taken < self._allowance or self._has_fewest_connections()) or not self._accept():
                break
        self._allowance = 0

    def _accept(self) -> bool:
        try:
            client, address = self._listener.accept()
        except BlockingIOError:  # Another worker was quicker.
            return False
        except OSError:  # Out of descriptors, most likely.
            self._make_room()
            return False
        client.setblocking(False)
        self._welcome(client, address)
        return True
