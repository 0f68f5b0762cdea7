"""A request on its way in."""

import pytest

from app.incoming_request import IncomingRequest
from app.refusal import Refusal

POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
BODY_BYTES = 100_000


@pytest.fixture
def welcomed() -> list[bytes]:
    """Collect the bodies that had come when the rest was welcomed."""
    return []


@pytest.fixture
def request_in(welcomed: list[bytes]) -> IncomingRequest:
    """Make a request that may have a body of 100 kB."""
    made = IncomingRequest(BODY_BYTES, lambda: welcomed.append(bytes(made.body)))
    return made


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        pytest.param([POST + b"\r\n"], [True], id="no body"),
        pytest.param([POST, b"\r\n"], [False, True], id="head in pieces"),
        pytest.param([POST + b"Content-Length: 3\r\n\r\na", b"b", b"c"], [False, False, True], id="body in pieces"),
        pytest.param([CHUNKED, b"3\r\nabc\r\n", b"0\r\n\r\n"], [False, False, True], id="chunks"),
        pytest.param([CHUNKED + b"1\r\na\r\n" * 1000 + b"0\r\n\r\n"], [True], id="many small chunks"),
    ],
)
def test_when_a_request_is_complete(request_in: IncomingRequest, pieces: list[bytes], expected: list[bool]) -> None:
    """No more bytes are needed as soon as all are there."""
    assert expected == [request_in.feed(piece) for piece in pieces]
    assert not request_in.is_too_large


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(POST + b"Content-Length: 100000\r\n\r\n", (False, False), id="the largest"),
        pytest.param(POST + b"Content-Length: 100001\r\n\r\n", (True, True), id="announced"),
        pytest.param(CHUNKED + b"186a1\r\n" + b"x" * 100_001, (True, True), id="in a chunk"),
    ],
)
def test_when_a_body_is_too_large(request_in: IncomingRequest, data: bytes, expected: tuple[bool, bool]) -> None:
    """Of a body beyond the limit no more is needed."""
    assert expected == (request_in.feed(data), request_in.is_too_large)


def test_too_many_small_chunks(request_in: IncomingRequest) -> None:
    """A large body in chunks of a byte is refused."""
    with pytest.raises(Refusal, match="too many small chunks"):
        request_in.feed(CHUNKED + b"1\r\na\r\n" * 40_000)


@pytest.mark.parametrize(("size", "expected"), [(16_384, False), (16_385, True)])
def test_when_a_body_is_large(request_in: IncomingRequest, size: int, expected: bool) -> None:
    """A body is one of those that are counted when more than 16 KiB of it have come."""
    request_in.feed(POST + b"Content-Length: 100000\r\n\r\n" + b"x" * size)
    assert expected == request_in.is_large


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        pytest.param(POST + b"Expect: 100-continue\r\nContent-Length: 100000\r\n\r\n", [b""], id="the largest"),
        pytest.param(POST + b"Expect: 100-continue\r\nContent-Length: 100001\r\n\r\n", [], id="too large"),
        pytest.param(POST + b"Content-Length: 10\r\n\r\n", [], id="nobody has asked"),
    ],
)
def test_which_body_is_welcomed(
    request_in: IncomingRequest, welcomed: list[bytes], head: bytes, expected: list[bytes]
) -> None:
    """A client that asks before it sends a body is told to do so, unless it is too large."""
    request_in.feed(head)
    assert (expected, True) == (welcomed, request_in.has_head)


def test_the_next_request(request_in: IncomingRequest) -> None:
    """When a request has ended, nothing of it is left, and what stands behind it is there for the next one."""
    assert request_in.feed(POST + b"Content-Length: 3\r\n\r\nabcGET /next")
    assert (b"abc", b"GET /next") == (bytes(request_in.body), request_in.end())
    assert (b"", False) == (bytes(request_in.body), request_in.has_head)
    assert request_in.feed(b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b"/next" == request_in.parser.path
