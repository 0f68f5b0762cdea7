"""Request smuggling: whatever the bytes, a proxy that keeps to RFC 9112 sees as many requests in them as the service.

Behind each request stands another one. Where its answer is missing, the service has refused the first one and read no
further, or has taken the second one for a part of the first, as the proxy does.
"""

from collections.abc import Iterator

import pytest

from tests.support.abuse import SMUGGLED, Target, target

BODY = b"13 bytes long"
CHUNKED = b"d\r\n%s\r\n0\r\n\r\n" % BODY

REFUSED = [400]
TWO = [200, 404]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """Run the service that is attacked."""
    with target(tmp_path_factory.mktemp("smuggling") / "output") as server:
        yield server


def not_refused(server: Target, wholes: list[bytes], refusals: tuple[int, ...] = (400,)) -> list[bytes]:
    """List the requests that have another answer than one refusal."""
    answers = zip(wholes, server.attack(*wholes), strict=True)
    return [whole for whole, statuses in answers if len(statuses) != 1 or statuses[0] not in refusals]


def request(*lines: bytes, first: bytes = b"POST /echo HTTP/1.1", body: bytes = BODY) -> bytes:
    """Make a request of lines as they are, and put the other one behind it."""
    return b"\r\n".join([first, b"Host: test", *lines, b"", b""]) + body + SMUGGLED


@pytest.mark.parametrize("value", [b"13", b"0013", b"0" * 40 + b"13", b"  13", b"13  ", b"\t13\t"])
def test_content_length(server: Target, value: bytes) -> None:
    """Digits are a length. Zeros in front change nothing (RFC 9110, section 8.6), and white space is no part of it."""
    assert [TWO] == server.attack(request(b"Content-Length:" + value))


@pytest.mark.parametrize(
    "value",
    [
        *(b"", b" ", b"+13", b"-13", b"-0", b"13.0", b"1e1", b"0x0d", b"0xd", b"d", b"13 13", b"13,13", b"13, 13"),
        *(b"13;", b"13,", b",13", b"1_3", b'"13"', b"13a", b"a13", b"NaN", b"13\x0b", b"13\x0c", b"\x0b13", b"13\x00"),
        *(b"\x0013", b"1\x003", b"13\r", b"\r13", b"13\x7f", b"\xb9\xb3", b"\xa013", b"13\x85"),
        *(
            "\u0661\u0663".encode(),
            "\uff11\uff13".encode(),
            "1\u200b3".encode(),
            b"13 chunked",
            b"13#",
            b"13%00",
            b"(13)",
            b"13:13",
        ),
    ],
)
def test_content_length_that_is_none(server: Target, value: bytes) -> None:
    """Anything but digits, a list of equal lengths included, is refused."""
    assert [REFUSED] == server.attack(request(b"Content-Length: " + value))


@pytest.mark.parametrize("value", [b"1048577", b"4294967309", b"18446744073709551629", b"9" * 4000, b"9" * 5000])
def test_content_length_beyond_the_limit(server: Target, value: bytes) -> None:
    """A length that overflows 32 or 64 bits is as long as it says: what follows is never read as a request."""
    assert [[413]] == server.attack(request(b"Content-Length: " + value))


@pytest.mark.parametrize(
    "lines",
    [
        [b"Content-Length: 13", b"Content-Length: 13"],
        [b"Content-Length: 13", b"Content-Length: 0"],
        [b"Content-Length: 0", b"Content-Length: 13"],
        [b"Content-Length: 13", b"content-length: 14"],
        [b"Content-Length: 13", b"X: y", b"CONTENT-LENGTH:"],
        [b"Content-Length: 13", b"Content-Length : 0"],
        [b"Content-Length: 13", b"Content-Length\t: 0"],
        [b"Content-Length: 13", b" Content-Length: 0"],
        [b"Content-Length: 13", b"\tContent-Length: 0"],
        [b" Content-Length: 0", b"Content-Length: 13"],
        [b"Content-Length: 13", b"\x0bContent-Length: 0"],
        [b"Content-Length: 13", b"Content-Length\x00: 0"],
        [b"Content-Length: 13", b"Content-Length\xa0: 0"],
        [b"Content-Length: 13", b"Content-Length\r: 0"],
        [b"Content-Length: 13", b"Content Length: 0"],
        [b"Content-Length: 13", b"Content-Length 0"],
        [b"Content-Length: 13", b": 0"],
        [b"Content-Length: 13\r", b"X: y"],
        [b"Content-Length: 13\nContent-Length: 0"],
        [b"X: y\nContent-Length: 13"],
        [b"X: y\rContent-Length: 13"],
        [b"Content-Length:\r\n 13"],
        [b"Content-Length: 1\r\n 3"],
        [b"Content-Length: 13", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: chunked", b"Content-Length: 13"],
        [b"Transfer-Encoding: chunked", b"Content-Length: 0"],
        [b"Transfer-Encoding: identity", b"Content-Length: 13"],
    ],
)
def test_lengths_that_contradict(server: Target, lines: list[bytes]) -> None:
    """A request with two lengths is refused, even if they agree or one of them is in disguise."""
    assert [REFUSED] == server.attack(request(*lines))


@pytest.mark.parametrize(
    "name", [b"Content_Length", b"X-Content-Length", b"Content-Lengths", b"ContentLength", b"Content.Length"]
)
def test_names_that_only_look_like_a_length(server: Target, name: bytes) -> None:
    """Such a field means nothing: an underscore is not taken for a hyphen."""
    assert [TWO] == server.attack(request(b"Content-Length: 13", name + b": 0"))


@pytest.mark.parametrize(
    "value", [b"chunked", b"Chunked", b"CHUNKED", b"cHuNkEd", b"  chunked", b"\tchunked", b"chunked "]
)
def test_transfer_encoding(server: Target, value: bytes) -> None:
    """`chunked` is the one coding, in any case (RFC 9112, section 7)."""
    assert [TWO] == server.attack(request(b"Transfer-Encoding:" + value, body=CHUNKED))


DISGUISES = [
    *(b"xchunked", b"chunkedx", b"x-chunked", b"chunk", b"chunked;q=1", b"chunked; a=b", b"chunked/1", b"=chunked"),
    *(b"chunked, identity", b"identity, chunked", b"identity", b"chunked, chunked", b"chunked,chunked", b"chunked,"),
    *(
        b",chunked",
        b", chunked",
        b",",
        b"",
        b"chunked chunked",
        b"gzip",
        b"gzip, chunked",
        b"chunked, gzip",
        b"deflate",
    ),
    *(
        b"compress, chunked",
        b"trailers",
        b"0",
        b'"chunked"',
        b"'chunked'",
        b"(chunked)",
        b"chunked:chunked",
        b":chunked",
    ),
    *(b"chunked\x00", b"\x00chunked", b"chun\x00ked", b"\x0bchunked", b"chunked\x0b", b"\x0cchunked", b"chunked\r"),
    *(
        b"\rchunked",
        b"chunked\xa0",
        b"\xa0chunked",
        b"\x85chunked",
        b"chunked\xff",
        b"\xef\xbb\xbfchunked",
        b"c hunked",
    ),
    *(
        "chun\u212aed".encode(),
        "ch\u00fcnked".encode(),
        "chunked\u200b".encode(),
        b"chunked\x7f",
        b"ch%75nked",
        b"none",
    ),
    *(
        b"\r\n chunked",
        b"\r\n\tchunked",
        b" \r\n chunked",
        b"chunked\r\n , identity",
        b"\nchunked",
        b"x\nTransfer-Encoding:",
    ),
]


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([b"Transfer-Encoding: %s"], id="alone"),
        pytest.param([b"Content-Length: 23", b"Transfer-Encoding: %s"], id="behind a length"),
        pytest.param([b"Transfer-Encoding: %s", b"Content-Length: 23"], id="before a length"),
        pytest.param([b"Transfer-Encoding: chunked", b"transfer-encoding: %s"], id="behind chunked"),
        pytest.param([b"Transfer-Encoding: %s", b"TRANSFER-ENCODING: chunked"], id="before chunked"),
    ],
)
def test_transfer_encoding_in_disguise(server: Target, lines: list[bytes]) -> None:
    """Any other coding is refused, wherever it stands: never ignored, and never taken for chunked."""
    wholes = [request(*[line.replace(b"%s", value) for line in lines], body=CHUNKED) for value in DISGUISES]
    assert [] == not_refused(server, wholes, (400, 501))


@pytest.mark.parametrize(
    "line",
    [
        *(b"Transfer-Encoding : chunked", b"Transfer-Encoding\t: chunked", b" Transfer-Encoding: chunked"),
        *(b"\tTransfer-Encoding: chunked", b"X: y\r\n Transfer-Encoding: chunked", b"Transfer-Encoding\x00: chunked"),
        *(b"\x00Transfer-Encoding: chunked", b"Transfer-Encoding\x0b: chunked", b"\x0bTransfer-Encoding: chunked"),
        *(b"Transfer-Encoding\r: chunked", b"Transfer Encoding: chunked", b"Transfer-Encoding\xa0: chunked"),
        *(b"X: y\nTransfer-Encoding: chunked", b"X: y\rTransfer-Encoding: chunked", b"Transfer\xadEncoding: chunked"),
        *("Tran\u017ffer-Encoding: chunked".encode(), b"Transfer-Encoding chunked", b"(Transfer-Encoding): chunked"),
        b"Transfer-Encoding: chunked",
    ],
)
def test_name_of_transfer_encoding_in_disguise(server: Target, line: bytes) -> None:
    """A name that some would trim into Transfer-Encoding is refused, and so is the true one next to a length."""
    assert [REFUSED] == server.attack(request(b"Content-Length: 23", line, body=CHUNKED))


@pytest.mark.parametrize("name", [b"Transfer_Encoding", b"X-Transfer-Encoding", b"Transfer-Encodings", b"TE"])
def test_names_that_only_look_like_transfer_encoding(server: Target, name: bytes) -> None:
    """Such a field means nothing: the length counts."""
    assert [TWO] == server.attack(request(b"Content-Length: 23", name + b": chunked", body=CHUNKED))


@pytest.mark.parametrize("connection", [b"close", b"keep-alive"])
def test_http_1_0_has_no_chunks(server: Target, connection: bytes) -> None:
    """Who speaks HTTP/1.0 may not know chunks: the request is refused (RFC 9112, section 6.1)."""
    lines = [b"Connection: " + connection, b"Transfer-Encoding: chunked"]
    assert [REFUSED] == server.attack(request(*lines, first=b"POST /echo HTTP/1.0", body=CHUNKED))


@pytest.mark.parametrize(
    ("body", "statuses"),
    [
        (b"d\r\n%s\r\n0\r\n\r\n", TWO),
        (b"D\r\n%s\r\n0\r\n\r\n", TWO),
        (b"0000d\r\n%s\r\n00000\r\n\r\n", TWO),
        (b"d;a\r\n%s\r\n0;b=c\r\n\r\n", TWO),
        (b'd;a="b;\\"c";d=e\r\n%s\r\n0\r\n\r\n', TWO),
        (b"d \t;a\r\n%s\r\n0\r\n\r\n", TWO),
        (b"d\r\n%s\r\n0\r\nA: b\r\nC: d\r\n\r\n", TWO),
        (b"-d\r\n%s\r\n0\r\n\r\n", REFUSED),
        (b"+d\r\n%s\r\n0\r\n\r\n", REFUSED),
        (b"0xd\r\n%s\r\n0\r\n\r\n", REFUSED),
        (b"0Xd\r\n%s\r\n0\r\n\r\n", REFUSED),
        (b" d\r\n%s\r\n0\r\n\r\n", REFUSED),
        (b"d \r\n%s\r\n0\r\n\r\n", REFUSED),
        (b"d\t\r\n%s\r\n0\r\n\r\n", REFUSED),
        (b"\x0bd\r\n%s\r\n0\r\n\r\n", REFUSED),
        (b"d\x0c\r\n%s\r\n0\r\n\r\n", REFUSED),
        (b"d\x00\r\n%s\r\n0\r\n\r\n", REFUSED),
        (b"1_3\r\n%s\r\n0\r\n\r\n", REFUSED),
        (b"13.\r\n%s\r\n0\r\n\r\n", REFUSED),
        (b"g\r\n%s\r\n0\r\n\r\n", REFUSED),
        (b"\r\n%s\r\n0\r\n\r\n", REFUSED),
        (b";a\r\n%s\r\n0\r\n\r\n", REFUSED),
        (b"d;\r\n%s\r\n0\r\n\r\n", REFUSED),
        (b"d;=a\r\n%s\r\n0\r\n\r\n", REFUSED),
        (b"d;a=\r\n%s\r\n0\r\n\r\n", REFUSED),
        (b'd;a="b\r\n%s\r\n0\r\n\r\n', REFUSED),
        (b"d;a\x00\r\n%s\r\n0\r\n\r\n", REFUSED),
        (b"d;a\rb\r\n%s\r\n0\r\n\r\n", REFUSED),
        (b"d;a\nb\r\n%s\r\n0\r\n\r\n", REFUSED),
        (b"d,a\r\n%s\r\n0\r\n\r\n", REFUSED),
        (b"d\n%s\r\n0\r\n\r\n", REFUSED),
        (b"d\r%s\r\n0\r\n\r\n", REFUSED),
        (b"d\r\r\n%s\r\n0\r\n\r\n", REFUSED),
        (b"d\r\n%s0\r\n\r\n", REFUSED),
        (b"d\r\n%s\n0\r\n\r\n", REFUSED),
        (b"d\r\n%s\r0\r\n\r\n", REFUSED),
        (b"d\r\n%s  \r\n0\r\n\r\n", REFUSED),
        (b"d\r\n%sxx0\r\n\r\n", REFUSED),
        (b"c\r\n%s\r\n0\r\n\r\n", REFUSED),
        (b"e\r\n%s\r\n0\r\n\r\n", REFUSED),
        (b"d\r\n%s\r\n0\n\n", REFUSED),
        (b"d\r\n%s\r\n0\r\n\n", REFUSED),
        (b"d\r\n%s\r\n0\r\r\n\r\n", REFUSED),
        (b"d\r\n%s\r\n0\r\n\r\r\n", REFUSED),
        (b"d\r\n%s\r\n-0\r\n\r\n", REFUSED),
        (b"d\r\n%s\r\n0\r\n", REFUSED),
        (b"d\r\n%s\r\n0\r\n A: b\r\n\r\n", REFUSED),
        (b"d\r\n%s\r\n0\r\nA : b\r\n\r\n", REFUSED),
        (b"d\r\n%s\r\n0\r\nA: b\rc\r\n\r\n", REFUSED),
        (b"d\r\n%s\r\n0\r\nA: \x00\r\n\r\n", REFUSED),
        (b"d\r\n%s\r\n0\r\nA\r\n\r\n", REFUSED),
        (b"d\r\n%s\r\n0\r\nA: b\n\n", REFUSED),
        (b"d\r\n%s\r\n0\r\nContent-Length: 0\r\n\r\n", REFUSED),
        (b"d\r\n%s\r\n0\r\ntransfer-encoding: chunked\r\n\r\n", REFUSED),
        (b"d\r\n%s\r\n0\r\nHost: other\r\n\r\n", REFUSED),
        (b"d\r\n%s\r\n0\r\n" + b"A: b\r\n" * 200 + b"\r\n", [431]),
        (b"d;" + b"a" * 9000 + b"\r\n%s\r\n0\r\n\r\n", REFUSED),
        (b"1;" + b"a" * 8000 + b"\r\n{\r\n" + (b"1;" + b"a" * 8000 + b"\r\n \r\n") * 1000 + b"%s", REFUSED),
        (b"0" * 9000 + b"d\r\n%s\r\n0\r\n\r\n", REFUSED),
    ],
)
def test_chunks(server: Target, body: bytes, statuses: list[int]) -> None:
    """The end of a chunked body is where the grammar puts it, or the request is refused."""
    body = body.replace(b"%s", BODY)
    assert [statuses] == server.attack(request(b"Transfer-Encoding: chunked", body=body))


@pytest.mark.parametrize("size", [b"1000000000000000d", b"10000000d", b"ffffffffffffffff", b"7fffffffffffffff"])
def test_a_chunk_is_as_large_as_it_says(server: Target, size: bytes) -> None:
    """A size that overflows 64 bits is not cut down to 13: what follows belongs to the chunk, and to no request."""
    assert [[]] == server.attack(request(b"Transfer-Encoding: chunked", body=size + b"\r\n" + BODY + b"\r\n0\r\n\r\n"))
    body = size + b"\r\n" + BODY.ljust(2_000_000) + b"\r\n0\r\n\r\n"
    assert [[413]] == server.attack(request(b"Transfer-Encoding: chunked", body=body))


WHOLE = b"POST /echo HTTP/1.1\r\nHost: test\r\nX: y z\r\nContent-Length: 13\r\n\r\n"


@pytest.mark.parametrize("byte", [b"\x00", b"\n", b"\r", b"\x0b", b"\x0c", b"\x7f"], ids=repr)
def test_a_control_in_every_place(server: Target, byte: bytes) -> None:
    """A control character in any place of a head is refused, the ends of lines included."""
    # At the last place, LF would come behind the head.
    wholes = [WHOLE[:place] + byte + WHOLE[place:] + BODY + SMUGGLED for place in range(len(WHOLE) - 1)]
    assert [] == not_refused(server, wholes)


@pytest.mark.parametrize(
    "end",
    [b"\n", b"\r", b"\n\r", b"\r\r\n", b"\r \n", b"\x00\r\n", b"\r\x00\n", b"\x0b\r\n", b"\x0c", b" \n"],
    ids=repr,
)
def test_every_end_of_a_line(server: Target, end: bytes) -> None:
    """A line of a head ends with CRLF and with nothing else (RFC 9112, section 2.2, leaves a bare LF to the server)."""
    parts = WHOLE.split(b"\r\n")
    wholes = [
        b"\r\n".join(parts[:index]) + end + b"\r\n".join(parts[index:]) + BODY + SMUGGLED
        for index in range(1, len(parts))
    ]
    assert [REFUSED] * 5 == server.attack(*wholes)


@pytest.mark.parametrize(
    ("first", "statuses"),
    [
        (b"GET /healthz HTTP/1.1", TWO),
        (b"GET http://other/healthz HTTP/1.1", TWO),
        (b"GET HTTPS://other:443/healthz?a HTTP/1.1", TWO),
        (b"GET http://[::1]:80/healthz HTTP/1.1", TWO),
        (b"OPTIONS * HTTP/1.1", TWO),
        (b"GET /healthz#fragment HTTP/1.1", [404, 404]),
        (b'GET /"<>\\^`{|} HTTP/1.1', [404, 404]),
        (b"GET /%00%0d%0a HTTP/1.1", [404, 404]),
        (b"GET /../healthz HTTP/1.1", [404, 404]),
        (b"CONNECT other:443 HTTP/1.1", [404]),
        (b"CONNECT healthz HTTP/1.1", [405]),
        (b"CONNECT /version HTTP/1.1", [405]),
        (b"CONNECT http://other/ HTTP/1.1", REFUSED),
        (b"CONNECT  HTTP/1.1", REFUSED),
        (b"GET * HTTP/1.1", REFUSED),
        (b"GET other:443 HTTP/1.1", REFUSED),
        (b"GET healthz HTTP/1.1", REFUSED),
        (b"GET ://healthz HTTP/1.1", REFUSED),
        (b"GET http:///healthz HTTP/1.1", REFUSED),
        (b"GET http://user@other/healthz HTTP/1.1", REFUSED),
        (b"GET ftp://other/healthz HTTP/1.1", REFUSED),
        (b"GET http://xn--a.xn--b/healthz HTTP/1.1", REFUSED),
        (b"GET healthz?a=http://other/ HTTP/1.1", REFUSED),
        (b"GET /\xc3\xa9 HTTP/1.1", REFUSED),
        (b"GET  /healthz HTTP/1.1", REFUSED),
        (b"GET /healthz  HTTP/1.1", REFUSED),
        (b"GET /healthz HTTP/1.1 ", REFUSED),
        (b" GET /healthz HTTP/1.1", REFUSED),
        (b"GET\t/healthz\tHTTP/1.1", REFUSED),
        (b"GET /health z HTTP/1.1", REFUSED),
        (b"GET /healthz HTTP/1.1\tX: y", REFUSED),
        (b"GET /healthz", REFUSED),
        (b"GET /healthz HTTP/0.9", REFUSED),
        (b"GET /healthz HTTP/1.2", TWO),
        (b"GET /healthz HTTP/1.9", TWO),
        (b"GET /healthz HTTP/2.0", REFUSED),
        (b"GET /healthz HTTP/3", REFUSED),
        (b"GET /healthz HTTP/1.10", REFUSED),
        (b"GET /healthz HTTP/01.1", REFUSED),
        (b"GET /healthz HTTP/1,1", REFUSED),
        (b"GET /healthz http/1.1", REFUSED),
        (b"GET /healthz HTTP/ 1.1", REFUSED),
        (b"GET /healthz HTTPS/1.1", REFUSED),
        (b"GET /healthz ICY/1.1", REFUSED),
        (b"get /healthz HTTP/1.1", REFUSED),
        (b"G /healthz HTTP/1.1", REFUSED),
        (b"G(T /healthz HTTP/1.1", REFUSED),
        (b"GE\xc3\x89T /healthz HTTP/1.1", REFUSED),
        (b"M" * 5000 + b" /healthz HTTP/1.1", REFUSED),
        (b"\r\nGET /healthz HTTP/1.1", TWO),
        (b"\r\n\r\nGET /healthz HTTP/1.1", REFUSED),
        (b"\nGET /healthz HTTP/1.1", REFUSED),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET /healthz HTTP/1.1", REFUSED),
        (b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + b"\x01" * 12 + b"GET /healthz HTTP/1.1", REFUSED),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n", REFUSED),
        (b"SSH-2.0-OpenSSH_9.6", REFUSED),
        (b"EHLO test", REFUSED),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", REFUSED),
    ],
    ids=lambda value: str(value)[:50],
)
def test_first_lines(server: Target, first: bytes, statuses: list[int]) -> None:
    """What is no request line of HTTP/1 is refused, and nothing is read behind an attempt at a tunnel.

    Accepted, and safe: characters that RFC 3986 does not list have no say in where a request ends, and the path that
    they are part of is compared as a whole; an empty line in front is allowed by RFC 9112, section 2.2.
    """
    assert [statuses] == server.attack(request(first=first, body=b""))


@pytest.mark.parametrize("first", [b"GET http://other HTTP/1.1", b"GET http://other?healthz HTTP/1.1"])
def test_empty_path(server: Target, first: bytes) -> None:
    """A target in absolute form without a path means the root (RFC 9112, section 3.2.1)."""
    root = server.attack(request(first=b"GET / HTTP/1.1", body=b""))
    assert root == server.attack(request(first=first, body=b""))


@pytest.mark.parametrize(
    ("lines", "statuses"),
    [
        ([b"Connection: close"], [200]),
        ([b"Connection: close", b"Connection: keep-alive"], [200]),
        ([b"Connection: keep-alive", b"Connection: x, Close"], [200]),
        ([b"Connection: keep-alive"], TWO),
        ([b"Connection: Host, Content-Length"], TWO),
        ([b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13"], TWO),
        ([b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQ"], TWO),
        ([b"Expect: 100-continue"], TWO),
        ([b"Expect: y 100-continue"], TWO),
        ([b"Expect: 100-continue, 100-continue"], TWO),
        ([b"X-HTTP-Method-Override: DELETE", b"X-Original-URL: /nowhere"], TWO),
        ([b"Host: test"], REFUSED),
        ([b"host: other"], REFUSED),
        ([b"Content-Type: a/b", b"Content-Type: a/b"], REFUSED),
    ],
)
def test_fields_that_say_who_goes_on(server: Target, lines: list[bytes], statuses: list[int]) -> None:
    """Behind `close` nothing is read; an upgrade and an unknown expectation may be ignored, and are."""
    assert [statuses] == server.attack(request(b"Content-Length: 13", *lines))


@pytest.mark.parametrize(
    ("value", "statuses"),
    [
        (b"", TWO),
        (b"other:80", TWO),
        (b"[::1]:80", TWO),
        (b"other.", TWO),
        (b"%41", TWO),
        (b"a" * 63, TWO),
        (b"xn--mnchen-3ya.example:80", TWO),
        (b"xn--a.xn--b", REFUSED),
        (b"[1:2]", REFUSED),
        (b"a" * 64, REFUSED),
        (b"a..b", REFUSED),
        (b".a", REFUSED),
        (b"a b", REFUSED),
        (b"a, b", REFUSED),
        (b"a@b", REFUSED),
        (b"a/b", REFUSED),
        (b"a?b", REFUSED),
        (b"a:b", REFUSED),
        (b"a:1:2", REFUSED),
        (b"http://a", REFUSED),
        (b"[::1", REFUSED),
        (b"\xc3\xa9", REFUSED),
    ],
)
def test_hosts(server: Target, value: bytes, statuses: list[int]) -> None:
    """A Host is a host and perhaps a port, or the request is refused (RFC 9112, section 3.2)."""
    head = b"GET /healthz HTTP/1.1\r\nHost: %s\r\n\r\n" % value
    assert [statuses] == server.attack(head + SMUGGLED)


@pytest.mark.parametrize("first", [b"GET /healthz HTTP/1.1", b"GET /version HTTP/1.1", b"OPTIONS /version HTTP/1.1"])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_where_none_is_expected(server: Target, first: bytes, *, is_chunked: bool) -> None:
    """What a GET has for a body is no second request."""
    inner = b"GET /inner HTTP/1.1\r\nHost: test\r\n\r\n"
    if is_chunked:
        data = request(b"Transfer-Encoding: chunked", first=first, body=b"%x\r\n%s\r\n0\r\n\r\n" % (len(inner), inner))
    else:
        data = request(b"Content-Length: %d" % len(inner), first=first, body=inner)
    assert [TWO] == server.attack(data)


@pytest.mark.parametrize(
    ("data", "statuses"),
    [
        pytest.param(request(b"Content-Length: 2"), [200, 400], id="length that is too short"),
        pytest.param(request(b"Content-Length: 14"), [200, 400], id="length that is too long"),
        pytest.param(SMUGGLED * 3 + b"bad\r\n\r\n" + SMUGGLED, [404, 404, 404, 400], id="pipeline"),
        pytest.param(b"GET /healthz HTTP/1.1\r\n\r\n" + SMUGGLED, REFUSED, id="no host"),
        pytest.param(request(*[b"A: b"] * 100_000), [431], id="100,000 headers"),
        pytest.param(request(*[b"A%d:" % n for n in range(100_000)]), [431], id="100,000 different headers"),
        pytest.param(request(*[b"A: " + b"b" * 8000] * 3), [431], id="24 kB of headers"),
        pytest.param(request(b"A" * 18_000 + b": b"), [431], id="a long name"),
        pytest.param(request(first=b"GET /" + b"a" * 9000 + b" HTTP/1.1"), [414], id="a long target"),
    ],
)
def test_what_stands_behind(server: Target, data: bytes, statuses: list[int]) -> None:
    """Nothing is read behind a refusal, and behind an answer what the proxy sees there, too."""
    assert [statuses] == server.attack(data)
