"""What proxies say is believed where they are trusted, and nowhere else."""

import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from werkzeug.routing import Map
from werkzeug.wrappers import Request

from app.observability.forwarded import Forwarded

BEFORE = {"wsgi.url_scheme": "http", "HTTP_HOST": "app:5000", "SCRIPT_NAME": ""}
LATIN_1 = "".join(map(chr, range(256)))
PROXIES = "10.0.0.0/8, 127.0.0.1,fd00::/8"


def address(trusted: str, peer: str, forwarded_for: str | None) -> str:
    """Tell the client's address."""
    environ: dict[str, Any] = {"REMOTE_ADDR": peer, **BEFORE}
    if forwarded_for is not None:
        environ["HTTP_X_FORWARDED_FOR"] = forwarded_for
    Forwarded(trusted).apply(environ)
    result: str = environ["REMOTE_ADDR"]
    return result


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded_for", "expected"),
    [
        pytest.param(PROXIES, "203.0.113.9", None, "203.0.113.9", id="no proxy"),
        pytest.param(PROXIES, "10.0.0.1", None, "10.0.0.1", id="a proxy that says nothing"),
        pytest.param(PROXIES, "203.0.113.9", "198.51.100.1", "203.0.113.9", id="a stranger is not believed"),
        pytest.param(PROXIES, "10.0.0.1", "198.51.100.1", "198.51.100.1", id="one proxy"),
        pytest.param(PROXIES, "10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1", id="two proxies"),
        pytest.param(PROXIES, "10.0.0.1", "1.1.1.1, 198.51.100.1,10.0.0.2", "198.51.100.1", id="invented beyond"),
        pytest.param(PROXIES, "10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3", id="nothing but proxies"),
        pytest.param(PROXIES, "10.0.0.1", "nonsense", "10.0.0.1", id="no address"),
        pytest.param(PROXIES, "10.0.0.1", "nonsense,10.0.0.2", "10.0.0.2", id="no address behind a proxy"),
        pytest.param(PROXIES, "10.0.0.1", "", "10.0.0.1", id="empty"),
        pytest.param(PROXIES, "10.0.0.1", "198.51.100.1,", "10.0.0.1", id="empty element"),
        pytest.param(PROXIES, "10.0.0.1", "203.0.113.7:51008", "203.0.113.7", id="with a port"),
        pytest.param(PROXIES, "10.0.0.1", "[2001:db8::7]:51008", "2001:db8::7", id="version 6 with a port"),
        pytest.param(PROXIES, "10.0.0.1", "[2001:db8::7]", "2001:db8::7", id="version 6 in brackets"),
        pytest.param(PROXIES, "::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1", id="a socket of both families"),
        pytest.param(PROXIES, "fd00::1", "2001:DB8::0001", "2001:db8::1", id="version 6, in its canonical form"),
        pytest.param(PROXIES, "", "198.51.100.1", "", id="a UNIX socket"),
        pytest.param(
            "::ffff:10.0.0.0/104", "10.0.0.1", "198.51.100.1", "198.51.100.1", id="a network of both families"
        ),
        pytest.param("::ffff:10.0.0.1", "::ffff:10.0.0.1", "1.1.1.1", "1.1.1.1", id="an address of both families"),
        pytest.param("*", "203.0.113.9", "198.51.100.1, 203.0.113.8", "198.51.100.1", id="all are believed"),
        pytest.param("*", "", "198.51.100.1," * 32, "", id="empty element of a long chain"),
        pytest.param(
            "*", "", "192.0.2.1" + ",198.51.100.1" * 32, "198.51.100.1", id="no look beyond the longest chain"
        ),
        pytest.param("*", "", "198.51.100.1", "198.51.100.1", id="all, a UNIX socket included"),
    ],
)
def test_address(trusted: str, peer: str, forwarded_for: str | None, expected: str) -> None:
    """The address is the last one that a trusted proxy vouches for."""
    assert expected == address(trusted, peer, forwarded_for)


def test_address_without_invented_zone() -> None:
    """The zone of an IPv6 address is free text, which must not reach the log through it."""
    assert re.fullmatch(r"[0-9a-f.:]{2,45}", address("*", "127.0.0.1", "fe80::1%\x1b[31m" + "x" * 8000))


@given(st.text("0123456789abcdef.:, %", max_size=60) | st.text(max_size=60))
def test_address_is_always_an_address(forwarded_for: str) -> None:
    """Whatever a client sends, nothing but the digits of an address comes out."""
    assert re.fullmatch(r"[0-9a-f.:]{2,45}", address("*", "127.0.0.1", forwarded_for))


FORWARDED = {
    "HTTP_X_FORWARDED_PROTO": "https",
    "HTTP_X_FORWARDED_HOST": "shop.example:8443",
    "HTTP_X_FORWARDED_PREFIX": "/shop",
}


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("10.0.0.1", {"wsgi.url_scheme": "https", "HTTP_HOST": "shop.example:8443", "SCRIPT_NAME": "/shop"}),
        ("203.0.113.9", BEFORE),
        ("", BEFORE),
    ],
)
def test_scheme_host_and_prefix(peer: str, expected: dict[str, str]) -> None:
    """Of a trusted peer, scheme, host and prefix are those that the client has used; of others nothing is touched."""
    environ: dict[str, Any] = {"REMOTE_ADDR": peer, **BEFORE, **FORWARDED}
    Forwarded(PROXIES).apply(environ)
    assert (expected, peer) == ({key: environ[key] for key in BEFORE}, environ["REMOTE_ADDR"])


@pytest.mark.parametrize(
    ("header", "value"),
    [
        *(("PREFIX", value) for value in (":x", ":80:1", "shop", "?a", "http://x")),
        *(("HOST", value) for value in ("a" * 64 + ".com", "a..b", ".", "[::1", "[1:2]", "a/b", "user@a", "a:65536")),
        ("HOST", ".".join(["xn--p1ai"] * 1750)),
        *(("PROTO", value) for value in ("ftp", "a b", "javascript")),
    ],
)
def test_no_url(header: str, value: str) -> None:
    """What makes no URL is ignored, together with the other two; the address of the client is believed."""
    forwarded = FORWARDED | {"HTTP_X_FORWARDED_FOR": "198.51.100.1", f"HTTP_X_FORWARDED_{header}": value}
    environ: dict[str, Any] = {"REMOTE_ADDR": "10.0.0.1", **BEFORE, **forwarded}
    Forwarded(PROXIES).apply(environ)
    assert (BEFORE, "198.51.100.1") == ({key: environ[key] for key in BEFORE}, environ["REMOTE_ADDR"])


@given(st.text(LATIN_1, max_size=20), st.text(LATIN_1, max_size=20))
@example("xn--a", "/")
@example("shop.xn--a:8443", "/")
@example("shop.example", ":x")
def test_the_url_of_a_request_can_be_made(host: str, prefix: str) -> None:
    """Whatever a trusted proxy says, a view that asks for the URL of its request does not fail on it."""
    forwarded = {"HTTP_X_FORWARDED_HOST": host, "HTTP_X_FORWARDED_PREFIX": prefix}
    environ: dict[str, Any] = {"REMOTE_ADDR": "10.0.0.1", **BEFORE, **forwarded}
    Forwarded(PROXIES).apply(environ)
    assert Request(environ).root_url.startswith("http://")
    Map().bind(Request(environ).host)
