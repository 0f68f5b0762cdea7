"""The head of a request: what is understood of it, and what is rejected with which words."""

from dataclasses import replace

import pytest

from app.serving.http.limits import Limits
from app.serving.http.rejection import Rejection
from app.serving.http.request import Request
from app.serving.http.request_head import read_head, read_request_line

LIMITS = Limits(body_bytes=100)
MALFORMED = "malformed HTTP: "
NO_REQUEST_LINE = MALFORMED + "no valid request line"
NO_TARGET = MALFORMED + "no valid target"
NO_HOST = MALFORMED + "no valid host in the Host field"
NO_CODING = MALFORMED + "no valid Transfer-Encoding"


def read(*fields: bytes, first: bytes = b"POST / HTTP/1.1", host: bytes = b"Host: a") -> Request:
    """Read a head of a request line, a Host field and further fields."""
    request = Request()
    lines = [first, *([host] if host else []), *fields, b"", b""]
    read_head(request, b"\r\n".join(lines), LIMITS)
    return request


def rejection_of(*fields: bytes, first: bytes = b"POST / HTTP/1.1", host: bytes = b"Host: a") -> tuple[int, str]:
    """Read a head that must be rejected, and return status and reason."""
    with pytest.raises(Rejection) as caught:
        read(*fields, first=first, host=host)
    return caught.value.status, caught.value.reason


def test_head() -> None:
    """Method, target, version and fields are there, the names in lower case, the values without white space around."""
    request = read(b"X-Two:\t1 ", b"x-two: 2", b"X-Latin: \xe9", first=b"PATCH /a?b HTTP/1.0")
    fields = [(b"host", b"a"), (b"x-two", b"1"), (b"x-two", b"2"), (b"x-latin", b"\xe9")]
    assert Request(method="PATCH", target="/a?b", is_http_1_0=True, fields=fields, has_head=True) == request


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (b"GET / HTTP/1.0", True),
        (b"GET / HTTP/1.1", False),
        (b"GET / HTTP/1.9", False),
    ],
)
def test_version(first: bytes, *, expected: bool) -> None:
    """HTTP/1.0 is told from 1.1, and a later minor version is served as 1.1."""
    assert expected == read(first=first).is_http_1_0


@pytest.mark.parametrize(
    ("first", "target"),
    [
        (b"GET /a/../b?c#d HTTP/1.1", "/a/../b?c#d"),
        (b'GET /{"a"} HTTP/1.1', '/{"a"}'),
        (b"GET http://h:80/p?q HTTP/1.1", "http://h:80/p?q"),
        (b"GET HTTPS://[::1]?a HTTP/1.1", "HTTPS://[::1]?a"),
        (b"GET http://xn--bcher-kva.example/ HTTP/1.1", "http://xn--bcher-kva.example/"),
        (b"GET http://" + b"a." * 60 + b"/xn--0 HTTP/1.1", f"http://{'a.' * 60}/xn--0"),
        (b"OPTIONS * HTTP/1.1", "*"),
        (b"CONNECT a:443 HTTP/1.1", "a:443"),
        (b"CONNECT [2001:db8::1]:443 HTTP/1.1", "[2001:db8::1]:443"),
        (b"PROPFIND / HTTP/1.1", "/"),
        (b"M-SEARCH / HTTP/1.1", "/"),
    ],
)
def test_target(first: bytes, target: str) -> None:
    """Each form of a target that RFC 9112 has is taken as it is, and so is every method that llhttp knows."""
    assert target == read(first=first).target


@pytest.mark.parametrize(
    ("first", "status", "reason"),
    [
        (b"GARBAGE", 400, NO_REQUEST_LINE),
        (b"", 400, NO_REQUEST_LINE),
        (b"GET /", 400, NO_REQUEST_LINE),
        (b"GET  / HTTP/1.1", 400, NO_REQUEST_LINE),
        (b"GET / HTTP/1.1 ", 400, NO_REQUEST_LINE),
        (b"GET / RTSP/1.0", 400, NO_REQUEST_LINE),
        (b"GET /\xc3\xa9 HTTP/1.1", 400, NO_REQUEST_LINE),
        (b"GET /\x7f HTTP/1.1", 400, NO_REQUEST_LINE),
        (b"CONNECT  HTTP/1.1", 400, NO_REQUEST_LINE),
        (b"get / HTTP/1.1", 400, MALFORMED + "no valid method"),
        (b"GE / HTTP/1.1", 400, MALFORMED + "no valid method"),
        (b"A" * 21 + b" / HTTP/1.1", 400, MALFORMED + "no valid method"),
        (b"G(T / HTTP/1.1", 400, NO_REQUEST_LINE),
        (b"GET / HTTP/2.0", 400, MALFORMED + "not HTTP/1"),
        (b"GET / HTTP/0.9", 400, MALFORMED + "not HTTP/1"),
        (b"BREW / HTTP/1.1", 501, "unknown method"),
        (b"GET * HTTP/1.1", 400, NO_TARGET),
        (b"GET a HTTP/1.1", 400, NO_TARGET),
        (b"GET a?b=http://a/ HTTP/1.1", 400, NO_TARGET),
        (b"GET ftp://a/ HTTP/1.1", 400, NO_TARGET),
        (b"GET http:///a HTTP/1.1", 400, NO_TARGET),
        (b"GET http://user@a/ HTTP/1.1", 400, NO_TARGET),
        (b"GET http://xn--0/ HTTP/1.1", 400, NO_TARGET),
        (b"GET http://" + b".".join([b"a"] * 131) + b"/ HTTP/1.1", 400, NO_TARGET),
        (b"GET http://[1:2]/ HTTP/1.1", 400, NO_TARGET),
        (b"CONNECT [1:2]:443 HTTP/1.1", 400, NO_TARGET),
        (b"CONNECT http://a/ HTTP/1.1", 400, NO_TARGET),
        (b"GET /" + b"a" * 8190 + b" HTTP/1.1", 414, "the request line exceeds 8190 bytes"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_rejected_request_line(first: bytes, status: int, reason: str) -> None:
    """What is no request line of HTTP/1, or one that is too long, is rejected with its status and what is wrong."""
    assert (status, reason) == rejection_of(first=first)


@pytest.mark.parametrize(
    ("first", "method", "target"),
    [
        (b"GARBAGE", "", ""),
        (b"get /a HTTP/1.1", "", ""),
        (b"GET /a HTTP/2.0", "GET", ""),
        (b"BREW /a HTTP/1.1", "BREW", "/a"),
        (b"GET ftp://a/ HTTP/1.1", "GET", "ftp://a/"),
    ],
)
def test_what_is_known_of_a_rejected_request(first: bytes, method: str, target: str) -> None:
    """A rejected request has what had been understood by then, for its log line."""
    request = Request()
    with pytest.raises(Rejection):
        read_request_line(request, first, LIMITS)
    assert (method, target) == (request.method, request.target)


@pytest.mark.parametrize(
    ("method", "detail"),
    [
        (b"a" * 5000, MALFORMED + "no valid method: " + "a" * 64),
        (b"BREW", "unknown method: BREW"),
    ],
)
def test_64_characters_are_quoted(method: bytes, detail: str) -> None:
    """The detail says what is wrong and shows no more than the start of it; the reason shows nothing of it."""
    with pytest.raises(Rejection) as caught:
        read_request_line(Request(), method + b" / HTTP/1.1", LIMITS)
    assert (detail, False) == (caught.value.detail, method.decode() in caught.value.reason)


@pytest.mark.parametrize(
    "host",
    [
        *(b"a", b"a.b.", b"A:80", b"a:", b"a_b", b"127.0.0.1:5000", b"[::1]", b"[::1]:80", b"", b":80"),
        *(b"a" * 63, b".".join([b"a"] * 127) + b":65535", b"xn--bcher-kva.example:80"),
        b".".join([b"xn--p1ai"] * 11),
    ],
)
def test_host(host: bytes) -> None:
    """A Host field has a name, an IPv4 or an IPv6 address, or nothing, and perhaps a port."""
    assert (b"host", host) == read(host=b"Host: " + host).fields[0]


@pytest.mark.parametrize(
    "host",
    [
        b"a b",
        b"a:b",
        b"a..b",
        b".a",
        b"a/b",
        b"user@a",
        b"[::1",
        b"::1",
        b"a, b",
        b"a" * 64,
        b".".join([b"a"] * 131),
        *(b".".join([b"xn--p1ai"] * labels) for labels in (12, 1750)),
        b"\xe9",
        b"xn--0",
        b"xn--",
        b"[1:2]",
        b"[1.2.3.4]:80",
    ],
)
def test_host_that_is_none(host: bytes) -> None:
    """Anything else in a Host field is rejected, as is a name of which werkzeug would make an error of its own."""
    assert (400, NO_HOST) == rejection_of(host=b"Host: " + host)


@pytest.mark.parametrize("first", [b"OPTIONS * HTTP/1.1", b"CONNECT a:443 HTTP/1.1", b"GET /?u=http://a HTTP/1.1"])
def test_host_beside_a_target_without_a_url(first: bytes) -> None:
    """The field counts where the target has no host of which a URL is made."""
    assert (400, NO_HOST) == rejection_of(first=first, host=b"Host: xn--0")
    assert b"xn--0" == read(first=b"GET http://a/ HTTP/1.1", host=b"Host: xn--0").fields[0][1]


def test_missing_host() -> None:
    """HTTP/1.1 requires a Host field, and HTTP/1.0 does not."""
    assert (400, MALFORMED + "no Host field") == rejection_of(host=b"")
    assert [] == read(first=b"GET / HTTP/1.0", host=b"").fields


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("host", [b"Host: a"]),
        ("content-length", [b"Content-Length: 1", b"content-length: 1"]),
        ("transfer-encoding", [b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"]),
        ("content-type", [b"Content-Type: a/b", b"Content-Type: a/b"]),
    ],
)
def test_repeated_fields(name: str, fields: list[bytes]) -> None:
    """A field that decides where a request ends or what it means may stand there once."""
    status, reason = rejection_of(*fields)
    assert (400, True) == (status, reason.startswith(MALFORMED))
    if name in {"host", "content-type"}:  # llhttp itself refuses the two others.
        assert f"{MALFORMED}two {name} fields" == reason


@pytest.mark.parametrize("value", [b"", b"x", b"-1", b"+1", b"1_0", b"0x1", b"1, 1", b"1 1", b"\xb2"])
def test_content_length_that_is_none(value: bytes) -> None:
    """A length is ASCII digits and nothing else."""
    status, reason = rejection_of(b"Content-Length: " + value)
    assert (400, True) == (status, reason.startswith(MALFORMED))


def test_content_length() -> None:
    """A length is known, however many zeros stand before it, and one that overflows is too large."""
    assert [7, 0] == [read(b"Content-Length: " + b"0" * 5_000 + end).content_length for end in (b"7", b"")]
    assert (413, "the body exceeds 100 bytes") == rejection_of(b"Content-Length: " + b"9" * 30)


@pytest.mark.parametrize("value", [b"chunked", b"Chunked", b" \tCHUNKED "])
def test_chunked(value: bytes) -> None:
    """The one transfer coding that is read is chunked, in any case."""
    assert read(b"Transfer-Encoding:" + value).is_chunked


@pytest.mark.parametrize(
    ("value", "status", "reason"),
    [
        (b"gzip, chunked", 501, "a transfer coding other than chunked"),
        (b"gzip,\tX-Compress , Chunked", 501, "a transfer coding other than chunked"),
        (b"chunked, chunked", 400, None),
        (b"gzip", 400, None),
        (b"identity", 400, None),
        (b"unheard, chunked", 400, NO_CODING),
        (b"", 400, None),
    ],
)
def test_other_transfer_codings(value: bytes, status: int, reason: str | None) -> None:
    """A coding that HTTP has and this server has not is told from what is no list of codings."""
    actual_status, actual_reason = rejection_of(b"Transfer-Encoding: " + value)
    assert (status, reason or actual_reason) == (actual_status, actual_reason)


def test_chunked_in_http_1_0() -> None:
    """HTTP/1.0 has no transfer codings."""
    assert (400, NO_CODING) == rejection_of(b"Transfer-Encoding: chunked", first=b"POST / HTTP/1.0")


@pytest.mark.parametrize(
    ("first", "connection", "expected"),
    [
        ("GET / HTTP/1.1", [], True),
        ("GET / HTTP/1.1", ["Close"], False),
        ("GET / HTTP/1.1", ["close", "keep-alive"], False),
        ("GET / HTTP/1.1", ["keep-alive", "x, close\t,y"], False),
        ("GET / HTTP/1.1", ["enclosed"], True),
        ("GET / HTTP/1.0", [], False),
        ("GET / HTTP/1.0", ["Keep-Alive"], True),
        ("GET / HTTP/1.0", ["x, keep-alive"], True),
        ("GET / HTTP/1.0", ["not-keep-alive"], False),
        ("GET / HTTP/1.0", ["keep-alive, close"], False),
        ("CONNECT a:443 HTTP/1.1", [], False),
    ],
)
def test_connection_options(first: str, connection: list[str], *, expected: bool) -> None:
    """A connection ends when any of its options says so, and behind an attempt at a tunnel."""
    fields = [f"Connection: {value}".encode() for value in connection]
    assert expected == read(*fields, first=first.encode()).keep_alive


@pytest.mark.parametrize(
    ("fields", "first", "expected"),
    [
        ([b"Expect: 100-continue", b"Content-Length: 10"], b"POST / HTTP/1.1", True),
        ([b"expect: 100-Continue", b"Transfer-Encoding: chunked"], b"POST / HTTP/1.1", True),
        ([b"Expect: something", b"Content-Length: 10"], b"POST / HTTP/1.1", False),
        ([b"Expect: 100-continue", b"Content-Length: 0"], b"POST / HTTP/1.1", False),
        ([b"Expect: 100-continue"], b"POST / HTTP/1.1", False),
        ([b"Content-Length: 10"], b"POST / HTTP/1.1", False),
        ([b"Expect: 100-continue", b"Content-Length: 10"], b"POST / HTTP/1.0", False),
    ],
)
def test_expect(fields: list[bytes], first: bytes, *, expected: bool) -> None:
    """A client waits for a word before its body if it says so, has a body, and speaks HTTP/1.1."""
    assert expected == read(*fields, first=first).expects_continue


def test_upgrade() -> None:
    """An offer to change the protocol is a field like any other."""
    request = read(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"X-After: 1")
    assert (True, True, (b"x-after", b"1")) == (request.has_head, request.keep_alive, request.fields[-1])


@pytest.mark.parametrize(
    "line",
    [b"X: a\x00", b"X: a\x07", b"X: a\x7f", b"X: a\x0bb", b"X\x01: a"],
)
def test_control_characters(line: bytes) -> None:
    """A control character in a name or a value is rejected; llhttp lets some of them pass."""
    assert (400, MALFORMED + "a control character in the head") == rejection_of(line)


@pytest.mark.parametrize("line", [b" folded", b"X : a", b": a", b"X", b"X: a\rb", b"X(: a", b"X: a\nY: b"])
def test_fields_that_are_none(line: bytes) -> None:
    """A line that is no field is rejected, as are folded ones and those that end without CRLF."""
    status, reason = rejection_of(line)
    assert (400, True) == (status, reason.startswith(MALFORMED))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ([b"X: a"] * 99, None),
        ([b"X: a"] * 100, "more than 100 header fields"),
        ([b"X: " + b"a" * 16_000], None),
        ([b"X: " + b"a" * 8000] * 3, "the header fields exceed 16384 bytes"),
    ],
    ids=["as many as may be", "more", "a long one", "long ones"],
)
def test_fields_are_bounded(fields: list[bytes], reason: str | None) -> None:
    """A head has up to 100 fields, which take up to 16 KiB together."""
    if reason:
        assert (431, reason) == rejection_of(*fields)
    else:
        assert 1 + len(fields) == len(read(*fields).fields)


def test_limits_can_be_others() -> None:
    """The bounds are those that the server was given."""
    with pytest.raises(Rejection, match="the request line exceeds 13 bytes"):
        read_head(Request(), b"GET / HTTP/1.1\r\n\r\n", replace(LIMITS, request_line_bytes=13))
