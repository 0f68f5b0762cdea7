"""The pieces of a response on their way from the thread that makes them to the event loop that sends them."""

import asyncio
from threading import Lock
from typing import TYPE_CHECKING

from app.serving.http.connection import Connection

if TYPE_CHECKING:
    from concurrent.futures import Future

# How far a thread may be ahead of what the kernel has taken. Where it waited for each piece, a stream of 5,000 rows
# beside four busy threads, each of which holds the interpreter for 5 ms at a time, was not done after 25 s.
AHEAD_BYTES = 64 * 1024


class PieceQueue:
    """Sends pieces as soon as the event loop can, all that are there at once."""

    def __init__(self, loop: asyncio.AbstractEventLoop, connection: Connection) -> None:
        self._loop = loop
        self._connection = connection
        self._lock = Lock()
        self._pieces: list[bytes] = []
        self._bytes = 0
        self._is_sending = False
        self._sending: Future[None] | None = None

    def put(self, piece: bytes) -> None:
        """Add a piece; wait for the kernel if too much waits for it."""
        with self._lock:
            self._pieces.append(piece)
            self._bytes += len(piece)
            is_full = self._bytes > AHEAD_BYTES
            is_sending, self._is_sending = self._is_sending, True
        if not is_sending:
            self._sending = asyncio.run_coroutine_threadsafe(self._send(), self._loop)
        if is_full:
            self.wait()

    def wait(self) -> None:
        """Wait until the kernel has taken all pieces, or the client is gone."""
        if self._sending is not None:
            self._sending.result()

    async def _send(self) -> None:
        while True:
            with self._lock:
                data = b"".join(self._pieces)
                self._pieces.clear()
                self._bytes = 0
                self._is_sending = bool(data)
            if not data:
                return
            await self._connection.send_whole(data)
