"""The size of a request's body."""

import io
from typing import TYPE_CHECKING

from werkzeug.exceptions import RequestEntityTooLarge

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

# Larger than any limit, and still a 64-bit number.
UNKNOWN_BYTES = 2**63 - 1


def body_bytes(environ: "WSGIEnvironment") -> int:
    """Read the size of the body in bytes from the environ; 0 if it is missing or not a number."""
    text = (environ.get("CONTENT_LENGTH") or "").lstrip("0")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(UNKNOWN_BYTES)) else 0


def is_chunked(environ: "WSGIEnvironment") -> bool:
    """Tell whether only reading the body reveals its size, and the server detects its end."""
    return "HTTP_TRANSFER_ENCODING" in environ and bool(environ.get("wsgi.input_terminated"))


def receive_chunked(environ: "WSGIEnvironment", limit: int) -> int:
    """Read a chunked body of up to `limit` bytes and set its Content-Length; return how many bytes were read.

    Without one, werkzeug passes the first MAX_CONTENT_LENGTH bytes of a longer body to the view as if they were the
    whole body (werkzeug 3.1, LimitedStream.readall). With one, it answers 413.
    """
    body = environ["wsgi.input"].read(limit + 1)
    environ["wsgi.input"] = io.BytesIO(body) if len(body) <= limit else TooLargeBody()
    environ["CONTENT_LENGTH"] = str(len(body) if len(body) <= limit else UNKNOWN_BYTES)
    del environ["HTTP_TRANSFER_ENCODING"]
    return len(body)


class TooLargeBody(io.RawIOBase):
    """A body that the server has not received because it is larger than the limit: reading it raises a 413.

    A view may set a larger limit (Flask's `request.max_content_length`). It must not get an empty body.
    """

    def readinto(self, _buffer: object) -> int:
        """Raise RequestEntityTooLarge."""
        raise RequestEntityTooLarge

    def read(self, _size: int | None = -1) -> bytes:
        """Raise RequestEntityTooLarge, and not MemoryError where a middleware reads as much as Content-Length says."""
        raise RequestEntityTooLarge
