"""The acceptor: takes new clients from a listening socket that all workers share."""

import asyncio
import socket
from collections.abc import Callable

# What the kernel takes of answers that a client does not read, before the connection waits for it: enough for any one
# of them. Left to itself it takes up to 4 MB, and a hundred requests of a client that never reads are all served.
UNREAD_BYTES = 64 * 1024

# A worker lets this number of turns of its event loop pass, 0.1 ms when it is idle, before it takes a client although
# another worker has fewer. Without it, the first of two workers to wake up takes sixteen clients of sixteen in some
# runs.
PASSED_TURNS = 10

# The clients that are taken in one turn, which may serve requests for milliseconds. With one in each turn, a worker at
# its limit leaves new clients in the kernel's queue for seconds, probes among them.
CLIENTS_PER_TURN = 64


class Acceptor:
    """Watches a listening socket by an event loop and hands on the clients that it accepts."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listener: socket.socket,
        has_fewest_connections: Callable[[], bool],
        welcome: Callable[[socket.socket, str], None],
        make_room: Callable[[], None],
    ) -> None:
        listener.setblocking(False)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNREAD_BYTES)  # Its clients inherit it.
        self._loop = loop
        self._listener = listener
        self._has_fewest_connections = has_fewest_connections
        self._welcome = welcome
        self._make_room = make_room
        self._passed = 0
        loop.add_reader(listener, self._on_readable)

    def close(self, *, is_last: bool) -> None:
        """Accept no more; where this is the last worker, take first the clients that the kernel has let in already.

        The kernel would reset their connections together with the last copy of the listening socket.
        """
        self._loop.remove_reader(self._listener)
        while is_last and self._accept():
            pass
        self._listener.close()

    def _on_readable(self) -> None:
        if not self._has_fewest_connections() and self._passed < PASSED_TURNS:
            self._passed += 1
            return
        self._passed = 0
        for _ in range(CLIENTS_PER_TURN):
            if not self._accept() or not self._has_fewest_connections():
                break

    def _accept(self) -> bool:
        try:
            client, address = self._listener.accept()
        except BlockingIOError:  # Another worker was quicker.
            return False
        except OSError:  # Out of descriptors, most likely.
            self._make_room()
            return False
        client.setblocking(False)
        self._welcome(client, address[0] if isinstance(address, tuple) else "")
        return True
