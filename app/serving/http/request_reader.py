"""The request reader: bytes in, as the network splits them; complete requests out."""

import re
from collections.abc import Callable

from app.serving.http.chunked_decoder import ChunkedDecoder
from app.serving.http.limits import Limits
from app.serving.http.rejection import Rejection
from app.serving.http.request import Request
from app.serving.http.request_head import read_head, read_request_line

_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
_CARRIAGE_RETURN = 0x0D

# What a field takes in memory besides its text: two bytes objects and a tuple. A head of 15 kB can have 100 fields.
FIELD_BYTES = 128


class RequestReader:
    """Reads one request after another from the bytes of a connection; `request` is the current one."""

    def __init__(self, limits: Limits, send_continue: Callable[[], None]) -> None:
        self.request = Request()
        self._limits = limits
        self._send_continue = send_continue
        self._partial = b""  # The head, while it is incomplete.
        self._searched = 0  # How much of it has been searched: a head may arrive byte by byte.
        self._head_bytes = 0
        self._has_skipped_line = False
        self._chunks: ChunkedDecoder | None = None

    @property
    def held_bytes(self) -> int:
        """Return how many bytes the current request holds."""
        chunks = self._chunks.held_bytes if self._chunks else 0
        return len(self._partial) + self._head_bytes + len(self.request.body) + chunks

    @property
    def missing_bytes(self) -> int:
        """Return how many of the next bytes certainly belong to the body."""
        return 0 if self._chunks else self.request.content_length - len(self.request.body)

    def begin(self) -> None:
        """Get ready for the next request."""
        self.request = Request()
        self._partial = b""
        self._searched = 0
        self._head_bytes = 0
        self._has_skipped_line = False
        self._chunks = None

    def feed(self, data: bytes, now: float) -> bytes | None:
        """Read bytes; return those after the request once it is complete or too large, and None before.

        Raises Rejection.
        """
        request = self.request
        if not request.has_head:
            rest = self._feed_head(self._partial + data, now)
            if rest is None:
                return None
            data = rest
        if request.is_too_large:
            return data
        if self._chunks:
            rest = self._chunks.feed(data)
            request.is_too_large = len(request.body) > self._limits.body_bytes
            if rest is not None:
                self._chunks = None  # It refers to the body, which is to be freed when the application has its copy.
            return b"" if rest is None and request.is_too_large else rest
        missing = request.content_length - len(request.body)
        if not request.body and len(data) >= missing:
            request.body = data[:missing]
        else:
            request.body = request.body or bytearray()
            request.body += data[:missing]
        return data[missing:] if len(data) >= missing else None

    def _feed_head(self, data: bytes, now: float) -> bytes | None:
        if data[0] == _CARRIAGE_RETURN:
            data = self._skip_line(data, now)
            if not data:
                return None
        self.request.started = self.request.started or now
        end = data.find(b"\r\n\r\n", self._searched)
        if end == -1:
            self._partial = data
            self._check_partial_head()
            self._searched = max(0, len(data) - 3)
            return None
        self._partial = b""
        read_head(self.request, data[: end + 4], self._limits)
        self._head_bytes = end + 4 + FIELD_BYTES * len(self.request.fields)
        self._expect_body()
        return data[end + 4 :]

    def _skip_line(self, data: bytes, now: float) -> bytes:
        # RFC 9112, section 2.2: an empty line before a request is ignored. It does not start the time limit.
        if self._has_skipped_line or data[1:2] not in {b"", b"\n"}:
            self.request.started = now
            raise Rejection(400, "malformed HTTP: no valid request line")
        self._partial = data if len(data) == 1 else b""
        self._has_skipped_line = len(data) > 1
        return data[2:]

    def _check_partial_head(self) -> None:
        line_end = self._partial.find(b"\r\n")
        line_bytes = len(self._partial) if line_end == -1 else line_end
        if line_end != -1 and not self.request.target:
            read_request_line(self.request, self._partial[:line_end], self._limits)
        if line_bytes > self._limits.request_line_bytes:
            raise Rejection(414, f"the request line exceeds {self._limits.request_line_bytes} bytes")
        if len(self._partial) - line_bytes - 2 > self._limits.field_bytes:
            raise Rejection(431, f"the header fields exceed {self._limits.field_bytes} bytes")
        if _BARE_LINE_FEED.search(self._partial, self._searched):
            raise Rejection(400, "malformed HTTP: a line of the head ends without CRLF")

    def _expect_body(self) -> None:
        request = self.request
        request.is_too_large = request.content_length > self._limits.body_bytes
        if request.is_chunked:
            request.body = bytearray()
            self._chunks = ChunkedDecoder(request.body, self._limits)
        # curl waits a second for 100 Continue before it sends a large body. If the body is too large, the final
        # response goes out instead, and the client need not send it.
        if request.expects_continue and not request.is_too_large:
            self._send_continue()
