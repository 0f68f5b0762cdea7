"""The reader of requests: when one is there, how much it holds, and what comes of the next one."""

import pytest

from app.serving.http.limits import Limits
from app.serving.http.rejection import Rejection
from app.serving.http.request_reader import FIELD_BYTES, RequestReader

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
LIMITS = Limits(body_bytes=100)


@pytest.fixture
def welcomed() -> list[str]:
    """Collect a word for each time that a client was told to go on."""
    return []


@pytest.fixture
def reader(welcomed: list[str]) -> RequestReader:
    """Make a reader of bodies of up to 100 bytes."""
    return RequestReader(LIMITS, lambda: welcomed.append("go on"))


def rejection_of(reader: RequestReader, data: bytes) -> tuple[int, str]:
    """Feed what must be rejected, and return status and reason."""
    with pytest.raises(Rejection) as caught:
        reader.feed(data, 1.0)
    return caught.value.status, caught.value.reason


@pytest.mark.parametrize(
    ("data", "body"),
    [
        pytest.param(GET, b"", id="no body"),
        pytest.param(b"GET / HTTP/1.0\r\n\r\n", b"", id="HTTP/1.0 without a host"),
        pytest.param(POST + b"Content-Length: 3\r\n\r\nabc", b"abc", id="length"),
        pytest.param(CHUNKED + b"3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\n\r\n", b"abcde", id="chunks"),
        pytest.param(CHUNKED + b"0\r\n\r\n", b"", id="no chunk"),
        pytest.param(POST + b"Content-Length: 100\r\n\r\n" + b"x" * 100, b"x" * 100, id="the largest body"),
        pytest.param(b"\r\n" + GET, b"", id="an empty line before"),
    ],
)
def test_complete_request(reader: RequestReader, data: bytes, body: bytes) -> None:
    """A request is there when all of it has come, whether at once or byte by byte; what is behind it is left."""
    assert b"behind" == reader.feed(data + b"behind", 1.0)
    assert (body, False) == (bytes(reader.request.body), reader.request.is_too_large)
    reader.begin()
    results = [reader.feed(data[index : index + 1], 1.0) for index in range(len(data))]
    assert [None] * (len(data) - 1) + [b""] == results
    assert (body, False) == (bytes(reader.request.body), reader.request.is_too_large)


def test_the_next_request(reader: RequestReader) -> None:
    """When a request has ended, nothing of it is left for the next one."""
    reader.feed(POST + b"Content-Length: 3\r\nExpect: 100-continue\r\n\r\nabc", 1.0)
    reader.begin()
    assert (0, 0, False) == (reader.held_bytes, reader.missing_bytes, reader.request.has_head)
    assert b"" == reader.feed(GET.replace(b"/ ", b"/next "), 2.0)
    assert ("/next", 2.0) == (reader.request.target, reader.request.started)


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        pytest.param([POST + b"Content-Length: 101\r\n\r\n"], [b""], id="announced"),
        pytest.param([POST + b"Content-Length: 99999999999\r\n\r\nabc", b"de"], [b"abc", b"de"], id="far too large"),
        pytest.param([CHUNKED + b"65\r\n" + b"x" * 101], [b""], id="in a chunk"),
        pytest.param([CHUNKED + b"32\r\n", b"x" * 50 + b"\r\n33\r\n" + b"x" * 51], [None, b""], id="in chunks"),
    ],
)
def test_too_large_body(reader: RequestReader, pieces: list[bytes], expected: list[bytes | None]) -> None:
    """A body beyond the limit is not waited for."""
    assert expected == [reader.feed(piece, 1.0) for piece in pieces]
    assert reader.request.is_too_large


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(POST + b"Expect: 100-continue\r\nContent-Length: 100\r\n\r\n", ["go on"], id="the largest"),
        pytest.param(CHUNKED.replace(b"Host", b"Expect: 100-continue\r\nHost"), ["go on"], id="chunked"),
        pytest.param(POST + b"Expect: 100-continue\r\nContent-Length: 101\r\n\r\n", [], id="too large"),
        pytest.param(POST + b"Content-Length: 10\r\n\r\n", [], id="not asked for"),
    ],
)
def test_which_body_is_welcomed(reader: RequestReader, welcomed: list[str], data: bytes, expected: list[str]) -> None:
    """A client that asks before it sends a body is told to do so, unless the body is too large."""
    reader.feed(data, 1.0)
    assert expected == welcomed


@pytest.mark.parametrize(
    ("data", "held", "missing"),
    [
        (GET[:5], 5, 0),
        (POST + b"Content-Length: 100\r\n\r\nabc", len(POST) + 23 + 2 * FIELD_BYTES + 3, 97),
        (POST + b"Content-Length: 3\r\n\r\nabc", len(POST) + 21 + 2 * FIELD_BYTES + 3, 0),
        (CHUNKED, len(CHUNKED) + 2 * FIELD_BYTES, 0),
        (CHUNKED + b"ff\r\nabc", len(CHUNKED) + 2 * FIELD_BYTES + 3, 0),
        (CHUNKED + b"ff;name", len(CHUNKED) + 2 * FIELD_BYTES + 7, 0),
    ],
)
def test_sizes(reader: RequestReader, data: bytes, held: int, missing: int) -> None:
    """It is known how much a request holds, and how much of its body is sure to come."""
    reader.feed(data, 1.0)
    assert (held, missing) == (reader.held_bytes, reader.missing_bytes)


def test_a_request_starts_with_its_first_byte(reader: RequestReader) -> None:
    """The clock starts with the request line, and not with an empty line before it."""
    started = []
    for now, piece in [(1.0, b"\r"), (2.0, b"\n"), (3.0, GET[:2]), (4.0, GET[2:])]:
        reader.feed(piece, now)
        started.append(reader.request.started)
    assert [0.0, 0.0, 3.0, 3.0] == started


@pytest.mark.parametrize("data", [b"\r\n\r\n" + GET, b"\rG", b"\r\r\n" + GET])
def test_one_empty_line_may_stand_before_a_request(reader: RequestReader, data: bytes) -> None:
    """A second empty line, or a bare CR, is no request; its time is known."""
    assert (400, "malformed HTTP: no valid request line") == rejection_of(reader, data)
    assert 1.0 == reader.request.started


def test_a_lone_empty_line_is_no_request(reader: RequestReader) -> None:
    """Behind an empty line a request may begin later, or none."""
    assert None is reader.feed(b"\r\n", 1.0)
    assert (0.0, 0) == (reader.request.started, reader.held_bytes)
    assert b"" == reader.feed(GET, 2.0)


@pytest.mark.parametrize(
    ("data", "status", "reason"),
    [
        (b"GARBAGE\r\n", 400, "malformed HTTP: no valid request line"),
        (b"get / HTTP/1.1\r\nHos", 400, "malformed HTTP: no valid method"),
        (b"GET /" + b"a" * 9000, 414, "the request line exceeds 8190 bytes"),
        (GET[:-2] + b"X: " + b"a" * 17_000, 431, "the header fields exceed 16384 bytes"),
        (b"GET / HTTP/1.1\nHost: a\n\n", 400, "malformed HTTP: a line of the head ends without CRLF"),
        (b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n", 400, "malformed HTTP: a line of the head ends without CRLF"),
        (b"\n", 400, "malformed HTTP: a line of the head ends without CRLF"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_head_is_rejected_before_its_end(reader: RequestReader, data: bytes, status: int, reason: str) -> None:
    """What can become no valid head is not waited for."""
    assert (status, reason) == rejection_of(reader, data)


def test_rejection_of_a_later_piece(reader: RequestReader) -> None:
    """Also what comes later can be rejected."""
    assert [None, None] == [reader.feed(CHUNKED, 1.0), reader.feed(b"3\r\nabc\r\n", 1.0)]
    assert (400, "malformed HTTP: no valid chunk size") == rejection_of(reader, b"x\r\n")


def test_each_request_has_its_own_bound(reader: RequestReader) -> None:
    """What a request before has used up is forgotten."""
    for _ in range(3):
        assert b"" == reader.feed(GET[:-2] + b"X: " + b"a" * 16_000 + b"\r\n\r\n", 1.0)
        reader.begin()
