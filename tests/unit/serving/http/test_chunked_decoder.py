"""The chunked transfer coding: the body, where it ends, and what is none."""

import gc
import weakref

import pytest

from app.serving.http.chunked_decoder import ChunkedDecoder
from app.serving.http.limits import Limits
from app.serving.http.rejection import Rejection

LIMITS = Limits(body_bytes=100_000)
EXTENSIONS_TOO_LONG = (400, "the chunk extensions exceed 16384 bytes")
TRAILERS_TOO_LONG = (431, "the trailer fields exceed 16384 bytes")
NO_SIZE = (400, "malformed HTTP: no valid chunk size")
NO_TRAILER = (400, "malformed HTTP: no valid trailer")
NO_LINE = (400, "malformed HTTP: a line of the body ends without CRLF")


def decode(*pieces: bytes) -> tuple[bytes, bytes | None]:
    """Feed pieces, and return the body and what stands behind it."""
    body = bytearray()
    decoder = ChunkedDecoder(body, LIMITS)
    *before, last = pieces
    assert [None] * len(before) == [decoder.feed(piece) for piece in before]
    behind = decoder.feed(last)
    return bytes(body), behind


def rejection_of(data: bytes) -> tuple[int, str]:
    """Feed what must be rejected, and return status and reason."""
    with pytest.raises(Rejection) as caught:
        decode(data)
    return caught.value.status, caught.value.reason


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (b"0\r\n\r\n", b""),
        (b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde"),
        (b"A\r\n0123456789\r\n000\r\n\r\n", b"0123456789"),
        (b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n"),
        (b'1;a\r\nx\r\n1 ; b = c ;d="e; \\" \xe9"\r\ny\r\n0;f\r\n\r\n', b"xy"),
        (b"1\r\nx\r\n0\r\nA: b\r\nC:\r\n\r\n", b"x"),
        (b"1\r\nx\r\n0\r\nA: \t\xe9 \r\n\r\n", b"x"),
    ],
)
def test_body(data: bytes, body: bytes) -> None:
    """A body is what the chunks carry, wherever the network cuts it; what stands behind it is left."""
    assert (body, b"GET") == decode(data + b"GET")
    assert (body, b"") == decode(*(data[index : index + 1] for index in range(len(data))))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"zz\r\n", NO_SIZE),
        (b"\r\n", NO_SIZE),
        (b"-1\r\n", NO_SIZE),
        (b"0x1\r\n", NO_SIZE),
        (b"1_0\r\n", NO_SIZE),
        (b"1 \r\n", NO_SIZE),
        (b" 1\r\n", NO_SIZE),
        (b"1;\r\n", NO_SIZE),
        (b"1;a=\r\n", NO_SIZE),
        (b'1;a="b\r\n', NO_SIZE),
        (b"1;a=b c\r\n", NO_SIZE),
        (b"1;" + b"a" * 9000 + b"\r\n", NO_SIZE),
        (b"1\n", NO_LINE),
        (b"\n", NO_LINE),
        (b"3\r\nabcde", (400, "malformed HTTP: a chunk longer than its size")),
        (b"3\r\nabc\n", (400, "malformed HTTP: a chunk longer than its size")),
        (b"3\r\nabc\rx", (400, "malformed HTTP: a chunk longer than its size")),
    ],
    ids=lambda value: str(value)[:30],
)
def test_chunks_that_are_none(data: bytes, expected: tuple[int, str]) -> None:
    """A chunk has its size in hexadecimal digits, perhaps extensions, and ends with CRLF, or is rejected."""
    assert expected == rejection_of(data)


@pytest.mark.parametrize(
    "trailer",
    [
        b"\r\r\n",
        b"GET / HTTP/1.0\r\n",
        b" A: folded\r\n",
        b"A : b\r\n",
        b": b\r\n",
        b"A: b\rc\r\n",
        b"A: \x00\r\n",
        b"A: \x7f\r\n",
        b"Host: a\r\n",
        b"Content-Length: 1\r\n",
        b"TRANSFER-ENCODING: chunked\r\n",
    ],
)
def test_trailers_that_are_none(trailer: bytes) -> None:
    """A line behind the last chunk is a name and a value, and no field that says where the request ends or goes."""
    assert NO_TRAILER == rejection_of(b"0\r\n" + trailer + b"\r\n")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ((b"1;" + b"a" * 8000 + b"\r\na\r\n") * 3, EXTENSIONS_TOO_LONG),
        ((b"0" * 8000 + b"1\r\na\r\n") * 3, EXTENSIONS_TOO_LONG),
        (b"1;" + b"a" * 17_000, EXTENSIONS_TOO_LONG),
        (b"0\r\n" + (b"X: " + b"a" * 8000 + b"\r\n") * 3, TRAILERS_TOO_LONG),
        (b"0\r\nX: " + b"a" * 17_000, TRAILERS_TOO_LONG),
        (b"0\r\n" + b"X: a\r\n" * 101, (431, "more than 100 trailer fields")),
    ],
    ids=["extensions", "zeros", "an endless extension", "trailers", "an endless trailer", "many trailers"],
)
def test_lines_are_bounded_together(data: bytes, expected: tuple[int, str]) -> None:
    """What is neither size nor data of a body has 16 KiB, and 100 trailers."""
    assert expected == rejection_of(data)


@pytest.mark.parametrize(
    "data",
    [b"1;signature=0\r\na\r\n" * 250, b"00000001\r\na\r\n" * 250],
    ids=["extensions", "zeros"],
)
def test_short_lines_are_free(data: bytes) -> None:
    """Sizes with up to 16 characters, extensions included, cost nothing."""
    assert None is decode(data)[1]


def test_chunks_are_counted() -> None:
    """A body in chunks of a byte each is rejected after 250 of them, and not before its size allows for more."""
    reason = "more than 250 chunks, and less than 64 bytes in each"
    assert None is decode(b"1\r\na\r\n" * 250)[1]
    assert (400, reason) == rejection_of(b"1\r\na\r\n" * 300)
    assert None is decode((b"40\r\n" + b"a" * 64 + b"\r\n") * 1500)[1]


def test_a_body_does_not_wait_for_the_garbage_collector() -> None:
    """A decoder is no part of a reference cycle, and what it has decoded is freed together with the request."""
    decoder = ChunkedDecoder(bytearray(), LIMITS)
    decoder.feed(b"3\r\nabc\r\n0\r\n")
    freed = weakref.ref(decoder)
    gc.disable()
    try:
        del decoder
        assert freed() is None
    finally:
        gc.enable()
