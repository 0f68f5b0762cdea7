"""Memory: what a request has held is free when it is answered."""

import pytest

from tests.support.http_client import Client, post_chunked
from tests.support.memory import CAN_BE_TOLD, proportional_bytes
from tests.support.service import Service

pytestmark = pytest.mark.skipif(not CAN_BE_TOLD, reason="the memory of a tree of processes is told by Linux only")

BODY = post_chunked(*[bytes(100_000)] * 10, target="/nowhere")


def test_chunked_bodies_are_free_at_once(unmeasured_service: Service) -> None:
    """A hundred chunked bodies take the memory of a few, and do not wait for the garbage collector."""
    with Client(unmeasured_service.port) as client:
        for _ in range(5):
            assert 404 == client.ask(BODY).status
        before = proportional_bytes(unmeasured_service)
        for _ in range(100):
            assert 404 == client.ask(BODY).status
        assert before + 10_000_000 > proportional_bytes(unmeasured_service)
