"""Outages that are made on purpose, and the alerts that they raise."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from tests.deployment.watch.processes import Prometheus, Service, wait_until
from tests.support import example

BODY_BYTES = 1_000_000


@contextmanager
def unfinished_uploads(port: int, count: int) -> Iterator[None]:
    """Hold connections that have sent all of a large body but its end."""
    head = (
        f"{example.METHOD} {example.ROUTE} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {BODY_BYTES}\r\n\r\n".encode()
    )
    with ExitStack() as stack:
        for _ in range(count):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            # A client that is refused while it sends sees the connection close.
            with suppress(OSError):
                client.sendall(head + b" " * (BODY_BYTES - 100))
        yield


def test_a_stopped_service_is_reported_until_it_is_back(own_service: Service, own_prometheus: Prometheus) -> None:
    """ServiceDown fires, is on the console page, and ends with the outage."""
    own_service.stop()
    assert "ServiceDown" in wait_until(own_prometheus.firing, lambda names: "ServiceDown" in names)
    assert "ServiceDown" in own_prometheus.get("/consoles/index.html")
    with own_service:
        assert wait_until(own_prometheus.firing, lambda names: not names) == set()


def test_an_overload_burns_the_budget(own_service: Service, own_prometheus: Prometheus) -> None:
    """What the server rejects with 503, which the application never sees, pages all the same."""
    with unfinished_uploads(own_service.port, 60):
        expected = {"AvailabilityBudgetBurn", "RequestsRejected"}
        assert expected == expected & wait_until(own_prometheus.firing, lambda names: expected <= names)
