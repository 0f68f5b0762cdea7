"""The chunked transfer coding (RFC 9112, section 7.1).

llhttp knows it too, but cannot stop where a body ends: it would parse the next request before this one is served.
"""

import re

from app.serving.http.limits import BYTES_PER_CHUNK, FREE_CHUNKS, Limits
from app.serving.http.rejection import Rejection

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
_EXTENSION = rb"[ \t]*;[ \t]*" + _TOKEN + rb"(?:[ \t]*=[ \t]*(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?"
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]+)(?:" + _EXTENSION + rb")*")
_TRAILER = re.compile(rb"(" + _TOKEN + rb"):[\t\x20-\x7e\x80-\xff]*")

# Fields that would change where the request ends or where it goes (RFC 9110, section 6.5.1).
_FORBIDDEN_TRAILERS = frozenset({b"content-length", b"transfer-encoding", b"host"})

# A size with more digits than this only costs time.
_SIZE_BYTES = 16


class ChunkedDecoder:
    """Decodes the bytes of a chunked body as they arrive, and appends the data to `body`."""

    def __init__(self, body: bytearray, limits: Limits) -> None:
        self._is_complete = False
        self._body = body
        self._limits = limits
        self._chunks = 0
        self._remaining = 0
        self._line_bytes = 0
        self._fields = 0
        # A function, not a bound method: that would be a reference cycle, and the body would wait for the collector.
        self._state = ChunkedDecoder._size_line
        self._pending = b""

    @property
    def held_bytes(self) -> int:
        """Return how many bytes are held in addition to the body."""
        return len(self._pending)

    def feed(self, data: bytes) -> bytes | None:
        """Decode bytes; return those after the body once it has ended, and None before. Raises Rejection."""
        data = self._pending + data
        self._pending = b""
        position = 0
        while not self._is_complete:
            taken = self._state(self, data, position)
            if taken is None:
                self._pending = data[position:]
                if len(self._pending) > self._limits.field_bytes:
                    raise self._too_long()
                return None
            position = taken
        return data[position:]

    def _size_line(self, data: bytes, position: int) -> int | None:
        line, end = _line(data, position)
        if line is None or end is None:
            return None
        match = _SIZE_LINE.fullmatch(line)
        if not match or len(line) > self._limits.request_line_bytes:
            raise Rejection(400, "malformed HTTP: no valid chunk size")
        self._count(len(line) - _SIZE_BYTES)
        self._chunks += 1
        if self._chunks > self._limits.chunks(len(self._body)):
            raise Rejection(400, f"more than {FREE_CHUNKS} chunks, and less than {BYTES_PER_CHUNK} bytes in each")
        self._remaining = int(match[1], 16)
        chunk_end = end + self._remaining
        if self._remaining and data.startswith(b"\r\n", chunk_end):  # The whole chunk is here: half the cost.
            self._body += memoryview(data)[end:chunk_end]
            return chunk_end + 2
        self._state = ChunkedDecoder._data if self._remaining else ChunkedDecoder._trailer
        return end

    def _data(self, data: bytes, position: int) -> int | None:
        if position == len(data):
            return None
        end = min(len(data), position + self._remaining)
        self._body += memoryview(data)[position:end]
        self._remaining -= end - position
        if not self._remaining:
            self._state = ChunkedDecoder._data_end
        return end

    def _data_end(self, data: bytes, position: int) -> int | None:
        if not b"\r\n".startswith(data[position : position + 2]):
            raise Rejection(400, "malformed HTTP: a chunk longer than its size")
        if len(data) < position + 2:
            return None
        self._state = ChunkedDecoder._size_line
        return position + 2

    def _trailer(self, data: bytes, position: int) -> int | None:
        line, end = _line(data, position)
        if line is None:
            return None
        if not line:
            self._is_complete = True
            return end
        match = _TRAILER.fullmatch(line)
        if not match or match[1].lower() in _FORBIDDEN_TRAILERS:
            raise Rejection(400, "malformed HTTP: no valid trailer")
        self._count(len(line))
        self._fields += 1
        if self._fields > self._limits.fields:
            raise Rejection(431, f"more than {self._limits.fields} trailer fields")
        return end

    def _count(self, size: int) -> None:
        self._line_bytes += max(size, 0)
        if self._line_bytes > self._limits.field_bytes:
            raise self._too_long()

    def _too_long(self) -> Rejection:
        if self._state is ChunkedDecoder._trailer:
            return Rejection(431, f"the trailer fields exceed {self._limits.field_bytes} bytes")
        return Rejection(400, f"the chunk extensions exceed {self._limits.field_bytes} bytes")


def _line(data: bytes, position: int) -> tuple[bytes, int] | tuple[None, None]:
    end = data.find(b"\n", position)
    if end == -1:
        return None, None
    if end == position or not data.startswith(b"\r", end - 1):
        raise Rejection(400, "malformed HTTP: a line of the body ends without CRLF")
    return data[position : end - 1], end + 1
