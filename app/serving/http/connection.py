"""One client's connection: bytes in, requests out; responses in, bytes out."""

import asyncio
import math
import time
from typing import TYPE_CHECKING, cast

from app.serving.http.limits import Limits
from app.serving.http.read_buffer import BEHIND_BUFFER, BUFFER, DISCARDED, HEAD_BUFFER, HEAD_BYTES
from app.serving.http.rejection import Rejection
from app.serving.http.request import Request
from app.serving.http.request_reader import RequestReader
from app.serving.http.state import State

if TYPE_CHECKING:
    from app.serving.http.owner import Owner
    from app.serving.http.response import Response

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_BUFFERS = {State.IDLE: HEAD_BUFFER, State.CLOSING: DISCARDED}


class Connection(asyncio.BufferedProtocol):
    """The state of one connection; `deadline`, `started` and `marked` are times of time.monotonic()."""

    transport: asyncio.Transport

    def __init__(self, owner: "Owner", peer: str, limits: Limits) -> None:
        self.peer = peer
        self.state = State.IDLE
        self.started = self.last_received = time.monotonic()
        # Without keep-alive a new client has as long for its first request as for the head of one.
        self.deadline = self.started + (limits.keep_alive or limits.head)
        self.served = self.held_bytes = self.marked_bytes = self.unsent_bytes = 0
        self.marked = 0.0  # When it held `marked_bytes`: the growth since then tells an upload from one that drips.
        self.is_paused = self.is_closed = self.is_at_end = self._has_stopped_reading = False
        # Why this server has closed the connection; empty if the client has, and None while it is open.
        self.cut_reason: str | None = None
        self.response: Response | None = None
        self._owner, self._limits = owner, limits
        self._reader = RequestReader(limits, lambda: self.transport.write(CONTINUE))
        self._behind = b""
        self._sent: asyncio.Future[None] | None = None

    @property
    def request(self) -> Request:
        """The current request."""
        return self._reader.request

    @property
    def memory_bytes(self) -> int:
        """How many bytes the current request and the bytes after it take in memory."""
        return self._reader.held_bytes + len(self._behind)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register the new connection."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=0)  # asyncio pauses writing once the kernel's buffer is full.
        self._owner.opened(self)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Return the buffer for the next read."""
        if self.state is State.RECEIVING:
            return BUFFER[: max(self._reader.missing_bytes, HEAD_BYTES)]
        return _BUFFERS.get(self.state, BEHIND_BUFFER)

    def buffer_updated(self, nbytes: int) -> None:
        """Process the bytes that were read."""
        now = self.last_received = time.monotonic()
        state = self.state
        if state is State.IDLE or state is State.RECEIVING:
            self._feed(bytes(BUFFER[:nbytes]), now)
        elif state is State.CLOSING:
            # While the client still sends, it has not read the response.
            self.deadline = min(now + self._limits.close, self.started + self._limits.longest_close)
        elif state is not State.CLOSED:
            self._behind += bytes(BUFFER[:nbytes])
            self._has_stopped_reading = True
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        """Keep the connection if a response is due: a client may shut down its sending side and go on reading."""
        self.is_at_end = True
        return self.state in {State.WAITING, State.RESPONDING}

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Forget the client, and free its memory, even if something still refers to this connection."""
        if self.is_closed:
            return
        self.cut_reason = self.cut_reason or ""
        before, self.state = self.state, State.CLOSED
        self.is_closed = True
        self._wake_sender()
        if before is State.WAITING:
            status, reason = (503, self.cut_reason) if self.cut_reason else (499, "client disconnected while it waited")
            self._owner.rejected(self, Rejection(status, reason, is_sent=False))
        self._reader.begin()
        self._behind = b""
        self._owner.closed(self)

    def pause_writing(self) -> None:
        """Wait for the client to read."""
        self.is_paused = True
        self.unsent_bytes = self.transport.get_write_buffer_size()
        self.deadline = time.monotonic() + self._limits.send

    def resume_writing(self) -> None:
        """Continue: the kernel has taken everything."""
        self.is_paused = False
        if self.state is State.RESPONDING:
            self.deadline = math.inf
            if not self._wake_sender():
                self._owner.drained(self)

    def respond(self) -> None:
        """Begin the response to the current request."""
        self.state = State.RESPONDING
        self.deadline = time.monotonic() + self._limits.send if self.is_paused else math.inf

    def send(self, data: bytes) -> None:
        """Send bytes of the response; `is_paused` is true until the kernel has taken them."""
        if not self.is_closed:
            self.transport.write(data)
            if self.transport.is_closing():
                self.abort()  # The event loop would tell only after this turn that the client has gone.

    async def send_whole(self, data: bytes) -> None:
        """Send bytes of the response, and wait until the kernel has taken them or the client is gone."""
        self.send(data)
        if self.is_paused and not self.is_closed:
            self._sent = asyncio.get_running_loop().create_future()
            await self._sent

    def end_response(self, *, keep_alive: bool) -> None:
        """End the response, and go on to the next request or close."""
        if self.is_closed:
            return
        self.served += 1
        self.started = now = time.monotonic()
        self._reader.begin()
        if keep_alive:
            self.state, self.deadline = State.IDLE, now + self._limits.keep_alive
        else:
            self.state, self.deadline = State.CLOSING, now + self._limits.close
            self._behind = b""
        if self.held_bytes:
            self._owner.grown(self)
        self._go_on(now)

    def abort(self, reason: str | None = None) -> None:
        """Close the connection at once, although a response may be on its way."""
        self.cut_reason = reason
        self.connection_lost(None)
        self.transport.abort()

    def _go_on(self, now: float) -> None:
        if self._behind:
            self._feed(self._behind, now)
            if self.state not in {State.IDLE, State.RECEIVING}:
                return
        if self.is_at_end:
            self.transport.close()
            return
        if self.state is State.CLOSING:
            # To close with unread bytes resets the connection: the client can lose the response (RFC 9112, 9.6).
            self.transport.write_eof()
        if self._has_stopped_reading:
            self._has_stopped_reading = False
            self.transport.resume_reading()

    def _feed(self, data: bytes, now: float) -> None:
        request = self._reader.request
        had_head = request.has_head
        try:
            behind = self._reader.feed(data, now)
        except Rejection as rejection:
            self._owner.rejected(self, rejection)
            return
        if self.state is State.IDLE and request.started:
            self.state = State.RECEIVING
            self.started = now
            self.deadline = now + self._limits.head
        self._behind = behind or b""
        if self.memory_bytes > self._limits.large_bytes:
            self._owner.grown(self)
            if self.state is not State.RECEIVING:
                return
        if behind is not None:
            request.received = now
            self.state = State.WAITING
            self._owner.received(self, now)
        elif request.has_head and not had_head:
            self.deadline = now + self._limits.body
            self._owner.received_head(self, now)

    def _wake_sender(self) -> bool:
        sent, self._sent = self._sent, None
        if sent is not None:
            sent.set_result(None)
        return sent is not None
