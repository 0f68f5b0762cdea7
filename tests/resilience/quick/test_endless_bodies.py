"""Bodies that never end."""

from contextlib import suppress

from tests.support.http_client import Client, post_chunked
from tests.support.service import Service


def test_chunks_without_an_end(service: Service) -> None:
    """Who sends chunks for ever is refused at the limit, and what comes after it is not kept."""
    with Client(service.port) as client:
        client.send(post_chunked(b"")[:-10])
        with suppress(ConnectionError):
            for _ in range(200):
                client.send(b"10000\r\n%s\r\n" % (b" " * 65_536))
        assert 413 == client.receive().status


def test_small_chunks_without_an_end(service: Service) -> None:
    """Who sends the smallest chunks for ever is refused long before the limit."""
    with Client(service.port) as client:
        client.send(post_chunked(b"")[:-10])
        with suppress(ConnectionError):
            for _ in range(100):
                client.send(b"1\r\n \r\n" * 1000)
        assert 400 == client.receive().status
