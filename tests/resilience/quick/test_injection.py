"""Injection: nothing that a client sends forges a line of the log or a metric, or brings a secret to light."""

from collections.abc import Iterator

import pytest

from tests.support.abuse import SMUGGLED, Target, target
from tests.support.http_client import post
from tests.support.payloads import PAYLOADS, RAW

NAMES = (
    *("User-Agent", "X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Forwarded-Host", "X-Forwarded-Proto", "Via"),
    *("X-Request-ID", "traceparent", "tracestate", "baggage", "Cookie", "Authorization", "Referer", "Origin", "From"),
    *("Accept", "Accept-Encoding", "Accept-Language", "Range", "If-None-Match", "If-Modified-Since", "Cache-Control"),
    *("Content-Type", "Content-Disposition", "Content-MD5", "Expect", "Upgrade", "TE", "Trailer", "Max-Forwards"),
    *("X-HTTP-Method-Override", "X-Original-URL", "X-Rewrite-URL", "Access-Control-Request-Method", "Proxy"),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """Run the service that is attacked, with faith in every proxy."""
    with target(tmp_path_factory.mktemp("injection") / "output", FORWARDED_ALLOW_IPS="*") as server:
        yield server


@pytest.mark.parametrize("name", NAMES)
def test_headers(server: Target, name: str) -> None:
    """The value of a header changes nothing but, within its bounds, what the log says of it."""
    line = b"%s: %s\r\n"
    attacks = [
        b"POST /echo HTTP/1.1\r\nHost: test\r\n" + line % (name.encode(), payload) + b"Content-Length: 4\r\n\r\n"
        b"body" + SMUGGLED
        for payload in PAYLOADS + RAW
    ]
    # A host that a trusted proxy passes on has to be one.
    admitted = {(200, 404), (400, 404)} if name == "X-Forwarded-Host" else {(200, 404)}
    assert admitted >= {tuple(statuses) for statuses in server.attack(*attacks)}


@pytest.mark.parametrize("name", ["Host", "Connection", "Content-Length", "Transfer-Encoding"])
def test_headers_that_decide(server: Target, name: str) -> None:
    """Where the value decides, it is refused or it is one; what follows is no other request."""
    attacks = [
        b"POST /echo HTTP/1.1\r\n%sX: y\r\n%s: %s\r\n\r\n"
        % (b"" if name == "Host" else b"Host: test\r\n", name.encode(), p)
        for p in PAYLOADS + RAW
    ]
    assert {(200,), (400,)} >= {tuple(statuses) for statuses in server.attack(*attacks)}


def test_names_of_headers(server: Target) -> None:
    """A header may have any name that is one."""
    statuses = server.attack(*[b"GET /version HTTP/1.0\r\n%s: 1\r\n\r\n" % p for p in PAYLOADS + RAW])
    assert {(200,), (400,)} == {tuple(several) for several in statuses}


def test_methods(server: Target) -> None:
    """A method is one or the request is refused, and the log shows no more of it than of a path."""
    attacks = [b"%s / HTTP/1.1\r\nHost: test\r\n\r\n" % payload for payload in (*PAYLOADS, *RAW, b"\x7f" * 3000)]
    assert [[400]] * len(attacks) == server.attack(*attacks)


@pytest.mark.parametrize("method", [b"GET", b"POST", b"PURGE", b"BREW"])
@pytest.mark.parametrize("prefix", [b"/", b"http://test/", b"/healthz/", b"//", b"/;"])
def test_paths(server: Target, method: bytes, prefix: bytes) -> None:
    """An unknown path is not found, whatever is in it."""
    statuses = server.attack(*[b"%s %s%s HTTP/1.1\r\nHost: test\r\n\r\n" % (method, prefix, p) for p in PAYLOADS + RAW])
    assert {(501 if method == b"BREW" else 404,), (400,)} >= {tuple(several) for several in statuses}


def test_queries(server: Target) -> None:
    """A query means nothing and is not logged."""
    attacks = [b"GET /version?%s HTTP/1.1\r\nHost: test\r\n\r\n" % payload.replace(b" ", b"+") for payload in PAYLOADS]
    assert [[200]] * len(attacks) == server.attack(*attacks)
    assert {"/version"} == {line["path"] for line in server.service.lines()[-len(attacks) :]}


def test_bodies(server: Target) -> None:
    """A body reaches neither the log nor an answer where no view has asked for it."""
    attacks = [post(payload, target=target) for payload in PAYLOADS + RAW for target in ("/nowhere", "/healthz")]
    assert {(404,), (405,)} == {tuple(statuses) for statuses in server.attack(*attacks)}
    assert "forged" not in str(server.service.lines()[-len(attacks) :])


def test_a_bug_shows_nothing(server: Target) -> None:
    """Requests at the edges of what Flask and Werkzeug do by themselves are answered, and not by an error page."""
    attacks = [
        b"%s %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (method, path, host)
        for method in (b"GET", b"OPTIONS", b"TRACE", b"POST")
        for path in (
            b"/version",
            b"/static/../app/app.py",
            b"/console?__debugger__=yes&cmd=resource",
            b"/.env",
            b"/.git/config",
        )
        for host in (b"", b"%", b"[::]", b":5000", b"xn--a.xn--b", b"a" * 63)
    ]
    statuses = server.attack(*attacks)
    assert {(200,), (400,), (404,), (405,)} == {tuple(several) for several in statuses}
