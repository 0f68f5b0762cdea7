"""A request on its way in: the head that has been parsed of it, and the body as far as it has come."""

from collections.abc import Callable

from app.refusal import Refusal
from app.request_head import check_head
from app.request_parser import RequestParser

# Bodies above this are counted, and bounded together; a thousand that stay below take 16 MB.
LARGE_BODY_BYTES = 16 * 1024

# A chunk costs 4 us to parse, however small it is: without a bound on their number, a megabyte in one-byte chunks takes
# five seconds. So many are free, and then one for so many bytes of the largest body.
FREE_CHUNKS = 1000
BYTES_FOR_A_CHUNK = 64


class IncomingRequest:
    """The request that a client is sending, whose body may have at most `body_bytes`."""

    def __init__(self, body_bytes: int, welcome_body: Callable[[], None]) -> None:
        self.body = bytearray()
        self.has_head = False
        self.is_too_large = False
        self.parser = RequestParser(on_headers_complete=self._take_head, on_body=self._take_body)
        self._body_bytes = body_bytes
        self._most_pieces = FREE_CHUNKS + body_bytes // BYTES_FOR_A_CHUNK
        self._pieces = 0
        self._welcome_body = welcome_body

    @property
    def is_large(self) -> bool:
        """Whether the body so far is one of those that are counted."""
        return len(self.body) > LARGE_BODY_BYTES

    def feed(self, data: bytes) -> bool:
        """Take bytes in, and tell whether no more are needed. Raises Refusal for those that are no request."""
        self.parser.feed(data)
        self.is_too_large = max(len(self.body), self.parser.content_length or 0) > self._body_bytes
        return self.parser.is_complete or self.is_too_large

    def end(self) -> bytes:
        """Make room for the next request; return what has already come of it."""
        rest: bytes = self.parser.remaining()
        self.parser.reset()
        self.body.clear()
        self.has_head = False
        self._pieces = 0
        return rest

    def _take_head(self) -> bool:
        self.has_head = True
        # curl waits a second for a word before it sends a large body. Where the body is too large, the final answer
        # goes out instead, and the client need not send it at all.
        if check_head(self.parser) and (self.parser.content_length or 0) <= self._body_bytes:
            self._welcome_body()
        return False  # There may be a body.

    def _take_body(self, piece: bytes) -> None:
        self.body += piece
        self._pieces += 1
        if self.parser.is_chunked and self._pieces > self._most_pieces:
            raise Refusal(400, "too many small chunks")
