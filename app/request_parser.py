"""The parser of requests: gunicorn's, with the rest of RFC 9112 and with bounds on what a request may cost."""

import re
from collections.abc import Callable

from gunicorn.asgi.parser import (
    InvalidChunkExtension,
    InvalidHeader,
    InvalidHeaderName,
    InvalidHTTPVersion,
    InvalidRequestMethod,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseError,
    PythonProtocol,
    UnsupportedTransferCoding,
)

from app.decoding import QUOTED_CHARACTERS
from app.refusal import Refusal

# The lines of a request that are neither its first one nor its body, together; Node.js has the same bound. gunicorn
# bounds each line and the number of headers, which comes to 800 kB: a thousand clients that stopped short of their last
# header have been seen to hold 160 MB, and a probe waited for nine seconds.
LINE_BYTES = 16 * 1024

# So much of the line before a chunk is its size. Extensions and leading zeros count as above: 17,000 chunks of one byte
# with 8 kB of zeros each took 2.6 s of CPU time, and 140 MB on the way.
CHUNK_SIZE_BYTES = 16

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")

# The text of these is all that the client has sent in its place, up to 8 kB of it.
_QUOTED = {
    InvalidHTTPVersion: "version",
    InvalidHeaderName: "header name",
    InvalidRequestMethod: "method",
    UnsupportedTransferCoding: "Transfer-Encoding",
}


class RequestParser(PythonProtocol):  # type: ignore[misc]
    """Parses the bytes of a connection as they come.

    gunicorn has a second parser, for its own workers, that reads from a socket until a request is complete. This one,
    of its worker for asyncio, takes what there is and goes on when there is more.
    """

    __slots__ = ("_line_bytes",)

    def __init__(self, on_headers_complete: Callable[[], bool], on_body: Callable[[bytes], None]) -> None:
        super().__init__(on_headers_complete=on_headers_complete, on_body=on_body)
        self._line_bytes = 0

    def feed(self, data: bytes) -> None:
        """Take bytes. Raises Refusal."""
        if self._state == "body" and len(data) < self._body_remaining:
            # gunicorn copies a piece three times before it hands it on.
            self._body_remaining -= len(data)
            self._on_body(data)
            return
        try:
            super().feed(data)
        except LimitRequestLine as error:
            raise Refusal(414, str(error)) from None
        except LimitRequestHeaders as error:
            raise Refusal(431, str(error)) from None
        except ParseError as error:
            what = _QUOTED.get(type(error))
            text = f"{what}: {str(error)[:QUOTED_CHARACTERS]}" if what else str(error)
            raise Refusal(400, f"not HTTP: {text}") from None
        except ValueError:
            # gunicorn checks that a length consists of digits, and not how many: int() refuses more than 4,300. One
            # such request has been seen to end a worker, together with the requests of everybody else in it.
            raise Refusal(400, "not HTTP: Invalid Content-Length value") from None

    def reset(self) -> None:
        """Get ready for the next request."""
        super().reset()
        self._line_bytes = 0

    @property
    def expected(self) -> int:
        """How many of the next bytes are surely of the body."""
        return int(max(self._body_remaining, self._chunk_remaining))

    def _find_line(self, limit: int, error: ParseError) -> int:
        end: int = super()._find_line(limit, error)
        if end > limit:  # gunicorn looks at this only as long as the end has not come.
            raise error
        if end != -1 and self._state == "headers":
            self._count(end, LimitRequestHeaders("Request headers are too large"))
        elif end != -1 and self._state == "chunked" and self._chunk_state == "size":
            self._count(end - CHUNK_SIZE_BYTES, InvalidChunkExtension("chunk extensions are too large"))
        elif end != -1 and self._state == "chunked":
            self._count(end, LimitRequestHeaders("Request trailers are too large"))
            self._check_trailer(bytes(self._buffer[:end]))
        return end

    def _count(self, size: int, error: ParseError) -> None:
        self._line_bytes += max(size, 0)
        if self._line_bytes > LINE_BYTES:
            raise error

    def _check_trailer(self, line: bytes) -> None:
        # gunicorn skips trailers as they are, a line that is nothing but a CR or a whole request line among them. Who
        # takes such a line for the end, sees a second request where this would see none.
        name, colon, value = line.partition(b":")
        if line and not (colon and self._is_valid_token(name) and not _CONTROL.search(value)):
            raise InvalidHeader("Invalid trailer")

    # gunicorn looks at each byte for itself: with a cookie and the headers of a proxy, 9 of the 30 us of a head.

    def _is_valid_token(self, data: bytes) -> bool:
        return _TOKEN.fullmatch(data) is not None

    def _has_invalid_header_chars(self, value: bytes) -> bool:
        return _CONTROL.search(value) is not None
