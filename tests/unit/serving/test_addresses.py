"""The addresses that the server listens on."""

import socket

import pytest

from app.serving import addresses as module
from app.serving.addresses import addresses, bind_text, listen, listen_on_all
from tests.support.loopback import needs_ipv6
from tests.support.service import free_ports


def refuse(*_: object) -> socket.socket:
    """Fail, as where there is no IPv6."""
    raise OSError(97, "Address family not supported by protocol")


def test_chosen_addresses() -> None:
    """Addresses that are chosen are those, whatever the machine has."""
    assert ("192.0.2.1", "::1") == tuple(addresses(("192.0.2.1", "::1")))


@pytest.mark.parametrize(("has_ipv6", "expected"), [(True, ["::"]), (False, ["0.0.0.0"])])  # noqa: S104
def test_default_addresses(monkeypatch: pytest.MonkeyPatch, expected: list[str], *, has_ipv6: bool) -> None:
    """By default it is one address for both families, or that of IPv4 where there is no IPv6."""
    monkeypatch.setattr(module, "listen", (lambda *_: socket.socket()) if has_ipv6 else refuse)
    assert expected == addresses(())


@pytest.mark.parametrize(
    ("address", "expected"),
    [("0.0.0.0", "0.0.0.0:80"), ("::", "[::]:80"), ("::1", "[::1]:80")],  # noqa: S104
)
def test_text_for_gunicorn(address: str, expected: str) -> None:
    """An IPv6 address stands in brackets."""
    assert expected == bind_text(address, 80)


@pytest.mark.parametrize(
    ("address", "family"), [("127.0.0.1", socket.AF_INET), pytest.param("::1", socket.AF_INET6, marks=needs_ipv6)]
)
def test_listen(address: str, family: socket.AddressFamily) -> None:
    """A port of an address of either family can be listened on."""
    with listen(address, 0) as listener:
        assert (family, address) == (listener.family, listener.getsockname()[0])


@needs_ipv6
def test_both_families() -> None:
    """The address of both families takes clients of both."""
    with listen("::", 0) as listener:
        for address in ("127.0.0.1", "::1"):
            socket.create_connection((address, listener.getsockname()[1])).close()


def test_all_or_none() -> None:
    """Where one of the addresses cannot be listened on, none is."""
    (port,) = free_ports(1)
    with pytest.raises(OSError, match="assign"):
        listen_on_all(["127.0.0.1", "192.0.2.1"], port)
    for listener in listen_on_all(["127.0.0.1"], port):
        listener.close()
