"""One client's connection: bytes in, complete requests out; responses in, bytes out. Nothing in it blocks."""

import socket
from contextlib import suppress
from enum import Enum, auto

from app.limits import Limits
from app.refusal import Refusal
from app.request_head import check_head
from app.request_parser import LINE_BYTES, RequestParser

# So much is read at once of a body, and no more than LINE_BYTES where the next request could begin: what stands behind
# a request waits here until the client has read its answer, for a thousand clients that never do 16 MB.
RECEIVE_BYTES = 64 * 1024

# Bodies above this are counted, and bounded together; a thousand that stay below take 16 MB.
LARGE_BODY_BYTES = 16 * 1024

# A chunk costs 4 us to parse, however small it is: without a bound on their number, a megabyte in one-byte chunks takes
# five seconds. So many are free, and then one for so many bytes of the largest body.
FREE_CHUNKS = 1000
BYTES_FOR_A_CHUNK = 64

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
        self.body = bytearray()
        self.is_too_large = False
        self.is_pipelined = False
        self.is_writing = False
        self._has_head = False
        self._pieces = 0
        self._output = memoryview(b"")
        self._is_last = False
        self.parser = RequestParser(on_headers_complete=self._take_head, on_body=self._take_body)

    @property
    def is_large(self) -> bool:
        """Whether the body so far is one of those that are counted."""
        return len(self.body) > LARGE_BODY_BYTES

    @property
    def awaits_body(self) -> bool:
        """Whether the head of a request is there, and its body is not."""
        return self.state is State.RECEIVING and self._has_head

    def receive(self, now: float) -> None:
        """Take what the client has sent. `state` tells what has come of it.

        Raises Refusal for a request that no answer of the application's can follow.
        """
        try:
            if self.state is State.CLOSING:
                self._discard(now)
                return
            data = self.socket.recv(min(max(self.parser.expected, LINE_BYTES), RECEIVE_BYTES))
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._feed(data, now)
        else:
            self.close()

    def send(self, response: bytes, *, is_last: bool, now: float) -> None:
        """Send a response, and as the last one of this connection where `is_last` says so."""
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
        pipelined = self.parser.remaining()
        self.is_pipelined = bool(pipelined)
        self.parser.reset()
        self.body.clear()
        self._has_head = False
        self._pieces = 0
        self.state = State.IDLE
        self.started = now
        self.deadline = now + self.limits.keep_alive
        if pipelined:
            self._feed(pipelined, now)

    def _half_close(self, now: float) -> None:
        # Closed at once, with bytes of the client's still unread, the kernel would reset the connection, and the
        # client could lose the response on its way (RFC 9112, section 9.6).
        self.state = State.CLOSING
        self.body.clear()
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
        had_head = self._has_head
        self.parser.feed(data)
        if self._has_head and not had_head:
            self.deadline = now + self.limits.body
        self.is_too_large = max(len(self.body), self.parser.content_length or 0) > self.limits.body_bytes
        if self.parser.is_complete or self.is_too_large:
            self.state = State.READY

    def _take_body(self, piece: bytes) -> None:
        self.body += piece
        self._pieces += 1
        if self.parser.is_chunked and self._pieces > FREE_CHUNKS + self.limits.body_bytes // BYTES_FOR_A_CHUNK:
            raise Refusal(400, "too many small chunks")

    def _take_head(self) -> bool:
        self._has_head = True
        if check_head(self.parser):
            self._continue()
        return False  # There may be a body.

    def _continue(self) -> None:
        # curl waits a second for this before it sends a large body. Where the body is too large, the final answer goes
        # out instead, and the client need not send it at all.
        if (self.parser.content_length or 0) <= self.limits.body_bytes:
            with suppress(OSError):
                self.socket.send(CONTINUE)
