"""The parser: what it adds to gunicorn's, which has its own tests."""

from collections.abc import Callable

import pytest

from app.refusal import Refusal
from app.request_parser import RequestParser

GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def parser() -> RequestParser:
    """Make a parser that takes every head and every body."""
    return RequestParser(on_headers_complete=lambda: False, on_body=lambda _: None)


def refusal_of(parser: RequestParser, data: bytes) -> tuple[int, str]:
    """Feed what must be refused, and give status and detail."""
    with pytest.raises(Refusal) as caught:
        parser.feed(data)
    return caught.value.status, caught.value.detail


@pytest.mark.parametrize(
    ("data", "status", "detail"),
    [
        (GET + b"X: aaaaaaaa\r\n" * 90 + b"Y: " + b"a" * 8000 + b"\r\n", None, None),
        (GET + (b"X: " + b"a" * 8000 + b"\r\n") * 2, None, None),
        (GET + (b"X: " + b"a" * 8000 + b"\r\n") * 3, 431, "Request headers are too large"),
        (CHUNKED + b"0\r\n" + (b"X: " + b"a" * 8000 + b"\r\n") * 3, 431, "Request trailers are too large"),
        (CHUNKED + (b"1;" + b"a" * 8000 + b"\r\na\r\n") * 3, 400, "not HTTP: chunk extensions are too large"),
        (CHUNKED + (b"0" * 8000 + b"1\r\na\r\n") * 3, 400, "not HTTP: chunk extensions are too large"),
        (CHUNKED + b"1;" + b"a" * 9000 + b"\r\n", 400, "not HTTP: chunk size line has no terminator"),
        (CHUNKED + b"0\r\nX: " + b"a" * 9000 + b"\r\n", 431, "Request trailer field is too large"),
        (CHUNKED + b"1;chunk-signature=0\r\na\r\n" * 1000, None, None),
        (CHUNKED + b"00000001\r\na\r\n" * 10_000, None, None),
    ],
    ids=[
        "one long header",
        "two",
        "three",
        "three trailers",
        "extensions",
        "zeros",
        "a long extension",
        "a long trailer",
        "short extensions",
        "short zeros",
    ],
)
def test_lines_are_bounded_together(parser: RequestParser, data: bytes, status: int | None, detail: str | None) -> None:
    """What is neither the first line nor the body has 16 KiB."""
    if status is None:
        parser.feed(data)
    else:
        assert (status, detail) == refusal_of(parser, data)


def test_each_request_has_its_own_bound(parser: RequestParser) -> None:
    """What a request before has used up is forgotten."""
    for _ in range(3):
        parser.feed(GET + b"X: " + b"a" * 8000 + b"\r\n\r\n")
        assert parser.is_complete
        parser.reset()


@pytest.mark.parametrize(
    ("trailer", "is_taken"),
    [
        (b"A: b\r\nC:\r\n", True),
        (b"A: \t\xe9 \r\n", True),
        (b"\r\r\n", False),
        (b"GET / HTTP/1.0\r\n", False),
        (b" A: folded\r\n", False),
        (b"A : b\r\n", False),
        (b": b\r\n", False),
        (b"A: b\rc\r\n", False),
        (b"A: \x00\r\n", False),
        (b"Host: a\r\n", False),
    ],
)
def test_a_trailer_is_a_field(parser: RequestParser, trailer: bytes, is_taken: bool) -> None:
    """A line behind the last chunk is a name and a value, as above the body, or the request is refused."""
    data = CHUNKED + b"0\r\n" + trailer + b"\r\n"
    if is_taken:
        parser.feed(data)
        assert parser.is_complete
    else:
        assert 400 == refusal_of(parser, data)[0]


@pytest.mark.parametrize(
    ("make", "quoted"),
    [
        (lambda text: b"%s / HTTP/1.1\r\n" % text, "method"),
        (lambda text: b"GET / %s\r\n" % text, "version"),
        (lambda text: GET + b"%s: a\r\n" % text, "header name"),
        (lambda text: GET + b"Transfer-Encoding: %s\r\n\r\n" % text, "Transfer-Encoding"),
    ],
)
def test_64_characters_are_quoted(parser: RequestParser, make: Callable[[bytes], bytes], quoted: str) -> None:
    """The detail says what is wrong and shows no more than the start of it."""
    assert (400, f"not HTTP: {quoted}: {'(' * 64}") == refusal_of(parser, make(b"(" * 5000))


@pytest.mark.parametrize("byte", range(256))
def test_the_bytes_of_names_and_values(parser: RequestParser, byte: int) -> None:
    """The quicker checks take the same bytes as those of gunicorn that they stand in for."""
    data = bytes([byte])
    assert super(RequestParser, parser)._is_valid_token(data) == parser._is_valid_token(data)  # noqa: SLF001
    assert super(RequestParser, parser)._has_invalid_header_chars(data) == parser._has_invalid_header_chars(data)  # noqa: SLF001


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", 0),
        (GET, 0),
        (GET + b"Content-Length: 100000\r\n\r\nabc", 99_997),
        (GET + b"Content-Length: 3\r\n\r\nabc", 0),
        (CHUNKED, 0),
        (CHUNKED + b"ff\r\nabc", 252),
        (CHUNKED + b"3\r\nabc", 0),
    ],
)
def test_expected(parser: RequestParser, data: bytes, expected: int) -> None:
    """What is known to follow of a body is known before it comes."""
    parser.feed(data)
    assert expected == parser.expected
