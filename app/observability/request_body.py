"""The body of a request, as far as its size goes."""

import io
from typing import TYPE_CHECKING

from werkzeug.exceptions import RequestEntityTooLarge

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

# What is larger than any limit, and still a number of 64 bits.
UNKNOWN_BYTES = 2**63 - 1


def body_bytes(environ: "WSGIEnvironment") -> int:
    """Read the size of the body in bytes from the environ; 0 where it has no size, or one that is no number."""
    text = environ.get("CONTENT_LENGTH")
    if not text:
        return 0
    return int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(UNKNOWN_BYTES)) else 0


def is_chunked(environ: "WSGIEnvironment") -> bool:
    """Tell whether the body has a size that only reading it tells, and an end that the server finds."""
    return "HTTP_TRANSFER_ENCODING" in environ and bool(environ.get("wsgi.input_terminated"))


def receive_chunked(environ: "WSGIEnvironment", limit: int) -> int:
    """Read a chunked body of up to `limit` bytes and give it a Content-Length; return how many bytes were read.

    Without one, werkzeug hands the first MAX_CONTENT_LENGTH bytes of a longer body to the view as if they were all of
    it (werkzeug 3.1, LimitedStream.readall). With one, it answers 413.
    """
    body = environ["wsgi.input"].read(limit + 1)
    environ["wsgi.input"] = io.BytesIO(body) if len(body) <= limit else TooLargeBody()
    environ["CONTENT_LENGTH"] = str(len(body) if len(body) <= limit else UNKNOWN_BYTES)
    del environ["HTTP_TRANSFER_ENCODING"]
    return len(body)


class TooLargeBody(io.RawIOBase):
    """A body that the server has not taken, since it is larger than the limit: to read it is a 413.

    A view may have a larger limit of its own (Flask's `request.max_content_length`). It must not get an empty body.
    """

    def readinto(self, _buffer: object) -> int:
        """Read nothing."""
        raise RequestEntityTooLarge
