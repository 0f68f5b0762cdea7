"""What the machine's loopback interface has."""

import socket

import pytest


def has_ipv6() -> bool:
    """Tell whether the loopback interface has an IPv6 address: a container of a default Docker network has none."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="the loopback interface has no IPv6 address")
