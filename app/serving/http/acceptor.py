"""The acceptor: accepts clients from a listening socket that all workers share."""

import asyncio
import errno
import logging
import socket
import time
from collections.abc import Callable

# How much the kernel buffers for a client that does not read, before the connection waits: enough for any one response.
# With the kernel's default of up to 4 MB, a hundred requests of a client that never reads would all be served.
UNREAD_BYTES = 64 * 1024

# How much the kernel buffers of a client before the worker reads it; it would let this grow to many megabytes. At
# 128 KiB, a body of 0.4 MB takes several turns to arrive, for which clients of a busy worker waited 12 ms.
RECEIVE_BYTES = 512 * 1024

# A worker lets this many turns of its event loop pass, 0.1 ms when it is idle, before it accepts a client while another
# worker has fewer. Without this wait, the first of two workers to wake up accepts all of sixteen clients in some runs.
# To a busy worker, whose turns are long, it leaves them no longer than this time, and then takes all: the other one may
# be in a view that takes seconds. With turns alone, clients beside 60 busy ones waited for 0.6 to 6 s.
PASSED_TURNS = 10
PASSED_SECONDS = 0.001

# How many clients are accepted in one turn, which may serve requests for milliseconds. With one in each turn, a worker
# at its limit leaves new clients, probes included, in the kernel's queue for seconds.
CLIENTS_PER_TURN = 64

# How long clients wait when the system has no descriptor left and no connection can be evicted. The listening socket
# stays readable: if the worker retried at once, its event loop would do nothing else.
PAUSE_SECONDS = 0.1

_SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_log = logging.getLogger(__name__)


class Acceptor:
    """Watches a listening socket in an event loop and passes on the clients that it accepts."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listener: socket.socket,
        has_fewest_connections: Callable[[], bool],
        welcome: Callable[[socket.socket, str], None],
        make_room: Callable[[], bool],
    ) -> None:
        listener.setblocking(False)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNREAD_BYTES)  # Accepted sockets inherit both.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
        self._loop = loop
        self._listener = listener
        self._has_fewest_connections = has_fewest_connections
        self._welcome = welcome
        self._make_room = make_room
        self._passed = 0
        self._passed_until = 0.0
        self._was_readable = False  # In the last turn.
        self._next_turn: asyncio.Handle | None = None
        self._has_failed = False
        self._pause: asyncio.TimerHandle | None = None
        self._watch()

    @property
    def is_leaving_a_client(self) -> bool:
        """Whether a client is left to other workers for a moment."""
        return self._passed > 0

    def close(self, clients: int = 0) -> None:
        """Stop accepting, after up to `clients` more from the kernel's queue.

        The kernel resets those that are left when the last copy of the listening socket is closed. The number has an
        end: clients that connect as fast as they are accepted would keep the event loop here.
        """
        for _ in range(clients):
            if not self._accept():
                break
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._listener)
        self._listener.close()

    def _watch(self) -> None:
        self._loop.add_reader(self._listener, self._on_readable)

    def _on_readable(self) -> None:
        takes_all = False
        if not self._has_fewest_connections():
            now = time.monotonic()
            self._passed_until = self._passed_until if self._passed else now + PASSED_SECONDS
            takes_all = now >= self._passed_until
            if self._passed < PASSED_TURNS and not takes_all:
                self._passed += 1
                self._was_readable = True
                self._next_turn = self._next_turn or self._loop.call_soon(self._on_turn)
                return
        self._passed = 0
        for _ in range(CLIENTS_PER_TURN):
            if not self._accept() or not (takes_all or self._has_fewest_connections()):
                break

    def _on_turn(self) -> None:
        # After a turn in which the socket was not readable, another worker has the client. What it has waited must not
        # count for the next one: a worker with one connection took all of sixteen new ones.
        self._next_turn = None
        if not self._was_readable:
            self._passed = 0
        if self._passed:
            self._was_readable = False
            self._next_turn = self._loop.call_soon(self._on_turn)

    def _accept(self) -> bool:
        try:
            client, address = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):  # Another worker was quicker, or the client has gone.
            self._has_failed = False
            return False
        except OSError as error:  # Most likely out of descriptors; Linux also reports network errors here.
            if error.errno not in _SHORTAGES or not self._make_room():
                self._wait(error)
            return False
        self._has_failed = False
        client.setblocking(False)
        self._welcome(client, address[0] if isinstance(address, tuple) else "")
        return True

    def _wait(self, error: OSError) -> None:
        if not self._has_failed:
            _log.error("cannot accept clients: %s", error.strerror)
        self._has_failed = True
        self._loop.remove_reader(self._listener)
        self._pause = self._loop.call_later(PAUSE_SECONDS, self._watch)
