"""What trusted proxies report about a request: the client's address, scheme, host and prefix."""

import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from werkzeug.exceptions import BadHost
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import Map
from werkzeug.sansio.utils import get_current_url, get_host

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
    from wsgiref.types import WSGIEnvironment

# No real chain of proxies is this long, but an 8 kB header has room for 2,700 addresses, which take 20 ms to parse.
LONGEST_CHAIN = 32

# A DNS name has at most 253 characters. Encoding an IDNA name of 15 kB takes 27 ms.
LONGEST_HOST = len("." * 253 + ":65535")

FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PREFIX")


class Forwarded:
    """Applies `X-Forwarded-*` from trusted peers (`FORWARDED_ALLOW_IPS`: addresses and networks, or `*` for all)."""

    def __init__(self, trusted: str) -> None:
        self._trust_all = trusted == "*"
        networks = [] if self._trust_all else trusted.split(",")
        self._networks = [_network(network.strip()) for network in networks]
        self._proxy_fix = ProxyFix(lambda _environ, _start_response: (), x_for=0, x_proto=1, x_host=1, x_prefix=1)

    def apply(self, environ: "WSGIEnvironment") -> None:
        """Write a trusted peer's values into the environ: REMOTE_ADDR here, the rest with werkzeug's ProxyFix.

        Ignore scheme, host and prefix if they do not form a URL together.
        """
        # A dual-stack socket reports an IPv4 peer as ::ffff:127.0.0.1.
        if environ.get("REMOTE_ADDR", "").startswith("::ffff:"):
            environ["REMOTE_ADDR"] = environ["REMOTE_ADDR"].removeprefix("::ffff:")
        if not any(map(environ.__contains__, FORWARDED)):
            return
        peer = environ.get("REMOTE_ADDR", "")
        if not self._is_trusted(_address(peer)):
            return
        if "HTTP_X_FORWARDED_FOR" in environ:
            environ["REMOTE_ADDR"] = self._client(peer, environ["HTTP_X_FORWARDED_FOR"])
        fixed = environ.copy()
        self._proxy_fix(fixed, lambda *_: lambda _: None)
        if _is_url(fixed["wsgi.url_scheme"], fixed.get("HTTP_HOST"), fixed.get("SCRIPT_NAME", "")):
            environ.update(fixed)

    def _client(self, peer: str, forwarded_for: str) -> str:
        # Read from the right: the first untrusted address may have forged everything to its left.
        client = peer
        for hop in reversed(forwarded_for.rsplit(",", LONGEST_CHAIN)[-LONGEST_CHAIN:]):
            address = _address(_without_port(hop.strip()))
            if address is None:
                return client
            client = str(address)
            if not self._is_trusted(address):
                return client
        return client

    def _is_trusted(self, address: "IPv4Address | IPv6Address | None") -> bool:
        if address is None:  # A UNIX socket has no address.
            return self._trust_all
        return self._trust_all or any(address in network for network in self._networks)


def _network(text: str) -> "IPv4Network | IPv6Network":
    network = ipaddress.ip_network(text)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    return ipaddress.ip_network(f"{mapped}/{network.prefixlen - 96}") if mapped else network


@lru_cache(maxsize=128)  # A proxy sends the same values each time: 7 us less per request.
def _is_url(scheme: str, host: str | None, prefix: str) -> bool:
    """Tell whether werkzeug can build a URL from them. If not, routing fails, or any view that asks for its URL."""
    if host and len(host) > LONGEST_HOST:
        return False
    name = get_host(scheme, host)  # Empty if the host is invalid.
    if scheme not in {"http", "https"} or (host and not name) or (prefix and not prefix.startswith("/")):
        return False
    try:
        Map().bind(name, url_scheme=scheme)
        return urlsplit(get_current_url(scheme, name, prefix)).port != 0  # A port above 65535 raises ValueError.
    except (BadHost, ValueError):  # An invalid IDNA name raises UnicodeError, a ValueError.
        return False


def _address(text: str) -> "IPv4Address | IPv6Address | None":
    try:
        # Drop the zone of an IPv6 address, which may be any text.
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _without_port(hop: str) -> str:
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
