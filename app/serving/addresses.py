"""The addresses that the server listens on."""

import socket
from collections.abc import Sequence
from contextlib import ExitStack

IPV4_ONLY = "0.0.0.0"  # noqa: S104 - a container and a virtual machine are reached from outside
BOTH_FAMILIES = "::"


def addresses(chosen: Sequence[str]) -> Sequence[str]:
    """Return the chosen addresses; by default `::` for both families, or `0.0.0.0` if there is no IPv6."""
    if chosen:
        return chosen
    try:
        with listen(BOTH_FAMILIES, 0):
            return [BOTH_FAMILIES]
    except OSError:
        return [IPV4_ONLY]


def bind_text(address: str, port: int) -> str:
    """Format an address and a port for gunicorn."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def listen(address: str, port: int) -> socket.socket:
    """Listen on a port. Raises OSError."""
    is_both = address == BOTH_FAMILIES and socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family, backlog=64, dualstack_ipv6=is_both)


def listen_on_all(chosen: Sequence[str], port: int) -> list[socket.socket]:
    """Listen on a port at several addresses, or raise OSError and listen on none."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(listen(address, port)) for address in chosen]
        stack.pop_all()
    return listeners
