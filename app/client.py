"""The address of the client, through the proxies that are trusted."""

import ipaddress

# Nobody has so many proxies, but a header of 8 kB has room for 2,700 addresses, which take 20 ms to read.
LONGEST_CHAIN = 32


class ClientAddress:
    """Finds the client behind trusted proxies (`FORWARDED_ALLOW_IPS`: addresses and networks, or `*` for all)."""

    def __init__(self, trusted: str) -> None:
        self._trust_all = trusted == "*"
        networks = [] if self._trust_all else trusted.split(",")
        self._networks = [ipaddress.ip_network(network.strip()) for network in networks]

    def __call__(self, peer: str, forwarded_for: str | None) -> str:
        """Walk back from the peer through `X-Forwarded-For` as far as trusted proxies vouch for it.

        What stands left of the first untrusted address, that address may have made up.
        """
        if forwarded_for is None or not self._is_trusted(peer):
            return peer
        client = peer
        for hop in reversed(forwarded_for.rsplit(",", LONGEST_CHAIN)[-LONGEST_CHAIN:]):
            try:
                # Without the zone of an IPv6 address, which may be any text.
                client = str(ipaddress.ip_address(hop.partition("%")[0].strip()))
            except ValueError:
                return client
            if not self._is_trusted(client):
                return client
        return client

    def _is_trusted(self, address: str) -> bool:
        if self._trust_all:
            return True
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:  # A UNIX socket has no address.
            return False
        return any(parsed in network for network in self._networks)
