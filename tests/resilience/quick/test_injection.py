"""Injection: nothing that a client sends forges a line of the log or a metric, or brings a secret to light."""

from collections.abc import Iterator

import pytest

from tests.support.abuse import SMUGGLED, Target, target
from tests.support.http_client import post

PAYLOADS = (
    b'"}\\n{"event":"forged","level":"critical"}',
    b'x"} 1\\nforged_total{a="b"} 1',
    b"%0d%0a%0d%0aHTTP/1.1%20200%20OK%0d%0aX-Forged:%201",
    b"%22%7d%0a%7b%22event%22:%22forged%22%7d",
    b"\\u000a\\u0022\\u007d{}",
    b"%1b%5b31m%9b31m%7f%00%08",
    b"%e2%80%a8%e2%80%ae%e2%81%a6%c2%85%ef%bf%bf%f0%9f%92%a9",
    b"%ff%fe%c0%af%ed%a0%80",
    b"%s%n%x%d%(message)s{0}{0.__class__.__init__.__globals__}",
    b"{{7*7}}${7*7}<%=7*7%>#{7*7}{{config}}{%25debug%25}",
    b"${jndi:ldap://127.0.0.1/a}$(env)`env`;env|env&&env",
    b"../../../../../../proc/self/environ",
    b"..%2f..%2f..%2fproc%2fself%2fenviron%00.html",
    b"file:///proc/self/environ",
    b"<script>alert(1)</script><!--#exec cmd='env'--><?php phpinfo() ?>",
    b"' OR 1=1 --\\' UNION SELECT",
    b"__import__('os').environ",
    b"a" * 4000,
)

# These reach the service in a header alone.
RAW = (
    "\u202eright\u2028left\u2066".encode(),
    b"\x9b31m\x85\xff\xfe\xa0",
    b"\ttab\t",
    b'\\"\\\\"',
)

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
        b"POST / HTTP/1.1\r\nHost: test\r\n" + line % (name.encode(), payload) + b"Content-Length: 13\r\n\r\n"
        b'{"data": [1]}' + SMUGGLED
        for payload in PAYLOADS + RAW
    ]
    assert [[200, 404]] * len(attacks) == server.attack(*attacks)


@pytest.mark.parametrize("name", ["Content-Encoding", "Host", "Connection", "Content-Length", "Transfer-Encoding"])
def test_headers_that_decide(server: Target, name: str) -> None:
    """Where the value decides, it is refused or ignored."""
    attacks = [
        b"POST / HTTP/1.1\r\n%sX: y\r\n%s: %s\r\n\r\n"
        % (b"" if name == "Host" else b"Host: test\r\n", name.encode(), p)
        for p in PAYLOADS + RAW
    ]
    assert {(400,), (415,)} >= {tuple(statuses) for statuses in server.attack(*attacks)}


def test_names_of_headers(server: Target) -> None:
    """A header may have any name that is one."""
    statuses = server.attack(*[b"GET /version HTTP/1.0\r\n%s: 1\r\n\r\n" % p for p in PAYLOADS + RAW])
    assert {(200,), (400,)} == {tuple(several) for several in statuses}


def test_methods(server: Target) -> None:
    """A method is one or the request is refused, and the log shows no more of it than of a path."""
    attacks = [b"%s / HTTP/1.1\r\nHost: test\r\n\r\n" % payload for payload in (*PAYLOADS, *RAW, b"\x7f" * 3000)]
    assert [[400]] * len(attacks) == server.attack(*attacks)


@pytest.mark.parametrize("method", [b"GET", b"POST", b"BREW"])
@pytest.mark.parametrize("prefix", [b"/", b"http://test/", b"/healthz/", b"//", b"/;"])
def test_paths(server: Target, method: bytes, prefix: bytes) -> None:
    """A path that nobody knows is not found, whatever is in it."""
    statuses = server.attack(*[b"%s %s%s HTTP/1.1\r\nHost: test\r\n\r\n" % (method, prefix, p) for p in PAYLOADS + RAW])
    assert {(404,), (400,)} >= {tuple(several) for several in statuses}


def test_queries(server: Target) -> None:
    """A query means nothing and is not logged."""
    attacks = [b"GET /version?%s HTTP/1.1\r\nHost: test\r\n\r\n" % payload.replace(b" ", b"+") for payload in PAYLOADS]
    assert [[200]] * len(attacks) == server.attack(*attacks)
    assert {"/version"} == {line["path"] for line in server.service.lines()[-len(attacks) :]}


@pytest.mark.parametrize("body", [b'{"data": ["%s"]}', b'{"data": [%s]}', b'{"%s": 1}', b'{"data": {"%s": []}}', b"%s"])
def test_bodies(server: Target, body: bytes) -> None:
    """An element that is no number is shown to its client alone, and no more than 64 characters of it."""
    attacks = [post(body.replace(b"%s", payload)) for payload in PAYLOADS + RAW]
    assert {(400,), (422,)} >= {tuple(statuses) for statuses in server.attack(*attacks)}
    assert "forged" not in str(server.service.lines()[-len(attacks) :])


def test_a_bug_shows_nothing(server: Target) -> None:
    """Requests at the edges of what Flask and Werkzeug do by themselves are answered, and not by an error page."""
    attacks = [
        b"%s %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (method, path, host)
        for method in (b"GET", b"OPTIONS", b"TRACE", b"POST")
        for path in (
            b"/",
            b"/static/../app/app.py",
            b"/console?__debugger__=yes&cmd=resource",
            b"/.env",
            b"/.git/config",
        )
        for host in (b"", b"%", b"[::]", b":5000", b"xn--a.xn--b", b"a" * 63)
    ]
    statuses = server.attack(*attacks)
    assert {(400,), (404,), (405,)} == {tuple(several) for several in statuses}
