"""One client's connection: bytes in, complete requests out; responses in, bytes out. Nothing in it blocks."""

import socket
from contextlib import suppress
from enum import Enum, auto

from app.incoming_request import IncomingRequest
from app.limits import Limits
from app.request_parser import LINE_BYTES

# So much is read at once of a body, and no more than LINE_BYTES where the next request could begin: what stands behind
# a request waits here until the client has read its answer, for a thousand clients that never do 16 MB.
RECEIVE_BYTES = 64 * 1024

# What a client goes on sending after the last response is counted and not copied (MSG_TRUNC), so much at once; nothing
# is written here, where the kernel knows the flag for this kind of socket. With recv(), discarding the bodies that were
# refused in an overload took 7 % of the worker's time, now 3 %.
_DISCARDED = bytearray(1024 * 1024)

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class State(Enum):
    """What a connection waits for."""

    IDLE = auto()  # the first byte of a request
    RECEIVING = auto()  # the rest of it
    READY = auto()  # its turn to be served
    SENDING = auto()  # the client to take the response
    CLOSING = auto()  # the client to have read the last response, and to close
    CLOSED = auto()


class Connection:
    """The state of one client's connection; `deadline` is on the clock of `now`, in seconds."""

    def __init__(self, client: socket.socket, address: str, limits: Limits, now: float) -> None:
        self.socket = client
        self.descriptor = client.fileno()
        self.address = address
        self.limits = limits
        self.state = State.IDLE
        self.deadline = now + limits.keep_alive
        self.served = 0
        self.started = now
        self.request = IncomingRequest(limits.body_bytes, self._continue)
        self.is_pipelined = False
        self.is_writing = False
        self._output = memoryview(b"")
        self._is_last = False

    @property
    def awaits_body(self) -> bool:
        """Whether the head of a request is there, and its body is not."""
        return self.state is State.RECEIVING and self.request.has_head

    def receive(self, now: float) -> None:
        """Take what the client has sent. `state` tells what has come of it.

        Raises Refusal for a request that no answer of the application's can follow.
        """
        try:
            if self.state is State.CLOSING:
                self._discard(now)
                return
            data = self.socket.recv(min(max(self.request.parser.expected, LINE_BYTES), RECEIVE_BYTES))
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._feed(data, now)
        else:
            self.close()

    def keeps_waiting(self) -> bool:
        """Tell whether the client has sent less than could be received at once: it is the client that is slow."""
        try:
            return len(self.socket.recv(LINE_BYTES, socket.MSG_PEEK)) < LINE_BYTES
        except OSError:
            return True

    def send(self, response: bytes, *, is_last: bool, now: float) -> None:
        """Send a response, and as the last one of this connection where `is_last` says so."""
        self.request.body.clear()  # It has been answered. Who does not read the answer would hold it for a while.
        self._output = memoryview(response)
        self._is_last = is_last
        self.deadline = now + self.limits.send
        self.state = State.SENDING
        self.flush(now)

    def flush(self, now: float) -> None:
        """Send as much of the response as the client takes."""
        try:
            self._output = self._output[self.socket.send(self._output) :]
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        if not self._output:
            self.served += 1
            if self._is_last:
                self._half_close(now)
            else:
                self._begin_next(now)

    def close(self) -> None:
        """Close without another word."""
        self.state = State.CLOSED
        self.socket.close()

    def _begin_next(self, now: float) -> None:
        pipelined = self.request.end()
        self.is_pipelined = bool(pipelined)
        self.state = State.IDLE
        self.started = now
        self.deadline = now + self.limits.keep_alive
        if pipelined:
            self._feed(pipelined, now)

    def _half_close(self, now: float) -> None:
        # Closed at once, with bytes of the client's still unread, the kernel would reset the connection, and the
        # client could lose the response on its way (RFC 9112, section 9.6).
        self.state = State.CLOSING
        self.started = now
        self.deadline = now + self.limits.close
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.close()

    def _discard(self, now: float) -> None:
        # It is still sending what nobody reads. While it does so it has not read the response.
        if self.socket.recv_into(_DISCARDED, 0, socket.MSG_TRUNC):
            self.deadline = min(now + self.limits.close, self.started + self.limits.longest_close)
        else:
            self.close()

    def _feed(self, data: bytes, now: float) -> None:
        if self.state is State.IDLE:
            self.state = State.RECEIVING
            self.started = now
            self.deadline = now + self.limits.head
        had_head = self.request.has_head
        is_ready = self.request.feed(data)
        if self.request.has_head and not had_head:
            self.deadline = now + self.limits.body
        if is_ready:
            self.state = State.READY

    def _continue(self) -> None:
        with suppress(OSError):
            self.socket.send(CONTINUE)
