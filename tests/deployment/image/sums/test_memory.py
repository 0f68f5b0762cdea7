"""The memory of a container that adds numbers."""

from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import pytest

from tests.support import engine
from tests.support.costliest import COSTLIEST
from tests.support.engine import Start


@pytest.mark.parametrize("name", COSTLIEST)
def test_eight_of_the_costliest_bodies_at_once(start: Start, name: str) -> None:
    """128 MB without swap bear eight of the costliest bodies at the default limit: all answered, no process killed."""
    container = start("--memory", "128m", "--memory-swap", "128m", "--env", "WEB_CONCURRENCY=2")
    engine.until(container.answers)
    port = container.port()

    def ask(_number: int) -> int:
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("POST", "/", COSTLIEST[name])
            return connection.getresponse().status
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as clients:
        statuses = set(clients.map(ask, range(8)))
    assert statuses <= {200, 400, 422}
    assert not container.state()["OOMKilled"]
    assert [line["event"] for line in container.log() if line["level"] in {"error", "critical"}] == []
