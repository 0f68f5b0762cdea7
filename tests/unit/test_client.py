"""The client's address: through trusted proxies only."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.client import ClientAddress

PROXIES = "10.0.0.0/8, 127.0.0.1,fd00::/8"


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
        pytest.param(PROXIES, "10.0.0.1", "198.51.100.1:8080", "10.0.0.1", id="with a port"),
        pytest.param(PROXIES, "fd00::1", "2001:DB8::0001", "2001:db8::1", id="version 6, in its canonical form"),
        pytest.param(PROXIES, "", "198.51.100.1", "", id="a UNIX socket"),
        pytest.param("*", "203.0.113.9", "198.51.100.1, 203.0.113.8", "198.51.100.1", id="everybody is believed"),
        pytest.param("*", "", "198.51.100.1," * 32, "", id="empty element of a long chain"),
        pytest.param(
            "*", "", "192.0.2.1" + ",198.51.100.1" * 32, "198.51.100.1", id="beyond the longest chain nobody looks"
        ),
        pytest.param("*", "", "198.51.100.1", "198.51.100.1", id="everybody, a UNIX socket included"),
    ],
)
def test_address(trusted: str, peer: str, forwarded_for: str | None, expected: str) -> None:
    """The address is the last one that a trusted proxy vouches for."""
    assert expected == ClientAddress(trusted)(peer, forwarded_for)


def test_address_without_invented_zone() -> None:
    """The zone of an IPv6 address is free text, which must not reach the log through it."""
    address = ClientAddress("*")("127.0.0.1", "fe80::1%\x1b[31m" + "x" * 8000)
    assert re.fullmatch(r"[0-9a-f.:]{2,45}", address)


@given(st.text("0123456789abcdef.:, %", max_size=60) | st.text(max_size=60))
def test_address_is_always_an_address(forwarded_for: str) -> None:
    """Whatever a client sends, nothing but the digits of an address comes out."""
    assert re.fullmatch(r"[0-9a-f.:]{2,45}", ClientAddress("*")("127.0.0.1", forwarded_for))
